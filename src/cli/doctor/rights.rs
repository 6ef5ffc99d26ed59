//! Accounts of Syncs: there, for the agent to act as, and with the rights that their inventories
//! need.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::check::Check;
use crate::agent::inputs;
use crate::api::Sync;
use crate::cli::live;
use crate::cluster::own::kind_info;
use crate::cluster::{Cluster, ClusterError, KindInfo, apply, person};
use crate::failure::chain;

/// Questions at a time.
const AT_ONCE: usize = 16;
/// What the account of a Sync does with what it deploys.
const VERBS: [&str; 4] = ["get", "create", "patch", "delete"];

/// One question about rights.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    user: String,
    verb: &'static str,
    group: String,
    resource: String,
    namespace: String,
    name: String,
}

/// Looks at the account of every Sync.
pub async fn checks(cluster: &Cluster, syncs: &[Sync], agent_namespace: &str, agent_account: &str) -> Vec<Check> {
    let agent = format!("system:serviceaccount:{agent_namespace}:{agent_account}");
    let mut checks = Vec::new();
    for sync in syncs {
        checks.extend(of_sync(cluster, sync, &agent).await);
    }
    checks
}

async fn of_sync(cluster: &Cluster, sync: &Sync, agent: &str) -> Vec<Check> {
    let namespace = sync.namespace().unwrap_or_default();
    let name = format!("Sync {namespace}/{}", sync.name_any());
    let Some(account) = sync.spec.service_account_name.clone() else {
        let hint = "set spec.serviceAccountName to an account with the rights that the objects need";
        return vec![Check::fail(name, "names no account: nothing is applied", hint)];
    };
    let kind = KindInfo::known("", "v1", "ServiceAccount", "serviceaccounts").namespaced();
    match apply::get(&cluster.own(), &kind, &namespace, &account).await {
        Ok(Some(_)) => {}
        Ok(None) => {
            let hint = format!("`kubectl -n {namespace} create serviceaccount {account}`, or a commit that has it");
            return vec![Check::fail(name, format!("its account {namespace}/{account} is not there"), hint)];
        }
        Err(error) => return vec![Check::warn(name, chain(&error), "ask for the right to get serviceaccounts")],
    }
    let mut questions = BTreeSet::from([impersonation(agent, &namespace, &account)]);
    questions.extend(sources(sync, &namespace, &account));
    match needed(cluster, sync, &format!("system:serviceaccount:{namespace}:{account}")).await {
        Ok(needed) => questions.extend(needed),
        Err(check) => return vec![Check { name, ..check }],
    }
    let asked = questions.len();
    match denied(cluster, questions).await {
        Ok(denied) => judge(&name, &account, asked, &denied),
        Err(error) => vec![Check::warn(name, chain(&error), "ask for the right to create subjectaccessreviews")],
    }
}

fn impersonation(agent: &str, namespace: &str, account: &str) -> Question {
    Question {
        user: agent.to_owned(),
        verb: "impersonate",
        group: String::new(),
        resource: "serviceaccounts".to_owned(),
        namespace: namespace.to_owned(),
        name: account.to_owned(),
    }
}

/// What the account must be able to do with the ConfigMaps and Secrets that the spec names.
fn sources(sync: &Sync, namespace: &str, account: &str) -> Vec<Question> {
    let of_source = |named: inputs::Named| {
        let (kind, user) = (kind_info(named.id.kind), format!("system:serviceaccount:{namespace}:{account}"));
        let namespace = namespace.to_owned();
        ["get", "list", "watch"].map(|verb| Question {
            user: user.clone(),
            verb,
            group: kind.group.clone(),
            resource: kind.plural.clone(),
            namespace: namespace.clone(),
            name: named.id.name.clone(),
        })
    };
    inputs::wanted(&sync.spec).into_iter().flat_map(of_source).collect()
}

/// What the account must be able to do for the kinds that the Sync owns now.
async fn needed(cluster: &Cluster, sync: &Sync, user: &str) -> Result<Vec<Question>, Check> {
    let told = |why: String| Check::warn("", why, "ask for the right to list inventories");
    let owned = live::owned(cluster, sync).await.map_err(|_| told("its inventory cannot be read".to_owned()))?;
    let session = cluster.own();
    let mut questions = Vec::new();
    for id in owned.keys() {
        let kind = match cluster.kinds().preferred(&session, &id.group, &id.kind).await {
            Ok(kind) => kind,
            Err(ClusterError::NoSuchKind { .. }) => continue,
            Err(error) => return Err(told(chain(&error))),
        };
        questions.extend(VERBS.map(|verb| Question {
            user: user.to_owned(),
            verb,
            group: kind.group.clone(),
            resource: kind.plural.clone(),
            namespace: id.namespace.clone(),
            name: String::new(),
        }));
    }
    Ok(questions)
}

