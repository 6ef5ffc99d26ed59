//! How far a reviewed Repository may be followed: the same for all its Syncs, and for each by what it reads.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::ApprovedPlan;
use crate::render::ReadSet;
use crate::report::facts::Hold;
use crate::report::reason::Reason;
use crate::revision::Revision;

use super::worker::Judged;

/// What review says of a Repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Up to here every step is accepted, by the agent's signed record.
    pub accepted: Revision,
    /// The commits after it, oldest first.
    pub later: Vec<String>,
    /// Those of them that lack approval, oldest first.
    pub waiting: Vec<Judged>,
    /// Those of them that go ahead of their review, and until when, or went ahead.
    pub glass: BTreeMap<String, Timestamp>,
    /// What was said of plans, of what is accepted and after it.
    pub plans: Vec<ApprovedPlan>,
}

impl Standing {
    /// The first commit up to this one that lacks approval and changes something that was read. One that goes ahead of its
    /// review holds nothing while its time lasts, and nothing but later commits then.
    pub fn blocking(&self, commit: &str, read: &[&ReadSet], now: Timestamp) -> Option<&Judged> {
        let ahead = |judged: &Judged| {
            self.glass.get(&judged.commit).is_some_and(|until| now < *until || judged.commit == commit)
        };
        self.touching(commit, read).find(|judged| !ahead(judged))
    }

    /// Whether this commit itself goes ahead of its review, or went ahead.
    pub fn is_ahead(&self, commit: &str) -> bool {
        self.glass.contains_key(commit)
    }

    /// Whether something up to this commit that changes what was read went ahead of its review, and lacks approval yet.
    pub fn went_ahead(&self, commit: &str, read: &ReadSet) -> bool {
        self.touching(commit, &[read]).any(|judged| self.glass.contains_key(&judged.commit))
    }

