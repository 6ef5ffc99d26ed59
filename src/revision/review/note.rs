//! Signed approvals, as they stand in Git notes: a text that people can read, and the signature over exactly that text
//! (SSHSIG, OpenSSH's PROTOCOL.sshsig) in the namespace `approval@tandemcd.io`, so that a signature of a commit, or any
//! other, is never taken for an approval.
//!
//! Each signer has a notes reference of their own, so that no two people write the same one. Whoever may push can write
//! any of them, which is why a reference says nothing and the signature everything.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Approval, Role, Voter};
use crate::revision::signature::{self, Trust};

/// What these signatures are made for.
pub const NAMESPACE: &str = "approval@tandemcd.io";
/// Where the notes are: one reference a signer.
pub const NOTES: &str = "refs/notes/tandem/approvals/";
/// Seconds that an approval is good for at most.
pub const LONGEST: i64 = 90 * 86_400;
/// Seconds by which the clock of a signer may be ahead.
const AHEAD: i64 = 600;
/// Bytes of one note that are read.
const NOTE: usize = 256 << 10;
/// Statements of one note that are read.
const STATEMENTS: usize = 100;
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// It approves.
    Approve,
    /// It takes back what the same person approved of the same commit before.
    Withdraw,
}

/// What somebody signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// What it does.
    pub act: Act,
    /// Of which repository ([`repository_id`]).
    pub repository: String,
    /// Full name of the reference that the commit is, or is to come, on.
    pub reference: String,
    /// The commit that it is compared with.
    pub base: String,
    /// The commit.
    pub head: String,
    /// Id of its root tree.
    pub tree: String,
    /// As whom; none is as all that the person is.
    pub role: Option<Role>,
    /// The one cluster that it is for; none is all.
    pub cluster: Option<String>,
    /// When.
    pub at: Timestamp,
    /// From when on it does not count.
    pub expires: Timestamp,
    /// What is to become of the cluster: digests of plans (`plan::Essence`), by `namespace/name` of their Syncs. Only
    /// where it is for one cluster.
    pub plans: Plans,
}

/// Digests of plans, `sha256:<hex>`, by `namespace/name` of their Syncs.
pub type Plans = BTreeMap<String, String>;

/// For what an approval has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Id of the repository.
    pub repository: String,
    /// Full name of the reference that is deployed.
    pub reference: String,
    /// Name of the cluster.
    pub cluster: String,
}

/// Why a statement says nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Flaw {
    /// It is not written as statements are.
    ApprovalMalformed,
    /// Its signature does not count: not of a listed key, not over it, or for another purpose.
    ApprovalUnsigned,
    /// It is of another repository.
    OtherRepository,
    /// It is of another branch or tag.
    OtherReference,
    /// It is for another cluster.
    OtherCluster,
    /// It is of a time that has not come yet, or good for longer than 90 days.
    TimeImplausible,
}

impl Flaw {
    /// Stable CamelCase name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApprovalMalformed => "ApprovalMalformed",
            Self::ApprovalUnsigned => "ApprovalUnsigned",
            Self::OtherRepository => "OtherRepository",
            Self::OtherReference => "OtherReference",
            Self::OtherCluster => "OtherCluster",
            Self::TimeImplausible => "TimeImplausible",
        }
    }
}

/// A statement that says nothing here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why.
    pub flaw: Flaw,
    /// The same in words.
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.why, self.flaw.as_str())
    }
}

/// A statement that was verified.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Withdrawal {
    /// Fingerprint of the key that signed it.
    pub key: String,
    /// The commit.
    pub head: String,
    /// What the key approved until then is taken back.
    pub at: Timestamp,
}

/// What the notes of a commit say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// Approvals.
    pub approvals: Vec<Approval>,
    /// Approvals that were taken back.
    pub withdrawals: Vec<Withdrawal>,
    /// What says nothing here.
    pub refused: Vec<Refused>,
}

