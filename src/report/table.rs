//! The one table from the state of a Sync or a Repository to its conditions. ARCHITECTURE.md shows
//! it, and a test holds the two equal.
//!
//! The first row that fits decides. `Reconciling` and `Stalled` are there only while they are true;
//! `Stalled` has the reason of `Ready`. `Ready=True` stands in no row in which a part failed.

use crate::api::ConditionStatus::{self, False, True, Unknown};

use super::reason::Reason;

/// State of a Sync: the first that fits, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It is being deleted.
    Finalizing,
    /// `spec.suspend`.
    Suspended,
    /// Something in the spec cannot be meant so.
    InvalidSpec,
    /// Its Repository is not there.
    RepositoryMissing,
    /// Its Repository does not allow it.
    RepositoryDenied,
    /// Its Repository has never yielded a revision, and fails.
    RepositoryFailing,
    /// Something failed and is being tried again now.
    Retrying,
    /// Another attempt is in hand.
    Working,
    /// Syncs wait for one another in a circle.
    Cycle,
    /// The revision kills its worker.
    Quarantined,
    /// Something in the repository was refused.
    Refused,
    /// A step failed through the repository's fault.
    Broken,
    /// A step failed otherwise.
    Failing,
    /// Something in `dependsOn` is not ready.
    Waiting,
    /// A newer revision, or its deletions, held back.
    Held,
    /// Nothing has ended yet.
    New,
    /// Another controller sets fields back.
    Fighting,
    /// Shadow mode, differences.
    ShadowDiffers,
    /// An object failed.
    Unhealthy,
    /// Shadow mode, no differences.
    ShadowEqual,
    /// Objects were not healthy within the timeout.
    TimedOut,
    /// Applied; not healthy yet.
    RollingOut,
    /// As wanted.
    Ready,
}

/// The reason of `Ready` in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Always this one.
    Always(Reason),
    /// That of the cause, one of several.
    OfCause(&'static str),
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<S> {
    /// Which state.
    pub state: S,
    /// When, in words.
    pub when: &'static str,
    /// Status of `Ready`.
    pub ready: ConditionStatus,
    /// Reason of `Ready`.
    pub reason: Told,
    /// Reason of `Reconciling` where it is there.
    pub reconciling: Option<Reason>,
    /// Whether `Stalled` is there.
    pub stalled: Stalled,
}

/// Whether only a person can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stalled {
    /// Yes.
    Yes,
    /// No.
    No,
}

const fn row<S: Copy>(
    state: S,
    when: &'static str,
    ready: ConditionStatus,
    reason: Told,
    reconciling: Option<Reason>,
    stalled: Stalled,
) -> Row<S> {
    Row { state, when, ready, reason, reconciling, stalled }
}

use Told::{Always, OfCause};

