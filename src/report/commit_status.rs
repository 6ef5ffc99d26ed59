//! The one status that a commit has on its forge for this cluster: how far its Syncs are with it.

use jiff::Timestamp;

use super::condition::{conditions, state};
use super::facts::SyncFacts;
use super::table::State;
use crate::api::{ConditionType, ForgeType, Mode};

/// Characters of a description; GitHub takes no more than these.
pub const DESCRIPTION_LIMIT: usize = 140;

/// How far one Sync is with a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has not come to an end with it yet.
    Working,
    /// Nothing is left to apply, and not everything is healthy yet.
    Applied,
    /// Nothing is left to apply, and all that it owns is healthy.
    Healthy,
    /// It is held back; the reason.
    Held(String),
    /// It failed, or what it owns did; the reason.
    Failed(String),
}

/// What a forge shows beside a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// It is on its way, or held.
    Pending,
    /// Every Sync is healthy with it.
    Success,
    /// A Sync failed with it.
    Failure,
}

/// A commit status, without the commit and the context that it stands under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// What is shown.
    pub light: Light,
    /// One line of plain words: letters, digits, blanks and `/ . , : ; ( ) _ -` alone, so that no forge makes a link, a
    /// mention or markup of it.
    pub description: String,
}

/// How far a Sync is with a commit. `handled` is the commit up to which nothing is left to apply. `None` where it will
/// never apply it: in shadow mode, or while it is being deleted.
pub fn standing(facts: &SyncFacts, handled: Option<&str>, commit: &str) -> Option<Standing> {
    let state = state(facts);
    if facts.mode == Mode::Shadow || state == State::Finalizing {
        return None;
    }
    let reason = || {
        let told = conditions(facts, &[], Timestamp::UNIX_EPOCH);
        told.into_iter().find(|c| c.type_ == ConditionType::Ready).map_or_else(String::new, |c| c.reason)
    };
    if let Some(hold) = facts.held() {
        return Some(Standing::Held(hold.reason.as_str().to_owned()));
    }
    let done = handled == Some(commit);
    let tried = done || facts.attempted.as_ref().is_some_and(|attempted| attempted.commit == commit);
    Some(match state {
        State::Suspended => Standing::Held(reason()),
        // What is wrong with these is wrong with whatever commit comes.
        State::InvalidSpec | State::RepositoryDenied | State::Cycle => Standing::Failed(reason()),
        _ if !tried => Standing::Working,
        State::Quarantined
        | State::Refused
        | State::Broken
        | State::Retrying
        | State::Failing
        | State::Fighting
        | State::Unhealthy
        | State::TimedOut => Standing::Failed(reason()),
        State::RollingOut if done => Standing::Applied,
        State::Ready if done => Standing::Healthy,
        _ => Standing::Working,
    })
}

/// Whether the commit, or one that leads to it, went ahead of its review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glass {
    /// No.
    Whole,
    /// Yes, and nobody else has approved it yet.
    Broken,
}

/// The status of a commit, from each Sync of its Repository, by name. `None` where no Sync applies it.
pub fn compose(syncs: &[(String, Standing)], glass: Glass) -> Option<CommitStatus> {
    if syncs.is_empty() {
        return None;
    }
    let first = |of: fn(&Standing) -> Option<&String>| {
        let mut found = syncs.iter().filter_map(|(name, standing)| Some((name, of(standing)?)));
        found.next().map(|(name, reason)| (name, reason, found.count()))
    };
    let told = |word: &str, (name, reason, more): (&String, &String, usize)| {
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{word}: {name} ({reason}){more}; ")
    };
    let failed = first(|standing| if let Standing::Failed(reason) = standing { Some(reason) } else { None });
    let held = first(|standing| if let Standing::Held(reason) = standing { Some(reason) } else { None });
    let applied = syncs.iter().filter(|(_, s)| matches!(s, Standing::Applied | Standing::Healthy)).count();
    let healthy = syncs.iter().filter(|(_, s)| *s == Standing::Healthy).count();
    let (light, text) = match (failed, held) {
        (Some(failed), _) => (Light::Failure, told("failed", failed)),
        (None, Some(held)) => (Light::Pending, told("held", held)),
        (None, None) if healthy == syncs.len() => (Light::Success, String::new()),
        (None, None) => (Light::Pending, String::new()),
    };
    let text = if glass == Glass::Broken { format!("not reviewed (break glass); {text}") } else { text };
    let all = syncs.len();
    let count =
        if light == Light::Success { format!("healthy {all}/{all}") } else { format!("applied {applied}/{all}") };
    Some(CommitStatus { light, description: plain(&text, &count) })
}

