//! Operations' standard through the agent: what a policy denies is held with all that is wrong, and what was accepted
//! stays healed; each attack has a twin that is applied.

pub mod stage;

use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use crate::cli::cluster::{ask, assert_told};
use crate::lab::manifests::{config, deployment};
use crate::lab::{Agent, Lab, Repo, Tenant, both, condition_of, root, wait_for};
use stage::{Stage, policy, rules, shared};

/// The day in so many days, as a waiver writes it.
fn day(days: i64) -> String {
    let at = Timestamp::now() + Span::new().hours(24 * days);
    at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

fn waiver(policy: &str, namespace: &str, name: &str, expires: &str) -> String {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "namespace": namespace, "name": name});
    let spec =
        json!({"policy": policy, "object": object, "owner": "shop", "reason": "mended soon", "expires": expires});
    let body = json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": "Waiver", "metadata": {"name": format!("{name}-for-now")},
        "spec": spec});
    format!("---\n{body}\n")
}

/// ConfigMaps name an owner.
fn owned(actions: &[&str]) -> String {
    let validations = json!([{"expression": "has(object.data) && has(object.data.owner)",
        "messageExpression": "object.metadata.name + ' names no owner'"}]);
    policy(
        "owned",
        &json!({"matchConstraints": rules("", "configmaps", &["CREATE", "UPDATE"]), "validations": validations}),
        actions,
    )
}

#[test]
fn what_is_denied_is_held_whole_and_the_accepted_revision_stays_healed() {
    let (lab, agent) = shared();
    for more in ["", "onInvalid: ApplyRest"] {
        let stage = Stage::new(lab);
        stage.standard(&owned(&["Deny"]), "");
        stage.wait_ready();
        stage.app.write("deploy/a.yaml", &config("a", "{owner: shop, v: '1'}"));
        let first = stage.app.push("1");
        stage.deploy(more);
        stage.tenant.wait_applied("sync", &first);

        stage.app.write("deploy/a.yaml", &config("a", "{v: '2'}"));
        stage.app.write("deploy/b.yaml", &config("b", "{owner: shop}"));
        let second = stage.app.push("2: nobody's");
        let words =
            ["'owned' with binding 'owned' denied request: a names no owner", "deploy/a.yaml:2", "hint: mend", &second];
        let held = stage.wait_held("StandardViolated", &words);
        let problem = &held["status"]["problems"][0];
        assert_eq!(problem["object"], format!("ConfigMap/{}/a", stage.namespace()));
        assert_eq!((&problem["at"], &problem["rule"]), (&json!("deploy/a.yaml:2"), &json!("StandardViolated")));
        assert_eq!(held["status"]["standard"]["denied"], 1, "{:#}", held["status"]);
        assert!(stage.tenant.writes(&second).is_empty(), "nothing of it is applied, b neither");
        stage.stays_healed("a", "v", "1");
        // Each pass finds the same; the log says it once.
        for _ in 0..3 {
            let sync = format!("{}/sync", stage.namespace());
            assert_told(&ask(lab, stage.app.work(), &["reconcile", &sync]), &["exit 1", "a names no owner"]);
        }
        let log = agent.log();
        let is_told = |line: &&str| line.contains("\"held\"") && line.contains("WARN") && line.contains(&second);
        assert_eq!(log.lines().filter(is_told).count(), 1, "{log}");

        // The same change with what the policy asks for.
        stage.app.write("deploy/a.yaml", &config("a", "{owner: shop, v: '2'}"));
        let third = stage.app.push("3: the shop's");
        let applied = stage.tenant.wait_applied("sync", &third);
        assert!(condition_of(&applied, "Held").is_none() && applied["status"]["standard"].is_null(), "{applied:#}");
        assert!(!lab.absent(stage.namespace(), "configmap/b"));
    }
}

#[test]
fn warnings_and_audits_are_told_and_the_stricter_action_holds() {
    let (lab, agent) = shared();
    let stage = Stage::new(lab);
    let noted = policy(
        "noted",
        &json!({"matchConstraints": rules("", "configmaps", &["*"]),
            "validations": [{"expression": "!('v' in object.data)", "message": "v is kept for later"}],
            "auditAnnotations": [{"key": "who", "valueExpression": "'owner of ' + object.metadata.name + ' is unknown'"}]}),
        &["Audit"],
    );
    stage.standard(&(owned(&["Warn"]) + &noted), "");
    stage.wait_ready();
    stage.app.write("deploy/a.yaml", &config("a", "{v: '1'}"));
    let first = stage.app.push("1");
    stage.deploy("");
    let applied = stage.tenant.wait_applied("sync", &first);
    let said =
        json!({"revision": applied["status"]["appliedRevision"], "denied": 0, "warned": 1, "audited": 1, "waived": 0});
    assert_eq!(applied["status"]["standard"], said);
    lab.wait_event(stage.namespace(), "StandardWarning", &["a names no owner", "deploy/a.yaml:2", &first]);
    let line = |words: &[&str]| {
        wait_for(&format!("a line with {words:?}"), || {
            let log = agent.log();
            let found = log.lines().any(|line| words.iter().all(|word| line.contains(word)));
            if found { Ok(()) } else { Err(log) }
        });
    };
    line(&["v is kept for later", "\"action\":\"Audit\"", &stage.name]);
    line(&["audit annotation", "owner of a is unknown", "\"key\":\"who\"", &stage.name]);
    let metrics = agent.http("/metrics").expect("metrics");
    for (policy, action) in [("owned", "Warn"), ("noted", "Audit")] {
        let name = &stage.name;
        let series =
            format!("tandem_standard_verdicts_total{{action=\"{action}\",policy=\"{policy}\",standard=\"{name}\"}} 1");
        assert!(metrics.contains(&series), "{series}: {metrics}");
    }

    // The Standard's own action is stricter than that of the bindings; a binding's stays where it is the stricter one.
    stage.patch(&json!({"action": "Deny"}));
    stage.app.write("deploy/a.yaml", &config("a", "{v: '2'}"));
    stage.app.push("2");
    stage.wait_held("StandardViolated", &["a names no owner", "v is kept for later"]);
    stage.patch(&json!({"action": "Audit"}));
    let second = stage.app.head();
    stage.tenant.wait_applied("sync", &second);
}