/// The rows of a Sync, in the order of [`State`].
#[rustfmt::skip]
pub const SYNC: &[Row<State>] = &[
    row(State::Finalizing, "the Sync is being deleted", False, Always(Reason::Finalizing), Some(Reason::Finalizing), Stalled::No),
    row(State::Suspended, "`spec.suspend` is true", Unknown, Always(Reason::Suspended), None, Stalled::No),
    row(State::InvalidSpec, "a field of the spec cannot be meant so", False, Always(Reason::InvalidSpec), None, Stalled::Yes),
    row(State::RepositoryMissing, "its Repository is not there", False, Always(Reason::RepositoryMissing), Some(Reason::ProgressingWithRetry), Stalled::No),
    row(State::RepositoryDenied, "its Repository does not allow its namespace", False, Always(Reason::AccessDenied), None, Stalled::Yes),
    row(State::RepositoryFailing, "nothing is accepted yet, and its Repository fails", False, Always(Reason::RepositoryNotReady), Some(Reason::ProgressingWithRetry), Stalled::No),
    row(State::Retrying, "what failed is being tried again now", False, OfCause("that of the failure"), Some(Reason::ProgressingWithRetry), Stalled::No),
    row(State::Working, "a revision is being tried", Unknown, Always(Reason::Progressing), Some(Reason::Progressing), Stalled::No),
    row(State::Cycle, "Syncs wait for one another in a circle", False, Always(Reason::DependencyCycle), None, Stalled::Yes),
    row(State::Quarantined, "the revision killed its worker too often", False, Always(Reason::Quarantined), None, Stalled::Yes),
    row(State::Refused, "the files or objects of the revision were refused", False, OfCause("BuildFailed, ValidationFailed"), None, Stalled::Yes),
    row(State::Broken, "a step failed, and a commit or the spec mends it", False, OfCause("that of the failure"), None, Stalled::Yes),
    row(State::Failing, "a step failed, and it is tried again", False, OfCause("that of the failure"), Some(Reason::ProgressingWithRetry), Stalled::No),
    row(State::Waiting, "something in `dependsOn` is not ready", False, Always(Reason::DependencyNotReady), Some(Reason::Progressing), Stalled::No),
    row(State::Held, "a newer revision, or its deletions, are held back", False, OfCause("that of the hold"), None, Stalled::No),
    row(State::New, "nothing was tried yet", Unknown, Always(Reason::Progressing), Some(Reason::Progressing), Stalled::No),
    row(State::Fighting, "another controller sets fields back", False, Always(Reason::DriftFight), None, Stalled::Yes),
    row(State::ShadowDiffers, "shadow mode, and the cluster differs", False, Always(Reason::ShadowDiffers), None, Stalled::No),
    row(State::Unhealthy, "an object failed", False, Always(Reason::HealthCheckFailed), None, Stalled::No),
    row(State::ShadowEqual, "shadow mode, and the cluster is equal", True, Always(Reason::ShadowEqual), None, Stalled::No),
    row(State::TimedOut, "applied, and not healthy within the timeout", False, Always(Reason::HealthCheckFailed), None, Stalled::No),
    row(State::RollingOut, "applied, and not healthy yet", Unknown, Always(Reason::Progressing), Some(Reason::Progressing), Stalled::No),
    row(State::Ready, "applied, and healthy (or was, and is on its way again)", True, Always(Reason::ReconciliationSucceeded), None, Stalled::No),
];

/// State of a Repository: the first that fits, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RepositoryState {
    /// `spec.suspend`.
    Suspended,
    /// Something in the spec cannot be meant so.
    InvalidSpec,
    /// The last fetch failed, and only a person can mend it.
    Broken,
    /// The last fetch failed otherwise.
    Failing,
    /// No fetch has ended yet.
    New,
    /// A newer revision, held back.
    Held,
    /// Fetched.
    Ready,
}

/// The rows of a Repository, in the order of [`RepositoryState`].
#[rustfmt::skip]
pub const REPOSITORY: &[Row<RepositoryState>] = &[
    row(RepositoryState::Suspended, "`spec.suspend` is true", Unknown, Always(Reason::Suspended), None, Stalled::No),
    row(RepositoryState::InvalidSpec, "a field of the spec cannot be meant so", False, Always(Reason::InvalidSpec), None, Stalled::Yes),
    row(RepositoryState::Broken, "the last fetch failed, and settings or the remote's content must change", False, OfCause("that of the failure"), None, Stalled::Yes),
    row(RepositoryState::Failing, "the last fetch failed, and it is tried again", False, OfCause("that of the failure"), Some(Reason::ProgressingWithRetry), Stalled::No),
    row(RepositoryState::New, "no fetch has ended yet", Unknown, Always(Reason::Progressing), Some(Reason::Progressing), Stalled::No),
    row(RepositoryState::Held, "a newer revision is held back: it is not signed or approved as the spec asks", False, OfCause("that of the hold"), None, Stalled::No),
    row(RepositoryState::Ready, "the remote was read", True, Always(Reason::Succeeded), None, Stalled::No),
];

/// State of a Standard: the first that fits, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StandardState {
    /// Its Repository is not there.
    RepositoryMissing,
    /// Nothing is in force, and its Repository fails.
    RepositoryFailing,
    /// The newest revision kills its worker.
    Quarantined,
    /// The newest revision was refused.
    Refused,
    /// The newest revision could not be read.
    Failing,
    /// A newer revision, held back.
    Held,
    /// Nothing has ended yet.
    New,
    /// In force.
    Ready,
}

