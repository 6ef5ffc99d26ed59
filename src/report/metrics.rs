//! Prometheus metrics. Every name, label and help text stands in [`TABLE`]; nothing else is
//! registered but the collectors that the caller brings (those of the process read `/proc`, which
//! is not done here).
//!
//! Labels are bounded: verbs, codes, stages, results and statuses are closed sets; `standard` and `policy` are
//! those that were in force since the start; `namespace` and
//! `sync` are those of Syncs that exist, and their series go when the Sync goes
//! ([`Metrics::forget_sync`]).
//!
//! **What the clock of a commit starts from.** `tandem_commit_to_applied_seconds` and
//! `tandem_commit_to_healthy_seconds` count from the moment when the agent first heard of the
//! commit: the webhook delivery that named it, else the listing of references that showed it. They
//! are observed once for each revision that changed something for a Sync. The date in the commit is
//! not used: clocks of laptops lie, and a rebase keeps old dates.

mod syncs;

use prometheus::core::Collector;
use prometheus::{
    Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use syncs::Syncs;

use super::condition::repository_state;
use super::facts::{RepositoryFacts, Stage, SyncFacts};
use super::outcome::Outcome;
use super::table::RepositoryState;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations by size.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Its name, with its unit.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

const fn describe(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Described {
    Described { name, kind, labels, help }
}

/// Every metric of Tandem's own.
pub const TABLE: &[Described] = &[
    describe("tandem_build_info", Kind::Gauge, &["version", "commit"], "1, with the version of the agent."),
    describe("tandem_run_duration_seconds", Kind::Histogram, &["stage"], "Duration of each stage of a run."),
    describe("tandem_runs_total", Kind::Counter, &["reason"], "Runs that ended, by the reason of their outcome."),
    describe("tandem_runs_in_flight", Kind::Gauge, &[], "Runs that are in hand."),
    describe("tandem_queue_depth", Kind::Gauge, &[], "Syncs that wait for a run."),
    describe(
        "tandem_commit_to_applied_seconds",
        Kind::Histogram,
        &[],
        "From the moment when the agent heard of a commit until it was applied.",
    ),
    describe(
        "tandem_commit_to_healthy_seconds",
        Kind::Histogram,
        &[],
        "From the moment when the agent heard of a commit until everything was healthy.",
    ),
    describe("tandem_objects", Kind::Gauge, &["namespace", "sync", "status"], "Objects that a Sync owns, by health."),
    describe("tandem_sync_ready", Kind::Gauge, &["namespace", "sync"], "1 where the Sync is ready, else 0."),
    describe(
        "tandem_sync_info",
        Kind::Gauge,
        &["namespace", "sync", "repository", "revision", "mode", "suspended", "state"],
        "1, with what the Sync is at.",
    ),
    describe(
        "tandem_repository_ready",
        Kind::Gauge,
        &["namespace", "repository"],
        "1 where the Repository is ready, else 0.",
    ),
    describe(
        "tandem_broken_glass",
        Kind::Gauge,
        &["namespace", "repository"],
        "Commits that went ahead of their review and that nobody else has approved yet.",
    ),
    describe("tandem_drift_total", Kind::Counter, &["namespace", "sync"], "Changes made by hand that were put right."),
    describe(
        "tandem_standard_verdicts_total",
        Kind::Counter,
        &["standard", "policy", "action"],
        "Findings of policies of Standards, by what is done about them; Waived where a waiver lets the object pass.",
    ),
    describe(
        "tandem_api_requests_total",
        Kind::Counter,
        &["verb", "code"],
        "Requests to the API server; code is error where none was answered.",
    ),
    describe(
        "tandem_panics_total",
        Kind::Counter,
        &["task"],
        "Tasks of the agent that panicked and were begun anew, by what they are of: each is a defect.",
    ),
    describe("tandem_git_fetches_total", Kind::Counter, &["result"], "Fetches, by how they ended."),
    describe("tandem_git_received_bytes_total", Kind::Counter, &[], "Bytes that fetches received."),
    describe("tandem_git_refs_duration_seconds", Kind::Histogram, &[], "Duration of listings of references."),
];

/// Upper ends of the buckets, in seconds: a change of one field takes tenths, a first install
/// minutes.
const SECONDS: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];

const VERBS: &[&str] = &["get", "list", "watch", "create", "apply", "dryrun", "patch", "update", "delete"];

/// What the agent was built from.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// Version of the program.
    pub version: String,
    /// Commit of its source; empty where unknown.
    pub commit: String,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchResult {
    /// The remote had nothing new; nothing was transferred.
    Unchanged,
    /// Something new came.
    Fetched,
    /// It failed.
    Failed,
}

/// What a task of the agent is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A Sync.
    Sync,
    /// A Repository.
    Repository,
}