#[test]
fn a_standard_is_read_again_when_somebody_asks() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    let tandem = |args: &[&str]| ask(lab, stage.ops.work(), args);
    let target = format!("standard/{}", stage.name);
    assert_told(&tandem(&["reconcile", &target]), &["exit 4", &format!("error: no Standard {}", stage.name), "hint: "]);
    stage.standard(&owned(&["Deny"]), "");
    let head = stage.ops.head();
    stage.wait_ready();
    let told = tandem(&["reconcile", &target]);
    assert_told(&told, &["exit 0", &format!("Standard {} is ready at main@{}", stage.name, &head[..8])]);
    let standard = lab.get("", &target);
    let (asked, handled) = (
        &standard["metadata"]["annotations"]["tandemcd.io/requestedAt"],
        &standard["status"]["lastHandledReconcileAt"],
    );
    assert!(asked.is_string() && asked == handled, "{standard:#}");

    stage.ops.write("policy/p.yaml", &config("alone", "{a: b}").replace("name: alone", "name: alone, namespace: ops"));
    stage.push_ops("no policy");
    assert_told(&tandem(&["reconcile", &target]), &["exit 1", "is not ready", "would let everything pass"]);
    assert_told(&tandem(&["reconcile", &target, "--no-wait"]), &["exit 0", "asked to reconcile"]);
}

#[test]
fn what_cannot_be_checked_is_held_under_deny_and_told_under_warn() {
    let (lab, _) = shared();
    let may = json!([{"expression": "authorizer.group('').resource('pods').check('get').allowed()"}]);
    let of_authorizer = json!({"matchConstraints": rules("", "configmaps", &["*"]), "validations": may});
    let of_params = json!({"matchConstraints": rules("", "configmaps", &["*"]),
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "validations": [{"expression": "int(params.data.max) > size(object.data)"}]});
    for (spec, words) in [
        (&of_authorizer, "authorizer is not available"),
        (&of_params, "no params found for policy binding with `Deny` parameterNotFoundAction"),
    ] {
        let stage = Stage::new(lab);
        let bound = |actions: &[&str]| {
            let mut text = policy("unknown", spec, actions);
            if spec["paramKind"].is_object() {
                let reference = "\"paramRef\":{\"name\":\"limits\",\"namespace\":\"ops\",\"parameterNotFoundAction\":\"Deny\"},\"policyName\"";
                text = text.replace("\"policyName\"", reference);
            }
            text
        };
        stage.standard(&bound(&["Deny"]), "");
        stage.wait_ready();
        stage.app.write("deploy/a.yaml", &config("a", "{v: '1'}"));
        let first = stage.app.push("1");
        stage.deploy("");
        stage.wait_held("StandardViolated", &[words, "unknown"]);
        assert!(lab.absent(stage.namespace(), "configmap/a"));
        // It is known as soon as the Standard says what there is to know.
        stage.policies(&bound(&["Warn"]));
        stage.tenant.wait_applied("sync", &first);
        lab.wait_event(stage.namespace(), "StandardWarning", &[words]);
    }
}

#[test]
fn relabelling_a_namespace_escapes_no_policy() {
    let (lab, _) = shared();
    for (live, wanted, held) in
        [("prod", "test", true), ("test", "prod", true), ("prod", "prod", true), ("test", "test", false)]
    {
        let stage = Stage::admin(lab);
        let namespace = stage.namespace();
        // Tests beside this one have other tiers.
        let tier = |tier: &str| format!("{tier}-of-{namespace}");
        lab.k(&["label", "namespace", namespace, &format!("tier={}", tier(live))]);
        stage.standard_of(&owned(&["Deny"]), &json!({"matchLabels": {"tier": tier("prod")}}));
        stage.wait_ready();
        let relabelled = format!(
            "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}, labels: {{tier: {}}}}}\n",
            tier(wanted)
        );
        stage.app.write("deploy/a.yaml", &(relabelled + &config("a", "{v: '1'}")));
        let commit = stage.app.push("another tier");
        stage.deploy("");
        if held {
            stage.wait_held("StandardViolated", &["a names no owner"]);
            assert!(stage.tenant.writes(&commit).is_empty());
            assert_eq!(lab.get("", &format!("namespace/{namespace}"))["metadata"]["labels"]["tier"], tier(live));
            stage.app.write("deploy/a.yaml", &config("a", "{v: '1', owner: shop}"));
            let honest = stage.app.push("with an owner");
            stage.tenant.wait_applied("sync", &honest);
        } else {
            stage.tenant.wait_applied("sync", &commit);
        }
    }
}

