//! Calls: operators, functions, methods.

use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

use super::super::declare::{Overload, overloads};
use super::super::functions::{self, format, pattern};
use super::super::node::Node;
use super::super::types::Type;
use super::super::value::Value;
use super::super::{Budget, Refused};
use super::{Checked, Checker, dotted};

impl Checker<'_> {
    pub(super) fn call(&mut self, call: &CallExpr) -> Checked {
        let name = call.func_name.strip_prefix('.').unwrap_or(&call.func_name);
        if let Some(target) = &call.target {
            if let Some(found) = self.macros(name, target, &call.args)? {
                return Ok(found);
            }
            // `optional.of(x)`: the whole is the name of a function.
            if let Some(prefix) = dotted(target) {
                let whole = format!("{}.{name}", prefix.strip_prefix('.').unwrap_or(&prefix));
                if let Some(forms) = overloads(&whole) {
                    return self.resolve(&whole, forms, None, &call.args);
                }
            }
            let target = self.check(target)?;
            let forms = overloads(name).ok_or_else(|| unknown(name))?;
            return self.resolve(name, forms, Some(target), &call.args);
        }
        match (name, call.args.as_slice()) {
            ("_?._", [operand, field]) => self.select_if_present(operand, field),
            ("_&&_" | "_||_", [left, right]) => {
                let (left, of) = self.check(left)?;
                let (right, other) = self.check(right)?;
                self.want(&Type::Bool, &of)?;
                self.want(&Type::Bool, &other)?;
                let both = Box::new([left, right]);
                Ok((if name == "_&&_" { Node::And(both) } else { Node::Or(both) }, Type::Bool))
            }
            ("_?_:_", [condition, then, otherwise]) => self.conditional(condition, then, otherwise),
            _ => {
                let forms = overloads(name).ok_or_else(|| unknown(name))?;
                self.resolve(name, forms, None, &call.args)
            }
        }
    }

    fn conditional(&mut self, condition: &IdedExpr, then: &IdedExpr, otherwise: &IdedExpr) -> Checked {
        let (condition, is) = self.check(condition)?;
        let (then, a) = self.check(then)?;
        let (otherwise, b) = self.check(otherwise)?;
        let result = self.known.variable();
        if !self.known.all_fit(&[(&is, &Type::Bool), (&a, &result), (&b, &result)]) {
            return Err(self.no_overload("_?_:_", &[is, a, b], false));
        }
        let of = self.known.resolve(&result);
        Ok((Node::If(Box::new([condition, then, otherwise])), of))
    }

    fn select_if_present(&mut self, operand: &IdedExpr, field: &IdedExpr) -> Checked {
        let Expr::Literal(LiteralValue::String(name)) = &field.expr else {
            return Err(Refused::invalid("unsupported optional field selection"));
        };
        let (operand, field, of) = self.field(operand, name.inner())?;
        let of = match self.known.resolve(&of) {
            Type::Optional(of) => Type::Optional(of),
            other => Type::optional(other),
        };
        Ok((Node::SelectIfPresent(Box::new(operand), field), of))
    }

    /// Finds the forms that fit the arguments, as cel-go does: the first says the type of the result, and `dyn` does
    /// where another that fits says otherwise.
    fn resolve(&mut self, name: &str, forms: &[Overload], target: Option<(Node, Type)>, args: &[IdedExpr]) -> Checked {
        let member = target.is_some();
        let (mut nodes, mut types): (Vec<_>, Vec<_>) = target.into_iter().unzip();
        self.in_format += usize::from(name == "format");
        for arg in args {
            let (node, of) = self.check(arg)?;
            nodes.push(node);
            types.push(of);
        }
        self.in_format -= usize::from(name == "format");
        if let (
            true,
            "format",
            [Node::Const(Value::String(text)), Node::List(_)],
            [IdedExpr { expr: Expr::List(_), .. }],
        ) = (member, name, nodes.as_slice(), args)
        {
            format::check(text, &self.elements).map_err(|why| Refused::invalid(why.to_string()))?;
        }
        let of = self.result(name, forms, &types, member)?;
        Ok((self.node(name, nodes)?, of))
    }

    /// The type that a call has.
    pub(super) fn result(
        &mut self,
        name: &str,
        forms: &[Overload],
        types: &[Type],
        member: bool,
    ) -> Result<Type, Refused> {
        let mut result: Option<Type> = None;
        for form in forms.iter().filter(|form| form.member == member && form.args.len() == types.len()) {
            let mut letters = Vec::new();
            let wanted: Vec<_> = form.args.iter().map(|of| self.fresh(of, &mut letters)).collect();
            let gives = self.fresh(&form.result, &mut letters);
            let pairs: Vec<_> = types.iter().zip(&wanted).collect();
            if self.known.all_fit(&pairs) {
                let gives = self.known.resolve(&gives);
                result = Some(match result {
                    None => gives,
                    Some(before) if before != Type::Dyn && before != gives => Type::Dyn,
                    Some(before) => before,
                });
            }
        }
        result.ok_or_else(|| self.no_overload(name, types, member))
    }

    /// A type of the table with its letters as types to be found out.
    fn fresh(&mut self, of: &Type, letters: &mut Vec<(u32, Type)>) -> Type {
        match of {
            Type::Variable(letter) => {
                if let Some((_, known)) = letters.iter().find(|(seen, _)| seen == letter) {
                    return known.clone();
                }
                let new = self.known.variable();
                letters.push((*letter, new.clone()));
                new
            }
            Type::List(of) => Type::list(self.fresh(of, letters)),
            Type::Optional(of) => Type::optional(self.fresh(of, letters)),
            Type::Type(of) => Type::Type(Box::new(self.fresh(of, letters))),
            Type::Map(key, value) => {
                let key = self.fresh(key, letters);
                Type::map(key, self.fresh(value, letters))
            }
            other => other.clone(),
        }
    }

    fn no_overload(&self, name: &str, types: &[Type], member: bool) -> Refused {
        let told: Vec<_> = types.iter().map(|of| self.settled(of).to_string()).collect();
        let applied = match told.split_first() {
            Some((target, rest)) if member => format!("{target}.({})", rest.join(", ")),
            _ => format!("({})", told.join(", ")),
        };
        Refused::invalid(format!("found no matching overload for '{name}' applied to '{applied}'"))
    }

    /// The call itself.
    pub(super) fn node(&self, name: &str, mut args: Vec<Node>) -> Result<Node, Refused> {
        let two = |args: Vec<Node>| <[Node; 2]>::try_from(args).map(Box::new).map_err(|_| unknown(name));
        match name {
            "_[_]" => return Ok(Node::Index(two(args)?)),
            "_[?_]" => return Ok(Node::IndexIfPresent(two(args)?)),
            "or" => return Ok(Node::Else(two(args)?, false)),
            "orValue" => return Ok(Node::Else(two(args)?, true)),
            "matches" | "find" | "findAll" => {
                if let Some(Node::Const(Value::String(written))) = args.get(1) {
                    let compiled = pattern::compile(written).map_err(|why| match name {
                        "matches" => Refused::invalid("invalid matches argument"),
                        _ => Refused::invalid(why),
                    })?;
                    args.remove(1);
                    return Ok(Node::Pattern(name.into(), Arc::new(compiled), args));
                }
            }
            _ => {}
        }
        let function = functions::find(name).ok_or_else(|| unknown(name))?;
        // What is converted from a literal either can be or is a mistake.
        if matches!(name, "bool" | "bytes" | "double" | "duration" | "dyn" | "int" | "string" | "timestamp" | "uint")
            && let [Node::Const(value)] = args.as_slice()
        {
            let made = function(std::slice::from_ref(value), &mut Budget::default());
            return made.map(Node::Const).map_err(|fault| match name {
                "duration" | "timestamp" => Refused::invalid(format!("invalid {name} argument")),
                _ => Refused::invalid(fault.to_string()),
            });
        }
        Ok(Node::Call(name.into(), function, args))
    }
}

fn unknown(name: &str) -> Refused {
    Refused::invalid(format!("undeclared reference to '{name}' (in container '')"))
}
