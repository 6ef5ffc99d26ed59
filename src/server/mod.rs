//! HTTP: /webhook, /metrics, /healthz, /readyz.
