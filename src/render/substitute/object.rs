//! One object with its variables put in.

use serde_json::{Map, Value};

use super::text::{Expression, Piece, Why, bare_names, concerns, pieces};
use super::variables::{Secrecy, Unknown, Variables};
use crate::object::near::nearest;
use crate::object::{ObjectId, Problem, annotation, split_api_version, yaml};
use crate::render::object::{Fault, fault, pointer_part};

/// Says, as an annotation or a label with the value `disabled`, that an object is left as it is. The
/// second is Flux's, so that one repository serves both.
const LEFT_ALONE: [&str; 2] = [annotation::SUBSTITUTE, "kustomize.toolkit.fluxcd.io/substitute"];

/// Fields below which stand the texts of programs, with variables of their own.
const PROGRAMS: [&str; 6] = ["data", "stringData", "binaryData", "annotations", "command", "args"];

/// An object with its variables put in.
#[derive(Debug, PartialEq)]
pub struct Substituted {
    /// The object.
    pub body: Value,
    /// JSON pointers to the values that hold something secret.
    pub secrets: Vec<String>,
}

/// Puts the variables of an object in. `most` is how many bytes what is put in may come to.
///
/// Values and keys are the texts that they are: a variable never adds a field, an item or a document,
/// whatever stands in it, and it is not searched for variables itself.
///
/// # Errors
/// Everything that is wrong, with its place.
pub fn substitute(mut body: Value, variables: &Variables, most: u64) -> Result<Substituted, Vec<Fault>> {
    if is_left_alone(&body) {
        unmark(&mut body);
        return Ok(Substituted { body, secrets: Vec::new() });
    }
    let mut walk = Walk {
        variables,
        keeps_data: ["ConfigMap", "Secret"].iter().any(|kind| body["kind"] == *kind) && body["apiVersion"] == "v1",
        fields: Vec::new(),
        pointer: String::new(),
        left: most,
        most,
        faults: Vec::new(),
        secrets: Vec::new(),
    };
    walk.value(&mut body);
    if walk.faults.is_empty() {
        return Ok(Substituted { body, secrets: walk.secrets });
    }
    let label = label(&body);
    walk.faults.iter_mut().for_each(|fault| fault.problem.object.clone_from(&label));
    Err(walk.faults)
}

fn is_left_alone(body: &Value) -> bool {
    ["annotations", "labels"].iter().any(|field| {
        let entries = &body["metadata"][field];
        LEFT_ALONE.iter().any(|mark| entries[mark] == "disabled")
    })
}

/// The object as people read it, its variables as they are written; `None` where it is none.
fn label(body: &Value) -> Option<String> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = split_api_version(text("/apiVersion")).0;
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    let is_object = !kind.is_empty() && !name.is_empty();
    is_object.then(|| ObjectId::new(text("/metadata/namespace"), name, group, kind).to_string())
}