impl Statement {
    /// The text that is signed; every part of it has one form alone.
    pub fn text(&self) -> String {
        let title = match self.act {
            Act::Approve => "approval",
            Act::Withdraw => "withdrawal",
        };
        let mut text = format!(
            "tandem {title} v1\nrepository {}\nref {}\nbase {}\nhead {}\ntree {}\nrole {}\ncluster {}\ntime {}\nexpires {}\n",
            self.repository,
            self.reference,
            self.base,
            self.head,
            self.tree,
            self.role.map_or("*", Role::as_str),
            self.cluster.as_deref().unwrap_or("*"),
            self.at,
            self.expires,
        );
        for (sync, digest) in &self.plans {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "plan {sync} {digest}");
        }
        text
    }

    /// Reads such a text; `None` where it is not written exactly so.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let act = match lines.next()? {
            "tandem approval v1" => Act::Approve,
            "tandem withdrawal v1" => Act::Withdraw,
            _ => return None,
        };
        let mut value = |name: &str| lines.by_ref().next()?.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
        let statement = Self {
            act,
            repository: value("repository")?,
            reference: value("ref")?,
            base: value("base")?,
            head: value("head")?,
            tree: value("tree")?,
            role: match value("role")?.as_str() {
                "dev" => Some(Role::Dev),
                "ops" => Some(Role::Ops),
                "*" => None,
                _ => return None,
            },
            cluster: value("cluster").map(|cluster| (cluster != "*").then_some(cluster))?,
            at: value("time")?.parse().ok()?,
            expires: value("expires")?.parse().ok()?,
            plans: BTreeMap::new(),
        };
        let plans = lines.map(plan).collect::<Option<Plans>>()?;
        let statement = Self { plans, ..statement };
        let ids = [&statement.base, &statement.head, &statement.tree];
        // A plan is of one cluster.
        let of_one = statement.plans.is_empty() || statement.cluster.is_some();
        (of_one && ids.into_iter().all(|id| is_id(id)) && statement.text() == text).then_some(statement)
    }
}

/// Reads a line that names a plan.
fn plan(line: &str) -> Option<(String, String)> {
    let (sync, digest) = line.strip_prefix("plan ")?.split_once(' ')?;
    is_plan_digest(digest).then(|| (sync.to_owned(), digest.to_owned()))
}

/// Whether a text is the digest of a plan.
pub fn is_plan_digest(text: &str) -> bool {
    let is_hex = |hex: &str| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.strip_prefix("sha256:").is_some_and(is_hex)
}

fn is_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The name of a repository that all its addresses share: host and path in lower case, without user, scheme, the port
/// of SSH, and `.git`.
pub fn repository_id(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("ssh", url));
    let scp = !url.contains("://");
    let rest = rest.rsplit_once('@').filter(|(user, _)| !user.contains('/')).map_or(rest, |(_, rest)| rest);
    let (host, path) = match rest.split_once(if scp { ':' } else { '/' }) {
        Some((host, path)) => (host, path),
        None => (rest, ""),
    };
    let host = host.to_lowercase();
    let port = if scp { None } else { host.rsplit_once(':') };
    let usual = |port: &str| scheme == "ssh" || (scheme, port) == ("https", "443") || (scheme, port) == ("http", "80");
    let host = match port {
        Some((name, port)) if usual(port) => name.to_owned(),
        _ => host,
    };
    let path = path.trim_matches('/');
    format!("{host}/{}", path.strip_suffix(".git").unwrap_or(path).to_lowercase())
}

/// Host of the forge at a URL, as accounts of the owners file name it.
pub fn host(url: &str) -> String {
    repository_id(url).split('/').next().unwrap_or_default().to_owned()
}

/// The notes reference of whoever signs with the key of this fingerprint (`SHA256:…`).
pub fn reference_of(fingerprint: &str) -> String {
    // A fingerprint may hold `/`, which would be a folder.
    let name = fingerprint.strip_prefix("SHA256:").unwrap_or(fingerprint).replace('/', "_").replace('+', "-");
    format!("{NOTES}{name}")
}

