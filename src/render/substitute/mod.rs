//! Variables `${NAME}` in what is rendered.
//!
//! They are put in last, into the objects as they were built, text by text: no value adds a field or
//! an object, and a file is valid YAML before and after.

mod apply;
mod object;
#[cfg(test)]
mod tests;
mod text;
mod variables;

pub use apply::apply;
pub use text::has_variable;
pub use variables::{Secrecy, Unknown, Variable, Variables, is_name};
