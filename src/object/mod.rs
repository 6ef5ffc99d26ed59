//! What an object is: its identity, its manifest with the place it came from, and what is wrong
//! with it.

mod digest;
pub mod fields;
mod id;
mod manifest;
pub mod mask;
mod problem;
pub mod yaml;

pub use digest::{Digest, DigestKey, DigestParseError};
pub use id::{IdParseError, ObjectId, split_api_version};
pub use manifest::{Manifest, Origin, annotation, label};
pub use problem::Problem;
