//! Leases against a server that slows down, breaks, and lets others write.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tandem::cluster::lease::{Election, LeaseOptions, contend};
use tandem::cluster::{ClusterError, WritePermit};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Fake, Reply, Seen, status};

/// One Lease, kept as the API server keeps it.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lease: Option<Value>,
    version: u64,
    /// Whom the server does not hear any more, by User-Agent.
    deaf_to: Vec<String>,
}

impl Store {
    fn fake(&self) -> Fake {
        let store = self.clone();
        Fake::ruled(move |seen| store.answer(seen))
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let mut state = self.0.lock().expect("not poisoned");
        let agent = seen.headers["user-agent"].to_str().expect("text");
        if state.deaf_to.iter().any(|deaf| agent.contains(deaf.as_str())) {
            return Reply::Silence;
        }
        match (seen.method.as_str(), &state.lease) {
            ("GET", Some(lease)) => Reply::Json(200, lease.clone()),
            ("GET" | "PUT", None) => {
                status(404, "NotFound", "leases \"tandem-0\" not found", json!({"kind": "leases", "name": "tandem-0"}))
            }
            ("POST", Some(_)) => status(409, "AlreadyExists", "leases \"tandem-0\" already exists", json!({})),
            ("PUT", Some(lease))
                if lease["metadata"]["resourceVersion"] != seen.body["metadata"]["resourceVersion"] =>
            {
                status(409, "Conflict", "the object has been modified", json!({}))
            }
            _ => {
                state.version += 1;
                let mut lease = seen.body.clone();
                lease["metadata"]["resourceVersion"] = json!(state.version.to_string());
                state.lease = Some(lease.clone());
                Reply::Json(200, lease)
            }
        }
    }

    fn holder(&self) -> String {
        let state = self.0.lock().expect("not poisoned");
        state.lease.as_ref().and_then(|l| l["spec"]["holderIdentity"].as_str()).unwrap_or_default().to_owned()
    }

    fn deafen(&self, who: &str) {
        self.0.lock().expect("not poisoned").deaf_to.push(who.to_owned());
    }

    fn meddle(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.0.lock().expect("not poisoned");
        state.version += 1;
        let version = state.version.to_string();
        let lease = state.lease.as_mut().expect("a lease");
        change(lease);
        lease["metadata"]["resourceVersion"] = json!(version);
    }
}

