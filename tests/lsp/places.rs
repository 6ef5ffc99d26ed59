//! What a place is, where it is from, and what may stand there.

use lsp_types::Position;

use super::client::{Client, Start, at, run};
use super::diagnostics::{DEPLOYMENT, repository};
use crate::cli::Folder;

#[track_caller]
fn assert_told(told: &str, wanted: &[&str]) {
    for text in wanted {
        assert!(told.contains(text), "{text:?} is not in:\n{told}");
    }
}

#[test]
fn a_hover_tells_what_a_field_is_and_what_gave_it_its_value() {
    run(async {
        let folder = repository();
        let mut client = Client::start(Start::of(&folder)).await;
        let web = folder.path().join("base/web.yaml");
        let text = client.open_saved(&web);
        let replicas = client.hover(&web, at(&text, "replicas", 3)).await.expect("a hover");
        assert_told(
            &replicas,
            &[
                "**`spec.replicas`**: a whole number of 32 bits",
                "Number of desired pods.",
                "In `prod`, Deployment.apps/prod-web: `5`",
                "set by `patches[0].path` in `prod/kustomization.yaml:14`",
            ],
        );
        let image = client.hover(&web, at(&text, "nginx", 1)).await.expect("a hover");
        assert_told(&image, &["Container image name.", "`\"nginx:1.2\"`", "set by `images"]);
        let containers = client.hover(&web, at(&text, "containers", 1)).await.expect("a hover");
        assert_told(&containers, &["a list, each item a mapping, required", "Fields: `name` (required), `args`"]);
        // What a kustomization says of others, and of itself.
        let overlay = folder.path().join("prod/kustomization.yaml");
        let text = client.open_saved(&overlay);
        let prefix = client.hover(&overlay, at(&text, "namePrefix", 1)).await.expect("a hover");
        assert_told(&prefix, &["A text before the name of every object"]);
        assert_eq!(client.hover(&overlay, Position::new(90, 0)).await, None);
    });
}

#[test]
fn a_hover_over_an_alias_or_a_merge_key_tells_where_the_value_is_written() {
    run(async {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: &name web\n  labels: &labels\n    app: *name\n    tier: front\n  annotations:\n    <<: *labels\n    team: shop\n";
        let folder = Folder::with(&[("a/web.yaml", text)]);
        let mut client = Client::start(Start::of(&folder)).await;
        let path = folder.path().join("a/web.yaml");
        client.open(&path, text);
        let alias = client.hover(&path, at(text, "*name", 2)).await.expect("a hover");
        assert_told(&alias, &["`*name` is the value that `&name` names in line 4", "In `a`, ConfigMap/web: `\"web\"`"]);
        let merge = client.hover(&path, at(text, "<<", 1)).await.expect("a hover");
        assert_told(&merge, &["The fields of another mapping are put in here", "- `&labels` in line 5: `app`, `tier`"]);
        assert!(!merge.contains("a text"), "a merge key is no field: {merge}");
        let labels = client.hover(&path, at(text, "*labels", 1)).await.expect("a hover");
        assert_told(&labels, &["`*labels` is the value that `&labels` names in line 5: `app`, `tier`"]);
    });
}

#[test]
fn no_hover_shows_what_is_secret() {
    run(async {
        let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  password: canary-7f3a\n  user: canary-7f3b\n";
        let folder = Folder::with(&[("a/db.yaml", text)]);
        let mut client = Client::start(Start::of(&folder)).await;
        let path = folder.path().join("a/db.yaml");
        client.open(&path, text);
        for word in ["stringData", "password", "canary-7f3a", "user"] {
            let told = client.hover(&path, at(text, word, 1)).await.expect("a hover");
            assert!(!told.contains("canary"), "{told}");
            assert_told(&told, &["In `a`, Secret/db", "***"]);
        }
    });
}

