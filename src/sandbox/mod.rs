//! Child processes: starts, feeds, limits and replaces them. Knows only processes and frames.
//!
//! Hostile input is parsed in a child of the same binary, because a C library that loops or a
//! parser that eats all memory can only be ended by killing its process. A child is reused from
//! request to request; it is replaced as soon as it breaks a deadline, dies or answers garbage.

mod child;
mod confine;
mod error;
pub mod frame;
mod pool;
mod process;

pub use child::{Reply, serve};
pub use confine::{Confinement, Network};
pub use error::SandboxError;
pub use pool::{Pool, PoolSettings};
