//! One task for each Repository that publishes plans: asks the forge for open pull requests, and tells on each what its
//! merge would change in this cluster.
//!
//! It stands beside the work, as the publisher does: what is proposed is rendered in a worker of its own kind, one at a
//! time for the whole agent, and no Sync waits for it. Nothing is written to the cluster, and nothing to the forge where it
//! shows that already.

mod answer;
mod ask;
mod draw;
mod foresee;
mod guard;
mod held;
mod look;
mod subject;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::api::{Inventory, PlanSettings, Repository, Sync};
use crate::failure::{Failed, Fault};
use crate::forge::{Forge, ForgeError, Open};
use crate::plan::Essence;
use crate::plan::signed::SignedPlan;
use crate::report::commit_status::{CommitStatus, Light};
use crate::report::proposed::{Found as Planned, Place, SyncPlan, comment, earlier, is_shown, status};

use super::ahead::Ahead;
use super::registry::Listener;
use super::tip::{Found, Key, Tip};
use super::world::{World, random};
use super::{backoff, foretold, source};

/// Time between two questions for open pull requests, where the spec says none.
const INTERVAL: Duration = Duration::from_secs(60);
/// Pull requests that are looked at; the newest ones.
const MOST: usize = 50;
/// After so long a plan is made anew, though nothing is known to have changed: the cluster may have.
const STALE: Duration = Duration::from_secs(60 * 60);

/// Tells the plans of a Repository; dropped, nothing more is told.
pub struct Planner {
    repository: Arc<Repository>,
    bell: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Planner {
    /// Starts the task; none where the spec publishes no plans.
    pub fn start(world: &Arc<World>, key: &Key, repository: &Repository) -> Option<Self> {
        let settings = repository.spec.publish.as_ref()?.plan.clone()?;
        let branch = repository.spec.r#ref.branch.clone()?;
        let repository = Arc::new(repository.clone());
        let bell = Arc::new(Notify::new());
        world.registry.listen(key.clone(), Listener::Planner, bell.clone());
        bell.notify_one();
        let teller = Teller {
            world: world.clone(),
            key: key.clone(),
            repository: repository.clone(),
            settings,
            branch,
            ahead: world.aheads.of(key),
            app: None,
            told: BTreeMap::new(),
            held: BTreeMap::new(),
            foreseen: BTreeMap::new(),
        };
        Some(Self { repository, bell: bell.clone(), task: tokio::spawn(teller.run(bell)) })
    }

    /// Whether it does what this spec wants.
    pub fn suits(&self, repository: &Repository) -> bool {
        self.repository.spec == repository.spec
    }

    /// A webhook says that there may be news.
    pub fn ask(&self) {
        self.bell.notify_one();
    }
}

impl Drop for Planner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What was told of one pull request.
struct Told {
    of: Of,
    /// The event by which a label let it be planned.
    labelled: Option<u64>,
    at: Instant,
    /// Failures in a row, and when it is tried again.
    failures: u32,
    retry: Option<Instant>,
}

/// What a plan depends on that is seen from outside.
#[derive(Clone, PartialEq, Eq)]
struct Of {
    head: String,
    base: String,
    /// Whether it has the label that lets a fork be planned; its event is asked for only then.
    labelled: bool,
}

struct Teller {
    world: Arc<World>,
    key: Key,
    repository: Arc<Repository>,
    settings: PlanSettings,
    branch: String,
    /// What is known of pull requests before they land.
    ahead: Arc<Ahead>,
    /// Number of the account of a GitHub App, once it is known.
    app: Option<u64>,
    /// By number.
    told: BTreeMap<u64, Told>,
    /// What was told of merges that are held, by commit.
    held: BTreeMap<String, held::Told>,
    /// What review was told to say of pull requests, by number.
    foreseen: BTreeMap<u64, foresee::Told>,
}

/// What all pull requests of a turn are planned with: the API server is asked for it once.
#[derive(Default)]
struct Round {
    /// The heads of all that are open.
    heads: BTreeSet<String>,
    /// The Syncs that use the Repository, in the order of their names.
    syncs: Option<Vec<Sync>>,
    /// Inventories, by namespace.
    inventories: BTreeMap<String, Vec<Inventory>>,
    /// Whether the account that dry-runs may be used, or why not.
    account: Option<Result<(), String>>,
}

/// Why a turn ended early, and how long the forge asks to be left alone.
type Broken = (Failed, Option<Duration>);

impl Teller {
    async fn run(mut self, bell: Arc<Notify>) {
        // Every Sync is known: a plan that left some out would be wrong.
        let _ = self.world.listed.clone().wait_for(|listed| *listed).await;
        let interval = source::duration(self.settings.interval.as_deref(), INTERVAL);
        let (mut failures, mut alone) = (0_u32, None::<Instant>);
        loop {
            match alone.take() {
                // Nobody's bell hurries a forge that wants to be left alone.
                Some(until) => tokio::time::sleep_until(until).await,
                None => {
                    let reviews = self.foreseen.values().filter_map(foresee::Told::next);
                    let next = self.told.values().filter_map(|told| told.retry).chain(reviews).min();
                    let poll = Instant::now() + backoff::poll(interval, 0, random());
                    let until = next.map_or(poll, |next| next.min(poll));
                    let _ = tokio::time::timeout_at(until, bell.notified()).await;
                }
            }
            match self.turn().await {
                Ok(()) => failures = 0,
                Err((failed, pause)) => {
                    failures += 1;
                    tracing::warn!(repository = %self.key, reason = %failed.reason, error = %failed, hint = failed.hint, "plans are not told");
                    let pause = pause.unwrap_or(backoff::retry(failed.fault, failures, random()));
                    alone = Some(Instant::now() + pause);
                }
            }
        }
    }

