//! `tandem version`.

use serde::Serialize;

use super::{Exit, Output, Stop};

const AFTER: &str = "\
Examples:
  tandem version
  tandem version -o json";

/// Print the version of this program
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {}

#[derive(Serialize)]
struct Versions {
    client: &'static str,
}

pub fn run(_: &Args, output: &Output) -> Result<Exit, Stop> {
    let versions = Versions { client: env!("CARGO_PKG_VERSION") };
    output.result(&versions, |versions, _| format!("client: {}\n", versions.client))?;
    Ok(Exit::Nothing)
}
