//! What mends a mistake.

use lsp_types::*;

use super::client::{Client, Start, run};
use crate::cli::Folder;

/// The text after an action, which changes this file alone.
fn mended(text: &str, action: &CodeAction) -> String {
    let changes = action.edit.as_ref().and_then(|edit| edit.changes.as_ref()).expect("changes");
    assert_eq!(changes.len(), 1, "{changes:?}");
    let mut edits = changes.values().next().expect("one").clone();
    edits.sort_by_key(|edit| std::cmp::Reverse((edit.range.start.line, edit.range.start.character)));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for edit in edits {
        let (start, end) = (edit.range.start, edit.range.end);
        assert_eq!(start.line, end.line);
        lines[start.line as usize].replace_range(start.character as usize..end.character as usize, &edit.new_text);
    }
    lines.join("\n") + "\n"
}

#[test]
fn what_was_meant_is_written() {
    run(async {
        let folder = Folder::with(&[]);
        let mut client = Client::start(Start::of(&folder)).await;
        let path = folder.path().join("a.yaml");
        for (before, line, title, after) in [
            (
                "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prots: [], type: ClusterIP}\n",
                3,
                "Replace `prots` by `ports`",
                "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [], type: ClusterIP}\n",
            ),
            (
                "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  type: clusterip # why\n",
                4,
                "Replace `clusterip` by `ClusterIP`",
                "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  type: ClusterIP # why\n",
            ),
            (
                "kind: Deploymnt\napiVersion: apps/v1\nmetadata: {name: a}\n",
                0,
                "Replace `Deploymnt` by `Deployment`",
                "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: a}\n",
            ),
            (
                "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: a}\n",
                0,
                "Use Ingress of networking.k8s.io/v1; look whether its fields are the same",
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}\n",
            ),
            (
                "apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n",
                1,
                "Use apps/v1; look whether its fields are the same",
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n",
            ),
            (
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  port: 80\n",
                4,
                "Put it in quotes",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  port: \"80\"\n",
            ),
            (
                "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  priority: '8'\n  containers: [{name: a}]\n",
                4,
                "Leave out the quotes",
                "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  priority: 8\n  containers: [{name: a}]\n",
            ),
        ] {
            client.open(&path, before);
            client.rules(&path).await;
            let actions = client.actions(&path, line).await;
            let action = actions.iter().find(|action| action.title == title);
            let action = action.unwrap_or_else(|| panic!("{title}: {actions:#?}"));
            assert_eq!(mended(before, action), after);
            assert_eq!(action.kind, Some(CodeActionKind::QUICKFIX));
            // The line before, and a text that is right, have nothing to mend.
            if line > 1 {
                assert!(client.actions(&path, line - 1).await.is_empty());
            }
            client.close(&path);
            client.clean(&path).await;
        }
    });
}

const STANDARD: &str = "\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few-copies}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]
  validations: [{expression: object.spec.replicas < 5, message: too many copies}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few-copies}
spec: {policyName: few-copies, validationActions: [Deny]}
";

#[test]
fn a_waiver_is_begun_where_the_standard_is_and_counts_when_somebody_answers_for_it() {
    run(async {
        let folder = super::diagnostics::repository();
        folder.write(".tandem/standard/few-copies.yaml", STANDARD);
        let mut client = Client::start(Start::of(&folder)).await;
        let overlay = folder.path().join("prod/kustomization.yaml");
        client.open_saved(&overlay);
        // The patch of the overlay says five.
        let found = client.until(&overlay, |found| !found.is_empty()).await;
        assert!(found[0].message.contains("too many copies (set by patches[0].path)"), "{found:#?}");
        let line = found[0].range.start.line;
        let actions = client.actions(&overlay, line).await;
        let action = actions.iter().find(|action| action.title.starts_with("Begin a waiver of `few-copies`"));
        let edit = action.unwrap_or_else(|| panic!("{actions:#?}")).edit.as_ref().expect("an edit");
        let Some(DocumentChanges::Operations(operations)) = &edit.document_changes else { panic!("{edit:?}") };
        let [DocumentChangeOperation::Op(ResourceOp::Create(create)), DocumentChangeOperation::Edit(fill)] =
            &operations[..]
        else {
            panic!("{operations:?}")
        };
        assert!(
            create.uri.path().ends_with("/.tandem/standard/waivers/few-copies-deployment-default-prod-web.yaml"),
            "{create:?}"
        );
        let OneOf::Left(text) = &fill.edits[0] else { panic!("{fill:?}") };
        // As the editor does it: the file is there, and open.
        let waiver = create.uri.to_file_path().expect("a file");
        client.open(&waiver, &text.new_text);
        let told = client.until(&waiver, |found| !found.is_empty()).await;
        assert!(told.iter().any(|told| told.message.contains("owner")), "{told:#?}");
        let filled = text.new_text.replace("owner: \"\"", "owner: team").replace("reason: \"\"", "reason: a fair");
        client.change(&waiver, None, &filled);
        client.clean(&waiver).await;
        // What is waived is told, and is no error any more.
        client.until(&overlay, |found| found.iter().all(|told| told.message.contains("(waived by "))).await;
    });
}
