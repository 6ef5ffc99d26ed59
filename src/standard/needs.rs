//! What a judgement needs beside the object: asked first, so that nothing is read in vain.

use super::compile::Policy;
use super::form::{MatchResources, Rule, Selector};
use super::matching::{Matched, but_version, matches, of_object};
use super::{Operation, Review, Standard, filled};

impl Standard {
    /// Whether what is said of an object may depend on how it is: where a policy that speaks of it names `oldObject`, or
    /// replicas that a change leaves to others, or selects by labels that the object will not have. `old` of the review counts for nothing.
    pub fn needs_old(&self, review: &Review<'_>) -> bool {
        let review = Review { old: None, shown: None, ..*review };
        self.policies.iter().any(|policy| {
            let by = |resources: &MatchResources| rules_speak(resources, &review);
            if !by(&policy.constraints) {
                return false;
            }
            let mut bindings = self.bindings.iter().filter(|binding| binding.spec.policy_name == policy.name);
            bindings.any(|binding| {
                let resources = binding.spec.match_resources.as_ref();
                let hidden = |resources: &MatchResources| {
                    resources.object_selector.as_ref().is_some_and(|selector| !of_object(selector, &review))
                };
                resources.is_none_or(by)
                    && (policy.reads_old
                        || policy.reads_replicas && filled::leaves_to_others(&review)
                        || review.operation == Operation::Delete
                        || hidden(&policy.constraints)
                        || resources.is_some_and(hidden))
            })
        })
    }

    /// Whether another operation on the same object is spoken of by other policies.
    pub fn tells_apart(&self, review: &Review<'_>, other: Operation) -> bool {
        let other = Review { operation: other, ..*review };
        self.policies.iter().any(|policy| self.speaks(policy, review) != self.speaks(policy, &other))
    }

    /// Whether what is said may depend on labels, or anything else, of Namespaces.
    pub fn needs_namespaces(&self) -> bool {
        let selects = |resources: &MatchResources| {
            resources.namespace_selector.as_ref().is_some_and(|selector| !Selector::is_everything(selector))
        };
        self.policies.iter().any(|policy| policy.reads_namespace || selects(&policy.constraints))
            || self.bindings.iter().any(|binding| binding.spec.match_resources.as_ref().is_some_and(selects))
    }

    fn speaks(&self, policy: &Policy, review: &Review<'_>) -> bool {
        let bound = |resources: &Option<MatchResources>| {
            resources.as_ref().is_none_or(|resources| matches(resources, review, Matched::Yes) != Matched::No)
        };
        let mut bindings = self.bindings.iter().filter(|binding| binding.spec.policy_name == policy.name);
        matches(&policy.constraints, review, Matched::No) != Matched::No
            && bindings.any(|binding| bound(&binding.spec.match_resources))
    }
}

/// Whether the rules speak of an object, whatever its labels and those of its Namespace are.
fn rules_speak(resources: &MatchResources, review: &Review<'_>) -> bool {
    let any = |rules: &[Rule]| rules.iter().any(|rule| but_version(rule, review));
    resources.resource_rules.is_empty() || any(&resources.resource_rules)
}
