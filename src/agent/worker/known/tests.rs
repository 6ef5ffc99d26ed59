//! Which file of a commit counts, over real commits.

use std::collections::BTreeMap;

use super::super::bare::{Bare, Files, OWNERS, URL, approved, check, evidence};
use super::super::review::{Judged, Reviewed, Way, review};
use super::*;

struct Story(Bare);

impl Story {
    fn new() -> Self {
        Self(Bare::new())
    }

    fn known(&self, files: Files<'_>, dialect: Option<Dialect>) -> Result<Known, String> {
        let commit = self.0.commit(&[], files, "a change");
        Known::read(&self.0.repository(), URL, &commit, dialect).expect("it is read")
    }

    /// What comes of a step that somebody approved on the forge, and a squash of the same files.
    fn judged(
        &self,
        before: Files<'_>,
        after: Files<'_>,
        by: (u64, &str),
        first: &[(&str, u64)],
    ) -> (Judged, Reviewed) {
        let accepted = self.0.commit(&[], before, "before");
        let head = self.0.commit(&[&accepted], after, "a change");
        // Another commit of the same tree.
        let step = self.0.commit(&[&accepted], after, "squashed");
        let proposal = approved(&head, &step, (by.0, Some(by.1)));
        let mut check = check(&accepted, BTreeMap::from([(step.clone(), evidence(vec![proposal]))]));
        check.logins = first.iter().map(|(login, id)| ((*login).to_owned(), *id)).collect();
        let mut reviewed = review(&self.0, &step, &check).expect("it is judged");
        assert_eq!(reviewed.way, Way::Mainline);
        (reviewed.steps.pop().expect("a step"), reviewed)
    }
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
