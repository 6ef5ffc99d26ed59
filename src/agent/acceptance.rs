//! What was accepted of a reviewed Repository: the agent's own record, signed with its own key.
//!
//! A status can be edited, a Repository made anew, and etcd restored from an old copy; none of this may reset what was
//! accepted. So the record has an object of its own that nothing owns, a signature that nobody else can make, and a number
//! that grows; a copy lies in the cache folder, and of the two the higher number counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use crate::api::{Acceptance, AcceptanceRecord, AcceptanceSpec};
use crate::cluster::own::{read_own, write_acceptance};
use crate::cluster::{Cluster, ClusterError};
use crate::failure::{Failed, Fault};
use crate::plan::Essence;
use crate::plan::signed::{self, Foretold, SignedPlan};
use crate::revision::Revision;
use crate::revision::signature::{KeyFile, Trust, judge_text};

use super::tip::Key;

/// What these signatures are made for.
const NAMESPACE: &str = "acceptance@tandemcd.io";
/// Folder of the copies, in the cache folder.
const FOLDER: &str = "acceptances";

/// The agent's key, and where it keeps what it signed.
pub struct Seal {
    key: PrivateKey,
    pub(super) trust: Trust,
    folder: PathBuf,
    pub(super) cluster: String,
    /// Its public key, as a line of OpenSSH.
    pub public: String,
}

/// A record as it was read.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// What it says; none where nothing was accepted yet.
    pub record: Option<AcceptanceRecord>,
    /// The object, as it stands.
    object: Option<Acceptance>,
}

impl Kept {
    /// The revision that was accepted.
    pub fn revision(&self) -> Option<Revision> {
        Revision::parse(&self.record.as_ref()?.revision)
    }

    /// Whether the cluster has what counts.
    pub fn is_stored(&self) -> bool {
        self.object.as_ref().map(|object| &object.spec.record) == self.record.as_ref()
    }
}

impl Seal {
    /// With the agent's key, for a cluster of this name.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn new(key: PrivateKey, cache: &Path, cluster: &str) -> Result<Self, Failed> {
        let unusable = |why: String| Failed::new("InvalidSecret", Fault::Cluster, format!("the signing key: {why}"));
        let public = key.public_key().to_openssh().map_err(|error| unusable(error.to_string()))?;
        let line = KeyFile { name: "allowed_signers".to_owned(), text: format!("tandem {public}\n") };
        let trust = Trust::read(&[line]).map_err(|problem| unusable(problem.to_string()))?;
        Ok(Self { key, trust, folder: cache.join(FOLDER), cluster: cluster.to_owned(), public })
    }

    /// Signs what Syncs would do. A plan that says the same as an earlier one is that one, with its time.
    ///
    /// # Errors
    /// The key cannot sign: a defect.
    pub fn foretell(
        &self,
        foretold: Foretold,
        plans: BTreeMap<String, Essence>,
        earlier: Option<&str>,
    ) -> Result<SignedPlan, Failed> {
        let syncs = plans.iter().map(|(sync, essence)| (sync.clone(), essence.digest())).collect();
        let foretold = Foretold { cluster: self.cluster.clone(), syncs, ..foretold };
        let known = earlier.and_then(|text| Foretold::parse(&SignedPlan::find(text).ok()?.statement));
        // Whoever wrote it: it is signed anew, and the time is all that is taken of it.
        let same =
            known.filter(|known| Foretold { at: foretold.at, ..known.clone() } == foretold && known.at <= foretold.at);
        let statement = same.unwrap_or(foretold).text();
        let signature = self.signed(signed::NAMESPACE, &statement)?;
        Ok(SignedPlan { statement, signature, plans })
    }

    /// What was accepted of a Repository: the higher of what the cluster has and what the cache has.
    ///
    /// # Errors
    /// The object cannot be read, or is not by this agent and no copy is at hand.
    pub async fn read(&self, cluster: &Cluster, key: &Key) -> Result<Kept, Failed> {
        let object = read_own::<Acceptance>(&cluster.own(), &key.namespace, &key.name).await;
        let object = object.map_err(|error: ClusterError| Failed::from(&error))?;
        let mine = object.as_ref().map(|object| self.verified(key, &object.spec));
        let copy = self.copy(key);
        let record = match (mine, copy) {
            (Some(Ok(stored)), Some(copy)) if copy.sequence > stored.sequence => Some(copy),
            (Some(Ok(stored)), _) => Some(stored),
            (Some(Err(why)), None) => {
                let message = format!("Acceptance {key} is not what this agent signed: {why}");
                let hint = "restore it; or, knowing what is deployed, delete it and let spec.review.since say where review begins";
                return Err(Failed::new("AcceptanceForged", Fault::Cluster, message).with_hint(hint));
            }
            (_, copy) => copy,
        };
        Ok(Kept { record, object })
    }

    /// Signs and keeps a record: first in the cluster, then in the cache.
    ///
    /// # Errors
    /// The object cannot be written; then nothing was accepted.
    pub async fn keep(
        &self,
        cluster: &Cluster,
        key: &Key,
        kept: &Kept,
        record: AcceptanceRecord,
    ) -> Result<Kept, Failed> {
        let sequence = kept.record.as_ref().map_or(0, |record| record.sequence) + 1;
        let record = AcceptanceRecord { sequence, cluster: self.cluster.clone(), of: key.to_string(), ..record };
        let signature = self.sign(&record)?;
        let spec = AcceptanceSpec { record: record.clone(), signature };
        let mut next = Acceptance::new(&key.name, spec);
        next.metadata.namespace = Some(key.namespace.clone());
        next.metadata.resource_version =
            kept.object.as_ref().and_then(|object| object.metadata.resource_version.clone());
        let written = write_acceptance(&cluster.own(), &next).await.map_err(|error| Failed::from(&error))?;
        if let Err(error) = self.keep_copy(key, &next.spec) {
            tracing::warn!(repository = %key, %error, "no copy of what was accepted");
        }
        Ok(Kept { record: Some(record), object: Some(written) })
    }

    fn sign(&self, record: &AcceptanceRecord) -> Result<String, Failed> {
        let failed = |why: String| Failed::new("Internal", Fault::Internal, format!("signing a record: {why}"));
        self.signed(NAMESPACE, &text(record).map_err(failed)?)
    }

    pub(super) fn signed(&self, namespace: &str, text: &str) -> Result<String, Failed> {
        let failed = |why: String| Failed::new("Internal", Fault::Internal, format!("signing: {why}"));
        let signature = self.key.sign(namespace, HashAlg::Sha512, text.as_bytes());
        signature.and_then(|signature| signature.to_pem(LineEnding::LF)).map_err(|error| failed(error.to_string()))
    }

    /// The record, where this agent signed it for this Repository in this cluster.
    fn verified(&self, key: &Key, spec: &AcceptanceSpec) -> Result<AcceptanceRecord, String> {
        let record = &spec.record;
        if record.of != key.to_string() || record.cluster != self.cluster {
            return Err(format!("it is of {} in the cluster {}", record.of, record.cluster));
        }
        let (text, signature) = (text(record)?, spec.signature.as_bytes());
        judge_text(text.as_bytes(), signature, NAMESPACE, &self.trust, Timestamp::now())
            .map_err(|(flaw, why)| format!("it {why} ({})", flaw.as_str()))?;
        Ok(record.clone())
    }

    fn path(&self, key: &Key) -> PathBuf {
        // Neither name holds the sign that joins them.
        self.folder.join(format!("{}_{}.json", key.namespace, key.name))
    }

    fn copy(&self, key: &Key) -> Option<AcceptanceRecord> {
        let text = std::fs::read(self.path(key)).ok()?;
        let spec: AcceptanceSpec = serde_json::from_slice(&text).ok()?;
        self.verified(key, &spec).ok()
    }

    fn keep_copy(&self, key: &Key, spec: &AcceptanceSpec) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer(&mut file, spec)?;
        file.persist(self.path(key)).map_err(|error| error.error)?;
        Ok(())
    }
}

