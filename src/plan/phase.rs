//! When an object is applied.

use serde::{Deserialize, Serialize};

use crate::object::{Manifest, ObjectId, Problem, annotation};

/// When an object is applied; each phase ends before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Namespaces.
    Namespaces,
    /// Definitions of kinds; the phase ends when they are established.
    Definitions,
    /// StorageClass, IngressClass and the like.
    Classes,
    /// Accounts, rights, quotas, configuration, claims.
    Config,
    /// Jobs that complete before the workloads.
    Before,
    /// Workloads, services, and every built-in kind not named elsewhere.
    Workloads,
    /// Objects of kinds that are not built in.
    CustomResources,
    /// Webhooks, admission policies and aggregated APIs, which could refuse the rest.
    Webhooks,
    /// Jobs that run once the workloads are healthy.
    After,
}

/// Groups whose kinds every API server has. Others that end in `.k8s.io` are custom.
const BUILT_IN: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Whether every API server has the group.
pub(super) fn is_built_in(group: &str) -> bool {
    BUILT_IN.contains(&group)
}

/// The phase of a kind.
pub fn phase_of_kind(id: &ObjectId) -> Phase {
    match (id.group.as_str(), id.kind.as_str()) {
        ("", "Namespace") => Phase::Namespaces,
        ("apiextensions.k8s.io", _) => Phase::Definitions,
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => Phase::Webhooks,
        (_, kind) if kind.ends_with("Class") => Phase::Classes,
        (
            "",
            "ServiceAccount"
            | "ConfigMap"
            | "Secret"
            | "ResourceQuota"
            | "LimitRange"
            | "PersistentVolume"
            | "PersistentVolumeClaim",
        )
        | ("rbac.authorization.k8s.io" | "flowcontrol.apiserver.k8s.io", _)
        | ("networking.k8s.io", "NetworkPolicy") => Phase::Config,
        (group, _) if is_built_in(group) => Phase::Workloads,
        _ => Phase::CustomResources,
    }
}

/// The phase of a manifest: that of its kind, or for a Job what its annotation says. A problem
/// `InvalidAnnotation` where the annotation stands on something else or says something else.
pub(super) fn phase_of(manifest: &Manifest) -> Result<Phase, Problem> {
    let kind = phase_of_kind(&manifest.id);
    let Some(said) = manifest.annotation(annotation::PHASE) else { return Ok(kind) };
    let job = super::make::is_job(&manifest.id);
    match said {
        "before" if job => Ok(Phase::Before),
        "after" if job => Ok(Phase::After),
        _ => {
            let what = if job {
                format!("{said:?} is neither \"before\" nor \"after\"")
            } else {
                "only a Job has a phase".to_owned()
            };
            Err(Problem::new("InvalidAnnotation", format!("{}: {what}", annotation::PHASE))
                .at(&manifest.origin)
                .of(&manifest.id))
        }
    }
}

/// The place of a Job among those of its phase. A problem `InvalidAnnotation` where the annotation
/// stands on something that has no phase of its own, or is no whole number.
pub(super) fn order_of(manifest: &Manifest) -> Result<i32, Problem> {
    let Some(said) = manifest.annotation(annotation::ORDER) else { return Ok(0) };
    let what = match said.trim().parse() {
        Ok(order) if manifest.annotation(annotation::PHASE).is_some() => return Ok(order),
        Ok(_) => format!("only a Job with {} has a place among others", annotation::PHASE),
        Err(_) => format!("{said:?} is no whole number"),
    };
    Err(Problem::new("InvalidAnnotation", format!("{}: {what}", annotation::ORDER))
        .at(&manifest.origin)
        .of(&manifest.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_whole_number_of_a_job_with_a_phase() {
        let of = |annotations: &str| {
            let text =
                format!("apiVersion: batch/v1\nkind: Job\nmetadata: {{name: a, annotations: {{{annotations}}}}}\n");
            order_of(&crate::plan::tests::manifest(&text)).map_err(|problem| problem.message)
        };
        assert_eq!(of(""), Ok(0));
        assert_eq!(of("tandemcd.io/phase: before, tandemcd.io/order: '-3'"), Ok(-3));
        for (annotations, told) in [
            ("tandemcd.io/phase: before, tandemcd.io/order: first", "tandemcd.io/order: \"first\" is no whole number"),
            ("tandemcd.io/order: '1'", "tandemcd.io/order: only a Job with tandemcd.io/phase has a place among others"),
        ] {
            assert_eq!(of(annotations), Err(told.to_owned()), "{annotations}");
        }
    }

    #[test]
    fn kinds_have_their_phases() {
        for (group, kind, phase) in [
            ("", "Namespace", Phase::Namespaces),
            ("apiextensions.k8s.io", "CustomResourceDefinition", Phase::Definitions),
            ("storage.k8s.io", "StorageClass", Phase::Classes),
            ("gateway.networking.k8s.io", "GatewayClass", Phase::Classes),
            ("scheduling.k8s.io", "PriorityClass", Phase::Classes),
            ("rbac.authorization.k8s.io", "ClusterRoleBinding", Phase::Config),
            ("", "Secret", Phase::Config),
            ("networking.k8s.io", "NetworkPolicy", Phase::Config),
            ("apps", "Deployment", Phase::Workloads),
            ("batch", "Job", Phase::Workloads),
            ("networking.k8s.io", "Ingress", Phase::Workloads),
            ("gateway.networking.k8s.io", "HTTPRoute", Phase::CustomResources),
            ("tandemcd.io", "Sync", Phase::CustomResources),
            ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", Phase::Webhooks),
            ("apiregistration.k8s.io", "APIService", Phase::Webhooks),
        ] {
            assert_eq!(phase_of_kind(&ObjectId::new("", "x", group, kind)), phase, "{kind}");
        }
    }
}
