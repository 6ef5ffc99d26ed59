//! What is wrong, as it is typed.

use lsp_types::*;

use super::client::{Client, Start, at, rule, run};
use crate::cli::Folder;

pub const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx
        envFrom:
        - configMapRef: {name: settings}
";

/// A base and an overlay, a file that nothing deploys, and one that is wrong.
pub fn repository() -> Folder {
    Folder::with(&[
        (
            "base/kustomization.yaml",
            "resources:\n- web.yaml\nconfigMapGenerator:\n- name: settings\n  files:\n  - page=page.txt\n",
        ),
        ("base/page.txt", "hello\n"),
        ("base/web.yaml", DEPLOYMENT),
        (
            "prod/kustomization.yaml",
            "resources:\n- ../base\nnamePrefix: prod-\nimages:\n- name: nginx\n  newTag: '1.2'\nreplacements:\n- source: {kind: Deployment, name: web}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: [metadata.annotations.of]\n    options: {create: true}\npatches:\n- path: more.yaml\n  target:\n    kind: Deployment\n    name: web\n",
        ),
        ("prod/more.yaml", "- op: replace\n  path: /spec/replicas\n  value: 5\n"),
        ("loose/wrong.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prots: []}\n"),
    ])
}

fn shown(diagnostics: &[Diagnostic]) -> Vec<String> {
    let one = |d: &Diagnostic| {
        let (start, end) = (d.range.start, d.range.end);
        format!("{}:{}-{}:{} {}", start.line, start.character, end.line, end.character, rule(d))
    };
    diagnostics.iter().map(one).collect()
}

#[test]
fn a_mistake_is_told_while_it_is_not_saved_and_goes_when_it_is_mended() {
    run(async {
        let folder = repository();
        let mut client = Client::start(Start::of(&folder)).await;
        // What is saved is checked without being opened.
        assert_eq!(client.rules(&folder.path().join("loose/wrong.yaml")).await, ["UnknownField"]);
        let web = folder.path().join("base/web.yaml");
        let text = client.open_saved(&web);
        let s = at(&text, "replicas", 7);
        client.change(&web, Some(Range::new(s, Position::new(s.line, s.character + 1))), "");
        let found = client.until(&web, |found| !found.is_empty()).await;
        assert_eq!(shown(&found), ["5:2-5:9 UnknownField"]);
        assert_eq!(found[0].severity, Some(DiagnosticSeverity::ERROR));
        assert!(found[0].message.contains("did you mean `replicas`?"), "{}", found[0].message);
        assert_eq!(found[0].source.as_deref(), Some("tandem"));
        client.change(&web, Some(Range::new(s, s)), "s");
        client.clean(&web).await;
        assert_eq!(std::fs::read_to_string(&web).expect("a text"), DEPLOYMENT);
        // What was typed and not saved is forgotten when the file is closed.
        client.change(&web, None, &DEPLOYMENT.replace("image:", "imagee:"));
        assert_eq!(client.rules(&web).await, ["UnknownField"]);
        client.close(&web);
        client.clean(&web).await;
        assert_eq!(client.end().await, Some(0));
    });
}

#[test]
fn a_change_is_told_in_every_file_of_the_same_root() {
    run(async {
        let folder = repository();
        let mut client = Client::start(Start::of(&folder)).await;
        client.rules(&folder.path().join("loose/wrong.yaml")).await;
        let (base, overlay) = (folder.path().join("base/web.yaml"), folder.path().join("prod/kustomization.yaml"));
        let text = client.open_saved(&base);
        let name = at(&text, "name: web", 6);
        client.change(&base, Some(Range::new(name, Position::new(name.line, name.character + 3))), "shop");
        let found = client.until(&overlay, |found| !found.is_empty()).await;
        assert!(found[0].message.contains("web"), "{found:#?}");
        client.change(&base, None, &text);
        client.clean(&overlay).await;
        // A value that a patch gives, which is not saved, is wrong where the patch is named.
        let more = folder.path().join("prod/more.yaml");
        client.open(&more, "- op: replace\n  path: /spec/replicas\n  value: many\n");
        let found = client.until(&overlay, |found| !found.is_empty()).await;
        assert_eq!((rule(&found[0]).as_str(), found[0].range.start.line), ("WrongType", 13), "{found:#?}");
        let said = client.open_saved(&overlay);
        client.change(&overlay, None, &said.replace("more.yaml", "gone.yaml"));
        client.until(&overlay, |found| found.iter().any(|d| rule(d) == "FileNotFound")).await;
    });
}

