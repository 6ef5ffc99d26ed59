//! Break glass: in an emergency a commit goes ahead of its review, for a while, and everybody sees it.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Owners, Step, Voter};

/// Key of the line in the message of the deployed commit.
pub const BREAK_GLASS: &str = "Break-Glass";

/// Longest that a commit may be ahead of its review.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So long it may be unless the owners file says otherwise.
pub const USUAL: SignedDuration = SignedDuration::from_hours(24);

/// A commit that goes ahead of its review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Glass {
    /// Who answers for it, as the owners file calls them.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// For how long from when the agent first sees it, in seconds.
    pub seconds: i64,
}

/// What a commit says of itself that wants to go ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// What stands after `Break-Glass:`.
    pub reason: &'a str,
    /// Fingerprint of the key that signed this commit, where it is signed by one that is listed.
    pub signer: Option<&'a str>,
}

/// Whether a step may go ahead of its review: its own commit says why and is signed by somebody who may, and it leaves
/// alone what says who may do what.
///
/// # Errors
/// It may not; in words.
pub fn break_glass(step: &Step, claim: Claim<'_>, owners: &Owners) -> Result<Glass, String> {
    let reason = claim.reason.trim();
    if reason.is_empty() {
        return Err("it says no reason".to_owned());
    }
    let signer = claim.signer.ok_or("the commit is not signed by a key of the owners file")?;
    let person = owners.person(&Voter::Key(signer.to_owned()));
    let (people, lasts) = owners.break_glass().ok_or("the owners file lets nobody do that (spec.breakGlass)")?;
    let Some(person) = person.filter(|person| people.contains(person)) else {
        let who = person.map_or(signer, |person| owners.name(person));
        return Err(format!("{who} is not among those who may (spec.breakGlass: {})", owners.names(people)));
    };
    if let Some(path) = step.rules.first() {
        return Err(format!("it changes {path}, which says what everybody may do"));
    }
    let seconds = lasts.as_secs();
    Ok(Glass { by: owners.name(person).to_owned(), reason: reason.to_owned(), seconds })
}

#[cfg(test)]
mod tests {
    use ssh_key::public::{Ed25519PublicKey, KeyData};
    use ssh_key::{HashAlg, PublicKey};

    use super::*;
    use crate::revision::review::OWNERS_FILE;

    fn key(number: u8) -> PublicKey {
        PublicKey::from(KeyData::Ed25519(Ed25519PublicKey([number; 32])))
    }

    fn fingerprint(number: u8) -> String {
        key(number).fingerprint(HashAlg::Sha256).to_string()
    }

    fn owners(more: &str) -> Owners {
        let person = |name: &str, number: u8| {
            format!("  - {{name: {name}, keys: ['{}']}}\n", key(number).to_openssh().expect("a key"))
        };
        let people = person("olga", 1) + &person("bob", 2);
        let head = "apiVersion: tandemcd.io/v1alpha1\nkind: Owners\nmetadata: {name: owners}\nspec:\n  people:\n";
        let text = format!("{head}{people}  ops: [olga]\n{more}");
        Owners::read(OWNERS_FILE, text.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong:?}"))
    }

    #[test]
    fn only_who_is_listed_goes_ahead_and_never_past_what_says_so() {
        let more = "  breakGlass: {people: [olga], lasts: 2h}\n";
        let (with, without) = (owners(more), owners(""));
        let (olga, bob) = (fingerprint(1), fingerprint(2));
        let step =
            |rules: &[&str]| Step { rules: rules.iter().map(|path| (*path).to_owned()).collect(), ..Step::default() };
        let judge = |rules: &[&str], reason: &str, signer: Option<&str>, owners: &Owners| {
            break_glass(&step(rules), Claim { reason, signer }, owners)
        };
        let expected = Glass { by: "olga".to_owned(), reason: "the shop is down".to_owned(), seconds: 7200 };
        assert_eq!(judge(&[], " the shop is down ", Some(&olga), &with), Ok(expected));
        for (rules, reason, signer, owners, words) in [
            (vec![], " ", Some(olga.as_str()), &with, "says no reason"),
            (vec![], "x", None, &with, "not signed by a key of the owners file"),
            (vec![], "x", Some("SHA256:else"), &with, "SHA256:else is not among those who may"),
            (vec![], "x", Some(&bob), &with, "bob is not among those who may (spec.breakGlass: olga)"),
            (vec![], "x", Some(&olga), &without, "lets nobody"),
            (vec![".tandem/owners.yaml"], "x", Some(&olga), &with, "it changes .tandem/owners.yaml"),
        ] {
            let told = judge(&rules, reason, signer, owners).expect_err(words);
            assert!(told.contains(words), "{told}");
        }
    }
}
