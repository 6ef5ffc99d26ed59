//! The API server: discovery, observe, apply, delete, watch, lease, status, events.
