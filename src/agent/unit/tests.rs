//! A unit beside an API server that answers by hand: what a pass that could not go on leads to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::pass::Aim;
use super::*;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

use crate::agent::acceptance::Seal;
use crate::agent::ancestry::Ancestries;
use crate::agent::claims::ClaimBook;
use crate::agent::fight::Rival;
use crate::agent::foretold::Memory;
use crate::agent::freezes::FreezeBook;
use crate::agent::mailbox::{Loss, Sight, Trigger};
use crate::agent::news;
use crate::agent::observer::Observer;
use crate::agent::passes::Passes;
use crate::agent::registry::Registry;
use crate::agent::standards::Standards;
use crate::agent::supervisor::supervise;
use crate::agent::term::Term;
use crate::agent::worker::{Workers, WorkersSettings};
use crate::api::GROUP;
use crate::cluster::lease::Election;
use crate::cluster::observe::Event;
use crate::cluster::{Cluster, ConnectOptions, WritePermit};
use crate::git::{Listed, Source};
use crate::health::Status;
use crate::inventory::{Entry, Flag};
use crate::object::DigestKey;
use crate::plan::{Action, Change, Phase, Reason};
use crate::render::ReadRecord;
use crate::report::facts::{Stage, Verdict};
use crate::report::metrics::{Build, Metrics, Task};
use crate::revision::Revision;
use crate::server::Receivers;

/// The commit that is wanted.
const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// Longer than anything but the hourly check may take.
const LONG: Duration = Duration::from_secs(600);

/// An API server that keeps nothing: what is written is taken, and what is read is not there.
#[derive(Clone, Default)]
struct Fake {
    seen: Arc<Mutex<Vec<(String, String, Value)>>>,
}

impl Fake {
    fn cluster(&self) -> Cluster {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            async move {
                let (head, body) = request.into_parts();
                let bytes = body.collect().await?.to_bytes();
                let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                let path = head.uri.path().to_owned();
                let (code, answer) = answer(head.method.as_str(), &path, &body);
                fake.seen.lock().expect("not poisoned").push((head.method.to_string(), path, body));
                Ok::<_, tower::BoxError>(
                    Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()))?,
                )
            }
        });
        Cluster::over(kube::Client::new(service, "default"), ConnectOptions::default())
    }

    /// Bodies of the requests of this method whose path ends so.
    fn sent(&self, method: &str, path: &str) -> Vec<Value> {
        let seen = self.seen.lock().expect("not poisoned");
        seen.iter().filter(|(m, p, _)| m == method && p.ends_with(path)).map(|(.., body)| body.clone()).collect()
    }
}

fn answer(method: &str, path: &str, body: &Value) -> (u16, Value) {
    let maps = json!({"resource": "configmaps", "responseKind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "scope": "Namespaced", "verbs": ["get", "list", "watch", "patch", "delete", "create", "update"]});
    match (method, path) {
        ("GET", "/api") => (
            200,
            json!({"kind": "APIGroupDiscoveryList", "items": [
                {"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": [maps]}]}]}),
        ),
        ("GET", "/apis") => (200, json!({"kind": "APIGroupDiscoveryList", "items": []})),
        ("GET", path) if path.ends_with("/configmaps/vars") => (
            200,
            json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "vars", "resourceVersion": "1"}}),
        ),
        ("GET", path) if path.ends_with("/namespaces/shop/syncs/web") => {
            (200, serde_json::to_value(sync(json!({}))).expect("JSON"))
        }
        ("GET", path) if path.ends_with("/namespaces/shop/inventories") => {
            (200, json!({"metadata": {}, "items": [inventory("web"), inventory("other")]}))
        }
        // Somebody else has written it.
        ("PUT", path) if path.contains("/inventories/") => (
            409,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 409, "reason": "Conflict",
                "message": "the object has been modified", "details": {"name": "web-0"}}),
        ),
        ("GET", path) if path.contains("/inventories/") => (
            404,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound",
                "message": "not found", "details": {"name": "web-0"}}),
        ),
        ("GET", _) => (
            404,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound",
                "message": "not found", "details": {}}),
        ),
        _ => {
            let mut taken = json!({"kind": "Sync", "metadata": {}});
            taken.as_object_mut().expect("an object").extend(body.as_object().cloned().unwrap_or_default());
            (200, taken)
        }
    }
}

