//! Starts everything, and stops it in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::{Repository, Standard, Sync};
use crate::cluster::lease::{Election, LeaseOptions, contend};
use crate::cluster::observe::{Selector, watch as watch_kind, watch_typed};
use crate::cluster::own::{Events, digest_key, list_inventories, signing_key};
use crate::cluster::{Cluster, ClusterError, ConnectOptions, delete};
use crate::failure::{Failed, Fault};
use crate::object::DigestKey;
use crate::report::metrics::{Build, Metrics};
use crate::{sandbox, server};

use super::acceptance::Seal;
use super::ahead::Aheads;
use super::ancestry::Ancestries;
use super::backoff;
use super::claims::ClaimBook;
use super::foretold;
use super::freezes::FreezeBook;
use super::lineage;
use super::news;
use super::observer::Observer;
use super::passes::Passes;
use super::registry::Registry;
use super::standards::{Crew, Standards};
use super::term::Term;
use super::turns::Turns;
use super::worker::{Workers, WorkersSettings};
use super::world::{TURNS, World, random};

/// A loop that has not turned for so long is started anew by its probe.
const SILENT: Duration = Duration::from_secs(120);

/// How an agent is started.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// How to reach the API server; its `cluster` names the cluster.
    pub connect: ConnectOptions,
    /// The agent's own namespace: Lease, digest key.
    pub namespace: String,
    /// Where repositories are cached.
    pub cache_dir: PathBuf,
    /// Helm v4, which charts need; looked for on `PATH` unless said.
    pub helm: Option<PathBuf>,
    /// SOPS, which files for keys other than those of age need; looked for on `PATH` unless said.
    pub sops: Option<PathBuf>,
    /// Address of the HTTP server.
    pub listen: String,
    /// Name of this replica; what tells its processes apart is added.
    pub identity: String,
    /// Passes that may be under way at a time.
    pub passes: usize,
    /// How long the rendering of a folder may take.
    pub render_timeout: Duration,
    /// Times of the lease: duration, renewal deadline, retry period.
    pub lease: (Duration, Duration, Duration),
}

