//! What a build reads: files below the folder of a kustomization and folders anywhere in the tree,
//! within limits.

mod spot;

pub use spot::{Source, Spot};

use serde_json::Value;

use super::super::path::join;
use super::super::plain::{kept_elsewhere, unreadable};
use super::super::{Allowance, EntryKind, Limits, Options, Recorder, Tree};
use crate::object::Problem;
use crate::object::near::nearest;
use crate::object::yaml::{self, Dialect, Document};

impl Allowance {
    /// The problem of a failure at a place: of a limit, where one was passed.
    pub fn passed(&self, spot: &Spot, rule: &str, why: impl std::fmt::Display) -> Problem {
        spot.problem(if self.is_passed() { "LimitExceeded" } else { rule }, why)
    }
}

/// What an entry of `resources` may name.
#[derive(Debug)]
pub enum Entry {
    /// A file: its path and content.
    File(String, Vec<u8>),
    /// A folder, or nothing.
    Folder,
}

/// Symbolic links on the way to one file: more than any honest tree has.
const HOPS: u32 = 40;

/// The tree, and what may still be read of it.
pub struct Files<'a> {
    tree: &'a dyn Tree,
    record: &'a Recorder<'a>,
    options: &'a Options,
    files: u32,
    bytes: u64,
}

impl<'a> Files<'a> {
    /// Nothing was read yet.
    pub fn new(tree: &'a dyn Tree, record: &'a Recorder<'a>, options: &'a Options) -> Self {
        Self { tree, record, options, files: 0, bytes: 0 }
    }

    /// Whether somebody asks why fields have their values.
    pub fn explains(&self) -> bool {
        self.options.explain
    }

    /// Limits of the render.
    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// The tree, the record of what is read of it, and what the render is asked for.
    pub fn parts(&self) -> (&'a dyn Tree, &'a Recorder<'a>, &'a Options) {
        (self.tree, self.record, self.options)
    }

    /// The file `path` (from the root of the tree), and where it really stands; `None` where there
    /// is no such file, which is not recorded.
    fn content(&mut self, path: &str, spot: &Spot) -> Result<Option<(String, Vec<u8>)>, Problem> {
        let read =
            |path: &str| self.tree.read(path, self.options.limits.file_bytes).map_err(|error| unreadable(path, &error));
        let mut path = path.to_owned();
        let mut found = read(&path)?;
        if found.is_none() {
            let real = self.real(&path, spot)?;
            if real != path {
                found = read(&real)?;
                path = real;
            }
        }
        let Some(bytes) = found else { return Ok(None) };
        self.note(&path)?;
        self.files += 1;
        self.bytes += bytes.len() as u64;
        if self.files > self.options.limits.files {
            return Err(limit(spot, "files", u64::from(self.options.limits.files)));
        }
        if self.bytes > self.options.limits.total_bytes {
            return Err(limit(spot, "bytes together", self.options.limits.total_bytes));
        }
        if let Some(problem) = kept_elsewhere(&bytes) {
            return Err(problem.in_file(path, Some(1)));
        }
        Ok(Some((path, bytes)))
    }

    /// The path without the symbolic links on its way, which lead to somewhere in the tree.
    pub fn real(&self, path: &str, spot: &Spot) -> Result<String, Problem> {
        let mut left: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let (mut done, mut hops) = (String::new(), 0);
        while let Some(name) = left.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." if done.is_empty() => {
                    let problem = spot.problem(
                        "InvalidPath",
                        format!("a symbolic link on the way to {path:?} leaves the repository"),
                    );
                    return Err(
                        problem.hint("everything that is rendered stands in the repository, where it is reviewed")
                    );
                }
                ".." => {
                    done.truncate(done.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let here = join(&done, &name);
            let Some(target) = self.tree.link(&here).map_err(|error| unreadable(&here, &error))? else {
                done = here;
                continue;
            };
            self.note(&here)?;
            hops += 1;
            if hops > HOPS || target.starts_with('/') {
                let why = if hops > HOPS { "leads through too many others" } else { "is absolute" };
                return Err(spot.problem("InvalidPath", format!("the symbolic link {here:?} {why}")));
            }
            left.extend(target.rsplit('/').map(str::to_owned));
        }
        Ok(done)
    }

