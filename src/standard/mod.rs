//! The standard: operations' policy, in Kubernetes' own `ValidatingAdmissionPolicy`, judged as the API server does.
//!
//! [`Standard::load`] takes the manifests of a standard; [`Standard::judge`] says of one object what is wrong with it.
//! What cannot be judged here (`authorizer`, another version of the object) is a verdict of its own and never passes.

mod compile;
mod coverage;
mod declare;
pub mod filled;
pub mod fixture;
mod form;
mod judge;
mod kinds;
mod matching;
mod needs;
mod places;
mod unknown;
mod waiver;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use crate::object::{Manifest, ObjectId, Origin, Problem, split_api_version};
pub use coverage::{Coverage, Uncovered};
pub use form::{Operator, Requirement, Selector};
pub use unknown::{NAME as NAMESPACE_NAME, Unknown};
pub use waiver::{Waiver, WaiverSpec};

/// What a request would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The object is new.
    Create,
    /// The object is there already.
    Update,
    /// The object goes.
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// An object that holds secret values, as messages may show it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The object as it would be.
    pub object: Option<&'a Value>,
    /// The object as it is.
    pub old: Option<&'a Value>,
}

/// One object to be judged, as a request for it would be.
#[derive(Clone, Copy, Debug)]
pub struct Review<'a> {
    /// Which object.
    pub id: &'a ObjectId,
    /// Its `apiVersion`.
    pub api_version: &'a str,
    /// Its resource, such as `deployments`.
    pub resource: &'a str,
    /// What would be done.
    pub operation: Operation,
    /// The object as it would be; none where it goes.
    pub object: Option<&'a Value>,
    /// The object as it is; none where it is new, or that is not known.
    pub old: Option<&'a Value>,
    /// What messages may show of both, where values in them are secret: no word of a verdict then depends on these
    /// values. None where nothing is secret.
    pub shown: Option<Shown<'a>>,
    /// The Namespace that it is in; none for one without namespace. For a Namespace, one whose labels select it in place
    /// of its own.
    pub namespace: Option<&'a Value>,
    /// Who asks: `request.userInfo`.
    pub user: &'a Value,
    /// `request.dryRun`.
    pub dry_run: bool,
    /// When: a waiver that has expired covers nothing.
    pub now: Timestamp,
}

impl<'a> Review<'a> {
    /// Group and version.
    fn group_version(&self) -> (&'a str, &'a str) {
        split_api_version(self.api_version)
    }

    fn is_namespace(&self) -> bool {
        self.id.kind == "Namespace" && self.id.group.is_empty()
    }
}

/// What is done about a finding, from the mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// It is written down.
    Audit,
    /// Who asks is told.
    Warn,
    /// The object is refused.
    Deny,
}

impl Action {
    /// As metrics and logs name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "Audit",
            Self::Warn => "Warn",
            Self::Deny => "Deny",
        }
    }
}

/// What a binding does about an object that its policy refuses (`validationActions`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// The object is refused.
    pub deny: bool,
    /// Who asks is told.
    pub warn: bool,
    /// It is written down.
    pub audit: bool,
}

/// What a policy says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It refuses the object; a failed evaluation does so too where the policy says so.
    Refused {
        /// Why, in the policy's words.
        message: String,
        /// `reason` of the validation: `Invalid` unless it says another.
        reason: String,
        /// Which of the policy's validations it was, from 0; none where that is not what failed.
        validation: Option<usize>,
    },
    /// It cannot be said here.
    NotChecked {
        /// What it would need.
        why: String,
    },
}

/// One finding of one policy through one binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Name of the policy.
    pub policy: String,
    /// Name of the binding; none where the policy itself cannot be used.
    pub binding: Option<String>,
    /// What is to be done.
    pub actions: Actions,
    /// What was found.
    pub finding: Finding,
    /// The waiver that lets the object pass, by its name.
    pub waived: Option<String>,
    /// The waiver that did so until it expired.
    pub expired: Option<Expired>,
}

/// A waiver that has expired, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub origin: Origin,
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the waiver {} has expired ({}:{})", self.name, self.origin.file, self.origin.line)
    }
}

/// What a policy writes down of an object (`auditAnnotations`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Annotation {
    /// Name of the policy.
    pub policy: String,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// What a standard says of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What it has against it, in the order of its policies and bindings. None means that it passes.
    pub verdicts: Vec<Verdict>,
    /// What it writes down of it.
    pub annotations: Vec<Annotation>,
}

impl Verdict {
    /// Whether the object must not be applied.
    pub fn denies(&self) -> bool {
        self.actions.deny && self.waived.is_none()
    }

    /// The strictest of what is to be done. A binding that says nothing strict is written down.
    pub fn action(&self) -> Action {
        match self.actions {
            Actions { deny: true, .. } => Action::Deny,
            Actions { warn: true, .. } => Action::Warn,
            Actions { .. } => Action::Audit,
        }
    }

    /// The message as the API server tells it.
    pub fn told(&self) -> String {
        let policy = &self.policy;
        let of = match &self.binding {
            Some(binding) => format!("ValidatingAdmissionPolicy '{policy}' with binding '{binding}'"),
            None => format!("ValidatingAdmissionPolicy '{policy}'"),
        };
        match &self.finding {
            Finding::Refused { message, .. } => format!("{of} denied request: {message}"),
            Finding::NotChecked { why } => format!("{of} was not checked: {why}"),
        }
    }
}

