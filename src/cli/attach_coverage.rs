//! `tandem attach-coverage`: how much of a commit's code is covered, signed by CI, as a Git note.

use std::path::{Path, PathBuf};

use git2::{Oid, Repository};
use jiff::Timestamp;
use serde::Serialize;
use ssh_key::{HashAlg, PublicKey, SshSig};

use super::{Exit, Output, Stop, args, clone, sign};
use crate::failure::{Failed, Fault};
use crate::revision::coverage::note::{NAMESPACE, NOTES, Statement, added, newest, trust};
use crate::revision::coverage::{FILE, read};
use crate::revision::review::note::repository_id;

const AFTER: &str = "\
Examples:
  tandem attach-coverage lcov.info                        of HEAD, signed by git's own key
  tandem attach-coverage coverage.xml --key ci_key        Cobertura, by the key of a file
  tandem attach-coverage lcov.info --context web --commit \"$CI_COMMIT_SHA\"

Covered lines are counted by the lines in the file, and printed. ssh-keygen signs, so ssh-agent and
hardware keys work. The note is in refs/notes/coverage, which is pushed; those of the newest hundred
commits are kept there. It counts for exactly this file, commit and repository, for a check in
spec.checks of a Repository with this context that lists the key in keys.";

/// Notes that are kept.
const KEPT: usize = 100;
/// Pushes that are tried: others may push theirs at the same time.
const PUSHES: usize = 5;

/// Attach a coverage file to a commit, signed, for a check of it
///
/// Reads lcov or Cobertura, says how many lines are covered, signs that this is the file of this
/// commit, and pushes both as a Git note.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// lcov's tracefile, or a report in Cobertura's XML
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Commit that it is of
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    commit: String,
    /// Name of the check in spec.checks
    #[arg(long, value_name = "NAME", default_value = "coverage", value_parser = context)]
    context: String,
    /// Private or public SSH key; user.signingKey of git unless said
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Remote that the note is pushed to
    #[arg(long, value_name = "NAME", default_value = "origin")]
    remote: String,
    /// Leave the note in this clone
    #[arg(long)]
    no_push: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    commit: String,
    context: String,
    covered: u64,
    instrumented: u64,
    /// As `spec.checks` lists it.
    key: String,
    note: &'static str,
    pushed: bool,
}

fn context(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) || text.trim() != text {
        return Err("1 to 255 characters on one line".to_owned());
    }
    Ok(text.to_owned())
}

/// Attaches, and tells.
pub async fn run(args: &Args, _: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let file = content(&args.file)?;
    let lines = read(file.as_bytes()).map_err(|refused| {
        let failed =
            Failed::new(refused.flaw.as_str(), Fault::Repository, format!("{}: {refused}", args.file.display()));
        failed.with_hint("it is to be lcov's tracefile or Cobertura's XML, as the tool wrote it")
    })?;
    let around = clone::Clone::around(Path::new("."))?;
    let commit = around.commit(&args.commit)?;
    let repository = around.repository(&commit)?;
    let address = sign::address(repository, &args.remote)?;
    // Seconds are enough, and read better.
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    let context = args.context.clone();
    let statement = Statement::of(file.as_bytes(), repository_id(&address), commit.clone(), context, now);
    let text = statement.text();
    let key = sign::key(repository, args.key.as_deref())?;
    let signature = sign::signed(&key, NAMESPACE, &text)?;
    let (line, fingerprint) = signed_by(&signature)?;
    let trust = trust(std::slice::from_ref(&line)).map_err(|why| Stop::usage(why, "sign with another key"))?;
    // As the agent will see it: a key that is too weak is told now.
    sign::signer(&text, &signature, NAMESPACE, &trust, now)?;
    let attach = || -> Result<(), Stop> {
        sign::write(repository, NOTES, &commit, |note| added(note, &statement, &signature, file.as_bytes()))?;
        forget_old(repository, &commit)
    };
    if args.no_push {
        attach()?;
    } else {
        pushed(repository, &args.remote, output, &attach)?;
    }
    let answer = Answer {
        commit,
        context: args.context.clone(),
        covered: lines.covered,
        instrumented: lines.instrumented,
        key: line,
        note: NOTES,
        pushed: !args.no_push,
    };
    output.result(&answer, |answer, _| {
        let push = format!("; push it: git push {} {NOTES}", args.remote);
        let push = if answer.pushed { "" } else { &push };
        format!("{}: {lines} of {}, signed by {fingerprint}{push}\n", answer.context, answer.commit)
    })?;
    Ok(Exit::Nothing)
}

