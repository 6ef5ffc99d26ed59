//! How a Sync looks at its objects: what it leaves to others, and what health means to it.

use std::sync::{Arc, LazyLock};

use crate::api::SyncSpec;
use crate::health::{Expressions, Rule};
use crate::object::fields::{IgnoreRule, Managers, Pointer};
use crate::object::{Problem, split_api_version};

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

/// The lens of every Sync that says nothing of its own.
static PLAIN: LazyLock<Arc<Lens>> = LazyLock::new(Arc::default);

impl Lens {
    /// The lens of a spec, and what is wrong with it.
    pub fn of(spec: &SyncSpec) -> (Arc<Self>, Vec<Problem>) {
        if spec.health.is_empty() && spec.ignore.is_empty() && spec.adopt_managers.is_empty() {
            return (PLAIN.clone(), Vec::new());
        }
        let rules: Vec<Rule> = spec
            .health
            .iter()
            .map(|rule| Rule {
                group: split_api_version(&rule.api_version).0.to_owned(),
                kind: rule.kind.clone(),
                current: rule.current.clone(),
                failed: rule.failed.clone(),
                in_progress: rule.in_progress.clone(),
            })
            .collect();
        let (expressions, mut problems) = Expressions::compile(&rules);
        let mut ignore = Vec::new();
        for rule in &spec.ignore {
            let target = rule.target.clone().unwrap_or_default();
            let mut paths = Vec::new();
            for path in &rule.paths {
                match Pointer::parse(path) {
                    Ok(pointer) => paths.push(pointer),
                    Err(problem) => problems.push(problem),
                }
            }
            ignore.push(IgnoreRule {
                group: target.group,
                kind: target.kind,
                namespace: target.namespace,
                name: target.name,
                paths,
            });
        }
        let managers = Managers::default().and_deployers(&spec.adopt_managers);
        (Arc::new(Self { expressions, ignore, managers }), problems)
    }
}
