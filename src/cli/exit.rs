//! Exit codes: a promise to scripts.

use std::process::ExitCode;

use crate::failure::Fault;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, and nothing differs.
    Nothing,
    /// Done, and something differs or is violated.
    Differences,
    /// The arguments make no sense.
    Usage,
    /// Somebody is at fault.
    Fault(Fault),
    /// Whoever read our output has gone. Shells report the same of a program that SIGPIPE ended.
    BrokenPipe,
}

impl Exit {
    /// The code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Nothing => 0,
            Exit::Differences => 1,
            Exit::Usage => 2,
            Exit::Fault(fault) => fault.exit_code(),
            Exit::BrokenPipe => 141,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_that_the_help_promises() {
        for (exit, code) in [
            (Exit::Nothing, 0),
            (Exit::Differences, 1),
            (Exit::Usage, 2),
            (Exit::Fault(Fault::Repository), 3),
            (Exit::Fault(Fault::Cluster), 4),
            (Exit::Fault(Fault::Transient), 4),
            (Exit::Fault(Fault::Internal), 70),
            (Exit::BrokenPipe, 141),
        ] {
            assert_eq!(exit.code(), code, "{exit:?}");
        }
    }
}
