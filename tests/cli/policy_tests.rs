//! `tandem test`, and the starter standard by it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Folder;

const POLICY: &str = "\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: small}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: ['*'], resources: [deployments]}]
  validations:
  - expression: object.spec.replicas <= 3
    message: too many replicas
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: small}
spec:
  policyName: small
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchExpressions: [{key: free, operator: DoesNotExist}]}}
";

fn object(replicas: u32) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web, namespace: shop}}, spec: {{replicas: {replicas}}}}}"
    )
}

fn tests(cases: &str) -> String {
    format!(
        "apiVersion: tandemcd.io/v1alpha1\nkind: PolicyTest\nmetadata: {{name: small}}\nspec:\n  policy: small\n  cases:\n{cases}"
    )
}

fn run(cases: &str, args: &[&str]) -> String {
    let files = [(".tandem/standard/small.yaml", POLICY), (".tandem/standard/small.test.yaml", &tests(cases))];
    let whole: Vec<&str> = ["test"].iter().chain(args).copied().collect();
    Folder::with(&files).run(&whole)
}

fn good() -> String {
    format!(
        "  - {{name: three, expect: allow, object: {}}}\n  - {{name: four, expect: deny, message: too many, object: {}}}\n",
        object(3),
        object(4)
    )
}

#[test]
fn what_is_as_expected_passes() {
    insta::assert_snapshot!("policy_tests_pass", run(&good(), &[]));
}

#[test]
fn what_is_not_as_expected_is_told_in_full() {
    let cases = format!(
        "  - {{name: three is refused, expect: deny, object: {}}}
  - name: four passes
    expect: allow
    object: {}
  - {{name: it only warns, expect: warn, object: {}}}
  - {{name: other words, expect: deny, message: 'too few', object: {}}}
  - {{name: another namespace, expect: deny, namespace: {{labels: {{free: 'yes'}}}}, object: {}}}
  - {{name: no file, expect: allow, file: gone.yaml}}
  - {{name: no waiver, expect: allow, waived: true, object: {}}}
",
        object(3),
        object(4),
        object(4),
        object(4),
        object(4),
        object(4)
    );
    insta::assert_snapshot!("policy_tests_fail", run(&cases, &[]));
}

#[test]
fn operations_and_old_objects_are_those_of_the_case() {
    let cases = good()
        + &format!("  - {{name: it goes, expect: deny, operation: DELETE, oldObject: {}}}\n", object(4))
        + &format!("  - {{name: it changes, expect: deny, oldObject: {}, object: {}}}\n", object(1), object(4));
    let told = run(&cases, &[]);
    // `object` is null where it goes, and the policy fails.
    assert!(told.starts_with("exit 0") && told.contains("4 passed"), "{told}");
}

#[test]
fn params_and_files_and_waivers_are_used() {
    let standard = POLICY
        .replace(
            "spec:\n  matchConstraints",
            "spec:\n  paramKind: {apiVersion: v1, kind: ConfigMap}\n  matchConstraints",
        )
        .replace("<= 3", "<= int(params.data.most)")
        .replace(
            "policyName: small",
            "policyName: small\n  paramRef: {name: limits, namespace: ops, parameterNotFoundAction: Deny}",
        );
    let limits = |most: u32| {
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: limits, namespace: ops}}, data: {{most: '{most}'}}}}"
        )
    };
    let day = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 60)).strftime("%F").to_string();
    let waiver = format!(
        "apiVersion: tandemcd.io/v1alpha1\nkind: Waiver\nmetadata: {{name: big}}\nspec: {{policy: small, owner: shop, reason: sale, expires: {day}, object: {{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: web}}}}\n"
    );
    let own = tests(&(good() + &format!("  - {{name: waived, expect: allow, waived: true, object: {}}}\n", object(4))));
    let other = tests("  - {name: five, expect: allow, file: ../five.yaml}\n")
        .replace("name: small}", "name: more}")
        .replace("  cases", &format!("  params: [{}]\n  cases", limits(5)));
    let folder = Folder::with(&[
        ("std/small.yaml", &standard),
        ("std/limits.yaml", &limits(3)),
        ("std/waiver.yaml", &waiver),
        ("std/small.test.yaml", &own),
        ("std/more.test.yaml", &other),
        ("five.yaml", &object(5)),
    ]);
    let told = folder.run(&["test", "std"]);
    assert!(told.starts_with("exit 0") && told.contains("4 passed"), "{told}");
    // A file alone, by the policies of its folder.
    assert!(folder.run(&["test", "std/more.test.yaml"]).contains("1 case of 1 policy: 1 passed"));
}

