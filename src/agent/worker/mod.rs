//! What runs in the worker process, and how the loop asks for it.
//!
//! The worker composes `git` and `render`: it fetches commits into the cache and renders folders
//! of them. [`Workers`] is the loop's side, [`main`] the worker's.

#[cfg(test)]
mod bare;
mod client;
mod coverage;
mod foreseen;
mod freeze;
mod known;
mod landed;
mod people;
mod proposed;
mod protocol;
mod quarantine;
mod review;
mod serve;
mod settings;
mod step;
mod verify;

pub use client::Workers;
pub use coverage::{CoverageCheck, CoverageKeys};
pub use foreseen::Foreseen;
pub use freeze::{Changes, Freezes, Since, freezes_of};
pub use known::owners_of;
pub use proposed::{At, Folder, Proposed, Trial};
pub use protocol::{History, Pins};
pub use quarantine::{KILLS, Quarantine, killed};
pub use review::{Judged, ReviewCheck, Reviewed, Way, review};
pub use serve::main;
pub use settings::WorkersSettings;
pub use step::step;
pub use verify::{Check, Objects, Verified, verify};

pub use crate::git::{
    ClientCertificate, CommitInfo, CommitTrailers, Credentials, Fetched, Listed, PlainHttp, Proxy, Secret, Source,
    SourceLimits, Trailer,
};
