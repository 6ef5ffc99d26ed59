//! Questions to the worker and parts of its answers. Both sides are the same binary, so this is
//! no promised format.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::failure::Failed;
use crate::git::{CommitInfo, CommitTrailers, Fetched, Listed, Source};
use crate::object::{Manifest, Problem};
use crate::render::{Limits, ReadSet};
use crate::revision::{Ancestry, Wanted};

/// A question, with the folder of the cache.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    pub cache: PathBuf,
    pub question: Question,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Question {
    Refs { source: Source, wanted: Wanted },
    Fetch { source: Source, listed: Listed },
    Ancestry { source: Source, accepted: String, found: Listed },
    LocalAncestry { url: String, accepted: String, found: String },
    Unchanged { url: String, commit: String, read_sets: Vec<ReadSet> },
    Render { url: String, commit: String, path: String, limits: Limits },
    CommitInfo { url: String, commit: String },
    Trailers { url: String, history: History },
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
    Listed(Listed),
    Fetched(Box<Fetched>),
    /// `None` where more history is needed.
    Ancestry(Option<Ancestry>),
    Unchanged(Vec<bool>),
    Manifests(Vec<Manifest>),
    Problems(Vec<Problem>),
    ReadSet(ReadSet),
    CommitInfo(CommitInfo),
    Trailers(Vec<CommitTrailers>),
    Done,
    Failed(Failed),
}
