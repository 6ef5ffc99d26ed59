//! Real Git servers of the lab, repositories to push to them, and workers that read them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tandem::agent::worker::{Listed, Source, Workers, WorkersSettings};
use tandem::failure::Failed;
use tandem::revision::Wanted;
use tempfile::TempDir;

/// A server that the lab runs; it is stopped when this is dropped.
pub struct Served {
    name: String,
    pub told: Value,
}

/// Starts a server of the lab.
pub fn serve(kind: &str, arguments: &[&str]) -> Served {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("git-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let output = lab()
        .args(["serve", kind, "--name", &name, "--owner-pid", &std::process::id().to_string()])
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .expect("hack/lab runs");
    assert!(output.status.success(), "hack/lab serve {kind}: {}", output.status);
    Served { name, told: serde_json::from_slice(&output.stdout).expect("hack/lab prints JSON") }
}

fn lab() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/lab"))
}

impl Served {
    /// Something that it told about itself.
    pub fn get(&self, key: &str) -> String {
        self.told[key].as_str().unwrap_or_else(|| panic!("no {key} in {}", self.told)).to_owned()
    }

    /// URL of a repository.
    pub fn repository(&self, name: &str) -> String {
        format!("{}{name}.git", self.get("url"))
    }

    /// Content of a file that it named.
    pub fn file(&self, key: &str) -> String {
        fs::read_to_string(self.get(key)).expect(key)
    }
}

impl Served {
    /// What its programs said, where it keeps a log of accesses beside their logs.
    fn tell(&self) {
        let Some(folder) = self.told["access_log"].as_str().and_then(|path| Path::new(path).parent()) else { return };
        for entry in fs::read_dir(folder.join("log")).into_iter().flatten().flatten() {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            eprintln!("{}:\n{text}", entry.path().display());
        }
        eprintln!("accesses:\n{}", fs::read_to_string(self.get("access_log")).unwrap_or_default());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
        let _ = lab().args(["down", "--name", &self.name]).output();
    }
}

/// A folder of bare repositories, each with a working copy beside it.
pub struct Repositories {
    folder: TempDir,
}

impl Repositories {
    pub fn new() -> Self {
        let folder = TempDir::new().expect("folder");
        fs::create_dir(folder.path().join("served")).expect("folder");
        Self { folder }
    }

    /// What a server serves.
    pub fn root(&self) -> String {
        self.folder.path().join("served").display().to_string()
    }

    /// Makes an empty repository `<name>.git` and a working copy of it.
    pub fn create(&self, name: &str) -> WorkingCopy {
        let bare = self.folder.path().join("served").join(format!("{name}.git"));
        let path = self.folder.path().join(name);
        let folder = self.folder.path();
        git(folder, &["init", "-q", "--bare", "-b", "main", &bare.display().to_string()]);
        git(&bare, &["config", "receive.denyDeleteCurrent", "ignore"]);
        git(folder, &["init", "-q", "-b", "main", &path.display().to_string()]);
        git(&path, &["remote", "add", "origin", &bare.display().to_string()]);
        WorkingCopy { path, bare }
    }
}

pub struct WorkingCopy {
    pub path: PathBuf,
    pub bare: PathBuf,
}

impl WorkingCopy {
    /// Writes files, commits them all with a message and pushes. Returns the commit.
    pub fn push(&self, message: &str, files: &[(&str, &str)]) -> String {
        self.commit(message, files);
        self.git(&["push", "-q", "--force", "origin", "HEAD"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes files and commits them all with a message.
    pub fn commit(&self, message: &str, files: &[(&str, &str)]) {
        commit(&self.path, message, files);
    }

    /// Runs git in it and returns what it prints.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.path, arguments)
    }
}

/// Writes files into a working copy and commits them all with a message.
pub fn commit(folder: &Path, message: &str, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(path, content).expect("file");
    }
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", message]);
}

/// Runs git without anybody's configuration and returns what it prints.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.com")
        .env("GIT_COMMITTER_NAME", "Ada")
        .env("GIT_COMMITTER_EMAIL", "ada@example.com")
        .output()
        .expect("git runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// Workers with a cache of their own.
pub struct Readers {
    pub cache: TempDir,
    pub workers: Workers,
}

impl Readers {
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut WorkersSettings)) -> Self {
        let cache = TempDir::new().expect("folder");
        let mut settings = WorkersSettings::new(cache.path()).expect("settings");
        settings.program = env!("CARGO_BIN_EXE_tandem").into();
        change(&mut settings);
        let workers = Workers::new(settings).expect("workers");
        Self { cache, workers }
    }

    /// Lists and fetches a branch.
    pub async fn fetch(&self, source: &Source, branch: &str) -> Result<Listed, Failed> {
        let listed = self.workers.refs(source, &Wanted::Branch(branch.to_owned())).await?;
        let fetched = self.workers.fetch(source, &listed).await?;
        assert_eq!(fetched.revision, listed.revision);
        Ok(listed)
    }

    /// Lists a branch, which must fail.
    pub async fn refused(&self, source: &Source) -> Failed {
        let result = self.workers.refs(source, &Wanted::Branch("main".to_owned())).await;
        let failed = result.expect_err("the listing must fail");
        assert!(!failed.message.contains("canary"), "{failed}");
        failed
    }

    /// Bare repositories in the cache.
    pub fn cached(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache.path()).expect("cache");
        let paths = entries.map(|entry| entry.expect("entry").path());
        paths.filter(|path| path.extension().is_some_and(|e| e == "git")).collect()
    }
}

/// Waits until `condition` holds, for ten seconds at most.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}: not so after 10 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A small manifest.
pub fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: {value}\n")
}
