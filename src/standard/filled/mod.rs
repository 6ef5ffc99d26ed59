//! What the API server fills in before admission sees an object of a built-in kind: the defaults of its type
//! (`SetDefaults_*`), which are the same in every cluster. What plugins, webhooks and allocators add is not here.
//!
//! One field is another's: `spec.replicas`, which autoscalers set. Where it is left out of a change, it is what it was.

mod fields;
mod pods;

use serde_json::{Map, Value, json};

use super::{NAMESPACE_NAME, Operation, Review};
use fields::{each, inner, made, missing, set};

/// The object of a review with what the API server fills in; `None` where there is none.
pub(super) fn of(review: &Review<'_>) -> Option<Value> {
    let object = review.object.filter(|_| review.operation != Operation::Delete)?;
    Some(filled(review.api_version, &review.id.kind, object, review.old))
}

/// An object with what the API server fills in. `old` is the object as it is, where it is there already.
pub fn filled(api_version: &str, kind: &str, object: &Value, old: Option<&Value>) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        if leaves_replicas(api_version, kind, fields)
            && let Some(replicas) = old.and_then(|old| old.pointer("/spec/replicas"))
            && let Some(spec) = made(fields, "spec")
        {
            set(spec, "replicas", replicas.clone());
        }
        fill(api_version, kind, fields);
    }
    object
}

/// Whether a change says nothing of what another may have set.
pub(super) fn leaves_to_others(review: &Review<'_>) -> bool {
    let fields = review.object.and_then(Value::as_object);
    review.operation == Operation::Update
        && fields.is_some_and(|fields| leaves_replicas(review.api_version, &review.id.kind, fields))
}

fn leaves_replicas(api_version: &str, kind: &str, object: &Map<String, Value>) -> bool {
    let scaled = matches!(
        (api_version, kind),
        ("apps/v1", "Deployment" | "StatefulSet" | "ReplicaSet") | ("v1", "ReplicationController")
    );
    scaled && object.get("spec").and_then(|spec| spec.get("replicas")).is_none_or(Value::is_null)
}

fn fill(api_version: &str, kind: &str, object: &mut Map<String, Value>) {
    match (api_version, kind) {
        ("v1", "Namespace") => return namespace(object),
        ("v1", "Secret") => return set(object, "type", "Opaque"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding" | "ClusterRoleBinding") => return binding(object),
        ("storage.k8s.io/v1", "StorageClass") => {
            set(object, "reclaimPolicy", "Delete");
            return set(object, "volumeBindingMode", "Immediate");
        }
        ("batch/v1", "Job") => labels_of_template(object),
        ("v1", "ReplicationController") => {
            labels_of_template(object);
            let labels = object.get("spec").and_then(|spec| spec.pointer("/template/metadata/labels")).cloned();
            if let (Some(spec), Some(labels)) = (inner(object, "spec"), labels) {
                set(spec, "selector", labels);
            }
        }
        _ => {}
    }
    let Some(spec) = inner(object, "spec") else { return };
    match (api_version, kind) {
        ("v1", "Pod") => pods::pod(spec),
        ("v1", "Service") => service(spec),
        ("v1", "PersistentVolumeClaim") => claim(spec),
        ("v1", "PersistentVolume") => {
            set(spec, "persistentVolumeReclaimPolicy", "Retain");
            set(spec, "volumeMode", "Filesystem");
        }
        ("v1", "ReplicationController") | ("apps/v1", "ReplicaSet") => {
            set(spec, "replicas", 1);
            template(spec);
        }
        ("apps/v1", "Deployment") => deployment(spec),
        ("apps/v1", "StatefulSet") => stateful_set(spec),
        ("apps/v1", "DaemonSet") => daemon_set(spec),
        ("batch/v1", "Job") => job(spec),
        ("batch/v1", "CronJob") => cron_job(spec),
        ("autoscaling/v1", "HorizontalPodAutoscaler") => {
            set(spec, "minReplicas", 1);
            set(spec, "targetCPUUtilizationPercentage", 80);
        }
        ("autoscaling/v2", "HorizontalPodAutoscaler") => autoscaler(spec),
        ("networking.k8s.io/v1", "NetworkPolicy") => network_policy(spec),
        ("networking.k8s.io/v1", "IngressClass") => {
            if let Some(parameters) = inner(spec, "parameters") {
                set(parameters, "scope", "Cluster");
            }
        }
        _ => {}
    }
}

fn namespace(object: &mut Map<String, Value>) {
    let name = object.get("metadata").and_then(|metadata| metadata.get("name")).cloned();
    let labels = inner(object, "metadata").and_then(|metadata| made(metadata, "labels"));
    if let (Some(labels), Some(name)) = (labels, name) {
        labels.insert(NAMESPACE_NAME.to_owned(), name);
    }
    if let Some(spec) = made(object, "spec") {
        set(spec, "finalizers", json!(["kubernetes"]));
    }
}

fn binding(object: &mut Map<String, Value>) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    if let Some(role) = inner(object, "roleRef") {
        set(role, "apiGroup", GROUP);
    }
    for subject in each(object, "subjects") {
        if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
            set(subject, "apiGroup", GROUP);
        }
    }
}