    /// Records that the build depends on what stands, or does not stand, at a path.
    fn note(&self, path: &str) -> Result<(), Problem> {
        self.record.note(path).map_err(|error| unreadable(path, &error))
    }

    /// A file that a kustomization in `root` names at `spot`: it lies in or below `root`.
    pub fn load(&mut self, root: &str, name: &str, spot: &Spot) -> Result<(String, Vec<u8>), Problem> {
        let path = inside(root, resolve(root, name, spot)?, name, spot)?;
        match self.content(&path, spot)? {
            Some((real, bytes)) => Ok((inside(root, real, name, spot)?, bytes)),
            None => {
                self.note(&path)?;
                Err(self.missing(&path, spot, EntryKind::File))
            }
        }
    }

    /// What an entry of `resources` names: a file in or below `root`, or a folder anywhere.
    pub fn entry(&mut self, root: &str, name: &str, spot: &Spot) -> Result<Entry, Problem> {
        let path = resolve(root, name, spot)?;
        match self.content(&path, spot)? {
            Some((real, bytes)) => {
                inside(root, path, name, spot)?;
                Ok(Entry::File(inside(root, real, name, spot)?, bytes))
            }
            None => Ok(Entry::Folder),
        }
    }

    /// Content that was read, and counted, a moment ago.
    pub fn again(&self, path: &str) -> Vec<u8> {
        self.tree.read(path, self.options.limits.file_bytes).ok().flatten().unwrap_or_default()
    }

    /// The kustomization of a folder, which something at `spot` names; `None` where it has none.
    pub fn kustomization(&mut self, folder: &str, spot: &Spot) -> Result<Option<Source>, Problem> {
        let mut found: Vec<Source> = Vec::new();
        for name in super::NAMES {
            let file = join(folder, name);
            match self.content(&file, spot)? {
                Some((_, bytes)) => found.push(Source::new(file, bytes)),
                None => self.note(&file)?,
            }
        }
        if found.len() > 1 {
            let message =
                format!("the folder has {} and {}; one of them is to go", name_of(&found[0]), name_of(&found[1]));
            return Err(Problem::new("InvalidKustomization", message).in_file(&*found[1].file, None));
        }
        Ok(found.pop())
    }

    /// Why there is no kustomization in what is no file.
    pub fn no_folder(&self, path: &str, spot: &Spot) -> Problem {
        if let Err(problem) = self.note(path) {
            return problem;
        }
        match self.tree.list(path) {
            Ok(Some(_)) => {
                let problem = spot.problem("FileNotFound", format!("the folder {path:?} has no kustomization.yaml"));
                problem.hint("name its files one by one, or give it a kustomization")
            }
            Ok(None) => self.missing(path, spot, EntryKind::File),
            Err(error) => unreadable(path, &error),
        }
    }

    /// Why there is nothing at `path`.
    pub fn missing(&self, path: &str, spot: &Spot, wanted: EntryKind) -> Problem {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let what = if wanted == EntryKind::Folder { "folder" } else { "file" };
        let problem = |message: String| spot.problem("FileNotFound", message);
        let entries = match self.tree.list(folder) {
            Ok(Some(entries)) => entries,
            Ok(None) => return problem(format!("there is no {what} {path:?}, and no folder {folder:?}")),
            Err(error) => return unreadable(folder, &error),
        };
        match entries.iter().find(|entry| entry.name == name).map(|entry| entry.kind) {
            Some(EntryKind::Symlink) => problem(format!("the symbolic link {path:?} leads to no {what}")),
            Some(EntryKind::Submodule) => spot
                .problem("SubmoduleNotRead", format!("{path:?} is a submodule, and those are not fetched"))
                .hint("keep its manifests in this repository"),
            Some(EntryKind::Folder) => problem(format!("{path:?} is a folder, and a file is wanted")),
            Some(EntryKind::File) => problem(format!("{path:?} is a file, and a folder is wanted")),
            None => {
                let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
                let problem = problem(format!("there is no {what} {path:?}"));
                match nearest(name, &names) {
                    Some(near) => problem.hint(format!("did you mean {:?}?", join(folder, near))),
                    None => problem,
                }
            }
        }
    }

