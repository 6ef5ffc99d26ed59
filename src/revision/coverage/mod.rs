//! How much of the code of a commit its tests cover, by a coverage file: lcov or Cobertura.
//!
//! Lines are counted, each once, and what a file says of itself in sum counts only where it has no lines: tools round it,
//! and some count a line twice. A sum that cannot be, more covered than there is, is refused all the same. The file is
//! written by whatever CI runs, so it is read where that can be killed, and within limits.

mod cobertura;
mod lcov;
pub mod note;

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes of a file that are read.
pub const FILE: usize = 16 << 20;

/// What a coverage file comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Lines that were run.
    pub covered: u64,
    /// Lines that could be.
    pub instrumented: u64,
}

impl Lines {
    /// The share in hundredths of a percent, rounded down, so that nothing is called enough that is not.
    pub fn hundredths(self) -> u32 {
        let share = u128::from(self.covered) * 10_000 / u128::from(self.instrumented.max(1));
        u32::try_from(share).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.hundredths();
        write!(f, "{}.{:02}% ({} of {} lines)", share / 100, share % 100, self.covered, self.instrumented)
    }
}

/// Why a coverage file, or a note with one, says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Flaw {
    /// The file is none of lcov or Cobertura, or not to its end.
    CoverageMalformed,
    /// The file is larger than what is read.
    CoverageTooLarge,
    /// The file says what cannot be, such as more covered than there is.
    CoverageImpossible,
    /// The file speaks of no line.
    CoverageEmpty,
    /// The note is not written as such notes are.
    NoteMalformed,
    /// Its signature does not count: not of a listed key, not over it, or for another purpose.
    NoteUnsigned,
    /// Its file is not the one that was signed.
    FileSwapped,
    /// It is of another repository.
    OtherRepository,
    /// It is of another commit.
    OtherCommit,
    /// It is of a time that has not come yet.
    TimeImplausible,
}

impl Flaw {
    /// Stable CamelCase name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CoverageMalformed => "CoverageMalformed",
            Self::CoverageTooLarge => "CoverageTooLarge",
            Self::CoverageImpossible => "CoverageImpossible",
            Self::CoverageEmpty => "CoverageEmpty",
            Self::NoteMalformed => "NoteMalformed",
            Self::NoteUnsigned => "NoteUnsigned",
            Self::FileSwapped => "FileSwapped",
            Self::OtherRepository => "OtherRepository",
            Self::OtherCommit => "OtherCommit",
            Self::TimeImplausible => "TimeImplausible",
        }
    }
}

/// Something that says nothing of how much is covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why.
    pub flaw: Flaw,
    /// The same in words.
    pub why: String,
}

impl Refused {
    fn new(flaw: Flaw, why: impl Into<String>) -> Self {
        Self { flaw, why: why.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.why, self.flaw.as_str())
    }
}

/// Reads a coverage file: Cobertura where it begins as XML does, else lcov.
///
/// # Errors
/// It is neither, too large, has no lines, or says what cannot be.
pub fn read(file: &[u8]) -> Result<Lines, Refused> {
    if file.len() > FILE {
        let why = format!("the coverage file has {} bytes, more than the {FILE} that are read", file.len());
        return Err(Refused::new(Flaw::CoverageTooLarge, why));
    }
    let Ok(text) = std::str::from_utf8(file) else {
        return Err(Refused::new(Flaw::CoverageMalformed, "the coverage file is no text in UTF-8"));
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = if text.trim_start().starts_with('<') { cobertura::read(text)? } else { lcov::read(text)? };
    if lines.instrumented == 0 {
        return Err(Refused::new(Flaw::CoverageEmpty, "the coverage file speaks of no line (0 of 0)"));
    }
    Ok(lines)
}

fn impossible(covered: u64, of: u64) -> Refused {
    Refused::new(Flaw::CoverageImpossible, format!("the coverage file says that {covered} of {of} lines are covered"))
}

/// Lines of files, each counted once however often it is told.
#[derive(Default)]
struct Tally {
    files: HashMap<Vec<u8>, u32>,
    covered: HashMap<(u32, u32), bool>,
}

impl Tally {
    /// The number of a file.
    fn file(&mut self, name: &[u8]) -> u32 {
        let next = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        *self.files.entry(name.to_vec()).or_insert(next)
    }

    /// Takes note of a line, which is covered where anything says so.
    fn line(&mut self, file: u32, line: u32, covered: bool) {
        *self.covered.entry((file, line)).or_default() |= covered;
    }

    fn lines(&self) -> Lines {
        let covered = self.covered.values().filter(|covered| **covered).count();
        Lines { covered: covered as u64, instrumented: self.covered.len() as u64 }
    }
}

/// Whether a count of runs is more than none; nothing where it is no number. Tools write counts that fit into no integer.
fn is_run(count: &[u8]) -> Option<bool> {
    let number = !count.is_empty() && count.iter().all(u8::is_ascii_digit);
    number.then(|| count.iter().any(|digit| *digit != b'0'))
}

#[cfg(test)]
mod tests;
