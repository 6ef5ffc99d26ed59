//! What can go wrong between a repository and its cache.

use crate::failure::{Failure, Fault};
use crate::revision::RefProblem;

/// A call to Git that failed. Its text holds no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url}: {detail}")]
pub struct GitError {
    /// What kind of failure.
    pub kind: Kind,
    /// Of the repository, without credentials.
    pub url: String,
    /// What happened, one sentence without a final dot.
    pub detail: String,
    /// What the reader can do, where it is more than the kind's usual hint.
    pub hint: Option<String>,
}

/// Kinds of failures, each with a reason of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    InvalidUrl,
    InvalidCredentials,
    AuthenticationFailed,
    RepositoryNotFound,
    RefNotFound,
    InvalidRange,
    EmptyRepository,
    HostKeyUnknown,
    HostKeyChanged,
    HostKeyRevoked,
    HostKeyUnsupported,
    TlsFailed,
    ConnectFailed,
    ProxyFailed,
    RedirectRefused,
    Timeout,
    TooLarge,
    RemoteFailed,
    ProtocolFailed,
    CommitUnavailable,
    NotFetched,
    CacheCorrupted,
    CacheFailed,
}

impl GitError {
    /// A failure at a URL, which is stripped of credentials.
    pub fn new(kind: Kind, url: &str, detail: impl Into<String>) -> Self {
        Self { kind, url: super::redact(url), detail: detail.into(), hint: None }
    }

    /// The same failure with advice of its own.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A reference that could not be chosen.
    pub fn of_ref(url: &str, problem: &RefProblem) -> Self {
        let kind = match problem {
            RefProblem::Empty => Kind::EmptyRepository,
            RefProblem::NotFound(_) | RefProblem::NoneInRange { .. } => Kind::RefNotFound,
            RefProblem::BadRange { .. } => Kind::InvalidRange,
        };
        Self::new(kind, url, problem.to_string())
    }

    /// What libgit2 said about the cache: nothing of the remote is in play.
    pub fn of_cache(url: &str, doing: &str, error: &git2::Error) -> Self {
        use git2::{ErrorClass, ErrorCode};
        let corrupt = matches!(
            error.class(),
            ErrorClass::Odb
                | ErrorClass::Object
                | ErrorClass::Indexer
                | ErrorClass::Zlib
                | ErrorClass::Tree
                | ErrorClass::Reference
                | ErrorClass::Repository
                | ErrorClass::Sha1
        ) || error.code() == ErrorCode::NotFound
            || error.message().contains("corrupt");
        let kind = if corrupt { Kind::CacheCorrupted } else { Kind::CacheFailed };
        Self::new(kind, url, format!("{doing} failed: {}", error.message()))
    }
}

impl Failure for GitError {
    fn reason(&self) -> &'static str {
        match self.kind {
            Kind::InvalidUrl => "InvalidUrl",
            Kind::InvalidCredentials => "InvalidCredentials",
            Kind::AuthenticationFailed => "AuthenticationFailed",
            Kind::RepositoryNotFound => "RepositoryNotFound",
            Kind::RefNotFound => "RefNotFound",
            Kind::InvalidRange => "InvalidRange",
            Kind::EmptyRepository => "EmptyRepository",
            Kind::HostKeyUnknown => "HostKeyUnknown",
            Kind::HostKeyChanged => "HostKeyChanged",
            Kind::HostKeyRevoked => "HostKeyRevoked",
            Kind::HostKeyUnsupported => "HostKeyUnsupported",
            Kind::TlsFailed => "TlsFailed",
            Kind::ConnectFailed => "ConnectFailed",
            Kind::ProxyFailed => "ProxyFailed",
            Kind::RedirectRefused => "RedirectRefused",
            Kind::Timeout => "Timeout",
            Kind::TooLarge => "TooLarge",
            Kind::RemoteFailed => "RemoteFailed",
            Kind::ProtocolFailed => "ProtocolFailed",
            Kind::CommitUnavailable => "CommitUnavailable",
            Kind::NotFetched => "NotFetched",
            Kind::CacheCorrupted => "CacheCorrupted",
            Kind::CacheFailed => "CacheFailed",
        }
    }

    fn fault(&self) -> Fault {
        match self.kind {
            Kind::ConnectFailed
            | Kind::ProxyFailed
            | Kind::Timeout
            | Kind::RemoteFailed
            | Kind::NotFetched
            | Kind::CacheCorrupted => Fault::Transient,
            Kind::CacheFailed => Fault::Cluster,
            _ => Fault::Repository,
        }
    }

    fn hint(&self) -> Option<String> {
        let usual = match self.kind {
            Kind::InvalidUrl => {
                "write https://host/path or ssh://git@host/path; http:// goes to loopback and cluster addresses only"
            }
            Kind::InvalidCredentials => "compare the keys of the Secret with the documentation of spec.auth",
            Kind::AuthenticationFailed => {
                "check that the credentials in spec.auth.secretRef are valid and may read the repository"
            }
            Kind::RepositoryNotFound => {
                "check spec.url; some servers answer the same when the credentials may not see the repository"
            }
            Kind::RefNotFound => "check spec.ref; nothing is pruned because a reference is gone",
            Kind::InvalidRange => "write a range such as >=1.2, <2",
            Kind::EmptyRepository => "push a first commit; nothing is pruned because a repository is empty",
            Kind::TlsFailed => {
                "a private certificate authority belongs into the Secret of spec.auth.caSecretRef, under ca.crt"
            }
            Kind::ProxyFailed => "check the Secret of spec.auth.proxySecretRef",
            Kind::RedirectRefused => "set spec.url to the new place, if it is to be trusted",
            Kind::Timeout => "a larger spec.timeout gives a slow remote more time",
            Kind::TooLarge => "a repository for configuration alone stays far below the limits",
            Kind::CommitUnavailable => "the server hands out only commits that a branch or tag reaches",
            Kind::NotFetched => "it is fetched with the next attempt",
            Kind::CacheCorrupted => "the cache is fetched anew with the next attempt",
            Kind::CacheFailed => "check space and rights of the cache folder",
            Kind::HostKeyUnknown
            | Kind::HostKeyChanged
            | Kind::HostKeyRevoked
            | Kind::HostKeyUnsupported
            | Kind::ConnectFailed
            | Kind::RemoteFailed
            | Kind::ProtocolFailed => "",
        };
        self.hint.clone().or_else(|| (!usual.is_empty()).then(|| usual.to_owned()))
    }
}
