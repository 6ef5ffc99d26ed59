//! The definitions of our kinds, judged by a real API server: what it takes, what it refuses and
//! with which words, and what kubectl shows.

use std::io::Write;
use std::process::Stdio;

use crate::lab::{Lab, both, unique};

/// What a dry run of creating an object answers; `Ok` where it is taken.
fn create(lab: &Lab, kind: &str, name: &str, spec: &str) -> Result<(), String> {
    let yaml = format!(
        "apiVersion: tandemcd.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: default}}\nspec: {spec}\n"
    );
    let mut command = lab.kubectl();
    command.args(["create", "--dry-run=server", "-f", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl starts");
    child.stdin.take().expect("stdin").write_all(yaml.as_bytes()).expect("kubectl reads");
    let output = child.wait_with_output().expect("kubectl ends");
    if output.status.success() { Ok(()) } else { Err(both(&output)) }
}

fn check(kind: &str, name: &str, cases: &[(&str, Option<&str>)]) {
    let lab = Lab::shared();
    for (spec, refused) in cases {
        match (create(lab, kind, name, spec), refused) {
            (Ok(()), None) => {}
            (Err(told), Some(words)) => assert!(told.contains(words), "{spec}: {told}"),
            (Ok(()), Some(words)) => panic!("{spec} was taken, and should be refused with {words}"),
            (Err(told), None) => panic!("{spec} was refused: {told}"),
        }
    }
}

#[test]
fn a_repository_says_what_is_wrong_with_it() {
    const ONE: &str = "exactly one of branch, tag, semver, name and commit must be set";
    const URL: &str = "url must be https://host/path, http://host/path or ssh://user@host/path, without a password";
    check(
        "Repository",
        "app",
        &[
            ("{url: 'https://h/p.git', ref: {branch: main}}", None),
            ("{url: 'ssh://git@h:22/p.git', ref: {commit: '0123456789012345678901234567890123456789'}}", None),
            ("{url: 'https://h/p', ref: {branch: main, tag: null}}", None),
            ("{url: 'https://h/p', ref: {branch: main, tag: v1}}", Some(ONE)),
            ("{url: 'https://h/p', ref: {}}", Some(ONE)),
            ("{url: 'https://h/p'}", Some("spec.ref: Required value")),
            ("{url: 'git@h:p.git', ref: {branch: main}}", Some(URL)),
            ("{url: 'https://user:password@h/p', ref: {branch: main}}", Some(URL)),
            ("{url: 'https://user@h/p', ref: {branch: main}}", Some(URL)),
            ("{url: 'ssh://user:password@h/p', ref: {branch: main}}", Some(URL)),
            ("{url: 'file:///etc', ref: {branch: main}}", Some(URL)),
            ("{url: 'https://h/p q', ref: {branch: main}}", Some(URL)),
            ("{url: 'https://h/p', ref: {branch: main}, interval: 5x}", Some("spec.interval")),
            ("{url: 'https://h/p', ref: {branch: main}, intervall: 5s}", Some("unknown field \"spec.intervall\"")),
            ("{url: 'https://h/p', ref: {commit: abc}}", Some("spec.ref.commit")),
        ],
    );
    const NONE: &str = "publish.deployments needs GitHub or GitLab: Gitea and Forgejo have no deployments";
    const LINKS: &str = "environmentURL and logURL are GitHub's alone";
    let url = "https://h/p";
    for (forge, deployments, refused) in [
        ("GitHub", "{}", None),
        ("GitHub", "{environment: prod/eu 1, environmentURL: 'https://shop.example.com', logURL: 'https://log'}", None),
        ("GitLab", "{environment: prod}", None),
        ("GitLab", "{environmentURL: 'https://shop.example.com'}", Some(LINKS)),
        ("GitLab", "{logURL: 'https://log'}", Some(LINKS)),
        ("Gitea", "{}", Some(NONE)),
        ("GitHub", "{environment: /prod}", Some("spec.publish.deployments.environment")),
        ("GitHub", "{environment: ''}", Some("spec.publish.deployments.environment")),
        ("GitHub", "{logURL: 'javascript:x'}", Some("spec.publish.deployments.logURL")),
        ("GitHub", "{logURL: 'https://log x'}", Some("spec.publish.deployments.logURL")),
    ] {
        let forge = format!("forge: {{type: {forge}, secretRef: {{name: f}}}}");
        let spec = format!("{{url: '{url}', ref: {{branch: main}}, {forge}, publish: {{deployments: {deployments}}}}}");
        check("Repository", "app", &[(&spec, refused)]);
    }
    let spec = format!("{{url: '{url}', ref: {{branch: main}}, publish: {{deployments: {{}}}}}}");
    check("Repository", "app", &[(&spec, Some("publish needs forge"))]);
}

#[test]
fn checks_say_by_whom_and_of_which_commit_they_are() {
    const WHOM: &str = "a check says by whom it is";
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8hYSxr ci";
    let with =
        |check: &str, more: &str| format!("{{url: 'https://h/p', ref: {{branch: main}}, checks: [{check}]{more}}}");
    let forge = ", forge: {type: Gitea, secretRef: {name: f}}";
    let review = |forge: bool| format!(", review: {{trustFirst: true, forge: {forge}}}");
    let keys = format!("{{context: c, keys: ['{KEY}'], coverage: {{min: 80}}}}");
    for (spec, refused) in [
        (with("{context: c, creator: 1}", forge), None),
        (with("{context: c, creator: 1}", ""), Some("checks need forge")),
        (with("{context: c, app: 1, creator: 1}", forge), Some(WHOM)),
        (with("{context: c}", forge), Some(WHOM)),
        // Notes need no forge.
        (with(&keys, ""), None),
        (with(&keys.replace("{context", "{app: 1, context"), forge), Some(WHOM)),
        (with(&keys.replace(", coverage: {min: 80}", ""), ""), Some("keys sign coverage files")),
        (with("{context: c, keys: [], coverage: {min: 80}}", ""), Some(WHOM)),
        (with(&keys.replace("ssh-ed25519", "cert-authority ssh-ed25519"), ""), Some("keys[0]")),
        (with("{context: c, creator: 1, commit: Head}", &format!("{forge}{}", review(true))), None),
        (
            with("{context: c, creator: 1, commit: Head}", &format!("{forge}{}", review(false))),
            Some("need review.forge"),
        ),
        (with("{context: c, creator: 1, commit: Head}", forge), Some("need review.forge")),
        (with("{context: c, creator: 1, commit: Tip}", forge), Some("\"Merged\", \"Head\"")),
    ] {
        check("Repository", "app", &[(&spec, refused)]);
    }
}

#[test]
fn a_sync_says_what_is_wrong_with_it() {
    const PATH: &str = "path is relative to the root of the repository and never leaves it";
    const VARIABLE: &str = "the name of a variable is made of letters, digits and _, and begins with no digit";
    check(
        "Sync",
        "web",
        &[
            ("{repositoryRef: {name: app}}", None),
            ("{repositoryRef: {name: app}, path: a..b/c}", None),
            ("{repositoryRef: {name: app}, deletionBudget: {maxCount: 3}}", None),
            ("{repositoryRef: {name: app}, path: /etc}", Some(PATH)),
            ("{repositoryRef: {name: app}, path: a/../b}", Some(PATH)),
            ("{repositoryRef: {name: app}, mode: Dry}", Some("supported values: \"Enforce\", \"Shadow\"")),
            ("{repositoryRef: {name: app}, serviceAccountName: ''}", Some("spec.serviceAccountName")),
            ("{repositoryRef: {name: app}, deletionBudget: {maxPercent: 101}}", Some("spec.deletionBudget.maxPercent")),
            ("{repositoryRef: {name: app}, deletionBudget: {maxCount: -1}}", Some("spec.deletionBudget.maxCount")),
            ("{path: a}", Some("spec.repositoryRef: Required value")),
            ("{repositoryRef: {name: app}, substitute: {}}", None),
            (
                "{repositoryRef: {name: app}, substitute: {vars: {A_1: ''}, from: [{kind: Secret, name: s, optional: true}]}}",
                None,
            ),
            ("{repositoryRef: {name: app}, substitute: {vars: {1a: b}}}", Some(VARIABLE)),
            ("{repositoryRef: {name: app}, substitute: {vars: {a-b: b}}}", Some(VARIABLE)),
            ("{repositoryRef: {name: app}, substitute: {vars: {a: 1}}}", Some("spec.substitute.vars.a")),
            (
                "{repositoryRef: {name: app}, substitute: {from: [{kind: Pod, name: s}]}}",
                Some("\"ConfigMap\", \"Secret\""),
            ),
            (
                "{repositoryRef: {name: app}, substitute: {from: [{kind: Secret}]}}",
                Some("spec.substitute.from[0].name"),
            ),
            (
                "{repositoryRef: {name: app}, substitute: {from: [{kind: Secret, name: ''}]}}",
                Some("spec.substitute.from[0].name"),
            ),
        ],
    );
    check("Sync", &"a".repeat(63), &[("{repositoryRef: {name: app}}", None)]);
    check("Sync", &"a".repeat(64), &[("{repositoryRef: {name: app}}", Some("at most 63 characters"))]);
}

#[test]
fn a_standard_says_what_is_wrong_with_it() {
    const VALUES: &str = "values are needed with In and NotIn, and not allowed with Exists and DoesNotExist";
    let with = |more: &str| format!("{{repositoryRef: {{name: policies, namespace: ops}}, {more}}}");
    let selects = |requirement: &str| with(&format!("namespaceSelector: {{matchExpressions: [{requirement}]}}"));
    for (spec, refused) in [
        (with("path: policy"), None),
        (with("action: Warn, namespaceSelector: {matchLabels: {tier: prod}}"), None),
        (selects("{key: tier, operator: In, values: [prod]}"), None),
        (selects("{key: tier, operator: Exists}"), None),
        (selects("{key: tier, operator: In}"), Some(VALUES)),
        (selects("{key: tier, operator: Exists, values: [prod]}"), Some(VALUES)),
        (selects("{key: tier, operator: Is}"), Some("spec.namespaceSelector.matchExpressions[0].operator")),
        (with("action: Refuse"), Some("\"Deny\", \"Warn\", \"Audit\"")),
        (with("path: ../other"), Some("never leaves it")),
        // What would take it off outside Git.
        (with("suspend: true"), Some("unknown field \"spec.suspend\"")),
        ("{repositoryRef: {name: policies}}".to_owned(), Some("spec.repositoryRef.namespace: Required value")),
    ] {
        check("Standard", "operations", &[(&spec, refused)]);
    }
}

#[test]
fn the_definitions_are_taken_without_a_warning_and_their_names_are_free() {
    let lab = Lab::shared();
    let file = crate::lab::root().join("manifests/crds.yaml");
    let output = lab
        .kubectl()
        .args(["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f"])
        .arg(file)
        .output()
        .expect("kubectl runs");
    assert!(output.status.success(), "{}", both(&output));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    for name in tandem::api::crds::names() {
        lab.wait("", &format!("crd/{name}"), |crd| {
            let conditions = crd["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let holds = |kind: &str| conditions.iter().any(|c| c["type"] == kind && c["status"] == "True");
            if holds("Established") && holds("NamesAccepted") { Ok(()) } else { Err(format!("{conditions:?}")) }
        });
    }
}

#[test]
fn kubectl_shows_the_columns_and_all_takes_no_sync() {
    let lab = Lab::shared();
    let namespace = unique("columns");
    lab.apply(&format!(
        "
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: tandemcd.io/v1alpha1
kind: Sync
metadata: {{name: web, namespace: {namespace}}}
spec: {{repositoryRef: {{name: app}}, suspend: true}}
---
apiVersion: tandemcd.io/v1alpha1
kind: Repository
metadata: {{name: app, namespace: {namespace}}}
spec: {{url: 'https://127.0.0.1:1/app', ref: {{branch: main}}, suspend: true}}
"
    ));
    // It speaks of no namespace that there is.
    lab.apply(
        "
apiVersion: tandemcd.io/v1alpha1
kind: Standard
metadata: {name: columns}
spec: {repositoryRef: {name: none, namespace: none}, namespaceSelector: {matchLabels: {none: such}}}
",
    );
    for what in ["tsync", "trepo", "tstd"] {
        let table = lab.k(&["get", what, "-n", &namespace]);
        let columns: Vec<_> = table.lines().next().expect("a heading").split_whitespace().collect();
        assert_eq!(columns, ["NAME", "READY", "REVISION", "STATUS", "AGE"], "{what}");
    }
    let of_category = lab.k(&["get", "tandem", "-n", &namespace, "-o", "name"]);
    assert!(of_category.contains("sync.tandemcd.io/web") && of_category.contains("repository.tandemcd.io/app"));
    assert!(of_category.contains("standard.tandemcd.io/columns"), "{of_category}");
    lab.k(&["delete", "standard", "columns"]);
    let all = lab.k(&["delete", "all", "--all", "-n", &namespace, "--dry-run=server", "-o", "name"]);
    assert!(!all.contains("tandemcd.io"), "kubectl delete all --all takes {all}");
}
