//! `tandem completion`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use super::{Exit, Output, Stop};

const AFTER: &str = "\
Examples:
  source <(tandem completion bash)
  tandem completion zsh > \"${fpath[1]}/_tandem\"
  tandem completion fish > ~/.config/fish/completions/tandem.fish";

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(args: &Args, output: &Output) -> Result<Exit, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tandem", &mut script);
    output.bytes(&script)?;
    Ok(Exit::Nothing)
}
