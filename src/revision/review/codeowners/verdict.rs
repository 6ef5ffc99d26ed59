//! The verdict on one step where `CODEOWNERS` says who is asked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Asked, CodeOwners, Owner};
use crate::revision::review::judge::{Discount, Discounted, Missing, Verdict, Vote, discount, is_of, told};
use crate::revision::review::{Account, Approval, Authorship, Maker, Settings, Step, Voter};

/// Whose login is whose.
#[derive(Clone, Copy, Debug)]
pub struct Logins<'a> {
    /// What the forge calls the accounts that approved.
    pub now: &'a BTreeMap<Account, String>,
    /// Numbers of the accounts that had a login, in lower case, when an approval by it first counted.
    pub first: &'a BTreeMap<String, u64>,
}

impl Logins<'_> {
    fn of(&self, account: &Account) -> Option<String> {
        self.now.get(account).map(|login| login.to_ascii_lowercase())
    }

    /// Whether the login of an account was another one's. Of two who have it at once it is nobody's.
    fn moved(&self, account: &Account) -> bool {
        let Some(login) = self.of(account) else { return false };
        let of_others = |(other, name): (&Account, &String)| other != account && name.to_ascii_lowercase() == login;
        self.first.get(&login).is_some_and(|first| *first != account.id) || self.now.iter().any(of_others)
    }
}

/// Judges a step by the approvals that there are. `owners` are those of the accepted revision. Each account that approved is
/// a person of its own, and none has a role.
pub fn judge_by_code_owners(
    step: &Step,
    approvals: &[Approval],
    (owners, logins): (&CodeOwners, Logins<'_>),
    settings: &Settings,
    now: Timestamp,
) -> Verdict {
    let accounts: BTreeSet<&Account> = approvals.iter().filter_map(|approval| account(&approval.voter)).collect();
    let accounts: Vec<&Account> = accounts.into_iter().collect();
    let person = |account: &Account| accounts.iter().position(|known| *known == account);
    let called = |account: &Account| match logins.now.get(account) {
        Some(login) => format!("@{}", login.escape_debug()),
        None => account.to_string(),
    };
    let made = |maker: &Maker| if let Maker::Account(account) = maker { person(account) } else { None };
    let makers: BTreeSet<usize> = step.makers.iter().filter_map(made).collect();
    let mut votes: BTreeMap<usize, Timestamp> = BTreeMap::new();
    let mut discounted = Vec::new();
    for approval in approvals.iter().filter(|approval| is_of(approval, step)) {
        let by = account(&approval.voter);
        let counts = by.and_then(person).ok_or(Discount::NotListed).and_then(|person| {
            let known = votes.contains_key(&person).then_some(approval.role);
            discount(approval, step, (person, known), &makers, now)?;
            if logins.moved(accounts[person]) { Err(Discount::LoginMoved) } else { Ok(person) }
        });
        match counts {
            Ok(person) => {
                votes.insert(person, approval.at);
            }
            Err(why) => {
                let who = by.map_or_else(|| approval.voter.to_string(), called);
                let told = Discounted { who, why };
                if !discounted.contains(&told) {
                    discounted.push(told);
                }
            }
        }
    }
    let voted: Vec<(&Account, Timestamp)> = votes.iter().map(|(person, at)| (accounts[*person], *at)).collect();
    let approved: BTreeMap<String, u64> =
        voted.iter().filter_map(|(account, _)| Some((logins.of(account)?, account.id))).collect();
    let mut missing = Vec::new();
    missing.extend(people(step, voted.len(), settings));
    missing.extend(roles(step, owners, settings));
    missing.extend(named(step, owners, &approved));
    let by = voted.iter().map(|(account, at)| Vote { person: called(account), role: None, at: *at }).collect();
    let logins = approved.into_iter().filter(|(login, _)| owners.names(login)).collect();
    Verdict { by, missing, discounted, plans: Vec::new(), logins }
}

fn account(voter: &Voter) -> Option<&Account> {
    match voter {
        Voter::Account(account) => Some(account),
        Voter::Key(_) => None,
    }
}

fn paths(step: &Step) -> Vec<&str> {
    match step.paths.is_empty() {
        true => vec!["a commit without changes"],
        false => step.paths.iter().map(String::as_str).collect(),
    }
}

fn missed(paths: &[&str], why: String, short: String) -> Missing {
    Missing { paths: paths.iter().map(|path| (*path).to_owned()).collect(), why, short }
}

/// `1 approval`, `2 approvals`.
fn count(number: usize) -> String {
    format!("{number} approval{}", if number == 1 { "" } else { "s" })
}

fn verb(paths: &[&str]) -> &'static str {
    if paths.len() == 1 { "needs" } else { "need" }
}