    /// Looks at what is open, and tells what is new of it.
    async fn turn(&mut self) -> Result<(), Broken> {
        if !self.world.leading() || self.repository.spec.suspend {
            return Ok(());
        }
        let Some(tip) = self.world.registry.tip(&self.key) else { return Ok(()) };
        let newest = tip.withheld.as_ref().map(|withheld| &withheld.found).or(tip.found.as_ref());
        let Some(base) = newest.cloned() else { return Ok(()) };
        let (cluster, namespace) = (&self.world.cluster, &self.key.namespace);
        let forge = source::forge(cluster, namespace, &self.repository, "spec.publish.plan").await;
        let forge = forge.map_err(|failed| (failed, None))?.with(self.ahead.book.clone());
        self.tell_held(&forge).await?;
        let mut open = forge.open(&self.branch).await.map_err(|error| broken(&error))?;
        let left_out = open.len().saturating_sub(MOST);
        if left_out > 0 {
            tracing::warn!(repository = %self.key, left_out, "more pull requests are open than are planned");
            open.drain(..left_out);
        }
        self.told.retain(|number, _| open.iter().any(|one| one.number == *number));
        self.tell_reviews(&forge, &tip, &base, &open).await?;
        let heads: BTreeSet<String> = open.iter().map(|one| one.head.clone()).collect();
        let due: Vec<Open> = open.into_iter().filter(|one| self.is_due(one, &base)).collect();
        if due.is_empty() {
            return Ok(());
        }
        let me = self.me(&forge, &due[0].head).await?;
        let mut round = Round { heads, ..Round::default() };
        for one in due {
            self.one(&forge, me, &tip, &base, &one, &mut round).await?;
        }
        Ok(())
    }

    /// Number of the account that tells. A GitHub App cannot ask who it is, but a status says by whom it is.
    async fn me(&mut self, forge: &Forge, head: &str) -> Result<u64, Broken> {
        match forge.me().await {
            Err(ForgeError::Refused(_, 403)) => {}
            me => return me.map_err(|error| broken(&error)),
        }
        if let Some(app) = self.app {
            return Ok(app);
        }
        let begun = CommitStatus { light: Light::Pending, description: "it is being planned".to_owned() };
        let by = forge.tell(head, &self.context(), &begun).await.map_err(|error| broken(&error))?;
        let unknown = || Failed::new("ForgeUnavailable", Fault::Transient, "the forge does not say whose token it is");
        self.app = by;
        by.ok_or_else(|| (unknown(), None))
    }

    fn of(&self, open: &Open, base: &Found) -> Of {
        let label = self.settings.label.as_ref().filter(|_| open.fork);
        let labelled = label.is_some_and(|label| open.labels.contains(label));
        Of { head: open.head.clone(), base: base.commit().to_owned(), labelled }
    }

    fn is_due(&self, open: &Open, base: &Found) -> bool {
        let Some(told) = self.told.get(&open.number) else { return true };
        let now = Instant::now();
        match told.retry {
            Some(retry) => retry <= now || told.of.head != open.head,
            // A label that does not count yet may be taken and given again between two looks.
            None => {
                told.of != self.of(open, base) || told.at + STALE <= now || told.of.labelled && told.labelled.is_none()
            }
        }
    }

    /// Whether all of this was told already.
    fn is_told(&self, number: u64, of: &Of, labelled: Option<u64>) -> bool {
        let told = self.told.get(&number).filter(|told| told.retry.is_none() && Instant::now() < told.at + STALE);
        told.is_some_and(|told| told.of == *of && told.labelled == labelled)
    }

