//! Pods, by themselves and as templates.

use serde_json::{Map, Value, json};

use super::fields::{each, inner, made, missing, set, set_number};

/// Fields with containers.
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// A Pod by itself: more is filled in than in a template.
pub fn pod(fields: &mut Map<String, Value>) {
    spec(fields);
    set(fields, "enableServiceLinks", true);
    let on_host = fields.get("hostNetwork") == Some(&json!(true));
    for of in ["initContainers", "containers"] {
        for container in each(fields, of) {
            requests(container);
            for port in each(container, "ports").filter(|_| on_host) {
                let number = port.get("containerPort").and_then(Value::as_i64);
                number.into_iter().for_each(|number| set_number(port, "hostPort", number));
            }
        }
    }
}

/// What is limited and not asked for is asked for.
fn requests(container: &mut Map<String, Value>) {
    let Some(resources) = inner(container, "resources") else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    if let Some(requests) = made(resources, "requests") {
        for (resource, limit) in limits {
            requests.entry(resource).or_insert(limit);
        }
    }
}

/// The spec of any Pod.
pub fn spec(fields: &mut Map<String, Value>) {
    set(fields, "dnsPolicy", "ClusterFirst");
    set(fields, "restartPolicy", "Always");
    made(fields, "securityContext");
    set(fields, "terminationGracePeriodSeconds", 30);
    set(fields, "schedulerName", "default-scheduler");
    // The old name of the same field.
    for (from, to) in [("serviceAccountName", "serviceAccount"), ("serviceAccount", "serviceAccountName")] {
        if let Some(account) = fields.get(from).filter(|account| account.is_string()).cloned() {
            set(fields, to, account);
        }
    }
    for of in CONTAINERS {
        each(fields, of).for_each(container);
    }
    each(fields, "volumes").for_each(volume);
}

fn container(fields: &mut Map<String, Value>) {
    let image = fields.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = pull_policy(image);
    set(fields, "imagePullPolicy", policy);
    set(fields, "terminationMessagePath", "/dev/termination-log");
    set(fields, "terminationMessagePolicy", "File");
    made(fields, "resources");
    each(fields, "ports").for_each(|port| set(port, "protocol", "TCP"));
    for variable in each(fields, "env") {
        if let Some(of) = inner(variable, "valueFrom").and_then(|from| inner(from, "fieldRef")) {
            set(of, "apiVersion", "v1");
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = inner(fields, probe) else { continue };
        for (field, number) in
            [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
        {
            set_number(probe, field, number);
        }
        http(probe);
        if let Some(grpc) = inner(probe, "grpc").filter(|grpc| missing(grpc, "service")) {
            grpc.insert("service".to_owned(), json!(""));
        }
    }
    let Some(lifecycle) = inner(fields, "lifecycle") else { return };
    for hook in ["postStart", "preStop"] {
        inner(lifecycle, hook).into_iter().for_each(http);
    }
}

fn http(action: &mut Map<String, Value>) {
    if let Some(get) = inner(action, "httpGet") {
        set(get, "path", "/");
        set(get, "scheme", "HTTP");
    }
}

fn volume(fields: &mut Map<String, Value>) {
    if fields.iter().all(|(field, value)| field == "name" || value.is_null()) {
        fields.insert("emptyDir".to_owned(), json!({}));
    }
    for of in ["secret", "configMap", "downwardAPI", "projected"] {
        let Some(of) = inner(fields, of) else { continue };
        set(of, "defaultMode", 420);
        field_refs(of);
        for source in each(of, "sources") {
            if let Some(token) = inner(source, "serviceAccountToken") {
                set(token, "expirationSeconds", 3600);
            }
            inner(source, "downwardAPI").into_iter().for_each(field_refs);
        }
    }
    if let Some(path) = inner(fields, "hostPath").filter(|path| missing(path, "type")) {
        path.insert("type".to_owned(), json!(""));
    }
    if let Some(image) = inner(fields, "image") {
        let policy = pull_policy(image.get("reference").and_then(Value::as_str).unwrap_or_default());
        set(image, "pullPolicy", policy);
    }
    if let Some(claim) = inner(fields, "ephemeral").and_then(|of| inner(of, "volumeClaimTemplate"))
        && let Some(spec) = made(claim, "spec")
    {
        super::claim(spec);
        made(claim, "metadata");
    }
}

fn field_refs(of: &mut Map<String, Value>) {
    for item in each(of, "items") {
        if let Some(reference) = inner(item, "fieldRef") {
            set(reference, "apiVersion", "v1");
        }
    }
}

/// An image without tag or digest is the latest, which is always pulled. What is no image has no tag.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image.split_once('@').map_or((image, false), |(name, _)| (name, true));
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => ("", name),
    };
    let last = path.rsplit('/').next().unwrap_or_default();
    let tag = last.split_once(':').map(|(_, tag)| tag);
    let repository = path.strip_suffix(tag.unwrap_or_default()).unwrap_or(path);
    let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:".contains(c);
    let valid = !last.is_empty() && repository.chars().all(part) && domain.is_ascii();
    match tag {
        Some("latest") if valid => "Always",
        None if valid && !digest => "Always",
        _ => "IfNotPresent",
    }
}
