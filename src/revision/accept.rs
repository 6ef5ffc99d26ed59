//! May a Sync go from the revision it has accepted to the one that was found?

use serde::{Deserialize, Serialize};

use super::Revision;

/// How the found commit stands to the accepted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ancestry {
    /// The same commit.
    Same,
    /// The found one descends from the accepted one.
    Descends,
    /// The found one is an ancestor of the accepted one.
    Rewound,
    /// Neither descends from the other.
    Diverged,
    /// The accepted commit is neither in the cache nor at the remote any more.
    AcceptedGone,
    /// History could not be read deep enough to tell.
    Unknown,
}

/// Why a revision is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HoldReason {
    /// The branch went back to an older commit.
    Rewound,
    /// The branch was rewritten.
    Diverged,
    /// The accepted revision is gone upstream and from the cache.
    AcceptedRevisionUnavailable,
    /// Ancestry could not be told within the limits.
    AncestryUnknown,
}

impl HoldReason {
    /// Stable CamelCase reason.
    pub fn as_str(self) -> &'static str {
        match self {
            HoldReason::Rewound => "Rewound",
            HoldReason::Diverged => "Diverged",
            HoldReason::AcceptedRevisionUnavailable => "AcceptedRevisionUnavailable",
            HoldReason::AncestryUnknown => "AncestryUnknown",
        }
    }
}

/// The verdict on a found revision, for one Sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It may go. Nothing asks for review yet, so it counts as unreviewed.
    Accepted,
    /// It is held; the accepted one stays healed.
    Held {
        /// Why.
        reason: HoldReason,
        /// For people, with what to do.
        message: String,
    },
}

/// Judges the step from `accepted` to `found`. `rewind` is the one rewrite that the Repository
/// permits, as (from, to) commits.
pub fn accept(
    accepted: Option<&Revision>,
    found: &Revision,
    ancestry: Ancestry,
    rewind: Option<(&str, &str)>,
) -> Acceptance {
    let Some(accepted) = accepted else { return Acceptance::Accepted };
    let reason = match ancestry {
        Ancestry::Same | Ancestry::Descends => return Acceptance::Accepted,
        _ if rewind == Some((&accepted.commit, &found.commit)) => return Acceptance::Accepted,
        Ancestry::Rewound => HoldReason::Rewound,
        Ancestry::Diverged => HoldReason::Diverged,
        Ancestry::AcceptedGone => HoldReason::AcceptedRevisionUnavailable,
        Ancestry::Unknown => HoldReason::AncestryUnknown,
    };
    let what = match reason {
        HoldReason::Rewound => format!("{found} is older than the accepted {accepted}"),
        HoldReason::Diverged => format!("{found} does not descend from the accepted {accepted}"),
        HoldReason::AcceptedRevisionUnavailable => {
            format!(
                "the accepted {accepted} is gone from the remote and from the cache, so {found} cannot be compared with it"
            )
        }
        HoldReason::AncestryUnknown => {
            format!("history between the accepted {accepted} and {found} could not be read")
        }
    };
    Acceptance::Held {
        reason,
        message: format!(
            "{what}; nothing is applied or pruned. To go there on purpose, set spec.rewind of the Repository to {{from: {}, to: {}}}",
            accepted.commit, found.commit
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(digit: char) -> Revision {
        Revision { name: "main".into(), commit: digit.to_string().repeat(40) }
    }

    #[test]
    fn only_a_descendant_or_a_named_rewind_is_accepted() {
        let (old, new) = (revision('a'), revision('b'));
        let named = Some((old.commit.as_str(), new.commit.as_str()));
        let swapped = Some((new.commit.as_str(), old.commit.as_str()));
        for (ancestry, held) in [
            (Ancestry::Same, None),
            (Ancestry::Descends, None),
            (Ancestry::Rewound, Some(HoldReason::Rewound)),
            (Ancestry::Diverged, Some(HoldReason::Diverged)),
            (Ancestry::AcceptedGone, Some(HoldReason::AcceptedRevisionUnavailable)),
            (Ancestry::Unknown, Some(HoldReason::AncestryUnknown)),
        ] {
            assert_eq!(accept(None, &new, ancestry, None), Acceptance::Accepted, "first acceptance, {ancestry:?}");
            assert_eq!(accept(Some(&old), &new, ancestry, named), Acceptance::Accepted, "named, {ancestry:?}");
            for rewind in [None, swapped] {
                let verdict = accept(Some(&old), &new, ancestry, rewind);
                match (held, verdict) {
                    (None, verdict) => assert_eq!(verdict, Acceptance::Accepted),
                    (Some(expected), Acceptance::Held { reason, message }) => {
                        assert_eq!(reason, expected);
                        assert!(message.contains(&old.commit) && message.contains(&new.commit), "{message}");
                    }
                    (Some(_), Acceptance::Accepted) => panic!("{ancestry:?} was accepted"),
                }
            }
        }
    }

    #[test]
    fn revisions_are_written_as_the_field_writes_them() {
        let revision = revision('a');
        assert_eq!(revision.to_string(), format!("main@sha1:{}", "a".repeat(40)));
        assert_eq!(Revision::parse(&revision.to_string()), Some(revision));
        assert_eq!(Revision::parse("main@sha1:abc"), None);
        assert_eq!(Revision::parse(""), None);
    }
}
