//! `tandem check`.

use serde_json::Value;

use super::Folder;

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replica: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx
        imagePullPolicy: always
        ports:
        - containerPort: \"80\"
---
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData:
  password: hunter2
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: web}
---
apiVersion: v1
kind: Endpoints
metadata: {name: web}
";

const PUMPS: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: pumps.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Pump, plural: pumps}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer, maximum: 5}}}}}}
";

/// A repository that knows nothing of Tandem, with a mistake of every sort.
fn repository() -> Folder {
    Folder::with(&[
        (
            "clusters/prod/apps.yaml",
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: web}\nspec: {path: ./apps/web}\n---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: other}\nspec: {source: {path: in/another/repository}}\n",
        ),
        ("apps/web/web.yaml", DEPLOYMENT),
        ("apps/base/kustomization.yaml", "resources: [settings.yaml]\n"),
        ("apps/base/settings.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata:\n  port: 80\n"),
        (
            "apps/one/kustomization.yaml",
            "resources: [../base]\npatches:\n- patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: settings}\n    dta: {a: b}\n",
        ),
        ("apps/two/kustomization.yaml", "resources: [../base]\n"),
        ("apps/broken/kustomization.yaml", "resources: [gone.yaml]\n"),
        ("charts/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n"),
        ("charts/c/templates/a.yaml", "apiVersion: {{ .Values.x }}\nkind: y\n"),
        ("crds/pumps.yaml", PUMPS),
        ("loose/pump.yaml", "apiVersion: example.com/v1\nkind: Pump\nmetadata: {name: p}\nspec: {siz: 1, size: 9}\n"),
        ("loose/valve.yaml", "apiVersion: example.org/v1\nkind: Valve\nmetadata: {name: v}\n"),
        (
            "loose/key.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: key}\ndata:\n  id: AKIAABCDEFGHIJKLMNOP\n",
        ),
        (
            "syncs/shop.yaml",
            "apiVersion: tandemcd.io/v1alpha1\nkind: Sync\nmetadata: {name: shop, namespace: shop}\nspec:\n  repositoryRef: {name: shop}\n  path: elsewhere\n  pruning: Enabled\n",
        ),
        ("docker-compose.yml", "version: 3\nservices: {}\n"),
    ])
}