#[test]
fn a_label_that_takes_the_standard_off_a_namespace_releases_what_it_held() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    let namespace = stage.namespace();
    lab.k(&["label", "namespace", namespace, &format!("only={namespace}")]);
    stage.standard_of(
        &owned(&["Deny"]),
        &json!({"matchExpressions": [{"key": "only", "operator": "In", "values": [namespace]}]}),
    );
    stage.wait_ready();
    stage.app.write("deploy/a.yaml", &config("a", "{v: '1'}"));
    let commit = stage.app.push("1");
    stage.deploy("");
    stage.wait_held("StandardViolated", &["a names no owner"]);
    lab.k(&["label", "namespace", namespace, "only-"]);
    stage.tenant.wait_applied("sync", &commit);
}

#[test]
fn a_waiver_lets_its_object_pass_until_it_expires_and_an_expired_one_never_stops_healing() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    let namespace = stage.namespace();
    stage.standard(&owned(&["Deny"]), "");
    stage.app.write("deploy/a.yaml", &config("a", "{v: '1'}"));
    let first = stage.app.push("1");
    stage.deploy("");
    stage.wait_held("StandardViolated", &["a names no owner"]);
    // One of another object is none.
    stage.ops.write("policy/waivers.yaml", &waiver("owned", namespace, "b", &day(30)));
    stage.push_ops("a waiver of b");
    assert!(lab.absent(namespace, "configmap/a"));
    stage.ops.write("policy/waivers.yaml", &waiver("owned", namespace, "a", &day(3)));
    stage.push_ops("a waiver of a");
    let applied = stage.tenant.wait_applied("sync", &first);
    assert_eq!(applied["status"]["standard"]["waived"], 1, "{:#}", applied["status"]);
    stage.wait_standard(|standard| {
        let warning = &standard["status"]["warnings"][0];
        let soon = warning["rule"] == "WaiverExpiresSoon" && warning["at"] == "policy/waivers.yaml:2";
        let ready = condition_of(standard, "Ready").is_some_and(|c| c["status"] == "True");
        if soon && ready { Ok(()) } else { Err(format!("{:#}", standard["status"])) }
    });

    stage.ops.write("policy/waivers.yaml", &waiver("owned", namespace, "a", &day(-2)));
    stage.push_ops("the waiver is over");
    stage.app.write("deploy/a.yaml", &config("a", "{v: '2'}"));
    let second = stage.app.push("2");
    stage.wait_held(
        "StandardViolated",
        &["a names no owner", "the waiver a-for-now has expired (policy/waivers.yaml:2)", &second],
    );
    stage.stays_healed("a", "v", "1");
    lab.k(&["-n", namespace, "patch", "configmap", "a", "-p", "{\"data\": {\"v\": \"by hand\"}}"]);
    lab.wait(namespace, "configmap/a", |a| if a["data"]["v"] == "1" { Ok(()) } else { Err(format!("{}", a["data"])) });

    stage.ops.write("policy/waivers.yaml", &waiver("owned", namespace, "a", &day(60)));
    stage.push_ops("and renewed");
    stage.tenant.wait_applied("sync", &second);
    // Longer than it may be: the Standard stays as it was.
    stage.ops.write("policy/waivers.yaml", &waiver("owned", namespace, "a", &day(100)));
    stage.push_ops("for ever");
    stage.wait_refused("StandardInvalid", &["more than 90 days", "policy/waivers.yaml:2", "stays in force"]);
}

#[test]
fn nothing_passes_before_the_standard_is_there_and_all_of_it_passes_at_once_after() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    // Its Repository is not there yet.
    stage.apply_standard(&stage.own_namespace());
    stage.app.write("deploy/a.yaml", &config("a", "{owner: shop, v: '1'}"));
    let first = stage.app.push("1");
    stage.deploy("");
    stage.wait_held("StandardNotReady", &[&stage.name, "does not exist", "hint: "]);
    assert!(lab.absent(stage.namespace(), "configmap/a"));
    // There, and nothing of a standard in it.
    stage.ops.write("README.md", "later");
    stage.ops.push("nothing yet");
    stage.tenant.repository("ops", &stage.ops);
    stage.wait_refused("BuildFailed", &["nothing is in force"]);
    stage.wait_held("StandardNotReady", &[&stage.name]);
    // There, and no policy in it.
    stage.ops.write("policy/a.yaml", &config("alone", "{a: b}").replace("name: alone", "name: alone, namespace: ops"));
    stage.ops.push("no policy");
    stage.wait_refused("StandardEmpty", &["nothing is in force"]);
    stage.policies(&owned(&["Deny"]));
    stage.tenant.wait_applied("sync", &first);
}

#[test]
fn deletions_are_judged_too() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    let kept = json!([{"expression": "!has(oldObject.data) || !('keep' in oldObject.data)",
        "messageExpression": "oldObject.metadata.name + ' must stay'"}]);
    let spec = json!({"matchConstraints": rules("", "configmaps", &["DELETE"]), "validations": kept});
    stage.standard(&policy("kept", &spec, &["Deny"]), "");
    stage.wait_ready();
    stage.app.write("deploy/a.yaml", &config("a", "{keep: 'yes'}"));
    stage.app.write("deploy/b.yaml", &config("b", "{v: '1'}"));
    stage.app.write("deploy/c.yaml", &config("c", "{v: '1'}"));
    let first = stage.app.push("1");
    stage.deploy("deletionBudget: {maxCount: 1000, maxPercent: 100}");
    stage.tenant.wait_applied("sync", &first);

    stage.app.remove("deploy/a.yaml");
    stage.app.write("deploy/c.yaml", &config("c", "{v: '2'}"));
    stage.app.push("without a");
    stage.wait_held("StandardViolated", &["a must stay", &format!("ConfigMap/{}/a", stage.namespace())]);
    assert!(!lab.absent(stage.namespace(), "configmap/a"));
    assert_eq!(lab.get(stage.namespace(), "configmap/c")["data"]["v"], "1");

    stage.app.write("deploy/a.yaml", &config("a", "{keep: 'yes'}"));
    stage.app.remove("deploy/b.yaml");
    let honest = stage.app.push("without b");
    stage.tenant.wait_applied("sync", &honest);
    lab.wait_absent(stage.namespace(), "configmap/b");
}

