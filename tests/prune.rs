//! What leaves Git leaves the cluster, within a budget.

use crate::lab::manifests::{config, web};
use crate::lab::{Agent, Lab, Repo, Tenant, condition_of, unique, wait_for};

/// A ConfigMap with more metadata, such as `, finalizers: [example.com/slow]`.
fn named(name: &str, more: &str) -> String {
    config(&format!("{name}{more}"), "{a: b}")
}

fn configs(prefix: &str, count: u32) -> String {
    (0..count).map(|n| named(&format!("{prefix}{n}"), "")).collect()
}

fn count(lab: &Lab, namespace: &str, prefix: &str) -> usize {
    let found = lab.k(&["-n", namespace, "get", "configmaps", "-o", "name"]);
    found.lines().filter(|line| line.starts_with(&format!("configmap/{prefix}"))).count()
}

/// Takes a finalizer away, as its controller would.
fn release(lab: &Lab, namespace: &str, what: &str) {
    lab.k(&["-n", namespace, "patch", what, "--type=merge", "-p", "{\"metadata\": {\"finalizers\": null}}"]);
}

#[test]
fn what_leaves_git_goes_in_reverse_and_a_finalizer_holds_nothing_else_up() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/keep.yaml", &named("keep", ""));
    let web = web().replace("{containers", "{serviceAccountName: web, containers");
    let account = "---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
";
    let slow = named("slow", ", finalizers: [example.com/slow]");
    repo.write("deploy/web.yaml", &format!("{web}{account}{slow}{}", named("other", "")));
    let first = repo.push("first");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);

    repo.remove("deploy/web.yaml");
    let second = repo.push("all but one leave");
    for what in ["deployment/web", "serviceaccount/web", "configmap/other"] {
        lab.wait_absent(namespace, what);
    }
    let slow = lab.get(namespace, "configmap/slow");
    assert!(slow["metadata"]["deletionTimestamp"].is_string(), "{slow:#}");
    let sync = tenant.wait_message("sync", "Reconciling", &["slow"]);
    assert_ne!(condition_of(&sync, "Ready").expect("Ready")["status"], "True");
    release(lab, namespace, "configmap/slow");
    tenant.wait_applied("sync", &second);
    let inventory = lab.get(namespace, "inventory/sync-0");
    assert_eq!(inventory["spec"]["entries"].as_array().map(Vec::len), Some(1), "{inventory:#}");
    let writes = tenant.writes(&second);
    let place = |what: &str| writes.iter().position(|w| w == what).unwrap_or_else(|| panic!("{what} in {writes:?}"));
    assert!(place("delete deployments/web") < place("delete serviceaccounts/web"), "{writes:?}");
    lab.get(namespace, "configmap/keep");
}

#[test]
fn an_empty_or_unreadable_source_deletes_nothing() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/all.yaml", &configs("c", 3));
    repo.write("README", "");
    let first = repo.push("three");
    tenant.deploy(&repo, "deletionBudget: {maxCount: 100, maxPercent: 100}");
    tenant.wait_applied("sync", &first);

    let wait_seen = |commit: &str| {
        lab.wait(namespace, "sync/sync", |object| match object["status"]["attemptedRevision"].as_str() {
            Some(revision) if revision.ends_with(commit) => Ok(()),
            other => Err(format!("{other:?}: {:#}", object["status"])),
        })
    };
    repo.write("deploy/all.yaml", &(configs("c", 1) + "---\n{ this: is: not YAML\n"));
    wait_seen(&repo.push("cannot be read"));
    tenant.wait_message("sync", "Ready", &["deploy/all.yaml:"]);
    assert_eq!(count(lab, namespace, "c"), 3);

    repo.write("deploy/all.yaml", "# nothing\n");
    wait_seen(&repo.push("an empty file"));
    assert_eq!(count(lab, namespace, "c"), 3);
    repo.remove("deploy");
    wait_seen(&repo.push("no folder"));
    assert_eq!(count(lab, namespace, "c"), 3);

    repo.write("deploy/all.yaml", &configs("c", 2));
    let last = repo.push("two");
    tenant.wait_applied("sync", &last);
    assert_eq!(count(lab, namespace, "c"), 2);
    let deletions = lab.audit(namespace, |e| {
        e["verb"] == "delete" && e["objectRef"]["namespace"] == namespace && e["objectRef"]["resource"] == "configmaps"
    });
    assert_eq!(deletions.len(), 1, "{deletions:#?}");
}

