//! `.tandem/owners.yaml`: who may approve what.

mod read;

use std::collections::{BTreeMap, BTreeSet};

use ignore::gitignore::Gitignore;
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Account, Maker, Profile, Settings, Voter};
use crate::object::Problem;
use crate::revision::signature::{KeyFile, Trust};

/// Where the file stands in a repository.
pub const OWNERS_FILE: &str = ".tandem/owners.yaml";

/// Who may approve what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnersSpec {
    /// Everybody who may approve, each once.
    people: Vec<PersonSpec>,
    /// Names for several people.
    #[serde(default)]
    groups: Vec<GroupSpec>,
    /// Operations: people and groups who approve as `ops` everywhere where a rule names nobody else. They alone approve
    /// what no rule speaks of.
    ops: Vec<String>,
    /// Who approves what; the last rule that fits a path counts.
    #[serde(default)]
    rules: Vec<RuleSpec>,
    /// The least that each change needs, whatever the Repository of a cluster asks: the people of this profile. Whether what
    /// lacks them is held or recorded is for the Repository to say.
    #[serde(default)]
    at_least: Option<Profile>,
    /// Who may go ahead of review in an emergency; nobody where it is not written.
    #[serde(default)]
    break_glass: Option<BreakGlassSpec>,
    /// The agents' own keys, for who approves what a change does to a cluster (`tandem approve --plan`).
    #[serde(default)]
    clusters: Vec<ClusterSpec>,
}

/// The key with which the agent of a cluster signs plans.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClusterSpec {
    /// Name of the cluster, as its agent was given it.
    name: String,
    /// SSH public key: `status.reviewStatus.planKey` of a Repository in that cluster.
    key: String,
}

/// Who may go ahead of review in an emergency, by a line `Break-Glass: <why>` in the commit that is deployed, signed by
/// them. When its time is over, nothing rolls back, and nothing later is deployed until somebody else has approved it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BreakGlassSpec {
    /// People and groups; each needs a key.
    people: Vec<String>,
    /// For how long from when the agent first sees it, such as `2h`; `24h` unless said, and `168h` at most.
    #[serde(default)]
    lasts: Option<String>,
}

/// A person, with all by which they are known: whatever of it approves, it is the same person.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PersonSpec {
    /// A short name, which the rest of this file uses.
    name: String,
    /// Addresses that stand in their commits.
    #[serde(default)]
    emails: Vec<String>,
    /// Their accounts at forges, by number: a name can be taken over by somebody else.
    #[serde(default)]
    accounts: Vec<Account>,
    /// Their SSH public keys, as in a file `*.pub`.
    #[serde(default)]
    keys: Vec<String>,
}

/// A name for several people.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GroupSpec {
    /// A short name, which is nobody's.
    name: String,
    /// Names of people.
    people: Vec<String>,
}

/// Who approves changes to some paths.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuleSpec {
    /// Patterns as in `.gitignore`, from the root of the repository, without `!`.
    paths: Vec<String>,
    /// People and groups who approve as developers.
    #[serde(default)]
    dev: Vec<String>,
    /// People and groups who approve as operations here, in place of `spec.ops`.
    #[serde(default)]
    ops: Vec<String>,
}

/// Who may approve what, read and checked.
#[derive(Clone, Debug)]
pub struct Owners {
    people: Vec<Person>,
    ops: BTreeSet<usize>,
    rules: Vec<Rule>,
    /// The least that each change needs.
    least: Option<Profile>,
    /// Who may go ahead of review, and for how long.
    glass: Option<(BTreeSet<usize>, SignedDuration)>,
    /// Line of the key of the agent of each cluster, by the name of the cluster.
    clusters: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
struct Person {
    name: String,
    /// In lower case.
    emails: BTreeSet<String>,
    accounts: BTreeSet<Account>,
    /// Fingerprint and line of each key.
    keys: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Rule {
    /// As written, for messages.
    written: String,
    paths: Gitignore,
    dev: BTreeSet<usize>,
    ops: BTreeSet<usize>,
}

impl Person {
    /// Whether an approval of theirs can come so.
    fn has(&self, means: Means<'_>) -> bool {
        match means {
            Means::Any => true,
            Means::Notes => !self.keys.is_empty(),
            Means::Forge(forge) => !self.keys.is_empty() || self.accounts.iter().any(|account| account.forge == forge),
        }
    }
}

/// Who may approve one kind of change; people by their place in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Circle {
    pub dev: BTreeSet<usize>,
    pub ops: BTreeSet<usize>,
    /// Whether operations must be among them.
    pub sensitive: bool,
}

/// By what approvals come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means<'a> {
    /// It is not known: by either.
    Any,
    /// By signed notes alone.
    Notes,
    /// By reviews on this forge as well.
    Forge(&'a str),
}

/// SHA-256 of the file as it stands in Git, in hex: what `spec.review.since` of a Repository names it by.
pub fn digest(file: &[u8]) -> String {
    Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Owners {
    /// Reads the file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        read::owners(file, bytes)
    }

    /// The keys of all people, for approvals and, where they are SSH keys, for commits.
    ///
    /// # Errors
    /// A key cannot be used.
    pub fn trust(&self) -> Result<Trust, Problem> {
        let line = |person: &Person, key: &str| format!("{} {key}\n", person.name);
        let lines: String =
            self.people.iter().flat_map(|person| person.keys.iter().map(move |(_, key)| line(person, key))).collect();
        let file = KeyFile { name: "allowed_signers".to_owned(), text: lines };
        Trust::read_owners(&file).map_err(|problem| Problem::new("InvalidOwners", problem.to_string()))
    }

    /// The key with which the agent of a cluster signs plans; none where no agent of that name is listed.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn agent(&self, cluster: &str) -> Option<Result<Trust, Problem>> {
        let line = format!("{cluster} {}\n", self.clusters.get(cluster)?);
        let file = KeyFile { name: "allowed_signers".to_owned(), text: line };
        Some(Trust::read(&[file]).map_err(|problem| Problem::new("InvalidOwners", problem.to_string())))
    }

