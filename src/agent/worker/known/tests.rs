//! Which file of a commit counts, over real commits.

use std::collections::BTreeMap;

use git2::{IndexEntry, IndexTime, Oid, Signature, Time};
use jiff::Timestamp;
use tempfile::TempDir;

use super::super::review::{Judged, Reviewed, Way, review};
use super::super::verify::Objects;
use super::*;
use crate::revision::proposal::{Evidence, Proposal, Review, Says};
use crate::revision::review::Profile;
use crate::revision::review::note::Scope;

const OWNERS: &str = "
apiVersion: tandemcd.io/v1alpha1
kind: Owners
metadata: {name: owners}
spec:
  people:
  - {name: dana, accounts: [{forge: forge.example, id: 1}]}
  - {name: olga, accounts: [{forge: forge.example, id: 2}]}
  ops: [olga]
";
const URL: &str = "https://forge.example/app";

type Files<'a> = &'a [(&'a str, &'a str)];

struct Story(TempDir);

impl Story {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        Repository::init_bare(folder.path()).expect("a repository");
        Self(folder)
    }

    fn repository(&self) -> Repository {
        Repository::open_bare(self.0.path()).expect("the repository")
    }

    fn commit(&self, parent: Option<&str>, files: Files<'_>) -> String {
        let repository = self.repository();
        let mut index = repository.index().expect("an index");
        index.clear().expect("empty");
        for (path, text) in files {
            let time = IndexTime::new(0, 0);
            let (id, path) = (Oid::ZERO_SHA1, path.as_bytes().to_vec());
            let entry = IndexEntry {
                ctime: time,
                mtime: time,
                dev: 0,
                ino: 0,
                mode: 0o100_644,
                uid: 0,
                gid: 0,
                file_size: 0,
                id,
                flags: 0,
                flags_extended: 0,
                path,
            };
            index.add_frombuffer(&entry, text.as_bytes()).expect("a file");
        }
        let tree = repository.find_tree(index.write_tree().expect("written")).expect("a tree");
        let found = |id| repository.find_commit(Oid::from_str(id).expect("an id")).expect("a commit");
        let parents: Vec<_> = parent.into_iter().map(found).collect();
        let who = Signature::new("Ada", "ada@example.com", &Time::new(1_780_000_000, 0)).expect("a name");
        let parents: Vec<_> = parents.iter().collect();
        repository.commit(None, &who, &who, "a change", &tree, &parents).expect("a commit").to_string()
    }

    fn known(&self, files: Files<'_>, dialect: Option<Dialect>) -> Result<Known, String> {
        let commit = self.commit(None, files);
        Known::read(&self.repository(), URL, &commit, dialect).expect("it is read")
    }

    /// What comes of a step that somebody approved on the forge, and a squash of the same files.
    fn judged(
        &self,
        before: Files<'_>,
        after: Files<'_>,
        by: (u64, &str),
        first: &[(&str, u64)],
    ) -> (Judged, Reviewed) {
        let accepted = self.commit(None, before);
        let head = self.commit(Some(&accepted), after);
        let step = {
            // Another commit of the same tree.
            let repository = self.repository();
            let parent = repository.find_commit(Oid::from_str(&accepted).expect("an id")).expect("a commit");
            let tree = repository.find_commit(Oid::from_str(&head).expect("an id")).expect("a commit").tree();
            let who = Signature::new("Ada", "ada@example.com", &Time::new(1_780_000_001, 0)).expect("a name");
            let tree = tree.expect("a tree");
            repository.commit(None, &who, &who, "squashed", &tree, &[&parent]).expect("a commit").to_string()
        };
        let review_of = Review {
            by: Some(by.0),
            login: Some(by.1.to_owned()),
            bot: false,
            says: Says::Approved,
            head: Some(head.clone()),
            at: Some(at(1)),
            may_write: true,
        };
        let proposal = Proposal {
            number: 7,
            repository: Some(70),
            target: "refs/heads/main".to_owned(),
            merged_at: Some(at(2)),
            merge_commit: Some(step.clone()),
            squash_commit: None,
            by_hand: false,
            head: Some(head),
            head_reference: "refs/pull/7/head".to_owned(),
            base: None,
            opener: Some(9),
            authors: BTreeSet::new(),
            pushers: Some(BTreeSet::from([9])),
            retargeted: None,
            versions: Vec::new(),
            reviews: vec![review_of],
        };
        let evidence = Evidence {
            forge: "forge.example".to_owned(),
            repository: 70,
            proposals: vec![proposal],
            since: at(0),
            failed: None,
        };
        let check = ReviewCheck {
            accepted,
            scope: Scope {
                repository: "forge.example/app".to_owned(),
                reference: "refs/heads/main".to_owned(),
                cluster: "lab".to_owned(),
            },
            settings: Profile::Reviewed.settings(),
            forge: Some("forge.example".to_owned()),
            dialect: Some(Dialect::GitHub),
            logins: first.iter().map(|(login, id)| ((*login).to_owned(), *id)).collect(),
            standards: BTreeSet::new(),
            withdrawals: Vec::new(),
            evidence: BTreeMap::from([(step.clone(), evidence)]),
            now: at(60),
        };
        let mut reviewed = review(self, &step, &check).expect("it is judged");
        assert_eq!(reviewed.way, Way::Mainline);
        (reviewed.steps.pop().expect("a step"), reviewed)
    }
}

impl Objects for Story {
    fn open<T>(&self, work: impl FnOnce(&Repository) -> Result<T, GitError>) -> Result<T, GitError> {
        work(&self.repository())
    }