#[test]
fn what_is_referred_to_is_found() {
    run(async {
        let folder = repository();
        folder.write("prod/sync.yaml", "apiVersion: tandemcd.io/v1alpha1\nkind: Sync\nmetadata: {name: s, namespace: s}\nspec: {repositoryRef: {name: r}, path: base}\n");
        folder.write(
            "apps/kustomization.yaml",
            "resources:\n- app.yaml\n- account.yaml\n- claim.yaml\nsecretGenerator:\n- name: keys\n  envs: [keys.env]\npatches:\n- path: patch.yaml\n",
        );
        folder.write("apps/keys.env", "a=b\n");
        folder.write("apps/account.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n");
        folder.write("apps/claim.yaml", "# what it keeps\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: disk}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n");
        let app = "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n  serviceAccountName: robot\n  containers:\n  - {name: app, image: a, env: [{name: A, valueFrom: {secretKeyRef: {name: keys, key: a}}}]}\n  volumes:\n  - {name: d, persistentVolumeClaim: {claimName: disk}}\n";
        folder.write("apps/app.yaml", app);
        let patch = "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec: {priority: 1}\n";
        folder.write("apps/patch.yaml", patch);
        let mut client = Client::start(Start::of(&folder)).await;
        client.rules(&folder.path().join("loose/wrong.yaml")).await;
        for (file, word, behind, wanted) in [
            ("prod/kustomization.yaml", "../base", 3, vec!["base/kustomization.yaml:1"]),
            ("base/kustomization.yaml", "web.yaml", 1, vec!["base/web.yaml:1"]),
            ("base/kustomization.yaml", "page=page.txt", 6, vec!["base/page.txt:1"]),
            ("prod/kustomization.yaml", "more.yaml", 1, vec!["prod/more.yaml:1"]),
            ("prod/kustomization.yaml", "    name: web", 11, vec!["base/web.yaml:1"]),
            ("prod/kustomization.yaml", "Deployment, name: web", 19, vec!["base/web.yaml:1"]),
            ("prod/kustomization.yaml", "select: {kind", 10, vec!["base/web.yaml:1"]),
            ("base/web.yaml", "settings", 1, vec!["base/kustomization.yaml:4"]),
            ("apps/app.yaml", "robot", 1, vec!["apps/account.yaml:1"]),
            ("apps/app.yaml", "keys", 1, vec!["apps/kustomization.yaml:6"]),
            ("apps/app.yaml", "disk", 1, vec!["apps/claim.yaml:2"]),
            ("apps/patch.yaml", "app}", 1, vec!["apps/app.yaml:1"]),
            ("prod/sync.yaml", "path: base", 7, vec!["base/kustomization.yaml:1"]),
            ("base/kustomization.yaml", "settings", 1, vec![]),
            ("apps/app.yaml", "image", 1, vec![]),
        ] {
            let path = folder.path().join(file);
            let text = client.open_saved(&path);
            let found = client.definition(&folder, &path, at(&text, word, behind)).await;
            assert_eq!(found, wanted, "{file}: {word}");
        }
    });
}

