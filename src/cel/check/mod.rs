//! Checks the types of an expression by cel-go's rules (`checker/checker.go`) and makes it ready to be evaluated.
//!
//! What is not known here is refused by its name, so that it is never evaluated as something else.

mod call;
mod fold;
mod literal;

use std::sync::Arc;

use cel::common::ast::{Expr, IdedExpr, LiteralValue};

use super::Refused;
use super::declare::{Declared, named};
use super::node::Node;
use super::types::{Known, Type};
use super::value::Value;

/// A part of an expression: what it is and of which type.
type Checked = Result<(Node, Type), Refused>;

/// The state of a check.
pub(super) struct Checker<'a> {
    declared: &'a Declared,
    known: Known,
    /// Variables of the comprehensions around, outermost first.
    locals: Vec<(String, Type)>,
    /// Types of the elements of the list that was checked last.
    elements: Vec<Type>,
    /// Within arguments of `format`, lists may mix types that are not known.
    in_format: usize,
}

impl<'a> Checker<'a> {
    pub(super) fn new(declared: &'a Declared) -> Self {
        Self { declared, known: Known::default(), locals: Vec::new(), elements: Vec::new(), in_format: 0 }
    }

    /// Checks a whole expression; what is not known of its type is `dyn`.
    pub(super) fn run(mut self, expr: &IdedExpr) -> Checked {
        let (node, of) = self.check(expr)?;
        Ok((node, self.settled(&of)))
    }

    /// The type with everything unknown as `dyn`.
    fn settled(&self, of: &Type) -> Type {
        fn dynamic(of: Type) -> Type {
            match of {
                Type::Variable(_) => Type::Dyn,
                Type::List(of) => Type::list(dynamic(*of)),
                Type::Optional(of) => Type::optional(dynamic(*of)),
                Type::Map(key, value) => Type::map(dynamic(*key), dynamic(*value)),
                other => other,
            }
        }
        dynamic(self.known.resolve(of))
    }

    fn check(&mut self, expr: &IdedExpr) -> Checked {
        match &expr.expr {
            Expr::Literal(literal) => Ok(constant(literal)),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) if select.test => {
                let (operand, field, _) = self.field(&select.operand, &select.field)?;
                Ok((Node::Has(Box::new(operand), field), Type::Bool))
            }
            Expr::Select(select) => {
                if let Some(found) = self.qualified(expr) {
                    return Ok(found);
                }
                if self.is_composed(&select.operand) {
                    let of = self.declared_field("variables", &select.field)?;
                    return Ok((Node::Composed(select.field.as_str().into()), of));
                }
                let (operand, field, of) = self.field(&select.operand, &select.field)?;
                Ok((Node::Select(Box::new(operand), field), self.known.resolve(&of)))
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.list(list),
            Expr::Map(map) => self.map(map),
            Expr::Comprehension(comprehension) => self.expanded(comprehension),
            Expr::Struct(made) if named(&made.type_name).is_none() => Err(undeclared(&made.type_name)),
            Expr::Struct(made) => {
                Err(Refused::invalid(format!("{}{{…}} makes a message, which is not supported", made.type_name)))
            }
            Expr::Unspecified => Err(Refused::invalid("Syntax error: an expression is missing")),
        }
    }

    fn name(&self, written: &str) -> Checked {
        let name = written.strip_prefix('.').unwrap_or(written);
        if let Some(at) = self.locals.iter().rposition(|(local, _)| local == written) {
            return Ok((Node::Local(at), self.locals[at].1.clone()));
        }
        if self.declared.unavailable.contains(&name) {
            return Err(Refused::Unavailable(format!("{name} is not available here")));
        }
        if let Some(at) = self.declared.variables.iter().position(|(declared, _)| *declared == name) {
            if name == "variables" {
                return Err(Refused::invalid("variables can only be used as variables.NAME"));
            }
            return Ok((Node::Global(at), self.declared.variables[at].1.clone()));
        }
        if let Some(of) = named(name) {
            return Ok(type_value(name, of));
        }
        Err(undeclared(name))
    }

    /// A name with dots that is one name: that of a type.
    fn qualified(&self, expr: &IdedExpr) -> Option<(Node, Type)> {
        let name = dotted(expr)?;
        let root = name.split('.').next().unwrap_or_default();
        if self.locals.iter().any(|(local, _)| local == root) {
            return None;
        }
        named(&name).map(|of| type_value(&name, of))
    }

