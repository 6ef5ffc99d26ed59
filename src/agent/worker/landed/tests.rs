//! A pull request that was rebased onto the mainline, judged over real commits: each of them says what is wrong with it.

use super::super::bare::{Bare, OWNERS, approved, check, evidence};
use super::super::review::{Way, review};
use super::*;
use crate::revision::review::OWNERS_FILE;

const RULES: &str = "  rules:\n  - {paths: [/shop/], dev: [dana]}\n";

/// Two commits of a pull request whose base is older than what is accepted, and the same two rebased onto that.
struct Story {
    bare: Bare,
    accepted: String,
    head: [String; 2],
    rebased: [String; 2],
}

impl Story {
    fn new() -> Self {
        Self::of(&format!("{OWNERS}{RULES}"))
    }

    fn of(owners: &str) -> Self {
        let bare = Bare::new();
        let commit = |parents: &[&str], names: &[&str]| {
            let shop: Vec<_> = names.iter().map(|name| (format!("shop/{name}"), *name)).collect();
            let shop = shop.iter().map(|(path, text)| (path.as_str(), *text));
            let files: Vec<_> = std::iter::once((OWNERS_FILE, owners)).chain(shop).collect();
            bare.commit(parents, &files, "a change")
        };
        let base = commit(&[], &[]);
        let accepted = commit(&[&base], &["more"]);
        let first = commit(&[&base], &["one"]);
        let second = commit(&[&first], &["one", "two"]);
        let again = commit(&[&accepted], &["more", "one"]);
        let last = commit(&[&again], &["more", "one", "two"]);
        Self { bare, accepted, head: [first, second], rebased: [again, last] }
    }

    fn proposal(&self) -> Proposal {
        approved(&self.head[1], &self.rebased[1], (1, None))
    }

    /// What comes of each step, where the forge says this of the last one and nothing of those before.
    fn judged(&self, proposal: Proposal) -> Vec<Judged> {
        let [first, last] = self.rebased.clone();
        let said = BTreeMap::from([(first, evidence(Vec::new())), (last, evidence(vec![proposal]))]);
        let check = check(&self.accepted, said);
        let reviewed = review(&self.bare, &self.rebased[1], &check).expect("it is judged");
        assert_eq!(reviewed.way, Way::Mainline);
        assert_eq!(reviewed.steps.iter().map(|step| step.commit.as_str()).collect::<Vec<_>>(), self.rebased);
        reviewed.steps
    }
}

#[test]
fn what_the_owners_file_asks_is_asked_where_the_repository_asks_for_less() {
    let file = format!("{OWNERS}  atLeast: Strict\n{RULES}");
    let story = Story::of(&file);
    for step in story.judged(story.proposal()) {
        assert!(!step.is_approved(), "{step:#?}");
        assert!(step.verdict.missing[0].why.contains("2 approvals (1 as dev, 1 as ops)"), "{step:#?}");
    }
}

fn flaws(judged: &Judged) -> Vec<Flaw> {
    judged.forge.iter().map(|refused| refused.flaw).collect()
}

#[test]
fn both_commits_of_a_rebase_are_approved_with_its_pull_request() {
    let story = Story::new();
    for step in story.judged(story.proposal()) {
        assert!(step.is_approved(), "{step:#?}");
        assert_eq!(step.heads, BTreeSet::from([story.head[1].clone()]));
    }
}

#[test]
fn each_commit_of_a_rebase_tells_why_the_pull_request_is_not_the_one() {
    let story = Story::new();
    let target = "refs/heads/side".to_owned();
    let [first, last] = story.judged(Proposal { target, ..story.proposal() }).try_into().expect("two");
    assert_eq!(flaws(&first), [Flaw::NoProposal, Flaw::OtherReference], "the forge names it with the last one alone");
    assert_eq!(flaws(&last), [Flaw::OtherReference]);
    assert!(!first.is_approved() && !last.is_approved());
}

#[test]
fn each_commit_of_a_rebase_tells_why_a_review_of_the_pull_request_does_not_count() {
    let story = Story::new();
    let mut proposal = story.proposal();
    proposal.reviews[0].head = Some(story.head[0].clone());
    for step in story.judged(proposal) {
        assert_eq!(flaws(&step), [Flaw::OtherHead], "{step:#?}");
        assert!(!step.is_approved());
    }
    let own = Proposal { opener: Some(1), ..story.proposal() };
    for step in story.judged(own) {
        assert!(!step.is_approved());
        assert_eq!(step.verdict.discounted.len(), 1, "{step:#?}");
        assert!(step.in_short().contains("OwnWork"), "{}", step.in_short());
    }
}
