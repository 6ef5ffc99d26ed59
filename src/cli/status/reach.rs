//! Which Syncs have a commit. A commit that changes nothing for a Sync leaves no trace in its
//! status; the clone at hand tells whether that is so.

use std::path::Path;

use kube::ResourceExt;
use serde::Serialize;

use crate::api::{ConditionStatus, ConditionType, Repository, Sync, SyncStatus};
use crate::cli::clone::{Clone, Standing};
use crate::cli::output::{Cell, Output, Tone, table};
use crate::cli::target::{Target, TargetKind};
use crate::cli::{Exit, Stop, connection, words};
use crate::cluster::Cluster;
use crate::revision::Revision;

/// Whether a Sync has a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Has {
    Yes,
    No,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Reach {
    sync: String,
    has: Has,
    why: String,
}

/// What the clone at hand knows.
struct Known<'a> {
    commit: &'a str,
    clone: &'a Clone,
}

/// Tells of each Sync whether it has the commit that `text` names.
pub async fn run(text: &str, cluster: &Cluster, syncs: &[Sync], output: &Output) -> Result<Exit, Stop> {
    let clone = Clone::around(Path::new("."))?;
    let commit = clone.commit(text)?;
    let mut told = Vec::new();
    for sync in syncs {
        let namespace = sync.namespace().unwrap_or_default();
        let target = Target {
            kind: TargetKind::Repository,
            namespace: sync.spec.repository_ref.namespace.clone(),
            name: sync.spec.repository_ref.name.clone(),
        };
        // A Repository that is missing or may not be read leaves the Sync's own word.
        let repository = connection::find::<Repository>(cluster, &namespace, &target).await.ok();
        let fetched = repository.and_then(|repository| repository.status?.revision);
        let (has, why) = reach(sync, fetched.as_deref(), &Known { commit: &commit, clone: &clone });
        told.push(Reach { sync: format!("{namespace}/{}", sync.name_any()), has, why });
    }
    output.result(&told, |told, paint| {
        let rows: Vec<_> = told.iter().map(row).collect();
        table(&["SYNC", &format!("HAS {}", &commit[..8]), "WHY"], &rows, paint)
    })?;
    Ok(if told.iter().all(|reach| reach.has == Has::Yes) { Exit::Nothing } else { Exit::Differences })
}

fn row(reach: &Reach) -> Vec<Cell> {
    let (tone, has) = match reach.has {
        Has::Yes => (Tone::Good, "yes"),
        Has::No => (Tone::Bad, "no"),
        Has::Unknown => (Tone::Fair, "unknown"),
    };
    vec![Cell::new(&reach.sync), Cell::toned(tone, has), Cell::new(&reach.why)]
}

fn reach(sync: &Sync, fetched: Option<&str>, known: &Known<'_>) -> (Has, String) {
    let status = sync.status.clone().unwrap_or_default();
    let commit_of = |text: &Option<String>| text.as_deref().and_then(Revision::parse).map(|revision| revision.commit);
    if let Some(applied) = commit_of(&status.applied_revision) {
        let short = &applied[..8];
        match known.clone.standing(known.commit, &applied) {
            Standing::Contained if applied == known.commit => return (Has::Yes, "applied".to_owned()),
            Standing::Contained => return (Has::Yes, format!("the newer {short} is applied")),
            Standing::NotContained | Standing::Unknown => {}
        }
        let path = &sync.spec.path;
        let ids = (known.clone.tree_id(known.commit, path), known.clone.tree_id(&applied, path));
        if let (Some(wanted), Some(has)) = &ids
            && wanted == has
        {
            return (Has::Yes, format!("nothing differs from the applied {short} for it"));
        }
    }
    if commit_of(&status.attempted_revision).as_deref() == Some(known.commit) {
        return (Has::No, tried(&status));
    }
    let fetched = fetched.and_then(Revision::parse);
    match fetched {
        None => (Has::No, "its Repository has fetched nothing".to_owned()),
        Some(fetched) => match known.clone.standing(known.commit, &fetched.commit) {
            Standing::Contained => {
                (Has::No, format!("{} is fetched and not applied: {}", fetched.short(), tried(&status)))
            }
            Standing::NotContained => {
                (Has::No, format!("its Repository is at {}, which does not contain it", fetched.short()))
            }
            Standing::Unknown => {
                (Has::Unknown, format!("no clone here tells how it stands to {}, the newest fetched", fetched.short()))
            }
        },
    }
}