    fn touching<'a>(&'a self, commit: &str, read: &[&ReadSet]) -> impl Iterator<Item = &'a Judged> {
        let reads = |judged: &&Judged| judged.paths.iter().any(|path| read.iter().any(|set| set.reads(path)));
        self.waiting_for(commit).filter(reads)
    }

    /// All commits up to this one that lack approval.
    pub fn unapproved(&self, commit: &str) -> impl Iterator<Item = &str> {
        self.waiting_for(commit).map(|judged| judged.commit.as_str())
    }

    fn waiting_for(&self, commit: &str) -> impl Iterator<Item = &Judged> {
        let upto = self.later.iter().position(|later| later == commit);
        let place = |judged: &Judged| self.later.iter().position(|later| *later == judged.commit);
        self.waiting.iter().filter(move |judged| place(judged) <= upto)
    }

    /// Whether this is what is accepted for all, or comes after it.
    pub fn knows(&self, revision: &Revision) -> bool {
        revision.commit == self.accepted.commit || self.later.contains(&revision.commit)
    }

    /// What may be healed to, of what is not older than what is accepted for all: what a Sync's status names, where review lets it, or let it go ahead once; else what is
    /// accepted for all.
    pub fn healed(&self, named: Revision, read: Option<&ReadSet>) -> Revision {
        let known = self.later.contains(&named.commit);
        match read {
            Some(read)
                if known
                    && self.touching(&named.commit, &[read]).all(|judged| self.glass.contains_key(&judged.commit)) =>
            {
                named
            }
            _ => self.accepted.clone(),
        }
    }

    /// Why a revision is held at a commit.
    pub fn hold(found: &Revision, judged: &Judged) -> Hold {
        let reason = if judged.owners.is_some() { Reason::OwnersInvalid } else { Reason::ReviewMissing };
        let commit = &judged.commit;
        let message = format!(
            "{found} is held: commit {commit} is not approved: {}; hint: tandem approve {commit}",
            judged.why()
        );
        Hold::new(reason, message)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::render::ReadRecord;
    use crate::revision::review::Verdict;

    fn read(paths: &[&str]) -> ReadSet {
        let record = |path: &&str| ReadRecord { path: (*path).to_owned(), id: Some("id".to_owned()) };
        ReadSet { records: paths.iter().map(record).collect() }
    }

    fn revision(commit: &str) -> Revision {
        Revision { name: "main".to_owned(), commit: commit.to_owned() }
    }

    fn standing() -> Standing {
        let judged = |commit: &str, paths: &[&str]| Judged {
            commit: commit.to_owned(),
            parent: String::new(),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            verdict: Verdict::default(),
            refused: Vec::new(),
            forge: Vec::new(),
            heads: BTreeSet::new(),
            owners: None,
            glass: None,
        };
        Standing {
            accepted: revision("a"),
            later: ["b", "c", "d"].map(str::to_owned).to_vec(),
            waiting: vec![judged("b", &["unread/x.yaml"]), judged("d", &["shop/a.yaml"])],
            glass: BTreeMap::new(),
            plans: Vec::new(),
        }
    }

    #[test]
    fn only_what_is_read_holds_a_sync() {
        let standing = standing();
        for (commit, paths, expected) in [
            ("a", vec!["unread", "shop"], None),
            ("b", vec!["shop"], None),
            ("b", vec!["unread"], Some("b")),
            ("c", vec!["shop"], None),
            ("c", vec!["shop", "unread/x.yaml"], Some("b")),
            ("d", vec!["shop"], Some("d")),
            ("d", vec!["shop/a.yaml"], Some("d")),
            ("d", vec!["shop/b.yaml", "sho"], None),
            ("d", vec![""], Some("b")),
            ("d", vec!["shop/a.yaml/kustomization.yaml"], Some("d")),
        ] {
            let found =
                standing.blocking(commit, &[&read(&paths)], Timestamp::UNIX_EPOCH).map(|judged| judged.commit.as_str());
            assert_eq!(found, expected, "{commit} {paths:?}");
        }
    }

    #[test]
    fn a_status_leads_to_nothing_that_review_would_not_let_pass() {
        let standing = standing();
        let shop = read(&["shop"]);
        for (named, expected) in [("a", "a"), ("b", "b"), ("c", "c"), ("d", "a"), ("elsewhere", "a")] {
            assert_eq!(standing.healed(revision(named), Some(&shop)).commit, expected, "{named}");
        }
        assert_eq!(standing.healed(revision("c"), None).commit, "a", "nothing is known of what it reads");
    }

    #[test]
    fn what_went_ahead_of_its_review_holds_only_what_comes_after_its_time() {
        let until = Timestamp::from_second(100).expect("a time");
        let mut standing = standing();
        standing.waiting.retain(|judged| judged.commit == "b");
        standing.glass.insert("b".to_owned(), until);
        let unread = read(&["unread"]);
        for (second, commit, expected) in
            [(99, "b", None), (99, "c", None), (100, "b", None), (100, "c", Some("b")), (100, "a", None)]
        {
            let now = Timestamp::from_second(second).expect("a time");
            let found = standing.blocking(commit, &[&unread], now).map(|judged| judged.commit.as_str());
            assert_eq!(found, expected, "{commit} at {second}");
            assert_eq!(standing.healed(revision(commit), Some(&unread)).commit, commit, "nothing rolls back");
        }
        assert_eq!(standing.unapproved("c").collect::<Vec<_>>(), ["b"], "what its message says counts for nothing");
        let ahead = |standing: &Standing| ["a", "b", "c"].map(|commit| standing.went_ahead(commit, &unread));
        assert_eq!(ahead(&standing), [false, true, true]);
        assert_eq!(["a", "b", "c"].map(|commit| standing.is_ahead(commit)), [false, true, false]);
        assert!(!standing.went_ahead("b", &read(&["other"])), "who does not read it is told nothing");
        standing.glass.clear();
        assert_eq!(ahead(&standing), [false; 3]);
        assert_eq!(standing.healed(revision("b"), Some(&unread)).commit, "a");
    }
}
