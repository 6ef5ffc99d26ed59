//! The choices that a tree is made from.

use serde_json::{Value, json};

pub const NAMES: &[&str] = &["a", "b", "web", "c-1"];
pub const NAMESPACES: &[&str] = &["one", "default", "two"];
pub const IMAGES: &[&str] =
    &["nginx", "nginx:1.0", "r.example.com:5000/web", "web@sha256:abc", "lib/web:2", "nginx:1.0@sha256:abc", "$(V):1"];
const TEXTS: &[&str] = &[
    "v",
    "1",
    "true",
    "a:b:c",
    "",
    "null",
    "x\ny\n",
    "1.5",
    "yes",
    "a: b",
    "~",
    "é",
    " s ",
    "a/b/c",
    "0x1F",
    "012",
    "1e3",
    "2024-01-02",
    "1_000",
    "- a",
    "#c",
    "a #c",
    "x\n\n",
    "\n x\n",
    "  in\n out\n",
    "V",
    "a$(W)b",
    "on",
    "n",
    "+1",
    ".5",
    "tab\there",
    "it's",
    "say \"x\"",
    "\\n",
    "{a: 1}",
    "[a]",
    "%x",
    "@x",
    "!x",
    "&x",
    "*x",
    "? x",
    "=",
    "<<",
    "1:30",
];
pub const KEYS: &[&str] = &["k", "l", "example.com/m", "app"];
/// What is written without quotes, and is a text only to some readers.
const PLAIN: &[&str] = &[
    "1",
    "v",
    "true",
    "1.5",
    "0x1F",
    "0o17",
    "017",
    "1e3",
    "1_000",
    "+1",
    ".5",
    "1.",
    "2024-01-02",
    "yes",
    "on",
    "n",
    "~",
    "null",
    "1:30",
    ".inf",
    "-0",
    "0.0",
    "1.0",
    "9223372036854775808",
    "1e400",
    "Null",
    "TRUE",
    "0b11",
    "a b",
    "-1",
    "1e-7",
    "123456789012345678901234567890",
    "12345678.9",
    "2024-01-02T03:04:05Z",
    "08",
    "0.10",
];

/// In front of a text that is to be written without quotes, as it is.
pub const AS_IT_IS: char = '\u{e000}';

/// The choices that are left.
pub struct Draw<'a> {
    choices: &'a [u16],
    at: usize,
}

impl<'a> Draw<'a> {
    pub fn new(choices: &'a [u16]) -> Self {
        Self { choices, at: 0 }
    }

    pub fn below(&mut self, n: usize) -> usize {
        let choice = self.choices.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(choice) % n
    }

    /// True in one of `n`; never where no choice is left.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub fn word(&mut self) -> &'static str {
        self.of(TEXTS)
    }

    pub fn text(&mut self) -> Value {
        json!(self.word())
    }

    /// A scalar that each reader takes as it does.
    pub fn plain(&mut self) -> Value {
        json!(format!("{AS_IT_IS}{}", self.of(PLAIN)))
    }

    /// A number of things.
    pub fn several<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..1 + self.below(most)).map(|_| make(self)).collect()
    }

    pub fn pairs(&mut self) -> Value {
        let pairs = self.several(2, |draw| (draw.of(KEYS).to_owned(), draw.text()));
        Value::Object(pairs.into_iter().collect())
    }
}