/// The inventory of a Sync, with one ConfigMap of the same name.
fn inventory(name: &str) -> Value {
    let owner = json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": "Sync", "name": name, "uid": "u1"});
    json!({
        "apiVersion": "tandemcd.io/v1alpha1",
        "kind": "Inventory",
        "metadata": {"namespace": "shop", "name": format!("{name}-0"), "ownerReferences": [owner]},
        "spec": {"sync": name, "format": 1, "entries": [{"id": format!("shop_{name}__ConfigMap"), "v": "v1"}]},
    })
}

/// What a unit stands on.
struct Ground {
    fake: Fake,
    permit: WritePermit,
    world: Arc<World>,
    /// How the election stands; it is asked as long as this lives.
    _election: watch::Sender<Election>,
    _listed: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

impl Ground {
    /// This replica leads, and the permit has lapsed.
    fn lapsed() -> Self {
        let (fake, permit, folder) = (Fake::default(), WritePermit::lapsed(), tempfile::tempdir().expect("a folder"));
        let term = Election { leading: true, permit: Some(permit.clone()), ..Election::default() };
        let (tell, election) = watch::channel(term.clone());
        let (list, listed) = watch::channel(true);
        let (cluster, key) = (fake.cluster(), DigestKey::new([7; 32]));
        let build = Build { version: String::new(), commit: String::new() };
        // Nothing is rendered here: every render fails.
        let settings =
            WorkersSettings { program: "/bin/false".into(), ..WorkersSettings::new(folder.path()).expect("settings") };
        let signing = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
        let seal = Arc::new(Seal::new(signing, folder.path(), "lab").expect("a key"));
        let world = World {
            name: "lab".to_owned(),
            observer: Observer::new(cluster.clone(), key.clone()),
            cluster,
            workers: Workers::new(settings).expect("workers"),
            ancestries: Ancestries::default(),
            freezes: FreezeBook::default(),
            claims: ClaimBook::default(),
            quarantine: Mutex::default(),
            turns: crate::agent::turns::Turns::new(1),
            charts: std::sync::Mutex::default(),
            scopes: Mutex::default(),
            registry: Registry::default(),
            standards: Standards::default(),
            metrics: Arc::new(Metrics::new(&build, Vec::new()).expect("metrics")),
            news: news::desk().0,
            election,
            term,
            seal,
            aheads: crate::agent::ahead::Aheads::default(),
            foretold: Memory::new(folder.path()),
            key,
            listed,
            passes: Passes::new(1),
            plans: Semaphore::new(1),
            namespace: "tandem-system".to_owned(),
            started: Instant::now(),
        };
        world.standards.all_listed();
        Self { fake, permit, world: Arc::new(world), _election: tell, _listed: list, _folder: folder }
    }

    /// A unit whose Repository is at the commit.
    fn unit(&self, sync: Sync) -> Unit {
        let key = Key::new("shop", "web");
        let mailbox = Mailbox::default();
        self.world.registry.expect(Key::new("shop", "repo"));
        self.world.registry.enter(key.clone(), mailbox.clone());
        let mut unit = Unit::new(self.world.clone(), key, mailbox, sync, Vec::new());
        unit.take_spec();
        self.world.registry.found(&Key::new("shop", "repo"), Arc::new(tip(COMMIT)));
        let pending = unit.mailbox.take();
        unit.absorb(pending);
        unit
    }