#[test]
fn too_many_deletions_wait_for_a_line_in_a_commit_which_counts_once() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/keep.yaml", &configs("keep", 8));
    repo.write("deploy/gone.yaml", &configs("gone", 12));
    repo.write("deploy/next.yaml", &configs("next", 12));
    let first = repo.push("many");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);

    repo.remove("deploy/gone.yaml");
    repo.push("twelve leave");
    let line = format!("Tandem-Delete: lab/{namespace}/sync 12");
    let held = tenant.wait_message("sync", "Held", &[&line]);
    assert_eq!(condition_of(&held, "Held").expect("Held")["reason"], "DeletionBudgetExceeded");
    assert_eq!(condition_of(&held, "Ready").expect("Ready")["status"], "False");
    assert_eq!(count(lab, namespace, "gone"), 12);
    // What is accepted stays healed meanwhile.
    lab.k(&["-n", namespace, "delete", "configmap", "gone3"]);
    lab.wait(namespace, "configmap/gone3", |_| Ok(()));

    let paid = repo.push(&format!("they are meant to go\n\n{line}"));
    let released = tenant.wait_applied("sync", &paid);
    assert_eq!(count(lab, namespace, "gone"), 0);
    assert!(released["status"]["deletionsPaid"].to_string().contains(&paid), "{:#}", released["status"]);

    repo.remove("deploy/next.yaml");
    repo.push("twelve more leave");
    tenant.wait_message("sync", "Held", &[&line]);
    assert_eq!(count(lab, namespace, "next"), 12);
    // As a squash merge writes it: a line in the middle.
    let again = repo.push(&format!("these too (#7)\n\n* next\n\n{line}\n\n* and more words"));
    tenant.wait_applied("sync", &again);
    assert_eq!(count(lab, namespace, "next"), 0);
    assert_eq!(count(lab, namespace, "keep"), 8);
}

/// A crash between deletions and the status must not let a trailer pay twice.
#[test]
fn what_a_trailer_pays_for_is_recorded_before_the_first_deletion() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/keep.yaml", &configs("keep", 3));
    repo.write("deploy/gone.yaml", &configs("gone", 12));
    let first = repo.push("many");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    repo.remove("deploy/gone.yaml");
    repo.push("twelve leave");
    let line = format!("Tandem-Delete: lab/{namespace}/sync 12");
    tenant.wait_message("sync", "Held", &[&line]);
    // Of the writes to this namespace: statuses as `s`, deletions as `d`, in their order.
    let writes = || {
        let events = lab.audit(namespace, |e| e["objectRef"]["namespace"] == namespace);
        let letter = |e: &serde_json::Value| match (e["verb"].as_str(), e["objectRef"]["resource"].as_str()) {
            (Some("patch"), Some("syncs")) if e["objectRef"]["subresource"] == "status" => Some('s'),
            (Some("delete"), Some("configmaps")) => Some('d'),
            _ => None,
        };
        events.iter().filter_map(letter).collect::<String>()
    };
    let before = writes();
    assert!(!before.contains('d'), "{before}");
    let paid = repo.push(&format!("they are meant to go\n\n{line}"));
    tenant.wait_applied("sync", &paid);
    let after = writes();
    assert!(after[before.len()..].starts_with("sd"), "{before} then {after}");
}

