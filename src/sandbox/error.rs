//! What can go wrong with a child process.

use std::io;
use std::time::Duration;

use crate::failure::{Failure, Fault};

/// A child process did not answer as it should. It has been killed where it still ran, and the
/// next request gets a new one.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It could not be started.
    #[error("the worker process could not be started: {0}")]
    Start(#[source] io::Error),
    /// It did not answer in time.
    #[error("the worker process was killed because it had not answered after {}", seconds(*.0))]
    Timeout(Duration),
    /// It died.
    #[error("the worker process died: {0}")]
    Crashed(String),
    /// It answered what is no answer.
    #[error("the worker process was killed because its answer made no sense: {0}")]
    Protocol(String),
}

impl Failure for SandboxError {
    fn reason(&self) -> &'static str {
        match self {
            SandboxError::Start(_) => "WorkerStartFailed",
            SandboxError::Timeout(_) => "WorkerTimeout",
            SandboxError::Crashed(_) => "WorkerCrashed",
            SandboxError::Protocol(_) => "WorkerProtocol",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            SandboxError::Start(_) | SandboxError::Protocol(_) => Fault::Internal,
            SandboxError::Timeout(_) | SandboxError::Crashed(_) => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SandboxError::Start(_) => Some("see whether the agent may start processes and has memory left".to_owned()),
            SandboxError::Timeout(_) => Some("a larger spec.timeout gives a slow remote more time".to_owned()),
            SandboxError::Crashed(_) => Some(
                "content that needs more memory than the worker may have ends it; the agent tries again".to_owned(),
            ),
            SandboxError::Protocol(_) => None,
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", (time.as_millis() as f64 / 1000.0 * 10.0).round() / 10.0)
}
