//! What CI systems are given, run as they run it: the steps of `action.yml`, the script of the GitLab template and the
//! hooks of pre-commit, over a small repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tandem::object::yaml;

use super::{Folder, told};

const GOOD: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {mode: fast}
";
/// The same with a mistake in its fourth line.
const WRONG: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: b}
dta: {mode: fast}
";
const POLICY: &str = "\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: slow}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [configmaps]}]
  validations:
  - {expression: object.data.mode == 'slow', message: too fast}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: slow}
spec: {policyName: slow, validationActions: [Deny]}
";
const CASES: &str = "\
apiVersion: tandemcd.io/v1alpha1
kind: PolicyTest
metadata: {name: slow}
spec:
  policy: slow
  cases:
  - {name: slow, expect: allow, object: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {mode: slow}}}
  - {name: fast, expect: deny, object: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {mode: fast}}}
";

/// A file of this repository.
fn file(path: &str) -> Value {
    let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file");
    let (mut documents, problems) = yaml::read(path, &bytes, &yaml::Limits::default());
    assert_eq!(problems, [], "{path}");
    documents.remove(0).value
}

/// A shell as a runner starts it, in a folder, with our program on its PATH.
fn shell(folder: &Folder, words: &[&str]) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_tandem")).parent().expect("a folder");
    let path = std::env::var("PATH").expect("a PATH");
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(folder.path()).env_clear().env("HOME", folder.path());
    command.env("PATH", format!("{}:{path}", program.display()));
    command
}

/// Runs the steps of the action with these inputs: `GITHUB` has each in a shell that ends at the first failure.
fn action(folder: &Folder, inputs: &[(&str, &str)]) -> String {
    let action = file("action.yml");
    assert_eq!(action["runs"]["using"], "composite");
    for (name, _) in inputs {
        assert!(action["inputs"][name].is_object(), "no input {name}");
    }
    let value = |name: &str| match inputs.iter().find(|(given, _)| *given == name) {
        Some((_, value)) => (*value).to_owned(),
        None => action["inputs"][name]["default"].as_str().expect("a default").to_owned(),
    };
    let mut last = String::new();
    for step in action["runs"]["steps"].as_array().expect("steps") {
        assert_eq!(step["shell"], "bash");
        let script = step["run"].as_str().expect("a script");
        assert!(!script.contains("${{"), "what a workflow gives is no part of the script");
        let mut command = shell(folder, &["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
        for (name, of) in step["env"].as_object().expect("an environment") {
            let of = of.as_str().expect("a text");
            let input = of.strip_prefix("${{ inputs.").and_then(|rest| rest.strip_suffix(" }}"));
            command.env(name, value(input.expect("an input")));
        }
        last = told(&command.output().expect("bash"));
        if !last.starts_with("exit 0") {
            break;
        }
    }
    last
}

/// Runs the script of the template's job, with values for its variables.
fn gitlab(folder: &Folder, args: &str) -> String {
    let template = file("manifests/ci/gitlab.yml");
    let lines = template["tandem-check"]["script"].as_array().expect("a script").iter();
    let script: Vec<&str> = lines.map(|line| line.as_str().expect("a line")).collect();
    let mut command = shell(folder, &["bash", "-eo", "pipefail", "-c", &script.join("\n")]);
    command.env("TANDEM_CHECK_ARGS", args);
    told(&command.output().expect("bash"))
}

/// Runs a hook as pre-commit does: its entry, then its args, then the changed files that are its own.
fn hook(folder: &Folder, id: &str, changed: &[&str]) -> Option<String> {
    let hooks = file(".pre-commit-hooks.yaml");
    let hook = hooks.as_array().expect("hooks").iter().find(|hook| hook["id"] == id).expect("the hook");
    assert_eq!(hook["language"], "system");
    let entry = hook["entry"].as_str().expect("an entry");
    let files = hook["files"].as_str().map(|pattern| regex::Regex::new(pattern).expect("a pattern"));
    let own: Vec<&str> =
        changed.iter().copied().filter(|name| files.as_ref().is_none_or(|files| files.is_match(name))).collect();
    if own.is_empty() && hook["always_run"] != true {
        return None;
    }
    let args = hook["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut words: Vec<&str> = entry.split_whitespace().chain(args).collect();
    if hook["pass_filenames"] != false {
        words.extend(own);
    }
    Some(told(&shell(folder, &words).output().expect("the hook")))
}

fn json(folder: &Folder, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.path().join(name)).expect("a report")).expect("JSON")
}

#[test]
fn the_action_annotates_and_writes_what_code_scanning_reads() {
    let folder =
        Folder::with(&[("apps/a.yaml", GOOD), ("apps/b.yaml", WRONG), ("other/c.yaml", WRONG), ("std/p.yaml", POLICY)]);
    let all = action(&folder, &[]);
    assert!(all.starts_with("exit 1"), "{all}");
    for place in ["file=apps/b.yaml,line=4", "file=other/c.yaml,line=4"] {
        assert!(all.contains("::error ") && all.contains(place), "{all}");
    }
    assert!(!folder.path().join("tandem.sarif").exists());

    let some = action(&folder, &[("paths", "apps\n\n"), ("sarif", "tandem.sarif"), ("kube-version", "1.35")]);
    assert!(
        some.starts_with("exit 1") && some.contains("file=apps/b.yaml") && !some.contains("other/c.yaml"),
        "{some}"
    );
    let sarif = json(&folder, "tandem.sarif");
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(1));
    serde_json::from_value::<serde_sarif::sarif::Sarif>(sarif).expect("SARIF");

    folder.write("apps/b.yaml", GOOD.replace("name: a", "name: b").as_str());
    let good = action(&folder, &[("paths", "apps"), ("sarif", "tandem.sarif")]);
    assert!(good.starts_with("exit 0"), "{good}");
    assert_eq!(json(&folder, "tandem.sarif")["runs"][0]["results"].as_array().map(Vec::len), Some(0));
    let judged = action(&folder, &[("paths", "apps"), ("standard", "std")]);
    assert!(judged.starts_with("exit 1") && judged.contains("too fast"), "{judged}");
    // What is no answer is no success, and nothing that a workflow gives is run.
    for inputs in [
        &[("paths", "gone"), ("sarif", "gone.sarif")][..],
        &[("kube-version", "1.2"), ("sarif", "gone.sarif")],
        &[("paths", "$(touch hit)")],
        &[("tandem", "no-such-program")],
    ] {
        let told = action(&folder, inputs);
        assert!(!told.starts_with("exit 0") && !told.starts_with("exit 1\n"), "{inputs:?}: {told}");
    }
    assert!(!folder.path().join("hit").exists());
}

