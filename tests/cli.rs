//! The command line as its users meet it: the program itself, in a temporary folder.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

mod check;
mod ci;
pub mod cluster;
mod help;
mod policy_tests;
mod render;
mod sops;
mod standard;

/// A folder with files, in which the program runs.
pub struct Folder(TempDir);

impl Folder {
    /// A working copy with these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().expect("temporary folder"));
        git2::Repository::init(folder.path()).expect("a repository");
        files.iter().for_each(|(name, content)| folder.write(name, content));
        folder
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("file");
    }

    /// Commits everything, and returns the commit.
    pub fn commit(&self, message: &str) -> String {
        let repository = git2::Repository::open(self.path()).expect("a repository");
        let mut index = repository.index().expect("index");
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).expect("adds");
        index.write().expect("writes");
        let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("a tree");
        let author = git2::Signature::new("Ada", "ada@example.com", &git2::Time::new(0, 0)).expect("a signature");
        let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<_> = parent.iter().collect();
        repository.commit(Some("HEAD"), &author, &author, message, &tree, &parents).expect("commits").to_string()
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The program with its arguments, cut off from the environment of whoever runs the tests.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        command.args(args).current_dir(self.path()).env_clear().env("HOME", self.path());
        command
    }

    /// Runs it to its end: exit code, stdout and stderr as one text.
    pub fn run(&self, args: &[&str]) -> String {
        told(&self.command(args).output().expect("the program runs"))
    }
}

/// Exit code, stdout and stderr as one text.
pub fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let mut told = format!("exit {}\n", output.status.code().expect("an exit code"));
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            told.push_str(&format!("--- {name}\n{}", text(bytes)));
        }
    }
    told
}
