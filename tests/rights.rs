//! Rights: what the agent does as itself, what only as the account of a Sync, and what it could not do if it wanted.

use serde_json::Value;

use crate::lab::manifests::{config, deployment};
use crate::lab::{Agent, Lab, Repo, Tenant, both};

const AGENT: &str = "system:serviceaccount:tandem-system:tandem";

fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What the agent may change or read as itself: its own records. Nothing else, in words.
fn own(event: &Value) -> bool {
    let of = |field: &str| text(event, &format!("/objectRef/{field}"));
    match (of("apiGroup"), of("resource")) {
        ("tandemcd.io", "acceptances" | "inventories") => true,
        ("tandemcd.io", "syncs") => matches!(of("subresource"), "" | "status"),
        ("tandemcd.io", "repositories" | "standards") => of("subresource") == "status",
        ("" | "events.k8s.io", "events") => text(event, "/verb") != "delete",
        ("coordination.k8s.io", "leases") => of("namespace") == "tandem-system",
        ("", "secrets") => {
            of("namespace") == "tandem-system" && matches!(of("name"), "tandem-digest-key" | "tandem-signing-key")
        }
        _ => false,
    }
}

#[test]
fn as_itself_the_agent_writes_its_records_alone_and_all_else_as_the_account_of_the_sync() {
    let lab = Lab::start("own");
    let _agent = Agent::start(&lab);
    let (tenants, repo) = (Tenant::several(&lab, 2), Repo::new());
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: token}\nstringData: {token: abc}\n";
    let all = config("a", "{text: one}") + secret + &deployment("web", "replicas: 1", "registry.example.com/web:1");
    repo.write("deploy/all.yaml", &(all.clone() + &config("leaves", "{text: one}")));
    let first = repo.push("of every sort");
    for tenant in &tenants {
        tenant.deploy(&repo, "");
        tenant.wait_applied("sync", &first);
    }
    // A prune, and two repairs.
    repo.write("deploy/all.yaml", &all.replace("text: one", "text: two"));
    let second = repo.push("one leaves");
    for tenant in &tenants {
        let namespace = tenant.namespace.as_str();
        tenant.wait_applied("sync", &second);
        lab.wait_absent(namespace, "configmap/leaves");
        lab.k(&["-n", namespace, "delete", "secret", "token"]);
        lab.k(&["-n", namespace, "patch", "configmap", "a", "-p", "{\"data\": {\"text\": \"three\"}}"]);
        lab.wait(namespace, "configmap/a", |object| match object["data"]["text"].as_str() {
            Some("two") => Ok(()),
            other => Err(format!("{other:?}")),
        });
        lab.wait(namespace, "secret/token", |_| Ok(()));
    }
    let seen = lab.audit(AGENT, |event| text(event, "/user/username") == AGENT);
    let (as_account, as_itself): (Vec<&Value>, Vec<&Value>) =
        seen.iter().partition(|event| event.get("impersonatedUser").is_some());
    let writes = |event: &&&Value| matches!(text(event, "/verb"), "create" | "update" | "patch" | "delete");
    for event in as_itself.iter().filter(writes) {
        assert!(own(event), "the agent writes as itself: {event:#}");
    }
    for event in as_itself.iter().filter(|event| text(event, "/objectRef/resource") == "secrets") {
        assert!(own(event), "the agent reads a Secret as itself: {event:#}");
    }
    // Each account in its own namespace, and at least what was asked for.
    for tenant in &tenants {
        let namespace = tenant.namespace.as_str();
        let account = format!("system:serviceaccount:{namespace}:deployer");
        let mine = as_account.iter().filter(|event| text(event, "/objectRef/namespace") == namespace);
        let written: Vec<&&Value> = mine.clone().filter(writes).collect();
        for event in mine {
            assert_eq!(text(event, "/impersonatedUser/username"), account, "{event:#}");
        }
        for (verb, resource) in
            [("patch", "configmaps"), ("patch", "secrets"), ("patch", "deployments"), ("delete", "configmaps")]
        {
            let sent = |event: &&&Value| text(event, "/verb") == verb && text(event, "/objectRef/resource") == resource;
            assert!(written.iter().any(sent), "nobody sent {verb} {resource} in {namespace}");
        }
        assert!(written.iter().all(|event| text(event, "/userAgent").contains(namespace)), "{written:#?}");
    }
}

/// The API server's own word, and not what some manifest says.
#[test]
fn with_its_shipped_rights_the_agent_could_do_no_harm() {
    let (lab, _) = (Lab::shared(), Lab::shared_agent());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    for (verb, what, place, may) in [
        ("create", "deployments.apps", namespace, false),
        ("patch", "configmaps", namespace, false),
        ("delete", "namespaces", "", false),
        ("list", "secrets", namespace, false),
        ("watch", "secrets", "tandem-system", false),
        ("get", "secrets/anything", "tandem-system", false),
        ("get", "secrets/tandem-digest-key", "tandem-system", true),
        ("get", "secrets/tandem-digest-key", namespace, false),
        ("update", "secrets/tandem-signing-key", "tandem-system", false),
        ("create", "syncs.tandemcd.io", namespace, false),
        ("delete", "syncs.tandemcd.io", namespace, false),
        ("update", "repositories.tandemcd.io", namespace, false),
        ("delete", "acceptances.tandemcd.io", namespace, false),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io", "", false),
        ("bind", "clusterroles.rbac.authorization.k8s.io", "", false),
        ("escalate", "clusterroles.rbac.authorization.k8s.io", "", false),
        ("impersonate", "serviceaccounts/deployer", namespace, true),
        ("impersonate", "serviceaccounts/default", namespace, false),
        ("impersonate", "serviceaccounts/deployer", "kube-system", false),
        ("impersonate", "users/admin", "", false),
        ("impersonate", "groups/system:masters", "", false),
        ("list", "deployments.apps", namespace, true),
        ("watch", "configmaps", "kube-system", true),
    ] {
        let mut ask = lab.kubectl();
        ask.args(["auth", "can-i", verb, what, "--as", AGENT]);
        if !place.is_empty() {
            ask.args(["-n", place]);
        }
        let output = ask.output().expect("kubectl runs");
        assert_eq!(output.status.success(), may, "{verb} {what} in {place:?}: {}", both(&output));
    }
}
