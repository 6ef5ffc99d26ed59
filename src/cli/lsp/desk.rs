//! What the client has open, and which folders it works in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lsp_types::Url;

use super::overlay::Texts;
use crate::editor::Text;

/// A text that is open.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// As the client names it.
    pub url: Url,
    /// The client's number of this state of it.
    pub version: i32,
    /// What it says.
    pub text: Text,
}

/// Everything that is open, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    /// Which moment: every change makes a new one.
    pub moment: u64,
    /// Open texts, by their path in the file system.
    pub buffers: BTreeMap<PathBuf, Buffer>,
    /// Folders that the client works in.
    pub folders: Vec<PathBuf>,
}

impl Desk {
    /// The texts below a folder, by their path from it.
    pub fn below(&self, root: &Path) -> Texts {
        let inside = |path: &Path| path.strip_prefix(root).ok().and_then(relative);
        self.buffers.iter().filter_map(|(path, buffer)| Some((inside(path)?, buffer.text.shared()))).collect()
    }

    /// The text of a file: as it is open, or else as it is saved.
    pub fn text(&self, path: &Path) -> Text {
        match self.buffers.get(path) {
            Some(buffer) => buffer.text.clone(),
            None => Text::new(saved(path).unwrap_or_default()),
        }
    }

    /// The name of a file as the client knows it.
    pub fn url(&self, path: &Path) -> Option<Url> {
        self.buffers.get(path).map(|buffer| buffer.url.clone()).or_else(|| Url::from_file_path(path).ok())
    }
}

/// Bytes of a saved file that is read to mark a part of it.
const LARGEST: u64 = 16 << 20;

fn saved(path: &Path) -> Option<Arc<str>> {
    let metadata = path.symlink_metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return None;
    }
    Some(String::from_utf8_lossy(&std::fs::read(path).ok()?).into())
}

/// A path with `/`, as trees have it.
pub fn relative(path: &Path) -> Option<String> {
    let names: Option<Vec<&str>> = path.iter().map(|name| name.to_str()).collect();
    Some(names?.join("/"))
}

/// The path of a file as the system has it: links above it followed, which need not be there itself.
pub fn path_of(url: &Url) -> Option<PathBuf> {
    let path = url.to_file_path().ok()?;
    let mut missing = Vec::new();
    let mut above = path.as_path();
    loop {
        if let Ok(found) = above.canonicalize() {
            return Some(missing.iter().rev().fold(found, |path, name| path.join(name)));
        }
        missing.push(above.file_name()?.to_owned());
        above = above.parent()?;
    }
}
