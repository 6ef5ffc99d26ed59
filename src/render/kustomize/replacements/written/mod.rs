//! A text of YAML within an object, as it is written: kustomize changes a field of it and writes all
//! of it anew, with its styles, anchors and comments.
//!
//! What is right here is what `go.yaml.in/yaml/v3` makes of a text that it reads and writes: blank
//! lines go, two spaces are the indentation, quotes and block texts stay.

mod comments;
mod print;
mod read;
mod scalar;
mod styles;
mod walk;

pub use print::print;
pub use read::read;
pub use walk::each;

use scalar::Type;

/// The first document of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// Comment before everything, with a blank line behind it.
    pub head: String,
    /// What it holds.
    pub root: Node,
    /// Comment behind everything, with a blank line before it.
    pub foot: String,
}

/// A value, as it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Name of its anchor; empty where it has none.
    pub anchor: String,
    /// Comment on the lines above it.
    pub head: String,
    /// Comment behind it on its line.
    pub line: String,
    /// Comment on the lines below it, with a blank line behind it.
    pub foot: String,
    /// What it is.
    pub content: Content,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text, number, boolean or null.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>, Form),
    /// A mapping.
    Mapping(Vec<(Node, Node)>, Form),
    /// The value of an anchor.
    Alias(String),
}

/// How a list or mapping is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// On lines of its own.
    Block,
    /// In brackets.
    Flow,
}

/// A scalar, as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// Its text, without quotes.
    pub text: String,
    /// How it is written.
    pub style: Style,
    /// What it was when it was read.
    pub kind: Type,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The styles of YAML.
pub enum Style {
    Plain,
    Single,
    Double,
    Literal,
    Folded,
}

impl Default for Content {
    fn default() -> Self {
        Self::Scalar(Scalar::open(""))
    }
}

impl Scalar {
    /// What is written without quotes, and is whatever it reads as.
    pub fn open(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::Plain, kind: Type::Open }
    }
}

impl From<Content> for Node {
    fn from(content: Content) -> Self {
        Self { content, ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