/// Deletions that are done count together until a revision is applied whole, whichever agent did them.
#[test]
fn deletions_that_are_done_count_after_a_restart_too() {
    let (lab, repo) = (Lab::start("count"), Repo::new());
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let tenant = Tenant::new(&lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/keep.yaml", &configs("keep", 4));
    repo.write("deploy/a.yaml", &(configs("a", 7) + &named("slow", ", finalizers: [example.com/slow]")));
    repo.write("deploy/b.yaml", &configs("b", 8));
    let first = repo.push("many");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    repo.remove("deploy/a.yaml");
    repo.push("eight leave, and one of them waits");
    tenant.wait_message("sync", "Reconciling", &["slow"]);
    lab.wait(namespace, "sync/sync", |sync| match &sync["status"]["deletionsUnpaid"] {
        count if *count == 8 => Ok(()),
        _ => Err(format!("{:#}", sync["status"])),
    });
    agent.kill();
    repo.remove("deploy/b.yaml");
    let second = repo.push("eight more leave");
    agent.restart();
    let line = format!("Tandem-Delete: lab/{namespace}/sync 16");
    tenant.wait_message("sync", "Held", &["16 of", &line]);
    assert_eq!(count(&lab, namespace, "b"), 8, "{second}");
    let paid = repo.push(&format!("they are meant to go\n\n{line}"));
    lab.wait(namespace, "sync/sync", |sync| match sync["status"]["deletionsPaid"].to_string().contains(&paid) {
        true => Ok(()),
        false => Err(format!("{:#}", sync["status"])),
    });
    release(&lab, namespace, "configmap/slow");
    let told = tenant.wait_applied("sync", &paid);
    assert!(told["status"]["deletionsUnpaid"].is_null(), "{:#}", told["status"]);
    assert_eq!(count(&lab, namespace, "b"), 0);
}

#[test]
fn small_deletions_add_up_to_nothing_once_they_are_applied() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    repo.write("deploy/keep.yaml", &configs("keep", 4));
    for part in ["a", "b", "c"] {
        repo.write(&format!("deploy/{part}.yaml"), &configs(part, 6));
    }
    let first = repo.push("many");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    for part in ["a", "b", "c"] {
        repo.remove(&format!("deploy/{part}.yaml"));
        let commit = repo.push("six leave");
        tenant.wait_applied("sync", &commit);
        assert_eq!(count(lab, &tenant.namespace, part), 0);
    }
}

#[test]
fn what_holds_data_or_takes_others_along_waits_for_a_line_however_little_it_is() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    let inner = unique("inner");
    repo.write("deploy/keep.yaml", &configs("keep", 3));
    repo.write(
        "deploy/data.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n",
    );
    repo.write("deploy/inner.yaml", &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {inner}}}\n"));
    let first = repo.push("first");
    // The claim is never bound: there is no volume in the lab, and its health is another matter.
    let current = "health: [{apiVersion: v1, kind: PersistentVolumeClaim, current: 'true'}]";
    tenant.deploy(&repo, current);
    tenant.wait_applied("sync", &first);
    repo.remove("deploy/data.yaml");
    repo.remove("deploy/inner.yaml");
    repo.push("both leave");
    let line = format!("Tandem-Delete: lab/{namespace}/sync 2");
    tenant.wait_message("sync", "Held", &[&line, "PersistentVolumeClaim", "Namespace", &inner]);
    lab.get(namespace, "pvc/data");
    lab.get("", &format!("namespace/{inner}"));
    let paid = repo.push(&format!("they go\n\n{line}"));
    tenant.wait_applied("sync", &paid);
    lab.wait_absent(namespace, "pvc/data");
    lab.wait_absent("", &format!("namespace/{inner}"));
}

/// A definition takes its objects along, also those that no Sync knows; a StatefulSet holds data.
#[test]
fn a_definition_and_a_stateful_set_wait_for_a_line_too() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    let group = format!("{}.example.com", unique("kept"));
    let definition = format!(
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: wells.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Well, plural: wells, singular: well, listKind: WellList}}
  versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]
