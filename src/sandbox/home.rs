//! The folder of one child, which goes when the child does, also after the agent was killed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// What the names of such folders begin with.
const PREFIXES: [&str; 2] = [WORKER, PROGRAM];
/// Of a worker's folder.
pub(super) const WORKER: &str = "tandem-worker-";
/// Of the folder of a program that runs once.
pub(super) const PROGRAM: &str = "tandem-box-";
/// So young a folder may not be locked yet by who made it.
const YOUNG: Duration = Duration::from_secs(10);

/// An empty folder of its own. Dropping it removes it; where its owner was killed, [`sweep`] does.
pub(super) struct Home {
    folder: TempDir,
    /// Held while its owner lives: the system lets go of it with the process, whatever ends that.
    _lock: Option<File>,
}

impl Home {
    /// Makes one in the system's temporary folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(prefix: &str) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir()?;
        // Without a lock, which a file system may not have, everything works, and nobody sweeps it, as nobody locks it.
        let lock = File::open(folder.path()).ok().filter(|file| file.try_lock().is_ok());
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders of children whose owners were killed, as far as it may; how many.
pub fn sweep(temporary: &Path, now: SystemTime) -> usize {
    let Ok(entries) = fs::read_dir(temporary) else { return 0 };
    let ours = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(ours))
        .filter(|entry| is_left(&entry.path(), now) && fs::remove_dir_all(entry.path()).is_ok())
        .count()
}

/// Whether a folder is one that nobody owns any more. A link is followed nowhere.
fn is_left(path: &Path, now: SystemTime) -> bool {
    let Ok(data) = fs::symlink_metadata(path) else { return false };
    let old = data.modified().is_ok_and(|made| now.duration_since(made).is_ok_and(|age| age >= YOUNG));
    if !data.is_dir() || !old {
        return false;
    }
    let Ok(folder) = File::open(path) else { return false };
    match folder.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_owner_left_goes_and_what_is_in_use_or_young_or_another_s_stays() {
        let temporary = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let path = temporary.path().join(name);
            fs::create_dir(&path).expect("a folder");
            fs::write(path.join("core"), "left").expect("a file");
            path
        };
        let (left, boxed, used, other) =
            (make("tandem-worker-a"), make("tandem-box-b"), make("tandem-worker-c"), make("worker-d"));
        std::os::unix::fs::symlink(&other, temporary.path().join("tandem-worker-e")).expect("a link");
        let lock = File::open(&used).expect("opens");
        lock.lock().expect("locks");
        assert_eq!(sweep(temporary.path(), SystemTime::now()), 0, "they are young");
        let later = SystemTime::now() + YOUNG * 2;
        assert_eq!(sweep(temporary.path(), later), 2);
        assert!(!left.exists() && !boxed.exists());
        assert!(used.join("core").exists() && other.join("core").exists());
        drop(lock);
        assert_eq!(sweep(temporary.path(), later), 1, "its owner is gone");
        assert_eq!(sweep(&temporary.path().join("none"), later), 0);
    }

    #[test]
    fn a_home_is_locked_while_it_lives_and_goes_with_its_owner() {
        let home = Home::new(WORKER).expect("a home");
        let path = home.path().to_owned();
        assert!(!is_left(&path, SystemTime::now() + YOUNG * 2));
        drop(home);
        assert!(!path.exists());
    }
}
