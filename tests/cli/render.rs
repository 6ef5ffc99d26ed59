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
