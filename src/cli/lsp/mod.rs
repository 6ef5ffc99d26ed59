//! `tandem lsp`: a language server on stdin and stdout.

mod analyst;
mod asks;
mod begin;
mod copy;
mod desk;
mod find;
mod live;
mod overlay;
mod params;
mod publish;
mod serve;
mod setup;
mod view;
mod waive;
mod wire;

use std::io::{self, BufReader, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc;
use std::thread;

use serde_json::Value;

use super::args::Global;
use super::charts::Charts;
use super::keys::KeyFiles;
use super::{Exit, Output, Stop, check};
use crate::render::Options;
use crate::schema::Minor;
use begin::Begun;
use live::Live;
use serve::{Event, Parts, Server};
use setup::Setup;

const AFTER: &str = "\
An editor starts it, and speaks the language server protocol with it on stdin and stdout:
  vim.lsp.config('tandem', { cmd = { 'tandem', 'lsp' }, filetypes = { 'yaml' }, root_markers = { '.git' } })

Settings for VS Code, Neovim, Helix, Emacs and Zed: manifests/docs/editor.md.

initializationOptions, each of which may be left out:
  live         false: values in the cluster are not asked for
  context      context of the kubeconfig that they are asked from
  kubeVersion  version of Kubernetes that will take the objects, as --kube-version

Exit codes: 0 the editor said that it would go, 1 it is gone without a word.";

/// Help in an editor: what `check` finds as you type, and what fields mean
///
/// A language server. It tells what `tandem check` tells, of texts that are not saved too; on a hover
/// what the schema says of a field, which patch or generator gave it its value in what is rendered,
/// and its value in the cluster; it goes to the file or object that is referred to, offers the fields
/// and values that may be written, and what mends a mistake. Values of Secrets are never shown.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// Version of Kubernetes that will take the objects, the newest that is known unless said
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<Minor>,
    /// File or folder with CustomResourceDefinitions, beside those of the repository
    #[arg(long, value_name = "PATH")]
    crds: Vec<PathBuf>,
    /// Ask no cluster for values
    #[arg(long)]
    no_live: bool,
    /// Helm v4, looked for on PATH unless said
    #[arg(long, env = "TANDEM_HELM", value_name = "PROGRAM", hide_env_values = true)]
    helm: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyFiles,
}

pub fn run(args: &Args, global: &Global, _: &Output) -> Result<Exit, Stop> {
    let (events, happened) = mpsc::channel();
    read(events.clone())?;
    let mut output = BufWriter::new(io::stdout().lock());
    let begun = match begin::handshake(&mut output, &happened)? {
        Ok(begun) => begun,
        Err(exit) => return Ok(exit),
    };
    let setup = Arc::new(setup(args, global, &begun)?);
    let live = if args.no_live || begun.options.live == Some(false) {
        None
    } else {
        let global = Global { context: begun.options.context.clone().or(global.context.clone()), ..global.clone() };
        Some(Arc::new(Live::new(global)?))
    };
    let (orders, ordered) = mpsc::channel();
    let latest = Arc::new(AtomicU64::new(0));
    let (for_run, to_server, setup_of_run) = (Arc::clone(&latest), events.clone(), Arc::clone(&setup));
    thread::Builder::new()
        .name("analyst".to_owned())
        .spawn(move || analyst::run(&ordered, &to_server, &for_run, &setup_of_run))?;
    let Begun { folders, watches, .. } = begun;
    let mut server = Server::new(Parts { output, setup, live, events, orders, latest, folders, watches });
    Ok(if server.run(&happened)? { Exit::Nothing } else { Exit::Differences })
}

/// Reads what the client sends, on a thread of its own.
fn read(events: mpsc::Sender<Event>) -> io::Result<()> {
    let work = move || {
        let mut input = BufReader::new(io::stdin().lock());
        loop {
            let event = match wire::read(&mut input) {
                Ok(Some(message)) => Event::Client(message),
                Ok(None) => Event::Gone(None),
                Err(error) => Event::Gone(Some(error.to_string())),
            };
            let last = matches!(event, Event::Gone(_));
            if events.send(event).is_err() || last {
                return;
            }
        }
    };
    thread::Builder::new().name("reader".to_owned()).spawn(work).map(drop)
}

fn setup(args: &Args, global: &Global, begun: &Begun) -> Result<Setup, Stop> {
    let target = args.kube_version.or(begun.options.kube_version).unwrap_or_default();
    let charts = Charts::of(args.helm.clone(), format!("v{target}.0"));
    let options = charts.added(args.keys.added(Options::default())?, global.namespace.as_deref())?;
    let programs = charts.programs(args.keys.program())?;
    let mut named = Vec::new();
    for path in &args.crds {
        named.extend(check::named(path, &options)?);
    }
    Ok(Setup { target, options, programs, named, encoding: begun.encoding, creates: begun.creates })
}

/// The folders in a list of workspace folders.
fn folders(all: &Value) -> Vec<PathBuf> {
    let urls = all.as_array().into_iter().flatten().filter_map(|folder| folder["uri"].as_str());
    urls.filter_map(|url| desk::path_of(&lsp_types::Url::parse(url).ok()?)).collect()
}