#[test]
fn places_are_counted_as_the_client_counts() {
    const TEXT: &str =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {a: \"ß😀ä\"}, lables: {x: z}}\n";
    for (encoding, name, start) in [
        (None, "utf-16", 46),
        (Some(PositionEncodingKind::UTF8), "utf-8", 50),
        (Some(PositionEncodingKind::UTF32), "utf-32", 45),
    ] {
        run(async {
            let folder = Folder::with(&[]);
            let mut start_of = Start::of(&folder);
            start_of.encodings = encoding.map(|encoding| vec![encoding]);
            let mut client = Client::start(start_of).await;
            assert_eq!(client.capabilities.position_encoding.as_ref().map(PositionEncodingKind::as_str), Some(name));
            let path = folder.path().join("a.yaml");
            client.open(&path, TEXT);
            let found = client.until(&path, |found| !found.is_empty()).await;
            assert_eq!(shown(&found), [format!("2:{start}-2:{} UnknownField", start + 6)], "{name}");
            // The two letters that are the wrong way round, behind all of these.
            let (l, b) = (Position::new(2, start + 3), Position::new(2, start + 5));
            client.change(&path, Some(Range::new(l, b)), "el");
            client.clean(&path).await;
            client.end().await;
        });
    }
}

#[test]
fn a_text_that_is_being_written_is_told_and_nothing_else_is_lost() {
    run(async {
        let folder = repository();
        let mut client = Client::start(Start::of(&folder)).await;
        let loose = folder.path().join("loose/wrong.yaml");
        client.rules(&loose).await;
        let web = folder.path().join("base/web.yaml");
        client.open_saved(&web);
        // Every state of the text on the way.
        for end in (0..DEPLOYMENT.len()).step_by(7) {
            client.change(&web, None, &DEPLOYMENT[..end]);
        }
        client.change(&web, None, &DEPLOYMENT.replace("  replicas: 2\n", "  replicas: [2\n"));
        assert!(client.until(&web, |found| found.iter().any(|d| rule(d) == "InvalidYaml")).await.len() == 1);
        let last = client.change(&web, None, DEPLOYMENT);
        client.clean(&web).await;
        let web = web.canonicalize().expect("a path");
        assert_eq!(client.versions[&web], Some(last));
        assert_eq!(client.diagnostics[&loose.canonicalize().expect("a path")].len(), 1);
        assert_eq!(client.end().await, Some(0));
    });
}

#[test]
fn what_is_said_last_is_of_the_last_text() {
    run(async {
        let folder = repository();
        let mut client = Client::start(Start::of(&folder)).await;
        let web = folder.path().join("base/web.yaml");
        client.open_saved(&web);
        for number in 0..60 {
            client.change(&web, None, &DEPLOYMENT.replace("replicas", &format!("replicas{number}")));
        }
        let found = client.until(&web, |found| found.iter().any(|d| d.message.contains("replicas59"))).await;
        assert_eq!(found.len(), 1, "{found:#?}");
    });
}

#[test]
fn a_file_that_goes_takes_what_was_said_of_it_along() {
    run(async {
        let folder = repository();
        let mut client = Client::start(Start::of(&folder)).await;
        let (wrong, kustomization) =
            (folder.path().join("loose/wrong.yaml"), folder.path().join("base/kustomization.yaml"));
        client.rules(&wrong).await;
        let canonical = wrong.canonicalize().expect("a path");
        std::fs::remove_file(&wrong).expect("removed");
        let page = folder.path().join("base/page.txt");
        let uri = |path| Url::from_file_path(path).expect("a path");
        std::fs::remove_file(&page).expect("removed");
        let changes = vec![
            FileEvent::new(uri(&wrong), FileChangeType::DELETED),
            FileEvent::new(uri(&page), FileChangeType::DELETED),
        ];
        use async_lsp::LanguageServer;
        client.server.did_change_watched_files(DidChangeWatchedFilesParams { changes }).expect("sent");
        client.clean(&canonical).await;
        // A kustomization misses the one that it names; every root that builds on it says so once.
        assert_eq!(client.rules(&kustomization).await, ["FileNotFound"]);
        // It is there again as soon as it is open, saved or not.
        client.open(&page, "again\n");
        client.clean(&kustomization).await;
        client.open(&wrong, "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prots: []}\n");
        assert_eq!(client.rules(&canonical).await, ["UnknownField"]);
        client.close(&wrong);
        client.clean(&canonical).await;
    });
}

#[test]
fn every_folder_of_the_client_is_checked_while_it_is_one() {
    run(async {
        let (one, two) = (repository(), repository());
        let mut start = Start::of(&one);
        start.folders.push(two.path());
        let mut client = Client::start(start).await;
        let (first, second) = (one.path().join("loose/wrong.yaml"), two.path().join("loose/wrong.yaml"));
        client.rules(&first).await;
        client.rules(&second).await;
        use async_lsp::LanguageServer;
        let gone = WorkspaceFolder { uri: Url::from_file_path(one.path()).expect("a path"), name: "one".to_owned() };
        let event = WorkspaceFoldersChangeEvent { added: Vec::new(), removed: vec![gone] };
        let params = DidChangeWorkspaceFoldersParams { event };
        client.server.did_change_workspace_folders(params).expect("sent");
        client.clean(&first).await;
        let second = second.canonicalize().expect("a path");
        assert_eq!(client.diagnostics[&second].len(), 1);
    });
}

#[test]
fn a_file_that_nothing_deploys_is_checked_by_its_schema_alone() {
    run(async {
        let (folder, elsewhere) = (repository(), Folder::with(&[]));
        let mut client = Client::start(Start::of(&folder)).await;
        // Beside a kustomization that does not name it, and in no folder of the client.
        let (beside, outside) = (folder.path().join("base/next.yaml"), elsewhere.path().join("pod.yaml"));
        client.open(&beside, "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prots: []}\n");
        assert_eq!(client.rules(&beside).await, ["UnknownField"]);
        client.open(&outside, "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {container: []}\n");
        assert_eq!(client.rules(&outside).await, ["RequiredField", "UnknownField"]);
        // What is no manifest is nothing to speak of.
        let other = elsewhere.path().join("values.yaml");
        client.open(&other, "a: [b\n");
        client.change(
            &outside,
            None,
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}]}\n",
        );
        client.clean(&outside).await;
        assert!(!client.diagnostics.contains_key(&other));
    });
}

#[test]
fn a_file_that_is_very_large_keeps_nobody_waiting() {
    run(async {
        let folder = repository();
        let mut client = Client::start(Start::of(&folder)).await;
        let (large, web) = (folder.path().join("loose/large.yaml"), folder.path().join("base/web.yaml"));
        let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: large}\ndata:\n";
        let lines: String = (0..150_000).map(|number| format!("  key-{number}: value of this key\n")).collect();
        client.open(&large, &format!("{head}{lines}"));
        let text = client.open_saved(&web);
        assert!(client.hover(&large, Position::new(60_000, 4)).await.is_none(), "nothing is read of what is so large");
        let items = client.completion(&web, at(&text, "replicas", 0)).await;
        assert!(items.iter().any(|item| item.label == "replicas"), "{items:?}");
        client.change(&large, Some(Range::new(Position::new(3, 0), Position::new(3, 4))), "dta");
        assert_eq!(client.rules(&large).await, ["UnknownField"]);
        // More than a render reads of one file.
        client.change(&large, None, &format!("{head}  a: {}\n", "x".repeat(17 << 20)));
        client.until(&large, |found| found.iter().any(|d| d.message.contains("more than the 16777216"))).await;
        assert_eq!(client.end().await, Some(0));
    });
}