/// What the deployment of a commit is to show of its status, where it shows something already. GitLab's has no words, and one
/// that has come to an end does not begin again: it goes from one end to the other alone.
pub fn deployed(forge: ForgeType, shown: Option<&CommitStatus>, status: &CommitStatus) -> CommitStatus {
    if forge != ForgeType::GitLab {
        return status.clone();
    }
    let light = match (status.light, shown) {
        (Light::Pending, Some(shown)) => shown.light,
        (light, _) => light,
    };
    CommitStatus { light, description: String::new() }
}

/// Words that no forge reads as more than words, with what is cut off on the left of the count.
pub(super) fn plain(text: &str, count: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || " /.,:;()_-".contains(c) { c } else { '-' };
    let text: String = text.chars().map(clean).collect();
    let room = DESCRIPTION_LIMIT - count.len();
    if text.len() <= room {
        return text + count;
    }
    format!("{}...; {count}", &text[..room - "...; ".len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Failed, Fault};
    use crate::health::SetHealth;
    use crate::report::facts::{HealthWait, Hold, Stage, Verdict};
    use crate::report::reason::Reason;
    use crate::revision::Revision;

    const COMMIT: &str = "1111111111111111111111111111111111111111";
    const OTHER: &str = "2222222222222222222222222222222222222222";

    fn tried(commit: &str) -> SyncFacts {
        let attempted = Revision::parse(&format!("main@sha1:{commit}"));
        assert!(attempted.is_some());
        SyncFacts { attempted, verdict: Verdict::Applied, ..SyncFacts::default() }
    }

    fn unhealthy(wait: HealthWait) -> SyncFacts {
        let mut facts = SyncFacts { health_wait: wait, ..tried(COMMIT) };
        facts.health = SetHealth::default();
        facts.health.counts.in_progress = 1;
        facts
    }

    #[test]
    fn each_state_is_a_standing_and_none_is_healthy_that_is_not() {
        let failed = Failed::new("ApplyFailed", Fault::Transient, "no");
        let failing = SyncFacts { verdict: Verdict::Failed { stage: Stage::Apply, failed }, ..tried(COMMIT) };
        let held = SyncFacts { hold: Some(Hold::new(Reason::Rewound, "no")), ..tried(COMMIT) };
        for (what, facts, handled, expected) in [
            ("all is well", tried(COMMIT), Some(COMMIT), Some(Standing::Healthy)),
            ("well, but not with this commit", tried(OTHER), Some(OTHER), Some(Standing::Working)),
            ("a commit that it was not touched by", tried(OTHER), Some(COMMIT), Some(Standing::Healthy)),
            ("applied, and something is left to do", tried(COMMIT), None, Some(Standing::Working)),
            ("on its way", unhealthy(HealthWait::First), Some(COMMIT), Some(Standing::Applied)),
            (
                "for too long",
                unhealthy(HealthWait::Exceeded),
                Some(COMMIT),
                Some(Standing::Failed("HealthCheckFailed".into())),
            ),
            ("failed", failing.clone(), None, Some(Standing::Failed("ReconciliationFailed".into()))),
            ("failed with another commit", SyncFacts { attempted: None, ..failing }, None, Some(Standing::Working)),
            ("held", held, Some(OTHER), Some(Standing::Held("Rewound".into()))),
            (
                "suspended",
                SyncFacts { suspended: true, ..tried(OTHER) },
                None,
                Some(Standing::Held("Suspended".into())),
            ),
            ("shadow", SyncFacts { mode: Mode::Shadow, ..tried(COMMIT) }, Some(COMMIT), None),
        ] {
            assert_eq!(standing(&facts, handled, COMMIT), expected, "{what}");
        }
    }

    #[test]
    fn a_status_is_green_only_when_all_are_healthy_and_a_failure_comes_first() {
        use Standing::{Applied, Failed, Healthy, Held, Working};
        let held = || Held("Rewound".to_owned());
        let failed = || Failed("BuildFailed".to_owned());
        for (syncs, light, description) in [
            (vec![Working, Working], Light::Pending, "applied 0/2"),
            (vec![Healthy, Working], Light::Pending, "applied 1/2"),
            (vec![Healthy, Applied], Light::Pending, "applied 2/2"),
            (vec![Healthy, Healthy], Light::Success, "healthy 2/2"),
            (vec![Healthy, held()], Light::Pending, "held: shop/1 (Rewound); applied 1/2"),
            (vec![held(), failed()], Light::Failure, "failed: shop/1 (BuildFailed); applied 0/2"),
            (
                vec![failed(), failed(), failed()],
                Light::Failure,
                "failed: shop/0 (BuildFailed) and 2 more; applied 0/3",
            ),
        ] {
            let syncs: Vec<_> = syncs.into_iter().enumerate().map(|(at, s)| (format!("shop/{at}"), s)).collect();
            let expected = CommitStatus { light, description: description.to_owned() };
            assert_eq!(compose(&syncs, Glass::Whole), Some(expected), "{syncs:?}");
        }
        assert_eq!(compose(&[], Glass::Broken), None);
        let broken = compose(&[("shop/a".to_owned(), Healthy)], Glass::Broken).expect("a status");
        assert_eq!(broken.description, "not reviewed (break glass); healthy 1/1");
    }

    #[test]
    fn a_deployment_of_gitlab_has_no_words_and_begins_once() {
        use Light::{Failure, Pending, Success};
        let status = |light, text: &str| CommitStatus { light, description: text.to_owned() };
        for light in [Pending, Success, Failure] {
            let told = status(light, "applied 1/2");
            assert_eq!(deployed(ForgeType::GitHub, Some(&status(Success, "healthy 2/2")), &told), told);
            assert_eq!(deployed(ForgeType::GitLab, None, &told), status(light, ""));
        }
        for (shown, told, expected) in [
            (Pending, Pending, Pending),
            (Pending, Failure, Failure),
            (Pending, Success, Success),
            (Success, Pending, Success),
            (Success, Failure, Failure),
            (Failure, Pending, Failure),
            (Failure, Success, Success),
        ] {
            let found = deployed(ForgeType::GitLab, Some(&status(shown, "")), &status(told, "applied 1/2"));
            assert_eq!(found, status(expected, ""), "{shown:?} {told:?}");
        }
    }

    #[test]
    fn a_description_is_short_and_nothing_in_it_is_markup() {
        let name = "shop/@all <img src=x> [a](http://b) `c` \u{202e}é ".repeat(9);
        let status = compose(&[(name, Standing::Failed("#1 !2 *x*".to_owned()))], Glass::Whole).expect("a status");
        assert_eq!(status.description.len(), DESCRIPTION_LIMIT, "{}", status.description);
        assert!(status.description.ends_with("...; applied 0/1"), "{}", status.description);
        let marks = ['@', '<', '>', '[', ']', '`', '#', '!', '*', '\u{202e}'];
        assert!(!status.description.contains(marks), "{}", status.description);
    }
}
