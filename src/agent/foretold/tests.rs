use super::*;
use crate::agent::worker::{Judged, Way};
use crate::object::ObjectId;
use crate::plan::{Action, EssenceLine};
use crate::revision::review::{Account, Verdict};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn vote(voter: Voter, expires: Option<&str>) -> PlanVote {
    PlanVote {
        person: "bob".into(),
        voter,
        head: "h".into(),
        at: at("2026-11-30T09:00:00Z"),
        expires: expires.map(at),
        plans: [("shop/web".to_owned(), "sha256:1".to_owned())].into(),
    }
}

fn reviewed(votes: Vec<PlanVote>, withdrawals: Vec<Withdrawal>) -> Reviewed {
    let step = Judged {
        commit: "m".into(),
        parent: "p".into(),
        paths: Default::default(),
        verdict: Verdict { plans: votes, ..Verdict::default() },
        refused: Vec::new(),
        forge: Vec::new(),
        heads: Default::default(),
        owners: None,
        glass: None,
    };
    Reviewed { steps: vec![step], way: Way::Mainline, owners: None, withdrawals, logins: BTreeMap::new() }
}

#[test]
fn what_counts_of_plans_is_signed_not_over_and_not_taken_back() {
    let key = || Voter::Key("k".into());
    let account = Voter::Account(Account { forge: "f".into(), id: 1 });
    let later = Some("2026-12-30T09:00:00Z");
    let withdrawal =
        |key: &str, head: &str, time: &str| vec![Withdrawal { key: key.into(), head: head.into(), at: at(time) }];
    let now = at("2026-11-30T10:00:00Z");
    for (name, votes, withdrawals, expected) in [
        ("an approval", vec![vote(key(), later)], vec![], 1),
        ("the same twice", vec![vote(key(), later), vote(key(), later)], vec![], 1),
        ("of a forge", vec![vote(account, later)], vec![], 0),
        ("that is over", vec![vote(key(), Some("2026-11-30T10:00:00Z"))], vec![], 0),
        ("without an end", vec![vote(key(), None)], vec![], 0),
        ("taken back", vec![vote(key(), later)], withdrawal("k", "h", "2026-11-30T09:00:00Z"), 0),
        ("taken back before", vec![vote(key(), later)], withdrawal("k", "h", "2026-11-30T08:59:59Z"), 1),
        ("another one was taken back", vec![vote(key(), later)], withdrawal("k", "g", "2026-11-30T09:30:00Z"), 1),
        ("somebody else took theirs back", vec![vote(key(), later)], withdrawal("l", "h", "2026-11-30T09:30:00Z"), 1),
    ] {
        let record = noted(AcceptanceRecord::default(), &reviewed(votes, withdrawals), now);
        assert_eq!(record.plans.len(), expected, "{name}");
        assert_eq!(of_sync(&record.plans, "shop/web", now).len(), expected, "{name}");
        assert!(of_sync(&record.plans, "shop/other", now).is_empty(), "{name}");
    }
    // What was known is taken back as well, and ends.
    let record = noted(AcceptanceRecord::default(), &reviewed(vec![vote(key(), later)], vec![]), now);
    let gone = noted(record.clone(), &reviewed(vec![], withdrawal("k", "h", "2026-11-30T09:30:00Z")), now);
    assert!(gone.plans.is_empty() && gone.withdrawn.len() == 1);
    assert_eq!(noted(record.clone(), &reviewed(vec![], vec![]), now).plans, record.plans, "its note may be gone");
    assert!(noted(record, &reviewed(vec![], vec![]), at("2027-01-01T00:00:00Z")).plans.is_empty());
}

#[test]
fn what_was_taken_back_stands_in_the_record_once_and_with_what_stood_there() {
    let withdrawal = |head: &str| Withdrawal { key: "k".into(), head: head.into(), at: at("2026-11-30T09:00:00Z") };
    let heads = |record: &AcceptanceRecord| record.withdrawn.iter().map(|one| one.head.clone()).collect::<Vec<_>>();
    let record = taken_back(AcceptanceRecord::default(), &[withdrawal("a")]);
    assert_eq!(taken_back(record.clone(), &[]), record, "that nobody says so any more changes nothing");
    assert_eq!(taken_back(record.clone(), &[withdrawal("a")]), record);
    assert_eq!(heads(&taken_back(record.clone(), &[withdrawal("b"), withdrawal("b")])), ["a", "b"]);
    let many: Vec<_> = (0..REMEMBERED).map(|number| withdrawal(&number.to_string())).collect();
    let full = taken_back(record, &many);
    assert_eq!((full.withdrawn.len(), heads(&full)[0].as_str()), (REMEMBERED, "0"), "the oldest one goes");
}

#[test]
fn what_was_foretold_is_recalled_as_it_was_or_not_at_all() {
    let cache = tempfile::TempDir::new().expect("a folder");
    let memory = Memory::new(cache.path());
    let line = EssenceLine {
        id: ObjectId::new("shop", "web", "", "ConfigMap"),
        action: Action::Deleted,
        sent: None,
        shown: String::new(),
        detail: None,
    };
    let essence = Essence { lines: vec![line], inputs: None };
    let digest = essence.digest();
    assert_eq!(memory.recall(&digest), None);
    memory.keep(&essence);
    assert_eq!(memory.recall(&digest), Some(essence));
    assert_eq!(memory.recall("sha256:../../etc/passwd"), None);
    let path = memory.path(&digest);
    std::fs::write(&path, b"{}").expect("writes");
    assert_eq!(memory.recall(&digest), None, "what was changed is not believed");
}
