//! What somebody sees before they approve. All of it was written by others: what could hide something is shown as what it
//! is.

use std::fmt::Write;

use git2::{Commit, Oid, Repository};

use super::super::output::Paint;
use super::patch::Patch;
use crate::git::{self, GitError, Kind, Range};
use crate::report::visible::visible;
use crate::revision::review::{Step, Verdict, carries_trailers};

/// Paths that are listed.
const PATHS: usize = 200;

/// Commit, changes, and who must approve.
///
/// # Errors
/// The repository cannot be read.
pub fn shown(
    (repository, url): (&Repository, &str),
    step: &Step,
    verdict: &Verdict,
    paint: Paint,
) -> Result<String, GitError> {
    let failed = |error: git2::Error| GitError::new(Kind::CacheFailed, url, error.message());
    let commit = repository.find_commit(Oid::from_str(&step.commit).map_err(failed)?).map_err(failed)?;
    let patch = Patch::between(repository, (&step.parent, &step.commit), paint).map_err(failed)?;
    let mut text = head(&commit, step);
    let steering = steering(repository, url, step)?;
    if !steering.is_empty() {
        text.push_str("lines that steer what is deployed, of commits that it brings:\n");
        steering.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    let _ = writeln!(text, "compared with {}:\n\n{}", step.parent, patch.text);
    if patch.left > 0 {
        let _ = writeln!(text, "{} lines more are not shown: git diff {} {}\n", patch.left, step.parent, step.commit);
    }
    for path in step.paths.iter().take(PATHS) {
        let (added, removed) = patch.counts.get(path).copied().unwrap_or_default();
        let why = step.sensitive.get(path).map(|why| format!("  needs ops: {why}")).unwrap_or_default();
        let _ = writeln!(text, "  {} +{added} -{removed}{why}", visible(path));
    }
    if step.paths.len() > PATHS {
        let _ = writeln!(text, "  and {} more", step.paths.len() - PATHS);
    }
    if !patch.hidden.is_empty() {
        text.push_str("characters that a terminal hides, in what is added:\n");
        patch.hidden.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    let _ = writeln!(text, "by the profile Reviewed, {}", visible(&verdict.told()));
    Ok(text)
}

/// The commit's own words.
fn head(commit: &Commit<'_>, step: &Step) -> String {
    let mut text = format!("commit {}\n", step.commit);
    let person = |signature: &git2::Signature<'_>| {
        let of = |bytes: &[u8]| visible(&String::from_utf8_lossy(bytes));
        format!("{} <{}>", of(signature.name_bytes()), of(signature.email_bytes()))
    };
    let _ = writeln!(text, "author {}\ncommitter {}", person(&commit.author()), person(&commit.committer()));
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    for line in message.lines() {
        let _ = writeln!(text, "    {}", visible(line));
    }
    text
}

/// Lines of all that a commit brings that steer what is deployed, each with its commit: they count once it is approved.
fn steering(repository: &Repository, url: &str, step: &Step) -> Result<Vec<String>, GitError> {
    let Range::Commits { ids, .. } =
        git::range(repository, url, std::slice::from_ref(&step.parent), &step.commit, false)?
    else {
        return Ok(vec!["not known: history ends before the commit that it is compared with".to_owned()]);
    };
    let mut lines = Vec::new();
    for id in ids.iter().rev().filter(|id| **id != step.commit) {
        let message = git::message(repository, url, id)?;
        let steers = message.lines().filter(|line| carries_trailers(line));
        lines.extend(steers.map(|line| format!("{}: {}", &id[..12.min(id.len())], visible(line.trim()))));
    }
    Ok(lines)
}
