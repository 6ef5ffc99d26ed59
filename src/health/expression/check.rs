//! What an expression may use. Everything else is refused by name, because the evaluator does not
//! know it, knows it wrongly, or would panic on it.

use kube_cel::cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};
use kube_cel::cel::parser::Expression;

use super::Refused;

/// Functions that yield what the API server's do, and no more data than they are given.
const FUNCTIONS: &[&str] = &[
    "asApproximateFloat",
    "asInteger",
    "charAt",
    "compareTo",
    "contains",
    "double",
    "duration",
    "endsWith",
    "find",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "indexOf",
    "int",
    "isGreaterThan",
    "isInteger",
    "isLessThan",
    "isQuantity",
    "isSemver",
    "isSorted",
    "lastIndexOf",
    "lowerAscii",
    "major",
    "matches",
    "max",
    "min",
    "minor",
    "patch",
    "quantity",
    "semver",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "size",
    "split",
    "startsWith",
    "string",
    "substring",
    "sum",
    "timestamp",
    "trim",
    "uint",
    "upperAscii",
];

/// Operators, as the parser names them.
const OPERATORS: &[&str] = &[
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
    operators::IN,
];

/// Refuses what the evaluator would get wrong, and turns `a.b` into `a["b"]`: of a value that is no
/// mapping the evaluator takes the latter for an error, as it should, and the former for `false`.
pub(super) fn check(expression: &mut Expression) -> Result<(), Refused> {
    walk(expression, &mut vec!["object".to_owned()])?;
    match depth(expression) {
        deep if deep > DEEPEST => Err(refused(format!("operations are nested deeper than {DEEPEST}"), None)),
        _ => Ok(()),
    }
}

/// Operations within operations. Evaluating recurses on the stack of the caller.
const DEEPEST: usize = 24;

fn depth(expression: &Expression) -> usize {
    let deepest = |parts: &mut dyn Iterator<Item = &Expression>| parts.map(depth).max().unwrap_or(0);
    1 + match &expression.expr {
        Expr::Call(call) => deepest(&mut call.target.as_deref().into_iter().chain(&call.args)),
        Expr::Select(select) => depth(&select.operand),
        Expr::List(list) => deepest(&mut list.elements.iter()),
        Expr::Map(map) => deepest(&mut map.entries.iter().flat_map(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
            EntryExpr::StructField(field) => vec![&field.value],
        })),
        Expr::Comprehension(each) => deepest(
            &mut [&each.iter_range, &each.accu_init, &each.loop_cond, &each.loop_step, &each.result].into_iter(),
        ),
        _ => 0,
    }
}

fn refused(message: impl Into<String>, hint: Option<&str>) -> Refused {
    Refused { message: message.into(), hint: hint.map(str::to_owned) }
}

fn walk(expression: &mut Expression, names: &mut Vec<String>) -> Result<(), Refused> {
    match &mut expression.expr {
        Expr::Literal(LiteralValue::UInt(_)) => {
            Err(refused("unsigned literals are not supported", Some("write the number without its u")))
        }
        Expr::Literal(_) => Ok(()),
        Expr::Ident(name) if names.contains(name) => Ok(()),
        Expr::Ident(name) => Err(refused(format!("{name} is not known; an expression speaks of object alone"), None)),
        Expr::Call(call) => walk_call(call, names),
        Expr::Select(select) if select.test => walk(&mut select.operand, names),
        Expr::Select(select) => {
            walk(&mut select.operand, names)?;
            let operand = std::mem::take(&mut *select.operand);
            let field = std::mem::take(&mut select.field);
            let key = Expression { id: expression.id, expr: Expr::Literal(LiteralValue::String(field.into())) };
            let func_name = operators::INDEX.to_owned();
            expression.expr = Expr::Call(CallExpr { func_name, target: None, args: vec![operand, key] });
            Ok(())
        }
        Expr::List(list) if !list.optional_indices.is_empty() => Err(refused("optional items are not supported", None)),
        Expr::List(list) => list.elements.iter_mut().try_for_each(|e| walk(e, names)),
        Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
            EntryExpr::MapEntry(entry) if !entry.optional => {
                walk(&mut entry.key, names)?;
                walk(&mut entry.value, names)
            }
            _ => Err(refused("optional entries are not supported", None)),
        }),
        Expr::Comprehension(each) => {
            if each.iter_var2.is_some() {
                return Err(refused("macros with two variables are not supported", Some("use one variable")));
            }
            walk(&mut each.iter_range, names)?;
            walk(&mut each.accu_init, names)?;
            let known = names.len();
            names.extend([each.iter_var.clone(), each.accu_var.clone()]);
            for part in [&mut each.loop_cond, &mut each.loop_step, &mut each.result] {
                walk(part, names)?;
            }
            names.truncate(known);
            Ok(())
        }
        Expr::Struct(made) => {
            Err(refused(format!("{}{{…}} makes a message, which is not supported", made.type_name), None))
        }
        Expr::Unspecified => Err(refused("it is empty", None)),
    }
}

fn walk_call(call: &mut CallExpr, names: &mut Vec<String>) -> Result<(), Refused> {
    let name = call.func_name.clone();
    // `sets.contains(a, b)` reads as a call on the name `sets`.
    let module = match call.target.as_deref().map(|t| &t.expr) {
        Some(Expr::Ident(prefix)) if !names.contains(prefix) => Some(prefix.clone()),
        _ => None,
    };
    let full = module.as_ref().map_or_else(|| name.clone(), |prefix| format!("{prefix}.{name}"));
    if !OPERATORS.contains(&name.as_str()) && !FUNCTIONS.contains(&full.as_str()) {
        return Err(refused(format!("{full}() is not supported in health expressions"), None));
    }
    if matches!(name.as_str(), operators::EQUALS | operators::NOT_EQUALS | operators::IN) {
        refuse_floats(&call.args)?;
    }
    if matches!(name.as_str(), "matches" | "find")
        && !matches!(call.args.last().map(|a| &a.expr), Some(Expr::Literal(LiteralValue::String(_))))
    {
        return Err(refused(format!("{name}() needs its pattern as a literal"), None));
    }
    if module.is_none()
        && let Some(target) = &mut call.target
    {
        walk(target, names)?;
    }
    call.args.iter_mut().try_for_each(|arg| walk(arg, names))
}

/// `1 == 1.0` is true in the API server and false here.
fn refuse_floats(sides: &[Expression]) -> Result<(), Refused> {
    let float = |e: &Expression| match &e.expr {
        Expr::Literal(LiteralValue::Double(_)) => true,
        Expr::List(list) => list.elements.iter().any(|e| matches!(e.expr, Expr::Literal(LiteralValue::Double(_)))),
        _ => false,
    };
    let converted = |e: &Expression| matches!(&e.expr, Expr::Call(call) if call.func_name == "double");
    if sides.iter().any(float) && !sides.iter().any(converted) {
        return Err(refused(
            "comparing with a fraction by ==, != or in is not supported",
            Some("write double(…) == 1.5, or compare with < and >"),
        ));
    }
    Ok(())
}