#[test]
fn what_may_be_written_is_offered_and_what_must_be_comes_first() {
    const CRD: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: pumps.example.com}\nspec:\n  group: example.com\n  scope: Namespaced\n  names: {kind: Pump, plural: pumps}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, required: [size], properties: {colour: {type: string, enum: [green, blue], description: What it looks like.}, size: {type: integer}}}}}}\n";
    run(async {
        let folder = repository();
        folder.write("crds/pumps.yaml", CRD);
        let mut client = Client::start(Start::of(&folder)).await;
        client.rules(&folder.path().join("loose/wrong.yaml")).await;
        let head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n";
        let pump = "apiVersion: example.com/v1\nkind: Pump\nmetadata: {name: a}\n";
        // The text up to the cursor, and behind it; what is offered first, and what else there is.
        for (file, before, behind, first, others) in [
            ("a.yaml", format!("{head}spec:\n  rep"), "\n", vec!["selector", "template"], vec!["replicas", "strategy"]),
            (
                "a.yaml",
                format!("{head}spec:\n  selector: {{}}\n  "),
                "\n  replicas: 1\n",
                vec!["template"],
                vec!["strategy"],
            ),
            (
                "a.yaml",
                format!("{head}spec:\n  template:\n    spec:\n      containers:\n      - na"),
                "\n",
                vec!["name"],
                vec!["image"],
            ),
            (
                "a.yaml",
                format!(
                    "{head}spec:\n  template:\n    spec:\n      containers:\n      - name: a\n        imagePullPolicy: "
                ),
                "\n",
                vec!["Always", "IfNotPresent", "Never"],
                vec![],
            ),
            ("a.yaml", format!("{head}spec: {{sel"), "}\n", vec!["selector", "template"], vec!["replicas"]),
            (
                "a.yaml",
                "apiVersion: apps/v1\nkind: ".to_owned(),
                "\n",
                vec!["ControllerRevision", "DaemonSet", "Deployment"],
                vec![],
            ),
            ("a.yaml", "kind: CronJob\napiVersion: ".to_owned(), "\n", vec!["batch/v1"], vec![]),
            ("a.yaml", "a".to_owned(), "", vec!["apiVersion", "kind", "metadata"], vec![]),
            ("a.yaml", format!("{pump}spec:\n  "), "\n", vec!["size", "colour"], vec![]),
            ("a.yaml", format!("{pump}spec:\n  colour: b"), "\n", vec!["green", "blue"], vec![]),
            ("kustomization.yaml", "res".to_owned(), "\n", vec!["apiVersion"], vec!["resources", "patches"]),
            (
                "kustomization.yaml",
                "patches:\n- tar".to_owned(),
                "\n",
                vec!["options", "patch", "path", "target"],
                vec![],
            ),
            (
                "kustomization.yaml",
                "patches:\n- target:\n    ".to_owned(),
                "\n",
                vec!["annotationSelector"],
                vec!["kind", "name"],
            ),
            // Broken before it, and nothing to offer in a comment or a text.
            ("a.yaml", format!("{head}spec:\n  paused: [\n  rep"), "\n", vec![], vec![]),
            ("a.yaml", format!("{head}# rep"), "\n", vec![], vec![]),
            ("a.yaml", format!("{head}spec:\n  replicas: tw"), " or three\n", vec![], vec![]),
        ] {
            let path = folder.path().join("new").join(file);
            client.open(&path, &format!("{before}{behind}"));
            let line = before.matches('\n').count();
            let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
            let position = Position::new(u32::try_from(line).expect("few"), u32::try_from(column).expect("few"));
            let items = client.completion(&path, position).await;
            let labels: Vec<&str> = items.iter().map(|item| item.label.as_str()).collect();
            let expected = first.len().min(labels.len());
            let mut head: Vec<&str> = labels[..expected].to_vec();
            if first.contains(&"green") {
                head.sort_by_key(|label| first.iter().position(|known| known == label));
            }
            assert_eq!(head, first, "{before:?}: {labels:?}");
            for other in others {
                assert!(labels.contains(&other), "{before:?}: {labels:?}");
            }
            client.close(&path);
        }
        // What is told of an item, and what is written for it.
        let path = folder.path().join("new/pump.yaml");
        let text = format!("{pump}spec:\n  col\n");
        client.open(&path, &text);
        let items = client.completion(&path, at(&text, "col", 3)).await;
        let item = items.iter().find(|item| item.label == "colour").expect("offered");
        let told = serde_json::to_value(item).expect("JSON");
        assert_eq!(told["detail"], "a text");
        assert_eq!(told["documentation"]["value"], "What it looks like.");
        assert_eq!(
            (&told["textEdit"]["newText"], &told["textEdit"]["range"]["start"]["character"]),
            (&"colour: ".into(), &2.into())
        );
        assert_eq!(DEPLOYMENT.lines().count(), 15);
    });
}