    /// Plans one pull request and tells what came of it. What fails in the planning is tried again by itself; what fails
    /// at the forge ends the turn.
    async fn one(
        &mut self,
        forge: &Forge,
        me: u64,
        tip: &Tip,
        base: &Found,
        open: &Open,
        round: &mut Round,
    ) -> Result<(), Broken> {
        let of = self.of(open, base);
        let mut place = Place {
            cluster: &self.world.name,
            group: self.settings.group.as_deref(),
            head: &open.head,
            labelled: None,
            label: self.settings.label.as_deref(),
            signed: None,
        };
        let shown = forge.comment(open.number, me, &place.mark()).await.map_err(|error| broken(&error))?;
        if of.labelled
            && let Some(label) = &self.settings.label
        {
            let labelled = forge.labelled(open.number, label).await.map_err(|error| broken(&error))?;
            let before = shown.as_ref().and_then(|shown| Some((earlier(&shown.body)?, shown.at)));
            place.labelled = labelled.and_then(|labelled| look::counts(&open.head, before.as_ref(), &labelled));
        }
        if self.is_told(open.number, &of, place.labelled) {
            return Ok(());
        }
        let whole = !open.fork || place.labelled.is_some();
        let clock = Instant::now();
        let planned = self.plan(tip, base, open, round, whole).await;
        let failures = self.told.get(&open.number).map_or(0, |told| told.failures);
        let found = match planned {
            Ok(found) => found,
            Err(failed) => {
                tracing::warn!(repository = %self.key, proposal = open.number, reason = %failed.reason, error = %failed, hint = failed.hint, "it cannot be planned");
                let retry = Some(Instant::now() + backoff::retry(failed.fault, failures + 1, random()));
                self.told.insert(
                    open.number,
                    Told { of, labelled: None, at: Instant::now(), failures: failures + 1, retry },
                );
                return Ok(());
            }
        };
        let took_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(repository = %self.key, proposal = open.number, head = open.head, took_ms, "planned");
        if !self.world.leading() {
            return Ok(());
        }
        let signed = self.signed(base, open, &found, shown.as_ref().map(|shown| shown.body.as_str()));
        place.signed = signed.as_ref();
        let (text, labelled) = (comment(&place, &found), place.labelled);
        if !shown.as_ref().is_some_and(|shown| is_shown(&shown.body, &text)) {
            let earlier = shown.map(|shown| shown.id);
            forge.say(open.number, earlier, &text).await.map_err(|error| broken(&error))?;
            tracing::info!(repository = %self.key, proposal = open.number, head = open.head, "the plan is told");
        }
        let (context, status) = (self.context(), status(&found));
        let shown = forge.status(&open.head, &context).await.map_err(|error| broken(&error))?;
        if forge.shows(shown.as_ref(), &status) {
            forge.tell(&open.head, &context, &status).await.map_err(|error| broken(&error))?;
        }
        self.told.insert(open.number, Told { of, labelled, at: Instant::now(), failures: 0, retry: None });
        Ok(())
    }

    /// What Syncs would do, signed, where somebody has to approve that.
    fn signed(&self, base: &Found, open: &Open, found: &Planned, earlier: Option<&str>) -> Option<SignedPlan> {
        self.repository.spec.review.as_ref()?.plan.as_ref()?;
        let Planned::Planned(syncs) = found else { return None };
        let essence = |sync: &SyncPlan| {
            let essence = sync.essence.clone().filter(|essence| !essence.lines.is_empty())?;
            Some((sync.name.clone(), essence))
        };
        let plans: BTreeMap<String, Essence> = syncs.iter().filter_map(essence).collect();
        if plans.is_empty() {
            return None;
        }
        plans.values().for_each(|essence| self.world.foretold.keep(essence));
        let foretold = foretold::of(base, &open.head, &self.world.name);
        match self.world.seal.foretell(foretold, plans, earlier) {
            Ok(signed) => Some(signed),
            Err(failed) => {
                tracing::error!(repository = %self.key, error = %failed, "a plan is not signed");
                None
            }
        }
    }

    fn context(&self) -> String {
        self.context_of("plan")
    }

    /// Under what a status of a head stands.
    fn context_of(&self, what: &str) -> String {
        match &self.settings.group {
            Some(group) => format!("tandem/{}/{group}/{what}", self.world.name),
            None => format!("tandem/{}/{what}", self.world.name),
        }
    }
}

fn broken(error: &ForgeError) -> Broken {
    let pause = match error {
        ForgeError::Limited { pause, .. } => Some(*pause),
        _ => None,
    };
    (Failed::from(error), pause)
}