async fn denied(cluster: &Cluster, questions: BTreeSet<Question>) -> Result<Vec<Question>, ClusterError> {
    let session = cluster.own();
    let kind = KindInfo::known("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews");
    let answers: Vec<Result<Option<Question>, ClusterError>> = stream::iter(questions)
        .map(|question| {
            let (session, kind) = (&session, &kind);
            async move {
                let answer = person::review(session, kind, &review(&question)).await?;
                let allowed = answer.pointer("/status/allowed") == Some(&Value::Bool(true));
                Ok((!allowed).then_some(question))
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    answers.into_iter().filter_map(Result::transpose).collect()
}

fn review(question: &Question) -> Value {
    // The groups that the API server itself gives an account.
    let account_namespace = question.user.split(':').nth(2).unwrap_or_default();
    json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": question.user,
            "groups": [
                "system:serviceaccounts", format!("system:serviceaccounts:{account_namespace}"), "system:authenticated",
            ],
            "resourceAttributes": {
                "verb": question.verb, "group": question.group, "resource": question.resource,
                "namespace": question.namespace, "name": question.name,
            },
        },
    })
}

fn judge(name: &str, account: &str, asked: usize, denied: &[Question]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut lacking: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for question in denied {
        if question.verb == "impersonate" {
            checks.push(Check::fail(
                name,
                format!("{} may not act as its account {account}", question.user),
                format!("grant `impersonate` on serviceaccounts with resourceNames [{account}] in namespace {} to the agent", question.namespace),
            ));
            continue;
        }
        let group = if question.group.is_empty() { String::new() } else { format!(".{}", question.group) };
        let place = if question.namespace.is_empty() { String::new() } else { format!(" in {}", question.namespace) };
        let name = if question.name.is_empty() { String::new() } else { format!(" {}", question.name) };
        lacking.entry(format!("{}{group}{name}{place}", question.resource)).or_default().push(question.verb);
    }
    if !lacking.is_empty() {
        let told: Vec<String> = lacking.iter().map(|(what, verbs)| format!("{} {what}", verbs.join("/"))).collect();
        let hint = "grant them in a Role or ClusterRole that the account is bound to";
        checks.push(Check::fail(name, format!("its account {account} may not: {}", told.join("; ")), hint));
    }
    if checks.is_empty() {
        checks.push(Check::ok(name, format!("its account {account} may do what it needs ({asked} questions asked)")));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::text;
    use crate::cli::output::Paint;

    #[test]
    fn what_is_denied_is_told_by_kind() {
        let agent = impersonation("system:serviceaccount:tandem-system:tandem", "shop", "deployer");
        let lacks = |verb, group: &str, resource: &str, namespace: &str| Question {
            user: "system:serviceaccount:shop:deployer".into(),
            verb,
            group: group.into(),
            resource: resource.into(),
            namespace: namespace.into(),
            name: String::new(),
        };
        let denied = [
            agent,
            lacks("create", "apps", "deployments", "shop"),
            lacks("delete", "apps", "deployments", "shop"),
            lacks("get", "", "namespaces", ""),
            Question { name: "database".into(), ..lacks("watch", "", "secrets", "shop") },
        ];
        let mut checks = judge("Sync shop/web", "deployer", 9, &denied);
        checks.extend(judge("Sync shop/api", "deployer", 5, &[]));
        insta::assert_snapshot!(text(&checks, Paint::Plain), @r"
        fail  Sync shop/web: system:serviceaccount:tandem-system:tandem may not act as its account deployer
              hint: grant `impersonate` on serviceaccounts with resourceNames [deployer] in namespace shop to the agent
        fail  Sync shop/web: its account deployer may not: create/delete deployments.apps in shop; get namespaces; watch secrets database in shop
              hint: grant them in a Role or ClusterRole that the account is bound to
        ok    Sync shop/api: its account deployer may do what it needs (5 questions asked)
        1 ok, 0 to know, 2 wrong
        ");
    }
}