#[test]
fn the_template_of_gitlab_writes_both_reports_and_fails_where_something_is_wrong() {
    let folder = Folder::with(&[("apps/a.yaml", GOOD), ("apps/b.yaml", WRONG), ("std/p.yaml", POLICY)]);
    let template = file("manifests/ci/gitlab.yml");
    let reports = &template["tandem-check"]["artifacts"]["reports"];
    let (quality, junit) =
        (reports["codequality"].as_str().expect("a file"), reports["junit"].as_str().expect("a file"));
    let wrong = gitlab(&folder, "apps");
    assert!(wrong.starts_with("exit 1") && wrong.contains("apps/b.yaml:4: error: "), "{wrong}");
    let found = json(&folder, quality);
    assert_eq!(found[0]["location"]["path"], "apps/b.yaml");
    let read = |name: &str| {
        let text = fs::read_to_string(folder.path().join(name)).expect("a report");
        quick_junit::Report::deserialize_from_str(&text).expect("JUnit")
    };
    assert_eq!(read(junit).failures + read(junit).errors, 1);

    folder.write("apps/b.yaml", GOOD.replace("name: a", "name: b").as_str());
    let good = gitlab(&folder, "--kube-version 1.35 apps");
    assert!(good.starts_with("exit 0"), "{good}");
    assert_eq!(json(&folder, quality), serde_json::json!([]));
    assert_eq!(read(junit).failures + read(junit).errors, 0);
    assert!(gitlab(&folder, "--standard std apps").starts_with("exit 1"));
    for file in [quality, junit] {
        fs::remove_file(folder.path().join(file)).expect("a report");
    }
    let gone = gitlab(&folder, "gone");
    assert!(gone.starts_with("exit 2") && gone.contains("gone is not there"), "{gone}");
    assert!(!folder.path().join(junit).exists(), "it ends where there is no answer");
}

#[test]
fn the_hooks_of_pre_commit_look_at_what_is_theirs() {
    let folder = Folder::with(&[
        ("apps/a.yaml", GOOD),
        (".tandem/standard/p.yaml", &POLICY.replace("'slow', message", "'fast', message")),
        (".tandem/standard/p.test.yaml", CASES),
    ]);
    let check = |changed: &[&str]| hook(&folder, "tandem-check", changed);
    let test = |changed: &[&str]| hook(&folder, "tandem-test", changed);
    let fine = check(&["apps/a.yaml"]).expect("it runs");
    assert!(fine.starts_with("exit 0"), "{fine}");
    assert_eq!(check(&["README.md"]), None);
    let told = test(&[".tandem/standard/p.yaml"]).expect("it runs");
    assert!(told.starts_with("exit 1") && told.contains("FAIL"), "{told}");
    folder.write(".tandem/standard/p.yaml", POLICY);
    let told = test(&[".tandem/standard/p.yaml"]).expect("it runs");
    assert!(told.starts_with("exit 0") && told.contains("2 passed"), "{told}");
    let told = check(&["apps/a.yaml", ".tandem/standard/p.yaml"]).expect("it runs");
    assert!(told.starts_with("exit 1") && told.contains("too fast"), "{told}");
}
