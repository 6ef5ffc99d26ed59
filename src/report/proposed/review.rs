//! What review would say of a pull request if it were merged now, as a status of its head.

use crate::report::commit_status::{CommitStatus, Light, plain};
use crate::revision::review::Effect;

/// What it would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// These people approved, and nothing is missing.
    Approved(Vec<String>),
    /// Something is missing: what.
    Lacks(String),
    /// It does not merge.
    Conflicts,
    /// It cannot be told, and why.
    Unknown(String),
}

impl Outlook {
    /// Whether it would be followed once it is merged.
    pub fn is_approved(&self) -> bool {
        matches!(self, Outlook::Approved(_))
    }
}

/// The status of its head. What waits for people is on its way: an approval may come, and a forge that asks for this status
/// lets nothing in before.
pub fn status(outlook: &Outlook, effect: Effect) -> CommitStatus {
    let (light, text) = match outlook {
        Outlook::Approved(by) if by.is_empty() => (Light::Success, "it needs no approval".to_owned()),
        Outlook::Approved(by) => (Light::Success, format!("approved by {}", by.join(", "))),
        // Nothing is held by that.
        Outlook::Lacks(why) if effect == Effect::Record => (Light::Success, format!("only recorded: {why}")),
        Outlook::Lacks(why) => (Light::Pending, why.clone()),
        Outlook::Conflicts => (Light::Failure, "it does not merge: there are conflicts".to_owned()),
        Outlook::Unknown(why) => (Light::Pending, format!("not known: {why}")),
    };
    CommitStatus { light, description: plain(&text, "") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_be_followed_is_green_and_words_of_others_stay_words() {
        let people = |all: &[&str]| Outlook::Approved(all.iter().map(|one| (*one).to_owned()).collect());
        let lacks = || Outlook::Lacks("0 of 1 approval (1 as ops) of a.yaml".to_owned());
        for (outlook, effect, light, text) in [
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