#[test]
fn what_cannot_be_read_ends_with_3() {
    let told = run("  - {name: three, expct: allow, object: {}}\n", &[]);
    assert!(told.starts_with("exit 3") && told.contains("hint: did you mean `expect`?"), "{told}");
    for (from, to, words) in [
        (
            "policy: small",
            "policy: smal",
            "small.test.yaml:5: PolicyTest.tandemcd.io/small: spec.policy names smal, and the standard has no such policy",
        ),
        ("expect: deny", "expect: never", "unknown variant `never`"),
        ("spec:", "sepc:", "sepc is no field of a PolicyTest"),
        ("object:", "file: a.yaml, object:", "spec.cases[0] has both object and file"),
    ] {
        let files = [("a/small.yaml", POLICY), ("a/small.test.yaml", &tests(&good()).replace(from, to))];
        let told = Folder::with(&files).run(&["test", "a"]);
        assert!(told.starts_with("exit 3") && told.contains(words), "{to}: {told}");
    }
    for (from, to, words) in [
        ("kind: ValidatingAdmissionPolicy\n", "kind: [\n", "error: a/small.yaml:"),
        ("policyName: small", "policyName: big", "spec.policy names small, which has no binding"),
    ] {
        let files = [("a/small.yaml", POLICY.replace(from, to)), ("a/small.test.yaml", tests(&good()))];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let told = Folder::with(&files).run(&["test", "a"]);
        assert!(told.starts_with("exit 3") && told.contains(words), "{to}: {told}");
    }
    assert!(Folder::with(&[]).run(&["test", "gone"]).starts_with("exit 2"));
}

/// What cannot be used refuses nothing, so it fails whether or not a test is of it.
#[test]
fn a_standard_that_does_not_compile_fails() {
    let waiver = "apiVersion: tandemcd.io/v1alpha1\nkind: Waiver\nmetadata: {name: w}\nspec: {}\n";
    for (from, to, words) in [
        (
            "replicas <= 3",
            "replicas <=",
            "error: a/small.yaml:8: ValidatingAdmissionPolicy.admissionregistration.k8s.io/small: spec.validations[0].expression: ",
        ),
        ("replicas <= 3", "replicaz", "error: a/small.yaml:8: "),
        ("validationActions: [Deny]", "validationAction: [Deny]", "error: a/small.yaml:1"),
        ("---\n", &*format!("---\n{waiver}---\n"), "error: a/small.yaml:14: Waiver.tandemcd.io/w: "),
    ] {
        let policy = POLICY.replacen(from, to, 1);
        let untested = Folder::with(&[("a/small.yaml", &policy)]);
        let tested = Folder::with(&[("a/small.yaml", &policy), ("a/small.test.yaml", &tests(&good()))]);
        for folder in [untested, tested] {
            let told = folder.run(&["test", "a"]);
            assert!(told.starts_with("exit 1") && told.matches(words).count() == 1, "{to}: {told}");
            let json = folder.run(&["test", "a", "-o", "json"]);
            let json: Value = serde_json::from_str(json.split_once("--- stdout\n").expect("a report").1).expect("JSON");
            assert_eq!((&json["summary"]["broken"], &json["broken"][0]["file"]), (&1.into(), &"a/small.yaml".into()));
            assert!(json["broken"][0]["line"].is_u64(), "{json}");
            let junit = folder.run(&["test", "a", "-o", "junit"]);
            let xml = junit.split_once("--- stdout\n").expect("a report").1;
            assert_eq!(quick_junit::Report::deserialize_from_str(xml).expect("JUnit").errors, 1, "{junit}");
        }
    }
}