impl Task {
    /// As labels and logs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Repository => "repository",
        }
    }
}

/// One of something that is counted while it lasts.
#[must_use = "it is counted until it is dropped"]
pub struct Counted(IntGauge);

impl Counted {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// All metrics of the process. Shared by reference; every method may be called from any thread.
pub struct Metrics {
    registry: Registry,
    stages: HistogramVec,
    runs: IntCounterVec,
    in_flight: IntGauge,
    queue: IntGauge,
    applied: Histogram,
    healthy: Histogram,
    syncs: Syncs,
    repository_ready: IntGaugeVec,
    broken_glass: IntGaugeVec,
    drift: IntCounterVec,
    verdicts: IntCounterVec,
    requests: IntCounterVec,
    panics: IntCounterVec,
    fetches: IntCounterVec,
    received: IntCounter,
    refs: Histogram,
}

impl Metrics {
    /// Registers everything in [`TABLE`], and what the caller brings.
    ///
    /// # Errors
    /// A name that is registered twice.
    pub fn new(build: &Build, others: Vec<Box<dyn Collector>>) -> Result<Self, Error> {
        let registry = Registry::new();
        let build_info = gauges(&registry, "tandem_build_info")?;
        build_info.with_label_values(&[&build.version, &build.commit]).set(1);
        for other in others {
            registry.register(other)?;
        }
        let metrics = Self {
            stages: histograms(&registry, "tandem_run_duration_seconds")?,
            runs: counters(&registry, "tandem_runs_total")?,
            in_flight: gauges(&registry, "tandem_runs_in_flight")?.with_label_values::<&str>(&[]),
            queue: gauges(&registry, "tandem_queue_depth")?.with_label_values::<&str>(&[]),
            applied: histograms(&registry, "tandem_commit_to_applied_seconds")?.with_label_values::<&str>(&[]),
            healthy: histograms(&registry, "tandem_commit_to_healthy_seconds")?.with_label_values::<&str>(&[]),
            syncs: Syncs::new()?,
            repository_ready: gauges(&registry, "tandem_repository_ready")?,
            broken_glass: gauges(&registry, "tandem_broken_glass")?,
            drift: counters(&registry, "tandem_drift_total")?,
            verdicts: counters(&registry, "tandem_standard_verdicts_total")?,
            requests: counters(&registry, "tandem_api_requests_total")?,
            panics: counters(&registry, "tandem_panics_total")?,
            fetches: counters(&registry, "tandem_git_fetches_total")?,
            received: counters(&registry, "tandem_git_received_bytes_total")?.with_label_values::<&str>(&[]),
            refs: histograms(&registry, "tandem_git_refs_duration_seconds")?.with_label_values::<&str>(&[]),
            registry,
        };
        metrics.registry.register(Box::new(metrics.syncs.clone()))?;
        // A counter that is there from the start lets a rate be taken over its first event.
        for stage in Stage::ALL {
            metrics.stages.with_label_values(&[stage.as_str()]);
        }
        for result in [FetchResult::Unchanged, FetchResult::Fetched, FetchResult::Failed] {
            metrics.fetches.with_label_values(&[result_label(result)]);
        }
        for task in [Task::Sync, Task::Repository] {
            metrics.panics.with_label_values(&[task.as_str()]);
        }
        Ok(metrics)
    }

    /// A run ended.
    pub fn outcome(&self, outcome: &Outcome) {
        self.runs.with_label_values(&[outcome.reason().as_str()]).inc();
        for (stage, millis) in &outcome.stages {
            // A duration of 2⁵³ ms does not occur.
            #[allow(clippy::cast_precision_loss)]
            self.stage(*stage, *millis as f64 / 1000.0);
        }
    }

    /// A stage ended that belongs to no outcome: a fetch serves many Syncs, health comes later.
    pub fn stage(&self, stage: Stage, seconds: f64) {
        self.stages.with_label_values(&[stage.as_str()]).observe(seconds);
    }

    /// A revision was applied, so many seconds after the agent heard of it.
    pub fn commit_applied(&self, seconds: f64) {
        self.applied.observe(seconds);
    }

