//! `tandem render`.

use super::Folder;

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 2}
---
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: hunter2}
";

#[test]
fn objects_come_out_as_yaml_with_their_place_and_secrets_masked_where_asked() {
    let folder = Folder::with(&[("shop/web.yaml", WEB), ("shop/notes.txt", "not read")]);
    insta::assert_snapshot!(folder.run(&["render", "shop", "--mask-secrets"]), @r#"
    exit 0
    --- stdout
    # shop/web.yaml:1
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
    spec:
      replicas: 2
    ---
    # shop/web.yaml:6
    apiVersion: v1
    data:
      password: "***"
    kind: Secret
    metadata:
      name: db
    --- stderr
    note: values of 1 Secret are masked
    "#);
    let shown = folder.run(&["render", "shop"]);
    assert!(shown.contains("hunter2") && !shown.contains("--- stderr"), "{shown}");
}

#[test]
fn json_has_objects_and_problems() {
    let folder =
        Folder::with(&[("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"), ("b.yaml", "kind: X\n")]);
    insta::assert_snapshot!(folder.run(&["render", "-o", "json"]), @r#"
    exit 3
    --- stdout
    {
      "manifests": [
        {
          "origin": {
            "file": "a.yaml",
            "line": 1,
            "document": 1
          },
          "object": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
              "name": "a"
            }
          }
        }
      ],
      "problems": [
        {
          "file": "b.yaml",
          "line": 1,
          "rule": "NotAnObject",
          "message": "the object has no apiVersion and no metadata"
        }
      ]
    }
    --- stderr
    b.yaml:1: the object has no apiVersion and no metadata (NotAnObject)
    error: 1 problem
    "#);
}

