//! Events wait here until they are written: one at a time, behind the objects that they tell of.
//! They are help, not record, so a run never waits for them.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::cluster::own::{Events, News, NewsType};
use crate::report::event::{Event, EventType};

use super::passes::Passes;
use super::tip::Key;

/// News that may wait; more are dropped, and logged.
const WAITING: usize = 4_096;
/// While passes are under way, an Event waits so long at most.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often it looks whether they have ended.
const LOOK: Duration = Duration::from_millis(25);

/// Where news are put down.
pub struct NewsDesk {
    waiting: mpsc::Sender<News>,
}

/// Who writes them.
pub struct Writer {
    waiting: mpsc::Receiver<News>,
}

/// A desk with its writer.
pub fn desk() -> (NewsDesk, Writer) {
    let (put, waiting) = mpsc::channel(WAITING);
    (NewsDesk { waiting: put }, Writer { waiting })
}

impl NewsDesk {
    /// Puts an Event about a Sync or a Repository down; it is written soon.
    pub fn tell(&self, kind: &str, key: &Key, uid: &str, event: &Event) {
        self.put(News {
            api_version: format!("{}/{}", crate::api::GROUP, crate::api::VERSION),
            kind: kind.to_owned(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            uid: uid.to_owned(),
            type_: match event.type_ {
                EventType::Normal => NewsType::Normal,
                EventType::Warning => NewsType::Warning,
            },
            reason: event.reason.as_str().to_owned(),
            action: event.action.to_owned(),
            note: event.message.clone(),
            subject: event.about.clone(),
            annotations: event.annotations.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        });
    }

    fn put(&self, news: News) {
        if let Err(error) = self.waiting.try_send(news) {
            let news = match error {
                mpsc::error::TrySendError::Full(news) | mpsc::error::TrySendError::Closed(news) => news,
            };
            tracing::debug!(namespace = %news.namespace, name = %news.name, reason = %news.reason, "an Event is dropped");
        }
    }
}

impl Writer {
    /// Writes news as they come, in their order, rather where no pass is under way. It ends when the desk is gone.
    pub async fn write(mut self, events: &Events, passes: &Passes) {
        while let Some(news) = self.waiting.recv().await {
            let mut waited = Duration::ZERO;
            while passes.busy() && waited < PATIENCE {
                tokio::time::sleep(LOOK).await;
                waited += LOOK;
            }
            if let Err(error) = events.tell(&news).await {
                tracing::debug!(namespace = %news.namespace, name = %news.name, %error, "an Event cannot be written");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn news(name: &str) -> News {
        News {
            api_version: "v1".into(),
            kind: "Sync".into(),
            namespace: "shop".into(),
            name: name.into(),
            uid: String::new(),
            type_: NewsType::Normal,
            reason: "Applied".into(),
            action: "Apply".into(),
            note: String::new(),
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    #[test]
    fn a_desk_that_is_full_drops_the_newest_and_waits_for_nobody() {
        let (desk, mut writer) = desk();
        (0..=WAITING).for_each(|at| desk.put(news(&at.to_string())));
        let mut kept = 0;
        while let Ok(one) = writer.waiting.try_recv() {
            assert_eq!(one.name, kept.to_string());
            kept += 1;
        }
        assert_eq!(kept, WAITING);
    }
}