    /// A revision is healthy, so many seconds after the agent heard of it.
    pub fn commit_healthy(&self, seconds: f64) {
        self.healthy.observe(seconds);
    }

    /// A Sync waits for a run until the value is dropped.
    pub fn waiting(&self) -> Counted {
        Counted::new(&self.queue)
    }

    /// A run is in hand until the value is dropped.
    pub fn running(&self) -> Counted {
        Counted::new(&self.in_flight)
    }

    /// What a Sync is at. `repository` is `namespace/name`.
    pub fn sync(&self, namespace: &str, name: &str, repository: &str, facts: &SyncFacts) {
        self.syncs.put(namespace, name, repository, facts);
    }

    /// A Sync is gone: so are its series.
    pub fn forget_sync(&self, namespace: &str, name: &str) {
        self.syncs.forget(namespace, name);
        // An error says that the series was never there.
        let _ = self.drift.remove_label_values(&[namespace, name]);
    }

    /// What a Repository is at.
    pub fn repository(&self, namespace: &str, name: &str, facts: &RepositoryFacts) {
        let ready = repository_state(facts) == RepositoryState::Ready;
        self.repository_ready.with_label_values(&[namespace, name]).set(i64::from(ready));
        let broken = i64::try_from(facts.glass.len()).unwrap_or(i64::MAX);
        self.broken_glass.with_label_values(&[namespace, name]).set(broken);
    }

    /// A Repository is gone: so is its series.
    pub fn forget_repository(&self, namespace: &str, name: &str) {
        let _ = self.repository_ready.remove_label_values(&[namespace, name]);
        let _ = self.broken_glass.remove_label_values(&[namespace, name]);
    }

    /// A change by hand was put right.
    pub fn drift(&self, namespace: &str, sync: &str) {
        self.drift.with_label_values(&[namespace, sync]).inc();
    }

    /// A policy of a Standard found something; `action` is what is done about it.
    pub fn verdict(&self, standard: &str, policy: &str, action: &str) {
        self.verdicts.with_label_values(&[standard, policy, action]).inc();
    }

    /// A request to the API server was answered with a code, or with none (0). A verb that is none
    /// of the usual ones counts as `other`.
    pub fn request(&self, verb: &str, code: u16) {
        let verb = VERBS.iter().find(|v| **v == verb).copied().unwrap_or("other");
        let code = if code == 0 { "error".to_owned() } else { code.to_string() };
        self.requests.with_label_values(&[verb, &code]).inc();
    }

    /// A task panicked.
    pub fn panicked(&self, task: Task) {
        self.panics.with_label_values(&[task.as_str()]).inc();
    }

    /// A fetch ended, and received so many bytes.
    pub fn fetch(&self, result: FetchResult, bytes: u64) {
        self.fetches.with_label_values(&[result_label(result)]).inc();
        self.received.inc_by(bytes);
    }

    /// References were listed.
    pub fn refs(&self, seconds: f64) {
        self.refs.observe(seconds);
    }

    /// Everything in Prometheus' text format.
    pub fn encode(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_else(|error| format!("# {error}\n"))
    }
}

fn result_label(result: FetchResult) -> &'static str {
    match result {
        FetchResult::Unchanged => "unchanged",
        FetchResult::Fetched => "fetched",
        FetchResult::Failed => "failed",
    }
}

fn described(name: &str, kind: Kind) -> Result<&'static Described, Error> {
    let row = TABLE.iter().find(|d| d.name == name && d.kind == kind);
    row.ok_or_else(|| Error::Msg(format!("{name} is no {kind:?} of the table")))
}

fn counters(registry: &Registry, name: &str) -> Result<IntCounterVec, Error> {
    let row = described(name, Kind::Counter)?;
    let made = IntCounterVec::new(Opts::new(row.name, row.help), row.labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

fn gauges(registry: &Registry, name: &str) -> Result<IntGaugeVec, Error> {
    let row = described(name, Kind::Gauge)?;
    let made = IntGaugeVec::new(Opts::new(row.name, row.help), row.labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

fn histograms(registry: &Registry, name: &str) -> Result<HistogramVec, Error> {
    let row = described(name, Kind::Histogram)?;
    let made = HistogramVec::new(HistogramOpts::new(row.name, row.help).buckets(SECONDS.to_vec()), row.labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

#[cfg(test)]
mod tests;
