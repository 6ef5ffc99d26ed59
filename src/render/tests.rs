//! What holds for every render: its read set, and that it ends.

use proptest::prelude::*;

use super::*;

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

fn shop() -> MemTree {
    MemTree::new()
        .file("apps/shop/a.yaml", config_map("a"))
        .file("apps/shop/deep/b.yaml", config_map("b"))
        .file("apps/shop/.tandemignore", "skipped.yaml\n")
        .file("apps/shop/skipped.yaml", "no: [")
        .file("apps/web/c.yaml", config_map("c"))
        .file("README.md", "shop")
}

fn read_set(tree: &MemTree, path: &str) -> ReadSet {
    render(tree, path, &Options::default()).read_set
}

#[test]
fn the_read_set_holds_while_nothing_below_the_path_changes() {
    let before = read_set(&shop(), "apps/shop");
    assert_eq!(before.records.len(), 1, "{before:?}");
    for elsewhere in [
        shop(),
        shop().file("README.md", "another"),
        shop().file("apps/web/c.yaml", config_map("other")),
        shop().file("apps/shop.yaml", config_map("near")),
        shop().file("apps/shop-2/a.yaml", config_map("near")),
        shop().file(".tandemignore", "a.yaml\n").file("apps/.tandemignore", "a.yaml\n"),
        shop().without("README.md").without("apps/web/c.yaml"),
    ] {
        assert_eq!(before.holds_in(&elsewhere), Ok(true), "{elsewhere:?}");
    }
}

#[test]
fn the_read_set_breaks_with_every_change_below_the_path() {
    let before = read_set(&shop(), "./apps//shop/");
    for changed in [
        shop().file("apps/shop/a.yaml", config_map("other")),
        shop().file("apps/shop/deep/b.yaml", config_map("other")),
        shop().file("apps/shop/new.yaml", config_map("new")),
        shop().file("apps/shop/deep/new/new.yaml", config_map("new")),
        shop().without("apps/shop/a.yaml"),
        shop().without("apps/shop/deep/b.yaml"),
        shop().file("apps/shop/.tandemignore", "a.yaml\n"),
        shop().without("apps/shop/.tandemignore"),
        shop().file("apps/shop/deep/.tandemignore", "b.yaml\n"),
        shop().without("apps/shop/a.yaml").symlink("apps/shop/a.yaml", "b.yaml"),
        MemTree::new(),
    ] {
        assert_eq!(before.holds_in(&changed), Ok(false), "{changed:?}");
    }
}

#[test]
fn a_path_that_is_missing_is_looked_for_again_when_it_may_be_there() {
    let before = read_set(&shop(), "apps/shpo/eu");
    assert_eq!(before.holds_in(&shop()), Ok(true));
    assert_eq!(before.holds_in(&shop().file("apps/other/a.yaml", config_map("a"))), Ok(true));
    assert_eq!(before.holds_in(&shop().file("apps/shpo/eu/a.yaml", config_map("a"))), Ok(false));
    let refused = render(&shop(), "../etc", &Options::default());
    assert_eq!(refused.read_set, ReadSet::default());
}

#[test]
fn what_comes_out_is_the_same_whatever_order_the_store_lists_in() {
    struct Backwards(MemTree);
    impl Tree for Backwards {
        fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
            Ok(self.0.list(path)?.map(|entries| entries.into_iter().rev().collect()))
        }
        fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
            self.0.read(path, limit)
        }
        fn id(&self, path: &str) -> Result<Option<String>, TreeError> {
            self.0.id(path)
        }
    }
    let options = Options::default();
    assert_eq!(render(&shop(), "apps", &options), render(&Backwards(shop()), "apps", &options));
}

#[test]
fn a_store_that_fails_is_a_problem_and_never_an_empty_render() {
    struct Failing;
    impl Tree for Failing {
        fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
            Err(TreeError::Store { path: path.to_owned(), message: "disk on fire".to_owned() })
        }
        fn read(&self, _: &str, _: u64) -> Result<Option<Vec<u8>>, TreeError> {
            Ok(None)
        }
        fn id(&self, _: &str) -> Result<Option<String>, TreeError> {
            Ok(Some("id".to_owned()))
        }
    }
    let rendered = render(&Failing, "apps", &Options::default());
    let rules: Vec<_> = rendered.problems.iter().map(|p| p.rule.as_str()).collect();
    assert_eq!(rules, ["Unreadable"]);
}