/// The statements of a note, each with its signature; what stands between them is left out.
fn parts(note: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = note.get(..NOTE.min(note.len())).unwrap_or_default();
    while let Some(begin) = rest.find("tandem ") {
        rest = &rest[begin..];
        let Some(signature) = rest.find(BEGIN) else { break };
        let Some(end) = rest[signature..].find(END) else { break };
        let end = signature + end + END.len();
        found.push((&rest[..signature], &rest[signature..end]));
        rest = &rest[end..];
        if found.len() == STATEMENTS {
            break;
        }
    }
    found
}

/// Adds a statement with its signature to a note.
pub fn added(note: &str, text: &str, signature: &str) -> String {
    let gap = if note.is_empty() || note.ends_with('\n') { "" } else { "\n" };
    format!("{note}{gap}{text}{}\n", signature.trim())
}

/// Reads a note on `head`. `trust` has the keys that approve; `now` is when it is read.
pub fn read(note: &str, head: &str, scope: &Scope, trust: &Trust, now: Timestamp) -> Read {
    let mut read = Read::default();
    for (text, armored) in parts(note) {
        match statement(text, armored, head, scope, trust, now) {
            Ok((key, statement)) => match statement.act {
                Act::Approve => read.approvals.push(Approval {
                    voter: Voter::Key(key),
                    head: statement.head,
                    tree: Some(statement.tree),
                    base: Some(statement.base),
                    role: statement.role,
                    at: statement.at,
                    expires: Some(statement.expires),
                    withdrawn: false,
                    plans: statement.plans,
                }),
                Act::Withdraw => {
                    read.withdrawals.push(Withdrawal { key, head: statement.head, at: statement.at });
                }
            },
            Err(refused) if read.refused.contains(&refused) => {}
            Err(refused) => read.refused.push(refused),
        }
    }
    read
}

fn statement(
    text: &str,
    armored: &str,
    head: &str,
    scope: &Scope,
    trust: &Trust,
    now: Timestamp,
) -> Result<(String, Statement), Refused> {
    let refuse = |flaw, why: String| Err(Refused { flaw, why });
    let Some(statement) = Statement::parse(text).filter(|statement| statement.head == head) else {
        return refuse(
            Flaw::ApprovalMalformed,
            "a note holds an approval that cannot be read, or of another commit".into(),
        );
    };
    let signer = match signature::judge_text(text.as_bytes(), armored.as_bytes(), NAMESPACE, trust, now) {
        Ok(signer) => signer,
        Err((flaw, why)) => return refuse(Flaw::ApprovalUnsigned, format!("an approval {why}: {}", flaw.as_str())),
    };
    let who = &signer.name;
    if statement.repository != scope.repository {
        let other = statement.repository.escape_debug();
        return refuse(
            Flaw::OtherRepository,
            format!("{who} approved it for {other} and not for {}", scope.repository),
        );
    }
    if statement.reference != scope.reference {
        let other = statement.reference.escape_debug();
        return refuse(Flaw::OtherReference, format!("{who} approved it for {other} and not for {}", scope.reference));
    }
    if let Some(other) = statement.cluster.as_ref().filter(|cluster| **cluster != scope.cluster) {
        let other = other.escape_debug();
        return refuse(Flaw::OtherCluster, format!("{who} approved it for the cluster {other} alone"));
    }
    let (at, now, until) = (statement.at.as_second(), now.as_second(), statement.expires.as_second());
    if at > now + AHEAD || until - at > LONGEST {
        return refuse(Flaw::TimeImplausible, format!("{who} approved it at a time to come, or for more than 90 days"));
    }
    Ok((signer.key, statement))
}

