//! What people read. No text here can hold a value of an object: only names, fields and counts.

use crate::api::BrokenGlass;
use crate::object::{ObjectId, Problem};

use super::facts::{Drift, Fight};

/// The text, cut at `limit` bytes between characters and marked with `…` where it was longer.
pub fn bounded(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = limit.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// `<the first in full>; and 2 more problems`.
pub fn problems(problems: &[Problem]) -> String {
    match problems {
        [] => "no problems".to_owned(),
        [only] => one_problem(only),
        [first, _] => format!("{}; and 1 more problem", one_problem(first)),
        [first, rest @ ..] => format!("{}; and {} more problems", one_problem(first), rest.len()),
    }
}

/// So many problems in full, one after the other, and how many more there are.
pub fn first_problems(problems: &[Problem], count: usize) -> String {
    let mut parts: Vec<_> = problems.iter().take(count).map(one_problem).collect();
    match problems.len().saturating_sub(count) {
        0 => {}
        1 => parts.push("and 1 more problem".to_owned()),
        rest => parts.push(format!("and {rest} more problems")),
    }
    parts.join("; ")
}

/// A problem on one line, with its hint.
pub(super) fn one_problem(problem: &Problem) -> String {
    match &problem.hint {
        Some(hint) => format!("{problem}; hint: {hint}"),
        None => problem.to_string(),
    }
}

/// A change by hand that was put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Of which object.
    pub id: ObjectId,
    /// Which fields, as people read them; empty where the object was gone or nothing is known.
    pub fields: Vec<String>,
    /// What happened.
    pub kind: RepairKind,
    /// By whom; `unknown` where managedFields show nobody.
    pub author: String,
    /// Milliseconds from the watch event to the answer to the repair.
    pub millis: u64,
}

/// What was put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairKind {
    /// Fields were changed.
    Changed,
    /// The object was deleted.
    Deleted,
}

/// `Deployment.apps/shop/web: spec.replicas changed by kubectl-scale; put right in 120 ms`.
pub fn repair(repair: &Repair) -> String {
    let Repair { id, fields, kind, author, millis } = repair;
    let what = match kind {
        RepairKind::Deleted => "deleted".to_owned(),
        RepairKind::Changed if fields.is_empty() => "changed".to_owned(),
        RepairKind::Changed => format!("{} changed", list(fields, 3)),
    };
    format!("{id}: {what} by {author}; put right in {millis} ms")
}

/// Fields that another manager owned, and that are ours now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// Of which object.
    pub id: ObjectId,
    /// Which fields, as people read them.
    pub fields: Vec<String>,
    /// From whom.
    pub from: String,
}

/// `Deployment.apps/shop/web: spec.replicas taken over from helm`.
pub fn takeover(takeover: &Takeover) -> String {
    let Takeover { id, fields, from } = takeover;
    let what = if fields.is_empty() { "all fields".to_owned() } else { list(fields, 3) };
    format!("{id}: {what} taken over from {from}; to leave them, annotate the manifest with tandemcd.io/conflict: Keep")
}

/// Another controller that sets a field back.
pub fn fight(fight: &Fight) -> String {
    let Fight { id, field, author, rounds } = fight;
    let field = field.as_deref().unwrap_or("a field");
    format!(
        "{id}: {field} was put right {rounds} times and set back each time by {author}; repairs are slowed. \
         Remove the field from Git, or list it in spec.ignore"
    )
}

/// A commit that goes ahead of its review, or went ahead.
pub fn glass(glass: &BrokenGlass) -> String {
    let BrokenGlass { commit, by, reason, until, .. } = glass;
    format!(
        "commit {commit} goes ahead of its review until {until}, by {by}: {reason}; somebody else has to approve it: \
         tandem approve {commit}"
    )
}