#[test]
fn every_problem_is_told_with_its_place() {
    let folder = Folder::with(&[
        ("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: 1\n  x: 2\n"),
        ("b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"),
        ("c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"),
        ("d.yaml", "apiVersion: v1\nmetadata: {name: d}\n"),
    ]);
    insta::assert_snapshot!(folder.run(&["render"]), @r#"
    exit 3
    --- stderr
    a.yaml:6: the key "x" stands twice in one mapping, first at line 5 (DuplicateKey)
    c.yaml:1: ConfigMap/b: the object stands twice, first at b.yaml:1 (DuplicateObject)
    d.yaml:1: the object has no kind (NotAnObject)
    error: 3 problems
    "#);
}

#[test]
fn links_out_of_the_working_copy_are_told_and_not_followed() {
    let folder = Folder::with(&[("shop/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")]);
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("shop/b.yaml")).expect("link");
    insta::assert_snapshot!(folder.run(&["render", "shop"]), @r"
    exit 3
    --- stderr
    shop/b.yaml: symbolic links are not followed (SymlinkNotFollowed)
      hint: put the file itself here, or leave the link out by a .tandemignore
    error: 1 problem
    ");
}

#[test]
fn a_kustomization_is_built_with_a_base_beside_it() {
    let folder = Folder::with(&[
        ("base/kustomization.yaml", "resources: [web.yaml]\n"),
        ("base/web.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"),
        ("prod/kustomization.yaml", "resources: [../base]\nnamePrefix: prod-\n"),
        ("bad/kustomization.yaml", "resources: [../bse]\nnamePrefx: prod-\n"),
    ]);
    insta::assert_snapshot!(folder.run(&["render", "prod"]), @r"
    exit 0
    --- stdout
    # base/web.yaml:1
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: prod-web
    ");
    insta::assert_snapshot!(folder.run(&["render", "bad"]), @r"
    exit 3
    --- stderr
    bad/kustomization.yaml:2: namePrefx: there is no such field (InvalidKustomization)
      hint: did you mean namePrefix?
    error: 1 problem
    ");
}

#[test]
fn a_folder_that_is_not_there() {
    let folder = Folder::with(&[("web.yaml", "")]);
    insta::assert_snapshot!(folder.run(&["render", "shop"]), @r"
    exit 3
    --- stderr
    error: cannot read shop
      caused by: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(folder.run(&["render", "web.yaml"]), @r"
    exit 3
    --- stderr
    error: web.yaml is not a folder
    hint: name the folder that holds the file
    ");
}

#[test]
fn a_commit_is_read_where_one_is_named() {
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    let folder = Folder::with(&[("shop/a.yaml", &map("committed"))]);
    folder.commit("first");
    folder.write("shop/a.yaml", &map("changed"));
    std::fs::rename(folder.path().join("shop"), folder.path().join("moved")).expect("moves");
    insta::assert_snapshot!(folder.run(&["render", "shop", "--rev", "HEAD"]), @r"
    exit 0
    --- stdout
    # shop/a.yaml:1
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: committed
    ");
    let repository = folder.path().display().to_string();
    let elsewhere = Folder::with(&[]);
    let told = elsewhere.run(&["render", "shop", "--repo", &repository, "--rev", "HEAD"]);
    assert_eq!(told, folder.run(&["render", "shop", "--rev", "HEAD"]));
    insta::assert_snapshot!(folder.run(&["render", "--rev", "nonsense"]).replace(&repository, "REPOSITORY"), @r#"
    exit 3
    --- stderr
    error: "nonsense" names no commit in the clone at REPOSITORY/.git/
      caused by: revspec 'nonsense' not found; class=Reference (4); code=NotFound (-3)
    hint: `git fetch` may bring it
    "#);
    insta::assert_snapshot!(folder.run(&["render", "../..", "--rev", "HEAD"]), @r"
    exit 2
    --- stderr
    error: ../.. is not in the repository
    hint: name a folder below the root of the repository
    ");
    insta::assert_snapshot!(folder.run(&["render", "--repo", "."]), @r"
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      --rev <REVISION>

    Usage: tandem render --rev <REVISION> --repo <FOLDER> [PATH]

    For more information, try '--help'.
    ");
}

#[test]
fn explain_says_what_gave_each_field_its_value() {
    let folder = Folder::with(&[
        (
            "base/web.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  template:\n    spec:\n      \
             containers:\n      - name: web\n        image: web:1\n        envFrom:\n        - configMapRef:\n            \
             name: settings\n",
        ),
        (
            "base/kustomization.yaml",
            "resources:\n- web.yaml\nconfigMapGenerator:\n- name: settings\n  literals: [COLOUR=red]\n",
        ),
        (
            "prod/kustomization.yaml",
            "resources:\n- ../base\nnamePrefix: prod-\nreplicas:\n- name: web\n  count: 3\nimages:\n- name: web\n  newTag: '2'\n\
             patches:\n- path: proxy.yaml\n- target: {kind: Deployment}\n  patch: |-\n    - op: add\n      path: \
             /metadata/annotations\n      value: {owner: shop}\n",
        ),
        (
            "prod/proxy.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n      \
             - name: proxy\n        image: proxy:7\n",
        ),
    ]);
    insta::assert_snapshot!(folder.run(&["render", "prod", "--explain"]));
    let plain = folder.run(&["render", "prod"]);
    let explained = folder.run(&["render", "prod", "--explain"]);
    let without: Vec<&str> =
        explained.lines().map(|line| line.split_once("  # ").map_or(line, |(line, _)| line).trim_end()).collect();
    assert_eq!(without, plain.lines().map(str::trim_end).collect::<Vec<_>>(), "comments alone are added");
    let json = folder.run(&["render", "base", "--explain", "-o", "json"]);
    assert!(
        json.contains("\"path\": \"/spec/replicas\",\n          \"file\": \"base/web.yaml\",\n          \"line\": 5"),
        "{json}"
    );
}

/// One field at least of each kind of transformer, and of what generates.
/// Which template a field of a chart comes from; that of a subchart stands below it.
#[test]
fn explain_names_the_template_of_a_chart() {
    let folder = Folder::with(&[
        ("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("shop/values.yaml", "color: blue\n"),
        (
            "shop/templates/config.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata:\n  color: {{ .Values.color }}\n",
        ),
        ("shop/charts/cart/Chart.yaml", "apiVersion: v2\nname: cart\nversion: 0.1.0\n"),
        (
            "shop/charts/cart/templates/cart.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cart}\ndata: {size: big}\n",
        ),
    ]);
    let told = folder.run(&["render", "shop", "--explain", "--helm", &crate::charts::helm().display().to_string()]);
    let line =
        |of: &str| told.lines().find(|line| line.trim_start().starts_with(of)).unwrap_or_else(|| panic!("{told}"));
    let words = |of: &str| line(of).split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(words("color:"), "color: blue # shop/templates/config.yaml Helm");
    assert_eq!(words("size:"), "size: big # shop/charts/cart/templates/cart.yaml Helm");
}

#[test]
fn explain_names_every_kind_of_transformer() {
    let kustomization = "\
resources: [web.yaml]
components: [../part]
namespace: shop
namePrefix: a-
nameSuffix: -z
labels:
- pairs: {tier: front}
commonLabels: {team: red}
commonAnnotations: {note: common}
patchesStrategicMerge:
- |-
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec: {paused: true}
patchesJson6902:
- target: {group: apps, version: v1, kind: Deployment, name: web}
  path: seconds.json
patches:
- path: grace.yaml
- target: {kind: Deployment}
  patch: '[{\"op\": \"add\", \"path\": \"/spec/progressDeadlineSeconds\", \"value\": 60}]'
replicas: [{name: web, count: 3}]
images: [{name: web, newTag: '2'}]
configMapGenerator:
- name: settings
  literals: [COLOUR=red]
  envs: [more.env]
secretGenerator:
- name: token
  files: [token.txt]
  options: {disableNameSuffixHash: true}
replacements:
- source: {kind: Deployment, fieldPath: spec.replicas}
  targets: [{select: {kind: Deployment}, fieldPaths: [metadata.annotations.copies], options: {create: true}}]
- path: replacement.yaml
vars:
- name: WEB
  objref: {apiVersion: apps/v1, kind: Deployment, name: web}
transformers: [notes.yaml]
buildMetadata: [managedByLabel]
";
    let container = "{name: web, image: 'web:1', args: [$(WEB), plain], envFrom: [{configMapRef: {name: settings}}]}";
    let web = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: 1\n  template:\n    spec:\n      \
         containers: [{container}]\n"
    );
    let notes = "apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {name: notes}\nannotations: {by: plugin}\n\
                 fieldSpecs: [{path: metadata/annotations, create: true}]\n";
    let grace = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      \
                 terminationGracePeriodSeconds: 9\n";
    let part = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- target: {kind: Deployment}\n  \
                patch: |-\n    - {op: add, path: /spec/revisionHistoryLimit, value: 2}\n";
    let replacement = "- sourceValue: given\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: [metadata.labels.given]\n    \
                       options: {create: true}\n";
    let folder = Folder::with(&[
        ("app/kustomization.yaml", kustomization),
        ("app/web.yaml", &web),
        ("app/seconds.json", r#"[{"op": "add", "path": "/spec/minReadySeconds", "value": 5}]"#),
        ("app/grace.yaml", grace),
        ("app/more.env", "SIZE=big\n"),
        ("app/token.txt", "x"),
        ("app/replacement.yaml", replacement),
        ("app/notes.yaml", notes),
        ("part/kustomization.yaml", part),
    ]);
    insta::assert_snapshot!(folder.run(&["render", "app", "--explain"]));
}

const SHOP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: \"${APP}\"}
data:
  env: ${ENV:=dev}
  url: \"pg://${USER}:${PASSWORD}@db\"
";

#[test]
fn variables_come_from_files_and_from_the_command_line() {
    let folder = Folder::with(&[
        ("shop/web.yaml", SHOP),
        ("values.env", "# of the shop\nAPP=web\n\nUSER=ada\nENV=test\n"),
        ("secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\ndata: {PASSWORD: aHVudGVyMgo=}\n"),
        ("map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: vars}\ndata: {USER: bob, not-a-name: x}\n"),
        ("broken.env", "APP=web\nno line\n"),
    ]);
    let all =
        ["render", "shop", "--substitute", "values.env", "--substitute", "map.yaml", "--substitute", "secret.yaml"];
    insta::assert_snapshot!("variables", folder.run(&[&all[..], &["--set", "ENV=prod"]].concat()));
    insta::assert_snapshot!("variables_explained", folder.run(&[&all[..], &["--explain", "--mask-secrets"]].concat()));
    insta::assert_snapshot!("variables_masked", folder.run(&[&all[..], &["--mask-secrets"]].concat()));
    insta::assert_snapshot!(
        "variables_unknown",
        folder.run(&["render", "shop", "--set", "APPS=web", "--set", "USER="])
    );
    let wrong = [
        ["--set", "APP"],
        ["--set", "1A=b"],
        ["--substitute", "broken.env"],
        ["--substitute", "none.env"],
        ["--substitute", "shop"],
    ];
    let told: String = wrong.iter().map(|args| folder.run(&[&["render", "shop"], &args[..]].concat())).collect();
    insta::assert_snapshot!("variables_wrong", told);
    assert!(folder.run(&["render", "shop"]).contains("${USER}"), "nothing is touched where nothing is asked for");
}

#[test]
fn what_kustomize_prints_and_no_api_server_takes_is_printed_and_told() {
    let folder = Folder::with(&[
        ("chart/kustomization.yaml", "namespace: '{{ .Release.Namespace }}'\nresources: [web.yaml]\n"),
        ("chart/web.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, labels: {port: 8080}}\n"),
        ("nothing/kustomization.yaml", "namePrefix: x-\n"),
        ("mixed/kustomization.yaml", "resources: [../chart/web.yaml, gone.yaml]\n"),
        ("plain/web.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: '{{ x }}'}\n"),
    ]);
    insta::assert_snapshot!(folder.run(&["render", "chart"]), @r#"
    exit 0
    --- stdout
    # chart/web.yaml:1
    apiVersion: v1
    kind: ConfigMap
    metadata:
      labels:
        port: 8080
      name: web
      namespace: "{{ .Release.Namespace }}"
    --- stderr
    chart/web.yaml:1: ConfigMap/{{ .Release.Namespace }}/web: the value of metadata.labels "port" is a number, not a text (InvalidObject)
      hint: put it in quotes
    chart/web.yaml:1: metadata.namespace is no name of a namespace: lower-case letters, digits and `-`, at most 63 of them (InvalidObject)
    note: printed as kustomize would; a Sync would refuse it
    "#);
    insta::assert_snapshot!(folder.run(&["render", "nothing"]), @r#"
    exit 0
    --- stderr
    the kustomization of "nothing" builds no object (NoObjects)
      hint: to take everything away, delete the Sync with deletionPolicy: Prune
    note: printed as kustomize would; a Sync would refuse it
    "#);
    // Nothing is printed of what kustomize would refuse, nor of a folder that only the API server reads.
    insta::assert_snapshot!(folder.run(&["render", "mixed"]), @r#"
    exit 3
    --- stderr
    mixed/kustomization.yaml:1: resources[0]: "../chart/web.yaml" is not in or below the folder of the kustomization (FileOutside)
      hint: move the file into the folder, or make its folder a base: a folder may stand anywhere in the tree
    mixed/kustomization.yaml:1: resources[1]: there is no file "mixed/gone.yaml" (FileNotFound)
    error: 2 problems
    "#);
    insta::assert_snapshot!(folder.run(&["render", "plain"]), @r#"
    exit 3
    --- stderr
    plain/web.yaml:3: metadata.namespace is no name of a namespace: lower-case letters, digits and `-`, at most 63 of them (InvalidObject)
    error: 1 problem
    "#);
}
