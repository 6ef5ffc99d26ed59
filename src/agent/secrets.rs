//! Secrets that are read as an account and followed by watch, so that a new value is believed at once and costs no
//! request before that. Where the account may only get them, they are read again at every turn.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::SourceKind;
use crate::cluster::Session;
use crate::cluster::observe::{self, Event, Selector};
use crate::cluster::own::kind_info;

/// `metadata.resourceVersion` of Secrets by name; none of one that is not there.
pub type Versions = BTreeMap<String, Option<String>>;

/// Secrets of one namespace that are followed. Dropping it ends the watches. Only metadata comes by them.
pub struct Followed {
    seen: watch::Receiver<BTreeMap<String, Sight>>,
    tasks: Vec<JoinHandle<()>>,
}

/// What a watch knows of its Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sight {
    /// Nothing: it has not begun, or it may not.
    Dark,
    /// This version.
    Version(String),
    /// It is not there.
    Absent,
}

impl Followed {
    /// Begins to follow these Secrets.
    pub fn start(session: &Session, namespace: &str, names: &BTreeSet<String>) -> Self {
        let (tell, seen) = watch::channel(names.iter().map(|name| (name.clone(), Sight::Dark)).collect());
        let follow =
            |name: &String| tokio::spawn(follow(session.clone(), namespace.to_owned(), name.clone(), tell.clone()));
        Self { tasks: names.iter().map(follow).collect(), seen }
    }

    /// To be called before the Secrets are read: what happens from now on may have come too late for that.
    pub fn mark(&mut self) {
        self.seen.borrow_and_update();
    }

    /// Waits until a watch has shown, since [`Followed::mark`], that this is not what is there.
    pub async fn differs(&mut self, read: &Versions) {
        loop {
            if self.seen.changed().await.is_err() {
                // No watch tells anything any more.
                return std::future::pending().await;
            }
            let seen = self.seen.borrow_and_update();
            if seen.iter().any(|(name, sight)| *sight != Sight::Dark && *sight != Sight::of(read.get(name))) {
                return;
            }
        }
    }

    /// Whether the watches show that this is what is there.
    pub fn vouches(&self, read: &Versions) -> bool {
        self.seen.borrow().iter().all(|(name, sight)| read.contains_key(name) && *sight == Sight::of(read.get(name)))
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Sight {
    fn of(read: Option<&Option<String>>) -> Self {
        match read {
            Some(Some(version)) => Self::Version(version.clone()),
            Some(None) | None => Self::Absent,
        }
    }
}

async fn follow(session: Session, namespace: String, name: String, tell: watch::Sender<BTreeMap<String, Sight>>) {
    let selector = Selector::name(&name).metadata_only();
    let mut events = observe::watch(&session, &kind_info(SourceKind::Secret), &namespace, &selector).boxed();
    let mut listed = Sight::Absent;
    while let Some(event) = events.next().await {
        let sight = match event {
            Event::ListBegan => {
                listed = Sight::Absent;
                continue;
            }
            Event::Listed(secret) => {
                listed = version(&secret);
                continue;
            }
            Event::ListEnded => listed.clone(),
            Event::Applied(secret) => version(&secret),
            Event::Deleted(_) => Sight::Absent,
            Event::Failing(error) => {
                tracing::debug!(namespace, secret = name, %error, "watch");
                Sight::Dark
            }
        };
        tell.send_modify(|seen| {
            seen.insert(name.clone(), sight);
        });
    }
}

fn version(secret: &Value) -> Sight {
    match secret.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
        Some(version) => Sight::Version(version.to_owned()),
        None => Sight::Dark,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(names: &[&str]) -> (watch::Sender<BTreeMap<String, Sight>>, Followed) {
        let (tell, seen) = watch::channel(names.iter().map(|name| ((*name).to_owned(), Sight::Dark)).collect());
        (tell, Followed { seen, tasks: Vec::new() })
    }

    fn versions(of: &[(&str, Option<&str>)]) -> Versions {
        of.iter().map(|(name, version)| ((*name).to_owned(), version.map(str::to_owned))).collect()
    }

    fn show(tell: &watch::Sender<BTreeMap<String, Sight>>, name: &str, sight: Sight) {
        tell.send_modify(|seen| {
            seen.insert(name.to_owned(), sight);
        });
    }

    fn at(version: &str) -> Sight {
        Sight::Version(version.to_owned())
    }

    /// Whether it is told by now that something else is there.
    async fn told(followed: &mut Followed, read: &Versions) -> bool {
        let soon = std::time::Duration::from_secs(1);
        tokio::time::timeout(soon, followed.differs(read)).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_is_vouched_for_once_every_watch_shows_it_and_what_differs_is_told() {
        let (tell, mut followed) = followed(&["git", "ca"]);
        let read = versions(&[("git", Some("7")), ("ca", None)]);
        followed.mark();
        assert!(!followed.vouches(&read), "no watch has begun");
        show(&tell, "git", at("7"));
        assert!(!followed.vouches(&read), "one has not");
        show(&tell, "ca", Sight::Absent);
        assert!(followed.vouches(&read));
        assert!(!told(&mut followed, &read).await, "the first sight shows what was read");
        show(&tell, "git", at("8"));
        assert!(!followed.vouches(&read));
        assert!(told(&mut followed, &read).await);
        followed.mark();
        assert!(!told(&mut followed, &read).await, "it is told once");
        show(&tell, "git", Sight::Dark);
        assert!(!told(&mut followed, &read).await, "what is not seen is no news");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_it_is_read_is_not_missed_and_a_watch_that_is_late_is_waited_for() {
        let (tell, mut followed) = followed(&["git"]);
        show(&tell, "git", at("7"));
        followed.mark();
        // Read as 7, and changed before that was put to use.
        show(&tell, "git", at("8"));
        assert!(told(&mut followed, &versions(&[("git", Some("7"))])).await);
        // Read as 9, which the watch has yet to show.
        followed.mark();
        let read = versions(&[("git", Some("9"))]);
        assert!(!told(&mut followed, &read).await && !followed.vouches(&read));
        show(&tell, "git", at("9"));
        assert!(!told(&mut followed, &read).await && followed.vouches(&read));
    }
}
