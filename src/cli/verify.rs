//! `tandem verify`: what the agent would say of the signatures of a commit, on the laptop.

use std::path::{Path, PathBuf};

use git2::Repository;
use jiff::Timestamp;
use serde::Serialize;

use super::{Exit, Output, Stop, args, clone};
use crate::agent::worker::{Check, Objects, Verified, verify};
use crate::git::{GitError, Kind};
use crate::revision::Revision;
use crate::revision::signature::KeyFile;

const AFTER: &str = "\
Examples:
  tandem verify --keys .tandem/allowed_signers                  HEAD alone
  tandem verify --keys alice.pub --keys bob.asc --since v1.4.0  every commit since then
  tandem verify v1.5.0 --tag --keys allowed_signers             the annotated tag, under its own name

A file of keys is named as in the Secret of spec.verify.secretRef of a Repository: allowed_signers
and revoked_keys as ssh-keygen has them, *.pub with SSH keys, *.asc with OpenPGP keys; merges*.pub
and merges*.asc with keys of a forge that count for merges alone.

It ends with 0 where all is signed, and with 1 where something is not.";

/// Verify who signed commits, as the agent would
///
/// Reads the clone around the current folder; nothing is fetched, and no cluster is asked.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// Commit, branch or tag
    #[arg(value_name = "REV", default_value = "HEAD")]
    revision: String,
    /// File with keys that may sign; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// Commit up to which history is trusted as it is; without it the commit alone must be signed
    #[arg(long, value_name = "REV")]
    since: Option<String>,
    /// REV is a tag, and the tag must be signed instead of commits
    #[arg(long, conflicts_with = "since")]
    tag: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    revision: String,
    signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    commits: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// A clone: what it does not have is not fetched.
struct Local<'a> {
    repository: &'a Repository,
    url: String,
}

impl Objects for Local<'_> {
    fn open<T>(&self, work: impl FnOnce(&Repository) -> Result<T, GitError>) -> Result<T, GitError> {
        work(self.repository)
    }

    fn deepen(&self, _: usize) -> Result<bool, GitError> {
        Ok(false)
    }

    fn fetch_tag(&self) -> Result<bool, GitError> {
        Ok(false)
    }

    fn url(&self) -> &str {
        &self.url
    }
}

/// Verifies, and tells.
pub async fn run(args: &Args, _: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let around = clone::Clone::around(Path::new("."))?;
    let commit = around.commit(&args.revision)?;
    let repository = around.repository(&commit)?;
    let since = args.since.as_deref().map(|since| around.commit(since)).transpose()?;
    let local = Local { repository, url: repository.path().display().to_string() };
    let name = args.revision.strip_prefix("refs/tags/").unwrap_or(&args.revision);
    let name = if args.tag { name.to_owned() } else { String::new() };
    let tag = if args.tag { tag_of(&local, &name)? } else { None };
    let check = Check {
        keys: args.keys.iter().map(|path| key_file(path)).collect::<Result<_, _>>()?,
        tag: args.tag,
        commits: !args.tag,
        since: since.into_iter().map(|since| vec![since]).collect(),
        seen_at: Timestamp::now(),
    };
    let revision = Revision { name, commit };
    let verified = verify(&local, &revision, tag.as_deref(), &check)?;
    let answer = answer(&revision, &verified);
    output.result(&answer, |answer, _| match &answer.message {
        Some(message) => format!("{}: {message}\n", answer.reason.unwrap_or_default()),
        None => format!("{}: {verified}\n", answer.revision),
    })?;
    Ok(if answer.signed { Exit::Nothing } else { Exit::Differences })
}

fn answer(revision: &Revision, verified: &Verified) -> Answer {
    let (signer, commits) = match verified {
        Verified::Signed { by, commits } => (by.clone(), *commits),
        _ => (None, 0),
    };
    let reason = verified.reason();
    Answer {
        revision: revision.to_string(),
        signed: reason.is_none(),
        signer,
        commits,
        reason: reason.map(|reason| reason.as_str()),
        message: reason.map(|_| verified.to_string()),
    }
}

/// Id of the tag's own object; none of a lightweight tag.
fn tag_of(local: &Local<'_>, name: &str) -> Result<Option<String>, Stop> {
    let reference = local.repository.find_reference(&format!("refs/tags/{name}")).map_err(|error| {
        let failed =
            GitError::new(Kind::RefNotFound, &local.url, format!("there is no tag {name}: {}", error.message()));
        crate::failure::Failed::from(&failed)
    })?;
    let target = reference.target().filter(|id| local.repository.find_tag(*id).is_ok());
    Ok(target.map(|id| id.to_string()))
}

fn key_file(path: &Path) -> Result<KeyFile, Stop> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Stop::usage(format!("cannot read {}: {error}", path.display()), "--keys names a file of keys")
    })?;
    Ok(KeyFile { name, text })
}
