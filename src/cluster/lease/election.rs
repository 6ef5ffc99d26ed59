//! Contends for one lease, renews it, and gives it back.

use std::time::SystemTime;

use http::Method;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::options::{Election, LeaseOptions};
use super::permit::WritePermit;
use super::record::{Me, Move, Record, Wanted, next_move};
use crate::api::Mode;
use crate::cluster::call::{Call, collection_path, object_path};
use crate::cluster::error::ClusterError;
use crate::cluster::kinds::KindInfo;
use crate::cluster::refusal::RefusalReason;
use crate::cluster::session::Session;

/// Contends for a lease until cancelled, then gives it back. The receiver tells every change; the
/// task ends once the lease is given back.
pub fn contend(
    session: Session,
    options: LeaseOptions,
    cancel: CancellationToken,
) -> (watch::Receiver<Election>, JoinHandle<()>) {
    let (tell, told) = watch::channel(Election::default());
    let contender = Contender { session, options, tell, seen: None, held: None, free_since: None };
    (told, tokio::spawn(contender.run(cancel)))
}

struct Contender {
    session: Session,
    options: LeaseOptions,
    tell: watch::Sender<Election>,
    /// The record as last read, and since when it is unchanged.
    seen: Option<(Record, Instant)>,
    held: Option<Held>,
    free_since: Option<Instant>,
}

/// Whether a write met the version that it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrote {
    Yes,
    No,
}

struct Held {
    permit: WritePermit,
    acquired: String,
}