#[test]
fn what_a_sync_deletes_when_it_is_deleted_is_judged_as_well() {
    let (lab, agent) = shared();
    let kept = json!([{"expression": "!has(oldObject.data) || !('keep' in oldObject.data)",
        "messageExpression": "oldObject.metadata.name + ' must stay'"}]);
    let spec = json!({"matchConstraints": rules("", "configmaps", &["DELETE"]), "validations": kept});
    let wait_finalizing = |stage: &Stage<'_>, words: &[&str]| {
        lab.wait(stage.namespace(), "sync/sync", |sync| {
            let ready = condition_of(sync, "Ready").cloned().unwrap_or_default();
            let message = ready["message"].as_str().unwrap_or_default();
            let so = ready["reason"] == "Finalizing" && words.iter().all(|word| message.contains(word));
            if so { Ok(()) } else { Err(format!("{words:?}: {:#}", sync["status"])) }
        })
    };
    let prune = "deletionPolicy: Prune";
    let begun = |policies: &str| {
        let stage = Stage::new(lab);
        stage.standard(policies, "");
        stage.wait_ready();
        stage.app.write("deploy/a.yaml", &config("a", "{keep: 'yes'}"));
        stage.app.write("deploy/b.yaml", &config("b", "{v: '1'}"));
        let first = stage.app.push("1");
        stage.deploy(prune);
        stage.tenant.wait_applied("sync", &first);
        lab.k(&["-n", stage.namespace(), "delete", "sync", "sync", "--wait=false"]);
        stage
    };
    let denied = policy("kept", &spec, &["Deny"]);

    // Denied: it is told, nothing goes, and it goes at once when the Standard lets it.
    let stage = begun(&denied);
    let told = [
        "nothing of it is deleted",
        &format!("ConfigMap/{}/a", stage.namespace()),
        "'kept' with binding 'kept' denied request: a must stay",
        &format!("Standard {}", stage.name),
        "deletionPolicy to Orphan",
    ];
    wait_finalizing(&stage, &told);
    assert!(!lab.absent(stage.namespace(), "configmap/a") && !lab.absent(stage.namespace(), "configmap/b"));
    assert_eq!(
        agent
            .log()
            .lines()
            .filter(|line| line.contains("WARN")
                && line.contains("nothing of it is deleted")
                && line.contains(&stage.name))
            .count(),
        1
    );
    stage.policies(&policy("kept", &spec, &["Warn"]));
    lab.wait_absent(stage.namespace(), "sync/sync");
    assert!(lab.absent(stage.namespace(), "configmap/a") && lab.absent(stage.namespace(), "configmap/b"));

    // Let go without deleting.
    let stage = begun(&denied);
    wait_finalizing(&stage, &["a must stay"]);
    lab.k(&[
        "-n",
        stage.namespace(),
        "patch",
        "sync",
        "sync",
        "--type=merge",
        "-p",
        "{\"spec\": {\"deletionPolicy\": \"Orphan\"}}",
    ]);
    lab.wait_absent(stage.namespace(), "sync/sync");
    assert!(!lab.absent(stage.namespace(), "configmap/a") && !lab.absent(stage.namespace(), "configmap/b"));

    // Whoever may deletes it by hand: then nothing is left that is denied.
    let stage = begun(&denied);
    wait_finalizing(&stage, &["a must stay"]);
    lab.k(&["-n", stage.namespace(), "delete", "configmap", "a"]);
    lab.wait_absent(stage.namespace(), "sync/sync");
    lab.wait_absent(stage.namespace(), "configmap/b");

    // A namespace that goes whole is not held up.
    let stage = begun(&denied);
    wait_finalizing(&stage, &["a must stay"]);
    lab.k(&["delete", "namespace", stage.namespace(), "--wait=false"]);
    lab.wait_absent("", &format!("namespace/{}", stage.namespace()));
}

#[test]
fn a_policy_sees_the_live_object_where_it_asks_for_it_and_no_other_is_read() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    let same = json!([{"expression": "oldObject == null || object.data.cell == oldObject.data.cell",
        "messageExpression": "'cell was ' + oldObject.data.cell"}]);
    let spec = json!({"matchConstraints": rules("", "configmaps", &["CREATE", "UPDATE"]), "validations": same});
    stage.standard(&policy("immutable", &spec, &["Deny"]), "");
    stage.wait_ready();
    stage.app.write(
        "deploy/a.yaml",
        &(config("a", "{cell: one, v: '1'}") + &deployment("web", "replicas: 0", "registry.example.com/web:1")),
    );
    let first = stage.app.push("1");
    stage.deploy("");
    stage.tenant.wait_applied("sync", &first);
    stage.app.write(
        "deploy/a.yaml",
        &(config("a", "{cell: two, v: '1'}") + &deployment("web", "replicas: 0", "registry.example.com/web:2")),
    );
    let second = stage.app.push("moved");
    stage.wait_held("StandardViolated", &["cell was one"]);
    stage.app.write(
        "deploy/a.yaml",
        &(config("a", "{cell: one, v: '2'}") + &deployment("web", "replicas: 0", "registry.example.com/web:2")),
    );
    let third = stage.app.push("not moved");
    stage.tenant.wait_applied("sync", &third);
    let gets = |commit: &str, resource: &str| {
        let of = |event: &Value| {
            event["verb"] == "get"
                && event["userAgent"].as_str().is_some_and(|agent| agent.contains(commit))
                && event["objectRef"]["resource"] == resource
        };
        lab.audit(commit, of).len()
    };
    assert!(gets(&second, "configmaps") > 0 && gets(&third, "configmaps") > 0);
    assert_eq!((gets(&second, "deployments"), gets(&third, "deployments")), (0, 0));
}

