//! git2: references, fetches, trees. Knows nothing of clusters.
//!
//! Git is read, never checked out: one bare repository for each URL, filled by shallow and
//! incremental fetches, and files come from its object store. All of this runs in the worker
//! process, because calls into libgit2 cannot be cancelled.

mod address;
mod by_id;
mod cache;
mod commit;
mod compact;
mod error;
mod exchange;
mod fetch;
mod history;
mod http;
mod known_hosts;
mod library;
mod listing;
mod pkt;
mod source;
mod ssh;
mod transport;
mod tree;

pub use address::{Address, redact};
pub use cache::{Cache, Opened};
pub use commit::{CommitInfo, CommitTrailers, Trailer, commit_info_of, trailers};
pub use error::{GitError, Kind};
pub use fetch::{Fetched, fetch, pin_accepted};
pub use history::{ancestry, local_ancestry};
pub use library::prepare;
pub use listing::{Listed, list};
pub use source::{ClientCertificate, Credentials, PlainHttp, Proxy, Secret, Source, SourceLimits};
pub use tree::GitTree;
