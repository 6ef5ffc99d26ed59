//! `Tandem-Delete`: the line of a commit message that pays for deletions.

use std::fmt;
use std::str::FromStr;

use super::Owner;

const NAME: &str = "Tandem-Delete";

/// `Tandem-Delete: [<cluster>/]<namespace>/<sync> <at most N>`, in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Commit whose message has it.
    pub commit: String,
    /// Cluster; any where absent.
    pub cluster: Option<String>,
    /// Namespace of the Sync.
    pub namespace: String,
    /// Name of the Sync.
    pub name: String,
    /// How much may be deleted.
    pub at_most: u32,
}

impl Trailer {
    /// Whether it speaks of this Sync.
    pub fn speaks_of(&self, owner: &Owner) -> bool {
        self.cluster.as_ref().is_none_or(|cluster| *cluster == owner.cluster)
            && self.namespace == owner.namespace
            && self.name == owner.name
    }
}

/// Why a line that begins like a trailer is none. It pays for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrailerError {
    /// Its name is written in another way.
    #[error("{0:?}: the trailer is written Tandem-Delete:")]
    Spelling(String),
    /// It has not exactly two words.
    #[error("{0:?} is not `Tandem-Delete: [<cluster>/]<namespace>/<sync> <at most N>`")]
    Form(String),
    /// The Sync is not named by namespace and name.
    #[error("{0:?} does not name a Sync as [<cluster>/]<namespace>/<sync>")]
    Sync(String),
    /// The number is none.
    #[error("{0:?} is not a number of objects between 1 and 4294967295")]
    Number(String),
    /// The same Sync stands twice in one message.
    #[error("{0:?} stands twice in one message: which number is meant cannot be told")]
    Twice(String),
}

impl TrailerError {
    /// Stable CamelCase reason.
    pub fn reason(&self) -> &'static str {
        match self {
            TrailerError::Spelling(_) => "TrailerSpelling",
            TrailerError::Form(_) => "TrailerForm",
            TrailerError::Sync(_) => "TrailerSync",
            TrailerError::Number(_) => "TrailerNumber",
            TrailerError::Twice(_) => "TrailerTwice",
        }
    }
}

/// The trailers of a commit message, and the lines that would be some and are wrong. A trailer
/// counts on any line of its own (a squash merge puts it in the middle), from the first column: what
/// is quoted or indented does not.
pub fn trailers(commit: &str, message: &str) -> (Vec<Trailer>, Vec<TrailerError>) {
    let mut found: Vec<Trailer> = Vec::new();
    let mut wrong = Vec::new();
    for line in message.lines().map(str::trim_end) {
        let Some((name, rest)) = line.split_once(':') else { continue };
        if !name.trim_end().eq_ignore_ascii_case(NAME) {
            continue;
        }
        match trailer(commit, name, rest) {
            Ok(trailer) => {
                let target = |t: &Trailer| (t.cluster.clone(), t.namespace.clone(), t.name.clone());
                if found.iter().any(|earlier| target(earlier) == target(&trailer)) {
                    wrong.push(TrailerError::Twice(line.to_owned()));
                    found.retain(|earlier| target(earlier) != target(&trailer));
                } else {
                    found.push(trailer);
                }
            }
            Err(error) => wrong.push(error),
        }
    }
    (found, wrong)
}

fn trailer(commit: &str, name: &str, rest: &str) -> Result<Trailer, TrailerError> {
    let line = format!("{name}:{rest}");
    if name != NAME {
        return Err(TrailerError::Spelling(line));
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [sync, number] = words[..] else { return Err(TrailerError::Form(line)) };
    let parts: Vec<&str> = sync.split('/').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(TrailerError::Sync(line));
    }
    let (cluster, namespace, name) = match parts[..] {
        [namespace, name] => (None, namespace, name),
        [cluster, namespace, name] => (Some(cluster.to_owned()), namespace, name),
        _ => return Err(TrailerError::Sync(line)),
    };
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    let at_most = number.parse().ok().filter(|n| digits && *n > 0).ok_or(TrailerError::Number(line))?;
    Ok(Trailer { commit: commit.to_owned(), cluster, namespace: namespace.to_owned(), name: name.to_owned(), at_most })
}

/// What a trailer paid for; it pays no second time. Written `<commit> <used>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Commit of the trailer.
    pub commit: String,
    /// How many deletions were charged to it.
    pub used: u32,
}

impl fmt::Display for Paid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.commit, self.used)
    }
}

impl FromStr for Paid {
    type Err = TrailerError;

    fn from_str(text: &str) -> Result<Self, TrailerError> {
        let (commit, used) = text.split_once(' ').ok_or_else(|| TrailerError::Form(text.to_owned()))?;
        let used = used.parse().map_err(|_| TrailerError::Number(text.to_owned()))?;
        Ok(Self { commit: commit.to_owned(), used })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_read_strictly() {
        let check = |message: &str, expected: Result<(Option<&str>, u32), &str>| {
            let (found, wrong) = trailers("c", message);
            match expected {
                Ok((cluster, at_most)) => {
                    assert_eq!(wrong, [], "{message:?}");
                    let trailer = Trailer {
                        commit: "c".into(),
                        cluster: cluster.map(str::to_owned),
                        namespace: "ns".into(),
                        name: "shop".into(),
                        at_most,
                    };
                    assert_eq!(found, [trailer], "{message:?}");
                }
                Err(reason) => {
                    assert_eq!(found, [], "{message:?}");
                    assert_eq!(wrong.iter().map(TrailerError::reason).collect::<Vec<_>>(), [reason], "{message:?}");
                }
            }
        };
        check("Drop it\n\nTandem-Delete: ns/shop 12\n", Ok((None, 12)));
        check(
            "Drop it (#7)\n\n* drop\n\nTandem-Delete: prod/ns/shop 12 \r\n\nCo-authored-by: A <a@b>",
            Ok((Some("prod"), 12)),
        );
        check("x\n\nTandem-Delete: ns/shop", Err("TrailerForm"));
        check("x\n\nTandem-Delete: ns/shop at most 3", Err("TrailerForm"));
        check("x\n\nTandem-Delete: shop 3", Err("TrailerSync"));
        check("x\n\nTandem-Delete: a/b/ns/shop 3", Err("TrailerSync"));
        check("x\n\nTandem-Delete: /shop 3", Err("TrailerSync"));
        check("x\n\nTandem-Delete: ns/shop +3", Err("TrailerNumber"));
        check("x\n\nTandem-Delete: ns/shop 0", Err("TrailerNumber"));
        check("x\n\nTandem-Delete: ns/shop 99999999999", Err("TrailerNumber"));
        check("x\n\ntandem-delete: ns/shop 3", Err("TrailerSpelling"));
        check("x\n\nTandem-Delete : ns/shop 3", Err("TrailerSpelling"));
        check("x\n\nTandem-Delete: ns/shop 3\nTandem-Delete: ns/shop 4", Err("TrailerTwice"));
        for quoted in
            ["x\n\n> Tandem-Delete: ns/shop 3", "x\n\n  Tandem-Delete: ns/shop 3", "Tandem-Deletes: ns/shop 3"]
        {
            assert_eq!(trailers("c", quoted), (vec![], vec![]), "{quoted:?}");
        }
    }

    #[test]
    fn paid_survives_the_round_trip() {
        let paid = Paid { commit: "a".repeat(40), used: 12 };
        assert_eq!(paid.to_string().parse::<Paid>(), Ok(paid));
        assert!("nonsense".parse::<Paid>().is_err());
    }
}