struct Contender {
    told: watch::Receiver<Election>,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

fn contender(store: &Store, me: &str) -> Contender {
    let options = super::ConnectOptions { cluster: me.to_owned(), ..Default::default() };
    let session = store.fake().cluster_with(options).own();
    let stop = CancellationToken::new();
    let (told, ended) = contend(session, LeaseOptions::new("tandem", "tandem-0", "0", me), stop.clone());
    Contender { told, stop, ended }
}

async fn leads(contender: &mut Contender) -> WritePermit {
    let election = timeout(Duration::from_secs(120), contender.told.wait_for(|e| e.leading))
        .await
        .expect("in time")
        .expect("told");
    election.permit.clone().expect("a permit")
}

/// A permit of a holder that the server stops hearing; and the way to stop it.
pub async fn permit_to_be_cut() -> (WritePermit, impl FnOnce()) {
    let store = Store::default();
    let mut only = contender(&store, "only");
    (leads(&mut only).await, move || store.deafen("only"))
}

/// A permit whose lease was given back.
pub async fn dead_permit() -> WritePermit {
    let mut only = contender(&Store::default(), "only");
    let permit = leads(&mut only).await;
    only.stop.cancel();
    only.ended.await.expect("ends");
    permit
}

#[tokio::test(start_paused = true)]
async fn one_leads_for_as_long_as_it_renews() {
    let store = Store::default();
    let mut a = contender(&store, "a");
    let permit = leads(&mut a).await;
    let b = contender(&store, "b");
    for _ in 0..120 {
        sleep(Duration::from_secs(1)).await;
        assert!(permit.valid());
        assert!(!b.told.borrow().leading);
    }
    assert_eq!((store.holder(), b.told.borrow().holder.clone()), ("a".into(), "a".into()));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_cut_off_stops_before_another_begins() {
    let store = Store::default();
    let mut a = contender(&store, "a");
    let permit = leads(&mut a).await;
    let mut b = contender(&store, "b");
    sleep(Duration::from_secs(20)).await;
    store.deafen("(a)");
    let cut = Instant::now();
    let watched = permit.clone();
    let ended = tokio::spawn(async move {
        while watched.valid() {
            sleep(Duration::from_millis(10)).await;
        }
        Instant::now()
    });
    let second = leads(&mut b).await;
    let began = Instant::now();
    let ended = ended.await.expect("ended");
    assert!(ended - cut <= Duration::from_secs(10), "{:?}", ended - cut);
    assert!(began - ended >= Duration::from_secs(3), "only {:?} between them", began - ended);
    assert!(began - cut <= Duration::from_secs(20), "{:?}", began - cut);
    assert_eq!(second.transitions(), permit.transitions() + 1);
    assert!(!a.told.borrow().leading);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_leaves_is_followed_at_once() {
    let store = Store::default();
    let mut a = contender(&store, "a");
    leads(&mut a).await;
    let mut b = contender(&store, "b");
    sleep(Duration::from_secs(5)).await;
    a.stop.cancel();
    a.ended.await.expect("ends");
    let left = Instant::now();
    leads(&mut b).await;
    assert!(left.elapsed() <= Duration::from_secs(3), "{:?}", left.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_lease_was_written_by_another_has_lost_it() {
    let store = Store::default();
    let mut a = contender(&store, "a");
    let permit = leads(&mut a).await;
    store.meddle(|lease| lease["spec"]["holderIdentity"] = json!("intruder"));
    sleep(Duration::from_secs(3)).await;
    assert!(!permit.valid());
    assert_eq!(store.holder(), "intruder", "what another holds is not taken back");
    // The intruder never renews: its silence frees the lease.
    let again = leads(&mut a).await;
    assert!(again.transitions() > permit.transitions());
    assert!(!permit.valid(), "an old permit stays dead");
}

#[tokio::test(start_paused = true)]
async fn a_note_on_the_lease_does_not_cost_it() {
    let store = Store::default();
    let mut a = contender(&store, "a");
    let permit = leads(&mut a).await;
    for _ in 0..5 {
        store.meddle(|lease| lease["metadata"]["annotations"] = json!({"note": "seen"}));
        sleep(Duration::from_secs(7)).await;
        assert!(permit.valid());
    }
}

#[tokio::test(start_paused = true)]
async fn the_heir_of_a_dead_process_does_not_wait() {
    let store = Store::default();
    let options = |nonce: &str, lineage: &str| LeaseOptions {
        lineage: lineage.into(),
        ..LeaseOptions::new("tandem", "tandem-0", "0", &format!("pod-uid_{nonce}"))
    };
    let (mut first, dies) = contend(store.fake().cluster().own(), options("1", "pod-uid"), CancellationToken::new());
    first.wait_for(|e| e.leading).await.expect("told");
    dies.abort();
    let began = Instant::now();
    let (mut heir, _runs) = contend(store.fake().cluster().own(), options("2", "pod-uid"), CancellationToken::new());
    heir.wait_for(|e| e.leading).await.expect("told");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_strange_lease_is_taken_and_a_deleted_one_made_anew() {
    let store = Store::default();
    let mut a = contender(&store, "a");
    leads(&mut a).await;
    store.meddle(|lease| lease["spec"] = json!({"leaseDurationSeconds": -3, "holderIdentity": 7}));
    sleep(Duration::from_secs(5)).await;
    leads(&mut a).await;
    store.0.lock().expect("not poisoned").lease = None;
    sleep(Duration::from_secs(5)).await;
    assert!(leads(&mut a).await.valid());
    assert_eq!(store.holder(), "a");
}

#[tokio::test(start_paused = true)]
async fn in_shadow_a_leader_has_no_permit() {
    let store = Store::default();
    let options = LeaseOptions { mode: tandem::api::Mode::Shadow, ..LeaseOptions::new("tandem", "tandem-0", "0", "a") };
    let (mut told, _ended) = contend(store.fake().cluster().own(), options, CancellationToken::new());
    let election = told.wait_for(|e| e.leading).await.expect("told").clone();
    assert!(election.permit.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_dead_permit_says_so_in_the_error() {
    let error = ClusterError::PermitExpired {
        what: "apply ConfigMap/shop/a".into(),
        shard: dead_permit().await.shard().into(),
    };
    assert_eq!(error.to_string(), "apply ConfigMap/shop/a: not sent, because the lease of shard 0 is no longer ours");
}
