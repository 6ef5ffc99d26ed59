//! What a policy cannot see: whether what an object says of others is there. An API server judges one object at a time, so
//! a workload names its budget and its monitor in annotations, and policies ask for these; over all objects of a render
//! it can be said whether the named ones exist, and select its Pods.
//!
//! A policy asks for it by its annotation `tandemcd.io/coverage`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::form::Selector;
use super::judge::actions;
use super::matching::{Matched, matches, selects};
use super::{Finding, Review, Standard, Verdict, Waiver};
use crate::object::{Manifest, Problem};

/// Annotation of a policy: what its objects name has to be there.
const COVERAGE: &str = "tandemcd.io/coverage";

/// What is looked for among the other objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    DisruptionBudget,
    Monitor,
}

impl Rule {
    const ALL: [(&str, Self); 2] = [("disruption-budget", Self::DisruptionBudget), ("monitor", Self::Monitor)];

    /// The annotation that names it.
    fn annotation(self) -> &'static str {
        match self {
            Self::DisruptionBudget => "tandemcd.io/disruption-budget",
            Self::Monitor => "tandemcd.io/monitor",
        }
    }
}

/// Which policies look beyond one object, and for what.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<String, Rule>);

/// Something that an object names and that is not there, or does not fit.
#[derive(Clone, Debug)]
pub struct Uncovered {
    /// Which object of the set.
    pub at: usize,
    /// JSON pointer to what names it.
    pub pointer: String,
    /// Of the policy that asks for it.
    pub verdict: Verdict,
}

impl Coverage {
    /// What the policies among manifests ask for, and annotations that cannot be meant so.
    pub fn read(manifests: &[Manifest]) -> (Self, Vec<Problem>) {
        let (mut rules, mut problems) = (BTreeMap::new(), Vec::new());
        for policy in manifests.iter().filter(|manifest| manifest.id.kind == "ValidatingAdmissionPolicy") {
            let Some(written) = policy.annotation(COVERAGE) else { continue };
            match Rule::ALL.iter().find(|(name, _)| *name == written) {
                Some((_, rule)) => drop(rules.insert(policy.id.name.clone(), *rule)),
                None => {
                    let message = format!("the annotation {COVERAGE} is {written:?}, which nothing looks for");
                    let known = Rule::ALL.map(|(name, _)| name).join(" and ");
                    let problem = Problem::new("InvalidPolicy", message).hint(format!("there are {known}"));
                    problems.push(problem.at(&policy.origin).of(&policy.id));
                }
            }
        }
        (Self(rules), problems)
    }

    /// Whether no policy asks for anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Standard {
    /// What objects of a set name and is not in the set, as their policies ask.
    pub fn uncovered(&self, coverage: &Coverage, set: &[Review<'_>]) -> Vec<Uncovered> {
        let mut found = Vec::new();
        for (at, review) in set.iter().enumerate() {
            for (policy, rule) in &coverage.0 {
                let annotation = rule.annotation();
                let named =
                    review.object.and_then(|object| object.pointer("/metadata/annotations")?.get(annotation)?.as_str());
                let Some(named) = named.filter(|named| !named.is_empty()) else { continue };
                let Some(message) = missing(*rule, named, review, set) else { continue };
                let pointer = format!("/metadata/annotations/{}", annotation.replace('/', "~1"));
                let verdicts = self.of_bindings(policy, review, &message);
                found.extend(verdicts.map(|verdict| Uncovered { at, pointer: pointer.clone(), verdict }));
            }
        }
        found
    }

    /// The verdict of each binding through which a policy speaks of an object.
    fn of_bindings<'a>(
        &'a self,
        policy: &'a str,
        review: &'a Review<'_>,
        message: &'a str,
    ) -> impl Iterator<Item = Verdict> + 'a {
        let speaks = self
            .policies
            .iter()
            .any(|known| known.name == policy && matches(&known.constraints, review, Matched::No) != Matched::No);
        let bindings = self.bindings.iter().filter(move |binding| speaks && binding.spec.policy_name == policy);
        let bound = bindings.filter(move |binding| {
            let resources = binding.spec.match_resources.as_ref();
            resources.is_none_or(|resources| matches(resources, review, Matched::Yes) != Matched::No)
        });
        let waivers = || self.waivers.iter().filter(|waiver| waiver.covers(policy, review));
        let waived = waivers().find(|waiver| !waiver.is_expired(review.now)).map(|waiver| waiver.name.clone());
        let expired = waivers().find(|waiver| waiver.is_expired(review.now)).map(Waiver::ended);
        let expired = expired.filter(|_| waived.is_none());
        bound.map(move |binding| Verdict {
            policy: policy.to_owned(),
            binding: Some(binding.name.clone()),
            actions: actions(&binding.spec.validation_actions),
            finding: Finding::Refused { message: message.to_owned(), reason: "Invalid".to_owned(), validation: None },
            waived: waived.clone(),
            expired: expired.clone(),
        })
    }
}

