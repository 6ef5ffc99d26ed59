//! Places in the files of a build: what a problem, or the origin of an object, names.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use crate::object::Problem;
use crate::object::yaml::{self, Lines};

/// A document of a file that was read, for the places of what is wrong in it.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path from the root of the tree.
    pub file: Rc<str>,
    /// Its content.
    pub bytes: Rc<Vec<u8>>,
    /// Which document, from 1.
    document: u32,
    lines: Rc<LinesOf>,
}

/// Lines of a file, which is read once more for them.
#[derive(Debug, Default)]
struct LinesOf {
    /// Whether one was asked for.
    asked: Cell<bool>,
    /// All of all documents: for who asks again.
    all: OnceCell<Lines>,
}

impl Source {
    /// The first document of a file.
    pub fn new(file: impl Into<Rc<str>>, bytes: impl Into<Rc<Vec<u8>>>) -> Self {
        Self { file: file.into(), bytes: bytes.into(), document: 1, lines: Rc::default() }
    }

    /// A document of the same file.
    pub fn document(&self, index: u32) -> Self {
        Self { document: index, ..self.clone() }
    }
}

/// A place in a document: what a problem, or the origin of an object, names.
#[derive(Clone, Debug)]
pub struct Spot {
    source: Rc<Source>,
    pointer: String,
}

impl Spot {
    /// The whole document.
    pub fn new(source: &Rc<Source>) -> Self {
        Self { source: Rc::clone(source), pointer: String::new() }
    }

    /// A field or element of what stands here.
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        let name = name.to_string().replace('~', "~0").replace('/', "~1");
        Self { source: Rc::clone(&self.source), pointer: format!("{}/{name}", self.pointer) }
    }

    /// Path of the file from the root of the tree.
    pub fn file(&self) -> &str {
        &self.source.file
    }

    /// Line in the file, from 1. The first call reads the file once more.
    pub fn line(&self) -> Option<u32> {
        self.line_below("")
    }

    /// Line of what a JSON pointer names from here; of the nearest thing around it where it is not
    /// written there itself.
    pub fn line_below(&self, pointer: &str) -> Option<u32> {
        let Source { bytes, document, lines, .. } = &*self.source;
        let pointer = format!("{}{pointer}", self.pointer);
        if !lines.asked.replace(true)
            && let Some(line) = yaml::line(bytes, *document, &pointer)
        {
            return Some(line);
        }
        lines.all.get_or_init(|| yaml::lines(bytes)).line(*document, &pointer)
    }

    /// What people read: `patches[0].target`; empty for the whole document.
    pub fn field(&self) -> String {
        let mut told = String::new();
        for name in self.pointer.split('/').skip(1) {
            if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
                told.push_str(&format!("[{name}]"));
            } else {
                if !told.is_empty() {
                    told.push('.');
                }
                told.push_str(&name.replace("~1", "/").replace("~0", "~"));
            }
        }
        told
    }

    /// A problem at this place, which names the field.
    pub fn problem(&self, rule: &str, message: impl std::fmt::Display) -> Problem {
        let field = self.field();
        let message = if field.is_empty() { message.to_string() } else { format!("{field}: {message}") };
        Problem::new(rule, message).in_file(self.file(), self.line())
    }
}
