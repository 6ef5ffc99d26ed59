//! The API server: discovery, observe, apply, delete, watch, lease, status, events.
//!
//! This door decides nothing: it sends what it is given and returns what was answered, as values.
//! Every request goes through [`Session`]: one pool of connections, one limiter, one place that
//! impersonates, counts, waits and retries.

pub mod apply;
mod call;
mod connect;
pub mod delete;
mod error;
mod keep;
pub mod kinds;
pub mod lease;
mod limit;
pub mod observe;
pub mod own;
pub mod person;
pub mod refusal;
mod release;
mod request;
mod session;

pub use apply::Answer;
pub use connect::{Cluster, ConnectOptions, OnRequest, RequestSeen};
pub use error::{ClusterError, Sent};
pub use kinds::{KindInfo, Kinds, Snapshot};
pub use lease::{Confirmed, WritePermit};
pub use refusal::{Cause, Refusal, RefusalReason};
pub use release::release;
pub use session::{Actor, Purpose, Session};