/// Where there is nothing to find fault with it is said, so that a wrong folder does not pass for a good one.
#[test]
fn a_folder_without_manifests_is_told() {
    let folder = Folder::with(&[("shop/README.md", "# Shop\n"), ("shop/noise.yaml", "\u{0}\u{1}\u{2}")]);
    let told = folder.run(&["check", "shop"]);
    assert!(told.contains("note: no manifest was found in shop: "), "{told}");
    folder.write("shop/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let told = folder.run(&["check", "shop"]);
    assert!(!told.contains("no manifest") && told.contains("1 object in 1 folder"), "{told}");
}

#[test]
fn a_repository_that_knows_nothing_of_tandem_is_told_what_is_wrong() {
    insta::assert_snapshot!("check", repository().run(&["check", "--kube-version", "1.36"]));
}

#[test]
fn every_form_has_every_finding_and_no_secret() {
    let folder = repository();
    let run = |form: &str| {
        let output = folder.command(&["check", "-o", form]).output().expect("runs");
        assert_eq!(output.status.code(), Some(1), "{form}");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(!text.contains("hunter2") && !text.contains("AKIA"), "{form}: {text}");
        text
    };
    let json = |form: &str| -> Value { serde_json::from_str(&run(form)).unwrap_or_else(|e| panic!("{form}: {e}")) };
    let findings = json("json")["findings"].as_array().expect("findings").clone();
    assert!(findings.len() > 12, "{findings:#?}");
    let field = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();

    let sarif = json("sarif");
    // The types are made of the published schema; what they do not know would be missing when it is written again.
    let log: serde_sarif::sarif::Sarif = serde_json::from_value(sarif.clone()).expect("SARIF");
    assert_eq!(serde_json::to_value(&log).expect("JSON"), sarif);
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let gitlab = json("gitlab");
    let issues = gitlab.as_array().expect("a list");
    let github: Vec<String> = run("github").lines().map(str::to_owned).collect();
    assert_eq!((results.len(), issues.len(), github.len()), (findings.len(), findings.len(), findings.len()));
    for (at, finding) in findings.iter().enumerate() {
        let (rule, file) = (field(finding, "rule"), field(finding, "file"));
        let place = &results[at]["locations"][0]["physicalLocation"];
        assert_eq!((&results[at]["ruleId"], &issues[at]["check_name"]), (&rule.clone().into(), &rule.clone().into()));
        assert!(github[at].contains(&format!("title={rule}::")), "{}", github[at]);
        if !file.is_empty() {
            assert_eq!(place["artifactLocation"]["uri"], file);
            assert_eq!(issues[at]["location"]["path"], file);
            assert!(github[at].contains(&format!("file={file}")), "{}", github[at]);
        }
        if let Some(line) = finding["line"].as_u64() {
            assert_eq!(place["region"]["startLine"], line);
            assert_eq!(issues[at]["location"]["lines"]["begin"], line);
        }
    }
    let junit = run("junit");
    let errors = findings.iter().filter(|finding| finding["level"] == "error").count();
    let report = quick_junit::Report::deserialize_from_str(&junit).expect("JUnit");
    assert_eq!(
        (report.failures, report.tests),
        (errors, report.test_suites.iter().map(|suite| suite.test_cases.len()).sum())
    );
    assert_eq!(junit.matches("<failure ").count(), errors);
    assert!(
        junit.contains("<testsuite name=\"apps/two\"") && junit.contains(&format!("failures=\"{errors}\"")),
        "{junit}"
    );
}

#[test]
fn what_is_right_ends_with_0() {
    let folder = Folder::with(&[
        ("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n"),
        ("old.yaml", "apiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\n"),
        (".tandemignore", "ignored.yaml\n"),
        ("ignored.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndta: {}\n"),
    ]);
    insta::assert_snapshot!(folder.run(&["check", "--kube-version", "1.33"]), @r"
    exit 0
    --- stdout
    old.yaml:1: warning: Endpoints/a: Endpoints of v1 is deprecated since Kubernetes 1.33, and it may be removed (DeprecatedApi)
      hint: use EndpointSlice of discovery.k8s.io/v1
    2 objects in 1 folder, for Kubernetes 1.33: 1 warning
    --- stderr
    note: no standard was given: name its policies by --standard, or keep them in .tandem/standard
    ");
}

#[test]
fn variables_of_a_sync_are_put_in_and_others_are_passed_over() {
    let object = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  priority: ${NUMBER}\n  containers: [{name: a, image: b}]\n";
    let sync = |more: &str| {
        format!(
            "apiVersion: tandemcd.io/v1alpha1\nkind: Sync\nmetadata: {{name: a, namespace: b}}\nspec:\n  repositoryRef: {{name: r}}\n  path: app\n  substitute: {more}\n"
        )
    };
    for (substitute, code) in [
        ("{vars: {NUMBER: '7'}}", "exit 0"),
        ("{vars: {NUMBER: seven}}", "exit 1"),
        ("{from: [{kind: ConfigMap, name: c}]}", "exit 0"),
    ] {
        let folder = Folder::with(&[("app/a.yaml", object), ("syncs/a.yaml", &sync(substitute))]);
        let told = folder.run(&["check"]);
        assert!(told.starts_with(code), "{substitute}: {told}");
    }
}

#[test]
fn definitions_may_stand_elsewhere() {
    let folder = Folder::with(&[
        ("app/a.yaml", "apiVersion: example.com/v1\nkind: Pump\nmetadata: {name: p}\nspec: {size: 9}\n"),
        ("elsewhere/pumps.yaml", PUMPS),
        ("nothing/a.yaml", "a: b\n"),
    ]);
    assert!(folder.run(&["check", "app"]).contains("(NoSchema)"));
    for crds in ["elsewhere", "elsewhere/pumps.yaml"] {
        let told = folder.run(&["check", "app", "--crds", crds]);
        assert!(told.starts_with("exit 1") && told.contains("app/a.yaml:4: error: "), "{told}");
    }
    for crds in ["nothing", "gone.yaml"] {
        assert!(folder.run(&["check", "app", "--crds", crds]).starts_with("exit 2"));
    }
}

#[test]
fn reports_are_forms_of_check_alone() {
    let folder = Folder::with(&[("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")]);
    insta::assert_snapshot!(folder.run(&["render", "-o", "sarif"]), @r"
    exit 2
    --- stderr
    error: `-o sarif` is a form of `tandem check` alone
    hint: write text, json or yaml
    ");
    for (path, words) in [("gone", "gone is not there"), ("a/../gone", "a/../gone is not there")] {
        let told = folder.run(&["check", path]);
        assert!(told.starts_with("exit 2") && told.contains(words), "{told}");
    }
    assert!(folder.run(&["check", "--kube-version", "1.20"]).starts_with("exit 2"));
}

#[test]
fn owners_are_checked_beyond_their_schema() {
    let owners = "apiVersion: tandemcd.io/v1alpha1\nkind: Owners\nmetadata: {name: owners}\nspec:\n  people:\n  - {name: ada, accounts: [{forge: forge.example, id: 1}]}\n  - {name: bob, accounts: [{forge: forge.example, id: 2}]}\n  ops: [bob]\n  rules:\n  - {paths: [/deploy/], dev: [ada]}\n";
    let map = ("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n");
    let check = |owners: &str| {
        let folder = Folder::with(&[map, (".tandem/owners.yaml", owners)]);
        folder.run(&["check", "--kube-version", "1.33"])
    };
    let good = check(owners);
    assert!(good.starts_with("exit 0"), "{good}");
    for (from, to, words) in [
        ("id: 2}", "id: 1}", "stands at ada and again at bob"),
        ("dev: [ada]", "dev: [eve]", "eve, who is no person and no group"),
        ("  ops: [bob]", "  opps: [bob]", "opps"),
    ] {
        let text = owners.replacen(from, to, 1);
        assert_ne!(text, owners);
        let told = check(&text);
        let line = told.lines().find(|line| line.starts_with(".tandem/owners.yaml") && line.contains(words));
        assert!(told.starts_with("exit 1") && line.is_some(), "{told}");
        assert!(told.contains("1 error"), "told once: {told}");
    }
}
