//! What the agent writes into a status and believes after a restart: under its own seal, since a status can be edited.
//!
//! A word without the right seal counts for nothing, as if the object were new, and everybody is told. An older word of the
//! same object, put back, is one that the agent did write: it says less than is known, so there is only more to judge
//! from there.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api;
use crate::cluster::KindInfo;
use crate::cluster::own::remove_from_status;
use crate::failure::Failed;
use crate::report::event::of_forged_status;
use crate::revision::signature::judge_text;

use super::acceptance::Seal;
use super::tip::Key;
use super::world::World;

/// What these signatures are made for.
const NAMESPACE: &str = "status@tandemcd.io";

/// Something that a status says, and of which object. Objects are known by their names, so what was said outlives one that is
/// made anew with its status.
pub struct Word<'a> {
    /// Kind of the object.
    pub kind: &'static str,
    /// Its namespace and name.
    pub key: &'a Key,
    /// Field of its status.
    pub field: &'static str,
    /// What it says.
    pub value: Value,
}

impl Seal {
    /// Signs what a status says.
    ///
    /// # Errors
    /// The key cannot sign: a defect.
    pub fn attest(&self, word: &Word<'_>) -> Result<String, Failed> {
        self.signed(NAMESPACE, &self.text_of(word))
    }

    /// Whether this agent signed what a status says.
    pub fn attests(&self, word: &Word<'_>, seal: Option<&str>) -> bool {
        let text = self.text_of(word);
        let judge = |seal: &str| judge_text(text.as_bytes(), seal.as_bytes(), NAMESPACE, &self.trust, Timestamp::now());
        seal.is_some_and(|seal| judge(seal).is_ok())
    }

    /// One form of each word.
    fn text_of(&self, word: &Word<'_>) -> String {
        let Word { kind, key, field, value } = word;
        let said =
            json!({"cluster": self.cluster, "kind": kind, "of": key.to_string(), "field": field, "value": value});
        format!("tandem status v1\n{said}\n")
    }
}

impl World {
    /// The seal of what a status is to say. Without one it counts for nothing after a restart, so that all is judged anew.
    pub fn attest(&self, word: &Word<'_>) -> Option<String> {
        let seal = self.seal.attest(word);
        seal.inspect_err(|error| tracing::error!(kind = word.kind, of = %word.key, %error, "a status without a seal"))
            .ok()
    }

    /// Whether this agent wrote what a status says; where it did not, that is told, and `stored`, the field as it stands, goes.
    pub fn wrote(&self, word: &Word<'_>, (seal, stored): (Option<&str>, &impl Serialize), uid: Option<&str>) -> bool {
        let mine = self.seal.attests(word, seal);
        if !mine {
            let Word { kind, key, field, value } = word;
            tracing::warn!(kind, of = %key, field, %value, "a status says what this agent did not write; it counts for nothing");
            let event = of_forged_status(field, &value.to_string());
            self.news.tell(kind, key, uid.unwrap_or_default(), &event);
            self.remove(word, json!(stored));
        }
        mine
    }

    /// Takes a field out of a status, unless it says something else by then: what others wrote there stays where the agent
    /// applies, and half of a field may be none that the API server takes.
    fn remove(&self, word: &Word<'_>, stored: Value) {
        let (cluster, key, field) = (self.cluster.clone(), word.key.clone(), word.field);
        let kind = match word.kind {
            "Repository" => KindInfo::of::<api::Repository>(),
            "Standard" => KindInfo::of::<api::Standard>(),
            _ => KindInfo::of::<api::Sync>(),
        };
        tokio::spawn(async move {
            let place = (key.namespace.as_str(), key.name.as_str());
            if let Err(error) = remove_from_status(&cluster.own(), &kind, place, (field, &stored)).await {
                tracing::warn!(kind = kind.kind, of = %key, field, %error, "what it did not write stays in a status");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::acceptance::tests::seal;
    use super::*;

    #[test]
    fn a_word_is_of_one_field_of_one_object_in_one_cluster_and_by_one_agent() {
        let (mine, key, other) = (seal(1, "prod"), Key::new("shop", "repo"), Key::new("shop", "other"));
        let word = |kind, key, field, value: &str| Word { kind, key, field, value: json!([value]) };
        let said = || word("Repository", &key, "verified", "a");
        let sealed = mine.attest(&said()).expect("signs");
        assert!(mine.attests(&said(), Some(&sealed)));
        assert_eq!(mine.attest(&said()).expect("signs"), sealed, "what is said again is no news");
        let by = |agent: &Seal| agent.attest(&said()).expect("signs");
        for (name, word, seal) in [
            ("another value", word("Repository", &key, "verified", "b"), Some(sealed.as_str())),
            ("another kind", word("Sync", &key, "verified", "a"), Some(sealed.as_str())),
            ("another object", word("Repository", &other, "verified", "a"), Some(sealed.as_str())),
            ("another field", word("Repository", &key, "accepted", "a"), Some(sealed.as_str())),
            ("another agent", said(), Some(by(&seal(2, "prod")).as_str())),
            ("another cluster", said(), Some(by(&seal(1, "staging")).as_str())),
            ("for another purpose", said(), Some(mine.signed("git", &mine.text_of(&said())).expect("signs").as_str())),
            ("a seal that is none", said(), Some("")),
            ("no seal", said(), None),
        ] {
            assert!(!mine.attests(&word, seal), "{name}");
        }
    }
}
