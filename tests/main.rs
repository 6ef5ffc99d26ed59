//! All tests against the outside of Tandem, in one binary.

mod cli;
mod tidy;