/// Why what was tried is not applied.
fn tried(status: &SyncStatus) -> String {
    let true_one =
        |kind| words::condition(&status.conditions, kind).filter(|condition| condition.status == ConditionStatus::True);
    let held = true_one(ConditionType::Held).or_else(|| true_one(ConditionType::Reconciling));
    match held.or_else(|| words::condition(&status.conditions, ConditionType::Ready)) {
        Some(condition) if condition.message.is_empty() => condition.reason.clone(),
        Some(condition) => format!("{}: {}", condition.reason, condition.message),
        None => "no agent has looked at it yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A clone with three commits, of which the second changes `web` and the third `docs`.
    fn clone() -> (tempfile::TempDir, Clone, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let repository = git2::Repository::init(folder.path()).expect("init");
        let author = git2::Signature::new("a", "a@example.com", &git2::Time::new(0, 0)).expect("a signature");
        let mut commits: Vec<String> = Vec::new();
        for (file, content) in [("web/a.yaml", "1"), ("web/a.yaml", "2"), ("docs/x.md", "3")] {
            fs::create_dir_all(folder.path().join(file).parent().expect("a parent")).expect("folders");
            fs::write(folder.path().join(file), content).expect("write");
            let mut index = repository.index().expect("index");
            index.add_path(Path::new(file)).expect("add");
            let tree = repository.find_tree(index.write_tree().expect("tree")).expect("tree");
            let parent = commits.last().map(|id| repository.find_commit(id.parse().expect("an id")).expect("a parent"));
            let parents: Vec<_> = parent.iter().collect();
            let id = repository.commit(Some("HEAD"), &author, &author, "m", &tree, &parents).expect("commit");
            commits.push(id.to_string());
        }
        let clone = Clone::around(folder.path()).expect("opens");
        (folder, clone, commits)
    }

    fn sync(applied: Option<&str>, attempted: Option<&str>, ready: &str) -> Sync {
        let mut sync: Sync = serde_yaml::from_str(&format!(
            "
apiVersion: tandemcd.io/v1alpha1
kind: Sync
metadata: {{name: web, namespace: shop}}
spec: {{repositoryRef: {{name: app}}, path: web}}
status:
  conditions:
  - {{type: Ready, status: 'False', reason: {ready}, message: '', observedGeneration: 1, lastTransitionTime: 2026-01-10T11:58:30Z}}
"
        ))
        .expect("a valid fixture");
        let status = sync.status.as_mut().expect("a status");
        status.applied_revision = applied.map(|commit| format!("main@sha1:{commit}"));
        status.attempted_revision = attempted.map(|commit| format!("main@sha1:{commit}"));
        sync
    }

    #[test]
    fn a_commit_is_there_when_it_is_applied_contained_or_changes_nothing() {
        let (_folder, clone, commits) = clone();
        let [first, second, third] = [&commits[0], &commits[1], &commits[2]].map(String::as_str);
        let elsewhere = "0123456789abcdef0123456789abcdef01234567";
        let none = Clone::around(tempfile::tempdir().expect("a folder").path()).expect("no clone");
        for (commit, applied, attempted, fetched, clone, has, why) in [
            (second, Some(second), None, Some(second), &clone, Has::Yes, "applied"),
            (first, Some(second), None, Some(second), &clone, Has::Yes, "the newer"),
            (third, Some(second), None, Some(third), &clone, Has::Yes, "nothing differs"),
            (second, Some(first), Some(second), Some(second), &clone, Has::No, "Refused"),
            (second, Some(first), None, Some(third), &clone, Has::No, "is fetched and not applied"),
            (second, Some(first), None, Some(first), &clone, Has::No, "does not contain it"),
            (second, None, None, None, &clone, Has::No, "fetched nothing"),
            (elsewhere, Some(first), None, Some(first), &none, Has::Unknown, "no clone here"),
            (first, Some(first), None, None, &none, Has::Yes, "applied"),
        ] {
            let fetched = fetched.map(|commit| format!("main@sha1:{commit}"));
            let told = reach(&sync(applied, attempted, "Refused"), fetched.as_deref(), &Known { commit, clone });
            assert_eq!(told.0, has, "{why}: {}", told.1);
            assert!(told.1.contains(why), "{why:?} is not in {:?}", told.1);
        }
    }

    #[test]
    fn commits_are_named_as_git_names_them() {
        let (_folder, clone, commits) = clone();
        for text in ["HEAD~1", &commits[1], &commits[1][..10], &format!("main@sha1:{}", commits[1])] {
            assert_eq!(clone.commit(text).expect("a commit"), commits[1], "{text}");
        }
        assert_eq!(clone.commit("nonsense").expect_err("none").reason(), "NoSuchCommit");
        let none = Clone::around(tempfile::tempdir().expect("a folder").path()).expect("no clone");
        assert_eq!(none.commit(&commits[0]).expect("whole"), commits[0]);
        assert!(none.commit("HEAD").is_err());
    }

    use crate::failure::Failure;
}
