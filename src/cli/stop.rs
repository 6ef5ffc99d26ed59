//! What stops a command, and how it is told.

use std::error::Error;
use std::fmt;
use std::io;

use super::exit::Exit;
use super::output::Output;
use crate::failure::{Failed, Failure, Fault, chain};

/// Why a command stopped before it had done what was asked.
#[derive(Debug)]
pub enum Stop {
    /// The arguments make no sense together.
    Usage {
        /// What is wrong, lower case, no final dot.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// A step failed.
    Failed(Box<dyn Failure>),
    /// A step failed, and its error's type no longer matters.
    Told(Failed),
    /// Our output could not be written.
    Output(io::Error),
}

impl Stop {
    /// Arguments that make no sense.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    /// Prints `error:`, `caused by:` and `hint:` lines on stderr, and says how the program ends.
    pub fn tell(self, output: &Output) -> Exit {
        let (exit, error, hint): (Exit, &dyn Error, Option<String>) = match &self {
            Stop::Usage { message, hint } => {
                output.error(message);
                hint.iter().for_each(|hint| output.hint(hint));
                return Exit::Usage;
            }
            Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return Exit::BrokenPipe,
            Stop::Output(error) => (Exit::Fault(Fault::Internal), error, None),
            Stop::Told(failed) => (Exit::Fault(failed.fault), failed, failed.hint.clone()),
            Stop::Failed(failure) => (Exit::Fault(failure.fault()), failure.as_ref(), failure.hint()),
        };
        let told = lines(error);
        output.error(&told[0]);
        told[1..].iter().for_each(|cause| output.cause(cause));
        hint.iter().for_each(|hint| output.hint(hint));
        exit
    }
}

/// On one line, with its causes.
impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Usage { message, .. } => f.write_str(message),
            Stop::Failed(failure) => f.write_str(&chain(failure.as_ref())),
            Stop::Told(failed) => f.write_str(&failed.message),
            Stop::Output(error) => write!(f, "{error}"),
        }
    }
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Self {
        Self::Told(failed)
    }
}

impl<F: Failure + 'static> From<F> for Stop {
    fn from(failure: F) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// The error and its causes, outermost first. A cause that its parent's text already ends with is
/// cut from the parent: many libraries print their source themselves.
fn lines(error: &dyn Error) -> Vec<String> {
    let mut lines = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        let last = lines.last_mut().expect("one line at least");
        match last.strip_suffix(&text).map(|rest| rest.trim_end_matches([':', ' '])) {
            Some("") => {}
            Some(rest) => {
                *last = rest.to_owned();
                lines.push(text);
            }
            None => lines.push(text),
        }
        source = cause.source();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Layer {
        #[error("the plan could not be made")]
        Outer(#[source] Box<Layer>),
        #[error("cannot read: {0}")]
        Repeats(#[source] Box<Layer>),
        #[error(transparent)]
        Same(Box<Layer>),
        #[error("connection refused")]
        Root,
    }

    #[test]
    fn each_cause_is_told_once() {
        use Layer::{Outer, Repeats, Root, Same};
        for (error, expected) in [
            (Root, vec!["connection refused"]),
            (Outer(Box::new(Root)), vec!["the plan could not be made", "connection refused"]),
            (Repeats(Box::new(Root)), vec!["cannot read", "connection refused"]),
            (
                Outer(Box::new(Repeats(Box::new(Same(Box::new(Root)))))),
                vec!["the plan could not be made", "cannot read", "connection refused"],
            ),
        ] {
            assert_eq!(lines(&error), expected);
        }
    }
}
