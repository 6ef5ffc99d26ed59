//! Repositories on a real Git server.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use super::{root, run, unique};

/// `git http-backend` behind nginx, on loopback.
pub struct GitServer {
    root: TempDir,
    facts: Value,
}

impl GitServer {
    /// The server that all tests share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<GitServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A server of the test's own, with more of `hack/lab serve git-http`'s options.
    pub fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let pid = std::process::id().to_string();
        let mut command = Command::new(root().join("hack/lab"));
        command.args(["serve", "git-http", "--root"]).arg(folder.path()).args(["--owner-pid", &pid]).args(options);
        let facts = run(&mut command);
        let facts = serde_json::from_str(&facts).unwrap_or_else(|e| panic!("hack/lab serve: {e}: {facts}"));
        Self { root: folder, facts }
    }

    /// One of the facts that the server tells, such as `url`.
    pub fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.facts))
    }

    /// A new repository with the branch `main` and no commit.
    pub fn repo(&self) -> Repo {
        let name = format!("{}.git", unique("repo"));
        let bare = self.root.path().join(&name);
        run(Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(&bare));
        let work = tempfile::tempdir().expect("a folder");
        run(Command::new("git").args(["clone", "-q"]).arg(&bare).arg(work.path()));
        let repo = Repo { work, url: format!("{}/{name}", self.fact("url").trim_end_matches('/')) };
        repo.git(&["checkout", "-q", "-B", "main"]);
        repo
    }
}

/// A repository with a working copy.
pub struct Repo {
    work: TempDir,
    /// Where clients fetch it from.
    pub url: String,
}

impl Repo {
    /// A new repository on the shared server.
    pub fn new() -> Self {
        GitServer::shared().repo()
    }

    /// Folder of the working copy.
    pub fn work(&self) -> &Path {
        self.work.path()
    }

    /// git in the working copy, free of the machine's settings.
    pub fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.work.path()).args(["-c", "user.name=Dev", "-c", "user.email=dev@example.com"]);
        command.args(["-c", "commit.gpgsign=false"]).args(args);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        run(&mut command)
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let full = self.work.path().join(path);
        fs::create_dir_all(full.parent().expect("parent")).expect("folders");
        fs::write(full, text).expect("writes");
    }

    /// Removes a file or folder.
    pub fn remove(&self, path: &str) {
        self.git(&["rm", "-rq", path]);
    }

    /// Commits everything and pushes; the commit's id.
    pub fn push(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["push", "-q", "--force", "origin", "HEAD:main"]);
        self.head()
    }

    /// Id of the current commit.
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }
}