impl Contender {
    async fn run(mut self, cancel: CancellationToken) {
        loop {
            let step = self.step();
            let outcome = tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                outcome = step => outcome,
            };
            if let Err(error) = outcome {
                tracing::warn!(lease = self.options.name, %error, "lease");
            }
            self.lapse();
            tokio::select! {
                () = cancel.cancelled() => break,
                () = sleep_until(self.next_look()) => {}
            }
            self.lapse();
        }
        self.release().await;
    }

    /// A holder keeps its rhythm, and notices the end of its permit; only contenders are spread.
    fn next_look(&self) -> Instant {
        let period = self.options.retry_period;
        match self.held.as_ref().map(|held| held.permit.expires()) {
            Some(expires) => (Instant::now() + period).min(expires.unwrap_or_else(Instant::now)),
            None => Instant::now() + period.mul_f64(1.0 + jitter(&self.options.identity, Timestamp::now())),
        }
    }

    /// One look, and what follows from it. An attempt never outlives the permit, so that its end
    /// is noticed in time.
    async fn step(&mut self) -> Result<(), ClusterError> {
        let now = Instant::now();
        let deadline = match self.held.as_ref().and_then(|held| held.permit.expires()) {
            Some(expires) => expires,
            None => now + self.options.renew_deadline,
        };
        match timeout_at(deadline, self.look_and_act(deadline)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ClusterError::Timeout { what: format!("lease {}", self.options.name), after: now.elapsed() }),
        }
    }

    async fn look_and_act(&mut self, deadline: Instant) -> Result<(), ClusterError> {
        let session = self.session.until(deadline);
        // A holder writes what it knows; the resourceVersion tells whether that is still so.
        if self.held.is_some()
            && let Some((record, _)) = self.seen.clone()
        {
            return self.renew(&session, &record).await;
        }
        let Some(record) = self.read(&session).await? else { return self.create(&session).await };
        let since = match &self.seen {
            Some((before, since)) if record.unchanged_since(before) => *since,
            _ => Instant::now(),
        };
        self.seen = Some((record.clone(), since));
        self.told(&record.holder);
        let me = Me { identity: &self.options.identity, lineage: &self.options.lineage };
        match next_move(&record, me, since.elapsed()) {
            Move::Wait => {
                self.free_since = None;
                Ok(())
            }
            Move::Take => {
                let free = *self.free_since.get_or_insert_with(Instant::now);
                if free.elapsed() < self.options.courtesy {
                    return Ok(());
                }
                self.take(&session, &record).await
            }
            // Ours by name but not by deed: another process with our identity, or we before a
            // lapse. Taking it anew counts as a transition.
            Move::Renew => self.take(&session, &record).await,
        }
    }

    async fn read(&self, session: &Session) -> Result<Option<Record>, ClusterError> {
        let lease = session.send(Call::get(&kind(), &self.options.namespace, &self.options.name)?.urgent()).await;
        match lease {
            Ok(reply) => Ok(Some(Record::read(&reply.json()?))),
            Err(error) => match error.refusal().map(|r| &r.why) {
                Some(RefusalReason::NotFound) => Ok(None),
                _ => Err(error),
            },
        }
    }

    async fn create(&mut self, session: &Session) -> Result<(), ClusterError> {
        let kind = kind();
        let (began, wall, now) = (Instant::now(), SystemTime::now(), micros());
        let body = self.wanted(&self.options.identity, 0, &now, &now, "").body();
        let path = collection_path(&kind, &self.options.namespace)?;
        let call = Call::of("create", Method::POST, &kind, &self.options.namespace, &self.options.name, path)
            .with_json("application/json", &body)
            .once()
            .urgent();
        match session.send(call).await {
            Ok(reply) => {
                self.won(Record::read(&reply.json()?), now, began, wall);
                Ok(())
            }
            Err(error) => match error.refusal().map(|r| &r.why) {
                Some(RefusalReason::AlreadyExists) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Renews what we hold. A conflict alone does not say that it is lost: an annotation is a
    /// write too.
    async fn renew(&mut self, session: &Session, record: &Record) -> Result<(), ClusterError> {
        if self.write(session, record, Move::Renew).await? == Wrote::Yes {
            return Ok(());
        }
        if let Some(record) = self.read(session).await?
            && record.holder == self.options.identity
            && self.held.as_ref().is_some_and(|held| held.permit.transitions() == record.transitions)
            && self.write(session, &record, Move::Renew).await? == Wrote::Yes
        {
            return Ok(());
        }
        self.lose();
        Ok(())
    }

    async fn take(&mut self, session: &Session, record: &Record) -> Result<(), ClusterError> {
        if self.write(session, record, Move::Take).await? == Wrote::No {
            // Another was faster. The next look tells who.
            self.seen = None;
        }
        Ok(())
    }

    async fn write(&mut self, session: &Session, record: &Record, how: Move) -> Result<Wrote, ClusterError> {
        let (began, wall, now) = (Instant::now(), SystemTime::now(), micros());
        let (transitions, acquired) = match (&self.held, how) {
            (Some(held), Move::Renew) => (record.transitions, held.acquired.clone()),
            _ => (record.transitions + 1, now.clone()),
        };
        let body = self.wanted(&self.options.identity, transitions, &acquired, &now, &record.resource_version).body();
        match self.put(session, &body).await {
            Ok(record) => {
                self.won(record, acquired, began, wall);
                Ok(Wrote::Yes)
            }
            Err(error) => match error.refusal().map(|r| &r.why) {
                Some(RefusalReason::Stale | RefusalReason::NotFound) => Ok(Wrote::No),
                _ => Err(error),
            },
        }
    }

    async fn put(&self, session: &Session, body: &serde_json::Value) -> Result<Record, ClusterError> {
        let kind = kind();
        let path = object_path(&kind, &self.options.namespace, &self.options.name)?;
        let call = Call::of("update", Method::PUT, &kind, &self.options.namespace, &self.options.name, path)
            .with_json("application/json", body)
            .once()
            .urgent();
        Ok(Record::read(&session.send(call).await?.json()?))
    }

    fn wanted<'a>(
        &'a self,
        holder: &'a str,
        transitions: u64,
        acquired: &'a str,
        renewed: &'a str,
        resource_version: &'a str,
    ) -> Wanted<'a> {
        Wanted {
            namespace: &self.options.namespace,
            name: &self.options.name,
            holder,
            duration: self.options.duration,
            transitions,
            acquired,
            renewed,
            resource_version,
        }
    }

    fn won(&mut self, record: Record, acquired: String, began: Instant, wall: SystemTime) {
        let lasts = self.options.renew_deadline;
        self.free_since = None;
        match &self.held {
            Some(held) => held.permit.extend(began, wall, lasts),
            None => {
                let permit = WritePermit::minted(&self.options.shard, record.transitions, lasts);
                permit.extend(began, wall, lasts);
                tracing::info!(lease = self.options.name, transitions = record.transitions, "leading");
                let enforced = (self.options.mode == Mode::Enforce).then(|| permit.clone());
                self.tell.send_replace(Election {
                    leading: true,
                    transitions: record.transitions,
                    permit: enforced,
                    holder: record.holder.clone(),
                });
                self.held = Some(Held { permit, acquired });
            }
        }
        self.seen = Some((record, Instant::now()));
    }

    fn told(&self, holder: &str) {
        self.tell.send_if_modified(|election| {
            let changed = election.holder != holder;
            if changed {
                holder.clone_into(&mut election.holder);
            }
            changed
        });
    }

    /// Notices that the deadline of the permit passed without a renewal.
    fn lapse(&mut self) {
        if self.held.as_ref().is_some_and(|held| !held.permit.valid()) {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.seen = None;
        if let Some(held) = self.held.take() {
            held.permit.end();
            tracing::warn!(lease = self.options.name, "not leading any more");
            self.tell.send_replace(Election::default());
        }
    }

    /// Gives the lease back, so that another need not wait. First the permit ends, then the others
    /// may know.
    async fn release(&mut self) {
        let record = self.seen.take().map(|(record, _)| record);
        let held = self.held.take();
        if let Some(held) = &held {
            held.permit.end();
        }
        self.tell.send_replace(Election::default());
        let (Some(record), Some(held)) = (record, held) else { return };
        let now = micros();
        let body = self.wanted("", record.transitions, &held.acquired, &now, &record.resource_version).body();
        let session = self.session.until(Instant::now() + self.options.retry_period);
        if let Err(error) = self.put(&session, &body).await {
            tracing::info!(lease = self.options.name, %error, "the lease was not given back and will expire");
        }
    }
}

fn kind() -> KindInfo {
    KindInfo::known("coordination.k8s.io", "v1", "Lease", "leases").namespaced()
}

/// The moment, as `MicroTime` is written.
fn micros() -> String {
    format!("{:.6}", Timestamp::now())
}

/// Between 0 and 0.2, different for each contender and moment.
fn jitter(identity: &str, now: Timestamp) -> f64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut state = DefaultHasher::new();
    (identity, now.as_nanosecond()).hash(&mut state);
    f64::from(u32::try_from(state.finish() % 1_000).unwrap_or(0)) / 5_000.0
}
