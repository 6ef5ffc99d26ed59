//! Which input kills its worker, again and again.

use std::collections::HashMap;

/// Kills after which an input is given up.
const KILLS: u8 = 3;

/// Counts how often an input (a path of a commit) killed its worker. Pure: the loop tells it what
/// happened.
#[derive(Clone, Debug, Default)]
pub struct Quarantine {
    kills: HashMap<(String, String), u8>,
}

impl Quarantine {
    /// Notes that rendering `path` of `commit` killed its worker. Returns whether it is given up.
    pub fn killed(&mut self, commit: &str, path: &str) -> bool {
        let kills = self.kills.entry((commit.to_owned(), path.to_owned())).or_insert(0);
        *kills = kills.saturating_add(1);
        *kills >= KILLS
    }

    /// Notes that it was rendered: the kills before had another cause.
    pub fn survived(&mut self, commit: &str, path: &str) {
        self.kills.remove(&(commit.to_owned(), path.to_owned()));
    }

    /// Whether it is given up.
    pub fn holds(&self, commit: &str, path: &str) -> bool {
        self.kills.get(&(commit.to_owned(), path.to_owned())).is_some_and(|kills| *kills >= KILLS)
    }

    /// Forgets every commit that `keep` does not name.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.kills.retain(|(commit, _), _| keep(commit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_kills_of_one_input_give_it_up_and_no_other() {
        let mut quarantine = Quarantine::default();
        assert!(!quarantine.killed("c1", "apps"));
        assert!(!quarantine.killed("c1", "apps"));
        assert!(!quarantine.killed("c1", "infra"));
        assert!(!quarantine.holds("c1", "apps"));
        assert!(quarantine.killed("c1", "apps"));
        assert!(quarantine.holds("c1", "apps"));
        assert!(!quarantine.holds("c2", "apps") && !quarantine.holds("c1", "infra"));
        quarantine.retain(|commit| commit == "c2");
        assert!(!quarantine.holds("c1", "apps"));
    }

    #[test]
    fn a_render_that_ends_well_clears_the_count() {
        let mut quarantine = Quarantine::default();
        quarantine.killed("c1", "apps");
        quarantine.killed("c1", "apps");
        quarantine.survived("c1", "apps");
        assert!(!quarantine.killed("c1", "apps"));
    }
}