    /// Documents of a file, read as kustomize reads resources and patches.
    pub fn documents(&self, dialect: Dialect, file: &str, bytes: &[u8]) -> (Vec<Document>, Vec<Problem>) {
        yaml::read_as(dialect, file, bytes, &self.options.yaml())
    }

    /// The one document of a file, read as kubectl reads it, but all at once; null for an empty file.
    pub fn document(&self, source: &Source) -> Result<Value, Vec<Problem>> {
        let limits = yaml::Limits { end: yaml::End::AsWritten, ..self.options.limits.yaml() };
        let (mut documents, problems) = yaml::read(&source.file, &source.bytes, &limits);
        if !problems.is_empty() {
            return Err(problems);
        }
        if let Some(second) = documents.get(1) {
            let message = "the file has more than one document, and only the first would count";
            return Err(vec![Problem::new("InvalidKustomization", message).in_file(&*source.file, Some(second.line))]);
        }
        Ok(documents.pop().map(|document| document.value).unwrap_or_default())
    }
}

/// The path, where it lies in or below `root`.
fn inside(root: &str, path: String, name: &str, spot: &Spot) -> Result<String, Problem> {
    if root.is_empty() || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')) {
        return Ok(path);
    }
    let hint = "move the file into the folder, or make its folder a base: a folder may stand anywhere in the tree";
    let message = format!("{name:?} is not in or below the folder of the kustomization");
    Err(spot.problem("FileOutside", message).hint(hint))
}

fn name_of(source: &Source) -> &str {
    source.file.rsplit('/').next().unwrap_or_default()
}

fn limit(spot: &Spot, what: &str, most: u64) -> Problem {
    spot.problem("LimitExceeded", format!("there are more than the {most} {what} that are allowed"))
}

/// A path that a kustomization in the folder `root` names, from the root of the tree.
pub fn resolve(root: &str, name: &str, spot: &Spot) -> Result<String, Problem> {
    if name.is_empty() {
        return Err(spot.problem("InvalidPath", "the path is empty"));
    }
    if let Some(problem) = remote(name, spot) {
        return Err(problem);
    }
    if name.starts_with('/') {
        return Err(spot
            .problem("InvalidPath", format!("the path {name:?} is absolute"))
            .hint("name it from this folder"));
    }
    if name.chars().any(char::is_control) {
        return Err(spot.problem("InvalidPath", "the path has a control character"));
    }
    let mut parts: Vec<&str> = root.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    let problem = spot.problem("InvalidPath", format!("the path {name:?} leaves the repository"));
                    return Err(
                        problem.hint("everything that is rendered stands in the repository, where it is reviewed")
                    );
                }
            }
            part if part.contains("..") => {
                let message = format!("the path {name:?} has `..` within a name");
                return Err(spot.problem("InvalidPath", message).hint("is a line break or an indentation missing?"));
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// What kustomize would fetch from elsewhere.
fn remote(name: &str, spot: &Spot) -> Option<Problem> {
    const HOSTS: [&str; 8] =
        ["github.com/", "github.com:", "gitlab.com/", "bitbucket.org/", "dev.azure.com/", "gh:", "git@", "org-"];
    let lower = name.to_ascii_lowercase();
    let is_remote = lower.contains("://")
        || lower.starts_with("git::")
        || HOSTS.iter().any(|host| lower.starts_with(host))
        || lower.contains("?ref=")
        || lower.contains(".git//");
    if !is_remote {
        return None;
    }
    let problem =
        spot.problem("RemoteNotFetched", format!("{name:?} is not in the repository, and nothing is fetched"));
    Some(problem.hint("copy it into the repository (kustomize localize does), so that a commit says what is deployed"))
}
