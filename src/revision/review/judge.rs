//! The verdict on one step of the mainline.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::note::Plans;
use super::owners::Circle;
use super::{Approval, Authorship, Owners, Role, Settings, Step, Voter};

/// Paths that a message names.
const NAMED: usize = 3;

/// Whether a step has the approvals that it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Who approved, each person once.
    pub by: Vec<Vote>,
    /// What is missing; nothing where it is approved.
    pub missing: Vec<Missing>,
    /// Approvals of this step that do not count.
    pub discounted: Vec<Discounted>,
    /// Approvals that count and say what is to become of the cluster.
    pub plans: Vec<PlanVote>,
    /// Logins by which `CODEOWNERS` names who approved, in lower case, with the number of each account.
    pub logins: BTreeMap<String, u64>,
}

/// Somebody's word on what is to become of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanVote {
    /// As the owners file calls them.
    pub person: String,
    /// By what they are known.
    pub voter: Voter,
    /// The commit that they approved.
    pub head: String,
    /// When, by their own word.
    pub at: Timestamp,
    /// From when on it does not count.
    pub expires: Option<Timestamp>,
    /// Of which Sync which plan.
    pub plans: Plans,
}

/// A person who approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// As the owners file calls them.
    pub person: String,
    /// The one role in which it counts; without it, in each that the person has.
    pub role: Option<Role>,
    /// When, by their own word or the forge's.
    pub at: Timestamp,
}

/// Approvals that are missing for some paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The paths.
    pub paths: Vec<String>,
    /// What is asked for, and of whom.
    pub why: String,
    /// How many there are of how many, in a few words.
    pub short: String,
}

/// An approval that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discounted {
    /// Whose: a person, or a key or account that is nobody's.
    pub who: String,
    /// Why.
    pub why: Discount,
}

/// Why an approval does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Discount {
    /// It is of nobody whom the owners file lists.
    NotListed,
    /// It was taken back.
    Withdrawn,
    /// It was good until a time that is over.
    Expired,
    /// It compares with another commit than the step does.
    OtherBase,
    /// It names another tree than the commit has.
    OtherTree,
    /// It is of another commit with the same files, and this one has trailers of its own.
    OtherMessage,
    /// It is by somebody who had a hand in the change.
    OwnWork,
    /// It is in a role that the person does not have for any of the paths.
    OtherRole,
    /// The same person approved already.
    SamePerson,
    /// It is of an account with a login that was another account's when it first counted.
    LoginMoved,
}

impl Discount {
    /// Stable CamelCase name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotListed => "NotListed",
            Self::Withdrawn => "Withdrawn",
            Self::Expired => "Expired",
            Self::OtherBase => "OtherBase",
            Self::OtherTree => "OtherTree",
            Self::OtherMessage => "OtherMessage",
            Self::OwnWork => "OwnWork",
            Self::OtherRole => "OtherRole",
            Self::SamePerson => "SamePerson",
            Self::LoginMoved => "LoginMoved",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::NotListed => "is not in the owners file of the accepted revision",
            Self::Withdrawn => "took it back",
            Self::Expired => "approved until a time that is over",
            Self::OtherBase => "approved it against another commit",
            Self::OtherTree => "approved another tree",
            Self::OtherMessage => "approved another commit, and this one has trailers of its own",
            Self::OwnWork => "had a hand in it themselves",
            Self::OtherRole => "approved in a role that they do not have for these paths",
            Self::SamePerson => "approved twice, and is one person",
            Self::LoginMoved => "has a login that was another account's when it first counted",
        }
    }
}

impl fmt::Display for Discounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.who, self.why.words(), self.why.as_str())
    }
}

/// How many people of which role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub people: usize,
    pub dev: usize,
    pub ops: usize,
}

impl Need {
    /// What a change that these people may approve needs.
    pub fn of(circle: &Circle, settings: &Settings) -> Self {
        // Where nobody develops, operations do.
        let dev = if circle.dev.is_empty() { 0 } else { settings.dev };
        let least = if circle.sensitive { settings.sensitive_ops } else { 0 };
        let ops = settings.ops.max(least).max(usize::from(circle.dev.is_empty()));
        Self { people: settings.people.max(dev + ops), dev, ops }
    }

