//! The forms in which findings are printed.

mod github;
mod gitlab;
mod junit;
mod sarif;
mod text;

pub use github::github;
pub use gitlab::gitlab;
pub use junit::{attribute, junit};
pub use sarif::sarif;
pub use text::text;
