//! What review would say of a pull request if it were merged now, as a status of its head.

use crate::report::commit_status::{CommitStatus, Light, plain};
use crate::revision::review::Effect;

/// Characters of a commit that are told.
const SHORT: usize = 10;

/// What it would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// These people approved, and nothing is missing.
    Approved(Vec<String>),
    /// These people approved, and this earlier commit of the branch lacks approval.
    Behind {
        /// Who.
        by: Vec<String>,
        /// The commit.
        commit: String,
    },
    /// Something is missing: what.
    Lacks(String),
    /// It does not merge.
    Conflicts,
    /// It cannot be told, and why.
    Unknown(String),
}

impl Outlook {
    /// Whether nothing of itself is missing.
    pub fn is_approved(&self) -> bool {
        matches!(self, Outlook::Approved(_) | Outlook::Behind { .. })
    }
}

/// The status of its head. What waits for people is on its way: an approval may come, and a forge that asks for this status
/// lets nothing in before.
pub fn status(outlook: &Outlook, effect: Effect) -> CommitStatus {
    let (light, text) = match outlook {
        Outlook::Approved(by) => (Light::Success, approved(by)),
        Outlook::Behind { by, .. } if effect == Effect::Record => (Light::Success, approved(by)),
        // What reads both waits for both.
        Outlook::Behind { by, commit } => {
            let short: String = commit.chars().take(SHORT).collect();
            (
                Light::Pending,
                format!("the branch itself waits: commit {short} is not approved; this one: {}", approved(by)),
            )
        }
        // Nothing is held by that.
        Outlook::Lacks(why) if effect == Effect::Record => (Light::Success, format!("only recorded: {why}")),
        Outlook::Lacks(why) => (Light::Pending, why.clone()),
        Outlook::Conflicts => (Light::Failure, "it does not merge: there are conflicts".to_owned()),
        Outlook::Unknown(why) => (Light::Pending, format!("not known: {why}")),
    };
    CommitStatus { light, description: plain(&text, "") }
}

fn approved(by: &[String]) -> String {
    if by.is_empty() { "it needs no approval".to_owned() } else { format!("approved by {}", by.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_be_followed_is_green_and_words_of_others_stay_words() {
        let people = |all: &[&str]| Outlook::Approved(all.iter().map(|one| (*one).to_owned()).collect());
        let lacks = || Outlook::Lacks("0 of 1 approval (1 as ops) of a.yaml".to_owned());
        let behind = || Outlook::Behind { by: vec!["dana".to_owned()], commit: "a".repeat(40) };
        assert!(behind().is_approved() && !lacks().is_approved());
        let waits = "the branch itself waits: commit aaaaaaaaaa is not approved; this one: approved by dana";
        for (outlook, effect, light, text) in [
            (behind(), Effect::Hold, Light::Pending, waits),
            (behind(), Effect::Record, Light::Success, "approved by dana"),
            (people(&["dana", "olga"]), Effect::Hold, Light::Success, "approved by dana, olga"),
            (people(&[]), Effect::Hold, Light::Success, "it needs no approval"),
            (people(&["@all [x](http-//x)"]), Effect::Hold, Light::Success, "approved by -all -x-(http-//x)"),
            (lacks(), Effect::Hold, Light::Pending, "0 of 1 approval (1 as ops) of a.yaml"),
            (lacks(), Effect::Record, Light::Success, "only recorded: 0 of 1 approval (1 as ops) of a.yaml"),
            (Outlook::Conflicts, Effect::Hold, Light::Failure, "it does not merge: there are conflicts"),
            (Outlook::Unknown("no owners".to_owned()), Effect::Hold, Light::Pending, "not known: no owners"),
        ] {
            let told = status(&outlook, effect);
            assert_eq!((told.light, told.description.as_str()), (light, text), "{outlook:?}");
        }
    }
}