/// What was made of the manifests of a standard.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The standard, of everything that has no problem.
    pub standard: Standard,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is not wrong yet: waivers that expire soon, bindings to nothing.
    pub warnings: Vec<Problem>,
}

/// A compiled standard.
#[derive(Debug, Default)]
pub struct Standard {
    policies: Vec<compile::Policy>,
    bindings: Vec<form::Binding>,
    /// Objects that bindings may name as parameters.
    parameters: Vec<Manifest>,
    waivers: Vec<Waiver>,
}

/// How much there is in a standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Policies.
    pub policies: usize,
    /// Bindings.
    pub bindings: usize,
    /// Waivers, expired ones included.
    pub waivers: usize,
}

/// Group of waivers and tests.
const OWN_GROUP: &str = "tandemcd.io";
/// Group of policies and bindings.
const GROUP: &str = "admissionregistration.k8s.io";

impl Standard {
    /// Compiles the policies, bindings, waivers and parameters of a tree; tests of policies are passed over. `now` says
    /// which waivers are told.
    pub fn load(manifests: &[Manifest], now: Timestamp) -> Loaded {
        let mut loaded = Loaded::default();
        let mut names = BTreeMap::new();
        for manifest in manifests {
            let place = |problem: Problem| problem.at(&manifest.origin).of(&manifest.id);
            let (group, kind) = (manifest.id.group.as_str(), manifest.id.kind.as_str());
            if matches!(group, GROUP | OWN_GROUP)
                && let Some(first) = names.insert((kind, manifest.id.name.as_str()), &manifest.origin)
            {
                let message = format!("it is already written at {}:{}", first.file, first.line);
                loaded.problems.push(place(Problem::new("DuplicateObject", message)));
            }
            let read = match (group, kind) {
                (GROUP, "ValidatingAdmissionPolicy") => form::policy(manifest).map(|form| {
                    let (policy, problems) = compile::policy(form);
                    loaded.problems.extend(problems.into_iter().map(place));
                    loaded.standard.policies.extend(policy);
                }),
                (GROUP, "ValidatingAdmissionPolicyBinding") => {
                    form::binding(manifest).map(|binding| loaded.standard.bindings.push(binding))
                }
                (OWN_GROUP, "Waiver") => Waiver::read(manifest, now).map(|waiver| loaded.standard.waivers.push(waiver)),
                (OWN_GROUP, "PolicyTest") => Ok(()),
                (GROUP | OWN_GROUP, _) => {
                    Err(Problem::new("NotOfStandard", format!("{kind} is nothing of a standard"))
                        .hint("a standard has policies, bindings, parameters, waivers and tests of policies"))
                }
                _ => {
                    loaded.standard.parameters.push(manifest.clone());
                    Ok(())
                }
            };
            loaded.problems.extend(read.err().map(place));
        }
        loaded.warnings = loaded.standard.waiver_warnings(now);
        loaded.warnings.extend(loaded.standard.unused());
        loaded
    }

    /// Bindings to nothing, and objects that are no parameter of any policy.
    fn unused(&self) -> Vec<Problem> {
        let names: BTreeSet<&str> = self.policies.iter().map(|policy| policy.name.as_str()).collect();
        let unbound = self.bindings.iter().filter(|binding| !names.contains(binding.spec.policy_name.as_str()));
        let unbound = unbound.map(|binding| {
            let message = format!("binding {} is of no policy here: {}", binding.name, binding.spec.policy_name);
            Problem::new("BindingWithoutPolicy", message)
        });
        let of_policy = |manifest: &Manifest| {
            let mut kinds = self.policies.iter().filter_map(|policy| policy.param_kind.as_ref());
            let holds = |other: &Manifest| other.id.namespace == manifest.id.name;
            kinds.any(|kind| kind.api_version == manifest.api_version && kind.kind == manifest.id.kind)
                || manifest.id.kind == "Namespace" && self.parameters.iter().any(holds)
        };
        let strange = self.parameters.iter().filter(|manifest| !of_policy(manifest)).map(|manifest| {
            let message = "it is no parameter of any policy here, so it has no effect";
            Problem::new("ParameterWithoutPolicy", message).at(&manifest.origin).of(&manifest.id)
        });
        unbound.chain(strange).collect()
    }

    /// Waivers that expire soon, or have expired.
    pub fn waiver_warnings(&self, now: Timestamp) -> Vec<Problem> {
        self.waivers.iter().filter_map(|waiver| waiver.warning(now)).collect()
    }

    /// When [`Standard::waiver_warnings`] says something else.
    pub fn next_news(&self, now: Timestamp) -> Option<Timestamp> {
        self.waivers.iter().filter_map(|waiver| waiver.next_news(now)).min()
    }

    /// How many policies, bindings and waivers it has.
    pub fn counts(&self) -> Counts {
        Counts { policies: self.policies.len(), bindings: self.bindings.len(), waivers: self.waivers.len() }
    }

    /// Whether it has no policy that is bound, so that it would let everything pass.
    pub fn is_empty(&self) -> bool {
        !self.bindings.iter().any(|binding| self.policies.iter().any(|policy| policy.name == binding.spec.policy_name))
    }
}

#[cfg(test)]
mod tests;
