//! What waits between phases ask: is the definition served, did the Job end, does a webhook answer.

use serde_json::Value;

use super::read::{condition, list, text};

/// Whether the API server serves the kind of a CustomResourceDefinition. Discovery may need a
/// moment more, so the caller still treats a 404 as "not yet".
pub fn is_established(definition: &Value) -> bool {
    condition(definition, "Established").is_some_and(|c| c.is_true())
        && condition(definition, "NamesAccepted").is_none_or(|c| c.is_true())
}

/// How a Job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// It has not ended.
    Running,
    /// It waits on purpose.
    Suspended,
    /// It ended well.
    Complete,
    /// It ended badly.
    Failed {
        /// The Job controller's reason, such as `BackoffLimitExceeded`.
        reason: String,
        /// Its message; may be empty.
        message: String,
    },
}

/// How a Job stands. Only its final conditions count as an end: `SuccessCriteriaMet` and
/// `FailureTarget` precede the end of its Pods.
pub fn job_outcome(job: &Value) -> JobOutcome {
    let holds = |type_| condition(job, type_).filter(|c| c.is_true());
    if holds("Complete").is_some() {
        return JobOutcome::Complete;
    }
    if let Some(seen) = holds("Failed") {
        let reason = if seen.reason.is_empty() { "JobFailed" } else { seen.reason };
        return JobOutcome::Failed { reason: reason.to_owned(), message: seen.message.to_owned() };
    }
    let suspended = job.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true);
    if suspended || holds("Suspended").is_some() { JobOutcome::Suspended } else { JobOutcome::Running }
}

/// Services, as (namespace, name), that a webhook configuration calls, without repetition; of a
/// CustomResourceDefinition, the one that converts it. Webhooks that are called by URL name none.
pub fn webhook_services(configuration: &Value) -> Vec<(String, String)> {
    let clients = list(configuration, "/webhooks").iter().filter_map(|w| w.pointer("/clientConfig/service"));
    let converter = configuration.pointer("/spec/conversion/webhook/clientConfig/service");
    let mut found: Vec<_> = clients
        .chain(converter)
        .map(|service| (text(service, "/namespace").to_owned(), text(service, "/name").to_owned()))
        .filter(|(_, name)| !name.is_empty())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Whether one of a Service's EndpointSlices has an address that takes traffic.
pub fn has_ready_endpoint(slices: &[Value]) -> bool {
    slices.iter().flat_map(|slice| list(slice, "/endpoints")).any(|endpoint| {
        // An absent `ready` means that it is.
        let ready = endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true);
        ready && !list(endpoint, "/addresses").is_empty()
    })
}

/// Name of the webhook that did not answer, where an error of the API server says so.
pub fn failing_webhook(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("failed calling webhook \"")?;
    rest.split_once('"').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_is_established_only_with_its_names() {
        let crd = |names: &str, established: &str| {
            json!({"status": {"conditions": [
                {"type": "NamesAccepted", "status": names}, {"type": "Established", "status": established}]}})
        };
        assert!(is_established(&crd("True", "True")));
        assert!(!is_established(&crd("False", "True")));
        assert!(!is_established(&crd("True", "False")));
        assert!(!is_established(&json!({})));
    }

    #[test]
    fn a_job_ends_with_its_final_condition() {
        let job = |type_: &str, reason: &str| json!({"status": {"conditions": [{"type": type_, "status": "True", "reason": reason, "message": "m"}]}});
        let failed = JobOutcome::Failed { reason: "BackoffLimitExceeded".into(), message: "m".into() };
        for (job, expected) in [
            (json!({}), JobOutcome::Running),
            (json!({"spec": {"suspend": true}}), JobOutcome::Suspended),
            (job("Suspended", "JobSuspended"), JobOutcome::Suspended),
            (job("SuccessCriteriaMet", ""), JobOutcome::Running),
            (job("FailureTarget", "BackoffLimitExceeded"), JobOutcome::Running),
            (job("Complete", ""), JobOutcome::Complete),
            (job("Failed", "BackoffLimitExceeded"), failed),
        ] {
            assert_eq!(job_outcome(&job), expected, "{job}");
        }
    }

    #[test]
    fn webhooks_name_their_services_and_a_ready_endpoint_answers() {
        let configuration = json!({"webhooks": [
            {"clientConfig": {"service": {"namespace": "a", "name": "hook"}}},
            {"clientConfig": {"service": {"namespace": "a", "name": "hook"}}},
            {"clientConfig": {"url": "https://example.com"}}]});
        assert_eq!(webhook_services(&configuration), [("a".to_owned(), "hook".to_owned())]);
        let crd = json!({"spec": {"conversion": {"webhook": {"clientConfig": {"service": {"namespace": "b", "name": "c"}}}}}});
        assert_eq!(webhook_services(&crd), [("b".to_owned(), "c".to_owned())]);

        let slice = |conditions: Value| json!({"endpoints": [{"addresses": ["10.0.0.1"], "conditions": conditions}]});
        assert!(has_ready_endpoint(&[slice(json!({"ready": true}))]));
        assert!(has_ready_endpoint(&[slice(json!({}))]));
        assert!(!has_ready_endpoint(&[slice(json!({"ready": false}))]));
        assert!(!has_ready_endpoint(&[json!({"endpoints": [{"addresses": []}]}), json!({})]));
    }

    #[test]
    fn a_webhook_that_does_not_answer_is_named() {
        let message = "Internal error occurred: failed calling webhook \"check.shop.io\": connection refused";
        assert_eq!(failing_webhook(message), Some("check.shop.io"));
        assert_eq!(failing_webhook("admission webhook \"check.shop.io\" denied the request"), None);
    }
}