/// What is missing of what every change needs, whoever approves.
fn people(step: &Step, have: usize, settings: &Settings) -> Option<Missing> {
    let claimed = step.authorship == Authorship::Claimed;
    let wanted = settings.people + usize::from(claimed);
    if have >= wanted {
        return None;
    }
    let paths = paths(step);
    let mut why = format!("{} {} {}", told(&paths), verb(&paths), count(settings.people));
    if claimed {
        why.push_str(", and one more because who made it is not proven");
    }
    why.push_str(&format!("; there are {have} of {wanted}, which can come from all who may write to the repository"));
    let short = format!("{have} of {} of {}", count(wanted), told(&paths));
    Some(missed(&paths, why, short))
}

/// What needs somebody in a role, which nobody has.
fn roles(step: &Step, owners: &CodeOwners, settings: &Settings) -> Option<Missing> {
    let all = settings.ops > 0 || settings.dev > 0;
    let is_sensitive = |path: &&str| step.paths.is_empty() || step.sensitive.contains_key(*path);
    let sensitive = |path: &&str| settings.sensitive_ops > 0 && is_sensitive(path);
    let paths: Vec<&str> = paths(step).into_iter().filter(|path| all || sensitive(path)).collect();
    let first = paths.first()?;
    let roles = [(settings.dev, "dev"), (settings.ops.max(settings.sensitive_ops), "ops")];
    let roles: Vec<_> =
        roles.iter().filter(|(n, _)| *n > 0).map(|(n, role)| format!("{} as {role}", count(*n))).collect();
    let reason = paths.iter().find_map(|path| step.sensitive.get(*path)).map(|why| format!(", for {why}"));
    let why = format!(
        "{} {} {}{}, and {} gives nobody a role: only an owners file does",
        told(&paths),
        verb(&paths),
        roles.join(" and "),
        reason.unwrap_or_default(),
        owners.file(),
    );
    let short = format!("nobody has a role to approve {first}");
    Some(missed(&paths, why, short))
}

/// What needs somebody whom the file names.
fn named(step: &Step, owners: &CodeOwners, approved: &BTreeMap<String, u64>) -> Vec<Missing> {
    let everybody = owners.everybody();
    let mut asked: Asked<'_> = BTreeMap::new();
    for path in &step.paths {
        for ask in owners.asks(path, &everybody) {
            asked.entry(ask).or_default().push(path);
        }
    }
    let mut missing = Vec::new();
    for (ask, paths) in &asked {
        let is_named = |login: &&String| ask.owners.contains(&Owner::Login((*login).clone()));
        let have = approved.keys().filter(is_named).count();
        if have >= ask.count {
            continue;
        }
        let place = match ask.line {
            Some(line) => format!("{}:{line}", owners.file()),
            None => owners.file().to_owned(),
        };
        let from: Vec<_> = ask.owners.iter().map(ToString::to_string).collect();
        let why = format!(
            "{} {} {} of those whom {place} names: {}; there are {have}",
            told(paths),
            verb(paths),
            count(ask.count),
            from.join(", ")
        );
        let short = format!("{have} of {} by owners of {}", count(ask.count), told(paths));
        missing.push(missed(paths, why, short));
    }
    missing
}
