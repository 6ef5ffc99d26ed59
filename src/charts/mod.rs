//! Chart repositories and OCI registries: brings one chart, by its exact version or its digest.
//!
//! It runs in a box of its own with the network and nothing else: what servers answer is parsed
//! where it can be killed. What is asked for comes on stdin, with the credentials, and the packed
//! chart goes to stdout.

mod error;
mod http;
mod index;
mod oci;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use error::ChartError;

use crate::failure::{Failed, Fault};

/// First argument of a start of this program that pulls a chart.
pub const ARGUMENT: &str = "pull";

/// Bytes of a packed chart.
pub const CHART_BYTES: u64 = 16 << 20;

/// Which chart, and from where. Serialised, it goes to the box alone.
#[derive(Clone, Serialize, Deserialize)]
pub struct Pull {
    /// `https://…`, a chart repository, or `oci://…`, a registry with the path before the name.
    pub repository: String,
    /// Name of the chart.
    pub name: String,
    /// Its exact version.
    pub version: Option<String>,
    /// `sha256:…`, of the packed chart in a repository, of the manifest in a registry.
    pub digest: Option<String>,
    /// User and password.
    pub login: Option<(String, String)>,
    /// Certificate authorities in PEM, in place of the system's.
    pub ca: Option<String>,
}

/// Brings the packed chart; what a digest names is what is brought.
///
/// # Errors
/// The chart is not there, the server cannot be reached or refuses, or a digest does not fit.
pub fn pull(request: &Pull) -> Result<Vec<u8>, ChartError> {
    match request.repository.split_once("://") {
        Some(("oci", rest)) => oci::pull(request, rest),
        Some(("https" | "http", _)) => index::pull(request),
        _ => Err(ChartError::Url(request.repository.clone())),
    }
}

/// `sha256:` and the digest of bytes.
pub fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// The process in the box.
#[allow(clippy::print_stderr)] // the failure, for the one who started it
pub fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let told = match work() {
        Ok(chart) => match io::stdout().lock().write_all(&chart) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => Failed::new("ChartFetchFailed", Fault::Internal, error.to_string()),
        },
        Err(failed) => failed,
    };
    eprintln!("{}", serde_json::to_string(&told).unwrap_or_default());
    ExitCode::FAILURE
}

fn work() -> Result<Vec<u8>, Failed> {
    let internal = |message: String| Failed::new("ChartFetchFailed", Fault::Internal, message);
    let mut request = zeroize::Zeroizing::new(Vec::new());
    io::stdin().lock().read_to_end(&mut request).map_err(|error| internal(error.to_string()))?;
    let request: Pull = serde_json::from_slice(&request).map_err(|error| internal(error.to_string()))?;
    pull(&request).map_err(|error| Failed::from(&error))
}
