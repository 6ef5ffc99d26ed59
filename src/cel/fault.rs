//! Why an expression has no value.

use std::fmt;

/// An expression that could not be evaluated. It displays as cel-go says it, which may hold values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    message: String,
    quiet: Option<&'static str>,
}

impl Fault {
    /// A message that holds names of the expression at most, no values.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), quiet: None }
    }

    /// A message that holds a value; `quiet` says the same without it.
    pub fn telling(message: impl Into<String>, quiet: &'static str) -> Self {
        Self { message: message.into(), quiet: Some(quiet) }
    }

    /// No function of the name takes values of these types.
    pub fn no_such_overload() -> Self {
        Self::new("no such overload")
    }

    /// The budget is used up.
    pub fn too_costly() -> Self {
        Self::new(TOO_COSTLY)
    }

    /// The budget is used up, so nothing else of the evaluation counts.
    pub fn is_too_costly(&self) -> bool {
        self.message == TOO_COSTLY
    }

    /// The message without values, which could be secret.
    pub fn quiet(&self) -> &str {
        self.quiet.unwrap_or(&self.message)
    }
}

const TOO_COSTLY: &str = "operation cancelled: actual cost limit exceeded";

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
