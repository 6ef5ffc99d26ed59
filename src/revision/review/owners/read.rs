//! From the text of the file to who may approve what.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use ssh_key::{HashAlg, PublicKey};

use super::{BreakGlassSpec, Owners, OwnersSpec, Person, Rule, RuleSpec};
use crate::object::{Problem, spec_of, yaml};
use crate::revision::patterns::patterns;
use crate::revision::review::glass::{LONGEST, USUAL};

/// What is wrong with a file that cannot be meant so.
const RULE: &str = "InvalidOwners";
/// Of `people`, `groups` and `rules` together.
const ENTRIES: usize = 10_000;

/// What a name leads to, and what is wrong so far.
struct Reading {
    file: String,
    names: BTreeMap<String, BTreeSet<usize>>,
    problems: Vec<Problem>,
}

impl Reading {
    fn wrong(&mut self, message: impl Into<String>, hint: &str) {
        let mut problem = Problem::new(RULE, message).in_file(self.file.clone(), None);
        if !hint.is_empty() {
            problem = problem.hint(hint);
        }
        self.problems.push(problem);
    }

    fn name(&mut self, name: &str, people: BTreeSet<usize>) {
        if !is_name(name) {
            let name = name.escape_debug();
            self.wrong(format!("\"{name}\" is no name"), "use letters, digits, '-', '_' and '.'");
        } else if self.names.insert(name.to_owned(), people).is_some() {
            self.wrong(format!("{name} is a name twice"), "people and groups have different names");
        }
    }

    fn people(&mut self, of: &str, names: &[String]) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        for name in names {
            match self.names.get(name) {
                Some(people) => all.extend(people),
                None => {
                    let message = format!("{of} names {}, who is no person and no group", name.escape_debug());
                    self.wrong(message, "list them under spec.people");
                }
            }
        }
        all
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 100 && name.chars().all(plain)
}

pub(super) fn owners(file: &str, bytes: &[u8]) -> Result<Owners, Vec<Problem>> {
    let spec = spec(file, bytes)?;
    let mut reading = Reading { file: file.to_owned(), names: BTreeMap::new(), problems: Vec::new() };
    if spec.people.len() + spec.groups.len() + spec.rules.len() > ENTRIES {
        reading.wrong(format!("it has more than {ENTRIES} entries"), "");
        return Err(reading.problems);
    }
    let people = people(&spec, &mut reading);
    for group in &spec.groups {
        // Groups are of people alone, so that no group can contain itself.
        let members: BTreeSet<usize> = group
            .people
            .iter()
            .filter_map(|name| {
                let found = people.iter().position(|person| person.name == *name);
                if found.is_none() {
                    let message = format!("the group {} names {}, who is no person", group.name, name.escape_debug());
                    reading.wrong(message, "list them under spec.people");
                }
                found
            })
            .collect();
        reading.name(&group.name, members);
    }
    let ops = reading.people("spec.ops", &spec.ops);
    if ops.is_empty() && reading.problems.is_empty() {
        reading.wrong("spec.ops names nobody", "operations approve what no rule speaks of");
    }
    let rules = spec.rules.iter().filter_map(|rule| self::rule(rule, &ops, &mut reading)).collect();
    let glass = spec.break_glass.as_ref().and_then(|glass| self::glass(glass, &people, &mut reading));
    let clusters = clusters(&spec, &people, &mut reading);
    if reading.problems.is_empty() {
        Ok(Owners { people, ops, rules, least: spec.at_least, glass, clusters })
    } else {
        Err(reading.problems)
    }
}

fn spec(file: &str, bytes: &[u8]) -> Result<OwnersSpec, Vec<Problem>> {
    let limits = yaml::Limits { bytes: 1 << 20, documents: 2, nodes: 100_000, ..yaml::Limits::default() };
    let (mut documents, problems) = yaml::read(file, bytes, &limits);
    if !problems.is_empty() {
        return Err(problems);
    }
    let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
        return Err(vec![Problem::new(RULE, "it is not one document").in_file(file.to_owned(), None)]);
    };
    spec_of(&document.value, "Owners", RULE)
        .map_err(|problem| vec![problem.in_file(file.to_owned(), Some(document.line))])
}

