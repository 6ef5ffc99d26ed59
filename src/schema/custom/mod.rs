//! Custom resources, by the structural schemas of their definitions.

mod definition;
mod format;
mod pattern;
mod prune;
mod schema;
mod unique;
mod validate;

pub use definition::Definitions;
