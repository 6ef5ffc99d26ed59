//! Our own merge over small histories, whole and with ends.

use git2::{ObjectType, Oid, Repository, Signature, Time};
use tempfile::TempDir;

use super::*;

const URL: &str = "https://git.example.com/app";

/// A repository with the commits that a test makes.
struct Story {
    _folder: TempDir,
    repository: Repository,
}

impl Story {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let repository = Repository::init_bare(folder.path()).expect("a repository");
        Self { _folder: folder, repository }
    }

    fn tree(&self, files: &[(&str, &str)]) -> Oid {
        let mut tree = self.repository.treebuilder(None).expect("a tree");
        for (name, text) in files {
            let blob = self.repository.blob(text.as_bytes()).expect("a blob");
            tree.insert(name, blob, 0o100_644).expect("an entry");
        }
        tree.write().expect("written")
    }

    fn commit(&self, parents: &[&str], files: &[(&str, &str)]) -> String {
        // Each has another message, so that none is another.
        let count = self.repository.odb().expect("objects").path_count();
        let tree = self.repository.find_tree(self.tree(files)).expect("a tree");
        let parents: Vec<_> = parents.iter().map(|id| self.find(id)).collect();
        let message = format!("{count} {files:?} {}", parents.len());
        let who = Signature::new("Ada", "ada@example.com", &Time::new(1_780_000_000, 0)).expect("a name");
        let parents: Vec<_> = parents.iter().collect();
        self.repository.commit(None, &who, &who, &message, &tree, &parents).expect("a commit").to_string()
    }

    fn find(&self, id: &str) -> git2::Commit<'_> {
        self.repository.find_commit(Oid::from_str(id).expect("an id")).expect("a commit")
    }

    fn merge(&self, ours: &str, theirs: &str) -> OwnMerge {
        merge(&self.repository, URL, ours, theirs).expect("merges")
    }

    /// The same without some commits, as a shallow fetch leaves it.
    fn without(&self, missing: &[&str]) -> Self {
        let other = Self::new();
        let from = self.repository.odb().expect("objects");
        from.foreach(|id| {
            let object = from.read(*id).expect("an object");
            if !missing.contains(&id.to_string().as_str()) {
                let to = other.repository.odb().expect("objects");
                to.write(object.kind(), object.data()).expect("written");
            }
            true
        })
        .expect("all");
        other
    }
}

trait PathCount {
    fn path_count(&self) -> usize;
}

impl PathCount for git2::Odb<'_> {
    fn path_count(&self) -> usize {
        let mut count = 0;
        self.foreach(|_| {
            count += 1;
            true
        })
        .expect("all");
        count
    }
}

const BASE: &[(&str, &str)] = &[("a", "1\n"), ("b", "1\n")];

#[test]
fn the_commit_of_a_merge_is_read_like_any_other_and_is_in_memory_alone() {
    let story = Story::new();
    let base = story.commit(&[], BASE);
    let ours = story.commit(&[&base], &[("a", "2\n"), ("b", "1\n")]);
    let theirs = story.commit(&[&base], &[("a", "1\n"), ("b", "2\n")]);
    let (merge, made) = merge_in_memory(&story.repository, URL, &ours, &theirs).expect("merges");
    let made = made.expect("a merge");
    let commit = made.commit(URL, &ours, &theirs).expect("a commit");
    assert_eq!(merge.merged, Merged::Tree(tree_of(made.repository(), URL, &commit).expect("a tree")));
    let way = super::super::mainline(made.repository(), URL, &base, &commit).expect("a way");
    assert_eq!(way, super::super::Mainline::Steps(vec![ours.clone(), commit.clone()]));
    let raw =
        super::super::raw(made.repository(), URL, &commit, ObjectType::Commit).expect("read").expect("it is there");
    assert_eq!(crate::revision::signature::parents(&raw), Some(vec![ours.clone(), theirs.clone()]));
    let brought =
        super::super::range(made.repository(), URL, std::slice::from_ref(&ours), &commit, false).expect("a range");
    let super::super::Range::Commits { ids, .. } = brought else { panic!("{brought:?}") };
    assert_eq!(ids, [commit.clone(), theirs.clone()]);
    assert_eq!(made.commit(URL, &ours, &theirs).expect("again"), commit, "at no time, by nobody");
    assert!(story.repository.find_commit(Oid::from_str(&commit).expect("an id")).is_err(), "nothing was written");
}

#[test]
fn both_sides_are_merged_as_git_merges_them_and_nothing_is_written() {
    let story = Story::new();
    let base = story.commit(&[], BASE);
    let ours = story.commit(&[&base], &[("a", "2\n"), ("b", "1\n")]);
    let one = story.commit(&[&base], &[("a", "1\n"), ("b", "2\n")]);
    let two = story.commit(&[&one], &[("a", "1\n"), ("b", "3\n")]);
    let objects = story.repository.odb().expect("objects").path_count();
    let told = story.merge(&ours, &two);
    let elsewhere = Story::new();
    let expected = elsewhere.tree(&[("a", "2\n"), ("b", "3\n")]).to_string();
    assert_eq!(told.merged, Merged::Tree(expected.clone()));
    assert_eq!((told.brings, told.brought), (2, HashSet::from([one, two.clone()])));
    let again = Repository::open_bare(story.repository.path()).expect("opens");
    assert_eq!(again.odb().expect("objects").path_count(), objects, "what the merge made stays in memory");
    assert!(again.find_object(Oid::from_str(&expected).expect("an id"), Some(ObjectType::Tree)).is_err());

    // What has all of the other already, and what is a part of it.
    let updated = story.commit(&[&two, &ours], &[("a", "2\n"), ("b", "3\n")]);
    assert_eq!(story.merge(&ours, &updated).merged, Merged::Tree(expected.clone()));
    let back = story.merge(&updated, &two);
    assert_eq!((back.merged, back.brings), (Merged::Tree(expected), 0));
}