/// The approvals, with what was taken back marked so. Withdrawals that were seen before count also where their notes are
/// gone.
pub fn effective(approvals: Vec<Approval>, withdrawals: &[Withdrawal]) -> Vec<Approval> {
    let taken_back = |approval: &Approval| {
        let Voter::Key(key) = &approval.voter else { return false };
        withdrawals.iter().any(|w| w.key == *key && w.head == approval.head && w.at >= approval.at)
    };
    let marked = approvals.into_iter().map(|approval| Approval { withdrawn: taken_back(&approval), ..approval });
    marked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn example() -> Statement {
        Statement {
            act: Act::Approve,
            repository: "example.com/shop/app".to_owned(),
            reference: "refs/heads/main".to_owned(),
            base: "a".repeat(40),
            head: "b".repeat(40),
            tree: "c".repeat(40),
            role: Some(Role::Ops),
            cluster: Some("prod".to_owned()),
            at: at("2026-11-29T06:00:00Z"),
            expires: at("2026-12-29T06:00:00Z"),
            plans: BTreeMap::new(),
        }
    }

    fn with_plans() -> Statement {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let plans = [("shop/db".to_owned(), digest("1")), ("shop/web".to_owned(), digest("a"))];
        Statement { plans: plans.into(), ..example() }
    }

    #[test]
    fn a_statement_has_one_form() {
        for statement in [
            example(),
            Statement { act: Act::Withdraw, role: None, cluster: None, ..example() },
            Statement { role: Some(Role::Dev), ..example() },
            with_plans(),
        ] {
            assert_eq!(Statement::parse(&statement.text()), Some(statement.clone()), "{}", statement.text());
        }
        let text = example().text();
        for (from, to) in [
            ("role ops", "role  ops"),
            ("role ops", "role admin"),
            ("ref ", "Ref "),
            ("approval v1", "approval v2"),
            ("06:00:00Z", "06:00:00+00:00"),
            ("bbbb", "BBBB"),
            ("cluster prod\n", ""),
            ("\nexpires", "\nextra x\nexpires"),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text);
            assert_eq!(Statement::parse(&other), None, "{other}");
        }
        assert_eq!(Statement::parse(&format!("{text}\n")), None);
        let text = with_plans().text();
        for (from, to) in [
            ("plan shop/web sha256:aaaa", "plan shop/web sha256:AAAA"),
            ("plan shop/web sha256:a", "plan shop/web sha256:"),
            ("plan shop/web sha256:", "plan shop/web sha512:"),
            ("plan shop/web", "plan shop/db"),
            ("plan shop/db", "plan shop/zz"),
            ("plan shop/web", "plans shop/web"),
            ("cluster prod", "cluster *"),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text);
            assert_eq!(Statement::parse(&other), None, "{other}");
        }
    }

    fn key(seed: u8) -> ssh_key::PrivateKey {
        ssh_key::PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]))
    }

    /// A note in which this key says that in this namespace.
    fn noted(seed: u8, namespace: &str, statement: &Statement) -> String {
        let text = statement.text();
        let signature = key(seed).sign(namespace, ssh_key::HashAlg::Sha512, text.as_bytes()).expect("signs");
        added("", &text, &signature.to_pem(ssh_key::LineEnding::LF).expect("text"))
    }

    #[test]
    fn an_approval_counts_for_what_it_says_alone() {
        let line = format!("bob {}\n", key(1).public_key().to_openssh().expect("a line"));
        let trust = Trust::read_owners(&crate::revision::signature::KeyFile { name: "owners".into(), text: line })
            .expect("a key");
        let scope = Scope {
            repository: "example.com/shop/app".to_owned(),
            reference: "refs/heads/main".to_owned(),
            cluster: "prod".to_owned(),
        };
        let (head, now) = ("b".repeat(40), at("2026-11-29T06:00:00Z"));
        let read = |note: &str| super::read(note, &head, &scope, &trust, now);
        for honest in [example(), Statement { cluster: None, ..example() }, with_plans()] {
            let found = read(&noted(1, NAMESPACE, &honest));
            assert_eq!((found.approvals.len(), found.refused.len()), (1, 0), "{found:?}");
            assert_eq!(found.approvals[0].plans, honest.plans);
        }
        for (name, note, flaw) in [
            (
                "another commit",
                noted(1, NAMESPACE, &Statement { head: "d".repeat(40), ..example() }),
                Flaw::ApprovalMalformed,
            ),
            ("a stranger's key", noted(2, NAMESPACE, &example()), Flaw::ApprovalUnsigned),
            ("another purpose", noted(1, "git", &example()), Flaw::ApprovalUnsigned),
            (
                "changed after it was signed",
                noted(1, NAMESPACE, &example()).replace("role ops", "role dev"),
                Flaw::ApprovalUnsigned,
            ),
            (
                "another repository",
                noted(1, NAMESPACE, &Statement { repository: "example.com/eve/app".into(), ..example() }),
                Flaw::OtherRepository,
            ),
            (
                "another branch",
                noted(1, NAMESPACE, &Statement { reference: "refs/heads/test".into(), ..example() }),
                Flaw::OtherReference,
            ),
            (
                "another cluster",
                noted(1, NAMESPACE, &Statement { cluster: Some("test".into()), ..example() }),
                Flaw::OtherCluster,
            ),
            (
                "a time to come",
                noted(1, NAMESPACE, &Statement { at: at("2026-11-29T06:10:01Z"), ..example() }),
                Flaw::TimeImplausible,
            ),
            (
                "good for too long",
                noted(1, NAMESPACE, &Statement { expires: at("2027-02-27T06:00:01Z"), ..example() }),
                Flaw::TimeImplausible,
            ),
        ] {
            let found = read(&note);
            let flaws: Vec<Flaw> = found.refused.iter().map(|refused| refused.flaw).collect();
            assert_eq!((found.approvals.len(), flaws), (0, vec![flaw]), "{name}: {found:?}");
        }
    }

    #[test]
    fn all_addresses_of_a_repository_have_one_name() {
        for url in [
            "https://Example.com/Shop/app.git",
            "https://user@example.com:443/shop/app",
            "ssh://git@example.com:2222/shop/app.git",
            "git@example.com:shop/app.git",
            "example.com:shop/app/",
        ] {
            assert_eq!(repository_id(url), "example.com/shop/app", "{url}");
        }
        for url in [
            "https://example.com/shop/app2",
            "https://example.com:8443/shop/app",
            "http://evil.com/example.com/shop/app",
        ] {
            assert_ne!(repository_id(url), "example.com/shop/app", "{url}");
        }
        assert_eq!(repository_id("https://example.com/a@b/c"), "example.com/a@b/c");
    }

    #[test]
    fn a_withdrawal_takes_back_what_was_before_it_and_nothing_else() {
        let approval = |key: &str, head: &str, time: &str| Approval {
            voter: Voter::Key(key.to_owned()),
            head: head.to_owned(),
            tree: None,
            base: None,
            role: None,
            at: at(time),
            expires: None,
            withdrawn: false,
            plans: BTreeMap::new(),
        };
        let withdrawal = Withdrawal { key: "k".to_owned(), head: "h".to_owned(), at: at("2026-11-29T06:00:00Z") };
        for (key, head, time, expected) in [
            ("k", "h", "2026-11-29T05:59:59Z", true),
            ("k", "h", "2026-11-29T06:00:00Z", true),
            ("k", "h", "2026-11-29T06:00:01Z", false),
            ("k", "other", "2026-11-29T05:59:59Z", false),
            ("other", "h", "2026-11-29T05:59:59Z", false),
        ] {
            let marked = effective(vec![approval(key, head, time)], std::slice::from_ref(&withdrawal));
            assert_eq!(marked[0].withdrawn, expected, "{key} {head} {time}");
        }
    }
}