/// An object without labels has those of its Pods.
fn labels_of_template(object: &mut Map<String, Value>) {
    let labels = object.get("spec").and_then(|spec| spec.pointer("/template/metadata/labels"));
    let labels = labels.filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty())).cloned();
    let own = object.get("metadata").and_then(|metadata| metadata.get("labels")).and_then(Value::as_object);
    if own.is_none_or(Map::is_empty)
        && let (Some(metadata), Some(labels)) = (inner(object, "metadata"), labels)
    {
        metadata.insert("labels".to_owned(), labels);
    }
}

/// The Pods of a workload.
fn template(spec: &mut Map<String, Value>) {
    let Some(template) = made(spec, "template") else { return };
    made(template, "metadata");
    if let Some(spec) = made(template, "spec") {
        pods::spec(spec);
    }
}

fn deployment(spec: &mut Map<String, Value>) {
    set(spec, "replicas", 1);
    if let Some(strategy) = made(spec, "strategy") {
        set(strategy, "type", "RollingUpdate");
        rolling(strategy, &[("maxUnavailable", json!("25%")), ("maxSurge", json!("25%"))]);
    }
    set(spec, "revisionHistoryLimit", 10);
    set(spec, "progressDeadlineSeconds", 600);
    template(spec);
}

/// Where it rolls, these are its numbers.
fn rolling(strategy: &mut Map<String, Value>, numbers: &[(&str, Value)]) {
    if strategy.get("type").is_some_and(|of| of == "RollingUpdate")
        && let Some(update) = made(strategy, "rollingUpdate")
    {
        numbers.iter().for_each(|(field, number)| set(update, field, number.clone()));
    }
}

fn daemon_set(spec: &mut Map<String, Value>) {
    if let Some(strategy) = made(spec, "updateStrategy") {
        set(strategy, "type", "RollingUpdate");
        rolling(strategy, &[("maxUnavailable", json!(1)), ("maxSurge", json!(0))]);
    }
    set(spec, "revisionHistoryLimit", 10);
    template(spec);
}

fn stateful_set(spec: &mut Map<String, Value>) {
    set(spec, "podManagementPolicy", "OrderedReady");
    if let Some(strategy) = made(spec, "updateStrategy") {
        // Where the type is written and the numbers are not, they stay away.
        if missing(strategy, "type") {
            set(strategy, "type", "RollingUpdate");
            made(strategy, "rollingUpdate");
        }
        if strategy.get("rollingUpdate").is_some_and(Value::is_object) {
            rolling(strategy, &[("partition", json!(0))]);
        }
    }
    if let Some(policy) = made(spec, "persistentVolumeClaimRetentionPolicy") {
        set(policy, "whenDeleted", "Retain");
        set(policy, "whenScaled", "Retain");
    }
    set(spec, "replicas", 1);
    set(spec, "revisionHistoryLimit", 10);
    for of in each(spec, "volumeClaimTemplates") {
        set(of, "apiVersion", "v1");
        set(of, "kind", "PersistentVolumeClaim");
        if let Some(spec) = made(of, "spec") {
            claim(spec);
        }
        if let Some(status) = made(of, "status") {
            set(status, "phase", "Pending");
        }
    }
    template(spec);
}

