//! The surface: commands, flags, and the help that teaches them. One variant a command; the doc
//! comment is what `--help` prints (imperative, no final dot on the first line).

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use super::{
    agent, approve, attach_coverage, check, completion, diff, doctor, get, install, lsp, plan, reconcile, render,
    status, suspend, test, tree, uninstall, verify, version,
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default().bold())
    .placeholder(AnsiColor::Green.on_default());

const AFTER: &str = "\
Start here:
  tandem render shop/               what a folder says, every problem with file and line
  tandem check                      what is wrong in the whole repository, before it is merged
  tandem test                       whether the policies of a standard say what they should
  tandem plan shop/ --context prod  what it would change there; nothing needs to be installed
  tandem get -A                     what the agent looks after, in every namespace
  tandem status web                 how one Sync is, and why
  tandem completion bash            completion for your shell

Exit codes:
  0   done, nothing differs         3   the repository's content or settings are at fault
  1   differences or violations     4   the cluster is at fault, or could not be reached
  2   wrong usage                  70   a defect of Tandem

Results go to stdout, everything else to stderr. NO_COLOR is respected. As `kubectl-tandem` on
the PATH, the same program is `kubectl tandem`.";

/// GitOps for Kubernetes: every deployment is a reviewed commit
///
/// Tandem keeps a Kubernetes cluster equal to a Git repository. `render`, `plan` and `diff` work
/// from any folder before anything is installed; `install` puts the agent into a cluster; `get`,
/// `status` and `tree` tell what it does there.
#[derive(Debug, Parser)]
#[command(name = "tandem", bin_name = bin_name(), version, styles = STYLES, after_help = AFTER)]
#[command(
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Context of the kubeconfig, the current one unless said
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Kubeconfig file, KUBECONFIG or ~/.kube/config unless said
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Namespace, the context's unless said
    #[arg(long, short, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Form of the result
    #[arg(long, short, global = true, value_name = "FORM", value_enum, default_value_t = Form::Text, hide_default_value = true)]
    pub output: Form,
    /// When to colour; auto is on a terminal where NO_COLOR is not set
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Colour::Auto, hide_default_value = true)]
    pub color: Colour,
    /// Tell more on stderr; twice for debugging
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// Form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    Text,
    Json,
    Yaml,
    /// Of `check` alone, as are those below; JUnit of `test` as well.
    #[value(hide = true)]
    Sarif,
    #[value(hide = true)]
    Junit,
    #[value(hide = true)]
    Github,
    #[value(hide = true)]
    Gitlab,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Render(render::Args),
    Check(check::Args),
    Lsp(lsp::Args),
    Test(test::Args),
    Plan(plan::Args),
    Diff(diff::Args),
    Install(install::Args),
    Uninstall(uninstall::Args),
    Get(get::Args),
    Status(status::Args),
    Tree(tree::Args),
    Reconcile(reconcile::Args),
    Suspend(suspend::SuspendArgs),
    Resume(suspend::ResumeArgs),
    Doctor(doctor::Args),
    Verify(verify::Args),
    Approve(approve::Args),
    Withdraw(approve::WithdrawArgs),
    AttachCoverage(attach_coverage::Args),
    Agent(agent::Args),
    Completion(completion::Args),
    Version(version::Args),
}

/// `kubectl tandem` where kubectl started us as its plugin.
/// A name of a cluster: it stands before a `/` in owners and trailers, and in a User-Agent.
pub fn cluster_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if text.len() <= 63 && text.chars().all(fits) && ends(text.chars().next()) && ends(text.chars().next_back()) {
        return Ok(text.to_owned());
    }
    Err("letters, digits, `-`, `_` and `.`, at most 63, with a letter or digit at both ends".to_owned())
}

fn bin_name() -> &'static str {
    let called = std::env::args_os().next().map(PathBuf::from);
    let called = called.as_deref().and_then(|path| path.file_stem()).and_then(|name| name.to_str());
    if called == Some("kubectl-tandem") { "kubectl tandem" } else { "tandem" }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_cluster_has_a_name_that_stands_anywhere() {
        for name in ["prod", "eu-west_1.prod", "a", "7"] {
            assert_eq!(cluster_name(name).as_deref(), Ok(name));
        }
        for name in ["", "a/b", "a b", "-a", "a-", "ä", &"a".repeat(64), "a\nb"] {
            assert!(cluster_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_surface_holds_together() {
        Cli::command().debug_assert();
    }
}
