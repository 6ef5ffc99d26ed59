//! CEL as the API server has it: expressions are compiled against declared variables and evaluated within a budget.
//!
//! The parser is that of the crate `cel`; the types (`check`), the functions (`functions`) and the evaluation (`eval`)
//! follow cel-go and Kubernetes' libraries, and a test asks a real API server. An expression that names what is not
//! known here is refused when it is compiled, never evaluated as something else.

mod check;
mod declare;
mod eval;
mod fault;
mod functions;
mod go;
mod macros;
mod node;
mod types;
mod value;

pub use declare::Declared;
pub use fault::Fault;
pub use functions::pattern::compile as pattern;
pub use functions::quantity::is_quantity;
pub use go::{parse_duration, parse_timestamp};
pub use types::Type;
pub use value::{Key, Value};

use cel::parser::PrattParser;

/// Why an expression was not compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It can never be right: the API server would not take it either.
    #[error("{0}")]
    Invalid(String),
    /// It may be right, and it needs what is not there.
    #[error("{0}")]
    Unavailable(String),
}

impl Refused {
    fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

/// How much an evaluation may still cost, in the API server's units: about one for each step, and one for each ten bytes
/// of text that a step walks through.
#[derive(Debug)]
pub struct Budget {
    left: u64,
}

/// What one expression may cost in the API server (`PerCallLimit`).
const PER_CALL: u64 = 1_000_000;

impl Default for Budget {
    fn default() -> Self {
        Self { left: PER_CALL }
    }
}

impl Budget {
    /// A budget of so many units.
    pub fn of(units: u64) -> Self {
        Self { left: units }
    }

    /// What is left.
    pub fn left(&self) -> u64 {
        self.left
    }

    fn charge(&mut self, cost: u64) -> Result<(), Fault> {
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Fault::too_costly())
            }
        }
    }
}

/// Values of the declared variables.
pub trait Scope {
    /// The value of a variable, by its place in the order of declaration.
    fn variable(&self, at: usize) -> Value;

    /// The value of `variables.NAME`.
    ///
    /// # Errors
    /// Where it cannot be evaluated.
    fn composed(&self, name: &str, budget: &mut Budget) -> Result<Value, Fault> {
        let _ = budget;
        Err(Fault::new(format!("no such key: {name}")))
    }
}

/// Values in the order of declaration.
impl Scope for [Value] {
    fn variable(&self, at: usize) -> Value {
        self.get(at).cloned().unwrap_or(Value::Null)
    }
}

/// A compiled expression.
#[derive(Debug)]
pub struct Program {
    node: node::Node,
    of: Type,
}

/// Bytes of an expression.
const LONGEST: usize = 16 << 10;
/// Parts within parts: an evaluation goes as deep on the stack.
const DEEPEST: usize = 160;
/// The parser and the check go deeper than that before they know how deep it is.
const STACK: usize = 256 << 20;

impl Program {
    /// Compiles an expression, on a thread of its own: a hostile text must not overflow the caller's stack.
    ///
    /// # Errors
    /// What is wrong with it, in cel-go's words where it has some, or what it needs that is not available.
    pub fn compile(source: &str, declared: &Declared) -> Result<Self, Refused> {
        if source.len() > LONGEST {
            return Err(Refused::invalid(format!("it is longer than {LONGEST} bytes")));
        }
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("cel-compiler".to_owned()).stack_size(STACK);
            match thread.spawn_scoped(scope, || compile(source, declared)).map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(result)) => result,
                Ok(Err(_panic)) => Err(Refused::invalid("it cannot be parsed")),
                Err(error) => Err(Refused::Unavailable(format!("no thread could be started to parse it: {error}"))),
            }
        })
    }

    /// The type of its value, as far as it can be known.
    pub fn result(&self) -> &Type {
        &self.of
    }

    /// Its value.
    ///
    /// # Errors
    /// Where it has none, or costs more than the budget.
    pub fn evaluate<S: Scope + ?Sized>(&self, scope: &S, budget: &mut Budget) -> Result<Value, Fault> {
        eval::evaluate(&self.node, scope, budget)
    }
}

fn compile(source: &str, declared: &Declared) -> Result<Program, Refused> {
    let parser = PrattParser::new().enable_optional_syntax(true).enable_ident_escape_syntax(true);
    let parsed = parser.parse(source).map_err(|errors| {
        let message = errors.errors.first().map_or_else(|| errors.to_string(), |error| error.msg.clone());
        Refused::invalid(message)
    })?;
    if macros::has_exists_one_of_one(source) {
        return Err(Refused::invalid("undeclared reference to 'existsOne' (in container '')"));
    }
    let (node, of) = check::Checker::new(declared).run(&parsed)?;
    let depth = node.depth();
    if depth > DEEPEST {
        return Err(Refused::invalid(format!("it is nested {depth} deep, more than {DEEPEST}")));
    }
    Ok(Program { node, of })
}

#[cfg(test)]
mod tests;
