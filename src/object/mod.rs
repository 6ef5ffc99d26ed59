//! What an object is: its identity, its manifest with the place it came from, and what is wrong
//! with it.

pub mod address;
mod cause;
mod digest;
pub mod fields;
mod id;
mod manifest;
pub mod mask;
pub mod near;
mod problem;
mod secret;
mod spec;
pub mod yaml;

pub use cause::{Cause, Causes};
pub use digest::{Digest, DigestKey, DigestParseError};
pub use id::{IdParseError, ObjectId, plural, split_api_version};
pub use manifest::{Manifest, Origin, annotation, label};
pub use problem::Problem;
pub use secret::Secret;
pub use spec::spec_of;
