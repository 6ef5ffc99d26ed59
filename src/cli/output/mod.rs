//! Where everything that a person or a script reads goes out: results on stdout, narration on
//! stderr, colours only where they are wanted.

mod changes;
mod logging;
mod paint;
mod progress;
mod table;
mod words;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

pub use changes::{Bodies, changes, summary};
pub use logging::start as start_logging;
pub use paint::{Paint, Tone};
pub use progress::Progress;
pub use table::{Cell, table};
pub use words::{age, count, short_revision};

use super::args::{Colour, Form, Global};
use crate::object::{Problem, yaml};

/// How results and narration are written.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    form: Form,
    out: Paint,
    err: Paint,
}

impl Output {
    /// As the flags, the terminal and NO_COLOR ask.
    pub fn new(global: &Global) -> Self {
        let wanted = |stream_is_terminal: bool| match global.color {
            Colour::Always => Paint::Colours,
            Colour::Auto if stream_is_terminal && environment_wants_colours() => Paint::Colours,
            Colour::Auto | Colour::Never => Paint::Plain,
        };
        Self { form: global.output, out: wanted(io::stdout().is_terminal()), err: wanted(io::stderr().is_terminal()) }
    }

    /// Form of the result.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The colours of narration.
    pub fn narration(&self) -> Paint {
        self.err
    }

    /// Prints the result in the form that was asked for.
    pub fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T, Paint) -> String) -> io::Result<()> {
        let printed = match self.form {
            Form::Text => text(value, self.out),
            Form::Yaml => yaml::write(&serde_json::to_value(value).map_err(io::Error::other)?),
            // Other reports are made by who has one.
            _ => serde_json::to_string_pretty(value).map_err(io::Error::other)? + "\n",
        };
        self.bytes(printed.as_bytes())
    }

    /// Prints bytes on stdout.
    pub fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// A line about what stopped the command.
    pub fn error(&self, message: &str) {
        self.line(&format!("{} {message}", self.err.tone(Tone::Bad, "error:")));
    }

    /// A line about why.
    pub fn cause(&self, message: &str) {
        self.line(&format!("  {} {message}", self.err.tone(Tone::Bad, "caused by:")));
    }

    /// A line about what to do.
    pub fn hint(&self, message: &str) {
        self.line(&format!("{} {message}", self.err.tone(Tone::Accent, "hint:")));
    }

    /// A line that only informs.
    pub fn note(&self, message: &str) {
        self.line(&format!("{} {message}", self.err.tone(Tone::Accent, "note:")));
    }

    /// A line of a list that a note began, as it is.
    pub fn plain(&self, text: &str) {
        self.line(text);
    }

    /// Every problem with its place, object, rule and hint.
    pub fn problems(&self, problems: &[Problem]) {
        for problem in problems {
            self.line(&format!("{problem}"));
            if let Some(hint) = &problem.hint {
                self.line(&format!("  {} {hint}", self.err.tone(Tone::Accent, "hint:")));
            }
        }
    }

    /// Writes to stderr. Nothing can be told of a stderr that is gone.
    fn line(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Whether lines on stderr are coloured where nothing else is said.
pub fn stderr_wants_colours() -> bool {
    io::stderr().is_terminal() && environment_wants_colours()
}

fn environment_wants_colours() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}
