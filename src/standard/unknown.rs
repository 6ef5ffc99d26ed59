//! What a standard would say where little is known of a Namespace.
//!
//! A selector that leaves Namespaces out (`NotIn`, `DoesNotExist`) is read as if its labels were not there: most
//! Namespaces are no exception. One that picks Namespaces (`matchLabels`, `In`, `Exists`) may speak of any, so there are
//! labels to judge with that it would pick.

use std::collections::BTreeMap;

use super::Standard;
use super::form::{MatchResources, Operator};

/// The label that every Namespace has: its own name.
pub const NAME: &str = "kubernetes.io/metadata.name";

/// What is not known of the Namespace that an object goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Its labels, but for its name.
    Labels,
    /// Its name as well.
    Name,
}

impl Standard {
    /// Labels of Namespaces that policies and bindings pick, each set once.
    pub fn picked_namespaces(&self) -> Vec<BTreeMap<String, String>> {
        let mut sets: Vec<BTreeMap<String, String>> = Vec::new();
        for binding in &self.bindings {
            for policy in self.policies.iter().filter(|policy| policy.name == binding.spec.policy_name) {
                let mut labels = BTreeMap::new();
                pick(&policy.constraints, &mut labels);
                binding.spec.match_resources.iter().for_each(|resources| pick(resources, &mut labels));
                if !labels.is_empty() && !sets.contains(&labels) {
                    sets.push(labels);
                }
            }
        }
        sets
    }

    /// Whether what a policy says of an object that it speaks of depends on what is not known.
    pub fn depends(&self, policy: &str, on: Unknown) -> bool {
        let word = match on {
            Unknown::Labels => "namespaceObject",
            Unknown::Name => "amespace",
        };
        let of_policy = self.policies.iter().filter(|known| known.name == policy);
        let mentioned = of_policy.into_iter().any(|policy| {
            let validations = policy.validations.iter().map(|validation| &validation.expression);
            let variables = policy.variables.iter().map(|(_, variable)| variable);
            let all = validations
                .chain(variables)
                .chain(&policy.conditions)
                .chain(policy.annotations.iter().map(|(_, of)| of));
            all.into_iter().any(|expression| expression.source.contains(word))
        });
        let mut references = self.bindings.iter().filter(|binding| binding.spec.policy_name == policy);
        mentioned
            || on == Unknown::Name
                && references.any(|binding| {
                    binding.spec.param_ref.as_ref().is_some_and(|reference| reference.namespace.is_empty())
                })
    }
}

/// Adds labels that a selector picks.
fn pick(resources: &MatchResources, labels: &mut BTreeMap<String, String>) {
    let Some(selector) = &resources.namespace_selector else { return };
    let exact = selector.match_labels.iter().map(|(key, value)| (key, value.as_str()));
    let of = selector.match_expressions.iter().filter_map(|requirement| match requirement.operator {
        Operator::In => Some((&requirement.key, requirement.values.first()?.as_str())),
        Operator::Exists => Some((&requirement.key, "")),
        Operator::NotIn | Operator::DoesNotExist => None,
    });
    labels.extend(exact.chain(of).map(|(key, value)| (key.clone(), value.to_owned())));
}