/// Takes the marks of variables without quotes off.
pub fn unmark(value: &mut Value) {
    match value {
        Value::String(text) => {
            let bare = yaml::unmarked(text).0;
            if bare.len() != text.len() {
                *text = bare.into_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(unmark),
        Value::Object(fields) => fields.values_mut().for_each(unmark),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text with its variables put in.
struct Filled {
    text: String,
    secrecy: Secrecy,
    /// Whether it was one variable and nothing else.
    whole: bool,
}

struct Walk<'a> {
    variables: &'a Variables,
    /// Whether `data` holds texts alone.
    keeps_data: bool,
    /// Where the walk is.
    fields: Vec<String>,
    pointer: String,
    /// Bytes that may still be put in.
    left: u64,
    most: u64,
    faults: Vec<Fault>,
    secrets: Vec<String>,
}

impl Walk<'_> {
    fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(filled) = self.text(text) {
                    *value = filled;
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.below(&at.to_string(), |walk| walk.value(item));
                }
            }
            Value::Object(fields) => self.mapping(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Goes to a part of the pointer and comes back.
    fn below(&mut self, part: &str, walk: impl FnOnce(&mut Self)) {
        let before = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&pointer_part(part));
        walk(self);
        self.pointer.truncate(before);
    }

    fn mapping(&mut self, fields: &mut Map<String, Value>) {
        if fields.keys().any(|key| concerns(key)) {
            for (key, value) in std::mem::take(fields) {
                let key = if concerns(&key) { self.key(key) } else { key };
                if fields.contains_key(&key) {
                    let message = format!("the key {key:?} stands twice once its variables are put in");
                    self.fault(Problem::new("DuplicateKey", message));
                }
                fields.insert(key, value);
            }
        }
        for (key, value) in fields.iter_mut() {
            self.fields.push(key.clone());
            self.below(key, |walk| walk.value(value));
            self.fields.pop();
        }
    }

    /// A key with its variables put in. Keys are shown wherever an object is.
    fn key(&mut self, key: String) -> String {
        match self.fill(&key) {
            Some(Filled { secrecy: Secrecy::Secret, .. }) => {
                self.shown(&key, "the key of a field");
                key
            }
            Some(filled) => filled.text,
            None => key,
        }
    }

    /// What a text becomes; `None` where it stays.
    fn text(&mut self, text: &str) -> Option<Value> {
        let (bare, plain) = yaml::unmarked(text);
        self.bare_names(&bare);
        if !concerns(&bare) {
            return (bare.len() != text.len()).then(|| Value::String(bare.into_owned()));
        }
        let Filled { text, secrecy, whole } = self.fill(&bare)?;
        if secrecy == Secrecy::Secret {
            if self.names_the_object() {
                self.shown(&bare, "what an object is called");
                return None;
            }
            self.secrets.push(self.pointer.clone());
        }
        Some(if plain && whole && !self.takes_text() { yaml::unquoted(&text) } else { Value::String(text) })
    }

    fn takes_text(&self) -> bool {
        (self.keeps_data && self.fields.first().is_some_and(|field| field == "data"))
            || yaml::takes_text(self.fields.iter().map(String::as_str))
    }

    fn names_the_object(&self) -> bool {
        matches!(&*self.pointer, "/apiVersion" | "/kind" | "/metadata/name" | "/metadata/namespace")
    }

    /// A text with its variables put in; `None` where something is wrong with it.
    fn fill(&mut self, text: &str) -> Option<Filled> {
        let pieces = pieces(text);
        let whole = matches!(*pieces, [Piece::Variable(_)]);
        let mut filled = Filled { text: String::with_capacity(text.len()), secrecy: Secrecy::Plain, whole };
        let mut right = true;
        for piece in pieces {
            match piece {
                Piece::Text(text) => filled.text.push_str(text),
                Piece::Variable(expression) => right &= self.expression(expression, &mut filled),
                Piece::Strange { written, why } if self.keeps(written, why) => filled.text.push_str(written),
                Piece::Strange { written, why } => {
                    right = false;
                    self.strange(written, why);
                }
            }
        }
        right.then_some(filled)
    }

    /// Puts one variable in, and says whether that could be done.
    fn expression(&mut self, expression: Expression<'_>, filled: &mut Filled) -> bool {
        let Expression { name, default, written } = expression;
        let variable = self.variables.get(name);
        let value = match variable.map(|variable| variable.value.as_ref()) {
            Some(None) => {
                let origin = variable.map_or("", |variable| &variable.origin);
                let message = format!("the value of the variable {name} is no text: {origin} holds bytes there");
                self.fault(Problem::new("InvalidVariable", message));
                return false;
            }
            Some(Some(value)) => Some(value.expose()).filter(|value| !value.is_empty() || default.is_none()),
            None => None,
        };
        let secret = value.is_some() && variable.is_some_and(|variable| variable.secrecy == Secrecy::Secret);
        let Some(value) = value.or(default) else {
            if self.variables.unknown == Unknown::Keep {
                filled.text.push_str(written);
                return true;
            }
            self.unknown(name, written);
            return false;
        };
        let bytes = value.len() as u64;
        if bytes > self.left {
            self.left = 0;
            let message = format!("variables put more than the {} bytes in that are allowed", self.most);
            self.fault(Problem::new("LimitExceeded", message));
            return false;
        }
        self.left -= bytes;
        if secret {
            filled.secrecy = Secrecy::Secret;
        }
        filled.text.push_str(value);
        true
    }

    /// Whether a form of the shell stays: where unknown variables do, and it names none that is known.
    fn keeps(&self, written: &str, why: Why) -> bool {
        let name = written[2..].split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
        self.variables.unknown == Unknown::Keep
            && !(why.keeps && name.is_some_and(|name| self.variables.get(name).is_some()))
    }

    fn unknown(&mut self, name: &str, written: &str) {
        let names: Vec<&str> = self.variables.names().collect();
        let problem = Problem::new("UnknownVariable", format!("the variable {name} of {written} has no value"));
        let hint = match nearest(name, &names) {
            Some(near) => format!("did you mean ${{{near}}}? Write $${{{name}}} where the text is meant"),
            None => format!(
                "give it a value in spec.substitute (or by --set {name}=…), a default by ${{{name}:=…}}, or write $${{{name}}} \
                 where the text is meant"
            ),
        };
        self.fault(problem.hint(hint));
    }

    fn strange(&mut self, written: &str, why: Why) {
        let problem = Problem::new("InvalidVariable", format!("{written} {}", why.message));
        let hint = why.hint.map_or_else(String::new, |hint| format!("{hint}; "));
        let keep = format!("write $${{ to keep the text, or annotate the object with {}: disabled", LEFT_ALONE[0]);
        self.fault(problem.hint(hint + &keep));
    }

    /// A secret value would stand where everybody sees it.
    fn shown(&mut self, text: &str, place: &str) {
        let named = pieces(text).into_iter().find_map(|piece| match piece {
            Piece::Variable(expression) => {
                self.variables.get(expression.name).filter(|variable| variable.secrecy == Secrecy::Secret)
            }
            _ => None,
        });
        let origin = named.map_or("a Secret", |variable| &variable.origin);
        let message = format!("{text:?} takes a value of {origin} into {place}, which is shown everywhere");
        self.fault(Problem::new("SecretInName", message).hint("take it from a ConfigMap or from spec.substitute.vars"));
    }

    /// `$NAME` without braces is text, as in scripts. In a field of the object itself it is a slip
    /// where there is a variable of that name.
    fn bare_names(&mut self, text: &str) {
        let of_programs = || self.fields.iter().any(|field| PROGRAMS.contains(&field.as_str()));
        if !text.contains('$') || text.contains('\n') || of_programs() {
            return;
        }
        if let Some(name) = bare_names(text).find(|name| self.variables.get(name).is_some()) {
            let problem = Problem::new("InvalidVariable", format!("${name} is no variable without braces"));
            let hint = format!("write ${{{name}}}, or annotate the object with {}: disabled", LEFT_ALONE[0]);
            self.fault(problem.hint(hint));
        }
    }

    fn fault(&mut self, problem: Problem) {
        self.faults.push(fault(self.pointer.clone(), problem));
    }
}
