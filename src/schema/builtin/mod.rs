//! The kinds of Kubernetes itself.

mod check;
mod data;
pub(super) mod leniency;
mod served;
pub(super) mod texts;

pub use data::Minor;
pub use served::Known;

pub(super) use check::metadata;
pub(super) use data::{Data, Field, Form, Type};
pub(super) use served::{check, known};