/// Runs until `stop` is cancelled.
///
/// # Errors
/// The address is taken, the cache cannot be used, or no API server is configured. An API server
/// that does not answer yet is waited for.
pub async fn run(options: AgentOptions, stop: CancellationToken) -> Result<(), Failed> {
    let internal = |error: &dyn std::error::Error| Failed::new("Internal", Fault::Internal, error.to_string());
    let build = Build { version: env!("CARGO_PKG_VERSION").to_owned(), commit: String::new() };
    let metrics = Arc::new(Metrics::new(&build, of_the_process()).map_err(|e| internal(&e))?);
    let counted = metrics.clone();
    let connect = ConnectOptions {
        on_request: Some(Arc::new(move |seen| counted.request(seen.verb, seen.code))),
        ..options.connect.clone()
    };
    let cluster = Cluster::connect(connect).await.map_err(|e| Failed::from(&e))?;
    let mut settings = WorkersSettings::new(&options.cache_dir).map_err(|e| internal(&e))?;
    settings.render_timeout = options.render_timeout;
    settings.helm.clone_from(&options.helm);
    settings.sops.clone_from(&options.sops);
    let workers = Workers::new(settings).map_err(|error| {
        let message = format!("the cache folder {} cannot be used: {error}", options.cache_dir.display());
        Failed::new("CacheUnavailable", Fault::Cluster, message).with_hint("name a writable folder with --cache-dir")
    })?;
    let swept = sandbox::sweep(&std::env::temp_dir(), SystemTime::now());
    if swept > 0 {
        tracing::info!(swept, "folders that a killed agent left are removed");
    }
    let listener = server::bind(&options.listen).await.map_err(|e| Failed::from(&e))?;
    let address = listener.local_addr().map(|a| a.to_string()).unwrap_or_default();
    tracing::info!(address, "listening");

    let ready = Arc::new(AtomicBool::new(false));
    let heartbeat = server::Heartbeat::default();
    let (deliveries, delivered) = mpsc::channel(256);
    let receivers = server::Receivers::default();
    let behind = server::Behind {
        receivers: receivers.clone(),
        deliveries,
        metrics: {
            let metrics = metrics.clone();
            Arc::new(move || metrics.encode())
        },
        alive: {
            let heartbeat = heartbeat.clone();
            Arc::new(move || heartbeat.check(SILENT))
        },
        ready: {
            let ready = ready.clone();
            Arc::new(move || is_ready(&ready))
        },
    };
    let serving = tokio::spawn(server::serve(listener, behind, server::Limits::default(), stop.child_token()));

    let Some(key) = patiently(&stop, "the digest key", || digest_key_of(&cluster, &options.namespace)).await else {
        return Ok(());
    };
    let signing = || async { signing_key(&cluster.own(), &options.namespace).await };
    let Some(signing) = patiently(&stop, "the signing key", signing).await else { return Ok(()) };
    let seal = Arc::new(Seal::new(signing, &options.cache_dir, &options.connect.cluster)?);
    // Held until the process ends.
    let lineage = lineage::take(&options.cache_dir, &options.identity);
    let lease = LeaseOptions {
        lineage: lineage.ancestors.clone(),
        duration: options.lease.0,
        renew_deadline: options.lease.1,
        retry_period: options.lease.2,
        ..LeaseOptions::new(&options.namespace, "tandem-0", "0", &lineage.identity)
    };
    let lease_stop = CancellationToken::new();
    let (election, contending) = contend(cluster.own(), lease, lease_stop.clone());
    let agent = Agent {
        cluster,
        workers,
        metrics,
        key,
        seal,
        options,
        receivers,
        ready,
        heartbeat,
        election,
        delivered: Mutex::new(delivered),
    };
    agent.lead_whenever_elected(&stop).await;
    // The lease is given back last: until then nobody else writes.
    lease_stop.cancel();
    let _ = contending.await;
    let _ = serving.await;
    Ok(())
}

/// CPU, memory and files of this process, where the system tells them.
#[cfg(target_os = "linux")]
fn of_the_process() -> Vec<Box<dyn prometheus::core::Collector>> {
    vec![Box::new(prometheus::process_collector::ProcessCollector::for_self())]
}

#[cfg(not(target_os = "linux"))]
fn of_the_process() -> Vec<Box<dyn prometheus::core::Collector>> {
    Vec::new()
}

fn is_ready(ready: &AtomicBool) -> Result<(), String> {
    if ready.load(Ordering::Acquire) { Ok(()) } else { Err("Syncs and Repositories are not listed yet".to_owned()) }
}

async fn digest_key_of(cluster: &Cluster, namespace: &str) -> Result<DigestKey, ClusterError> {
    digest_key(&cluster.own(), namespace).await
}

struct Agent {
    cluster: Cluster,
    workers: Workers,
    metrics: Arc<Metrics>,
    key: DigestKey,
    seal: Arc<Seal>,
    options: AgentOptions,
    receivers: server::Receivers,
    ready: Arc<AtomicBool>,
    heartbeat: server::Heartbeat,
    election: watch::Receiver<Election>,
    delivered: Mutex<mpsc::Receiver<server::Delivery>>,
}

impl Agent {
    /// While elected, everything runs; when the lease is lost, all of it is dropped, and built
    /// anew from the API server's word when it is won again: what was known may be stale by then.
    async fn lead_whenever_elected(&self, stop: &CancellationToken) {
        let mut election = self.election.clone();
        loop {
            self.heartbeat.beat();
            let elected = election.borrow_and_update().clone();
            if elected.leading {
                tracing::info!("this replica leads");
                let term = stop.child_token();
                tokio::select! {
                    () = stop.cancelled() => break,
                    _ = election.wait_for(|now| !now.same_term(&elected)) => {
                        tracing::warn!("the lease is lost: nothing more is written");
                    }
                    outcome = self.term(&term, &elected) => if let Err(failed) = outcome {
                        tracing::error!(reason = %failed.reason, error = %failed, "the term ended");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    },
                }
                term.cancel();
            } else {
                // A standby is ready to take over.
                self.ready.store(true, Ordering::Release);
                tokio::select! {
                    () = stop.cancelled() => break,
                    changed = election.changed() => if changed.is_err() { break },
                    () = tokio::time::sleep(Duration::from_secs(10)) => {}
                }
            }
        }
    }

