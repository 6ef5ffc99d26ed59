//! The cache: one bare repository for each URL, in a folder of the agent's own.

use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{Repository, RepositoryInitOptions};
use sha2::{Digest as _, Sha256};

use super::address::Address;
use super::error::{GitError, Kind};
use super::exchange::Exchange;
use super::source::PlainHttp;

/// Holds the URL, in each repository of the cache.
const MARKER: &str = "tandem-url";

/// An opened repository of the cache.
pub struct Opened {
    repository: Repository,
    // Held until the repository is closed.
    _shared: File,
}

impl Deref for Opened {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.repository
    }
}

/// A folder of bare repositories.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache in a folder, which is made where it is missing.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Folder of the repository of a URL. The URL takes its one form first.
    pub fn path(&self, url: &str) -> Result<PathBuf, GitError> {
        // What may be spoken to was judged when it was fetched; here it only names a folder.
        let address = Address::parse(url, PlainHttp::Anywhere)?;
        let digest = Sha256::digest(address.url.as_bytes());
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(self.folder.join(format!("{name}.git")))
    }

    /// Opens the repository of a URL; `None` where it was never fetched. While it is open nobody
    /// removes packs from it.
    pub fn open(&self, url: &str) -> Result<Option<Opened>, GitError> {
        let path = self.path(url)?;
        if !path.join(MARKER).exists() {
            return Ok(None);
        }
        let failed = |e: io::Error| unwritable(url, &e);
        let lock = match File::open(path.with_extension("lock")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        lock.lock_shared().map_err(failed)?;
        match Repository::open_bare(&path) {
            Ok(repository) => Ok(Some(Opened { repository, _shared: lock })),
            Err(error) => Err(GitError::of_cache(url, "opening the cache", &error)),
        }
    }

    /// Waits until nobody else fetches into the repository of a URL, in this process or another.
    pub fn fetching(&self, exchange: &Exchange) -> Result<File, GitError> {
        let url = &exchange.source.url;
        let lock = self.lock_file(url, "fetch")?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => exchange.in_time()?,
                Err(TryLockError::Error(error)) => return Err(unwritable(url, &error)),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The repository of a URL for oneself; `None` where somebody has it open.
    pub fn alone(&self, url: &str) -> Result<Option<File>, GitError> {
        let lock = self.lock_file(url, "lock")?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unwritable(url, &error)),
        }
    }

    fn lock_file(&self, url: &str, name: &str) -> Result<File, GitError> {
        let path = self.path(url)?.with_extension(name);
        fs::create_dir_all(&self.folder).map_err(|e| unwritable(url, &e))?;
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
        opened.map_err(|e| unwritable(url, &e))
    }

    /// Opens the repository of a URL, and makes an empty one where there is none.
    pub fn open_or_create(&self, url: &str) -> Result<Opened, GitError> {
        self.lock_file(url, "lock")?;
        if let Some(repository) = self.open(url)? {
            return Ok(repository);
        }
        let path = self.path(url)?;
        if path.exists() {
            // Without its marker it is half made, or not ours.
            self.set_aside(url)?;
        }
        let failed = |e: io::Error| unwritable(url, &e);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let fresh = tempfile::Builder::new().prefix("new-").tempdir_in(&self.folder).map_err(failed)?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false);
        Repository::init_opts(fresh.path(), &options).map_err(|e| GitError::of_cache(url, "making the cache", &e))?;
        fs::write(fresh.path().join(MARKER), super::redact(url)).map_err(failed)?;
        let fresh = fresh.keep();
        if let Err(error) = fs::rename(&fresh, &path) {
            let _ = fs::remove_dir_all(&fresh);
            // Another process may have been faster.
            if !path.join(MARKER).exists() {
                return Err(failed(error));
            }
        }
        let opened = self.open(url)?;
        opened.ok_or_else(|| GitError::new(Kind::CacheFailed, url, "the cache vanished while it was made"))
    }

    /// Moves a repository that cannot be used out of the way and removes the one that was set aside
    /// before it: one is kept, for people to look at.
    pub fn set_aside(&self, url: &str) -> Result<(), GitError> {
        let path = self.path(url)?;
        let aside = path.with_extension("broken");
        let failed = |e: io::Error| unwritable(url, &e);
        remove(&aside).map_err(failed)?;
        match fs::rename(&path, &aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

fn unwritable(url: &str, error: &io::Error) -> GitError {
    GitError::new(Kind::CacheFailed, url, format!("the cache folder cannot be used: {error}"))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
