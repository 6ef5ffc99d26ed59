//! A fight: somebody else keeps changing back what we put right. Pure; the caller brings the time.

use std::collections::VecDeque;
use std::time::Duration;

/// So many repairs of one object within [`WINDOW`] are a fight.
pub const REPAIRS: usize = 4;
/// The time in which repairs are counted.
pub const WINDOW: Duration = Duration::from_secs(60);
/// First pause before the next repair of an object that is fought over.
const FIRST: Duration = Duration::from_secs(5);
/// Longest such pause.
const LONGEST: Duration = Duration::from_secs(300);

/// The repairs of one object. Times are durations since any fixed moment.
#[derive(Clone, Debug, Default)]
pub struct Repairs {
    recent: VecDeque<Duration>,
    /// Repairs since the fight began.
    rounds: u32,
    last: Option<Duration>,
    /// With whom, and over which field, as of the last repair.
    rival: Rival,
}

/// Who changes an object back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rival {
    /// Field manager; `unknown` where nobody is shown.
    pub author: String,
    /// The first field that had changed, where it is known.
    pub field: Option<String>,
}

impl Repairs {
    /// Notes a repair of what a rival had changed.
    pub fn note(&mut self, now: Duration, rival: Rival) {
        if self.is_over(now) {
            self.recent.clear();
            self.rounds = 0;
        }
        self.rival = rival;
        self.recent.push_back(now);
        if self.recent.len() > REPAIRS {
            self.recent.pop_front();
        }
        self.last = Some(now);
        let first = self.recent.front().copied().unwrap_or(now);
        let close = self.recent.len() == REPAIRS && now.saturating_sub(first) <= WINDOW;
        if close || self.rounds > 0 {
            self.rounds += 1;
        }
    }

    /// Whether the object is fought over.
    pub fn is_fight(&self) -> bool {
        self.rounds > 0
    }

    /// Repairs since the fight began.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// With whom, and over which field.
    pub fn rival(&self) -> &Rival {
        &self.rival
    }

    /// Whether it has been quiet for so long that no repair counts any more: a rival that were still there would have been
    /// answered by another one.
    pub fn is_over(&self, now: Duration) -> bool {
        self.ends().is_none_or(|end| now >= end)
    }

    /// When the repairs stop counting unless another one is made.
    pub fn ends(&self) -> Option<Duration> {
        self.last.map(|last| last + WINDOW.max(self.pause() * 2))
    }

    /// When the last repair was made.
    pub fn last(&self) -> Option<Duration> {
        self.last
    }

    /// When the next repair may be made; at once where there is no fight.
    pub fn not_before(&self) -> Option<Duration> {
        self.is_fight().then(|| self.last.unwrap_or_default() + self.pause())
    }

    fn pause(&self) -> Duration {
        match self.rounds {
            0 => Duration::ZERO,
            n => LONGEST.min(FIRST * 2u32.saturating_pow(n - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn rival() -> Rival {
        Rival { author: "keda".to_owned(), field: None }
    }

    #[test]
    fn a_single_change_is_put_right_at_once_and_a_fight_slows_down() {
        let mut repairs = Repairs::default();
        for second in [0, 1, 2] {
            repairs.note(at(second), rival());
            assert_eq!(repairs.not_before(), None, "after {second} s");
        }
        repairs.note(at(3), rival());
        assert_eq!(repairs.not_before(), Some(at(3 + 5)), "the fourth within a minute is a fight");
        repairs.note(at(8), rival());
        assert_eq!(repairs.not_before(), Some(at(8 + 10)));
        for _ in 0..20 {
            let next = repairs.not_before().expect("still a fight");
            repairs.note(next, rival());
        }
        let last = repairs.last.expect("repaired");
        assert_eq!(repairs.not_before(), Some(last + LONGEST));
    }

    #[test]
    fn rare_changes_are_no_fight_and_a_fight_that_ended_is_forgotten() {
        let mut repairs = Repairs::default();
        for minute in 0..20 {
            repairs.note(at(minute * 60), rival());
            assert!(!repairs.is_fight(), "one a minute");
        }
        for second in 0..4 {
            repairs.note(at(2000 + second), rival());
        }
        assert!(repairs.is_fight());
        repairs.note(at(4000), rival());
        assert!(!repairs.is_fight(), "quiet for long");
    }
    /// Whoever still set it back would have been answered by a repair long before.
    #[test]
    fn a_fight_is_over_once_it_was_quiet_for_longer_than_the_pause_between_two_repairs() {
        let mut repairs = Repairs::default();
        assert!(repairs.is_over(at(0)), "nothing was repaired");
        (0..4).for_each(|second| repairs.note(at(second), rival()));
        assert!(repairs.is_fight() && !repairs.is_over(at(3 + 59)) && repairs.is_over(at(3 + 60)));
        for _ in 0..20 {
            let next = repairs.not_before().expect("still a fight");
            assert!(!repairs.is_over(next), "the next repair comes before its end");
            repairs.note(next, rival());
        }
        let last = repairs.last().expect("repaired");
        assert!(!repairs.is_over(last + LONGEST) && repairs.is_over(last + LONGEST * 2));
    }
}