fn claim(spec: &mut Map<String, Value>) {
    set(spec, "volumeMode", "Filesystem");
    made(spec, "resources");
}

fn job(spec: &mut Map<String, Value>) {
    if missing(spec, "completions") && missing(spec, "parallelism") {
        set(spec, "completions", 1);
    }
    set(spec, "parallelism", 1);
    let per_index = !missing(spec, "backoffLimitPerIndex");
    set(spec, "backoffLimit", if per_index { i32::MAX } else { 6 });
    set(spec, "completionMode", "NonIndexed");
    set(spec, "suspend", false);
    let failing = !missing(spec, "podFailurePolicy");
    set(spec, "podReplacementPolicy", if failing { "Failed" } else { "TerminatingOrFailed" });
    set(spec, "manualSelector", false);
    failures(spec);
    template(spec);
}

fn failures(job: &mut Map<String, Value>) {
    let Some(policy) = inner(job, "podFailurePolicy") else { return };
    for rule in each(policy, "rules") {
        for condition in each(rule, "onPodConditions") {
            set(condition, "status", "True");
        }
    }
}

/// The Job of a CronJob is filled in when it is made; its Pods are here.
fn cron_job(spec: &mut Map<String, Value>) {
    set(spec, "concurrencyPolicy", "Allow");
    set(spec, "suspend", false);
    set(spec, "successfulJobsHistoryLimit", 3);
    set(spec, "failedJobsHistoryLimit", 1);
    let Some(of) = made(spec, "jobTemplate") else { return };
    made(of, "metadata");
    if let Some(job) = made(of, "spec") {
        failures(job);
        template(job);
    }
}

fn service(spec: &mut Map<String, Value>) {
    set(spec, "sessionAffinity", "None");
    if spec.get("sessionAffinity").is_some_and(|affinity| affinity == "ClientIP")
        && let Some(of) = made(spec, "sessionAffinityConfig").and_then(|config| made(config, "clientIP"))
    {
        set(of, "timeoutSeconds", 10_800);
    }
    set(spec, "type", "ClusterIP");
    for port in each(spec, "ports") {
        set(port, "protocol", "TCP");
        let same = missing(port, "targetPort") || port.get("targetPort").is_some_and(|target| *target == json!(0));
        if let Some(number) = port.get("port").cloned().filter(|_| same) {
            port.insert("targetPort".to_owned(), number);
        }
    }
    let of = spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let has_addresses =
        spec.get("externalIPs").and_then(Value::as_array).is_some_and(|addresses| !addresses.is_empty());
    if matches!(of.as_str(), "NodePort" | "LoadBalancer") || of == "ClusterIP" && has_addresses {
        set(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(of.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        set(spec, "internalTrafficPolicy", "Cluster");
    }
    if of == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", true);
    }
}

fn autoscaler(spec: &mut Map<String, Value>) {
    set(spec, "minReplicas", 1);
    if spec.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        spec.insert("metrics".to_owned(), json!([metric]));
    }
    let Some(behavior) = inner(spec, "behavior") else { return };
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    if let Some(up) = made(behavior, "scaleUp") {
        set(up, "stabilizationWindowSeconds", 0);
        set(up, "selectPolicy", "Max");
        set(up, "policies", json!([{"type": "Pods", "value": 4, "periodSeconds": 15}, percent]));
    }
    if let Some(down) = made(behavior, "scaleDown") {
        set(down, "selectPolicy", "Max");
        set(down, "policies", json!([percent]));
    }
}

fn network_policy(spec: &mut Map<String, Value>) {
    let has = |spec: &Map<String, Value>, field: &str| {
        spec.get(field).and_then(Value::as_array).is_some_and(|items| !items.is_empty())
    };
    if !has(spec, "policyTypes") {
        let types = if has(spec, "egress") { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
        spec.insert("policyTypes".to_owned(), types);
    }
    for rules in ["ingress", "egress"] {
        for rule in each(spec, rules) {
            each(rule, "ports").for_each(|port| set(port, "protocol", "TCP"));
        }
    }
}

#[cfg(test)]
mod tests;
