//! The command line: one file a command, results on stdout, narration on stderr.

mod args;
mod completion;
mod exit;
mod output;
mod render;
mod stop;
mod version;
mod worktree;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::Exit;
use output::Output;
use stop::Stop;

/// Reads the arguments, runs the command, and tells what stopped it.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // clap says what is wrong with the arguments itself, and ends with 2; help ends with 0.
        Err(error) => error.exit(),
    };
    let output = Output::new(&cli.global);
    output::start_logging(cli.global.verbose);
    match dispatch(&cli, &output) {
        Ok(exit) => exit.into(),
        Err(stop) => stop.tell(&output).into(),
    }
}

fn dispatch(cli: &Cli, output: &Output) -> Result<Exit, Stop> {
    match &cli.command {
        Command::Render(args) => render::run(args, output),
        Command::Completion(args) => completion::run(args, output),
        Command::Version(args) => version::run(args, output),
    }
}