/// Drift that is left as it is.
pub fn drift(drift: &Drift) -> String {
    let named: Vec<_> = drift.first.iter().map(|(id, author)| format!("{id} (by {author})")).collect();
    let objects = plural(drift.objects, "object differs", "objects differ");
    if named.is_empty() { objects } else { format!("{objects}: {}", list_of(&named, drift.objects as usize, 3)) }
}

/// Sources of variables and the like whose changes are not seen when they happen; empty where there
/// are none. It follows what else is told.
pub fn unwatched(sources: &[String]) -> String {
    if sources.is_empty() {
        return String::new();
    }
    let are = if sources.len() == 1 { "is" } else { "are" };
    let named = list_of(sources, sources.len(), 3);
    format!(
        "; {named} {are} read at spec.interval only: the ServiceAccount may not list and watch {}",
        match sources {
            [_] => "it",
            _ => "them",
        }
    )
}

/// What a deletion budget holds back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetHold {
    /// How many objects would be deleted.
    pub deletions: u32,
    /// How many the Sync owns.
    pub owned: u32,
    /// Limits: objects, and percent of the inventory.
    pub limits: (u32, u32),
    /// Those of kinds that always need the trailer.
    pub protected: Vec<ObjectId>,
    /// Some of what would be deleted.
    pub first: Vec<ObjectId>,
    /// Name of the cluster; empty where it has none.
    pub cluster: String,
    /// `namespace/name` of the Sync.
    pub sync: String,
}

/// Why deletions are held, and the line that lets them go.
pub fn budget(hold: &BudgetHold) -> String {
    let BudgetHold { deletions, owned, limits: (count, percent), protected, first, cluster, sync } = hold;
    let why = if protected.is_empty() {
        format!("{deletions} of {owned} objects would be deleted, more than {count} and {percent} %")
    } else {
        let names: Vec<_> = protected.iter().map(ToString::to_string).collect();
        format!(
            "{} would be deleted, of a kind that is protected: {}",
            plural(u32::try_from(names.len()).unwrap_or(u32::MAX), "object", "objects"),
            list(&names, 3)
        )
    };
    let names: Vec<_> = first.iter().map(ToString::to_string).collect();
    let examples = match (protected.is_empty(), names.is_empty()) {
        (true, false) => format!(" ({})", list_of(&names, *deletions as usize, 3)),
        _ => String::new(),
    };
    let prefix = if cluster.is_empty() { String::new() } else { format!("{cluster}/") };
    format!(
        "{why}{examples}; nothing is deleted until a commit has the line\nTandem-Delete: {prefix}{sync} {deletions}"
    )
}

/// Two Syncs that claim one object; said by both.
pub fn claimed(id: &ObjectId, owner: &str, claimant: &str) -> String {
    format!("{id} belongs to Sync {owner}, and Sync {claimant} claims it too; remove it from the path of one of them")
}

/// Up to `shown` items, joined; `a, b and 2 more`.
fn list(items: &[String], shown: usize) -> String {
    list_of(items, items.len(), shown)
}

fn list_of(items: &[String], all: usize, shown: usize) -> String {
    let head = items[..items.len().min(shown)].join(", ");
    match all.saturating_sub(shown.min(items.len())) {
        0 => head,
        more => format!("{head} and {more} more"),
    }
}