    /// How many in which role, within parentheses; nothing where it does not matter.
    fn roles(&self) -> String {
        let roles = [(self.dev, "dev"), (self.ops, "ops")];
        let roles: Vec<_> = roles.iter().filter(|(n, _)| *n > 0).map(|(n, role)| format!("{n} as {role}")).collect();
        if roles.is_empty() { String::new() } else { format!(" ({})", roles.join(", ")) }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} approval{}{}", self.people, if self.people == 1 { "" } else { "s" }, self.roles())
    }
}

impl Verdict {
    /// Whether nothing is missing.
    pub fn is_approved(&self) -> bool {
        self.missing.is_empty()
    }

    /// What is missing, in one sentence.
    pub fn told(&self) -> String {
        let missing: Vec<_> = self.missing.iter().map(|missing| missing.why.clone()).collect();
        let mut told = missing.join("; ");
        if !self.discounted.is_empty() {
            let not: Vec<_> = self.discounted.iter().map(Discounted::to_string).collect();
            told.push_str(&format!("; not counted: {}", not.join(", ")));
        }
        told
    }
}

/// Judges a step by the approvals that there are. `owners` are those of the accepted revision; approvals of other
/// commits are passed over.
pub fn judge(step: &Step, approvals: &[Approval], owners: &Owners, settings: &Settings, now: Timestamp) -> Verdict {
    let circles = circles(step, owners);
    let makers: BTreeSet<usize> = step.makers.iter().filter_map(|maker| owners.made_by(maker)).collect();
    let mut votes: BTreeMap<usize, (Option<Role>, Timestamp)> = BTreeMap::new();
    let mut discounted = Vec::new();
    let mut plans = Vec::new();
    for approval in approvals.iter().filter(|approval| is_of(approval, step)) {
        let person = owners.person(&approval.voter);
        let why = person.ok_or(Discount::NotListed).and_then(|person| {
            let known = votes.get(&person).map(|(role, _)| *role);
            discount(approval, step, (person, known), &makers, now)?;
            let of = |role, people: fn(&Circle) -> &BTreeSet<usize>| {
                approval.role.is_none_or(|only| only == role)
                    && circles.keys().any(|circle| people(circle).contains(&person))
            };
            if of(Role::Dev, |circle| &circle.dev) || of(Role::Ops, |circle| &circle.ops) {
                Ok(person)
            } else {
                Err(Discount::OtherRole)
            }
        });
        if let (Some(person), Ok(_) | Err(Discount::SamePerson)) = (person, &why)
            && !approval.plans.is_empty()
        {
            // Who approved the files first may say later what is to become of the cluster.
            plans.push(PlanVote {
                person: owners.name(person).to_owned(),
                voter: approval.voter.clone(),
                head: approval.head.clone(),
                at: approval.at,
                expires: approval.expires,
                plans: approval.plans.clone(),
            });
        }
        match why {
            Ok(person) => {
                // Somebody who approved in two roles fills one slot, in whichever it is needed.
                let before = votes.get(&person).map(|(role, _)| *role);
                let role = match before {
                    Some(role) if role != approval.role => None,
                    _ => approval.role,
                };
                votes.insert(person, (role, approval.at));
            }
            Err(why) => {
                let who = person.map_or_else(|| approval.voter.to_string(), |person| owners.name(person).to_owned());
                let told = Discounted { who, why };
                if !discounted.contains(&told) {
                    discounted.push(told);
                }
            }
        }
    }
    let missing = circles.iter().filter_map(|(circle, paths)| missing(step, circle, paths, &votes, owners, settings));
    let missing = missing.collect();
    let vote = |(person, (role, at)): (&usize, &(Option<Role>, Timestamp))| Vote {
        person: owners.name(*person).to_owned(),
        role: *role,
        at: *at,
    };
    Verdict { by: votes.iter().map(vote).collect(), missing, discounted, plans, logins: BTreeMap::new() }
}

/// Who may approve, with the paths that they may approve. A step that changes no file may still say
/// something: it is for operations.
fn circles<'a>(step: &'a Step, owners: &Owners) -> BTreeMap<Circle, Vec<&'a str>> {
    let mut circles: BTreeMap<Circle, Vec<&str>> = BTreeMap::new();
    if step.paths.is_empty() {
        circles.insert(owners.circle("", true), vec!["a commit without changes"]);
    }
    for path in &step.paths {
        let circle = owners.circle(path, step.sensitive.contains_key(path));
        circles.entry(circle).or_default().push(path);
    }
    circles
}

