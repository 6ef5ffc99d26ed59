//! What the cluster has: its kinds, and the live objects that a plan speaks of.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use serde_json::Value;

use super::ask::AT_ONCE;
use super::subject::Subject;
use crate::cli::output::Progress;
use crate::cluster::{Cluster, ClusterError, apply};
use crate::inventory::Owned;
use crate::object::{DigestKey, ObjectId, Origin, Problem, split_api_version};
use crate::plan::{Desired, Live, Observed, Scope, Scopes, see, yields_of};

/// Live objects as they were read; what is not there is missing.
pub type Lives = BTreeMap<ObjectId, Value>;

/// The kinds that the cluster serves, in every version.
pub async fn scopes(cluster: &Cluster) -> Result<Scopes, ClusterError> {
    let snapshot = cluster.kinds().snapshot(&cluster.own()).await?;
    let mut scopes = Scopes::default();
    for kind in snapshot.all().flat_map(|kind| snapshot.versions(&kind.group, &kind.kind)) {
        let scope = if kind.namespaced { Scope::Namespaced } else { Scope::Cluster };
        scopes.insert(&kind.group, &kind.version, &kind.kind, &kind.plural, scope);
    }
    snapshot.stale.iter().for_each(|group| scopes.mark_unreadable(group));
    Ok(scopes)
}

/// Reads every object that is desired or owned. What may not be read is a problem of that object.
pub async fn read(
    cluster: &Cluster,
    desired: &[Desired],
    owned: &Owned,
    progress: &Progress,
) -> Result<(Lives, Vec<Problem>), ClusterError> {
    let mut wanted: BTreeMap<ObjectId, (String, Option<&Origin>)> = BTreeMap::new();
    for (id, entry) in owned {
        wanted.insert(id.clone(), (entry.version.clone(), None));
    }
    for object in desired {
        let version = split_api_version(&object.manifest.api_version).1.to_owned();
        wanted.insert(object.id().clone(), (version, Some(&object.manifest.origin)));
    }
    let all = wanted.len();
    let mut answers = stream::iter(wanted)
        .map(|(id, (version, origin))| async move {
            let answer = get(cluster, &id, &version).await;
            (id, origin, answer)
        })
        .buffered(AT_ONCE);
    let (mut lives, mut problems, mut done) = (Lives::new(), Vec::new(), 0);
    while let Some((id, origin, answer)) = answers.next().await {
        match answer {
            Ok(Some(object)) => {
                lives.insert(id, object);
            }
            Ok(None) => {}
            Err(ClusterError::Refused(refusal)) => {
                let problem = Problem::new(refusal.reason(), refusal.message.clone()).of(&id);
                let problem = Problem { hint: refusal.hint(), ..problem };
                problems.push(origin.map_or(problem.clone(), |origin| problem.at(origin)));
            }
            Err(error) => return Err(error),
        }
        done += 1;
        progress.count("reading objects", done, all);
    }
    Ok((lives, problems))
}

/// One object; `None` also where its kind is not served.
async fn get(cluster: &Cluster, id: &ObjectId, version: &str) -> Result<Option<Value>, ClusterError> {
    let session = cluster.own();
    let snapshot = cluster.kinds().snapshot(&session).await?;
    let kind = snapshot.get(&id.group, version, &id.kind).or_else(|| snapshot.preferred(&id.group, &id.kind));
    match kind {
        Some(kind) => apply::get(&session, kind, &id.namespace, &id.name).await,
        None => Ok(None),
    }
}

/// What plans see of the live objects: each was read, so what is missing is absent.
pub fn observe(lives: &Lives, desired: &[Desired], subject: &Subject, key: &DigestKey) -> Observed {
    let mut observed = Observed::new();
    for (id, entry) in &subject.owned {
        let yields = yields_of(id, &subject.rules.ignore, Some(entry));
        observed.insert(id.clone(), as_seen(lives.get(id), |live| see(live, key, &yields, &subject.managers)));
    }
    for object in desired {
        let seen = as_seen(lives.get(object.id()), |live| see(live, key, &object.yields, &subject.managers));
        observed.insert(object.id().clone(), seen);
    }
    observed
}

fn as_seen(live: Option<&Value>, see: impl FnOnce(&Value) -> Option<crate::plan::Seen>) -> Live {
    live.and_then(see).map_or(Live::Absent, Live::Present)
}