    /// What each change needs where a Repository asks for this: the more of it and of what this file asks.
    pub fn settings(&self, asked: &Settings) -> Settings {
        self.least.map_or(*asked, |least| asked.at_least(&least.settings()))
    }

    /// Who may go ahead of review, and for how long.
    pub(super) fn break_glass(&self) -> Option<(&BTreeSet<usize>, SignedDuration)> {
        self.glass.as_ref().map(|(people, lasts)| (people, *lasts))
    }

    /// Whether somebody is listed with this account or key.
    pub fn knows(&self, voter: &Voter) -> bool {
        self.person(voter).is_some()
    }

    /// What a person is called.
    pub(super) fn name(&self, person: usize) -> &str {
        self.people.get(person).map_or("", |person| &person.name)
    }

    pub(super) fn person(&self, voter: &Voter) -> Option<usize> {
        self.people.iter().position(|person| match voter {
            Voter::Key(fingerprint) => person.keys.iter().any(|(known, _)| known == fingerprint),
            Voter::Account(account) => person.accounts.contains(account),
        })
    }

    pub(super) fn made_by(&self, maker: &Maker) -> Option<usize> {
        match maker {
            Maker::Email(email) => {
                let email = email.to_lowercase();
                self.people.iter().position(|person| person.emails.contains(&email))
            }
            Maker::Key(fingerprint) => self.person(&Voter::Key(fingerprint.clone())),
            Maker::Account(account) => self.person(&Voter::Account(account.clone())),
        }
    }

    /// Who may approve a change of this path.
    pub(super) fn circle(&self, path: &str, sensitive: bool) -> Circle {
        let fits = |rule: &&Rule| rule.paths.matched_path_or_any_parents(path, false).is_ignore();
        match self.rules.iter().rev().find(fits) {
            Some(rule) => Circle { dev: rule.dev.clone(), ops: rule.ops.clone(), sensitive },
            None => Circle { dev: BTreeSet::new(), ops: self.ops.clone(), sensitive: true },
        }
    }

    /// Whether people who can approve are left for everything that a change may be.
    ///
    /// # Errors
    /// There are not; in words.
    pub fn can_approve(&self, settings: &Settings, means: Means<'_>) -> Result<(), String> {
        let reached = |person: &&usize| self.people.get(**person).is_some_and(|person| person.has(means));
        let with = match means {
            Means::Any => "",
            Means::Notes => " with a key",
            Means::Forge(_) => " with a key or an account there",
        };
        let rules = self.rules.iter().map(|rule| (rule.written.as_str(), &rule.dev, &rule.ops));
        let nobody = BTreeSet::new();
        for (what, dev, ops) in rules.chain([("paths of no rule", &nobody, &self.ops)]) {
            for sensitive in [false, true] {
                let circle = Circle { dev: dev.clone(), ops: ops.clone(), sensitive };
                let need = super::judge::Need::of(&circle, settings);
                let of = |people: &BTreeSet<usize>| people.iter().filter(reached).copied().collect::<BTreeSet<_>>();
                let (dev, ops) = (of(dev), of(ops));
                let all: BTreeSet<_> = dev.union(&ops).collect();
                if all.len() < need.people || dev.len() < need.dev || ops.len() < need.ops {
                    return Err(format!(
                        "{what} would need {need}, and there are {} who may approve as dev, {} as ops, and {} people{with} in all",
                        dev.len(),
                        ops.len(),
                        all.len()
                    ));
                }
            }
        }
        Ok(())
    }

    /// Names of people.
    pub(super) fn names(&self, people: &BTreeSet<usize>) -> String {
        people.iter().map(|person| self.name(*person)).collect::<Vec<_>>().join(", ")
    }
}
