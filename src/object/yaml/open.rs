//! The document that is being read, as far as it has come.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};
use serde_yaml::granit_parser::StructureStyle;

use super::tally::{Halt, Tally};

/// A mapping or list that is not yet complete.
pub enum Frame<'t> {
    List {
        items: Vec<Value>,
        anchor: usize,
        line: u32,
    },
    Map {
        fields: Map<String, Value>,
        key: Key<'t>,
        /// Where its keys begin among those of the document.
        first: usize,
        merged: BTreeSet<String>,
        anchor: usize,
        line: u32,
    },
}

/// The key whose value comes next.
pub enum Key<'t> {
    /// A key comes next.
    Awaited,
    /// A field's name, and its line.
    Field(Cow<'t, str>, u32),
    /// `<<`, and its line.
    Merge(u32),
    /// A key with a problem: its value is left out.
    Faulty,
}

/// The document that is being read.
#[derive(Default)]
pub struct Open<'t> {
    /// The mappings and lists that the next event stands in, the outermost first.
    pub frames: Vec<Frame<'t>>,
    /// Keys of all mappings that are open, with their lines.
    pub keys: Vec<(Cow<'t, str>, u32)>,
    /// Values by the number of their anchor.
    pub anchors: HashMap<usize, Value>,
    /// The whole value, and its line.
    pub root: Option<(Value, u32)>,
    /// Names that lead to fields for which nothing is written.
    pub unwritten: Vec<Vec<String>>,
    /// How many frames there were where brackets were opened, as long as they are.
    pub brackets: Option<usize>,
    /// Whether it began.
    pub started: bool,
    /// Whether something is wrong in it.
    pub faulty: bool,
}

impl Open<'_> {
    /// Whether the next value is that of an annotation: of the document, or of an item of a list.
    pub fn in_annotations(&self) -> bool {
        let is =
            |frame: &Frame<'_>, name: &str| matches!(frame, Frame::Map { key: Key::Field(key, _), .. } if key == name);
        match &*self.frames {
            [Frame::Map { .. }] | [] => false,
            [around @ .., metadata, annotations, Frame::Map { .. }] => {
                is(metadata, "metadata")
                    && is(annotations, "annotations")
                    && match around {
                        [] => true,
                        [.., items, Frame::List { .. }] => is(items, "items"),
                        _ => false,
                    }
            }
            _ => false,
        }
    }

    /// The fields that lead to the next value.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.frames.iter().filter_map(|frame| match frame {
            Frame::Map { key: Key::Field(name, _), .. } => Some(&**name),
            _ => None,
        })
    }

    /// The names that lead to the next value, where it is that of a field.
    pub fn path(&self) -> Option<Vec<String>> {
        let is_field = matches!(self.frames.last(), Some(Frame::Map { key: Key::Field(..), .. }));
        let name = |frame: &Frame<'_>| match frame {
            Frame::Map { key: Key::Field(name, _), .. } => Some(name.clone().into_owned()),
            Frame::Map { .. } => None,
            Frame::List { items, .. } => Some(items.len().to_string()),
        };
        if is_field { self.frames.iter().map(name).collect() } else { None }
    }

    /// What comes next stands in brackets, if it starts with one.
    pub fn bracket(&mut self, style: StructureStyle) {
        if style == StructureStyle::Flow && self.brackets.is_none() {
            self.brackets = Some(self.frames.len());
        }
    }

    /// Whether the next value is a key.
    pub fn at_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Map { key: Key::Awaited, .. }))
    }

    /// A problem of this document, which is left out for it.
    pub fn problem(&mut self, tally: &mut Tally<'_>, line: u32, rule: &str, message: String) -> Result<(), Halt> {
        self.faulty = true;
        tally.problem(line, rule, message)
    }
}
