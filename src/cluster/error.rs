//! What can go wrong between us and the API server.

use std::time::Duration;

use super::refusal::Refusal;
use crate::failure::{Failure, Fault};

/// A call that was not done.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable configuration of a cluster.
    #[error("cannot connect to a cluster: {0}")]
    NotConfigured(String),
    /// An identity to act as was empty or not a name; nothing was sent.
    #[error("refusing to act as {0}: an account needs a namespace and a name")]
    BadIdentity(String),
    /// A name that cannot stand in a path; nothing was sent.
    #[error("{0:?} cannot be the name or namespace of an object")]
    BadName(String),
    /// The API server serves no such kind, asked anew just now.
    #[error("the API server serves no kind {kind} in {api_version}")]
    NoSuchKind {
        /// `apiVersion` that was asked for; only the group where any version would do.
        api_version: String,
        /// Kind that was asked for.
        kind: String,
        /// Kinds of similar name, as `Kind (apiVersion)`.
        similar: Vec<String>,
    },
    /// The server behind an API group does not answer, so what it serves is not known.
    #[error("the server behind the API group {group} does not answer")]
    GroupUnavailable {
        /// The group.
        group: String,
    },
    /// The API server answered, and refused.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// No answer in time. A write may have happened.
    #[error("{what}: no answer within {after:?}")]
    Timeout {
        /// Which call.
        what: String,
        /// How long it was waited.
        after: Duration,
    },
    /// The connection could not be made, or broke. `sent` says whether the request may have arrived.
    #[error("{what}: {message}")]
    Unreachable {
        /// Which call.
        what: String,
        /// What the transport said.
        message: String,
        /// Whether the request may have reached the API server.
        sent: Sent,
    },
    /// The answer is not what the API promises.
    #[error("{what}: unexpected answer {code}: {message}")]
    BadAnswer {
        /// Which call.
        what: String,
        /// HTTP status.
        code: u16,
        /// What is wrong with it; never the body of a Secret.
        message: String,
    },
    /// The permit is no longer valid; nothing was sent.
    #[error("{what}: not sent, because the lease of shard {shard} is no longer ours")]
    PermitExpired {
        /// Which call.
        what: String,
        /// Shard of the permit.
        shard: String,
    },
    /// What was waited for did not come in time.
    #[error("{what} within {after:?}")]
    StillWaiting {
        /// What was waited for, as `x is not gone`.
        what: String,
        /// How long.
        after: Duration,
    },
    /// The wait was given up, because something newer is to be done.
    #[error("the wait for {0} was given up")]
    Cancelled(String),
}

/// Whether a request may have reached the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It did not.
    No,
    /// It may have.
    Perhaps,
}

impl ClusterError {
    /// What the API server refused, where that is what happened.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

impl From<Refusal> for ClusterError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl Failure for ClusterError {
    fn reason(&self) -> &'static str {
        match self {
            Self::NotConfigured(_) => "ClusterNotConfigured",
            Self::BadIdentity(_) => "NoServiceAccount",
            Self::BadName(_) => "InvalidName",
            Self::NoSuchKind { .. } => "NoSuchKind",
            Self::GroupUnavailable { .. } => "ApiGroupUnavailable",
            Self::Refused(refusal) => refusal.reason(),
            Self::Timeout { .. } => "ApiTimeout",
            Self::Unreachable { .. } => "ApiUnreachable",
            Self::BadAnswer { .. } => "UnexpectedAnswer",
            Self::PermitExpired { .. } => "LeaseLost",
            Self::StillWaiting { .. } => "WaitTimedOut",
            Self::Cancelled(_) => "Superseded",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::NotConfigured(_) | Self::BadIdentity(_) => Fault::Cluster,
            Self::BadName(_) | Self::NoSuchKind { .. } => Fault::Repository,
            Self::Refused(refusal) => refusal.fault(),
            Self::GroupUnavailable { .. }
            | Self::Timeout { .. }
            | Self::Unreachable { .. }
            | Self::BadAnswer { .. }
            | Self::PermitExpired { .. }
            | Self::StillWaiting { .. }
            | Self::Cancelled(_) => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotConfigured(_) => {
                Some("name a kubeconfig and a context, or run inside a cluster with a service account".into())
            }
            Self::BadIdentity(_) => Some("set spec.serviceAccountName".into()),
            Self::NoSuchKind { similar, .. } if !similar.is_empty() => {
                Some(format!("did you mean {}", similar.join(" or ")))
            }
            Self::NoSuchKind { .. } => Some("deploy the CustomResourceDefinition first, or in the same Sync".into()),
            Self::GroupUnavailable { group } => {
                Some(format!("look at `kubectl get apiservices | grep {group}` and the service that it names"))
            }
            Self::Refused(refusal) => refusal.hint(),
            Self::Unreachable { sent: Sent::No, .. } => {
                Some("see that the API server is up, and that the context of the kubeconfig names the right one".into())
            }
            _ => None,
        }
    }
}