/// What is signed: one form of each record.
fn text(record: &AcceptanceRecord) -> Result<String, String> {
    let json = serde_json::to_string(record).map_err(|error| error.to_string())?;
    Ok(format!("tandem acceptance v1\n{json}\n"))
}

#[cfg(test)]
pub(super) mod tests {
    use ssh_key::private::Ed25519Keypair;

    use super::*;

    /// The seal of an agent that wrote nothing yet.
    pub fn seal(seed: u8, cluster: &str) -> Seal {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]));
        Seal::new(key, Path::new("/nowhere"), cluster).expect("a key")
    }

    #[test]
    fn a_record_is_of_one_repository_one_cluster_and_one_agent() {
        let (mine, key) = (seal(1, "prod"), Key::new("shop", "repo"));
        let record = AcceptanceRecord {
            cluster: "prod".to_owned(),
            of: key.to_string(),
            revision: format!("main@sha1:{}", "a".repeat(40)),
            sequence: 7,
            ..AcceptanceRecord::default()
        };
        let spec = AcceptanceSpec { signature: mine.sign(&record).expect("signs"), record };
        assert_eq!(mine.verified(&key, &spec), Ok(spec.record.clone()));
        let changed = |change: fn(&mut AcceptanceRecord)| {
            let mut spec = spec.clone();
            change(&mut spec.record);
            spec
        };
        for (name, agent, of, spec) in [
            (
                "another commit",
                &mine,
                &key,
                changed(|record| record.revision = format!("main@sha1:{}", "b".repeat(40))),
            ),
            ("a higher number", &mine, &key, changed(|record| record.sequence = 8)),
            (
                "withdrawals left out or put in",
                &mine,
                &key,
                changed(|record| record.withdrawn.push(Default::default())),
            ),
            ("another Repository", &mine, &Key::new("shop", "other"), spec.clone()),
            ("another agent", &seal(2, "prod"), &key, spec.clone()),
            ("another cluster", &seal(1, "staging"), &key, spec.clone()),
            ("no signature", &mine, &key, AcceptanceSpec { signature: String::new(), ..spec.clone() }),
        ] {
            assert!(agent.verified(of, &spec).is_err(), "{name}");
        }
    }
}
