//! From what is wanted and what the remote lists to one revision.

use serde::{Deserialize, Serialize};

use super::Revision;

/// Which commit is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Wanted {
    /// Tip of a branch, by its short name.
    Branch(String),
    /// A tag, by its short name.
    Tag(String),
    /// The highest tag in a range.
    Semver(String),
    /// A full reference name.
    Name(String),
    /// A commit id.
    Commit(String),
}

impl Wanted {
    /// Prefixes of the references that can matter, for a listing of references.
    pub fn ref_prefixes(&self) -> Vec<String> {
        match self {
            Wanted::Branch(name) => vec![format!("refs/heads/{name}")],
            Wanted::Tag(name) => vec![format!("refs/tags/{name}")],
            Wanted::Semver(_) => vec!["refs/tags/".to_owned()],
            Wanted::Name(name) => vec![name.clone()],
            Wanted::Commit(_) => Vec::new(),
        }
    }
}

/// A reference as a remote lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteRef {
    /// Full name.
    pub name: String,
    /// Object it points at; of an annotated tag, the tag object.
    pub target: String,
    /// Commit that an annotated tag points at in the end.
    pub peeled: Option<String>,
}

/// Why no revision could be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum RefProblem {
    /// The repository has no references at all.
    #[error("the repository is empty: it has no branches and no tags")]
    Empty,
    /// The reference is not there.
    #[error("{0} is not in the repository")]
    NotFound(String),
    /// The range is no range.
    #[error("{range:?} is not a range of versions: {message}")]
    BadRange {
        /// As written.
        range: String,
        /// Why.
        message: String,
    },
    /// No tag lies in the range.
    #[error("none of the {tags} tags lies in the range {range:?}")]
    NoneInRange {
        /// As written.
        range: String,
        /// How many tags there are.
        tags: usize,
    },
}

/// Chooses the revision that is wanted from the references that the remote lists. References are
/// compared by their full names. Of equal versions the tag that sorts last wins, so the choice
/// does not depend on the order of the listing.
pub fn select(refs: &[RemoteRef], wanted: &Wanted) -> Result<Revision, RefProblem> {
    let by_name = |full: String, short: &str| {
        let found = refs.iter().find(|r| r.name == full);
        match found {
            Some(found) => Ok(Revision { name: short.to_owned(), commit: commit_of(found) }),
            None if refs.is_empty() => Err(RefProblem::Empty),
            None => Err(RefProblem::NotFound(full)),
        }
    };
    match wanted {
        Wanted::Branch(name) => by_name(format!("refs/heads/{name}"), name),
        Wanted::Tag(name) => by_name(format!("refs/tags/{name}"), name),
        Wanted::Name(name) => by_name(name.clone(), name),
        Wanted::Commit(commit) => Ok(Revision { name: String::new(), commit: commit.clone() }),
        Wanted::Semver(range) => {
            let parsed = semver::VersionReq::parse(range)
                .map_err(|e| RefProblem::BadRange { range: range.clone(), message: e.to_string() })?;
            let tags = refs.iter().filter_map(|r| Some((r.name.strip_prefix("refs/tags/")?, r)));
            let versions = tags.clone().filter_map(|(tag, r)| {
                let version = semver::Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
                parsed.matches(&version).then_some((version, tag, r))
            });
            match versions.max_by(|(a, a_tag, _), (b, b_tag, _)| a.cmp_precedence(b).then(a_tag.cmp(b_tag))) {
                Some((_, tag, found)) => Ok(Revision { name: tag.to_owned(), commit: commit_of(found) }),
                None if refs.is_empty() => Err(RefProblem::Empty),
                None => Err(RefProblem::NoneInRange { range: range.clone(), tags: tags.count() }),
            }
        }
    }
}

fn commit_of(found: &RemoteRef) -> String {
    found.peeled.clone().unwrap_or_else(|| found.target.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[(&str, &str)]) -> Vec<RemoteRef> {
        names
            .iter()
            .map(|(name, target)| RemoteRef { name: (*name).to_owned(), target: (*target).to_owned(), peeled: None })
            .collect()
    }

    #[test]
    fn each_way_of_wanting_finds_its_commit() {
        let mut refs = listed(&[
            ("refs/heads/main", "m"),
            ("refs/heads/feature/main", "f"),
            ("refs/tags/main", "t"),
            ("refs/tags/v1.2.0", "a"),
            ("refs/tags/v1.10.0", "b"),
            ("refs/tags/2.0.0-rc.1", "c"),
            ("refs/tags/nightly", "n"),
            ("refs/pull/7/head", "p"),
        ]);
        refs[4].peeled = Some("peeled".into());
        for (wanted, expected) in [
            (Wanted::Branch("main".into()), "main m"),
            (Wanted::Tag("main".into()), "main t"),
            (Wanted::Name("refs/pull/7/head".into()), "refs/pull/7/head p"),
            (Wanted::Semver(">=1.0".into()), "v1.10.0 peeled"),
            (Wanted::Semver("~1.2".into()), "v1.2.0 a"),
            (Wanted::Commit("c0".into()), " c0"),
        ] {
            let found = select(&refs, &wanted).expect("found");
            assert_eq!(format!("{} {}", found.name, found.commit), expected, "{wanted:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_said() {
        let refs = listed(&[("refs/heads/main", "m"), ("refs/tags/v1.0.0", "a")]);
        for (refs, wanted, expected) in [
            (&refs[..], Wanted::Branch("gone".into()), "refs/heads/gone is not in the repository"),
            (&refs[..], Wanted::Branch("heads/main".into()), "refs/heads/heads/main is not in the repository"),
            (&[], Wanted::Branch("main".into()), "the repository is empty: it has no branches and no tags"),
            (&refs[..], Wanted::Semver(">=2".into()), "none of the 1 tags lies in the range \">=2\""),
        ] {
            assert_eq!(select(refs, &wanted).expect_err("not found").to_string(), expected);
        }
        assert!(matches!(select(&refs, &Wanted::Semver("latest".into())), Err(RefProblem::BadRange { .. })));
    }
}
