//! The command line: one file a command, results on stdout, narration on stderr.

mod agent;
mod approve;
mod args;
mod ask;
mod attach_coverage;
mod charts;
mod check;
mod clone;
mod completion;
mod connection;
mod diff;
mod doctor;
mod exit;
mod get;
mod install;
mod keys;
mod live;
mod lsp;
mod output;
mod plan;
mod put;
mod reconcile;
mod render;
mod sign;
mod source;
mod status;
mod stop;
mod suspend;
mod target;
mod test;
mod tree;
mod uninstall;
mod variables;
mod verify;
mod version;
mod words;
mod worktree;

use std::future::Future;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

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
    match &cli.command {
        Command::Agent(args) => agent::start_logging(args),
        _ => output::start_logging(cli.global.verbose),
    }
    match dispatch(&cli, &output) {
        Ok(exit) => exit.into(),
        Err(stop) => stop.tell(&output).into(),
    }
}

fn dispatch(cli: &Cli, output: &Output) -> Result<Exit, Stop> {
    let global = &cli.global;
    let report = global.output.to_possible_value().filter(clap::builder::PossibleValue::is_hide_set);
    let has_it = match cli.command {
        Command::Check(_) => true,
        Command::Test(_) => global.output == args::Form::Junit,
        _ => false,
    };
    if let (Some(form), false) = (report, has_it) {
        let whose =
            if global.output == args::Form::Junit { "`tandem check` and `tandem test`" } else { "`tandem check`" };
        let message = format!("`-o {}` is a form of {whose} alone", form.get_name());
        return Err(Stop::usage(message, "write text, json or yaml"));
    }
    match &cli.command {
        Command::Render(args) => wait(render::run(args, global, output)),
        Command::Check(args) => check::run(args, global, output),
        Command::Lsp(args) => lsp::run(args, global, output),
        Command::Test(args) => test::run(args, global, output),
        Command::Plan(args) => wait(plan::run(args, global, output)),
        Command::Diff(args) => wait(diff::run(args, global, output)),
        Command::Install(args) => wait(install::run(args, global, output)),
        Command::Uninstall(args) => wait(uninstall::run(args, global, output)),
        Command::Get(args) => wait(get::run(args, global, output)),
        Command::Status(args) => wait(status::run(args, global, output)),
        Command::Tree(args) => wait(tree::run(args, global, output)),
        Command::Reconcile(args) => wait(reconcile::run(args, global, output)),
        Command::Suspend(args) => wait(suspend::suspend(args, global, output)),
        Command::Resume(args) => wait(suspend::resume(args, global, output)),
        Command::Doctor(args) => wait(doctor::run(args, global, output)),
        Command::Verify(args) => wait(verify::run(args, global, output)),
        Command::Approve(args) => wait(approve::approve(args, global, output)),
        Command::Withdraw(args) => wait(approve::withdraw(args, global, output)),
        Command::AttachCoverage(args) => wait(attach_coverage::run(args, global, output)),
        Command::Agent(args) => serve(agent::run(args, global)),
        Command::Completion(args) => completion::run(args, output),
        Command::Version(args) => wait(version::run(args, global, output)),
    }
}

/// Runs the agent, on a thread for each core.
fn serve(command: impl Future<Output = Result<Exit, Stop>>) -> Result<Exit, Stop> {
    // One thread beside this one: the work is waiting, and each further thread keeps memory of its own.
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(command)
}

/// Runs a command that speaks with a cluster to its end, on this thread.
fn wait<T>(command: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}
