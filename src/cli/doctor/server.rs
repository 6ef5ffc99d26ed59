//! The API server, who we are to it, and the clocks.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::check::Check;
use crate::cluster::{Cluster, KindInfo, person};
use crate::failure::{Failure, chain};

/// Oldest minor version of Kubernetes 1 that is supported.
const OLDEST: u32 = 33;
/// Newest one that was tested.
const TESTED: u32 = 36;
/// Seconds between the clocks that nobody needs to know of: answers take time.
const CLOSE: i64 = 5;

/// Looks at the API server, at who we are and at the clocks.
pub async fn checks(cluster: &Cluster) -> Vec<Check> {
    let session = cluster.own();
    let version = match person::server_version(&session).await {
        Ok(version) => version,
        Err(error) => {
            let hint = error.hint().unwrap_or_else(|| "check the address and the network, then --context".to_owned());
            return vec![Check::fail("API server", format!("{}: {}", cluster.url(), chain(&error)), hint)];
        }
    };
    let mut checks = vec![judge_version(&version, cluster.url())];
    let kind = KindInfo::known("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews");
    let question = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    match person::review(&session, &kind, &question).await {
        Ok(answer) => checks.extend(judge_review(&answer, Timestamp::now())),
        Err(error) => checks.push(Check::warn(
            "identity",
            chain(&error),
            "the API server does not say who we are; the clocks cannot be compared",
        )),
    }
    checks
}

fn judge_version(version: &Value, url: &str) -> Check {
    let text = |field: &str| version.get(field).and_then(Value::as_str).unwrap_or_default();
    let told = format!("{} at {url}", text("gitVersion"));
    let minor: String = text("minor").chars().take_while(char::is_ascii_digit).collect();
    match (text("major"), minor.parse::<u32>()) {
        ("1", Ok(minor)) if minor < OLDEST => {
            Check::fail("API server", told, format!("Kubernetes 1.{OLDEST} is the oldest that is supported"))
        }
        ("1", Ok(minor)) if minor <= TESTED => Check::ok("API server", told),
        _ => Check::warn("API server", told, format!("this version was tested up to Kubernetes 1.{TESTED}")),
    }
}

fn judge_review(answer: &Value, now: Timestamp) -> Vec<Check> {
    let user = answer.pointer("/status/userInfo/username").and_then(Value::as_str).unwrap_or_default();
    let mut checks = vec![Check::ok("identity", format!("you are {user}"))];
    let theirs = answer.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
    if let Some(theirs) = theirs.and_then(|time| time.parse::<Timestamp>().ok()) {
        let apart = now.duration_since(theirs).as_secs();
        let hint = "set the clock by NTP: tokens, certificates and leases depend on it";
        checks.push(match apart {
            apart if apart.abs() <= CLOSE => Check::ok("clock", "as the API server's"),
            1.. => Check::warn("clock", format!("{apart} s ahead of the API server's"), hint),
            _ => Check::warn("clock", format!("{} s behind the API server's", -apart), hint),
        });
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Verdict;

    #[test]
    fn versions_are_judged_by_their_minor() {
        for (major, minor, verdict) in [
            ("1", "32", Verdict::Fail),
            ("1", "33", Verdict::Ok),
            ("1", "36+", Verdict::Ok),
            ("1", "37", Verdict::Warn),
            ("2", "0", Verdict::Warn),
            ("", "", Verdict::Warn),
        ] {
            let version = json!({"major": major, "minor": minor, "gitVersion": "v1"});
            assert_eq!(judge_version(&version, "https://x").verdict, verdict, "{major}.{minor}");
        }
    }

    #[test]
    fn clocks_that_are_apart_are_told() {
        let answer = json!({
            "metadata": {"creationTimestamp": "2026-01-10T12:00:00Z"},
            "status": {"userInfo": {"username": "ada"}},
        });
        let told = |now: &str| judge_review(&answer, now.parse().expect("a time")).remove(1).message;
        assert_eq!(told("2026-01-10T12:00:05Z"), "as the API server's");
        assert_eq!(told("2026-01-10T12:00:06Z"), "6 s ahead of the API server's");
        assert_eq!(told("2026-01-10T11:58:00Z"), "120 s behind the API server's");
    }
}
