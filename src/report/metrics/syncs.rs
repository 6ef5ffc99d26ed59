//! The series of all Syncs, composed when somebody asks: as vectors of gauges they would be most of
//! what the agent keeps for a Sync at rest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::Error;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::{Kind, described};
use crate::api::Mode;
use crate::health::{Counts, Status};
use crate::report::condition::state;
use crate::report::facts::SyncFacts;
use crate::report::table::State;

/// Names of the series, in the order in which they are composed.
const NAMES: [&str; 3] = ["tandem_objects", "tandem_sync_ready", "tandem_sync_info"];

/// What each Sync is at. Clones share it.
#[derive(Clone)]
pub(super) struct Syncs {
    described: Arc<[Desc; 3]>,
    rows: Arc<Mutex<Rows>>,
}

/// By namespace and name.
type Rows = BTreeMap<(String, String), Row>;

/// What one Sync is at.
struct Row {
    counts: Counts,
    state: State,
    /// `namespace/name`.
    repository: String,
    revision: String,
    mode: Mode,
    suspended: bool,
}

impl Syncs {
    /// # Errors
    /// A name or a label that Prometheus does not take.
    pub(super) fn new() -> Result<Self, Error> {
        let describe = |name: &str| {
            let row = described(name, Kind::Gauge)?;
            let labels = row.labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(row.name.to_owned(), row.help.to_owned(), labels, std::collections::HashMap::new())
        };
        let [objects, ready, info] = NAMES;
        Ok(Self { described: Arc::new([describe(objects)?, describe(ready)?, describe(info)?]), rows: Arc::default() })
    }

    /// What a Sync is at now.
    pub(super) fn put(&self, namespace: &str, name: &str, repository: &str, facts: &SyncFacts) {
        let row = Row {
            counts: facts.health.counts,
            state: state(facts),
            repository: repository.to_owned(),
            revision: facts.applied.as_ref().map_or_else(String::new, ToString::to_string),
            mode: facts.mode,
            suspended: facts.suspended,
        };
        self.lock().insert((namespace.to_owned(), name.to_owned()), row);
    }

    /// A Sync is gone.
    pub(super) fn forget(&self, namespace: &str, name: &str) {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Syncs {
    fn desc(&self) -> Vec<&Desc> {
        self.described.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let [mut objects, mut ready, mut info] = [const { Vec::new() }; 3];
        for ((namespace, name), row) in &*self.lock() {
            let of = |more: &[(&str, &str)], value: u32| {
                let mut pairs = vec![("namespace", namespace.as_str()), ("sync", name.as_str())];
                pairs.extend(more);
                metric(pairs, value)
            };
            objects.extend(Status::ALL.iter().map(|s| of(&[("status", s.as_str())], row.counts.of(*s))));
            let is_ready = matches!(row.state, State::Ready | State::ShadowEqual);
            ready.push(of(&[], is_ready.into()));
            let more = [
                ("repository", row.repository.as_str()),
                ("revision", row.revision.as_str()),
                ("mode", if row.mode == Mode::Shadow { "Shadow" } else { "Enforce" }),
                ("suspended", if row.suspended { "true" } else { "false" }),
                ("state", &format!("{:?}", row.state)),
            ];
            info.push(of(&more, 1));
        }
        self.described.iter().zip([objects, ready, info]).map(|(desc, metrics)| family(desc, metrics)).collect()
    }
}

fn metric(mut pairs: Vec<(&str, &str)>, value: u32) -> Metric {
    // The text format tells labels in the order of their names, as those of vectors are.
    pairs.sort_unstable();
    let pair = |(name, value): (&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    let mut gauge = Gauge::default();
    gauge.set_value(f64::from(value));
    let mut metric = Metric::from_gauge(gauge);
    metric.set_label(pairs.into_iter().map(pair).collect());
    metric
}

fn family(desc: &Desc, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(desc.fq_name.clone());
    family.set_help(desc.help.clone());
    family.set_field_type(MetricType::GAUGE);
    family.set_metric(metrics);
    family
}