#[test]
fn what_has_no_one_answer_has_none() {
    let story = Story::new();
    let base = story.commit(&[], BASE);
    let ours = story.commit(&[&base], &[("a", "2\n"), ("b", "1\n")]);
    let theirs = story.commit(&[&base], &[("a", "3\n"), ("b", "1\n")]);
    assert_eq!(story.merge(&ours, &theirs).merged, Merged::Conflicts);
    let other = story.commit(&[&base], &[("a", "1\n"), ("b", "2\n")]);
    let (left, right) = (
        story.commit(&[&ours, &other], &[("a", "2\n"), ("b", "2\n")]),
        story.commit(&[&other, &ours], &[("a", "2\n"), ("b", "2\n"), ("c", "")]),
    );
    for (name, ours, theirs) in [("two bases", &left, &right), ("no base", &ours, &story.commit(&[], &[("z", "")]))] {
        let told = story.merge(ours, theirs);
        assert!(matches!(told.merged, Merged::Unknown(_)) && !told.short, "{name}: {told:?}");
    }
    assert_eq!(story.merge(&ours, &"e".repeat(40)).merged, Merged::Absent);
}

#[test]
fn history_that_ends_is_believed_only_where_what_is_missing_changes_nothing() {
    let story = Story::new();
    let root = story.commit(&[], BASE);
    let first = story.commit(&[&root], &[("a", "2\n"), ("b", "1\n")]);
    let second = story.commit(&[&first], &[("a", "3\n"), ("b", "1\n")]);
    let ours = story.commit(&[&second], &[("a", "4\n"), ("b", "1\n")]);
    let from_second = story.commit(&[&second], &[("a", "3\n"), ("b", "2\n")]);
    let from_root = story.commit(&[&root], &[("a", "1\n"), ("b", "2\n")]);
    // Joins what was brought in from elsewhere: older than it seems.
    let joined = story.commit(&[&from_second, &from_root], &[("a", "3\n"), ("b", "2\n")]);
    for (name, missing, theirs, short) in [
        ("whole", vec![], &from_second, false),
        ("the end is shared", vec![root.as_str(), &first], &from_second, false),
        ("where they part is missing", vec![root.as_str()], &from_root, true),
        ("one side ends", vec![first.as_str()], &from_root, true),
        ("a side branch ends below", vec![root.as_str(), &first], &joined, true),
        ("whole, with a side branch", vec![], &joined, false),
    ] {
        let told = story.without(&missing).merge(&ours, theirs);
        assert_eq!(told.short, short, "{name}: {told:?}");
        assert_eq!(matches!(told.merged, Merged::Tree(_)), !short, "{name}: {told:?}");
        if !short {
            assert_eq!(told.merged, story.merge(&ours, theirs).merged, "{name}");
        }
    }
}

#[test]
fn the_files_of_a_merge_can_be_read_before_anybody_makes_it() {
    use crate::render::Tree;
    let story = Story::new();
    let base = story.commit(&[], &[("a", "1\n"), ("b", "1\n")]);
    let ours = story.commit(&[&base], &[("a", "2\n"), ("b", "1\n")]);
    let theirs = story.commit(&[&base], &[("a", "1\n"), ("b", "2\n"), ("c", "3\n")]);
    let merged = |one: &str, two: &str| merge_in_memory(&story.repository, URL, one, two).expect("merges");
    let (merge, made) = merged(&ours, &theirs);
    let made = made.expect("they merge");
    for (name, text) in [("a", "2\n"), ("b", "2\n"), ("c", "3\n")] {
        assert_eq!(made.files().read(name, 10).expect("reads"), Some(text.as_bytes().to_vec()), "{name}");
    }
    let changes: Vec<String> = made.changes(URL, &ours).expect("compares").into_iter().collect();
    assert_eq!(changes, ["b", "c"]);
    let Merged::Tree(tree) = merge.merged else { panic!("{merge:?}") };
    assert!(story.repository.find_tree(Oid::from_str(&tree).expect("an id")).is_err(), "nothing was written");
    // What is there already changes nothing, and a commit can stand for itself.
    for one in [&base, &ours] {
        let made = merged(&ours, one).1.expect("they merge");
        assert_eq!(made.changes(URL, &ours), Ok(BTreeSet::new()));
    }
    let conflict = story.commit(&[&base], &[("a", "3\n"), ("b", "1\n")]);
    assert!(merged(&ours, &conflict).1.is_none());
}
