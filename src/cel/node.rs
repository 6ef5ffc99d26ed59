//! An expression that was checked, ready to be evaluated.

use std::sync::Arc;

use regex::Regex;

use super::functions::Function;
use super::value::Value;

#[derive(Debug)]
pub(super) enum Node {
    Const(Value),
    /// Variable of a comprehension, counted from the outermost.
    Local(usize),
    /// Declared variable, in the order of declaration.
    Global(usize),
    /// `variables.NAME`: evaluated when it is first used.
    Composed(Arc<str>),
    Select(Box<Node>, Arc<str>),
    SelectIfPresent(Box<Node>, Arc<str>),
    Has(Box<Node>, Arc<str>),
    Index(Box<[Node; 2]>),
    IndexIfPresent(Box<[Node; 2]>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    If(Box<[Node; 3]>),
    /// The first if it has a value, else the second; the flag says whether the result is the value itself.
    Else(Box<[Node; 2]>, bool),
    Call(Arc<str>, Function, Vec<Node>),
    /// `matches`, `find`, `findAll` with a pattern that was compiled; the other arguments.
    Pattern(Arc<str>, Arc<Regex>, Vec<Node>),
    /// Elements, and whether each is left out where it is an optional without value.
    List(Vec<(Node, bool)>),
    Map(Vec<(Node, Node, bool)>),
    Fold(Box<Fold>),
    /// A value that the second part knows as a local variable.
    Bind(Box<[Node; 2]>),
}

/// A comprehension.
#[derive(Debug)]
pub(super) struct Fold {
    pub(super) kind: Kind,
    pub(super) range: Node,
    /// Index or key is a variable too.
    pub(super) two: bool,
    pub(super) filter: Option<Node>,
    pub(super) body: Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    All,
    Exists,
    ExistsOne,
    List,
    /// A map of the same keys.
    Values,
    /// A map of the entries that the body makes.
    Entries,
}

impl Node {
    /// How deep it is nested; evaluation goes as deep.
    pub(super) fn depth(&self) -> usize {
        let below = match self {
            Self::Const(_) | Self::Local(_) | Self::Global(_) | Self::Composed(_) => 0,
            Self::Select(of, _) | Self::SelectIfPresent(of, _) | Self::Has(of, _) => of.depth(),
            Self::Index(two)
            | Self::IndexIfPresent(two)
            | Self::And(two)
            | Self::Or(two)
            | Self::Else(two, _)
            | Self::Bind(two) => two.iter().map(Self::depth).max().unwrap_or(0),
            Self::If(three) => three.iter().map(Self::depth).max().unwrap_or(0),
            Self::Call(_, _, args) | Self::Pattern(_, _, args) => args.iter().map(Self::depth).max().unwrap_or(0),
            Self::List(items) => items.iter().map(|(item, _)| item.depth()).max().unwrap_or(0),
            Self::Map(entries) => {
                entries.iter().map(|(key, value, _)| key.depth().max(value.depth())).max().unwrap_or(0)
            }
            Self::Fold(fold) => {
                let filter = fold.filter.as_ref().map_or(0, Self::depth);
                fold.range.depth().max(fold.body.depth()).max(filter)
            }
        };
        below + 1
    }
}
