//! Which kinds a standard speaks of where objects are there already.

use std::collections::BTreeSet;

use super::Standard;
use super::form::{MatchPolicy, Rule};

impl Standard {
    /// The versions of a resource in which policies judge a change of its objects, of those that are served, the
    /// preferred one first. None where no policy does.
    pub fn versions<'a>(&self, group: &str, resource: &str, served: &[&'a str]) -> BTreeSet<&'a str> {
        let mut versions = BTreeSet::new();
        let bound = |name: &str| self.bindings.iter().any(|binding| binding.spec.policy_name == name);
        for policy in self.policies.iter().filter(|policy| bound(&policy.name)) {
            let constraints = &policy.constraints;
            for rule in constraints.resource_rules.iter().filter(|rule| speaks(rule, group, resource)) {
                let any = rule.api_versions.iter().any(|version| version == "*");
                let named =
                    served.iter().find(|version| any || rule.api_versions.iter().any(|named| named == *version));
                let equivalent = served.first().filter(|_| constraints.match_policy == MatchPolicy::Equivalent);
                versions.extend(named.or(equivalent));
            }
        }
        versions
    }
}

fn speaks(rule: &Rule, group: &str, resource: &str) -> bool {
    let has = |names: &[String], wanted: &str| names.iter().any(|name| name == "*" || name == wanted);
    let resources = rule.resources.iter().any(|named| {
        let (named, sub) = named.split_once('/').unwrap_or((named, ""));
        (named == "*" || named == resource) && matches!(sub, "" | "*")
    });
    resources && has(&rule.api_groups, group) && has(&rule.operations, "UPDATE")
}