#[test]
fn a_repository_that_asks_less_than_the_floor_deploys_nothing_new() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    stage.standard(&owned(&["Audit"]), "");
    stage.wait_ready();
    let write = |value: &str| stage.app.write("deploy/a.yaml", &config("a", &format!("{{v: '{value}'}}")));
    write("1");
    let first = stage.app.push("1");
    stage.deploy("");
    stage.tenant.wait_applied("sync", &first);
    let repository = |more: &str| stage.tenant.repository_at("repo", &stage.app.url, &format!("interval: 1s{more}"));
    let review = ", review: {profile: Observe, trustFirst: true}";

    stage.patch(&json!({"floor": {"review": "Observe", "refs": ["refs/heads/main"]}}));
    write("2");
    let second = stage.app.push("2");
    let told =
        [second.as_str(), "asks less than it must", &stage.name, "spec.review asks less than the profile Observe"];
    stage.wait_held("BelowStandard", &told);
    stage.stays_healed("a", "v", "1");
    assert!(stage.tenant.writes(&second).is_empty());
    repository(review);
    stage.tenant.wait_applied("sync", &second);

    // Who lowers it by hand deploys nothing either, nor does who follows another branch.
    let remove =
        ["patch", "repository", "repo", "--type=json", "-p", "[{\"op\": \"remove\", \"path\": \"/spec/review\"}]"];
    lab.k(&[&["-n", stage.namespace()], &remove[..]].concat());
    write("3");
    let third = stage.app.push("3");
    stage.wait_held("BelowStandard", &[&third]);
    let elsewhere =
        json!({"spec": {"ref": {"branch": "other"}, "review": {"profile": "Observe", "trustFirst": true}}}).to_string();
    stage.app.git(&["push", "-q", "origin", "HEAD:refs/heads/other"]);
    lab.k(&["-n", stage.namespace(), "patch", "repository", "repo", "--type=merge", "-p", &elsewhere]);
    stage.wait_held("BelowStandard", &["it follows refs/heads/other, which is none of refs/heads/main"]);
    stage.stays_healed("a", "v", "2");
    // Where operations want less, what was held is applied.
    stage.patch(&json!({"floor": {"review": "Observe", "refs": ["refs/heads/*"]}}));
    stage.tenant.wait_applied("sync", &third);
}

#[test]
fn a_repository_without_the_checks_of_the_floor_deploys_nothing_new() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    let keys = crate::signing::Keys::new();
    let (ci, eve) = (keys.ssh("ci", &["-t", "ed25519"]), keys.ssh("eve", &["-t", "ed25519"]));
    stage.standard(&owned(&["Audit"]), "");
    stage.wait_ready();
    let write = |value: &str| stage.app.write("deploy/a.yaml", &config("a", &format!("{{v: '{value}'}}")));
    write("1");
    let first = stage.app.push("1");
    stage.deploy("");
    stage.tenant.wait_applied("sync", &first);
    let check = |key: &str, min: u32| json!({"context": "coverage", "keys": [key], "coverage": {"min": min}});
    // An API server has the same to say of a floor as of a Repository.
    let none = json!({"spec": {"floor": {"checks": [{"context": "coverage", "keys": [ci.public]}]}}}).to_string();
    let refused = lab.kubectl().args(["patch", "standard", &stage.name, "--type=merge", "-p", &none]).output();
    let refused = both(&refused.expect("kubectl runs"));
    assert!(refused.contains("coverage must say how much is enough"), "{refused}");
    stage.patch(&json!({"floor": {"checks": [check(&ci.public, 80)]}}));
    write("2");
    let second = stage.app.push("2");
    let held = |words: &str| {
        stage.wait_held("BelowStandard", &[second.as_str(), "asks less than it must", &stage.name, words]);
        stage.stays_healed("a", "v", "1");
        assert!(stage.tenant.writes(&second).is_empty());
    };
    held("spec.checks does not ask for coverage of the commit that is deployed");
    let asks = |checks: &Value| {
        let patch = json!({"spec": {"checks": checks}}).to_string();
        lab.k(&["-n", stage.namespace(), "patch", "repository", "repo", "--type=merge", "-p", &patch]);
    };
    asks(&json!([{"context": "coverage", "keys": [ci.public, eve.public], "coverage": {"min": 80}}]));
    held("signed by the keys that it lists, and no others");
    asks(&json!([check(&ci.public, 79)]));
    held("spec.checks asks coverage for less than 80% of coverage");
    // Asked for as it must be, it is the check itself that is waited for, and one that is met deploys.
    asks(&json!([check(&ci.public, 80)]));
    stage.wait_held("ChecksPending", &[second.as_str(), "no listed key has attached a coverage file yet"]);
    stage.patch(&json!({"floor": {"checks": null}}));
    asks(&json!([]));
    stage.tenant.wait_applied("sync", &second);
}