/// Whether an approval speaks of this step at all.
pub(super) fn is_of(approval: &Approval, step: &Step) -> bool {
    let head = Some(&approval.head);
    // The same files on the same base are the same change, whatever commit holds them.
    let same = approval.tree.as_ref() == Some(&step.tree) && approval.base.as_ref() == Some(&step.parent);
    head == Some(&step.commit) || is_of_proposal(approval, step) || same
}

/// Whether it speaks of the head of the proposal that the step is the merge of.
fn is_of_proposal(approval: &Approval, step: &Step) -> bool {
    step.proposal.as_ref().is_some_and(|head| head.commit == approval.head)
}

pub(super) fn discount(
    approval: &Approval,
    step: &Step,
    (person, known): (usize, Option<Option<Role>>),
    makers: &BTreeSet<usize>,
    now: Timestamp,
) -> Result<(), Discount> {
    let exact = approval.head == step.commit;
    if approval.withdrawn {
        return Err(Discount::Withdrawn);
    }
    if approval.expires.is_some_and(|expires| expires <= now) {
        return Err(Discount::Expired);
    }
    if exact && approval.base.as_ref().is_some_and(|base| *base != step.parent) {
        return Err(Discount::OtherBase);
    }
    // Who compared the head with one of its own commits was shown a part of the proposal.
    let fork = step.proposal.as_ref().and_then(|head| head.fork.as_ref());
    if !exact && is_of_proposal(approval, step) && approval.base.is_some() && approval.base.as_ref() != fork {
        return Err(Discount::OtherBase);
    }
    if exact && approval.tree.as_ref().is_some_and(|tree| *tree != step.tree) {
        return Err(Discount::OtherTree);
    }
    if !exact && step.carries_trailers {
        return Err(Discount::OtherMessage);
    }
    if makers.contains(&person) {
        return Err(Discount::OwnWork);
    }
    match known {
        // Another role of the same person is no second person, and no mistake either.
        Some(role) if role == approval.role => Err(Discount::SamePerson),
        _ => Ok(()),
    }
}

/// What a circle still lacks. Each person fills one slot.
fn missing(
    step: &Step,
    circle: &Circle,
    paths: &[&str],
    votes: &BTreeMap<usize, (Option<Role>, Timestamp)>,
    owners: &Owners,
    settings: &Settings,
) -> Option<Missing> {
    let need = Need::of(circle, settings);
    let wanted = need.people + usize::from(step.authorship == Authorship::Claimed);
    let of = |role: Role, people: &BTreeSet<usize>| -> BTreeSet<usize> {
        let counts = |(person, (only, _)): (&usize, &(Option<Role>, Timestamp))| {
            (people.contains(person) && only.is_none_or(|only| only == role)).then_some(*person)
        };
        votes.iter().filter_map(counts).collect()
    };
    let (dev, ops) = (of(Role::Dev, &circle.dev), of(Role::Ops, &circle.ops));
    let all: BTreeSet<_> = dev.union(&ops).copied().collect();
    // Each slot of a role and each slot of any: by Hall, these three are all that can be short.
    if dev.len() >= need.dev && ops.len() >= need.ops && all.len() >= wanted {
        return None;
    }
    let one = paths.len() == 1;
    let mut why = format!("{} need{} {need}", told(paths), if one { "s" } else { "" });
    let sensitive = paths.iter().find_map(|path| step.sensitive.get(*path));
    sensitive.into_iter().for_each(|reason| why.push_str(&format!(", for {reason}")));
    if step.authorship == Authorship::Claimed {
        why.push_str(", and one more because who made it is not proven");
    }
    let from = [("dev", &circle.dev), ("ops", &circle.ops)].into_iter().filter(|(_, people)| !people.is_empty());
    let from: Vec<_> = from.map(|(role, people)| format!("{role}: {}", owners.names(people))).collect();
    let have = if one { "it has" } else { "they have" };
    why.push_str(&format!("; {have} {} of {wanted}, which can come from {}", all.len(), from.join("; ")));
    let roles = need.roles();
    let short =
        format!("{} of {wanted} approval{}{roles} of {}", all.len(), if wanted == 1 { "" } else { "s" }, told(paths));
    Some(Missing { paths: paths.iter().map(|path| (*path).to_owned()).collect(), why, short })
}

pub(super) fn told(paths: &[&str]) -> String {
    let named: Vec<_> = paths.iter().take(NAMED).map(|path| path.escape_debug().to_string()).collect();
    match paths.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
pub(super) mod tests;
