//! Failures: what every door and step says when a call could not be done.
//!
//! A failure is not a problem of content: those are data ([`crate::object::Problem`]) and the run
//! goes on to find the rest of them. A failure has a stable reason, and a fault that decides
//! whether to retry, who is told, and the exit code.

use std::error::Error;
use std::fmt;

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Fault {
    /// The repository's content or its settings: only a commit, or a changed spec, mends it.
    Repository,
    /// The cluster's state, rights or policy: an operator mends it.
    Cluster,
    /// Time mends it: a timeout, a connection refused, a conflict, too many requests.
    Transient,
    /// A defect of Tandem.
    Internal,
}

impl Fault {
    /// Exit code of a command that ends with this fault.
    pub fn exit_code(self) -> u8 {
        match self {
            Fault::Repository => 3,
            Fault::Cluster | Fault::Transient => 4,
            Fault::Internal => 70,
        }
    }
}

/// What every error type of this crate can tell about itself.
pub trait Failure: Error {
    /// Stable CamelCase reason, as it stands in conditions, events and metrics.
    fn reason(&self) -> &'static str;
    /// Whose fault it is.
    fn fault(&self) -> Fault;
    /// What the reader can do about it, as one sentence without a final dot.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// A failure whose type no longer matters: what crosses from a step into an outcome.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failed {
    /// Stable CamelCase reason.
    pub reason: String,
    /// Whose fault it is.
    pub fault: Fault,
    /// The error and its causes, joined by `: `, outermost first.
    pub message: String,
    /// What the reader can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failed {
    /// A failure made on the spot, where no error type would carry more.
    pub fn new(reason: &str, fault: Fault, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), fault, message: message.into(), hint: None }
    }

    /// The same failure with advice for its reader.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl<E: Failure> From<&E> for Failed {
    fn from(error: &E) -> Self {
        Self { reason: error.reason().to_owned(), fault: error.fault(), message: chain(error), hint: error.hint() }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failed {}

/// The innermost cause of an error, which says most where all around it only tells what was tried.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

/// The error and its causes on one line, outermost first. A cause whose text its parent already
/// ends with is left out: many libraries print their source themselves.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
