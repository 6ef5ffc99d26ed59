//! Questions to the worker and parts of its answers. Both sides are the same binary, so this is
//! no promised format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::coverage::CoverageCheck;
use super::foreseen::Foreseen;
use super::freeze::{Changes, Freezes, Since};
use super::proposed::{At, Proposed, Trial};
use super::review::{ReviewCheck, Reviewed};
use super::verify::{Check, Verified};
use crate::failure::Failed;
use crate::git::{CommitInfo, CommitTrailers, Fetched, Listed, Source};
use crate::object::{Manifest, Problem};
use crate::render::helm::Asked;
use crate::render::{Need, Options, ReadSet};
use crate::revision::checks::Said;
use crate::revision::proposal::Evidence;
use crate::revision::review::Dialect;
use crate::revision::review::note::Withdrawal;
use crate::revision::{Ancestry, Wanted};

/// A question, with the folder of the cache.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    pub cache: PathBuf,
    pub question: Question,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Question {
    Refs { source: Source, wanted: Wanted, notes: bool },
    Fetch { source: Source, listed: Listed },
    Ancestry { source: Source, accepted: String, found: Listed },
    LocalAncestry { url: String, accepted: String, found: String },
    Verify { source: Source, found: Listed, check: Check },
    Review { source: Source, found: Listed, check: ReviewCheck, notes: Option<String> },
    Coverage { source: Source, check: CoverageCheck },
    OwnersDigest { url: String, commit: String, dialect: Option<Dialect> },
    Unchanged { url: String, commit: String, read_sets: Vec<ReadSet> },
    Propose { source: Source, listed: Listed, proposed: Proposed },
    Foresee { source: Source, listed: Listed, proposed: Proposed, said: Evidence, check: ReviewCheck },
    Render { url: String, at: At, path: String, options: Options },
    CommitInfo { url: String, commit: String },
    Trailers { url: String, history: History },
    OnMainline { url: String, old: String, new: String },
    Freezes { url: String, commit: String },
    Changes { url: String, since: Since, read: ReadSet },
    Pin { url: String, pins: Pins },
    SetAside { url: String },
}

/// Which commits' trailers are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Commits after this one; without it, `to` alone.
    pub from: Option<String>,
    /// Up to this one.
    pub to: String,
    /// Only commits that change something at this path; without it, all.
    pub path: Option<String>,
    /// Steps of the mainline that are left out, with all that they bring: they lack approval.
    pub without: Vec<String>,
}

/// Commits of a repository that must stay in the cache, whatever the remote does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// All commits that Syncs have accepted, of every Repository of the URL.
    pub accepted: BTreeSet<String>,
}

/// One part of an answer. Most answers have one; a render has as many as it takes.
#[derive(Serialize, Deserialize)]
pub(super) enum Part {
    Listed(Listed, String),
    Fetched(Box<Fetched>),
    /// `None` where more history is needed.
    Ancestry(Option<Ancestry>),
    Verified(Verified),
    Reviewed(Box<Reviewed>),
    Coverage(BTreeMap<String, Vec<Said>>),
    OwnersDigest(String),
    Trial(Trial),
    Foreseen(Foreseen, Vec<Withdrawal>),
    Unchanged(Vec<bool>),
    Manifests(Vec<Manifest>),
    Problems(Vec<Problem>),
    ReadSet(ReadSet),
    Need(Box<Need>),
    Asked(Asked),
    CommitInfo(CommitInfo),
    Trailers(Vec<CommitTrailers>),
    OnMainline(bool),
    Freezes(Freezes),
    Changes(Changes),
    Done,
    Failed(Failed),
}
