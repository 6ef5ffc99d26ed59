//! Types, and which of them fit where: the rules of cel-go's `checker/types.go`.

use std::collections::BTreeMap;
use std::fmt;

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Not known before an expression is evaluated.
    Dyn,
    /// Of `null`.
    Null,
    /// bool
    Bool,
    /// int
    Int,
    /// uint
    Uint,
    /// double
    Double,
    /// string
    String,
    /// bytes
    Bytes,
    /// google.protobuf.Timestamp
    Timestamp,
    /// google.protobuf.Duration
    Duration,
    /// A list of one type.
    List(Box<Type>),
    /// A map of one type to another.
    Map(Box<Type>, Box<Type>),
    /// A value that may be absent.
    Optional(Box<Type>),
    /// The type of a type.
    Type(Box<Type>),
    /// A type of Kubernetes' libraries, by its name.
    Opaque(&'static str),
    /// An object with declared fields, by its name.
    Struct(&'static str),
    /// A type that is to be found out.
    Variable(u32),
}

impl Type {
    /// A list of this type.
    pub fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    /// A map to this type.
    pub fn map(key: Self, value: Self) -> Self {
        Self::Map(Box::new(key), Box::new(value))
    }

    /// An optional of this type.
    pub fn optional(of: Self) -> Self {
        Self::Optional(Box::new(of))
    }

    fn parts(&self) -> Vec<&Self> {
        match self {
            Self::List(of) | Self::Optional(of) | Self::Type(of) => vec![of],
            Self::Map(key, value) => vec![key, value],
            _ => Vec::new(),
        }
    }
}

/// As cel-go prints it.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn | Self::Variable(_) => f.write_str("dyn"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::List(of) => write!(f, "list({of})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Optional(of) => write!(f, "optional_type({of})"),
            Self::Type(of) => write!(f, "type({of})"),
            Self::Opaque(name) | Self::Struct(name) => f.write_str(name),
        }
    }
}

/// What is known of type variables.
#[derive(Debug, Default)]
pub struct Known {
    bound: BTreeMap<u32, Type>,
    /// What was bound before, of each that was bound since; to take it back.
    trail: Vec<(u32, Option<Type>)>,
    next: u32,
}

impl Known {
    /// A type that is to be found out.
    pub fn variable(&mut self) -> Type {
        self.next += 1;
        Type::Variable(self.next)
    }

    /// The type with everything that is known put in.
    pub fn resolve(&self, of: &Type) -> Type {
        match of {
            Type::Variable(id) => self.bound.get(id).map_or_else(|| of.clone(), |found| self.resolve(found)),
            Type::List(of) => Type::list(self.resolve(of)),
            Type::Optional(of) => Type::optional(self.resolve(of)),
            Type::Type(of) => Type::Type(Box::new(self.resolve(of))),
            Type::Map(key, value) => Type::map(self.resolve(key), self.resolve(value)),
            other => other.clone(),
        }
    }

    /// Whether a value of the second type can be where the first is wanted. What that says of
    /// variables is kept only where it can.
    pub fn fits(&mut self, wanted: &Type, given: &Type) -> bool {
        self.all_fit(&[(wanted, given)])
    }

    /// [`Known::fits`] for several at once.
    pub fn all_fit(&mut self, pairs: &[(&Type, &Type)]) -> bool {
        self.trail.clear();
        let fit = pairs.iter().all(|(a, b)| self.assignable(a, b));
        if !fit {
            while let Some((variable, before)) = self.trail.pop() {
                match before {
                    Some(before) => self.bound.insert(variable, before),
                    None => self.bound.remove(&variable),
                };
            }
        }
        fit
    }

    fn bind(&mut self, variable: u32, to: Type) {
        let before = self.bound.insert(variable, to);
        self.trail.push((variable, before));
    }

    fn assignable(&mut self, a: &Type, b: &Type) -> bool {
        if let Type::Variable(id) = b {
            let known = self.bound.contains_key(id);
            if self.substitutes(a, *id) {
                return true;
            }
            if known {
                return false;
            }
        }
        if let Type::Variable(id) = a {
            return self.substitutes(b, *id);
        }
        match (a, b) {
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (Type::Null, other) | (other, Type::Null) => matches!(
                other,
                Type::Null | Type::Optional(_) | Type::Opaque(_) | Type::Struct(_) | Type::Timestamp | Type::Duration
            ),
            (Type::Type(_), Type::Type(_)) => true,
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => self.assignable(a, b),
            (Type::Map(k, v), Type::Map(l, w)) => self.assignable(k, l) && self.assignable(v, w),
            _ => a == b,
        }
    }

    /// Whether the variable can be the type; binds it.
    fn substitutes(&mut self, of: &Type, variable: u32) -> bool {
        let this = Type::Variable(variable);
        if *of == this {
            return true;
        }
        if let Some(bound) = self.bound.get(&variable).cloned() {
            if *of == bound {
                return true;
            }
            if !self.assignable(of, &bound) {
                return false;
            }
            let general = if less_specific(of, &bound) { of.clone() } else { bound };
            if !self.mentions(&general, variable) {
                self.bind(variable, general);
            }
            return true;
        }
        if self.mentions(of, variable) {
            return false;
        }
        self.bind(variable, of.clone());
        true
    }

    fn mentions(&self, within: &Type, variable: u32) -> bool {
        match within {
            Type::Variable(id) if *id == variable => true,
            Type::Variable(id) => self.bound.get(id).is_some_and(|found| self.mentions(found, variable)),
            other => other.parts().iter().any(|part| self.mentions(part, variable)),
        }
    }
}

/// Whether the first type is equal to the second or says less.
pub fn less_specific(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Dyn | Type::Variable(_), _) => true,
        (_, Type::Dyn | Type::Variable(_)) => false,
        (Type::Type(_), Type::Type(_)) => true,
        (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => less_specific(a, b),
        (Type::Map(k, v), Type::Map(l, w)) => less_specific(k, l) && less_specific(v, w),
        _ => a == b,
    }
}
