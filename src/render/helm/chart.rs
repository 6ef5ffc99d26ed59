//! The files of a chart that stands in the tree.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::{Problem, yaml};
use crate::render::path::join;
use crate::render::plain::{kept_elsewhere, unreadable};
use crate::render::{Blob, EntryKind, Limits, Recorder, Tree};

/// The file that makes a folder a chart.
pub const FILE: &str = "Chart.yaml";

/// Bytes of all files of a chart: what is larger is no source of manifests.
const BYTES: u64 = 16 << 20;

/// A chart's files by their paths in it, or all that keeps it from being read. What Helm leaves out
/// by a `.helmignore` is read as well: the file is Helm's own.
pub fn files(
    tree: &dyn Tree,
    record: &Recorder<'_>,
    folder: &str,
    limits: &Limits,
) -> Result<BTreeMap<String, Blob>, Vec<Problem>> {
    let mut gathered = Gathered { tree, limits, files: BTreeMap::new(), bytes: 0, problems: Vec::new() };
    match record.list(folder) {
        Ok(_) => gathered.folder(folder, "", 1),
        Err(error) => gathered.problems.push(unreadable(folder, &error)),
    }
    if gathered.problems.is_empty() { Ok(gathered.files) } else { Err(gathered.problems) }
}

/// What `Chart.yaml` says of itself, as far as it says it rightly; Helm tells the rest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Name of the chart.
    pub name: String,
    /// Other names of its dependencies, each with the name of the chart.
    pub aliases: Vec<(String, String)>,
}

impl About {
    /// Reads a `Chart.yaml`.
    pub fn read(files: &BTreeMap<String, Blob>, at: &str, limits: &Limits) -> Self {
        let bytes = files.get(at).map(Blob::bytes).unwrap_or_default();
        let (documents, _) = yaml::read(FILE, bytes, &limits.yaml());
        let Some(chart) = documents.into_iter().next().map(|document| document.value) else { return Self::default() };
        let text = |value: &Value, field: &str| Some(value.get(field)?.as_str()?.to_owned());
        let dependencies = chart.get("dependencies").and_then(Value::as_array);
        let aliases = dependencies.into_iter().flatten().filter_map(|of| Some((text(of, "alias")?, text(of, "name")?)));
        Self { name: text(&chart, "name").unwrap_or_default(), aliases: aliases.collect() }
    }
}

struct Gathered<'a> {
    tree: &'a dyn Tree,
    limits: &'a Limits,
    files: BTreeMap<String, Blob>,
    bytes: u64,
    problems: Vec<Problem>,
}

impl Gathered<'_> {
    fn folder(&mut self, root: &str, inner: &str, depth: u32) {
        let folder = if inner.is_empty() { root.to_owned() } else { join(root, inner) };
        let most = self.limits.depth;
        if depth > most {
            return self.full(
                &folder,
                format!("the folders of the chart nest deeper than the {most} levels that are allowed"),
            );
        }
        let entries = match self.tree.list(&folder) {
            Ok(entries) => entries.unwrap_or_default(),
            Err(error) => return self.problems.push(unreadable(&folder, &error)),
        };
        for entry in entries {
            let inner = if inner.is_empty() { entry.name.clone() } else { join(inner, &entry.name) };
            let path = join(root, &inner);
            match entry.kind {
                EntryKind::File => self.file(&path, inner),
                EntryKind::Folder => self.folder(root, &inner, depth + 1),
                EntryKind::Symlink => {
                    let problem = Problem::new("SymlinkNotFollowed", "a symbolic link in a chart is not followed");
                    self.problems.push(problem.in_file(path, None).hint("put the file itself here"));
                }
                EntryKind::Submodule => {
                    let problem = Problem::new("SubmoduleNotRead", "submodules are not fetched");
                    self.problems.push(problem.in_file(path, None).hint("commit the files of the chart themselves"));
                }
            }
            if self.bytes > BYTES || self.files.len() > self.limits.files as usize {
                let most = format!("{BYTES} bytes in {} files", self.limits.files);
                return self.full(root, format!("the chart has more than the {most} that are allowed"));
            }
        }
    }

    fn full(&mut self, folder: &str, message: String) {
        if !self.problems.iter().any(|problem| problem.rule == "LimitExceeded") {
            self.problems.push(Problem::new("LimitExceeded", message).in_file(join(folder, FILE), None));
        }
    }

    fn file(&mut self, path: &str, inner: String) {
        // What Helm gets is on disk, so what is encrypted stays so; decrypted values come by a pipe.
        match self.tree.kept(path, self.limits.file_bytes) {
            Ok(bytes) => {
                let bytes = bytes.unwrap_or_default();
                self.bytes += bytes.len() as u64;
                if let Some(problem) = kept_elsewhere(&bytes) {
                    return self.problems.push(problem.in_file(path, Some(1)));
                }
                self.files.insert(inner, Blob::new(bytes));
            }
            Err(error) => self.problems.push(unreadable(path, &error)),
        }
    }
}