    /// Statuses that were written.
    fn told(&self) -> Vec<Value> {
        self.fake.sent("PATCH", "/syncs/web/status").iter().map(|sent| sent["status"].clone()).collect()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let look = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        assert!(timeout(LONG, look).await.is_ok(), "{what}: {:#?}", self.told());
    }
}

/// A Sync with more of metadata and spec.
fn sync(more: Value) -> Sync {
    let mut sync = json!({
        "apiVersion": "tandemcd.io/v1alpha1",
        "kind": "Sync",
        "metadata": {"namespace": "shop", "name": "web", "uid": "u1", "generation": 1},
        "spec": {"path": "deploy", "repositoryRef": {"name": "repo"}, "serviceAccountName": "deployer"},
    });
    let Value::Object(more) = more else { panic!("{more} is no object") };
    for (part, more) in more {
        sync[&part].as_object_mut().expect("a part").extend(more.as_object().cloned().expect("an object"));
    }
    serde_json::from_value(sync).expect("a Sync")
}

fn tip(commit: &str) -> Tip {
    let revision = Revision { name: "main".to_owned(), commit: commit.to_owned() };
    let found = Found {
        listed: Listed { revision, reference: None, tag: None, received_bytes: 0 },
        source: Arc::new(Source::new("https://git.example.com/shop.git")),
        seen_at: Timestamp::UNIX_EPOCH,
    };
    Tip {
        repository: Key::new("shop", "repo"),
        found: Some(found),
        standing: None,
        review: None,
        pinned: false,
        judging: None,
        plan_paths: Arc::from([]),
        withheld: None,
        failed: None,
        allowed_namespaces: Arc::from([]),
        rewind: None,
        untouched: Arc::default(),
    }
}

/// A change of an object of which Git says what it said before.
fn change(id: &ObjectId, reason: Reason) -> Change {
    Change::new(id.clone(), "v1", Phase::Config, Action::Configured, reason)
}

/// A ConfigMap that was applied.
fn owned(unit: &mut Unit) -> ObjectId {
    let id = ObjectId::new("shop", "a", "", "ConfigMap");
    let entry = Entry {
        version: "v1".to_owned(),
        uid: Some("u2".to_owned()),
        desired: None,
        baseline: None,
        flags: BTreeSet::new(),
        unknown: BTreeSet::new(),
    };
    unit.ledger.set(&id, entry);
    id
}

/// Its own object is ready when it is: waiting for that, it would wait for ever. Another Sync that it owns is waited for.
#[tokio::test(start_paused = true)]
async fn a_sync_that_owns_itself_does_not_wait_for_itself() {
    let ground = Ground::lapsed();
    let mut unit = ground.unit(sync(json!({})));
    let map = owned(&mut unit);
    let entry = unit.ledger.owned()[&map].clone();
    let own = unit.key.name.clone();
    for (name, expected) in [(own.as_str(), Status::Current), ("another", Status::InProgress)] {
        let id = ObjectId::new(unit.key.namespace.clone(), name, GROUP, "Sync");
        unit.ledger.set(&id, entry.clone());
        unit.health = BTreeMap::from([
            (map.clone(), Health::new(Status::Current, "it is there")),
            (id.clone(), Health::in_progress("it is not ready")),
        ]);
        unit.assess();
        assert_eq!(unit.facts.health.status(), expected, "{id}");
        unit.ledger.forget(&id);
    }
}

/// What it knew may be half of something: nothing of it is left, and the inventory is that of the cluster.
#[tokio::test(start_paused = true)]
async fn a_sync_whose_task_panics_is_told_and_begins_anew_with_what_stands_in_the_cluster() {
    let ground = Ground::lapsed();
    ground.permit.renew();
    let mut unit = ground.unit(sync(json!({})));
    // The number of the next attempt overflows, which panics.
    unit.attempt = u32::MAX;
    owned(&mut unit);
    let (key, mailbox) = (unit.key.clone(), unit.mailbox.clone());
    let (world, lives) = (ground.world.clone(), Lives::of(unit));
    let running =
        tokio::spawn(async move { supervise(Task::Sync, Key::new("shop", "web"), &world.metrics, lives).await });
    let ready =
        |told: &Value| told["conditions"].as_array().and_then(|all| all.iter().find(|c| c["type"] == "Ready")).cloned();
    let fallen = |ground: &Ground| {
        ground.told().last().and_then(ready).is_some_and(|ready| {
            ready["status"] == "False"
                && ready["reason"] == "Internal"
                && ready["message"].as_str().is_some_and(|message| message.contains("panicked"))
        })
    };
    ground.until("the panic is told", fallen).await;
    // What happens meanwhile is not lost: here, that it is suspended.
    mailbox.put(Trigger::Spec(Box::new(sync(json!({"spec": {"suspend": true}, "metadata": {"generation": 2}})))));
    let suspended =
        |ground: &Ground| ground.told().last().and_then(ready).is_some_and(|ready| ready["reason"] == "Suspended");
    ground.until("it is alive, and has its mail", suspended).await;
    assert!(!running.is_finished());
    let metrics = ground.world.metrics.encode();
    assert!(metrics.contains("tandem_panics_total{task=\"sync\"} 1\n"), "{metrics}");
    let objects = |name: &str| ground.world.observer.shows(&ObjectId::new("shop", name, "", "ConfigMap"), &mailbox);
    assert!(objects("web") && !objects("other"), "the inventory of {key} was read anew");
    running.abort();
}

/// A renewal that comes late leaves a gap in which nothing may be written, and the term goes on.
#[tokio::test(start_paused = true)]
async fn a_pass_in_a_gap_between_two_renewals_is_made_again() {
    let ground = Ground::lapsed();
    let mut unit = ground.unit(sync(json!({})));
    unit.handled = Some((COMMIT.to_owned(), 1));
    unit.unsaved = true;
    let running = tokio::spawn(Box::new(unit).run());
    ground.until("what it waits for is told", |ground| !ground.told().is_empty()).await;
    let told = ground.told();
    assert!(told[0].to_string().contains("lease") && told[0].get("attemptedRevision").is_none(), "{told:#?}");
    ground.permit.renew();
    let tried = |ground: &Ground| ground.told().last().is_some_and(|told| told.get("attemptedRevision").is_some());
    ground.until("the commit is tried", tried).await;
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_farewell_in_a_gap_between_two_renewals_is_said_later() {
    let ground = Ground::lapsed();
    let unit = ground.unit(sync(json!({})));
    let deleted = json!({"deletionTimestamp": "2026-11-24T04:17:32Z", "finalizers": ["tandemcd.io/sync"]});
    unit.mailbox.put(Trigger::Spec(Box::new(sync(json!({"metadata": deleted})))));
    let running = tokio::spawn(Box::new(unit).run());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(ground.fake.sent("PATCH", "/syncs/web").is_empty(), "nothing is sent without a permit");
    ground.permit.renew();
    assert!(timeout(LONG, running).await.is_ok(), "the finalizer is never removed");
    assert_eq!(ground.fake.sent("PATCH", "/syncs/web").len(), 1);
}

/// Also where what it depends on is not there any more: what was applied once needs no order.
#[tokio::test(start_paused = true)]
async fn what_is_lost_is_looked_at_while_a_commit_stays_refused() {
    let ground = Ground::lapsed();
    let mut unit = ground.unit(sync(json!({"spec": {"dependsOn": [{"name": "gone"}]}})));
    let id = owned(&mut unit);
    let revision = Revision { name: "main".to_owned(), commit: COMMIT.to_owned() };
    (unit.facts.accepted, unit.facts.applied) = (Some(revision.clone()), Some(revision));
    unit.refused = Some((COMMIT.to_owned(), 1));
    unit.take_sight(id, Sight { last: None, loss: Some(Loss::Shown) });
    unit.pass().await;
    assert!(!ground.fake.sent("GET", "/namespaces/shop/configmaps/a").is_empty(), "it is read");
    assert!(unit.retry_at.is_some(), "the healing failed, and is tried again");
}

/// A pass that leaves out what is fought over ends well, and the repair stays due.
#[tokio::test(start_paused = true)]
async fn a_repair_that_is_put_off_in_a_fight_is_made_when_it_is_due() {
    let ground = Ground::lapsed();
    let mut unit = ground.unit(sync(json!({})));
    let id = owned(&mut unit);
    let now = ground.world.now();
    (0..4).for_each(|_| unit.repairs.entry(id.clone()).or_default().note(now, Rival::default()));
    assert!(unit.is_put_off(&change(&id, Reason::Drifted), now), "it is fought over");
    let found = tip(COMMIT).found.expect("found");
    let target = unit.target(found, Aim::Newest).map_err(|_| ()).expect("a target");
    unit.settle(&target);
    unit.work = false;
    let rested = timeout(Duration::from_secs(60), async {
        while !unit.work {
            unit.rest().await;
        }
    });
    assert!(rested.await.is_ok(), "nothing wakes it");
    assert!(!unit.is_put_off(&change(&id, Reason::Drifted), ground.world.now()), "it may be put right");
}

/// What Git says anew is no repair, and is not put off: the revision counts as applied after this.
#[tokio::test(start_paused = true)]
async fn only_a_repair_of_what_was_applied_is_put_off_in_a_fight() {
    let ground = Ground::lapsed();
    let mut unit = ground.unit(sync(json!({})));
    let id = owned(&mut unit);
    let now = ground.world.now();
    (0..4).for_each(|_| unit.repairs.entry(id.clone()).or_default().note(now, Rival::default()));
    let new = Some(ground.world.key.digest_bytes(b"what Git says now"));
    for (reason, desired, expected) in [
        (Reason::Drifted, None, true),
        (Reason::ReplacedByOthers, None, true),
        (Reason::Missing, None, true),
        (Reason::Missing, new, false),
        (Reason::Changed, new, false),
        (Reason::TakenOver, None, false),
    ] {
        let change = Change { desired, ..change(&id, reason) };
        assert_eq!(unit.is_put_off(&change, now), expected, "{reason}");
    }
}

/// It is told as long as it lasts, and no longer: the rival may have stopped, or Git may leave the object to it.
#[tokio::test(start_paused = true)]
async fn a_fight_ends_when_it_is_quiet_or_when_the_object_is_left_alone() {
    let ground = Ground::lapsed();
    let rival = || Rival { author: "keda".to_owned(), field: Some("spec.replicas".to_owned()) };
    let fighting = || {
        let mut unit = ground.unit(sync(json!({})));
        let id = owned(&mut unit);
        (0..4).for_each(|_| unit.repairs.entry(id.clone()).or_default().note(ground.world.now(), rival()));
        unit.assess();
        let told = unit.facts.drift.fight.clone().expect("it is told");
        assert_eq!((&told.id, told.author.as_str(), told.rounds), (&id, "keda", 1));
        unit.work = false;
        (unit, id)
    };
    let over = |unit: &mut Unit| {
        unit.assess();
        unit.facts.drift.fight.is_none()
    };

    let (mut unit, _) = fighting();
    let quiet = timeout(Duration::from_secs(61), async {
        while !over(&mut unit) {
            unit.rest().await;
        }
    });
    assert!(quiet.await.is_ok(), "nothing wakes it when the fight is over");

    let (mut unit, id) = fighting();
    let mut entry = unit.ledger.owned()[&id].clone();
    entry.flags.insert(Flag::ReconcileDisabled);
    unit.ledger.set(&id, entry);
    assert!(over(&mut unit), "Git leaves it alone");

    let (mut unit, id) = fighting();
    unit.forget(&id);
    assert!(over(&mut unit), "it is not owned any more");

    let (mut unit, _) = fighting();
    unit.take_spec();
    assert!(over(&mut unit), "another spec");

    let (mut unit, _) = fighting();
    assert!(!over(&mut unit), "nothing has changed");
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_untouched_only_against_what_the_handled_one_read() {
    let ground = Ground::lapsed();
    let mut unit = ground.unit(sync(json!({})));
    let read = |id: &str| {
        let records = vec![ReadRecord { path: "deploy".to_owned(), id: Some(id.to_owned()) }];
        Arc::new(ReadSet { records })
    };
    unit.handled = Some(("b".repeat(40), 1));
    unit.read_set = Some(read("new"));
    let found = tip(COMMIT).found.expect("found");
    let target = unit.target(found, Aim::Newest).map_err(|_| ()).expect("a target");
    for (against, nothing) in [("new", true), ("old", false)] {
        let untouched = Arc::new(BTreeMap::from([(unit.key.clone(), read(against))]));
        unit.tip = Some(Arc::new(Tip { untouched, ..tip(COMMIT) }));
        assert_eq!(unit.nothing_to_do(&target), nothing, "compared with the {against} one");
    }
}

/// Nothing can be rendered here, so a pass that ends well has rendered nothing.
#[tokio::test(start_paused = true)]
async fn a_source_is_rendered_with_where_it_says_something_else_and_not_where_its_version_is_another() {
    let ground = Ground::lapsed();
    ground.permit.renew();
    let from = json!([{"kind": "ConfigMap", "name": "vars"}]);
    let mut unit = ground.unit(sync(json!({"spec": {"substitute": {"from": from}}})));
    let target = unit.target(tip(COMMIT).found.expect("found"), Aim::Newest).map_err(|_| ()).expect("a target");
    let given = unit.given(&target).await.map_err(|_| ()).expect("it is read");
    unit.inputs.end_pass();
    let reads = |ground: &Ground| ground.fake.sent("GET", "/namespaces/shop/configmaps/vars").len();
    assert_eq!(reads(&ground), 1);
    unit.handled = Some((COMMIT.to_owned(), 1));
    unit.inputs.handled = Some(given.digest);
    unit.pass().await;
    assert_eq!((reads(&ground), &unit.facts.verdict), (1, &Verdict::Applied), "nothing has changed");
    unit.inputs.stir("vars");
    unit.pass().await;
    assert_eq!((reads(&ground), &unit.facts.verdict), (2, &Verdict::Applied), "it says the same");
    unit.inputs.handled = Some(ground.world.key.digest_bytes(b"it said something else"));
    unit.inputs.stir("vars");
    unit.pass().await;
    assert_eq!(reads(&ground), 3);
    let rendered = matches!(unit.facts.verdict, Verdict::Failed { stage: Stage::Render, .. });
    assert!(rendered, "it is rendered anew: {:?}", unit.facts.verdict);
}

#[tokio::test(start_paused = true)]
async fn what_another_repository_found_is_not_taken() {
    let ground = Ground::lapsed();
    let mut unit = ground.unit(sync(json!({})));
    let late = Tip { repository: Key::new("shop", "former"), ..tip(&"b".repeat(40)) };
    unit.mailbox.put(Trigger::Tip(Arc::new(late)));
    let pending = unit.mailbox.take();
    unit.absorb(pending);
    let found = unit.tip.as_ref().and_then(|tip| tip.found.as_ref()).map(Found::commit);
    assert_eq!(found, Some(COMMIT));
}

/// Deleted and created anew between two lists: it is another Sync, though its generation is the same.
#[tokio::test(start_paused = true)]
async fn a_sync_of_another_uid_is_another_sync() {
    let ground = Ground::lapsed();
    let mut term = Term::new(ground.world.clone(), Receivers::default(), Vec::new());
    ground.world.registry.expect_no_more();
    term.sync(Event::Applied(Ok(sync(json!({})))));
    ground.until("the first is told", |ground| !ground.told().is_empty()).await;
    term.sync(Event::Applied(Ok(sync(json!({"metadata": {"uid": "u9"}, "spec": {"suspend": true}})))));
    let suspended = |ground: &Ground| ground.told().last().is_some_and(|told| told.to_string().contains("Suspended"));
    ground.until("the second is told", suspended).await;
}

/// An answer may have been lost, or a person has touched it: it is read again and written anew.
#[tokio::test(start_paused = true)]
async fn an_inventory_that_somebody_wrote_is_read_again() {
    let ground = Ground::lapsed();
    ground.permit.renew();
    let stored = json!({
        "apiVersion": "tandemcd.io/v1alpha1", "kind": "Inventory",
        "metadata": {"namespace": "shop", "name": "web-0", "uid": "i1", "resourceVersion": "7",
            "ownerReferences": [{"apiVersion": "tandemcd.io/v1alpha1", "kind": "Sync", "name": "web", "uid": "u1"}]},
        "spec": {"sync": "web", "format": 1, "entries": [{"id": "shop_b__ConfigMap", "v": "v1"}]},
    });
    let mut unit = ground.unit(sync(json!({})));
    unit.ledger = Ledger::read("u1", vec![serde_json::from_value(stored).expect("a chunk")]);
    owned(&mut unit);
    unit.unsaved = true;
    assert!(unit.save().await.is_err(), "it is refused");
    assert_eq!(ground.fake.sent("GET", "/inventories/web-0").len(), 1);
    assert!(unit.save().await.is_ok(), "it is gone: it is created");
    let created = ground.fake.sent("POST", "/inventories");
    assert_eq!(created[0]["spec"]["entries"].as_array().map(Vec::len), Some(2));
}
