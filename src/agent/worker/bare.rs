//! A repository that tests of review fill, as the history that is judged.

use std::collections::{BTreeMap, BTreeSet};

use git2::{IndexEntry, IndexTime, Oid, Repository, Signature, Time};
use jiff::Timestamp;
use tempfile::TempDir;

use super::review::ReviewCheck;
use super::verify::Objects;
use crate::git::GitError;
use crate::revision::proposal::{Evidence, Proposal, Review, Says};
use crate::revision::review::note::Scope;
use crate::revision::review::{Dialect, Profile};

/// Two people; operations are one of them.
pub const OWNERS: &str = "
apiVersion: tandemcd.io/v1alpha1
kind: Owners
metadata: {name: owners}
spec:
  people:
  - {name: dana, accounts: [{forge: forge.example, id: 1}]}
  - {name: olga, accounts: [{forge: forge.example, id: 2}]}
  ops: [olga]
";
pub const URL: &str = "https://forge.example/app";

/// Paths with what stands there.
pub type Files<'a> = &'a [(&'a str, &'a str)];

pub struct Bare(TempDir);

impl Bare {
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        Repository::init_bare(folder.path()).expect("a repository");
        Self(folder)
    }

    pub fn repository(&self) -> Repository {
        Repository::open_bare(self.0.path()).expect("the repository")
    }

    pub fn commit(&self, parents: &[&str], files: Files<'_>, message: &str) -> String {
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
        let found = |id: &&str| repository.find_commit(Oid::from_str(id).expect("an id")).expect("a commit");
        let parents: Vec<_> = parents.iter().map(found).collect();
        let who = Signature::new("Ada", "ada@example.com", &Time::new(1_780_000_000, 0)).expect("a name");
        let parents: Vec<_> = parents.iter().collect();
        repository.commit(None, &who, &who, message, &tree, &parents).expect("a commit").to_string()
    }
}

impl Objects for Bare {
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

pub fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + minute * 60).expect("a time")
}

/// A pull request of account 9 that somebody approved, and that landed by a commit.
pub fn approved(head: &str, landed: &str, (by, login): (u64, Option<&str>)) -> Proposal {
    let review = Review {
        by: Some(by),
        login: login.map(str::to_owned),
        bot: false,
        says: Says::Approved,
        head: Some(head.to_owned()),
        at: Some(at(1)),
        may_write: true,
    };
    Proposal {
        number: 7,
        repository: Some(70),
        target: "refs/heads/main".to_owned(),
        merged_at: Some(at(2)),
        merge_commit: Some(landed.to_owned()),
        squash_commit: None,
        by_hand: false,
        head: Some(head.to_owned()),
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

/// What the forge said of a commit.
pub fn evidence(proposals: Vec<Proposal>) -> Evidence {
    Evidence { forge: "forge.example".to_owned(), repository: 70, proposals, since: at(0), failed: None }
}

/// How what comes after a commit is judged.
pub fn check(accepted: &str, evidence: BTreeMap<String, Evidence>) -> ReviewCheck {
    ReviewCheck {
        accepted: accepted.to_owned(),
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
        evidence,
        now: at(60),
    }
}