/// Folders that share their content: small in Git, endless to walk.
#[test]
fn a_tree_that_holds_itself_ends() {
    struct Endless;
    impl Tree for Endless {
        fn list(&self, _: &str) -> Result<Option<Vec<Entry>>, TreeError> {
            let names = ["a", "b", "c"];
            Ok(Some(names.map(|name| Entry { name: name.to_owned(), kind: EntryKind::Folder }).to_vec()))
        }
        fn read(&self, _: &str, _: u64) -> Result<Option<Vec<u8>>, TreeError> {
            Ok(None)
        }
        fn id(&self, _: &str) -> Result<Option<String>, TreeError> {
            Ok(Some("id".to_owned()))
        }
    }
    let rendered = render(&Endless, "", &Limits { files: 1000, ..Limits::default() }.into());
    assert!(rendered.problems.iter().any(|p| p.message.contains("1000 folders")), "{:?}", rendered.problems.last());
}

/// Lines that make nearly a manifest.
fn line() -> impl Strategy<Value = String> {
    let words = [
        "apiVersion: v1",
        "kind: ConfigMap",
        "kind: List",
        "kind: Secret",
        "metadata:",
        "  name: a",
        "  name: b",
        "  labels: {a: 1}",
        "items:",
        "- apiVersion: v1",
        "  kind: ConfigMap",
        "  metadata: {name: c}",
        "---",
        "...",
        "data:",
        "  a: &x 0644",
        "  b: *x",
        "  <<: *x",
        "  <<: {a: b}",
        "  c: |",
        "    text",
        "  'd': \"e",
        "\t- f",
        "[",
        "{",
        "}",
        "]",
        "? [a]",
        ": b",
        "- - - -",
        "!!int x",
        "%YAML 1.1",
        "%TAG ! x",
        "# comment",
        "",
        "{\"a\": 1}",
        "&x [*x]",
        "  sops: {mac: x}",
        "generateName: x",
        "\u{feff}",
        "\r",
        "a: b: c",
        "*",
        "&",
    ];
    prop_oneof![8 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,20}", 1 => "[ -~]{0,20}"]
}

fn check(name: &str, content: Vec<u8>) -> Result<(), TestCaseError> {
    let path = format!("deploy/{name}");
    let tree = MemTree::new().file(&path, content);
    let options = Options::from(Limits { nodes: 10_000, depth: 20, aliases: 50, documents: 20, ..Limits::default() });
    let rendered = render(&tree, "deploy", &options);
    prop_assert_eq!(&render(&tree, "deploy", &options), &rendered, "a render is a function of its tree");
    for problem in rendered.problems.iter().filter(|problem| problem.rule != "NoObjects") {
        prop_assert_eq!(problem.file.as_deref(), Some(path.as_str()), "{}", problem);
        prop_assert!(problem.line.is_some_and(|line| line > 0), "{}", problem);
    }
    prop_assert!(!rendered.manifests.is_empty() || !rendered.problems.is_empty(), "nothing at all");
    for manifest in &rendered.manifests {
        prop_assert!(manifest.body.is_object() && manifest.origin.line > 0 && manifest.origin.document > 0);
        prop_assert!(!manifest.id.name.is_empty() && !manifest.id.kind.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_end_in_problems_with_a_place(content: Vec<u8>, json: bool) {
        check(if json { "a.json" } else { "a.yaml" }, content)?;
    }

    #[test]
    fn random_lines_end_in_problems_with_a_place(lines in proptest::collection::vec(line(), 0..30), json: bool) {
        check(if json { "a.json" } else { "a.yaml" }, lines.join("\n").into_bytes())?;
    }

    #[test]
    fn random_names_of_files_and_folders_end(names in proptest::collection::vec("[a-z./]{0,12}(yaml|json|\\.tandemignore)?", 0..10), path in ".{0,12}") {
        let tree = names.iter().fold(MemTree::new(), |tree, name| tree.file(name, config_map("a")));
        render(&tree, &path, &Options::default());
        render(&tree, "", &Options::default());
    }
}
