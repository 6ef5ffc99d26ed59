//! How workers are started, and what they may use.

use std::path::PathBuf;
use std::time::Duration;

use crate::sandbox::{self, Children, Confinement, Network};

/// How workers are started and what they may use.
#[derive(Clone, Debug)]
pub struct WorkersSettings {
    /// Folder of the cache of repositories.
    pub cache: PathBuf,
    /// The program; this one, unless a test says otherwise.
    pub program: PathBuf,
    /// Exchanges with remotes at a time.
    pub exchanges: usize,
    /// Renders at a time.
    pub renders: usize,
    /// Time that a render, or another question to the cache, may take.
    pub render_timeout: Duration,
    /// An idle worker is ended after so long; one that renders after 5 s at most.
    pub idle: Duration,
    /// Bytes of memory that a worker may write to.
    pub memory_bytes: u64,
    /// Helm; looked for on `PATH` unless said.
    pub helm: Option<PathBuf>,
    /// SOPS; looked for on `PATH` unless said.
    pub sops: Option<PathBuf>,
}

impl WorkersSettings {
    /// Three exchanges and one render at a time, 60 s for a render, 512 MiB for each worker.
    ///
    /// # Errors
    /// The path of this program is not known.
    pub fn new(cache: impl Into<PathBuf>) -> std::io::Result<Self> {
        Ok(Self {
            cache: cache.into(),
            program: std::env::current_exe()?,
            exchanges: 3,
            renders: 1,
            render_timeout: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            memory_bytes: 512 << 20,
            helm: None,
            sops: None,
        })
    }
}

/// What a worker may use.
pub(super) fn confinement(settings: &WorkersSettings, network: Network) -> Confinement {
    let mut read = sandbox::system_paths();
    let mut write = Vec::new();
    match network {
        Network::Outbound => write.push(settings.cache.clone()),
        Network::None => read.push(settings.cache.clone()),
    }
    Confinement {
        data_bytes: settings.memory_bytes,
        // Packs are mapped in windows, so address space beyond the memory is small.
        address_bytes: settings.memory_bytes + (1 << 30),
        open_files: 512,
        cpu_seconds: None,
        file_bytes: None,
        read,
        write,
        network,
        ports: Vec::new(),
        children: Children::None,
        home: PathBuf::new(),
    }
}