fn plural(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> ObjectId {
        ObjectId::new("shop", "web", "apps", "Deployment")
    }

    #[test]
    fn texts_are_cut_between_characters() {
        for (text, limit, expected) in
            [("abc", 3, "abc"), ("abcd", 4, "abcd"), ("abcde", 4, "a…"), ("äöü", 5, "ä…"), ("äöü", 3, "…")]
        {
            assert_eq!(bounded(text, limit), expected);
            assert!(bounded(text, limit).len() <= limit);
        }
    }

    #[test]
    fn repairs() {
        let mut changed = Repair {
            id: web(),
            fields: vec!["spec.replicas".into()],
            kind: RepairKind::Changed,
            author: "kubectl-scale".into(),
            millis: 120,
        };
        insta::assert_snapshot!(repair(&changed), @"Deployment.apps/shop/web: spec.replicas changed by kubectl-scale; put right in 120 ms");
        changed.fields = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        insta::assert_snapshot!(repair(&changed), @"Deployment.apps/shop/web: a, b, c and 2 more changed by kubectl-scale; put right in 120 ms");
        changed.fields.clear();
        insta::assert_snapshot!(repair(&changed), @"Deployment.apps/shop/web: changed by kubectl-scale; put right in 120 ms");
        let deleted = Repair { kind: RepairKind::Deleted, author: "unknown".into(), ..changed };
        insta::assert_snapshot!(repair(&deleted), @"Deployment.apps/shop/web: deleted by unknown; put right in 120 ms");
    }

    #[test]
    fn conflicts_and_fights() {
        let taken = Takeover { id: web(), fields: vec!["spec.replicas".into()], from: "helm".into() };
        insta::assert_snapshot!(takeover(&taken), @"Deployment.apps/shop/web: spec.replicas taken over from helm; to leave them, annotate the manifest with tandemcd.io/conflict: Keep");
        let over = Fight { id: web(), field: Some("spec.replicas".into()), author: "keda".into(), rounds: 5 };
        insta::assert_snapshot!(fight(&over), @"Deployment.apps/shop/web: spec.replicas was put right 5 times and set back each time by keda; repairs are slowed. Remove the field from Git, or list it in spec.ignore");
        insta::assert_snapshot!(claimed(&web(), "shop/web", "shop/api"), @"Deployment.apps/shop/web belongs to Sync shop/web, and Sync shop/api claims it too; remove it from the path of one of them");
    }

    #[test]
    fn drift_names_the_first_objects_with_their_authors() {
        let seen =
            |objects, named: usize| Drift { objects, first: vec![(web(), "kubectl".to_owned()); named], fight: None };
        insta::assert_snapshot!(drift(&seen(1, 1)), @"1 object differs: Deployment.apps/shop/web (by kubectl)");
        insta::assert_snapshot!(drift(&seen(5, 1)), @"5 objects differ: Deployment.apps/shop/web (by kubectl) and 4 more");
        insta::assert_snapshot!(drift(&seen(2, 0)), @"2 objects differ");
    }

    #[test]
    fn a_budget_names_the_line_to_paste() {
        let mut hold = BudgetHold {
            deletions: 12,
            owned: 40,
            limits: (10, 20),
            protected: Vec::new(),
            first: vec![web(); 4],
            cluster: "prod".into(),
            sync: "shop/all".into(),
        };
        insta::assert_snapshot!(budget(&hold), @r"
        12 of 40 objects would be deleted, more than 10 and 20 % (Deployment.apps/shop/web, Deployment.apps/shop/web, Deployment.apps/shop/web and 9 more); nothing is deleted until a commit has the line
        Tandem-Delete: prod/shop/all 12
        ");
        hold.protected = vec![ObjectId::new("", "shop", "", "Namespace")];
        hold.cluster.clear();
        insta::assert_snapshot!(budget(&hold), @r"
        1 object would be deleted, of a kind that is protected: Namespace/shop; nothing is deleted until a commit has the line
        Tandem-Delete: shop/all 12
        ");
    }

    #[test]
    fn problems_tell_the_first_and_count_the_rest() {
        let problem = Problem::new("UnknownField", "spec.replica is not known")
            .in_file("web.yaml", Some(7))
            .hint("did you mean replicas");
        insta::assert_snapshot!(problems(&[]), @"no problems");
        insta::assert_snapshot!(problems(std::slice::from_ref(&problem)), @"web.yaml:7: spec.replica is not known (UnknownField); hint: did you mean replicas");
        insta::assert_snapshot!(problems(&[problem.clone(), problem.clone(), problem]), @"web.yaml:7: spec.replica is not known (UnknownField); hint: did you mean replicas; and 2 more problems");
    }
}