"
    );
    repo.write("deploy/keep.yaml", &configs("keep", 3));
    repo.write("deploy/definition.yaml", &definition);
    repo.write("deploy/db.yaml", &stateful_set("db", "db", ""));
    let first = repo.push("first");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    lab.apply(&format!("{{apiVersion: {group}/v1, kind: Well, metadata: {{name: w, namespace: {namespace}}}}}"));

    repo.remove("deploy/definition.yaml");
    repo.remove("deploy/db.yaml");
    repo.push("both leave");
    let line = format!("Tandem-Delete: lab/{namespace}/sync 2");
    tenant.wait_message("sync", "Held", &[&line, "StatefulSet", "CustomResourceDefinition"]);
    lab.get(namespace, "statefulset/db");
    lab.get(namespace, &format!("wells.{group}/w"));
    let paid = repo.push(&format!("they go\n\n{line}"));
    tenant.wait_applied("sync", &paid);
    lab.wait_absent(namespace, "statefulset/db");
    lab.wait_absent("", &format!("crd/wells.{group}"));
}

fn stateful_set(name: &str, app: &str, more: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: {name}{more}}}
spec:
  replicas: 1
  serviceName: {name}
  selector: {{matchLabels: {{app: {app}}}}}
  template:
    metadata: {{labels: {{app: {app}}}}}
    spec: {{containers: [{{name: db, image: 'registry.example.com/db:1'}}]}}
"
    )
}

/// Git may say that an object is deleted and created anew; that is a deletion all the same.
#[test]
fn a_recreation_by_force_counts_as_a_deletion() {
    const FORCE: &str = ", annotations: {tandemcd.io/force: enabled}";
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenants = Tenant::several(lab, 2);
    repo.write("deploy/db.yaml", &stateful_set("db", "one", FORCE));
    repo.write("deploy/keep.yaml", &configs("keep", 3));
    let first = repo.push("first");
    for (tenant, on_invalid) in tenants.iter().zip(["Hold", "ApplyRest"]) {
        tenant.deploy(&repo, &format!("onInvalid: {on_invalid}"));
        tenant.wait_applied("sync", &first);
    }
    let uid = |tenant: &Tenant| lab.get(&tenant.namespace, "statefulset/db")["metadata"]["uid"].clone();
    let before: Vec<_> = tenants.iter().map(uid).collect();

    repo.write("deploy/db.yaml", &stateful_set("db", "two", FORCE));
    repo.push("another selector");
    let line = |tenant: &Tenant| format!("Tandem-Delete: lab/{}/sync 1", tenant.namespace);
    for tenant in &tenants {
        tenant.wait_message("sync", "Held", &[&line(tenant), "StatefulSet", "db"]);
    }
    assert_eq!(tenants.iter().map(uid).collect::<Vec<_>>(), before);

    let lines: Vec<_> = tenants.iter().map(line).collect();
    let paid = repo.push(&format!("it is meant\n\n{}", lines.join("\n")));
    for (tenant, before) in tenants.iter().zip(before) {
        tenant.wait_applied("sync", &paid);
        let after = lab.get(&tenant.namespace, "statefulset/db");
        assert_ne!(after["metadata"]["uid"], before);
        assert_eq!(after["spec"]["selector"]["matchLabels"]["app"], "two");
    }
}

#[test]
fn a_sync_that_goes_leaves_what_it_owned_or_takes_it_along() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("one/all.yaml", &configs("one", 3));
    repo.write("two/all.yaml", &configs("two", 3));
    let first = repo.push("two folders");
    tenant.repository("repo", &repo);
    tenant.sync("one", "one", "prune: Disabled");
    tenant.sync("two", "two", "deletionPolicy: Prune");
    tenant.wait_applied("one", &first);
    tenant.wait_applied("two", &first);

    repo.write("one/all.yaml", &configs("one", 2));
    let second = repo.push("one leaves, and nothing is pruned");
    tenant.wait_applied("one", &second);
    assert_eq!(count(lab, namespace, "one"), 3);

    lab.k(&["-n", namespace, "delete", "sync", "one", "two", "--timeout=60s"]);
    assert_eq!(count(lab, namespace, "two"), 0);
    assert_eq!(count(lab, namespace, "one"), 3);
    for n in 0..2 {
        let left = lab.get(namespace, &format!("configmap/one{n}"));
        let metadata = left["metadata"].to_string();
        assert!(
            !metadata.contains("tandemcd.io/sync-name\":\"")
                && left["metadata"]["labels"].get("tandemcd.io/sync-name").is_none(),
            "{left:#}"
        );
        assert!(left["metadata"]["annotations"].get("tandemcd.io/owner").is_none(), "{left:#}");
        assert_eq!(left["data"]["a"], "b");
    }
}