/// Why what is named does not cover an object; `None` where it does.
fn missing(rule: Rule, named: &str, review: &Review<'_>, set: &[Review<'_>]) -> Option<String> {
    let pods = review.object?.pointer("/spec/template/metadata/labels");
    match rule {
        Rule::DisruptionBudget => {
            let of_namespace = |one: &&Review<'_>| {
                (one.id.group.as_str(), one.id.kind.as_str()) == ("policy", "PodDisruptionBudget")
                    && (&one.id.namespace, one.id.name.as_str()) == (&review.id.namespace, named)
            };
            let Some(budget) = set.iter().find(of_namespace) else {
                return Some(format!("names the PodDisruptionBudget {named}, which nothing here deploys"));
            };
            let fits = picks(budget.object, "/spec/selector", pods);
            (!fits).then(|| format!("names the PodDisruptionBudget {named}, which does not select its Pods"))
        }
        Rule::Monitor => {
            let mut monitors = set.iter().filter(|one| is_monitor(one) && one.id.name == named).peekable();
            if monitors.peek().is_none() {
                return Some(format!("names the monitor {named}, which nothing here deploys"));
            }
            let fits = monitors.any(|monitor| scrapes(monitor, review, pods, set));
            (!fits).then(|| format!("names the monitor {named}, which does not select its Pods"))
        }
    }
}

const MONITORS: [(&str, &str); 4] = [
    ("monitoring.coreos.com", "PodMonitor"),
    ("monitoring.coreos.com", "ServiceMonitor"),
    ("operator.victoriametrics.com", "VMPodScrape"),
    ("operator.victoriametrics.com", "VMServiceScrape"),
];

fn is_monitor(review: &Review<'_>) -> bool {
    MONITORS.contains(&(review.id.group.as_str(), review.id.kind.as_str()))
}

/// Whether a monitor selects the Pods, or a Service before them.
fn scrapes(monitor: &Review<'_>, review: &Review<'_>, pods: Option<&Value>, set: &[Review<'_>]) -> bool {
    let spec = |pointer: &str| monitor.object.and_then(|object| object.pointer(pointer));
    let namespace = &review.id.namespace;
    let names = spec("/spec/namespaceSelector/matchNames").and_then(Value::as_array);
    let looks_there = spec("/spec/namespaceSelector/any") == Some(&Value::Bool(true))
        || match names {
            Some(names) => names.iter().any(|name| name == namespace),
            None => monitor.id.namespace == *namespace,
        };
    if !looks_there {
        return false;
    }
    if !monitor.id.kind.contains("Service") {
        return picks(monitor.object, "/spec/selector", pods);
    }
    set.iter().any(|service| {
        let labels = service.object.and_then(|object| object.pointer("/metadata/labels"));
        let chosen = service.object.and_then(|object| object.pointer("/spec/selector")?.as_object());
        (service.id.group.as_str(), service.id.kind.as_str()) == ("", "Service")
            && service.id.namespace == *namespace
            && picks(monitor.object, "/spec/selector", labels)
            && chosen.is_some_and(|chosen| {
                !chosen.is_empty()
                    && chosen.iter().all(|(key, value)| pods.and_then(|pods| pods.get(key)) == Some(value))
            })
    })
}

/// Whether the label selector at a pointer fits labels. One that is not there fits nothing.
fn picks(object: Option<&Value>, pointer: &str, labels: Option<&Value>) -> bool {
    let selector = object.and_then(|object| object.pointer(pointer)).cloned();
    selector.and_then(|selector| serde_json::from_value::<Selector>(selector).ok()).is_some_and(|s| selects(&s, labels))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::object::{ObjectId, Origin, split_api_version, yaml};
    use crate::standard::Operation;

    fn manifests(text: &str) -> Vec<Manifest> {
        let (documents, problems) = yaml::read("a.yaml", text.as_bytes(), &yaml::Limits::default());
        assert_eq!(problems, []);
        let read = documents.into_iter().map(|document| {
            let text =
                |pointer: &str| document.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let api_version = text("/apiVersion");
            let group = split_api_version(&api_version).0.to_owned();
            let id = ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), group, text("/kind"));
            let origin = Origin { file: "a.yaml".into(), line: document.line, document: 1 };
            Manifest::new(origin, id, api_version, document.value)
        });
        read.collect()
    }

    const STANDARD: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: budgets, annotations: {tandemcd.io/coverage: disruption-budget}}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]}
  validations: [{expression: 'true'}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: monitors, annotations: {tandemcd.io/coverage: monitor}}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]}
  validations: [{expression: 'true'}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: budgets}