fn content(path: &Path) -> Result<String, Stop> {
    let unreadable = |why: String| {
        Stop::usage(format!("cannot read {}: {why}", path.display()), "name the file that the coverage tool wrote")
    };
    let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if size > FILE as u64 {
        return Err(unreadable(format!("it has {size} bytes, and at most {FILE} are read")));
    }
    let file = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    if file.contains('\0') {
        return Err(unreadable("it is no text".to_owned()));
    }
    Ok(file)
}

/// The key of a signature: its line, and its fingerprint.
fn signed_by(signature: &str) -> Result<(String, String), Stop> {
    let unreadable = |error: ssh_key::Error| {
        let message = format!("what ssh-keygen signed cannot be read: {error}");
        Stop::from(
            Failed::new("SigningFailed", Fault::Cluster, message).with_hint("sign with a key, and not a certificate"),
        )
    };
    let key = SshSig::from_pem(signature.trim()).map_err(unreadable)?.public_key().clone();
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    Ok((PublicKey::from(key).to_openssh().map_err(unreadable)?, fingerprint))
}

/// Attaches to what the remote has by now and pushes, anew where somebody else was faster.
fn pushed(
    repository: &Repository,
    remote: &str,
    output: &Output,
    attach: &dyn Fn() -> Result<(), Stop>,
) -> Result<(), Stop> {
    let url = repository.path().display().to_string();
    let failed = |error: git2::Error| Stop::from(sign::unreadable(&url, &error));
    let mut tries = 1;
    loop {
        sign::fetch(repository, remote, NOTES)?;
        let before = repository.refname_to_id(NOTES).ok();
        attach()?;
        match sign::push(repository, remote, NOTES) {
            Ok(()) => return Ok(()),
            Err(stop) if tries == PUSHES => return Err(stop),
            Err(_) => output.note("the notes were not taken: they are fetched and written once more"),
        }
        tries += 1;
        match before {
            Some(before) => repository.reference(NOTES, before, true, "not pushed").map(|_| ()).map_err(failed)?,
            None => repository.find_reference(NOTES).and_then(|mut notes| notes.delete()).map_err(failed)?,
        }
    }
}

/// Removes the oldest notes where there are too many: whoever fetches them fetches all.
fn forget_old(repository: &Repository, commit: &str) -> Result<(), Stop> {
    let url = repository.path().display().to_string();
    let failed = |error: git2::Error| Stop::from(sign::unreadable(&url, &error));
    let mut notes: Vec<(Option<Timestamp>, Oid)> = Vec::new();
    for entry in repository.notes(Some(NOTES)).map_err(failed)? {
        let (blob, annotated) = entry.map_err(failed)?;
        let blob = repository.find_blob(blob).map_err(failed)?;
        notes.push((newest(blob.content()), annotated));
    }
    notes.sort_unstable_by_key(|(at, _)| *at);
    let old = notes.len().saturating_sub(KEPT);
    let who = repository.signature().map_err(failed)?;
    for (_, annotated) in notes.iter().take(old).filter(|(_, annotated)| annotated.to_string() != commit) {
        repository.note_delete(*annotated, Some(NOTES), &who, &who).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_a_line() {
        for good in ["coverage", "web / unit tests", "ä"] {
            assert_eq!(context(good).as_deref(), Ok(good));
        }
        for bad in ["", "a\nb", " a", "a ", &"a".repeat(256), "a\u{7}"] {
            assert!(context(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_newest_notes_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let repository = Repository::init(folder.path()).expect("a repository");
        let mut config = repository.config().expect("a configuration");
        config.set_str("user.name", "CI").expect("set");
        config.set_str("user.email", "ci@example.com").expect("set");
        let commit = |at: usize| format!("{at:040x}");
        let write = |at: usize, minute: usize| {
            let when = Timestamp::from_second(60 * i64::try_from(minute).expect("small")).expect("a time");
            let statement = Statement::of(b"x", "r".to_owned(), commit(at), "coverage".to_owned(), when);
            let signature = "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----";
            sign::write(&repository, NOTES, &commit(at), |note| added(note, &statement, signature, b"x"))
                .expect("written");
        };
        // The first one is the newest by its time, the last the oldest.
        let all = KEPT + 3;
        (0..all).for_each(|at| write(at, all - at));
        forget_old(&repository, &commit(all - 1)).expect("forgotten");
        let has = |at: usize| repository.find_note(Some(NOTES), commit(at).parse().expect("an id")).is_ok();
        assert!(has(0) && has(KEPT - 1), "the newest stay");
        assert!(!has(KEPT + 1) && !has(KEPT), "the oldest go");
        assert!(has(all - 1), "what was just attached stays, however old it says it is");
    }
}