/// The rows of a Standard, in the order of [`StandardState`].
#[rustfmt::skip]
pub const STANDARD: &[Row<StandardState>] = &[
    row(StandardState::RepositoryMissing, "its Repository is not there", False, Always(Reason::RepositoryMissing), Some(Reason::ProgressingWithRetry), Stalled::No),
    row(StandardState::RepositoryFailing, "nothing is in force yet, and its Repository fails", False, Always(Reason::RepositoryNotReady), Some(Reason::ProgressingWithRetry), Stalled::No),
    row(StandardState::Quarantined, "the newest revision killed its worker too often", False, Always(Reason::Quarantined), None, Stalled::Yes),
    row(StandardState::Refused, "something in the newest revision is wrong, or it has no policy", False, OfCause("BuildFailed, StandardInvalid, StandardEmpty"), None, Stalled::Yes),
    row(StandardState::Failing, "the newest revision could not be read, and it is tried again", False, OfCause("that of the failure"), Some(Reason::ProgressingWithRetry), Stalled::No),
    row(StandardState::Held, "a newer revision is held back", False, OfCause("that of the hold"), None, Stalled::No),
    row(StandardState::New, "no revision was looked at yet", Unknown, Always(Reason::Progressing), Some(Reason::Progressing), Stalled::No),
    row(StandardState::Ready, "the newest revision is in force", True, Always(Reason::Succeeded), None, Stalled::No),
];

/// Row of a state.
pub fn standard_row(state: StandardState) -> &'static Row<StandardState> {
    &STANDARD[state as usize]
}

/// Row of a state.
pub fn sync_row(state: State) -> &'static Row<State> {
    &SYNC[state as usize]
}

/// Row of a state.
pub fn repository_row(state: RepositoryState) -> &'static Row<RepositoryState> {
    &REPOSITORY[state as usize]
}

/// The table as Markdown, as ARCHITECTURE.md shows it.
pub fn markdown<S: std::fmt::Debug>(rows: &[Row<S>]) -> String {
    let mut text =
        String::from("| state | when | Ready | reason | Reconciling | Stalled |\n|---|---|---|---|---|---|\n");
    for row in rows {
        let reason = match row.reason {
            Always(reason) => reason.as_str(),
            OfCause(words) => words,
        };
        let reconciling = row.reconciling.map_or("–", Reason::as_str);
        let stalled = if row.stalled == Stalled::Yes { "True" } else { "–" };
        text.push_str(&format!(
            "| {:?} | {} | {:?} | {reason} | {reconciling} | {stalled} |\n",
            row.state, row.when, row.ready
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_states() {
        for (at, row) in SYNC.iter().enumerate() {
            assert_eq!(row.state as usize, at, "{:?}", row.state);
        }
        assert_eq!(SYNC.last().map(|r| r.state), Some(State::Ready));
        for (at, row) in REPOSITORY.iter().enumerate() {
            assert_eq!(row.state as usize, at, "{:?}", row.state);
        }
        for (at, row) in STANDARD.iter().enumerate() {
            assert_eq!(row.state as usize, at, "{:?}", row.state);
        }
    }

    #[test]
    fn the_page_shows_the_tables_of_the_code() {
        let page = include_str!("../../ARCHITECTURE.md");
        for table in [markdown(SYNC), markdown(REPOSITORY), markdown(STANDARD)] {
            assert!(page.contains(&table), "ARCHITECTURE.md lacks this table:\n{table}");
        }
    }

    #[test]
    fn no_row_contradicts_itself() {
        for row in SYNC {
            let (working, stalled) = (row.reconciling.is_some(), row.stalled == Stalled::Yes);
            assert!(!(working && stalled), "{:?}: kstatus reads one of Reconciling and Stalled", row.state);
            if row.ready == True {
                assert!(!working && !stalled, "{:?}: ready and not done", row.state);
                assert!(matches!(row.state, State::Ready | State::ShadowEqual), "{:?}", row.state);
            }
        }
    }
}
