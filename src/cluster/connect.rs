//! One cluster: its address, its pool of connections, its limits.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use super::error::ClusterError;
use super::kinds::Kinds;
use super::limit::Limiter;
use super::session::{Actor, Purpose, Session};
use crate::failure::chain;

/// One request that was answered, or not.
#[derive(Clone, Copy, Debug)]
pub struct RequestSeen<'a> {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `apply`, `dryrun`, `delete`.
    pub verb: &'a str,
    /// Plural and group, as `deployments.apps`.
    pub resource: &'a str,
    /// HTTP status; 0 where none came.
    pub code: u16,
    /// From sending to the end of the head of the answer.
    pub took: Duration,
}

/// Told of every request, retries included.
pub type OnRequest = Arc<dyn Fn(RequestSeen<'_>) + Send + Sync>;

/// Which cluster, and how to speak with it.
#[derive(Clone)]
pub struct ConnectOptions {
    /// File to read; `$KUBECONFIG`, `~/.kube/config` or the Pod's own account unless said.
    pub kubeconfig: Option<PathBuf>,
    /// Context of that file, its current one unless said.
    pub context: Option<String>,
    /// Name of this cluster in User-Agent headers.
    pub cluster: String,
    /// Upper bound of requests in flight besides watches, and so of connections (HTTP/1.1).
    pub max_in_flight: usize,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How long one call with all its attempts may take.
    pub call_timeout: Duration,
    /// A watch without a byte for so long is dead. Bookmarks come every minute.
    pub idle_timeout: Duration,
    /// Told of every request.
    pub on_request: Option<OnRequest>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            cluster: "cluster".to_owned(),
            max_in_flight: 32,
            attempt_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(75),
            on_request: None,
        }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("kubeconfig", &self.kubeconfig)
            .field("context", &self.context)
            .field("cluster", &self.cluster)
            .field("max_in_flight", &self.max_in_flight)
            .finish_non_exhaustive()
    }
}

/// A cluster; cheap to clone. It sends nothing by itself: that is what a [`Session`] is for.
#[derive(Clone)]
pub struct Cluster {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) base: Client,
    pub(super) options: ConnectOptions,
    pub(super) limiter: Limiter,
    pub(super) kinds: Kinds,
    /// Whether the API server streams lists; until it refuses to.
    pub(super) streaming_lists: AtomicBool,
    /// The kubeconfig itself impersonates; a second impersonation on top of it would be ambiguous.
    impersonating: bool,
    url: String,
}

impl Cluster {
    /// Reads the configuration. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClusterError::NotConfigured`].
    pub async fn connect(options: ConnectOptions) -> Result<Self, ClusterError> {
        let mut config = read_config(&options).await?;
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(10));
        config.write_timeout = Some(Duration::from_secs(30));
        let impersonating = config.auth_info.impersonate.is_some() || config.auth_info.impersonate_uid.is_some();
        let url = config.cluster_url.to_string();
        let base = Client::try_from(config).map_err(|e| ClusterError::NotConfigured(chain(&e)))?;
        Ok(Self::assemble(base, options, impersonating, url))
    }

    /// A cluster behind a client that exists already, such as a fake API server in a test.
    pub fn over(base: Client, options: ConnectOptions) -> Self {
        Self::assemble(base, options, false, String::new())
    }

    fn assemble(base: Client, options: ConnectOptions, impersonating: bool, url: String) -> Self {
        let limiter = Limiter::new(options.max_in_flight);
        let streaming_lists = AtomicBool::new(true);
        let kinds = Kinds::default();
        Self { inner: Arc::new(Inner { base, options, limiter, kinds, streaming_lists, impersonating, url }) }
    }

    /// A session: this cluster, as somebody, for something.
    ///
    /// # Errors
    /// [`ClusterError::BadIdentity`] for an empty or impossible name; nothing is ever sent as it.
    pub fn session(&self, actor: Actor, purpose: &Purpose) -> Result<Session, ClusterError> {
        if self.inner.impersonating && actor != Actor::Own {
            return Err(ClusterError::NotConfigured(
                "the kubeconfig itself impersonates somebody; accounts cannot be impersonated on top of that".into(),
            ));
        }
        Session::new(self.clone(), actor, purpose)
    }

    /// A session as ourselves, for nothing in particular.
    pub fn own(&self) -> Session {
        Session::own(self.clone())
    }

    /// The kinds that it serves.
    pub fn kinds(&self) -> &Kinds {
        &self.inner.kinds
    }

    /// Address of the API server.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Namespace of the context or of the Pod's account, else `default`.
    pub fn default_namespace(&self) -> &str {
        self.inner.base.default_namespace()
    }
}

async fn read_config(options: &ConnectOptions) -> Result<Config, ClusterError> {
    let bad = |e: &dyn std::error::Error| ClusterError::NotConfigured(chain(e));
    if options.kubeconfig.is_none() && options.context.is_none() {
        return Config::infer().await.map_err(|error| match std::error::Error::source(&error) {
            // Outside a cluster nobody wants to hear what a Pod would have.
            Some(kubeconfig) if std::env::var_os("KUBERNETES_SERVICE_HOST").is_none() => bad(kubeconfig),
            _ => bad(&error),
        });
    }
    let read = match &options.kubeconfig {
        Some(file) => Kubeconfig::read_from(file),
        None => Kubeconfig::read(),
    };
    let read = read.map_err(|e| bad(&e))?;
    if let Some(wanted) = &options.context {
        known_context(wanted, read.contexts.iter().map(|context| context.name.as_str()))?;
    }
    let which = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(read, &which).await.map_err(|e| bad(&e))
}

fn known_context<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Result<(), ClusterError> {
    let known: Vec<_> = known.collect();
    if known.contains(&wanted) {
        return Ok(());
    }
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(ClusterError::NotConfigured(format!("the kubeconfig has no context {wanted:?}; it has {known}")))
}