/// Whether the rights go before the Sync is told or together with it: its finalizer goes all the same, and what it
/// owned where its account may do nothing any more stays.
#[test]
fn a_namespace_that_is_deleted_whole_never_hangs_on_a_sync() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenants = Tenant::several(lab, 3);
    repo.write("deploy/all.yaml", &configs("c", 20));
    let first = repo.push("first");
    for tenant in &tenants {
        tenant.deploy(&repo, "deletionPolicy: Prune");
        tenant.wait_applied("sync", &first);
    }
    let [together, account, binding] = tenants.as_slice() else { panic!("three") };
    lab.k(&["-n", &account.namespace, "delete", "serviceaccount", "deployer"]);
    lab.k(&["-n", &account.namespace, "delete", "rolebinding", "deployer"]);
    lab.k(&["-n", &binding.namespace, "delete", "rolebinding", "tandem-as-deployer"]);
    for tenant in [together, account, binding] {
        lab.k(&["delete", "namespace", &tenant.namespace, "--wait=false"]);
    }
    for tenant in &tenants {
        let namespace = tenant.namespace.as_str();
        wait_for("the namespace to go", || {
            if lab.absent("", &format!("namespace/{namespace}")) {
                return Ok(());
            }
            Err(format!("{:?}", lab.try_get(namespace, "syncs,inventories,configmaps")))
        });
    }
}

/// What a Sync claims is known once it has planned a commit, whatever comes of that commit.
#[test]
fn a_sync_whose_commit_fails_holds_up_no_deletion_of_another() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    repo.write("one/a.yaml", &named("one", ""));
    repo.write("two/a.yaml", &configs("two", 2));
    let first = repo.push("two folders");
    tenant.repository("repo", &repo);
    for sync in ["one", "two"] {
        tenant.sync(sync, sync, "");
        tenant.wait_applied(sync, &first);
    }
    let fails = "
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {tandemcd.io/phase: before}}
spec:
  backoffLimit: 0
  template:
    metadata: {labels: {pod-container-running-failed.stage.kwok.x-k8s.io: 'true'}}
    spec: {restartPolicy: Never, containers: [{name: run, image: 'registry.example.com/run:1'}]}
";
    repo.write("one/b.yaml", fails);
    repo.write("two/a.yaml", &configs("two", 1));
    let second = repo.push("a migration fails in one, and an object leaves the other");
    tenant.wait_message("one", "Ready", &["migrate", "failed"]);
    tenant.wait_applied("two", &second);
    assert_eq!(count(lab, &tenant.namespace, "two"), 1);
}

/// What a controller writes beside us makes a deletion stale, and the next pass deletes: gone is gone then, and what comes
/// back with a later commit is new and no drift.
#[test]
fn what_comes_back_after_a_prune_is_new_and_no_drift() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    let budget = |name: &str| {
        format!(
            "---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: {name}}}
spec: {{maxUnavailable: 1, selector: {{matchLabels: {{app: {name}}}}}}}
"
        )
    };
    let names = ["one", "two", "three", "four", "five"];
    repo.write("deploy/stays.yaml", &config("stays", "{a: b}"));
    for round in 0..3 {
        repo.write("deploy/budgets.yaml", &names.map(budget).concat());
        let there = repo.push(&format!("budgets, {round}"));
        if round == 0 {
            tenant.deploy(&repo, "");
        }
        tenant.wait_applied("sync", &there);
        repo.remove("deploy/budgets.yaml");
        let gone = repo.push(&format!("none, {round}"));
        tenant.wait_applied("sync", &gone);
        lab.wait_absent(namespace, "poddisruptionbudget/one");
        let inventory = lab.k(&["-n", namespace, "get", "inventories", "-o", "yaml"]);
        assert!(!inventory.contains("PodDisruptionBudget"), "{inventory}");
    }
    let told = lab.k(&["-n", namespace, "get", "events", "-o", "jsonpath={.items[*].message}"]);
    assert!(!told.contains("deleted by"), "{told}");
}