#[test]
fn a_repository_that_a_sync_ships_is_under_the_floor_as_any_other() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    let namespace = stage.namespace();
    stage.standard(&owned(&["Audit"]), "");
    stage.wait_ready();
    stage.patch(&json!({"floor": {"review": "Observe"}}));
    let review = ", review: {profile: Observe, trustFirst: true}";
    let inner = Repo::new();
    inner.write("inner/b.yaml", &config("b", "{v: '1'}"));
    let wanted = inner.push("what the inner one deploys");
    let ships = |more: &str| {
        let repository = stage.tenant.repository_yaml("inner", &inner.url, &format!("interval: 1s{more}"));
        let sync = stage.tenant.sync_yaml("inner", "inner", "").replace("{name: repo}", "{name: inner}");
        stage.app.write("deploy/inner.yaml", &(repository + &sync));
        stage.app.push(&format!("ships inner{more}"))
    };
    // The outer one asks what it must; what it ships asks nothing.
    ships("");
    stage.tenant.repository_at("repo", &stage.app.url, &format!("interval: 1s{review}"));
    stage.tenant.sync("sync", "deploy", "");
    let held = stage.tenant.wait_reason("inner", "Held", "BelowStandard");
    let message = condition_of(&held, "Held").expect("Held")["message"].as_str().expect("words").to_owned();
    assert!(message.contains(&wanted) && message.contains(&stage.name) && message.contains("spec.review"), "{message}");
    assert!(lab.absent(namespace, "configmap/b") && stage.tenant.writes(&wanted).is_empty());
    assert_eq!(lab.get(namespace, "repository/inner")["metadata"]["labels"]["tandemcd.io/sync-name"], "sync");
    // One that asks it is deployed from.
    let second = ships(review);
    stage.tenant.wait_applied("inner", &wanted);
    stage.tenant.wait_applied("sync", &second);
    assert_eq!(lab.get(namespace, "configmap/b")["data"]["v"], "1");
}

#[test]
fn where_operations_guard_only_syncs_and_a_noted_group_write_objects_of_tandem() {
    let lab = Lab::start("guard");
    let _agent = Agent::start(&lab);
    let tenant = Tenant::new(&lab);
    let namespace = tenant.namespace.as_str();
    let guard = std::fs::read_to_string(root().join("manifests/guard.yaml")).expect("the guard");
    let account = format!("system:serviceaccount:{namespace}:deployer");
    lab.apply(&guard.replace("syncs: \"\"", &format!("syncs: |\n    {account}")));
    let repo = Repo::new();
    repo.write("deploy/a.yaml", &config("a", "{v: '1'}"));
    repo.write("deploy/inner.yaml", &tenant.sync_yaml("inner", "inner", ""));
    repo.write("inner/b.yaml", &config("b", "{v: '1'}"));
    let first = repo.push("1");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    // Who has every right and is none of these.
    let people = |group: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": group},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}]})
    };
    ["developers", "tandem-emergency"].iter().for_each(|group| lab.apply(&people(group).to_string()));
    lab.k(&["label", "namespace", namespace, "tandemcd.io/guard=enabled"]);
    let patch = |who: &[&str], what: &[&str]| {
        let mut command = lab.kubectl();
        command.args(["-n", namespace, "--as=eve"]).args(who).args(["patch", "--type=merge"]).args(what);
        both(&command.output().expect("kubectl runs"))
    };
    let lower = ["repository", "repo", "-p", "{\"spec\": {\"interval\": \"2s\"}}"];
    let forge = ["sync", "sync", "--subresource=status", "-p", "{\"status\": {\"acceptedRevision\": \"main@sha1:0\"}}"];
    let developer: &[&str] = &["--as-group=developers"];
    let emergency: &[&str] = &["--as-group=tandem-emergency"];
    // A policy is in force some moments after it was written.
    wait_for("the guard", || {
        let told = patch(developer, &lower);
        if told.contains("eve may not write objects of Tandem here") { Ok(()) } else { Err(told) }
    });
    for who in [developer, emergency] {
        let told = patch(who, &forge);
        assert!(told.contains("the status of an object of Tandem is what its agent says"), "{told}");
    }
    let told = patch(developer, &["configmap", "a", "-p", "{\"data\": {\"w\": \"1\"}}"]);
    assert!(told.contains("patched"), "what is not Tandem's is not guarded: {told}");
    let told = patch(emergency, &lower);
    assert!(told.contains("patched"), "{told}");
    let noted = |event: &Value| {
        event["annotations"]["tandem-guard/emergency"] == "eve by the emergency group"
            && event["responseStatus"]["code"] == 200
    };
    wait_for("the audit log", || {
        let found = lab.audit("tandem-guard/emergency", noted);
        if found.len() == 1 { Ok(()) } else { Err(format!("{found:#?}")) }
    });
    // The agent goes on, and what a Sync deploys is deployed.
    repo.write("deploy/inner.yaml", &tenant.sync_yaml("inner", "inner", "prune: Disabled"));
    repo.write("inner/b.yaml", &config("b", "{v: '2'}"));
    let second = repo.push("2");
    tenant.wait_applied("sync", &second);
    tenant.wait_applied("inner", &second);
    lab.k(&["delete", "namespace", namespace]);
}

