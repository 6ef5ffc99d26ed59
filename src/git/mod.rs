//! git2: references, fetches, trees, signed bytes. Knows nothing of clusters.
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
mod mainline;
mod merge;
mod notes;
mod pkt;
mod range;
mod source;
mod ssh;
mod transport;
mod tree;

pub use crate::object::Secret;
pub use address::{Address, redact};
pub use cache::{Cache, Opened};
pub use commit::{CommitInfo, CommitTrailers, Trailer, commit_info_of, trailers, trailers_brought, trailers_of};
pub use error::{GitError, Kind};
pub use fetch::{Fetched, fetch, pin_accepted};
pub use history::{ancestry, local_ancestry};
pub use library::prepare;
pub use listing::{Listed, list};
pub use mainline::{Content, Mainline, addresses, changed_paths, file, mainline, message, tree_of};
pub use merge::{InMemory, Kept, OwnMerge, fetch_head, keep_heads, merge, merge_in_memory};
pub use notes::{coverage_on, fetch_coverage, fetch_notes, notes_on};
pub use range::{DEEPER, Range, deepen, descends, fetch_again, is_disguised, range, raw};
pub use source::{ClientCertificate, Credentials, PlainHttp, Proxy, Source, SourceLimits};
pub use tree::GitTree;
