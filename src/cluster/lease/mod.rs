//! Leader election over Leases, and the permit to write that only a held lease mints.
//!
//! client-go's rules: a lease has expired when *we* have seen its record unchanged for its whole
//! duration, on our monotonic clock; every write carries the resourceVersion that was read, so of
//! two contenders one gets 409; the holder stops well before the others may begin.

mod election;
mod options;
mod permit;
mod record;

pub use election::contend;
pub use options::{Election, LeaseOptions};
pub use permit::{Confirmed, WritePermit};
