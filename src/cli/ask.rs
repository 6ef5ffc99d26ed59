//! Questions to the person at the keyboard.

use std::io::{self, BufRead, IsTerminal, Write};

use super::stop::Stop;
use crate::cluster::Confirmed;

/// Whether there is a need to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// Ask.
    Needed,
    /// `--yes` has answered already.
    Answered,
}

/// Asks for a yes. `None` is a no.
///
/// # Errors
/// There is nobody to ask: stdin is no terminal.
pub fn confirm(question: &str, asking: Asking) -> Result<Option<Confirmed>, Stop> {
    if asking == Asking::Needed {
        if !io::stdin().is_terminal() {
            return Err(Stop::usage(
                "nobody can be asked: the input is no terminal",
                "read what would be done, then say --yes",
            ));
        }
        let mut err = io::stderr().lock();
        write!(err, "{question} [y/N] ")?;
        err.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            return Ok(None);
        }
    }
    Ok(Some(Confirmed::by_the_person_at_the_keyboard()))
}
