//! Repositories: the Secrets that they name, and whether their host answers from here.

use std::time::Duration;

use futures::{StreamExt, stream};
use kube::ResourceExt;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::check::Check;
use crate::api::Repository;
use crate::cluster::{Cluster, KindInfo, apply};
use crate::failure::chain;
use crate::git::{Address, PlainHttp};

/// How long a host may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Repositories looked at at a time.
const AT_ONCE: usize = 8;

/// Looks at every Repository.
pub async fn checks(cluster: &Cluster, repositories: &[Repository]) -> Vec<Check> {
    let found: Vec<Vec<Check>> = stream::iter(repositories)
        .map(|repository| async move {
            let mut checks = vec![host(repository).await];
            for (secret, keys) in secrets(repository) {
                checks.push(look_at_secret(cluster, repository, &secret, keys).await);
            }
            checks
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    found.into_iter().flatten().collect()
}

fn name(repository: &Repository) -> String {
    format!("Repository {}/{}", repository.namespace().unwrap_or_default(), repository.name_any())
}

/// Names of Secrets, with the keys that must be there: one of them each.
fn secrets(repository: &Repository) -> Vec<(String, &'static [&'static str])> {
    let auth = repository.spec.auth.clone().unwrap_or_default();
    let webhook = repository.spec.webhook.clone().map(|webhook| webhook.secret_ref);
    [
        (auth.secret_ref, &["password", "bearerToken", "identity", "tls.crt"] as &[_]),
        (auth.proxy_secret_ref, &["address"]),
        (auth.ca_secret_ref, &["ca.crt"]),
        (webhook, &["token"]),
    ]
    .into_iter()
    .filter_map(|(reference, keys)| Some((reference?.name, keys)))
    .collect()
}

/// Only names of keys are looked at, never values.
async fn look_at_secret(cluster: &Cluster, repository: &Repository, secret: &str, keys: &[&str]) -> Check {
    let name = name(repository);
    let namespace = repository.namespace().unwrap_or_default();
    let kind = KindInfo::known("", "v1", "Secret", "secrets").namespaced();
    match apply::get(&cluster.own(), &kind, &namespace, secret).await {
        Ok(Some(found)) => judge_secret(name, &namespace, secret, keys, &found),
        Ok(None) => Check::fail(
            name,
            format!("Secret {namespace}/{secret} is not there"),
            format!("create it with one of the keys {}", keys.join(", ")),
        ),
        Err(error) => Check::warn(
            name,
            format!("Secret {namespace}/{secret} cannot be looked at: {}", chain(&error)),
            "nothing needs to be done where you are not meant to see it",
        ),
    }
}

fn judge_secret(name: String, namespace: &str, secret: &str, keys: &[&str], found: &Value) -> Check {
    let data = found.get("data").and_then(Value::as_object);
    if keys.iter().any(|key| data.is_some_and(|data| data.contains_key(*key))) {
        return Check::ok(name, format!("Secret {namespace}/{secret} is there"));
    }
    let there = data.map(|data| data.keys().cloned().collect::<Vec<_>>().join(", ")).unwrap_or_default();
    Check::fail(
        name,
        format!("Secret {namespace}/{secret} has none of the keys {} (it has: {there})", keys.join(", ")),
        "its keys are described in the documentation of Repository.spec.auth",
    )
}

async fn host(repository: &Repository) -> Check {
    let name = name(repository);
    let address = match Address::parse(&repository.spec.url, PlainHttp::Local) {
        Ok(address) => address,
        Err(error) => return Check::fail(name, chain(&error), "mend spec.url"),
    };
    let place = format!("{} port {}", address.host, address.port);
    match timeout(PATIENCE, TcpStream::connect((address.host.as_str(), address.port))).await {
        Ok(Ok(_)) => Check::ok(name, format!("{place} answers from here")),
        Ok(Err(error)) => unreachable(name, &place, &error.to_string()),
        Err(_) => unreachable(name, &place, "no answer within 3 s"),
    }
}

fn unreachable(name: String, place: &str, why: &str) -> Check {
    Check::warn(
        name,
        format!("{place} does not answer from here: {why}"),
        "the agent may still reach it from inside the cluster: the Repository's conditions say so",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_judged_by_their_keys() {
        let judge = |found: Value| judge_secret("Repository shop/app".into(), "shop", "deploy", &["token"], &found);
        insta::assert_snapshot!(judge(json!({"data": {"token": "c2VjcmV0"}})).message, @"Secret shop/deploy is there");
        insta::assert_snapshot!(judge(json!({"data": {"key": "c2VjcmV0"}})).message, @"Secret shop/deploy has none of the keys token (it has: key)");
    }
}