/// What a Sync takes along goes as a prune would have it: what others need goes when these are gone.
#[test]
fn a_sync_that_goes_takes_along_who_removes_a_finalizer_after_what_has_it() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    let group = format!("{}.example.com", unique("last"));
    lab.apply(&versions(&group, true));
    lab.k(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/widgets.{group}")]);
    let widget = widget(&group, "v1").replace("{name: w}", "{name: w, finalizers: [example.com/operator]}");
    repo.write("deploy/all.yaml", &(web() + &widget + &named("settings", "")));
    let first = repo.push("an operator and its object");
    tenant.deploy(&repo, "deletionPolicy: Prune");
    tenant.wait_applied("sync", &first);

    lab.k(&["-n", namespace, "delete", "sync", "sync", "--wait=false"]);
    tenant.wait_message("sync", "Ready", &["waits for 1 objects to go", "Widget"]);
    for what in ["deployment/web", "configmap/settings"] {
        let stays = lab.get(namespace, what);
        assert!(stays["metadata"]["deletionTimestamp"].is_null(), "{stays:#}");
    }
    release(lab, namespace, &format!("widgets.{group}/w"));
    lab.wait_absent(namespace, "sync/sync");
    assert!(lab.absent(namespace, "deployment/web") && lab.absent(namespace, "configmap/settings"));
}

/// The rights by which all else goes are the last to go, or the rest would stay for ever.
#[test]
fn a_sync_that_goes_takes_along_the_rights_of_its_account_last() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let binding = format!(
        "---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: deployer}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}
subjects: [{{kind: ServiceAccount, name: deployer, namespace: {namespace}}}]
"
    );
    repo.write("deploy/all.yaml", &(web() + &configs("c", 40) + &binding));
    let first = repo.push("its rights too");
    tenant.deploy(&repo, "deletionPolicy: Prune");
    tenant.wait_applied("sync", &first);
    lab.k(&["-n", namespace, "delete", "sync", "sync", "--timeout=60s"]);
    assert_eq!(count(lab, namespace, "c"), 0);
    assert!(lab.absent(namespace, "deployment/web") && lab.absent(namespace, "rolebinding/deployer"));
}

/// What was written in a version that is not served any more is there in the others, and goes.
#[test]
fn an_object_of_a_version_that_is_not_served_any_more_is_deleted_all_the_same() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    let group = format!("{}.example.com", unique("old"));
    lab.apply(&versions(&group, true));
    lab.k(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/widgets.{group}")]);
    let of = |name: &str| widget(&group, "v1beta1").replace("name: w", &format!("name: {name}"));
    repo.write("one/keep.yaml", &named("keep", ""));
    repo.write("one/widget.yaml", &of("one"));
    repo.write("two/widget.yaml", &of("two"));
    let first = repo.push("in the old version");
    tenant.repository("repo", &repo);
    tenant.sync("one", "one", "");
    tenant.sync("two", "two", "deletionPolicy: Prune");
    tenant.wait_applied("one", &first);
    tenant.wait_applied("two", &first);

    lab.apply(&versions(&group, false));
    wait_for("the old version to go", || {
        let served = lab.k(&["get", "--raw", &format!("/apis/{group}")]);
        if served.contains("v1beta1") { Err(served) } else { Ok(()) }
    });
    let there = |name: &str| lab.get(namespace, &format!("widgets.v1.{group}/{name}"));
    there("one");
    there("two");
    repo.remove("one/widget.yaml");
    let second = repo.push("it leaves");
    tenant.wait_applied("one", &second);
    lab.k(&["-n", namespace, "delete", "sync", "two", "--timeout=60s"]);
    let left = lab.k(&["-n", namespace, "get", &format!("widgets.v1.{group}"), "-o", "name"]);
    assert_eq!(left, "");
}

