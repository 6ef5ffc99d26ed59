//! A plan that the agent of a cluster signed, as it is carried about: on a pull request, in the status of a Sync.
//!
//! The statement is a text with one form alone, as approvals are; the signature is an SSHSIG (OpenSSH's PROTOCOL.sshsig) in the
//! namespace `plan@tandemcd.io`, so that no other word of the agent is ever taken for a plan.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Essence;
use crate::revision::review::note::is_plan_digest;
use crate::revision::signature::{Trust, judge_text};

/// What these signatures are made for.
pub const NAMESPACE: &str = "plan@tandemcd.io";
const BEGIN: &str = "-----BEGIN TANDEM PLAN-----";
const END: &str = "-----END TANDEM PLAN-----";
/// Columns of its lines.
const WIDTH: usize = 76;
/// Bytes of a text that is looked through.
const LARGEST: usize = 4 << 20;

/// What an agent signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foretold {
    /// Of which repository: host and path.
    pub repository: String,
    /// Full name of the reference that the commit is, or is to come, on.
    pub reference: String,
    /// The commit: the head of a pull request, or one of the mainline.
    pub commit: String,
    /// Name of the cluster.
    pub cluster: String,
    /// When.
    pub at: Timestamp,
    /// Digest of the plan of each Sync, by `namespace/name`.
    pub syncs: BTreeMap<String, String>,
}

/// A plan with the word of the agent for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedPlan {
    /// What was signed ([`Foretold::text`]).
    pub statement: String,
    /// The signature over exactly that.
    pub signature: String,
    /// What each Sync would do.
    pub plans: BTreeMap<String, Essence>,
}

impl Foretold {
    /// The text that is signed; every part of it has one form alone.
    pub fn text(&self) -> String {
        let syncs: String = self.syncs.iter().map(|(sync, digest)| format!("sync {sync} {digest}\n")).collect();
        format!(
            "tandem plan v1\nrepository {}\nref {}\ncommit {}\ncluster {}\ntime {}\n{syncs}",
            self.repository, self.reference, self.commit, self.cluster, self.at,
        )
    }

    /// Reads such a text; `None` where it is not written exactly so.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        (lines.next()? == "tandem plan v1").then_some(())?;
        let mut value = |name: &str| lines.by_ref().next()?.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
        let foretold = Self {
            repository: value("repository")?,
            reference: value("ref")?,
            commit: value("commit")?,
            cluster: value("cluster")?,
            at: value("time")?.parse().ok()?,
            syncs: BTreeMap::new(),
        };
        let sync = |line: &str| {
            let (sync, digest) = line.strip_prefix("sync ")?.split_once(' ')?;
            is_plan_digest(digest).then(|| (sync.to_owned(), digest.to_owned()))
        };
        let syncs = lines.map(sync).collect::<Option<BTreeMap<_, _>>>()?;
        let foretold = Self { syncs, ..foretold };
        (foretold.text() == text).then_some(foretold)
    }
}

impl SignedPlan {
    /// As it is carried about: letters that no forge changes. Where it would be larger than that many bytes, what is shown of
    /// objects is left out; where even that does not suffice, there is none.
    pub fn block(&self, most: usize) -> Option<String> {
        let bare = || {
            let plans = self.plans.iter().map(|(sync, essence)| (sync.clone(), essence.bare())).collect();
            Self { plans, ..self.clone() }.written()
        };
        [self.written(), bare()].into_iter().find(|block| block.len() <= most)
    }

    fn written(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let text = STANDARD.encode(json);
        // Base64 has one byte a letter.
        let lines: Vec<&str> = (0..text.len()).step_by(WIDTH).map(|at| &text[at..text.len().min(at + WIDTH)]).collect();
        format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
    }

    /// All in a text, whatever stands around them; one at least.
    ///
    /// # Errors
    /// There is none, or one cannot be read; in words.
    pub fn all(text: &str) -> Result<Vec<Self>, String> {
        let mut found = vec![Self::find(text)?];
        let mut rest = text;
        while let Some((_, more)) = rest.split_once(END)
            && more.contains(BEGIN)
        {
            found.push(Self::find(more)?);
            rest = more;
        }
        Ok(found)
    }

    /// The first one in a text, whatever stands around it.
    ///
    /// # Errors
    /// There is none, or it cannot be read; in words.
    pub fn find(text: &str) -> Result<Self, String> {
        if text.len() > LARGEST {
            return Err(format!("it has more than {} MiB", LARGEST >> 20));
        }
        let begin = text.find(BEGIN).ok_or_else(|| format!("there is no \"{BEGIN}\" in it"))? + BEGIN.len();
        let end = text[begin..].find(END).ok_or_else(|| format!("it ends before \"{END}\""))? + begin;
        let letters: String = text[begin..end].chars().filter(|c| !c.is_whitespace() && *c != '>').collect();
        let broken = |_| "it is not whole: copy all of it, from the first dash to the last".to_owned();
        let json = STANDARD.decode(letters).map_err(|error| broken(error.to_string()))?;
        serde_json::from_slice(&json).map_err(|error| broken(error.to_string()))
    }

    /// What it says, where the agent whose key this is signed it and it shows just what was signed.
    ///
    /// # Errors
    /// It is not, or does not; in words.
    pub fn verified(&self, agent: &Trust, now: Timestamp) -> Result<Foretold, String> {
        judge_text(self.statement.as_bytes(), self.signature.as_bytes(), NAMESPACE, agent, now)
            .map_err(|(flaw, why)| format!("it {why} ({})", flaw.as_str()))?;
        let foretold = Foretold::parse(&self.statement).ok_or("its statement cannot be read")?;
        let digests: BTreeMap<String, String> =
            self.plans.iter().map(|(sync, essence)| (sync.clone(), essence.digest())).collect();
        if digests != foretold.syncs || !self.plans.values().all(Essence::is_whole) {
            return Err("what it shows is not what the agent signed".to_owned());
        }
        Ok(foretold)
    }

    /// Of which cluster it says that it is; to be believed only once it is verified.
    pub fn claimed_cluster(&self) -> Option<String> {
        Foretold::parse(&self.statement).map(|foretold| foretold.cluster)
    }
}

#[cfg(test)]
mod tests;
