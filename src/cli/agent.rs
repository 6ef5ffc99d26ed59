//! `tandem agent`: the loop, in a cluster or beside one.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::args::{self, Global};
use super::exit::Exit;
use super::output::stderr_wants_colours;
use super::stop::Stop;
use crate::agent::{AgentOptions, log_panics, run as run_agent};
use crate::cluster::ConnectOptions;

/// Run the agent: keep this cluster equal to its repositories
///
/// It runs in the cluster that it keeps, with the account of its Pod; with --kubeconfig or
/// --context it runs beside one, which is how you try it out. Only one of several replicas writes;
/// the others stand by. SIGTERM lets the run in hand end, and gives the lease back.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of this cluster, in owners of objects, trailers and the API server's audit log
    #[arg(long, env = "TANDEM_CLUSTER", value_name = "NAME", value_parser = args::cluster_name)]
    cluster: String,
    /// Namespace of the agent itself: its lease and its key
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME", default_value = "tandem-system")]
    agent_namespace: String,
    /// Address of /webhook, /metrics, /healthz and /readyz
    #[arg(long, value_name = "ADDRESS", default_value = ":8080")]
    http_address: String,
    /// Folder of the cache of repositories; it may be lost at any time
    #[arg(long, value_name = "FOLDER", default_value = "/var/cache/tandem")]
    cache_dir: PathBuf,
    /// Helm v4, which charts need, looked for on PATH unless said
    #[arg(long, env = "TANDEM_HELM", value_name = "PROGRAM")]
    helm: Option<PathBuf>,
    /// SOPS v3, looked for on PATH unless said: for keys of PGP, of a cloud or of Vault
    #[arg(long, env = "TANDEM_SOPS", value_name = "PROGRAM", hide_env_values = true)]
    sops: Option<PathBuf>,
    /// Name of this replica, the host's unless said
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    identity: Option<String>,
    /// Form of the log on stderr
    #[arg(long, value_name = "FORM", value_enum, default_value_t = LogForm::Json)]
    log_format: LogForm,
    /// What is logged, as `info` or `info,tandem=debug`
    #[arg(
        long,
        env = "TANDEM_LOG",
        value_name = "FILTER",
        default_value = "info,kube_client=off,kube_runtime=off",
        value_parser = log_filter
    )]
    log: String,
    /// Requests to the API server in flight at a time; fewer while it says that it is busy
    #[arg(long, value_name = "NUMBER", default_value_t = 32)]
    max_in_flight: usize,
    /// Syncs that are worked on at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    concurrency: usize,
    /// How long the rendering of a folder may take; a commit that takes longer three times is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    render_seconds: u64,
    /// How long others wait before they take over a replica that has fallen silent
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(3..=600))]
    lease_seconds: u64,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogForm {
    /// One JSON object a line
    Json,
    /// For people
    Text,
}

/// A filter that can be meant.
fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|e| e.to_string())
}

/// Starts the log in the form that is asked for. To be called before anything is traced.
pub fn start_logging(args: &Args) {
    let filter = EnvFilter::try_new(&args.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, as in tests, keeps the first.
    let _ = match args.log_format {
        LogForm::Json => log.json().with_target(false).with_span_list(false).try_init(),
        LogForm::Text => log.with_target(false).with_ansi(stderr_wants_colours()).try_init(),
    };
}

/// Runs until SIGTERM or Ctrl-C.
pub async fn run(args: &Args, global: &Global) -> Result<Exit, Stop> {
    log_panics();
    let hostname = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    let name = args.identity.clone().or(hostname).unwrap_or_else(|| "tandem".to_owned());
    let lease = Duration::from_secs(args.lease_seconds);
    let options = AgentOptions {
        connect: ConnectOptions {
            kubeconfig: global.kubeconfig.clone(),
            context: global.context.clone(),
            cluster: args.cluster.clone(),
            max_in_flight: args.max_in_flight,
            ..ConnectOptions::default()
        },
        namespace: args.agent_namespace.clone(),
        cache_dir: args.cache_dir.clone(),
        helm: args.helm.clone(),
        sops: args.sops.clone(),
        listen: args.http_address.clone(),
        identity: name,
        passes: args.concurrency,
        render_timeout: Duration::from_secs(args.render_seconds),
        lease: (lease, lease * 2 / 3, lease / 7),
    };
    let stop = CancellationToken::new();
    let signal = stop.clone();
    tokio::spawn(async move {
        ended().await;
        tracing::info!("stopping");
        signal.cancel();
    });
    run_agent(options, stop).await?;
    Ok(Exit::Nothing)
}

#[cfg(unix)]
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn ended() {
    let _ = tokio::signal::ctrl_c().await;
}
