//! What an expression may name: functions, variables, types.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use super::types::Type;

/// One form of a function. In its types, `Variable(n)` is the nth letter.
#[derive(Debug)]
pub(super) struct Overload {
    pub(super) member: bool,
    pub(super) args: Vec<Type>,
    pub(super) result: Type,
}

/// Variables of an expression and their types.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    pub(super) variables: Vec<(&'static str, Type)>,
    pub(super) structs: BTreeMap<&'static str, BTreeMap<String, Type>>,
    pub(super) unavailable: Vec<&'static str>,
}

impl Declared {
    /// Declares a variable. Values are given in the order of declaration.
    #[must_use]
    pub fn variable(mut self, name: &'static str, of: Type) -> Self {
        self.variables.push((name, of));
        self
    }

    /// Declares the fields of objects of a type.
    #[must_use]
    pub fn object(mut self, name: &'static str, fields: &[(&str, Type)]) -> Self {
        self.structs.insert(name, fields.iter().map(|(field, of)| ((*field).to_owned(), of.clone())).collect());
        self
    }

    /// Declares one more field of a type that was declared.
    pub fn field(&mut self, name: &'static str, field: &str, of: Type) {
        self.structs.entry(name).or_default().insert(field.to_owned(), of);
    }

    /// Names a variable that exists elsewhere and has no value here: an expression that uses it is not compiled.
    #[must_use]
    pub fn unavailable(mut self, name: &'static str) -> Self {
        self.unavailable.push(name);
        self
    }
}

/// Forms of a function, in their order; `None` for one that is not known.
pub(super) fn overloads(name: &str) -> Option<&'static [Overload]> {
    static FUNCTIONS: LazyLock<HashMap<String, Vec<Overload>>> = LazyLock::new(functions);
    FUNCTIONS.get(name).map(Vec::as_slice)
}

/// Names of types that stand for values, and the type that each names.
pub(super) fn named(name: &str) -> Option<Type> {
    Some(match name {
        "bool" => Type::Bool,
        "bytes" => Type::Bytes,
        "double" => Type::Double,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "string" => Type::String,
        "null_type" => Type::Null,
        "list" => Type::list(Type::Dyn),
        "map" => Type::map(Type::Dyn, Type::Dyn),
        "type" => Type::Type(Box::new(Type::Dyn)),
        "google.protobuf.Timestamp" => Type::Timestamp,
        "google.protobuf.Duration" => Type::Duration,
        "optional_type" => Type::optional(Type::Dyn),
        _ => return None,
    })
}

const COMPARABLE: [Type; 8] =
    [Type::Int, Type::Uint, Type::Double, Type::Bool, Type::Duration, Type::Timestamp, Type::String, Type::Bytes];

fn functions() -> HashMap<String, Vec<Overload>> {
    let mut functions: HashMap<String, Vec<Overload>> = HashMap::new();
    let mut declare = |name: &str, overload| functions.entry(name.to_owned()).or_default().push(overload);
    for line in include_str!("signatures.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut reader = Reader { rest: line };
        let member = reader.eat('.');
        let name = reader.until('(');
        let mut args = Vec::new();
        while !reader.eat(')') {
            args.push(reader.of());
            reader.eat(',');
        }
        reader.eat(':');
        declare(&name, Overload { member, args, result: reader.of() });
    }
    let order = |a: &Type, b: &Type| Overload { member: false, args: vec![a.clone(), b.clone()], result: Type::Bool };
    for name in ["_<_", "_<=_", "_>_", "_>=_"] {
        for of in &COMPARABLE {
            declare(name, order(of, of));
        }
        let numbers = [Type::Int, Type::Uint, Type::Double];
        for (a, b) in numbers.iter().flat_map(|a| numbers.iter().map(move |b| (a, b))).filter(|(a, b)| a != b) {
            declare(name, order(a, b));
        }
    }
    for of in &COMPARABLE {
        let list = Type::list(of.clone());
        let mut on_list = |name: &str, result: Type| {
            declare(name, Overload { member: true, args: vec![list.clone()], result });
        };
        on_list("isSorted", Type::Bool);
        on_list("min", of.clone());
        on_list("max", of.clone());
        on_list("sort", list.clone());
        let any = Type::list(Type::Variable(0));
        declare("@sortByAssociatedKeys", Overload { member: true, args: vec![any.clone(), list], result: any });
    }
    functions
}

/// Reads a line of the table.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn eat(&mut self, wanted: char) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn until(&mut self, end: char) -> String {
        let (head, rest) = self.rest.split_once(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        head.to_owned()
    }

    fn of(&mut self) -> Type {
        self.rest = self.rest.trim_start();
        let length = self.rest.find(['(', ')', ',']).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        let opaque = [
            "kubernetes.Quantity",
            "kubernetes.Semver",
            "kubernetes.URL",
            "kubernetes.NamedFormat",
            "net.IP",
            "net.CIDR",
        ];
        match name {
            "dyn" => Type::Dyn,
            "timestamp" => Type::Timestamp,
            "duration" => Type::Duration,
            "list" | "optional" | "type" | "map" => {
                self.eat('(');
                let first = self.of();
                let whole = match name {
                    "list" => Type::list(first),
                    "optional" => Type::optional(first),
                    "type" => Type::Type(Box::new(first)),
                    _ => {
                        self.eat(',');
                        Type::map(first, self.of())
                    }
                };
                self.eat(')');
                whole
            }
            letter if letter.len() == 1 => Type::Variable(u32::from(letter.as_bytes()[0])),
            other => match opaque.iter().find(|known| **known == other) {
                Some(known) => Type::Opaque(known),
                // A test declares the whole table.
                None => named(other).unwrap_or(Type::Dyn),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table is read, and every function of it has its code.
    #[test]
    fn every_signature_is_of_known_types_and_has_a_function() {
        let written: Vec<_> = include_str!("signatures.txt").lines().filter(|line| !line.starts_with('#')).collect();
        for line in written {
            let (name, rest) = line.split_once('(').expect("arguments");
            let name = name.strip_prefix('.').unwrap_or(name);
            let found = overloads(name).expect("declared");
            assert!(!found.is_empty());
            for word in rest.split(['(', ')', ',', ':', ' ']).filter(|word| !word.is_empty() && word.len() > 1) {
                let simple = ["dyn", "timestamp", "duration", "optional"].contains(&word) || named(word).is_some();
                assert!(simple || word.contains('.'), "{word} in {line}");
            }
            let special = ["_[_]", "_[?_]", "or", "orValue"].contains(&name);
            assert!(special || super::super::functions::find(name).is_some(), "{name} has no code");
        }
        for name in ["_<_", "_<=_", "_>_", "_>=_", "isSorted", "min", "max", "sort", "@sortByAssociatedKeys"] {
            assert!(super::super::functions::find(name).is_some(), "{name} has no code");
        }
    }
}
