//! Who pushed a head, by a forge's list of pushes.

use std::collections::BTreeSet;

/// One push to a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// What the branch led to before; none where it was made by this push.
    pub before: Option<String>,
    /// What it led to after.
    pub after: String,
    /// Number of the account that pushed.
    pub by: Option<u64>,
}

/// Everybody who pushed what a head is made of, from when the branch was made; none where a push is missing in between,
/// or somebody is not known. `pushes` are those of the one branch, newest first.
pub fn pushers(pushes: &[Push], head: &str) -> Option<BTreeSet<u64>> {
    let mut found = BTreeSet::new();
    let mut wanted = head;
    let mut at = 0;
    loop {
        let next = pushes[at..].iter().position(|push| push.after == wanted)? + at;
        found.insert(pushes[next].by?);
        at = next + 1;
        match &pushes[next].before {
            Some(before) => wanted = before,
            None => return Some(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(before: Option<&str>, after: &str, by: impl Into<Option<u64>>) -> Push {
        Push { before: before.map(str::to_owned), after: after.to_owned(), by: by.into() }
    }

    #[test]
    fn all_pushes_from_the_first_must_be_known() {
        let whole = [push(Some("b"), "c", 2), push(Some("a"), "b", 3), push(None, "a", 1)];
        let gap = [push(Some("b"), "c", 2), push(None, "a", 1)];
        let nobody = [push(Some("b"), "c", 2), push(Some("a"), "b", None), push(None, "a", 1)];
        let again = [push(Some("a"), "c", 2), push(Some("c"), "a", 3), push(Some("a"), "c", 4), push(None, "a", 1)];
        let circle = [push(Some("b"), "a", 1), push(Some("a"), "b", 2)];
        for (name, pushes, head, expected) in [
            ("whole", &whole[..], "c", Some(vec![1, 2, 3])),
            ("an older head", &whole, "b", Some(vec![1, 3])),
            ("a head that was never pushed", &whole, "x", None),
            ("a push that is hidden", &gap, "c", None),
            ("somebody who is hidden", &nobody, "c", None),
            ("there and back", &again, "c", Some(vec![1, 2, 3, 4])),
            ("no beginning", &circle, "a", None),
            ("nothing", &[], "a", None),
        ] {
            assert_eq!(pushers(pushes, head).map(|found| found.into_iter().collect()), expected, "{name}");
        }
    }
}
