//! Manifests that many tests deploy. Each begins with `---`, so that they can be joined.

/// A ConfigMap; `data` is a mapping in one line, such as `{a: b}`.
pub fn config(name: &str, data: &str) -> String {
    format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {data}\n")
}

/// A Deployment; `spec` is one more line of its spec, such as `replicas: 1`.
pub fn deployment(name: &str, spec: &str, image: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  {spec}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: web, image: '{image}'}}]}}
"
    )
}

/// A Deployment `web` of one Pod.
pub fn web() -> String {
    deployment("web", "replicas: 1", "registry.example.com/web:1")
}

/// What [`web`] says to its visitors: a ConfigMap `web`.
pub fn greeting(text: &str) -> String {
    config("web", &format!("{{greeting: {text}}}"))
}