    fn is_composed(&self, operand: &IdedExpr) -> bool {
        let named = matches!(&operand.expr, Expr::Ident(name) if name == "variables");
        named
            && self.declared.structs.contains_key("variables")
            && !self.locals.iter().any(|(local, _)| local == "variables")
    }

    /// What `operand.field` selects: the operand, the field, and the type of the field.
    fn field(&mut self, operand: &IdedExpr, field: &str) -> Result<(Node, Arc<str>, Type), Refused> {
        if self.is_composed(operand) {
            let message = "variables can only be used as variables.NAME";
            self.declared_field("variables", field)?;
            return Err(Refused::invalid(message));
        }
        let (node, of) = self.check(operand)?;
        let of = self.known.resolve(&of);
        let (target, optional) = match of {
            Type::Optional(of) => (*of, true),
            other => (other, false),
        };
        let found = match &target {
            Type::Map(_, value) => (**value).clone(),
            Type::Struct(name) => self.declared_field(name, field)?,
            Type::Variable(_) => {
                self.known.fits(&Type::Dyn, &target);
                Type::Dyn
            }
            Type::Dyn => Type::Dyn,
            other => return Err(Refused::invalid(format!("type '{other}' does not support field selection"))),
        };
        Ok((node, field.into(), if optional { Type::optional(found) } else { found }))
    }

    fn declared_field(&self, of: &str, field: &str) -> Result<Type, Refused> {
        let found = self.declared.structs.get(of).and_then(|fields| fields.get(field));
        found.cloned().ok_or_else(|| Refused::invalid(format!("undefined field '{field}'")))
    }

    /// The type of elements that stand together.
    fn join(&mut self, before: Option<Type>, next: Type) -> Result<Type, Refused> {
        let Some(before) = before else { return Ok(next) };
        if !self.known.fits(&before, &next) {
            if self.in_format > 0 {
                return Ok(Type::Dyn);
            }
            return Err(self.mismatch(&before, &next));
        }
        let (a, b) = (self.known.resolve(&before), self.known.resolve(&next));
        // A list of literals is of one type, and one that is not known before it is evaluated is another.
        if self.in_format == 0 && !equivalent(&a, &b) {
            return Err(self.mismatch(&before, &next));
        }
        Ok(if super::types::less_specific(&a, &b) { before } else { next })
    }

    fn mismatch(&self, wanted: &Type, found: &Type) -> Refused {
        let (wanted, found) = (self.settled(wanted), self.settled(found));
        Refused::invalid(format!("expected type '{wanted}' but found '{found}'"))
    }

    /// That a part is a bool, as far as can be known.
    fn want(&mut self, wanted: &Type, found: &Type) -> Result<(), Refused> {
        if self.known.fits(wanted, found) { Ok(()) } else { Err(self.mismatch(wanted, found)) }
    }
}

fn undeclared(name: &str) -> Refused {
    Refused::invalid(format!("undeclared reference to '{name}' (in container '')"))
}

/// Whether two types are the same, those to be found out aside.
fn equivalent(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Variable(_), _) | (_, Type::Variable(_)) => true,
        (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => equivalent(a, b),
        (Type::Map(k, v), Type::Map(l, w)) => equivalent(k, l) && equivalent(v, w),
        (Type::Type(_), Type::Type(_)) => true,
        _ => a == b,
    }
}

fn type_value(name: &str, of: Type) -> (Node, Type) {
    (Node::Const(Value::Type(name.into())), Type::Type(Box::new(of)))
}

/// `a.b.c`, where the expression is only that.
pub(super) fn dotted(expr: &IdedExpr) -> Option<String> {
    match &expr.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => Some(format!("{}.{}", dotted(&select.operand)?, select.field)),
        _ => None,
    }
}

fn constant(literal: &LiteralValue) -> (Node, Type) {
    let (value, of) = match literal {
        LiteralValue::Boolean(value) => (Value::Bool(*value.inner()), Type::Bool),
        LiteralValue::Bytes(value) => (Value::Bytes(value.inner().into()), Type::Bytes),
        LiteralValue::Double(value) => (Value::Double(*value.inner()), Type::Double),
        LiteralValue::Int(value) => (Value::Int(*value.inner()), Type::Int),
        LiteralValue::Null => (Value::Null, Type::Null),
        LiteralValue::String(value) => (Value::String(value.inner().into()), Type::String),
        LiteralValue::UInt(value) => (Value::Uint(*value.inner()), Type::Uint),
    };
    (Node::Const(value), of)
}
