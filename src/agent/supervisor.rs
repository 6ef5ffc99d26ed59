//! Tasks that panic are begun anew: a panic is a defect, and costs what it struck a pause instead of everything until the
//! next start of the agent.
//!
//! What a task knew may be half of something, so it is dropped, and the next life reads all of it again. Each panic in a row
//! doubles the pause before that.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::failure::{Failed, Fault};
use crate::report::metrics::{Metrics, Task};

use super::backoff;
use super::tip::Key;
use super::world::random;

/// A life that lasted so long owes nothing to the panics before it.
const SOUND: Duration = backoff::LONGEST;
/// So long the pause is kept up by the telling of a panic at most.
const TELLING: Duration = Duration::from_secs(30);
/// Characters of a panic's message that the log has.
const MESSAGE: usize = 1000;

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was caught. What it said can hold what the task worked on: it stands in the log alone ([`log_panics`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// File and line, where the hook has seen it.
    pub place: Option<String>,
}

impl Panic {
    /// As whoever reads a status is told: where, and not what it said.
    pub fn failed(&self) -> Failed {
        Failed::new("Internal", Fault::Internal, format!("{self}; it begins anew after a pause"))
            .with_hint("this is a defect of Tandem: please report it, with what the agent's log says of it")
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the agent's task panicked")?;
        self.place.as_ref().map_or(Ok(()), |place| write!(f, " at {place}"))
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let said = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    said.unwrap_or("it said nothing").chars().take(MESSAGE).collect()
}

/// From now on the log tells every panic of this process, with its place, whoever catches it.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, message = message_of(info.payload()), "panicked");
        PLACE.set(Some(place));
    }));
}

/// What lives in a task, more than once where it must.
pub trait Life: Send {
    /// From its beginning to its end, with nothing of a former life.
    fn live(&mut self) -> BoxFuture<'_, ()>;

    /// Tells those whom it concerns that a life ended like this.
    fn mourn<'a>(&'a mut self, panic: &'a Panic) -> BoxFuture<'a, ()>;
}

/// Reads what a next life begins with, again and again until that is told.
pub async fn read_anew<'a, T>(task: Task, key: &Key, read: impl Fn() -> BoxFuture<'a, Result<T, Failed>>) -> T {
    let mut failures = 0;
    loop {
        let failed = match read().await {
            Ok(found) => return found,
            Err(failed) => failed,
        };
        failures += 1;
        tracing::warn!(task = task.as_str(), %key, reason = %failed.reason, error = %failed, "it cannot be read anew yet");
        tokio::time::sleep(backoff::retry(failed.fault, failures, random())).await;
    }
}

/// Lives until it ends by itself.
pub async fn supervise(task: Task, key: Key, metrics: &Metrics, mut life: impl Life) {
    let mut panics = 0;
    loop {
        let began = Instant::now();
        let Err(panic) = caught(life.live()).await else { return };
        panics = if began.elapsed() >= SOUND { 1 } else { panics + 1 };
        let pause = backoff::retry(Fault::Internal, panics, random());
        let until = Instant::now() + pause;
        metrics.panicked(task);
        tracing::error!(
            task = task.as_str(),
            %key,
            place = panic.place,
            in_a_row = panics,
            seconds = pause.as_secs(),
            "its task panicked, and begins anew after a pause: a defect"
        );
        // What cannot even be told is in the log.
        let told = tokio::time::timeout(pause.max(TELLING), life.mourn(&panic));
        if caught(told).await.is_err() {
            tracing::error!(task = task.as_str(), %key, "telling of the panic panicked too");
        }
        tokio::time::sleep_until(until).await;
    }
}

async fn caught<T>(life: impl Future<Output = T>) -> Result<T, Panic> {
    // What it held goes with it: the next life shares nothing with it but what locks guard, and those are never left half-way
    // by what could panic under them.
    AssertUnwindSafe(life).catch_unwind().await.map_err(|_| Panic { place: PLACE.take() })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::report::metrics::Build;

    /// What happened, and how long after the beginning.
    type Book = Arc<Mutex<Vec<(String, Duration)>>>;

    /// Lives so often with a panic, then without.
    struct Frail {
        began: Instant,
        book: Book,
        panics: u32,
        lasts: Duration,
        speechless: bool,
    }

    impl Frail {
        fn note(&self, what: &str) {
            self.book.lock().expect("not poisoned").push((what.to_owned(), self.began.elapsed()));
        }
    }

    impl Life for Frail {
        fn live(&mut self) -> BoxFuture<'_, ()> {
            async {
                self.note("lives");
                tokio::time::sleep(self.lasts).await;
                if self.panics > 0 {
                    self.panics -= 1;
                    panic!("{} left", self.panics);
                }
            }
            .boxed()
        }

        fn mourn<'a>(&'a mut self, panic: &'a Panic) -> BoxFuture<'a, ()> {
            async {
                self.note(&panic.to_string());
                assert!(!self.speechless, "nothing can be told");
            }
            .boxed()
        }
    }

    async fn book_of(panics: u32, lasts: Duration, speechless: bool) -> (Vec<(String, Duration)>, Metrics) {
        let metrics = Metrics::new(&Build::default(), Vec::new()).expect("metrics");
        let book = Book::default();
        let life = Frail { began: Instant::now(), book: book.clone(), panics, lasts, speechless };
        supervise(Task::Sync, Key::new("shop", "web"), &metrics, life).await;
        let told = book.lock().expect("not poisoned").clone();
        (told, metrics)
    }

    #[tokio::test(start_paused = true)]
    async fn what_panics_is_told_and_lives_again_after_ever_longer_pauses() {
        for speechless in [false, true] {
            let (told, metrics) = book_of(3, Duration::ZERO, speechless).await;
            let what: Vec<_> = told.iter().map(|(what, _)| what.as_str()).collect();
            let said = "the agent's task panicked";
            assert_eq!(what, ["lives", said, "lives", said, "lives", said, "lives"]);
            let lives: Vec<_> = told.iter().filter(|(what, _)| what == "lives").map(|(_, at)| *at).collect();
            let pauses: Vec<_> = lives.windows(2).map(|two| (two[1] - two[0]).as_secs()).collect();
            assert!(matches!(pauses[..], [5, 10 | 11, 20..=22]), "{pauses:?}");
            let counted = metrics.encode();
            assert!(counted.contains("tandem_panics_total{task=\"sync\"} 3\n"), "{counted}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_life_that_lasted_pays_for_no_panic_before_it() {
        let (told, _) = book_of(3, SOUND, false).await;
        let lives: Vec<_> = told.iter().filter(|(what, _)| what == "lives").map(|(_, at)| *at).collect();
        assert!(lives.windows(2).all(|two| (5..=6).contains(&(two[1] - two[0] - SOUND).as_secs())), "{lives:?}");
    }

    #[test]
    fn a_status_tells_where_and_not_what() {
        let failed = Panic { place: Some("src/a.rs:7:1".to_owned()) }.failed();
        assert!(failed.message.contains("panicked at src/a.rs:7:1"), "{failed}");
        assert_eq!(message_of(&7), "it said nothing");
        assert_eq!(message_of(&"x".repeat(5000)).len(), MESSAGE);
    }
}