#[test]
fn no_secret_is_in_what_is_told() {
    let (lab, agent) = shared();
    let stage = Stage::new(lab);
    // The API server knows a Secret by its `data` alone.
    let tells = json!([
        {"expression": "object.data.token != 'Y2FuYXJ5LTdmM2E5Yw=='", "messageExpression": "'token ' + object.data.token"},
        {"expression": "int(object.data.token) > 0"},
        {"expression": "object.metadata.name == 'other'", "messageExpression": "object.metadata.name + ' is not other'"}]);
    let spec = json!({"matchConstraints": rules("", "secrets", &["*"]), "validations": tells,
        "auditAnnotations": [{"key": "token", "valueExpression": "'it is ' + object.data.token"}]});
    stage.standard(&policy("tells", &spec, &["Deny"]), "");
    stage.wait_ready();
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {token: canary-7f3a9c}\n";
    stage.app.write("deploy/a.yaml", secret);
    stage.app.push("1");
    stage.deploy("");
    let held = stage.wait_held("StandardViolated", &["denied request: token ***"]);
    assert_eq!(held["status"]["problems"].as_array().map(Vec::len), Some(3), "{:#}", held["status"]);
    lab.wait_event(stage.namespace(), "Held", &["token ***"]);
    wait_for("the annotation", || if agent.log().contains("it is ***") { Ok(()) } else { Err("not yet".into()) });
    let events = lab.k(&["get", "events.events.k8s.io", "-n", stage.namespace(), "-o", "json"]);
    for told in [held.to_string(), events, agent.log()] {
        assert!(!told.contains("canary-7f3a9c") && !told.contains("Y2FuYXJ5"), "{told}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    stage.standard(&owned(&["Deny"]), "");
    stage.wait_ready();
    for number in 10..40 {
        stage.app.write(&format!("deploy/{number}.yaml"), &config(&format!("c{number}"), "{v: '1'}"));
    }
    // And one that the API server refuses.
    stage.app.write("deploy/z.yaml", &deployment("z", "replicas: -1", "x"));
    stage.app.push("many");
    stage.deploy("");
    let held =
        stage.wait_held("StandardViolated", &["c10 names no owner", "c12 names no owner", "and 27 more problems"]);
    assert_eq!(held["status"]["problems"].as_array().map(Vec::len), Some(20));
    assert_eq!(held["status"]["standard"]["denied"], 30);
}

#[test]
fn another_path_or_variable_of_the_same_commit_is_new_as_well() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    let namespace = stage.namespace();
    stage.standard(&owned(&["Deny"]), "");
    stage.wait_ready();
    stage.app.write("deploy/a.yaml", &config("a", "{owner: shop, v: '1'}"));
    stage.app.write("bad/a.yaml", &config("a", "{v: '2'}"));
    let commit = stage.app.push("1");
    stage.deploy("");
    stage.tenant.wait_applied("sync", &commit);
    lab.k(&["-n", namespace, "patch", "sync", "sync", "--type=merge", "-p", "{\"spec\": {\"path\": \"bad\"}}"]);
    stage.wait_held("StandardViolated", &["a names no owner"]);
    // What heals the accepted commit renders the same files, and leaves out what was not let pass.
    lab.k(&["-n", namespace, "delete", "configmap", "a"]);
    lab.k(&["-n", namespace, "annotate", "sync", "sync", "tandemcd.io/requestedAt=now"]);
    lab.wait(namespace, "sync/sync", |sync| match &sync["status"]["lastHandledReconcileAt"] {
        at if *at == json!("now") => Ok(()),
        other => Err(format!("{other}")),
    });
    assert!(lab.absent(namespace, "configmap/a"));
    lab.k(&["-n", namespace, "patch", "sync", "sync", "--type=merge", "-p", "{\"spec\": {\"path\": \"deploy\"}}"]);
    stage.tenant.wait_applied("sync", &commit);
    assert_eq!(lab.get(namespace, "configmap/a")["data"]["v"], "1");
}

#[test]
fn a_standard_that_breaks_or_goes_stays_in_force_as_it_was_also_after_a_restart() {
    let lab = Lab::start("standard");
    let mut agent = Agent::start(&lab);
    let stage = Stage::new(&lab);
    stage.standard(&owned(&["Deny"]), "");
    let good = stage.wait_ready()["status"]["acceptedRevision"].clone();
    stage.app.write("deploy/a.yaml", &config("a", "{owner: shop, v: '1'}"));
    let first = stage.app.push("1");
    stage.deploy("");
    stage.tenant.wait_applied("sync", &first);

    let mut number = 1;
    let mut refuses_and_lets_pass = |stage: &Stage<'_>| {
        number += 1;
        stage.app.write("deploy/a.yaml", &config("a", &format!("{{v: '{number}'}}")));
        let bad = stage.app.push("nobody's");
        stage.wait_held("StandardViolated", &["a names no owner", &bad]);
        stage.stays_healed("a", "owner", "shop");
        stage.app.write("deploy/a.yaml", &config("a", &format!("{{owner: shop, v: '{number}'}}")));
        let honest = stage.app.push("the shop's");
        stage.tenant.wait_applied("sync", &honest);
    };
    let stays = |stage: &Stage<'_>| {
        let standard = lab.get("", &format!("standard/{}", stage.name));
        assert_eq!(standard["status"]["acceptedRevision"], good, "{:#}", standard["status"]);
        assert_eq!(standard["status"]["counts"]["policies"], 1);
    };
    // Broken: a field that policies do not have, with file and line.
    stage.ops.write("policy/p.yaml", &owned(&["Deny"]).replace("\"validations\"", "\"validatoins\""));
    stage.ops.push("broken");
    let broken = stage.wait_refused("StandardInvalid", &["policy/p.yaml:2", "validatoins", "stays in force"]);
    assert_eq!(broken["status"]["problems"][0]["at"], "policy/p.yaml:2");
    refuses_and_lets_pass(&stage);
    stays(&stage);
    // Emptied.
    stage.ops.remove("policy");
    stage.ops.write("README.md", "nothing");
    stage.ops.push("emptied");
    stage.wait_refused("BuildFailed", &["stays in force"]);
    refuses_and_lets_pass(&stage);
    agent.kill();
    agent.restart();
    agent.wait_ready();
    refuses_and_lets_pass(&stage);
    stays(&stage);
    // Its Repository is gone.
    lab.k(&["-n", stage.namespace(), "delete", "repository", "ops"]);
    stage.wait_refused("RepositoryMissing", &["stays in force"]);
    refuses_and_lets_pass(&stage);
    agent.kill();
    agent.restart();
    agent.wait_ready();
    refuses_and_lets_pass(&stage);
    stays(&stage);
    // History is rewritten: not without the Repository's leave.
    stage.tenant.repository("ops", &stage.ops);
    stage.ops.git(&["checkout", "-q", "--orphan", "other"]);
    stage.policies(&owned(&["Audit"]));
    stage.wait_refused("Diverged", &["stays in force"]);
    refuses_and_lets_pass(&stage);
    // And the Standard itself gone: who may delete it has taken the policy off.
    lab.k(&["delete", "standard", &stage.name]);
    stage.app.write("deploy/a.yaml", &config("a", "{v: 'free'}"));
    let free = stage.app.push("no standard");
    stage.tenant.wait_applied("sync", &free);
}

