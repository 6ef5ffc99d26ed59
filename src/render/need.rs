//! What only a program can answer.
//!
//! A render runs nothing. Where a program must be asked (Helm, for a chart), it says so in a
//! [`Need`], and whoever composes it runs the program and renders again with the [`Answer`]. Equal
//! needs have equal digests, so an answer is kept and no program runs twice for the same question.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroize;

use super::{helm, sops};
use crate::object::{Digest, Problem};

/// A question for a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Of everything that the answer depends on.
    pub digest: Digest,
    /// The question.
    pub ask: Ask,
}

impl Need {
    /// A need, with the digest of its question.
    pub fn new(ask: Ask) -> Self {
        let digest = match &ask {
            Ask::Chart(request) => request.digest(),
            Ask::Pull(remote) => remote.digest(),
            Ask::Decrypt(request) => request.digest(),
        };
        Self { digest, ask }
    }
}

/// Which program is asked for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// `helm template` of a chart.
    Chart(Box<helm::Request>),
    /// A packed chart from elsewhere.
    Pull(Box<helm::Remote>),
    /// `sops decrypt` of a file.
    Decrypt(Box<sops::Request>),
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It went well: what the program printed, and what it said beside it.
    Printed {
        /// Its stdout.
        output: Blob,
        /// Its stderr.
        notes: String,
    },
    /// The program refused the content: its stderr.
    Refused(String),
    /// It could not be asked, or did not come to an end: a problem of no place yet.
    Problem(Box<Problem>),
}

impl Answer {
    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        match self {
            Answer::Printed { output, notes } => output.bytes().len() + notes.len(),
            Answer::Refused(said) => said.len(),
            Answer::Problem(problem) => problem.message.len(),
        }
    }
}

/// Answers by the digests of their needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    known: BTreeMap<Digest, Answer>,
}

impl Answers {
    /// The answer to a need, where it is known.
    pub fn get(&self, need: &Need) -> Option<&Answer> {
        self.known.get(&need.digest)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Bytes of all of them, about.
    pub fn bytes(&self) -> usize {
        self.known.values().map(Answer::bytes).sum()
    }

    /// Adds an answer.
    pub fn insert(&mut self, digest: Digest, answer: Answer) {
        self.known.insert(digest, answer);
    }
}

/// Needs that a render meets while it goes.
#[derive(Debug, Default)]
pub struct Needs {
    met: Vec<Need>,
    asked: helm::Asked,
}

impl Needs {
    /// The answer to a question. Where it is not known yet, the need is noted, and there is a
    /// problem in its place: what has needs is not complete.
    pub fn ask(&mut self, ask: Ask, answers: &Answers) -> Result<Answer, Box<Problem>> {
        let need = Need::new(ask);
        if let Some(answer) = answers.get(&need) {
            return Ok(answer.clone());
        }
        if !self.met.iter().any(|met| met.digest == need.digest) {
            self.met.push(need);
        }
        Err(Box::new(Problem::new("NotAnswered", "a program that has to be asked for this was not asked")))
    }

    /// Notes what a chart asks of the cluster.
    pub fn asks(&mut self, asked: helm::Asked) {
        self.asked.add(asked);
    }

    /// All of them, and what charts ask of the cluster.
    pub fn into_parts(self) -> (Vec<Need>, helm::Asked) {
        (self.met, self.asked)
    }
}

/// Bytes that may hold secrets: never printed, wiped when the last copy is dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Blob(Arc<Wiped>);

#[derive(PartialEq, Eq, Default)]
struct Wiped(Vec<u8>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Blob {
    /// Takes bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(Wiped(bytes.into())))
    }

    /// Shows them.
    pub fn bytes(&self) -> &[u8] {
        &self.0.0
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes().len())
    }
}

// Serialised, it goes to the worker and back, and nowhere else.
impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(self.bytes()))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Self::new).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_never_printed_and_comes_back_whole() {
        let blob = Blob::new(*b"canary\0\xff");
        assert_eq!(format!("{blob:?}"), "8 bytes");
        let answer = Answer::Printed { output: blob.clone(), notes: String::new() };
        assert!(!format!("{answer:?}").contains("canary"));
        let wire = serde_json::to_string(&blob).expect("writes");
        assert_eq!(serde_json::from_str::<Blob>(&wire).expect("reads"), blob);
    }
}
