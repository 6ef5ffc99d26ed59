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
}

impl Repairs {
    /// Notes a repair.
    pub fn note(&mut self, now: Duration) {
        if self.last.is_some_and(|last| now.saturating_sub(last) > WINDOW.max(self.pause() * 2)) {
            self.recent.clear();
            self.rounds = 0;
        }
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

    #[test]
    fn a_single_change_is_put_right_at_once_and_a_fight_slows_down() {
        let mut repairs = Repairs::default();
        for second in [0, 1, 2] {
            repairs.note(at(second));
            assert_eq!(repairs.not_before(), None, "after {second} s");
        }
        repairs.note(at(3));
        assert_eq!(repairs.not_before(), Some(at(3 + 5)), "the fourth within a minute is a fight");
        repairs.note(at(8));
        assert_eq!(repairs.not_before(), Some(at(8 + 10)));
        for _ in 0..20 {
            let next = repairs.not_before().expect("still a fight");
            repairs.note(next);
        }
        let last = repairs.last.expect("repaired");
        assert_eq!(repairs.not_before(), Some(last + LONGEST));
    }

    #[test]
    fn rare_changes_are_no_fight_and_a_fight_that_ended_is_forgotten() {
        let mut repairs = Repairs::default();
        for minute in 0..20 {
            repairs.note(at(minute * 60));
            assert!(!repairs.is_fight(), "one a minute");
        }
        for second in 0..4 {
            repairs.note(at(2000 + second));
        }
        assert!(repairs.is_fight());
        repairs.note(at(4000));
        assert!(!repairs.is_fight(), "quiet for long");
    }
}