/// A definition of Widgets in two versions, of which the older is served or not.
fn versions(group: &str, old: bool) -> String {
    let version = |name: &str, served: bool, storage: bool| {
        format!(
            "{{name: {name}, served: {served}, storage: {storage}, schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}"
        )
    };
    format!(
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: widgets.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}}
  versions: [{}, {}]
",
        version("v1", true, true),
        version("v1beta1", old, false)
    )
}

fn widget(group: &str, version: &str) -> String {
    format!("---\napiVersion: {group}/{version}\nkind: Widget\nmetadata: {{name: w}}\nspec: {{size: 1}}\n")
}

/// What answers for an object may have lived in the namespace that goes: it keeps no finalizer there, and elsewhere it is
/// waited for.
#[test]
fn a_webhook_that_is_gone_keeps_no_sync_in_a_namespace_that_is_deleted() {
    // The agent has rights here that it has nowhere else.
    let (lab, repo) = (&Lab::start("gone-webhook"), Repo::new());
    let _agent = Agent::start(lab);
    let tenants = Tenant::several(lab, 2);
    let (other, hook) = (unique("elsewhere"), unique("gone"));
    lab.apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {other}}}\n"));
    for tenant in &tenants {
        let namespace = &tenant.namespace;
        // The account may do all that it needs to the end: nothing is let go for want of rights.
        lab.apply(&format!(
            "---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {namespace}, namespace: {other}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}
subjects: [{{kind: ServiceAccount, name: deployer, namespace: {namespace}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {namespace}-as-deployer}}
rules:
- {{apiGroups: [''], resources: [serviceaccounts], resourceNames: [deployer], verbs: [impersonate]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {namespace}-as-deployer}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {namespace}-as-deployer}}
subjects: [{{kind: ServiceAccount, name: tandem, namespace: tandem-system}}]
"
        ));
        repo.write(&format!("{namespace}/a.yaml"), &named(namespace, &format!(", namespace: {other}")));
    }
    let first = repo.push("into another namespace");
    for tenant in &tenants {
        tenant.repository("repo", &repo);
        tenant.sync("sync", &tenant.namespace, "deletionPolicy: Prune");
        tenant.wait_applied("sync", &first);
    }
    lab.apply(&format!(
        "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: {hook}}}
webhooks:
- name: {hook}.example.com
  clientConfig: {{service: {{name: nobody, namespace: {other}, path: /}}}}
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {other}}}}}
  rules: [{{apiGroups: [''], apiVersions: [v1], resources: [configmaps], operations: [DELETE]}}]
  sideEffects: None
  admissionReviewVersions: [v1]
  failurePolicy: Fail
"
    ));
    wait_for("the webhook to be asked", || {
        let refused =
            lab.kubectl().args(["-n", &other, "delete", "configmap", "kube-root-ca.crt", "--dry-run=server"]).output();
        let told = crate::lab::both(&refused.expect("kubectl runs"));
        if told.contains("failed calling webhook") { Ok(()) } else { Err(told) }
    });
    let [goes, stays] = tenants.as_slice() else { panic!("two") };
    lab.k(&["-n", &stays.namespace, "delete", "sync", "sync", "--wait=false"]);
    stays.wait_message("sync", "Ready", &["failed calling webhook"]);
    lab.k(&["delete", "namespace", &goes.namespace, "--timeout=120s"]);
    lab.get(&other, &format!("configmap/{}", goes.namespace));
    lab.get(&stays.namespace, "sync/sync");
    lab.k(&["delete", "validatingwebhookconfiguration", &hook]);
    lab.wait_absent(&stays.namespace, "sync/sync");
    assert!(lab.absent(&other, &format!("configmap/{}", stays.namespace)));
}
