//! `tandem lsp` as an editor meets it: the program itself, spoken with over stdin and stdout by a client that is
//! not ours.

mod actions;
mod client;
mod diagnostics;
mod live;
mod places;
mod wire;
