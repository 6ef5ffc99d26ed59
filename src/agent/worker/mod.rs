//! What runs in the worker process, and how the loop asks for it.
//!
//! The worker composes `git` and `render`: it fetches commits into the cache and renders folders
//! of them. [`Workers`] is the loop's side, [`main`] the worker's.

mod client;
mod protocol;
mod quarantine;
mod serve;

pub use client::{Workers, WorkersSettings};
pub use protocol::{History, Pins};
pub use quarantine::Quarantine;
pub use serve::main;

pub use crate::git::{
    ClientCertificate, CommitInfo, CommitTrailers, Credentials, Fetched, Listed, PlainHttp, Proxy, Secret, Source,
    SourceLimits, Trailer,
};