/// Everybody, each known by things of their own.
fn people(spec: &OwnersSpec, reading: &mut Reading) -> Vec<Person> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut people = Vec::new();
    for (at, person) in spec.people.iter().enumerate() {
        let mut take = |what: String, reading: &mut Reading| {
            if let Some(other) = known.insert(what.clone(), person.name.clone()) {
                let message = format!("{what} stands at {other} and again at {}", person.name);
                reading.wrong(message, "it is one person's alone, once: else one person could approve as two");
            }
        };
        let emails: BTreeSet<String> = person.emails.iter().map(|email| email.to_lowercase()).collect();
        emails.iter().for_each(|email| take(format!("the address {}", email.escape_debug()), reading));
        let accounts: BTreeSet<_> = person.accounts.iter().cloned().collect();
        accounts.iter().for_each(|account| take(account.to_string(), reading));
        let mut keys = Vec::new();
        for key in &person.keys {
            match PublicKey::from_openssh(key.trim()) {
                Ok(public) => {
                    let fingerprint = public.fingerprint(HashAlg::Sha256).to_string();
                    take(format!("the key {fingerprint}"), reading);
                    // Without its comment, which may hold anything.
                    let bare = PublicKey::from(public.key_data().clone()).to_openssh().unwrap_or_default();
                    keys.push((fingerprint, bare));
                }
                Err(_) => reading.wrong(
                    format!("a key of {} cannot be read", person.name.escape_debug()),
                    "it is written as in a file *.pub: ssh-ed25519 AAAA…",
                ),
            }
        }
        if let Some(account) = accounts.iter().find(|account| account.forge != account.forge.to_lowercase()) {
            reading.wrong(format!("{account}: a host is written in lower case"), "");
        }
        if accounts.is_empty() && keys.is_empty() {
            let message = format!("{} has neither accounts nor keys", person.name.escape_debug());
            reading.wrong(message, "without one of them they cannot approve");
        }
        reading.name(&person.name, BTreeSet::from([at]));
        people.push(Person { name: person.name.clone(), emails, accounts, keys });
    }
    people
}

fn rule(rule: &RuleSpec, ops: &BTreeSet<usize>, reading: &mut Reading) -> Option<Rule> {
    let written = rule.paths.join(" ");
    let told = written.escape_debug().to_string();
    if rule.paths.is_empty() {
        reading.wrong("a rule has no paths", "patterns are those of .gitignore, without '!' and '#'");
        return None;
    }
    let paths = match patterns(&rule.paths) {
        Ok(paths) => paths,
        Err(message) => {
            reading.wrong(message, "patterns are those of .gitignore, without '!' and '#'");
            return None;
        }
    };
    let dev = reading.people(&format!("the rule of {told}"), &rule.dev);
    let own = reading.people(&format!("the rule of {told}"), &rule.ops);
    Some(Rule { written: told, paths, dev, ops: if rule.ops.is_empty() { ops.clone() } else { own } })
}

/// Keys of agents, which are nobody's: an agent approves nothing.
fn clusters(spec: &OwnersSpec, people: &[Person], reading: &mut Reading) -> BTreeMap<String, String> {
    let mut clusters = BTreeMap::new();
    for cluster in &spec.clusters {
        let name = cluster.name.escape_debug().to_string();
        if !is_name(&cluster.name) {
            reading.wrong(format!("\"{name}\" is no name of a cluster"), "use letters, digits, '-', '_' and '.'");
            continue;
        }
        let Ok(public) = PublicKey::from_openssh(cluster.key.trim()) else {
            let hint = "it is status.reviewStatus.planKey of a Repository in that cluster";
            reading.wrong(format!("the key of the cluster {name} cannot be read"), hint);
            continue;
        };
        let fingerprint = public.fingerprint(HashAlg::Sha256).to_string();
        if let Some(person) = people.iter().find(|person| person.keys.iter().any(|(known, _)| *known == fingerprint)) {
            let message = format!("the key of the cluster {name} is that of {} as well", person.name.escape_debug());
            reading.wrong(message, "an agent says what would happen, and approves nothing");
        }
        let bare = PublicKey::from(public.key_data().clone()).to_openssh().unwrap_or_default();
        if clusters.insert(cluster.name.clone(), bare).is_some() {
            reading.wrong(format!("the cluster {name} is listed twice"), "each has one agent");
        }
    }
    clusters
}

fn glass(glass: &BreakGlassSpec, known: &[Person], reading: &mut Reading) -> Option<(BTreeSet<usize>, SignedDuration)> {
    let people = reading.people("spec.breakGlass", &glass.people);
    if let Some(person) = people.iter().filter_map(|person| known.get(*person)).find(|person| person.keys.is_empty()) {
        let message = format!("spec.breakGlass names {}, who has no key to sign with", person.name.escape_debug());
        reading.wrong(message, "list a key of theirs under spec.people");
    }
    let lasts = match glass.lasts.as_deref() {
        None => Some(USUAL),
        Some(text) => text.parse().ok().filter(|lasts: &SignedDuration| lasts.is_positive() && *lasts <= LONGEST),
    };
    if lasts.is_none() {
        let written = glass.lasts.as_deref().unwrap_or_default().escape_debug().to_string();
        reading.wrong(format!("spec.breakGlass.lasts: \"{written}\" is no time of up to 168h"), "as in 2h");
    }
    Some((people, lasts?))
}
