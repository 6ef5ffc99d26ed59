//! Comprehensions: those that the parser wrote out, and those that it does not know.

use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue};

use super::super::Refused;
use super::super::declare::overloads;
use super::super::node::{Fold, Kind, Node};
use super::super::types::Type;
use super::{Checked, Checker};

/// Where the parser keeps what a comprehension gathered.
const GATHERED: [&str; 2] = ["@result", "__result__"];

/// The parts of a comprehension, from whatever they were written in.
struct Parts<'a> {
    kind: Kind,
    range: &'a IdedExpr,
    variables: Vec<&'a str>,
    filter: Option<&'a IdedExpr>,
    body: &'a IdedExpr,
}

impl Checker<'_> {
    /// What the parser made of `all`, `exists`, `exists_one`, `map` and `filter`.
    pub(super) fn expanded(&mut self, made: &ComprehensionExpr) -> Checked {
        let parts = |kind, filter, body| Parts {
            kind,
            range: &made.iter_range,
            variables: vec![made.iter_var.as_str()],
            filter,
            body,
        };
        let Expr::Call(step) = &made.loop_step.expr else {
            return Err(Refused::invalid("a comprehension is of no known form"));
        };
        let parts = match (&made.accu_init.expr, step.func_name.as_str(), step.args.as_slice()) {
            (Expr::Literal(LiteralValue::Boolean(_)), "_&&_", [_, body]) => parts(Kind::All, None, body),
            (Expr::Literal(LiteralValue::Boolean(_)), "_||_", [_, body]) => parts(Kind::Exists, None, body),
            (Expr::Literal(LiteralValue::Int(_)), "_?_:_", [body, ..]) => parts(Kind::ExistsOne, None, body),
            (Expr::List(_), "_?_:_", [filter, added, _]) => parts(Kind::List, Some(filter), element(added)?),
            (Expr::List(_), "_+_", _) => parts(Kind::List, None, element(&made.loop_step)?),
            _ => return Err(Refused::invalid("a comprehension is of no known form")),
        };
        self.fold(&parts)
    }

    /// Macros that the parser does not write out.
    pub(super) fn macros(
        &mut self,
        name: &str,
        target: &IdedExpr,
        args: &[IdedExpr],
    ) -> Result<Option<(Node, Type)>, Refused> {
        let kind = match (name, args.len()) {
            ("all", 3) => Kind::All,
            ("exists", 3) => Kind::Exists,
            ("exists_one" | "existsOne", 3) => Kind::ExistsOne,
            ("transformList", 3 | 4) => Kind::List,
            ("transformMap", 3 | 4) => Kind::Values,
            ("transformMapEntry", 3 | 4) => Kind::Entries,
            ("optMap" | "optFlatMap", 2) => return self.within_optional(name, target, args).map(Some),
            ("sortBy", 2) => return self.sort_by(target, args).map(Some),
            _ => return Ok(None),
        };
        let [first, second, rest @ ..] = args else { return Ok(None) };
        let variables = vec![simple(first)?, simple(second)?];
        if variables[0] == variables[1] {
            return Err(Refused::invalid(format!("duplicate variable name: {}", variables[0])));
        }
        let (filter, body) = match rest {
            [filter, body] => (Some(filter), body),
            [body] => (None, body),
            _ => return Ok(None),
        };
        self.fold(&Parts { kind, range: target, variables, filter, body }).map(Some)
    }

    fn fold(&mut self, parts: &Parts<'_>) -> Checked {
        if let Some(name) = parts.variables.iter().find(|name| GATHERED.contains(name)) {
            return Err(Refused::invalid(format!("iteration variable overwrites accumulator variable: {name}")));
        }
        let (range, of) = self.check(parts.range)?;
        let of = self.known.resolve(&of);
        let (first, second) = match &of {
            Type::List(of) => (Type::Int, (**of).clone()),
            Type::Map(key, value) => ((**key).clone(), (**value).clone()),
            Type::Dyn | Type::Variable(_) => {
                self.known.fits(&Type::Dyn, &of);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let told = "cannot be range of a comprehension (must be list, map, or dynamic)";
                return Err(Refused::invalid(format!("expression of type '{other}' {told}")));
            }
        };
        let two = parts.variables.len() == 2;
        let outside = self.locals.len();
        if two {
            self.locals.push((parts.variables[0].to_owned(), first));
            self.locals.push((parts.variables[1].to_owned(), second));
        } else {
            let each = if matches!(of, Type::Map(..)) { first } else { second };
            self.locals.push((parts.variables[0].to_owned(), each));
        }
        let filter = match parts.filter {
            None => None,
            Some(filter) => {
                let (node, of) = self.check(filter)?;
                self.want(&Type::Bool, &of)?;
                Some(node)
            }
        };
        let (body, gives) = self.check(parts.body)?;
        let result = match parts.kind {
            Kind::All | Kind::Exists | Kind::ExistsOne => {
                self.want(&Type::Bool, &gives)?;
                Type::Bool
            }
            Kind::List => Type::list(gives),
            Kind::Values => Type::map(self.locals[outside].1.clone(), gives),
            Kind::Entries => {
                let wanted = Type::map(self.known.variable(), self.known.variable());
                self.want(&wanted, &gives)?;
                wanted
            }
        };
        self.locals.truncate(outside);
        let fold = Fold { kind: parts.kind, range, two, filter, body };
        Ok((Node::Fold(Box::new(fold)), self.known.resolve(&result)))
    }

    /// `x.optMap(v, body)`: what the value becomes, where there is one.
    fn within_optional(&mut self, name: &str, target: &IdedExpr, args: &[IdedExpr]) -> Checked {
        let Some(Ok(variable)) = args.first().map(simple) else {
            return Err(Refused::invalid(format!("{name}() variable name must be a simple identifier")));
        };
        let (value, of) = self.check(target)?;
        let inner = self.known.variable();
        if !self.known.fits(&of, &Type::optional(inner.clone())) {
            return Err(self.mismatch(&Type::optional(Type::Dyn), &of));
        }
        let inner = self.known.resolve(&inner);
        let outside = self.locals.len();
        // The optional itself, which no expression can name, and what is in it.
        self.locals.push((String::new(), of));
        self.locals.push((variable.to_owned(), inner));
        let (body, gives) = self.check(&args[1])?;
        self.locals.truncate(outside);
        let (body, result) = if name == "optMap" {
            (self.node("optional.of", vec![body])?, Type::optional(gives))
        } else {
            let wanted = Type::optional(self.known.variable());
            self.want(&wanted, &gives)?;
            (body, self.known.resolve(&wanted))
        };
        let there = self.node("hasValue", vec![Node::Local(outside)])?;
        let content = self.node("value", vec![Node::Local(outside)])?;
        let none = self.node("optional.none", Vec::new())?;
        let with = Node::Bind(Box::new([content, body]));
        let chosen = Node::If(Box::new([there, with, none]));
        Ok((Node::Bind(Box::new([value, chosen])), self.known.resolve(&result)))
    }

    /// `list.sortBy(v, key)`: the list and the list of its keys, sorted together.
    fn sort_by(&mut self, target: &IdedExpr, args: &[IdedExpr]) -> Checked {
        let variable = simple(&args[0])?;
        let (value, of) = self.check(target)?;
        let outside = self.locals.len();
        self.locals.push((String::new(), of.clone()));
        let each = match self.known.resolve(&of) {
            Type::List(of) => *of,
            Type::Dyn | Type::Variable(_) => Type::Dyn,
            other => {
                let told = "cannot be range of a comprehension (must be list, map, or dynamic)";
                return Err(Refused::invalid(format!("expression of type '{other}' {told}")));
            }
        };
        self.locals.push((variable.to_owned(), each));
        let (body, key) = self.check(&args[1])?;
        self.locals.truncate(outside);
        let range = Node::Local(outside);
        let keys = Node::Fold(Box::new(Fold { kind: Kind::List, range, two: false, filter: None, body }));
        let name = "@sortByAssociatedKeys";
        let result = self.result(name, overloads(name).unwrap_or_default(), &[of, Type::list(key)], true)?;
        let sorted = self.node(name, vec![Node::Local(outside), keys])?;
        Ok((Node::Bind(Box::new([value, sorted])), result))
    }
}

/// The one element that a step adds to a list.
fn element(step: &IdedExpr) -> Result<&IdedExpr, Refused> {
    if let Expr::Call(added) = &step.expr
        && let [_, list] = added.args.as_slice()
        && let Expr::List(list) = &list.expr
        && let [element] = list.elements.as_slice()
    {
        return Ok(element);
    }
    Err(Refused::invalid("a comprehension is of no known form"))
}

fn simple(expr: &IdedExpr) -> Result<&str, Refused> {
    match &expr.expr {
        Expr::Ident(name) => Ok(name),
        _ => Err(Refused::invalid("argument must be a simple name")),
    }
}
