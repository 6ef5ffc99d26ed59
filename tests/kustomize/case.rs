//! A case of `tests/cases/kustomize`: a tree of files, and what a build of it yields.
//!
//! One file a case, in the form of Go's txtar: a head, then files, each behind a line `-- PATH --`.
//! `-- PATH base64 --` holds bytes that no text file should hold, `-- PATH -> TARGET --` is a
//! symbolic link. The head's first line says what is shown; lines behind it may be
//! `build: FOLDER`, the folder to build, which is `app` otherwise, and
//! `tandem-only-refuses: REASON`, where kustomize builds what Tandem does not want to.
//! The last section is `-- want --`, with what kustomize prints, or `-- refused --`, with Tandem's
//! problems, one a line.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tandem::object::yaml;
use tandem::render::MemTree;

/// A case.
pub struct Case {
    /// Topic and name: `images/digest`.
    pub name: String,
    /// The folder to build.
    pub build: String,
    /// Why Tandem refuses what kustomize builds.
    pub tandem_only: Option<String>,
    /// The tree.
    pub tree: Vec<Node>,
    /// What is expected; `None` in a file that was not blessed yet.
    pub expected: Option<Expected>,
    /// Everything before what is expected, as it stands in the file.
    before: String,
    file: PathBuf,
}

/// A file or link of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Path from the root of the tree.
    pub path: String,
    /// What stands there.
    pub content: Content,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    File(Vec<u8>),
    Link(String),
}

/// What a build yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The documents, as kustomize prints them.
    Want(String),
    /// Tandem's problems; kustomize has its own.
    Refused(String),
}

/// All cases, sorted by name.
pub fn all() -> Vec<Case> {
    all_in(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/kustomize"))
}

/// All cases below a folder, sorted by name.
pub fn all_in(root: &str) -> Vec<Case> {
    let root = Path::new(root).to_owned();
    let mut cases = Vec::new();
    for topic in entries(&root) {
        for file in entries(&topic) {
            let stem = file.with_extension("");
            let name = stem.strip_prefix(&root).expect("below the cases").to_string_lossy().into_owned();
            let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{name}: {e}"));
            cases.push(Case::parse(&name, file, &text));
        }
    }
    cases
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    entries
}

impl Case {
    /// Reads the text of the case that stands in `file`.
    pub fn parse(name: &str, file: PathBuf, text: &str) -> Self {
        let mut case = Self {
            name: name.to_owned(),
            build: "app".to_owned(),
            tandem_only: None,
            tree: Vec::new(),
            expected: None,
            before: String::new(),
            file,
        };
        let mut sections = sections(text);
        let (_, head) = sections.remove(0);
        assert!(!head.starts_with("build:") && head.len() > 10, "{name}: the first line says what is shown");
        for line in head.lines().skip(1).filter(|line| !line.is_empty()) {
            match line.split_once(": ") {
                Some(("build", folder)) => folder.clone_into(&mut case.build),
                Some(("tandem-only-refuses", reason)) => case.tandem_only = Some(reason.to_owned()),
                _ => panic!("{name}: not a line of a head: {line}"),
            }
        }
        for (title, content) in sections {
            assert!(case.expected.is_none(), "{name}: something stands behind what is expected");
            match title {
                "want" => case.expected = Some(Expected::Want(content.to_owned())),
                "refused" => case.expected = Some(Expected::Refused(content.to_owned())),
                _ => case.tree.push(Node::parse(name, title, content)),
            }
        }
        let expected = ["\n-- want --\n", "\n-- refused --\n"].iter().find_map(|line| text.find(line));
        text[..expected.map_or(text.len(), |at| at + 1)].clone_into(&mut case.before);
        assert!(case.tandem_only.is_none() || !matches!(case.expected, Some(Expected::Want(_))), "{name}: refused?");
        case
    }

    /// Writes what is expected from now on.
    pub fn bless(&self, expected: &Expected) {
        let (title, content) = match expected {
            Expected::Want(content) => ("want", content),
            Expected::Refused(content) => ("refused", content),
        };
        fs::write(&self.file, format!("{}-- {title} --\n{content}", self.before)).expect("written");
    }
}

impl Node {
    /// A file.
    pub fn file(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: Content::File(content.into()) }
    }

    fn parse(name: &str, title: &str, content: &str) -> Self {
        if let Some((path, target)) = title.split_once(" -> ") {
            return Self { path: path.to_owned(), content: Content::Link(target.to_owned()) };
        }
        match title.strip_suffix(" base64") {
            Some(path) => {
                let bytes = STANDARD.decode(content.trim()).unwrap_or_else(|e| panic!("{name}: {path}: {e}"));
                Self::file(path, bytes)
            }
            None => Self::file(title, content),
        }
    }
}

/// The head, which has no title, and the sections.
fn sections(text: &str) -> Vec<(&str, &str)> {
    let mut starts = vec![("", 0, 0)];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let title = line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
        if let Some(title) = title {
            starts.push((title, at, at + line.len()));
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(_, start, _)| *start).chain([text.len()]);
    starts.iter().zip(ends).map(|((title, _, from), to)| (*title, &text[*from..to])).collect()
}

/// Writes a tree into a folder.
pub fn on_disk(tree: &[Node], folder: &Path) {
    for node in tree {
        let path = folder.join(&node.path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        match &node.content {
            Content::File(content) => fs::write(path, content).expect("written"),
            Content::Link(target) => std::os::unix::fs::symlink(target, path).expect("linked"),
        }
    }
}

/// A tree in the form of a case, for people and for new cases.
pub fn to_text(tree: &[Node]) -> String {
    let section = |node: &Node| match &node.content {
        Content::Link(target) => format!("-- {} -> {target} --\n", node.path),
        Content::File(content) => match std::str::from_utf8(content) {
            Ok(text) if text.is_empty() || text.ends_with('\n') => format!("-- {} --\n{text}", node.path),
            _ => format!("-- {} base64 --\n{}\n", node.path, STANDARD.encode(content)),
        },
    };
    tree.iter().map(section).collect()
}

/// The documents of a YAML text, as kubectl reads them.
pub fn documents(text: &str) -> Result<Vec<Value>, String> {
    let (documents, problems) = yaml::read("want", text.as_bytes(), &yaml::Limits::default());
    match problems.first() {
        None => Ok(documents.into_iter().map(|document| document.value).collect()),
        Some(problem) => Err(problem.to_string()),
    }
}

/// Equal, where a float and an integer of the same size are the same number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ak, av), (bk, bv))| ak == bk && same(av, bv))
        }
        _ => one == other,
    }
}

/// What differs between the documents that are expected and those that came, in this order.
pub fn differ(want: &[Value], got: &[Value]) -> Option<String> {
    if want.len() == got.len() && want.iter().zip(got).all(|(want, got)| same(want, got)) {
        return None;
    }
    let text = |values: &[Value]| values.iter().map(yaml::write).collect::<Vec<_>>().join("---\n");
    let (want, got) = (text(want), text(got));
    let diff = similar::TextDiff::from_lines(&want, &got);
    Some(diff.unified_diff().context_radius(4).header("want", "got").to_string())
}
/// A tree in memory.
pub fn in_memory(tree: &[Node]) -> MemTree {
    tree.iter().fold(MemTree::new(), |tree, node| match &node.content {
        Content::File(content) => tree.file(&node.path, content.clone()),
        Content::Link(target) => tree.symlink(&node.path, target),
    })
}
