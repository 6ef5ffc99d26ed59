//! A pull request that was rebased onto the mainline, judged over real commits: each of them says what is wrong with it.

use git2::{Oid, Signature, Time};
use jiff::Timestamp;
use tempfile::TempDir;

use super::super::review::{Way, review};
use super::*;
use crate::revision::proposal::{Evidence, Review, Says};
use crate::revision::review::note::Scope;
use crate::revision::review::{Dialect, OWNERS_FILE, Profile};

const OWNERS: &str = "
apiVersion: tandemcd.io/v1alpha1
kind: Owners
metadata: {name: owners}
spec:
  people:
  - {name: dana, accounts: [{forge: forge.example, id: 1}]}
  - {name: olga, accounts: [{forge: forge.example, id: 2}]}
  ops: [olga]
  rules:
  - {paths: [/shop/], dev: [dana]}
";

/// Two commits of a pull request whose base is older than what is accepted, and the same two rebased onto that.
struct Story {
    folder: TempDir,
    accepted: String,
    head: [String; 2],
    rebased: [String; 2],
}

impl Story {
    fn new() -> Self {
        Self::of(OWNERS)
    }

    fn of(owners: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let repository = Repository::init_bare(folder.path()).expect("a repository");
        let commit = |parents: &[&str], files: &[&str]| commit((&repository, owners), parents, files);
        let base = commit(&[], &[]);
        let accepted = commit(&[&base], &["more"]);
        let first = commit(&[&base], &["one"]);
        let second = commit(&[&first], &["one", "two"]);
        let again = commit(&[&accepted], &["more", "one"]);
        let last = commit(&[&again], &["more", "one", "two"]);
        Self { folder, accepted, head: [first, second], rebased: [again, last] }
    }

    fn proposal(&self) -> Proposal {
        let at = |minute| Some(at(minute));
        let [_, head] = self.head.clone();
        let review = Review {
            by: Some(1),
            login: None,
            bot: false,
            says: Says::Approved,
            head: Some(head),
            at: at(1),
            may_write: true,
        };
        Proposal {
            number: 7,
            repository: Some(70),
            target: "refs/heads/main".to_owned(),
            merged_at: at(2),
            merge_commit: Some(self.rebased[1].clone()),
            squash_commit: None,
            by_hand: false,
            head: review.head.clone(),
            head_reference: "refs/pull/7/head".to_owned(),
            base: None,
            opener: Some(9),
            authors: BTreeSet::new(),
            pushers: Some(BTreeSet::from([9])),
            retargeted: None,
            versions: Vec::new(),
            reviews: vec![review],
        }
    }

    /// What comes of each step, where the forge says this of the last one and nothing of those before.
    fn judged(&self, proposal: Proposal) -> Vec<Judged> {
        let evidence = |proposals| Evidence {
            forge: "forge.example".to_owned(),
            repository: 70,
            proposals,
            since: at(0),
            failed: None,
        };
        let [first, last] = self.rebased.clone();
        let check = ReviewCheck {
            accepted: self.accepted.clone(),
            scope: Scope {
                repository: "forge.example/app".to_owned(),
                reference: "refs/heads/main".to_owned(),
                cluster: "lab".to_owned(),
            },
            settings: Profile::Reviewed.settings(),
            forge: Some("forge.example".to_owned()),
            dialect: Some(Dialect::GitHub),
            logins: BTreeMap::new(),
            standards: BTreeSet::new(),
            withdrawals: Vec::new(),
            evidence: BTreeMap::from([(first, evidence(Vec::new())), (last, evidence(vec![proposal]))]),
            now: at(60),
        };
        let reviewed = review(self, &self.rebased[1], &check).expect("it is judged");
        assert_eq!(reviewed.way, Way::Mainline);
        assert_eq!(reviewed.steps.iter().map(|step| step.commit.as_str()).collect::<Vec<_>>(), self.rebased);
        reviewed.steps
    }
}

impl Objects for Story {
    fn open<T>(&self, work: impl FnOnce(&Repository) -> Result<T, GitError>) -> Result<T, GitError> {
        work(&Repository::open_bare(self.folder.path()).expect("the repository"))
    }

    fn deepen(&self, _step: usize) -> Result<bool, GitError> {
        Ok(false)
    }

    fn fetch_tag(&self) -> Result<bool, GitError> {
        Ok(false)
    }

    fn url(&self) -> &str {
        "https://forge.example/app"
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + minute * 60).expect("a time")
}

/// A commit with the owners file, and these files in the folder of the shop.
fn commit((repository, owners): (&Repository, &str), parents: &[&str], files: &[&str]) -> String {
    let tree = |entries: &[(&str, Oid, i32)]| {
        let mut tree = repository.treebuilder(None).expect("a tree");
        for (name, id, mode) in entries {
            tree.insert(name, *id, *mode).expect("an entry");
        }
        tree.write().expect("written")
    };
    let blob = |text: &str| repository.blob(text.as_bytes()).expect("a blob");
    let (folder, file) = OWNERS_FILE.split_once('/').expect("in a folder");
    let owners = tree(&[(file, blob(owners), 0o100_644)]);
    let shop: Vec<_> = files.iter().map(|name| (*name, blob(name), 0o100_644)).collect();
    let root = tree(&[(folder, owners, 0o040_000), ("shop", tree(&shop), 0o040_000)]);
    let root = repository.find_tree(root).expect("a tree");
    let found = |id: &&str| repository.find_commit(Oid::from_str(id).expect("an id")).expect("a commit");
    let parents: Vec<_> = parents.iter().map(found).collect();
    let who = Signature::new("Ada", "ada@example.com", &Time::new(1_780_000_000, 0)).expect("a name");
    let parents: Vec<_> = parents.iter().collect();
    repository.commit(None, &who, &who, &format!("{files:?}"), &root, &parents).expect("a commit").to_string()
}

#[test]
fn what_the_owners_file_asks_is_asked_where_the_repository_asks_for_less() {
    let file = OWNERS.replacen("  rules:\n", "  atLeast: Strict\n  rules:\n", 1);
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
