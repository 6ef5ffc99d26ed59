//! What the program tells of itself on stderr, where `-v` asks for it.

use std::io;

use tracing_subscriber::EnvFilter;

/// Sends what is traced to stderr: warnings; with one `-v` what happens; with two what is asked
/// of the API server; with three everything.
pub fn start(verbose: u8) {
    let filter = match verbose {
        // kube logs refusals as errors of its own; ours are told with their cause and a hint.
        0 => "warn,kube=off,kube_client=off,tower_http=off",
        1 => "warn,kube=off,kube_client=off,tower_http=off,tandem=info",
        2 => "info,tandem=debug,kube=debug",
        _ => "trace",
    };
    // A second start, as in tests, keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(super::stderr_wants_colours())
        .without_time()
        .try_init();
}
