//! What the API server refused, and why: its answer, read into a closed list of reasons.

mod read;

use std::fmt;

pub(super) use read::{of, of_secret};

use crate::failure::Fault;

/// Why the API server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The object breaks its schema or its kind's rules.
    Invalid,
    /// The body could not be read, or has fields that the kind does not know (strict validation).
    BadRequest,
    /// Server-side apply met a field that the schema does not have; sent as HTTP 500.
    FieldNotDeclared,
    /// The account may not do this.
    Forbidden,
    /// Who asks is not known.
    Unauthorized,
    /// Other managers own fields that were applied without force.
    FieldConflict {
        /// Who, without repetition.
        managers: Vec<String>,
        /// Field paths as the API server writes them: `.spec.replicas`.
        fields: Vec<String>,
    },
    /// The object is not the one, or not in the state, that a precondition named.
    Stale,
    /// An object of that name exists.
    AlreadyExists,
    /// The object is not there.
    NotFound,
    /// Its namespace is not there.
    NamespaceNotFound(String),
    /// Its namespace is being deleted.
    NamespaceTerminating,
    /// The API server has no such path: the kind is not served.
    KindNotServed,
    /// A webhook, a policy or a built-in check of admission refused it; its name.
    AdmissionDenied(String),
    /// A webhook could not be asked; its name.
    WebhookUnreachable(String),
    /// A webhook has side effects, so the API server does not dry-run past it; its name.
    DryRunUnsupported(String),
    /// A quota is used up.
    QuotaExceeded,
    /// The object is larger than the API server takes.
    TooLarge,
    /// The API server asks for fewer requests.
    TooManyRequests,
    /// The version that a watch wanted to continue from is gone.
    Expired,
    /// Not for now: overloaded, starting, or without its store.
    Unavailable,
    /// Anything else.
    Other,
}

/// One refused field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Path of the field, as the API server writes it; empty where none.
    pub field: String,
    /// The API server's word for what is wrong: `FieldValueInvalid`.
    pub reason: String,
    /// What is wrong; of a Secret without any value.
    pub message: String,
}

/// An answer that says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub code: u16,
    /// Why.
    pub why: RefusalReason,
    /// Which call: `apply Deployment.apps/shop/web`.
    pub what: String,
    /// The API server's words; of a Secret without any value.
    pub message: String,
    /// Field by field, where it said so.
    pub causes: Vec<Cause>,
}

impl Refusal {
    /// Stable CamelCase reason.
    pub fn reason(&self) -> &'static str {
        use RefusalReason::*;
        match self.why {
            Invalid => "Invalid",
            BadRequest => "BadRequest",
            FieldNotDeclared => "FieldNotDeclared",
            Forbidden => "Forbidden",
            Unauthorized => "Unauthorized",
            FieldConflict { .. } => "FieldConflict",
            Stale => "ObjectChanged",
            AlreadyExists => "AlreadyExists",
            NotFound => "NotFound",
            NamespaceNotFound(_) => "NamespaceNotFound",
            NamespaceTerminating => "NamespaceTerminating",
            KindNotServed => "NoSuchKind",
            AdmissionDenied(_) => "AdmissionDenied",
            WebhookUnreachable(_) => "WebhookUnreachable",
            DryRunUnsupported(_) => "DryRunUnsupported",
            QuotaExceeded => "QuotaExceeded",
            TooLarge => "ObjectTooLarge",
            TooManyRequests => "TooManyRequests",
            Expired => "Expired",
            Unavailable => "ApiUnavailable",
            Other => "ApiRefused",
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        use RefusalReason::*;
        match self.why {
            Invalid | BadRequest | FieldNotDeclared | NamespaceNotFound(_) | KindNotServed | AdmissionDenied(_)
            | TooLarge => Fault::Repository,
            Forbidden
            | Unauthorized
            | FieldConflict { .. }
            | NamespaceTerminating
            | DryRunUnsupported(_)
            | QuotaExceeded
            | Other => Fault::Cluster,
            Stale | AlreadyExists | NotFound | WebhookUnreachable(_) | TooManyRequests | Expired | Unavailable => {
                Fault::Transient
            }
        }
    }

    /// What the reader can do.
    pub fn hint(&self) -> Option<String> {
        use RefusalReason::*;
        Some(match &self.why {
            FieldNotDeclared => "remove or rename the field; the schema of this apiVersion does not have it".into(),
            Forbidden => "grant the right to the account in a Role or ClusterRole that it is bound to".into(),
            FieldConflict { managers, .. } => {
                format!("leave the fields to {}, or drop tandemcd.io/conflict: Keep to take them", managers.join(", "))
            }
            NamespaceNotFound(name) => format!("add the Namespace {name} to the repository, or create it"),
            WebhookUnreachable(name) => format!("look at the service behind the webhook {name}"),
            DryRunUnsupported(name) => format!("the webhook {name} must declare sideEffects: None or NoneOnDryRun"),
            _ => return None,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.message)
    }
}
