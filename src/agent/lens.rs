//! How a Sync looks at its objects: what it leaves to others, and what health means to it.

use crate::api::SyncSpec;
use crate::health::{Expressions, Rule};
use crate::object::Problem;
use crate::object::fields::{IgnoreRule, Managers};

/// How a Sync looks at its objects.
#[derive(Debug, Default)]
pub struct Lens {
    /// What health means for kinds that do not say it.
    pub expressions: Expressions,
    /// Fields that are left to others.
    pub ignore: Vec<IgnoreRule>,
    /// Whose entries are moved into ours, and whose additions are drift.
    pub managers: Managers,
}

impl Lens {
    /// The lens of a spec, and what is wrong with it.
    pub fn of(spec: &SyncSpec) -> (Self, Vec<Problem>) {
        let rules: Vec<Rule> = spec.health.iter().map(Rule::from).collect();
        let (expressions, mut problems) = Expressions::compile(&rules);
        let mut ignore = Vec::new();
        for rule in &spec.ignore {
            let (rule, wrong) = rule.read();
            ignore.push(rule);
            problems.extend(wrong);
        }
        let managers = Managers::default().and_deployers(&spec.adopt_managers);
        (Self { expressions, ignore, managers }, problems)
    }
}