#[test]
fn a_policy_that_is_not_tested_both_ways_is_a_warning() {
    let only =
        |expect: &str, replicas: u32| format!("  - {{name: one, expect: {expect}, object: {}}}\n", object(replicas));
    for (cases, words) in [
        (only("allow", 1), "no case has an object that it refuses"),
        (only("deny", 9), "no case has an object that it allows"),
    ] {
        let told = run(&cases, &[]);
        assert!(told.starts_with("exit 0") && told.contains(words) && told.contains("1 warning"), "{told}");
    }
    let told = Folder::with(&[("a/small.yaml", POLICY)]).run(&["test", "a"]);
    assert!(told.starts_with("exit 0") && told.contains("no test has a case of it"), "{told}");
}

#[test]
fn reports_say_the_same() {
    let cases = good() + &format!("  - {{name: 'four <passes>', expect: allow, object: {}}}\n", object(4));
    let told = run(&cases, &["-o", "json"]);
    let json: Value = serde_json::from_str(told.split_once("--- stdout\n").expect("a report").1).expect("JSON");
    assert_eq!((&json["summary"]["passed"], &json["summary"]["failed"]), (&2.into(), &1.into()));
    assert_eq!(json["suites"][0]["cases"][2]["line"], 9);
    let junit = run(&cases, &["-o", "junit"]);
    let xml = junit.split_once("--- stdout\n").expect("a report").1;
    let report = quick_junit::Report::deserialize_from_str(xml).expect("JUnit");
    assert_eq!((report.tests, report.failures, report.errors), (3, 1, 0));
    let broken = run("  - {name: three, expct: allow}\n", &["-o", "junit"]);
    let report = quick_junit::Report::deserialize_from_str(broken.split_once("--- stdout\n").expect("a report").1)
        .expect("JUnit");
    assert_eq!((report.tests, report.errors), (1, 1));
    assert!(junit.contains("tests=\"3\" failures=\"1\" errors=\"0\""), "{junit}");
    assert!(junit.contains("<testcase name=\"four &lt;passes&gt;\" classname=\"small\"><failure "), "{junit}");
    assert!(run(&cases, &["-o", "yaml"]).contains("name: four <passes>"));
    assert!(run(&cases, &["-o", "sarif"]).starts_with("exit 2"));
}

/// The files of the starter standard.
fn starter() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/standard");
    let files = fs::read_dir(folder).expect("the starter standard").map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(path).expect("a file"))
    });
    files.collect()
}

fn of(files: &[(String, String)]) -> Folder {
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Folder::with(&files)
}

#[test]
fn the_starter_standard_passes_its_tests_and_the_check() {
    let folder = of(&starter());
    let told = folder.run(&["test"]);
    assert!(told.starts_with("exit 0") && told.contains(" of 10 policies: ") && !told.contains("warning"), "{told}");
    let told = folder.run(&["check", "--standard", "."]);
    assert!(told.starts_with("exit 0") && told.contains("by 10 policies: nothing wrong"), "{told}");
}

/// Whoever weakens a policy sees its tests fail.
#[test]
fn no_validation_of_the_starter_standard_can_be_taken_out_unseen() {
    let files = starter();
    let mut weakened = 0;
    for (at, (name, text)) in files.iter().enumerate() {
        let expressions: Vec<usize> = text.match_indices("\n  - expression: ").map(|(at, _)| at).collect();
        for start in expressions {
            let line = start + "\n  - expression: ".len();
            let end = line + text[line..].find('\n').expect("a line");
            let mut weak = files.clone();
            weak[at].1 = format!("{}'true'{}", &text[..line], &text[end..]);
            let told = of(&weak).run(&["test"]);
            assert!(told.starts_with("exit 1") && told.contains("FAIL"), "{name}: {}\n{told}", &text[line..end]);
            weakened += 1;
        }
    }
    assert_eq!(weakened, 13);
}
