//! What the agent may do by itself, and what only an account may.

use std::fs;
use std::time::Duration;

use serde_json::json;
use tandem::cluster::delete::{Preconditions, Propagation, delete, wait_gone};
use tandem::cluster::{Actor, Cluster, ConnectOptions, Purpose, RefusalReason, apply};
use tokio_util::sync::CancellationToken;

use super::{account, apply as apply_body, config_map, connect, core, desired, eventually, namespace, permit, shared};

/// A kubeconfig that acts as an account of the agent's own.
fn kubeconfig_of(folder: &tempfile::TempDir, namespace: &str, name: &str) -> std::path::PathBuf {
    let lab = shared();
    let token = lab.k(&["create", "token", "--namespace", namespace, name]);
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": lab.fact("TANDEM_LAB_SERVER"), "certificate-authority": lab.fact("TANDEM_LAB_CA")}}],
        "users": [{"name": "a", "user": {"token": token.trim()}}],
    });
    let path = folder.path().join("kubeconfig");
    fs::write(&path, config.to_string()).expect("written");
    path
}

#[tokio::test]
async fn an_agent_acts_as_the_accounts_that_it_may_act_as_and_no_other() {
    let (admin, _) = connect().await;
    let session = admin.own();
    let ns = namespace(&session, "rights").await;
    let maps = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch", "delete"]}]);
    for name in ["deployer", "other"] {
        account(&session, &ns, name, maps.clone()).await;
    }
    let act_as = json!([{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"], "resourceNames": ["deployer"]}]);
    account(&session, &ns, "agent", act_as).await;

    let folder = tempfile::tempdir().expect("folder");
    let options =
        ConnectOptions { kubeconfig: Some(kubeconfig_of(&folder, &ns, "agent")), ..ConnectOptions::default() };
    let agent = Cluster::connect(options).await.expect("connects");
    let as_account = |name: &str| agent.session(Actor::account(&ns, name), &Purpose::default()).expect("an identity");
    let body = || config_map(&ns, "a", json!({"k": "1"}));

    let deployer = as_account("deployer");
    eventually("the right to act as the account is known", || {
        let (deployer, body) = (deployer.clone(), body());
        async move { apply::dry_run(&deployer, &desired(body)).await.is_ok() }
    })
    .await;
    let applied = apply_body(&deployer, body()).await.expect("applied");
    for (who, forbidden) in [("the agent itself", agent.own()), ("another account", as_account("other"))] {
        let refused = apply::dry_run(&forbidden, &desired(body())).await.expect_err(who);
        assert_eq!(refused.refusal().map(|r| &r.why), Some(&RefusalReason::Forbidden), "{who}: {refused}");
    }
    let of_another = agent.session(Actor::account("default", "deployer"), &Purpose::default()).expect("an identity");
    apply::dry_run(&of_another, &desired(body())).await.expect_err("the account of that name in another namespace");

    // The account may read but not watch: its end is seen by reading.
    let (kind, uid) = (core("ConfigMap", "configmaps"), applied.metadata("uid").to_owned());
    let only = Preconditions { uid: uid.clone(), resource_version: None };
    delete(&permit(), &deployer, &kind, (&ns, "a"), &only, Propagation::Background).await.expect("deleted");
    let never = CancellationToken::new();
    wait_gone(&deployer, &kind, (&ns, "a"), &uid, Duration::from_secs(20), &never).await.expect("gone");
}

#[tokio::test]
async fn the_audit_log_names_sync_and_commit() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "rights-audit").await;
    let maps = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]);
    let deployer = account(&session, &ns, "deployer", maps).await;
    eventually("the role is known", || {
        let (deployer, body) = (deployer.clone(), config_map(&ns, "a", json!({})));
        async move { apply_body(&deployer, body).await.is_ok() }
    })
    .await;
    let agent = format!("tandem/{} (lab/{ns}/web; 0123abcd)", env!("CARGO_PKG_VERSION"));
    eventually("the audit log has it", || {
        let found = !shared()
            .audit(&ns, |event| {
                event["userAgent"] == json!(agent)
                    && event["impersonatedUser"]["username"] == json!(format!("system:serviceaccount:{ns}:deployer"))
            })
            .is_empty();
        async move { found }
    })
    .await;
}