    /// One term of leadership: it ends only with an error, or by being dropped.
    async fn term(&self, stop: &CancellationToken, elected: &Election) -> Result<(), Failed> {
        let (listed, is_listed) = watch::channel(false);
        let (news, writer) = news::desk();
        let world = Arc::new(World {
            listed: is_listed,
            name: self.options.connect.cluster.clone(),
            cluster: self.cluster.clone(),
            workers: self.workers.clone(),
            ancestries: Ancestries::default(),
            freezes: FreezeBook::default(),
            claims: ClaimBook::default(),
            quarantine: std::sync::Mutex::default(),
            turns: Turns::new(TURNS),
            scopes: std::sync::Mutex::default(),
            charts: std::sync::Mutex::default(),
            observer: Observer::new(self.cluster.clone(), self.key.clone()),
            registry: Registry::default(),
            standards: Standards::default(),
            metrics: self.metrics.clone(),
            news,
            election: self.election.clone(),
            term: elected.clone(),
            key: self.key.clone(),
            seal: self.seal.clone(),
            aheads: Aheads::default(),
            foretold: foretold::Memory::new(&self.options.cache_dir),
            passes: Passes::new(self.options.passes),
            plans: Semaphore::new(1),
            namespace: self.options.namespace.clone(),
            started: Instant::now(),
        });
        let own = self.cluster.own();
        let Some(inventories) = patiently(stop, "the inventories", || list_inventories(&own, "")).await else {
            return Ok(());
        };
        let passes = world.clone();
        let mut crew = Crew::new(world.clone());
        let mut term = Term::new(world, self.receivers.clone(), inventories);
        let mut repositories = watch_typed::<Repository>(&own, "", &Selector::all()).boxed();
        let mut syncs = watch_typed::<Sync>(&own, "", &Selector::all()).boxed();
        let mut standards = watch_typed::<Standard>(&own, "", &Selector::all()).boxed();
        let mut kinds = watch_kind(&own, &delete::crd_kind(), "", &Selector::all().metadata_only()).boxed();
        let mut delivered = self.delivered.lock().await;
        let events = Events::new(own.clone(), self.options.identity.clone());
        let mut telling = std::pin::pin!(writer.write(&events, &passes.passes));
        let mut pulse = tokio::time::interval(Duration::from_secs(5));
        loop {
            tokio::select! {
                Some(event) = repositories.next() => term.repository(event),
                Some(event) = syncs.next() => {
                    term.sync(event);
                    self.ready.store(term.synced(), Ordering::Release);
                    listed.send_replace(term.synced());
                }
                Some(event) = standards.next() => crew.event(event),
                Some(event) = kinds.next() => term.kind(&event).await,
                Some(delivery) = delivered.recv() => term.delivery(&delivery),
                _ = pulse.tick() => self.heartbeat.beat(),
                () = &mut telling => {}
            }
        }
    }
}

/// Tries until it succeeds or `stop` is cancelled: at the start the API server may not be there yet.
async fn patiently<T, F: Future<Output = Result<T, crate::cluster::ClusterError>>>(
    stop: &CancellationToken,
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> Option<T> {
    let mut failures = 0;
    loop {
        match attempt().await {
            Ok(value) => return Some(value),
            Err(error) => {
                failures += 1;
                let failed = Failed::from(&error);
                tracing::warn!(reason = %failed.reason, error = %failed, "{what} cannot be read yet");
                let pause = backoff::retry(crate::failure::Fault::Transient, failures, random());
                tokio::select! {
                    () = stop.cancelled() => return None,
                    () = tokio::time::sleep(pause.min(Duration::from_secs(5))) => {}
                }
            }
        }
    }
}
