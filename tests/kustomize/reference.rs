//! The real kustomize.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::case::{Node, on_disk};

/// The real kustomize: the program that `KUSTOMIZE` names, or the lab's, built where it is missing.
fn kustomize() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("KUSTOMIZE") {
            return program.into();
        }
        let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/lab");
        let built = Command::new(lab).args(["build", "kustomize"]).output().expect("hack/lab runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let folder = String::from_utf8(built.stdout).expect("a path");
        Path::new(folder.lines().last().expect("a folder")).join("kustomize")
    })
}

/// What kustomize prints for a folder of a tree, or its complaint. It finds no other program, so it
/// fetches nothing.
pub fn build(tree: &[Node], path: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().expect("a folder");
    on_disk(tree, folder.path());
    let output = Command::new(kustomize())
        .args(["build", path])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/nonexistent")
        .env("HOME", folder.path().join("no-home"))
        .output()
        .expect("kustomize runs");
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).expect("UTF-8"))
    } else {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(told.replace(&*folder.path().to_string_lossy(), ""))
    }
}

/// Calls a function for all items, on two threads, and gives the answers in order.
pub fn two_at_a_time<T: Sync, A: Send>(items: &[T], call: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let (first, second) = items.split_at(items.len() / 2);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| second.iter().map(&call).collect::<Vec<_>>());
        let mut answers: Vec<A> = first.iter().map(&call).collect();
        answers.extend(second.join().expect("no panic"));
        answers
    })
}
