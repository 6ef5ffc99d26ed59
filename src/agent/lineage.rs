//! Who this process is among all that contend for the lease, and which of them were it before.
//!
//! An id lies in the cache folder, and the process that holds the lock of its file is its only
//! bearer: the system lets go of the lock when the process ends, however that happens. So whoever
//! bore the id before is surely dead, and its lease need not be waited for. A Pod's cache folder is
//! its own (`emptyDir`), and outlives its containers. The name of the replica is part of it, so a
//! copied folder makes no two Pods the same.

use std::fs::{File, TryLockError};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// Name of the file in the cache folder.
const FILE: &str = "lineage";
/// Hex digits of an id.
const DIGITS: usize = 16;

/// Who this process is.
#[derive(Debug)]
pub struct Lineage {
    /// Unlike that of every other process, also of former ones.
    pub identity: String,
    /// What identities of former processes begin with; empty where another process holds the folder,
    /// or it cannot be locked.
    pub ancestors: String,
    /// Held as long as the process lives.
    _lock: Option<File>,
}

/// Takes the lineage of a cache folder, for a replica of this name.
pub fn take(folder: &Path, name: &str) -> Lineage {
    let unique = random();
    let process = std::process::id();
    match hold(folder) {
        Ok(Some((id, lock))) => {
            let ancestors = format!("{name}.{id}");
            Lineage { identity: format!("{ancestors}_{process}-{unique}"), ancestors, _lock: Some(lock) }
        }
        other => {
            if let Err(error) = other {
                tracing::warn!(%error, "no lineage: the lease of a former process is waited for");
            }
            Lineage { identity: format!("{name}_{process}-{unique}"), ancestors: String::new(), _lock: None }
        }
    }
}

/// The id of the folder with its lock; `None` where another process has it.
fn hold(folder: &Path) -> io::Result<Option<(String, File)>> {
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(folder.join(FILE))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut id = Vec::new();
    (&file).take(64).read_to_end(&mut id)?;
    // A write that a crash cut short is no id.
    if let Some(id) = String::from_utf8(id).ok().filter(|id| is_id(id)) {
        return Ok(Some((id, file)));
    }
    let id = random();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(id.as_bytes())?;
    file.sync_all()?;
    Ok(Some((id, file)))
}

fn is_id(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Nothing secret depends on it.
fn random() -> String {
    let bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{bits:0DIGITS$x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_heir_comes_after_its_ancestor_and_never_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = take(folder.path(), "pod");
        assert!(first.identity.starts_with(&format!("{}_", first.ancestors)), "{first:?}");
        let beside = take(folder.path(), "pod");
        assert_eq!(beside.ancestors, "", "the folder is held: {beside:?}");
        assert!(!beside.identity.starts_with(&format!("{}_", first.ancestors)), "nobody's heir: {beside:?}");
        let ancestor = (first.identity.clone(), first.ancestors.clone());
        drop(first);
        let heir = take(folder.path(), "pod");
        assert_eq!(heir.ancestors, ancestor.1);
        assert_ne!(heir.identity, ancestor.0);
        drop(heir);
        let copied = take(folder.path(), "other-pod");
        assert_ne!(copied.ancestors, ancestor.1, "another replica with a copy of the folder");
    }

    #[test]
    fn what_is_no_id_is_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), "0123").expect("writes");
        let first = take(folder.path(), "pod");
        assert_eq!(first.ancestors.len(), "pod.".len() + DIGITS, "{first:?}");
        let ancestors = first.ancestors.clone();
        drop(first);
        assert_eq!(take(folder.path(), "pod").ancestors, ancestors);
        assert_eq!(take(Path::new("/nowhere/at/all"), "pod").ancestors, "");
    }
}
