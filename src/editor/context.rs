//! What a position in a text means: of which object, at which path, a name or a value.

use std::ops::Range;

use super::outline::{Document, Node, Outline, Step, What};
use crate::render::KUSTOMIZATIONS;

/// What a document is, as far as it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its `apiVersion`; empty where it has none.
    pub api_version: String,
    /// Its `kind`; empty where it has none.
    pub kind: String,
    /// Whether the file is a kustomization or component.
    pub kustomization: bool,
}

impl Kind {
    /// That of a document in a file of that path.
    pub fn of(path: &str, root: Option<&Node>) -> Self {
        let text = |name: &str| root.and_then(|root| root.text_at(&[name])).unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let name = path.rsplit('/').next().unwrap_or(path);
        Self { kustomization: KUSTOMIZATIONS.contains(&name), api_version, kind }
    }
}

/// What stands at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The name of a field.
    Name,
    /// A value.
    Value,
}

/// A position in a document.
#[derive(Debug)]
pub struct Context<'a> {
    /// The document.
    pub document: &'a Document,
    /// What it is.
    pub kind: Kind,
    /// Where in it: of a name, the path of its field.
    pub path: Vec<Step>,
    /// What stands there.
    pub role: Role,
    /// Bytes of the name or value.
    pub at: Range<usize>,
    /// What it says.
    pub text: String,
}

/// What stands at a byte of a text; `None` where nothing does.
pub fn at<'a>(file: &str, outline: &'a Outline, offset: usize) -> Option<Context<'a>> {
    let document = outline.document_at(offset)?;
    let mut path = Vec::new();
    let (role, at, text) = find(&document.root, offset, &mut path)?;
    Some(Context { document, kind: Kind::of(file, Some(&document.root)), path, role, at, text })
}

fn find(node: &Node, offset: usize, path: &mut Vec<Step>) -> Option<(Role, Range<usize>, String)> {
    match &node.what {
        What::Leaf(text) => holds(&node.at, offset).then(|| (Role::Value, node.at.clone(), text.clone())),
        What::List(items) => items.iter().enumerate().find_map(|(index, item)| {
            path.push(Step::Item(index));
            let found = find(item, offset, path);
            if found.is_none() {
                path.pop();
            }
            found
        }),
        What::Map(fields) => fields.iter().find_map(|field| {
            path.push(Step::Field(field.name.clone()));
            let found = if holds(&field.at, offset) {
                Some((Role::Name, field.at.clone(), field.name.clone()))
            } else {
                find(&field.node, offset, path)
            };
            if found.is_none() {
                path.pop();
            }
            found
        }),
    }
}

/// A position behind the last character is still at the word.
fn holds(at: &Range<usize>, offset: usize) -> bool {
    at.start <= offset && offset <= at.end && at.start < at.end
}