    fn deepen(&self, _step: usize) -> Result<bool, GitError> {
        Ok(false)
    }

    fn fetch_tag(&self) -> Result<bool, GitError> {
        Ok(false)
    }

    fn url(&self) -> &str {
        URL
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + minute * 60).expect("a time")
}

#[test]
fn code_owners_are_read_only_where_no_owners_file_is_and_where_the_forge_looks_first() {
    use Dialect::{GitHub, GitLab, Gitea};
    let story = Story::new();
    let names = |files: Files<'_>, dialect, login: &str| story.known(files, dialect).expect("it is there").names(login);
    let three = |own: &'static str| [(own, "* @own\n"), ("CODEOWNERS", "* @root\n"), ("docs/CODEOWNERS", "* @docs\n")];
    let regular = [(".gitea/CODEOWNERS", ".* @own\n"), ("CODEOWNERS", ".* @root\n")];
    assert!(names(&three(".github/CODEOWNERS"), Some(GitHub), "own"));
    assert!(names(&three(".gitlab/CODEOWNERS"), Some(GitLab), "root"));
    assert!(names(&regular, Some(Gitea), "root"));
    assert!(names(&three("x")[2..], Some(GitHub), "docs"));
    assert!(names(&regular[..1], Some(Gitea), "own"));

    let with = [(OWNERS_FILE, OWNERS), ("CODEOWNERS", "* @root\n")];
    let owners = story.known(&with, Some(GitHub)).expect("it is there");
    assert!(!owners.names("root") && owners.lists(&Account { forge: "forge.example".into(), id: 1 }));
    let wrong = [(OWNERS_FILE, "no: owners\n"), ("CODEOWNERS", "* @root\n")];
    assert!(story.known(&wrong, Some(GitHub)).is_err(), "a wrong owners file is not none");

    let why = |files: Files<'_>, dialect| story.known(files, dialect).err().expect("nobody");
    assert_eq!(why(&[("a", "")], Some(GitHub)), format!("there is no {OWNERS_FILE}"));
    assert!(why(&regular[..1], Some(GitHub)).contains("there is no"), "it is another forge's");
    let off = why(&[("docs/CODEOWNERS", "* @docs\n")], None);
    assert!(off.contains("docs/CODEOWNERS is read only where spec.review.forge is true"), "{off}");
    let bad = why(&[("CODEOWNERS", "* @root\n/a root\n")], Some(GitHub));
    assert!(bad.contains("\"root\" is no owner") && bad.contains("CODEOWNERS:2"), "{bad}");
}

#[test]
fn code_owners_are_those_of_the_accepted_commit() {
    let story = Story::new();
    let (before, after) = ([("CODEOWNERS", "* @dana\n")], [("CODEOWNERS", "* @dana\n"), ("a", "1")]);
    let granted = [("CODEOWNERS", "* @dana @wil\n"), ("a", "1")];
    let (step, _) = story.judged(&before, &granted, (3, "wil"), &[]);
    assert!(step.why().contains("of those whom CODEOWNERS:1 names: @dana; there are 0"), "{}", step.why());
    let (step, _) = story.judged(&before, &granted, (1, "Dana"), &[]);
    assert!(step.is_approved(), "{}", step.why());
    let (step, _) = story.judged(&before, &after, (1, "dana"), &[]);
    assert!(step.is_approved(), "{}", step.why());
}

#[test]
fn a_login_is_whose_it_was_when_it_first_counted_as_long_as_it_is_named() {
    let story = Story::new();
    let (before, after) = ([("CODEOWNERS", "* @dana\n")], [("CODEOWNERS", "* @dana\n"), ("a", "1")]);
    let (step, reviewed) = story.judged(&before, &after, (1, "Dana"), &[("gone", 5)]);
    assert!(step.is_approved(), "{}", step.why());
    assert_eq!(reviewed.logins, BTreeMap::from([("dana".to_owned(), 1)]));
    let (step, reviewed) = story.judged(&before, &after, (7, "dana"), &[("dana", 1)]);
    assert!(step.why().contains("(LoginMoved)"), "{}", step.why());
    assert_eq!(reviewed.logins, BTreeMap::from([("dana".to_owned(), 1)]));
    // What only a step that is not accepted yet takes out stays known.
    let (_, reviewed) = story.judged(&before, &[("CODEOWNERS", "* @devi\n")], (7, "dana"), &[("dana", 1)]);
    assert_eq!(reviewed.logins, BTreeMap::from([("dana".to_owned(), 1)]));
}

#[test]
fn who_is_asked_is_not_asked_more_weakly_by_taking_a_file_away() {
    let story = Story::new();
    let after = |before: Files<'_>, after: Files<'_>| story.judged(before, after, (1, "dana"), &[]).0;
    let (code, owners) = (("CODEOWNERS", "* @dana\n"), (OWNERS_FILE, OWNERS));
    let step = after(&[code, owners], &[code]);
    assert!(step.why().contains(&format!("nobody could approve: there is no {OWNERS_FILE}")), "{}", step.why());
    let step = after(&[code], &[("a", "1")]);
    assert!(step.why().contains(&format!("nobody could approve: there is no {OWNERS_FILE}")), "{}", step.why());
    let step = after(&[code], &[("CODEOWNERS", "* dana\n")]);
    assert!(step.why().contains("is no owner"), "{}", step.why());
    let step = after(&[code], &[code, owners]);
    assert!(step.why().contains("CODEOWNERS gives nobody a role"), "{}", step.why());
    let step = after(&[code], &[("CODEOWNERS", "* @devi\n")]);
    assert!(step.is_approved(), "{}", step.why());
}
