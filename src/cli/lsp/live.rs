//! Values in the cluster, for hovers: asked when somebody looks, with little patience, and never again for a
//! while where nobody answers.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::args::Global;
use crate::cli::connection;
use crate::cluster::{Cluster, ClusterError, apply};
use crate::object::{Manifest, split_api_version};

/// How long a hover waits for the cluster.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long a cluster that did not answer is left alone.
const REST: Duration = Duration::from_secs(30);

/// The cluster of a context.
pub struct Live {
    global: Global,
    runtime: tokio::runtime::Runtime,
    state: Mutex<State>,
}

enum State {
    Untried,
    Open(Cluster),
    Silent(Instant, String),
}

/// What the cluster says of an object.
#[derive(Debug)]
pub enum Answer {
    /// As it is there.
    Object(Box<Value>),
    /// It is not there.
    Absent,
    /// It cannot be said, and why.
    Unknown(String),
}

impl Live {
    /// The cluster that the flags name; nothing is asked yet.
    pub fn new(global: Global) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self { global, runtime, state: Mutex::new(State::Untried) })
    }

    /// The object of a manifest, in this namespace where it names none.
    pub fn get(&self, manifest: &Manifest, namespace: Option<&str>) -> Answer {
        let cluster = match self.state.lock().as_deref() {
            Ok(State::Open(cluster)) => Some(cluster.clone()),
            Ok(State::Silent(since, why)) if since.elapsed() < REST => return Answer::Unknown(why.clone()),
            _ => None,
        };
        let asked = async {
            let cluster = match cluster {
                Some(cluster) => cluster,
                None => connection::open(&self.global).await.map_err(|stop| stop.to_string())?,
            };
            let answer = look(&cluster, manifest, namespace).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((cluster, answer))
        };
        let answered = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await });
        let (state, answer) = match answered {
            Ok(Ok((cluster, answer))) => (State::Open(cluster), answer),
            Ok(Err(why)) => (State::Silent(Instant::now(), why.clone()), Answer::Unknown(why)),
            Err(_) => {
                let why = format!("the cluster did not answer within {} ms", PATIENCE.as_millis());
                (State::Silent(Instant::now(), why.clone()), Answer::Unknown(why))
            }
        };
        if let Ok(mut known) = self.state.lock() {
            *known = state;
        }
        answer
    }
}

async fn look(cluster: &Cluster, manifest: &Manifest, namespace: Option<&str>) -> Result<Answer, ClusterError> {
    let session = cluster.own();
    let id = &manifest.id;
    let version = split_api_version(&manifest.api_version).1;
    let kind = match cluster.kinds().preferred(&session, &id.group, &id.kind).await {
        Ok(preferred) => {
            let snapshot = cluster.kinds().snapshot(&session).await?;
            snapshot.get(&id.group, version, &id.kind).cloned().unwrap_or(preferred)
        }
        Err(ClusterError::NoSuchKind { .. }) => return Ok(Answer::Absent),
        Err(error) => return Err(error),
    };
    let namespace = match id.namespace.as_str() {
        "" => namespace.unwrap_or(cluster.default_namespace()),
        namespace => namespace,
    };
    Ok(match apply::get(&session, &kind, namespace, &id.name).await {
        Ok(Some(object)) => Answer::Object(Box::new(object)),
        Ok(None) => Answer::Absent,
        // Who may not read one kind may read another.
        Err(ClusterError::Refused(refusal)) => Answer::Unknown(refusal.to_string()),
        Err(error) => return Err(error),
    })
}
