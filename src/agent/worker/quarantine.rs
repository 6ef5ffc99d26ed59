//! Which input kills its worker, again and again.

use std::collections::HashMap;

use crate::failure::Failed;

/// Kills after which an input is given up.
pub const KILLS: u8 = 3;

/// Whether a render failed because it killed its worker.
pub fn killed(failed: &Failed) -> bool {
    matches!(failed.reason.as_str(), "WorkerCrashed" | "WorkerTimeout" | "ProgramTimeout")
}

/// Counts how often an input (a path of a commit) killed its worker. Pure: the loop tells it what
/// happened.
#[derive(Clone, Debug, Default)]
pub struct Quarantine {
    kills: HashMap<(String, String), Kills>,
}

#[derive(Clone, Debug, Default)]
struct Kills {
    count: u8,
    /// How the last one went.
    last: String,
}

impl Quarantine {
    /// Notes that rendering `path` of `commit` killed its worker, and how.
    pub fn killed(&mut self, commit: &str, path: &str, how: &str) {
        let kills = self.kills.entry((commit.to_owned(), path.to_owned())).or_default();
        kills.count = kills.count.saturating_add(1);
        how.clone_into(&mut kills.last);
    }

    /// Notes that it was rendered: the kills before had another cause.
    pub fn survived(&mut self, commit: &str, path: &str) {
        self.kills.remove(&(commit.to_owned(), path.to_owned()));
    }

    /// Where it is given up, how the last worker died.
    pub fn holds(&self, commit: &str, path: &str) -> Option<&str> {
        let kills = self.kills.get(&(commit.to_owned(), path.to_owned()))?;
        (kills.count >= KILLS).then_some(kills.last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_kills_of_one_input_give_it_up_and_no_other() {
        let mut quarantine = Quarantine::default();
        quarantine.killed("c1", "apps", "of age");
        quarantine.killed("c1", "apps", "of age");
        quarantine.killed("c1", "infra", "of age");
        assert_eq!(quarantine.holds("c1", "apps"), None);
        quarantine.killed("c1", "apps", "by signal 9");
        assert_eq!(quarantine.holds("c1", "apps"), Some("by signal 9"));
        assert_eq!((quarantine.holds("c2", "apps"), quarantine.holds("c1", "infra")), (None, None));
    }

    /// Another Sync may give the same folder more time, and nobody takes that away from it.
    #[test]
    fn the_bound_of_one_sync_is_no_fault_of_the_commit() {
        use crate::failure::Fault;
        assert!(!killed(&Failed::new("RenderTimeout", Fault::Cluster, "longer than 1s")));
        assert!(killed(&Failed::new("WorkerTimeout", Fault::Transient, "longer than all may")));
    }

    #[test]
    fn a_render_that_ends_well_clears_the_count() {
        let mut quarantine = Quarantine::default();
        quarantine.killed("c1", "apps", "");
        quarantine.killed("c1", "apps", "");
        quarantine.survived("c1", "apps");
        quarantine.killed("c1", "apps", "");
        assert_eq!(quarantine.holds("c1", "apps"), None);
    }
}
