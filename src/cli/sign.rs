//! Signing by `ssh-keygen`, and the note by `git`: so the keys, agents and credentials that a person uses work as always.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use git2::{ErrorCode, Oid, Repository};
use jiff::Timestamp;

use super::Stop;
use crate::failure::{Failed, Fault};
use crate::git::{GitError, Kind};
use crate::revision::signature::{Flaw, Signer, Trust, judge_text};

/// Where what a remote has is for a moment.
const FETCHED: &str = "refs/tandem/fetched";

/// A file of a key; one that only this command made is removed when it is dropped.
pub struct KeyFile {
    path: PathBuf,
    _made: Option<tempfile::NamedTempFile>,
}

/// The key that is asked for, or that git signs with.
pub fn key(repository: &Repository, given: Option<&Path>) -> Result<KeyFile, Stop> {
    if let Some(path) = given {
        return Ok(KeyFile { path: path.to_owned(), _made: None });
    }
    let configured = repository.config().and_then(|mut config| config.snapshot());
    let configured = configured.and_then(|config| config.get_string("user.signingKey"));
    let configured = configured.map_err(|_| {
        Stop::usage("there is no key to sign with", "say --key, or set user.signingKey of git to an SSH key")
    })?;
    // Git takes a public key itself, too.
    let literal = configured.strip_prefix("key::").unwrap_or(&configured);
    if literal.starts_with("ssh-") || literal.starts_with("ecdsa-") || literal.starts_with("sk-") {
        let mut file = tempfile::Builder::new().suffix(".pub").tempfile()?;
        writeln!(file, "{literal}")?;
        return Ok(KeyFile { path: file.path().to_owned(), _made: Some(file) });
    }
    let path = match configured.strip_prefix("~/") {
        Some(rest) => std::env::home_dir().unwrap_or_default().join(rest),
        None => PathBuf::from(configured),
    };
    Ok(KeyFile { path, _made: None })
}

/// Signs a text for a purpose.
pub fn signed(key: &KeyFile, namespace: &str, text: &str) -> Result<String, Stop> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", namespace, "-f"]).arg(&key.path);
    let printed = printed(command, "ssh-keygen", Some(text))?;
    if printed.contains("-----BEGIN SSH SIGNATURE-----") {
        return Ok(printed);
    }
    let failed =
        Failed::new("SigningFailed", Fault::Cluster, format!("ssh-keygen did not sign with {}", key.path.display()));
    Err(failed.with_hint("the key is a private one, or one of ssh-agent: ssh-add -l").into())
}

/// Who signed an approval, by the owners file that counts.
pub fn signer(text: &str, signature: &str, namespace: &str, trust: &Trust, now: Timestamp) -> Result<Signer, Stop> {
    judge_text(text.as_bytes(), signature.as_bytes(), namespace, trust, now).map_err(|(flaw, why)| {
        let hint = match flaw {
            Flaw::SignerUnknown => "the owners file of the base lists the keys that may approve",
            other => other.hint(),
        };
        Failed::new("SigningFailed", Fault::Repository, format!("the approval {why}")).with_hint(hint).into()
    })
}

/// Writes the note on a commit anew, from what it is by now.
pub fn write(
    repository: &Repository,
    name: &str,
    commit: &str,
    change: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<(), Stop> {
    let url = repository.path().display().to_string();
    let failed = |error: git2::Error| Stop::from(unreadable(&url, &error));
    let id = Oid::from_str(commit).map_err(failed)?;
    let before = match repository.find_note(Some(name), id) {
        Ok(note) => note.message_bytes().to_vec(),
        Err(error) if error.code() == ErrorCode::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    let who = repository.signature().map_err(failed)?;
    let note = String::from_utf8_lossy(&change(&before)).into_owned();
    repository.note(&who, &who, Some(name), id, &note, true).map_err(failed)?;
    Ok(())
}

/// A clone that cannot be read.
pub fn unreadable(url: &str, error: &git2::Error) -> Failed {
    Failed::from(&GitError::new(Kind::CacheFailed, url, error.message()))
}

/// Brings what a reference of the remote leads to; `None` where it has none of that name.
fn brought(repository: &Repository, remote: &str, name: &str) -> Result<Option<Oid>, Stop> {
    let listed = printed(git(repository, &["ls-remote", remote, name]), "git ls-remote", None)?;
    if listed.trim().is_empty() {
        return Ok(None);
    }
    let fetched = format!("+{name}:{FETCHED}");
    printed(git(repository, &["fetch", "--quiet", "--no-tags", remote, &fetched]), "git fetch", None)?;
    let url = repository.path().display().to_string();
    let failed = |error: git2::Error| Stop::from(unreadable(&url, &error));
    let mut there = repository.find_reference(FETCHED).map_err(failed)?;
    let commit = there.peel_to_commit().map_err(failed)?.id();
    there.delete().map_err(failed)?;
    Ok(Some(commit))
}

/// The commit that the remote has at a branch or tag, which is here then; no reference of the clone moves.
pub fn tip(repository: &Repository, remote: &str, name: &str) -> Result<Option<String>, Stop> {
    Ok(brought(repository, remote, name)?.map(|commit| commit.to_string()))
}

/// Brings a reference of notes from the remote, where it has it.
pub fn fetch(repository: &Repository, remote: &str, name: &str) -> Result<(), Stop> {
    let Some(theirs) = brought(repository, remote, name)? else { return Ok(()) };
    let url = repository.path().display().to_string();
    let failed = |error: git2::Error| Stop::from(unreadable(&url, &error));
    let ours = repository.refname_to_id(name).ok();
    let ahead = match ours {
        Some(ours) => ours == theirs || repository.graph_descendant_of(ours, theirs).map_err(failed)?,
        None => false,
    };
    let behind = match ours {
        Some(ours) => repository.graph_descendant_of(theirs, ours).map_err(failed)?,
        None => true,
    };
    if behind {
        repository.reference(name, theirs, true, "fetched").map_err(failed)?;
    } else if !ahead {
        let message = format!("your notes here and those of {remote} have gone different ways");
        let hint = format!("take those of the remote, and say it again: git update-ref {name} {theirs}");
        return Err(Failed::new("NotesDiverged", Fault::Repository, message).with_hint(hint).into());
    }
    Ok(())
}

/// Where a remote is: by that a repository is named.
pub fn address(repository: &Repository, remote: &str) -> Result<String, Stop> {
    let found = repository.find_remote(remote).ok();
    found.and_then(|found| found.url().map(str::to_owned).ok()).ok_or_else(|| {
        Stop::usage(format!("the clone has no remote {remote}"), "name the remote that is deployed from: --remote")
    })
}

/// Sends them.
pub fn push(repository: &Repository, remote: &str, name: &str) -> Result<(), Stop> {
    printed(git(repository, &["push", "--quiet", remote, &format!("{name}:{name}")]), "git push", None).map(|_| ())
}

fn git(repository: &Repository, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(repository.path()).args(arguments);
    command
}

/// Runs a program, which may ask the person at the keyboard, and returns what it prints.
fn printed(mut command: Command, what: &str, input: Option<&str>) -> Result<String, Stop> {
    let failed = |why: String| Stop::from(Failed::new("ProgramFailed", Fault::Cluster, format!("{what}: {why}")));
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::inherit() });
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().map_err(|e| failed(e.to_string()))?;
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(text.as_bytes()).map_err(|e| failed(e.to_string()))?;
    }
    let output = child.wait_with_output().map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
