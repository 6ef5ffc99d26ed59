//! Child processes: starts, feeds, limits and replaces them. Knows only processes and frames.
//!
//! Hostile input is parsed in a child of the same binary, because a C library that loops or a
//! parser that eats all memory can only be ended by killing its process. A child is reused from
//! request to request; it is replaced as soon as it breaks a deadline, dies or answers garbage.
//! A program that is not ours ([`task`]) runs once, from its input to its output, with less: no
//! environment, no home, and where it needs none, no network and no processes of its own.

mod child;
mod confine;
mod error;
pub mod frame;
mod home;
pub mod launch;
mod pool;
mod process;
pub mod task;

pub use child::{Reply, serve};
pub use confine::{Children, Confinement, Network, system_paths};
pub use error::SandboxError;
pub use home::sweep;
pub use pool::{Pool, PoolSettings};