#[test]
fn healing_never_waits_for_a_new_standard_not_even_after_a_restart() {
    let lab = Lab::start("standard-heal");
    let mut agent = Agent::start(&lab);
    let stage = Stage::new(&lab);
    let namespace = stage.namespace();
    stage.app.write("deploy/a.yaml", &config("a", "{v: '1'}"));
    let first = stage.app.push("1");
    stage.deploy("");
    stage.tenant.wait_applied("sync", &first);
    // Nobody looks at Namespaces before a Standard selects by them.
    let of_namespaces = || {
        // A watch that lasts is not complete.
        let log = std::fs::read_to_string(lab.fact("TANDEM_LAB_AUDIT_LOG")).expect("audit log");
        let of = |event: &Value| {
            event["user"]["username"] == "system:serviceaccount:tandem-system:tandem"
                && event["objectRef"]["resource"] == "namespaces"
                && event["verb"] == "watch"
        };
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(of).count()
    };
    assert_eq!(of_namespaces(), 0);
    // From now on it would be refused.
    stage.standard(&owned(&["Deny"]), "");
    stage.wait_ready();
    stage.stays_healed("a", "v", "1");
    lab.wait_event(namespace, "StandardWarning", &["a names no owner"]);
    assert!(of_namespaces() > 0);
    agent.kill();
    lab.k(&["-n", namespace, "delete", "configmap", "a"]);
    agent.restart();
    agent.wait_ready();
    lab.wait(namespace, "configmap/a", |a| if a["data"]["v"] == "1" { Ok(()) } else { Err(format!("{}", a["data"])) });
    let told = lab.wait(namespace, "sync/sync", |sync| {
        if sync["status"]["standard"]["denied"] == 1 { Ok(()) } else { Err(format!("{:#}", sync["status"])) }
    });
    assert!(condition_of(&told, "Held").is_none(), "{:#}", told["status"]);
    // A commit that changes nothing of it is none of its news.
    stage.app.write("elsewhere/x.yaml", "# nothing\n");
    stage.app.push("elsewhere");
    stage.stays_healed("a", "v", "1");
    agent.kill();
    agent.restart();
    agent.wait_ready();
    stage.stays_healed("a", "v", "1");
    stage.app.write("deploy/a.yaml", &config("a", "{v: '2'}"));
    stage.app.push("2");
    stage.wait_held("StandardViolated", &["a names no owner"]);
}

#[test]
fn a_standard_is_in_force_as_the_agent_wrote_it_and_not_as_its_status_says() {
    let lab = Lab::start("standard-status");
    let mut agent = Agent::start(&lab);
    let stage = Stage::new(&lab);
    let what = format!("standard/{}", stage.name);
    stage.ops.write("lax/p.yaml", &owned(&["Audit"]));
    stage.standard(&owned(&["Deny"]), "");
    let good = stage.wait_ready()["status"]["acceptedSource"].clone();
    stage.app.write("deploy/a.yaml", &config("a", "{owner: shop, v: '1'}"));
    let first = stage.app.push("1");
    stage.deploy("");
    stage.tenant.wait_applied("sync", &first);
    // The newest revision is broken, so that what was in force is all that there is.
    let broken = owned(&["Deny"]).replace("\"validations\"", "\"validatoins\"");
    stage.policies(&broken);
    stage.wait_refused("StandardInvalid", &["stays in force"]);
    agent.kill();
    agent.restart();
    agent.wait_ready();
    stage.app.write("deploy/a.yaml", &config("a", "{v: '2'}"));
    let second = stage.app.push("nobody's");
    stage.wait_held("StandardViolated", &["a names no owner", &second]);
    assert_eq!(lab.get("", &what)["status"]["acceptedSource"], good);

    // Somebody writes that another folder of the same commit is in force, which lets it pass.
    agent.kill();
    let patch = json!({"status": {"acceptedSource": {"path": "lax"}}}).to_string();
    lab.k(&["patch", &what, "--subresource=status", "--type=merge", "-p", &patch]);
    agent.restart();
    stage.wait_refused("StandardInvalid", &["nothing is in force"]);
    stage.wait_held("StandardNotReady", &[&stage.name]);
    lab.wait_event("default", "StatusForged", &["status.acceptedSource", "lax"]);
    assert!(stage.tenant.writes(&second).is_empty());
    stage.stays_healed("a", "v", "1");
    stage.policies(&owned(&["Warn"]));
    stage.tenant.wait_applied("sync", &second);
}
