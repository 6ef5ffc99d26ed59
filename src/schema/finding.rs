//! What was found, and where in the object.

use std::cell::Cell;
use std::fmt::Write as _;
use std::rc::Rc;

use serde_json::Value;

use crate::object::mask::is_secret_object;
use crate::object::near::{nearest, question};
use crate::object::{Manifest, Problem};

/// Something that is wrong in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// JSON pointer of the field, which need not be there.
    pub pointer: String,
    /// The same as people and the API server write it: `spec.containers[0].image`.
    pub path: String,
    /// What is wrong, of no place yet.
    pub problem: Problem,
}

/// A step into a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

/// Where a walk through an object is, and what it has found.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    steps: Vec<Step<'a>>,
    found: Vec<Finding>,
    /// Whether values may be repeated.
    shown: bool,
    /// Steps that validation may still take, branches included.
    steps_left: Rc<Cell<u32>>,
}

/// Steps that validating one object may take: items and alternatives multiply, and a definition comes
/// from a repository.
const STEPS: u32 = 300_000;

impl<'a> Findings<'a> {
    /// Of a manifest. No value is repeated of one that has secrets.
    pub fn of(manifest: &Manifest) -> Self {
        Self::new(!is_secret_object(&manifest.body) && manifest.masked.is_empty())
    }

    pub fn new(shown: bool) -> Self {
        Self { steps: Vec::new(), found: Vec::new(), shown, steps_left: Rc::new(Cell::new(STEPS)) }
    }

    /// Of other values of the same object.
    pub fn of_values(like: &Findings<'_>) -> Self {
        Self::new(like.shown)
    }

    /// Findings of the same place that may come to nothing.
    pub fn branch(&self) -> Self {
        let steps_left = Rc::clone(&self.steps_left);
        Self { steps: self.steps.clone(), found: Vec::new(), shown: self.shown, steps_left }
    }

    /// Takes a step of validation; `false` where none is left.
    pub fn step(&self) -> bool {
        let left = self.steps_left.get();
        self.steps_left.set(left.saturating_sub(1));
        left > 0
    }

    /// Whether all steps were taken.
    pub fn is_exhausted(&self) -> bool {
        self.steps_left.get() == 0
    }

    /// Looks at a part of the value.
    pub fn within(&mut self, step: Step<'a>, look: impl FnOnce(&mut Self)) {
        self.steps.push(step);
        look(self);
        self.steps.pop();
    }

    /// Something is wrong here; the path stands before the message.
    pub fn here(&mut self, rule: &str, message: impl Into<String>) -> &mut Problem {
        let path = self.path();
        let message = message.into();
        let shown = if path.is_empty() { "the object".to_owned() } else { path.clone() };
        self.found.push(Finding {
            pointer: self.pointer(),
            path,
            problem: Problem::new(rule, format!("{shown} {message}")),
        });
        &mut self.found.last_mut().expect("just pushed").problem
    }

    /// Adds something that is wrong with the object as a whole, or a finding of a branch.
    pub fn add(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    /// A field that the kind does not have. `known` are those that it has here.
    pub fn unknown(&mut self, known: &[&str]) {
        let name = match self.steps.last() {
            Some(Step::Field(name)) => (*name).to_owned(),
            _ => String::new(),
        };
        let problem = self.here("UnknownField", "is no field that this kind has");
        if let Some(meant) = nearest(&name, known) {
            problem.hint = Some(question(meant));
        }
    }

    /// Advice on what was found last, where it has none.
    pub fn advise(&mut self, hint: impl FnOnce() -> String) {
        if let Some(found) = self.found.last_mut() {
            found.problem.hint.get_or_insert_with(hint);
        }
    }

    /// A value of another type.
    pub fn wrong_type(&mut self, value: &Value, wanted: &str) -> &mut Problem {
        self.here("WrongType", format!("is {}, not {wanted}", a(value)))
    }

    /// A text that is none of those that may stand here.
    pub fn unsupported(&mut self, text: &str, allowed: &[&str]) {
        let told = if self.shown { format!("is {text:?}, which is") } else { "is".to_owned() };
        let one_of = if allowed.len() > 12 {
            format!("{}, … ({} values)", allowed[..8].join(", "), allowed.len())
        } else {
            allowed.join(", ")
        };
        let problem = self.here("UnsupportedValue", format!("{told} none of: {one_of}"));
        if let Some(meant) = nearest(text, allowed) {
            problem.hint = Some(question(meant));
        }
    }

    /// What may be said of a value: itself, or nothing where it may be secret.
    pub fn told(&self, value: &Value) -> String {
        let text = value.to_string();
        if self.shown && text.chars().count() <= 80 { format!(" {text}") } else { String::new() }
    }

    pub fn into_found(self) -> Vec<Finding> {
        self.found
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.steps {
            let _ = match step {
                Step::Field(name) => write!(pointer, "/{}", name.replace('~', "~0").replace('/', "~1")),
                Step::Item(at) => write!(pointer, "/{at}"),
            };
        }
        pointer
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.steps {
            let _ = match step {
                Step::Field(name) if path.is_empty() => write!(path, "{name}"),
                Step::Field(name) if name.contains(['.', '/', '[']) => write!(path, "[{name}]"),
                Step::Field(name) => write!(path, ".{name}"),
                Step::Item(at) => write!(path, "[{at}]"),
            };
        }
        path
    }
}

/// What a value is, in words.
pub(super) fn a(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