spec: {policyName: budgets, validationActions: [Deny]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: monitors}
spec: {policyName: monitors, validationActions: [Warn]}
";

    const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, annotations: {tandemcd.io/disruption-budget: web, tandemcd.io/monitor: web}}
spec: {template: {metadata: {labels: {app: web, tier: front}}}}
";

    fn told(others: &str) -> Vec<String> {
        let standard = manifests(STANDARD);
        let (coverage, problems) = Coverage::read(&standard);
        assert_eq!(problems, []);
        let standard = Standard::load(&standard, Timestamp::UNIX_EPOCH).standard;
        let set = manifests(&format!("{WEB}---{others}"));
        let user = Value::Null;
        let reviews: Vec<Review<'_>> = set
            .iter()
            .map(|one| Review {
                id: &one.id,
                api_version: &one.api_version,
                resource: if one.id.kind == "Deployment" { "deployments" } else { "others" },
                operation: Operation::Create,
                object: Some(&one.body),
                old: None,
                shown: None,
                namespace: None,
                user: &user,
                dry_run: false,
                now: Timestamp::UNIX_EPOCH,
            })
            .collect();
        let found = standard.uncovered(&coverage, &reviews);
        found.into_iter().map(|one| format!("{} {}: {}", one.at, one.pointer, one.verdict.told())).collect()
    }

    #[test]
    fn what_is_named_has_to_be_there_and_to_fit() {
        const BUDGET: &str = "0 /metadata/annotations/tandemcd.io~1disruption-budget: ValidatingAdmissionPolicy 'budgets' with binding 'budgets' denied request: names the PodDisruptionBudget web, which ";
        const MONITOR: &str = "0 /metadata/annotations/tandemcd.io~1monitor: ValidatingAdmissionPolicy 'monitors' with binding 'monitors' denied request: names the monitor web, which ";
        let budget = |selector: &str, namespace: &str| {
            format!(
                "\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: web, namespace: {namespace}}}\nspec: {selector}\n---"
            )
        };
        let pods = |selector: &str| {
            format!(
                "\napiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {{name: web, namespace: shop}}\nspec: {{selector: {selector}}}\n---"
            )
        };
        let service = |monitor: &str, selector: &str| {
            format!(
                "\napiVersion: operator.victoriametrics.com/v1beta1\nkind: VMServiceScrape\nmetadata: {{name: web, namespace: monitoring}}\nspec: {{selector: {{matchLabels: {{app: web}}}}, namespaceSelector: {monitor}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: shop, labels: {{app: web}}}}\nspec: {{selector: {selector}}}\n---"
            )
        };
        let fits = "{selector: {matchLabels: {app: web}}}";
        for (others, expected) in [
            (String::new(), vec![format!("{BUDGET}nothing here deploys"), format!("{MONITOR}nothing here deploys")]),
            (budget(fits, "shop") + &pods("{matchExpressions: [{key: tier, operator: Exists}]}"), vec![]),
            (budget(fits, "other") + &pods("{}"), vec![format!("{BUDGET}nothing here deploys")]),
            (
                budget("{selector: {matchLabels: {app: api}}}", "shop") + &pods("{matchLabels: {app: api}}"),
                vec![format!("{BUDGET}does not select its Pods"), format!("{MONITOR}does not select its Pods")],
            ),
            (budget("{}", "shop") + &pods("{}"), vec![format!("{BUDGET}does not select its Pods")]),
            (budget(fits, "shop") + &service("{matchNames: [shop]}", "{app: web}"), vec![]),
            (budget(fits, "shop") + &service("{any: true}", "{app: web}"), vec![]),
            (budget(fits, "shop") + &service("{}", "{app: web}"), vec![format!("{MONITOR}does not select its Pods")]),
            (
                budget(fits, "shop") + &service("{any: true}", "{app: api}"),
                vec![format!("{MONITOR}does not select its Pods")],
            ),
        ] {
            assert_eq!(told(&others), expected, "{others}");
        }
    }

    #[test]
    fn a_coverage_that_nothing_looks_for_is_told() {
        let (coverage, problems) =
            Coverage::read(&manifests(&STANDARD.replace("coverage: monitor", "coverage: monitors")));
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].hint.as_deref(), Some("there are disruption-budget and monitor"));
        assert!(!coverage.is_empty());
    }
}
