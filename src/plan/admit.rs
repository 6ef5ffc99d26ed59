//! What may be carried out: the only way from a plan to a write.

use super::{Change, Desired, Plan};

/// A plan that may be carried out. Only [`admit`](Admitted) of this module makes one.
#[derive(Debug)]
pub struct Admitted {
    plan: Plan,
}

impl Admitted {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// One change that may be carried out, with what is sent.
#[derive(Debug)]
pub struct AdmittedChange<'a> {
    /// The line of the plan.
    pub change: &'a Change,
    /// What is sent; `None` for a deletion.
    pub desired: Option<&'a Desired>,
}
