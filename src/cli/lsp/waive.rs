//! A waiver that is begun from a finding of a policy.

use jiff::civil::Date;
use lsp_types::{
    CodeAction, CodeActionKind, CreateFile, CreateFileOptions, DocumentChangeOperation, DocumentChanges, OneOf,
    OptionalVersionedTextDocumentIdentifier, Position, Range, ResourceOp, TextDocumentEdit, TextEdit, Url,
    WorkspaceEdit,
};

use super::setup::Setup;
use super::view::Root;
use crate::cli::check::finding::Finding;
use crate::cli::check::judge::DEFAULT;
use crate::editor::{Wanted, waiver};

/// The folder of waivers within a standard.
const FOLDER: &str = "waivers";

/// The action that writes a waiver into the standard of the repository; `None` where the finding is of no policy,
/// or where the client cannot make a file. `file` is where it was found, from the root.
pub fn action(root: &Root, setup: &Setup, file: &str, finding: &Finding, today: Date) -> Option<CodeAction> {
    // Names of policies are lower case, and those of our own rules are not.
    let is_policy = finding.rule.chars().next().is_some_and(|first| first.is_ascii_lowercase());
    let standard = root.standards.first().filter(|_| is_policy && setup.creates)?;
    if finding.message.contains("(waived by ") {
        return None;
    }
    let object = finding.object.as_ref()?;
    let (manifest, namespace) = root.explained(file, setup).into_iter().find_map(|one| {
        let found = one.manifests.iter().find(|manifest| manifest.id.to_string() == *object)?.clone();
        Some((found, one.namespace))
    })?;
    let namespaced = root.schemas.resource(&manifest.api_version, &manifest.id.kind).namespaced != Some(false);
    let wanted = Wanted {
        policy: finding.rule.clone(),
        api_version: manifest.api_version.clone(),
        kind: manifest.id.kind.clone(),
        namespace: match manifest.id.namespace.as_str() {
            "" if namespaced => namespace.unwrap_or_else(|| DEFAULT.to_owned()),
            namespace => namespace.to_owned(),
        },
        name: manifest.id.name.clone(),
    };
    let (name, text) = waiver(&wanted, today);
    let uri = Url::from_file_path(root.root.join(standard).join(FOLDER).join(name)).ok()?;
    let options = CreateFileOptions { overwrite: Some(false), ignore_if_exists: Some(false) };
    let create = CreateFile { uri: uri.clone(), options: Some(options), annotation_id: None };
    let start = Range::new(Position::new(0, 0), Position::new(0, 0));
    let fill = TextDocumentEdit {
        text_document: OptionalVersionedTextDocumentIdentifier { uri, version: None },
        edits: vec![OneOf::Left(TextEdit::new(start, text))],
    };
    let operations = vec![DocumentChangeOperation::Op(ResourceOp::Create(create)), DocumentChangeOperation::Edit(fill)];
    let edit =
        WorkspaceEdit { document_changes: Some(DocumentChanges::Operations(operations)), ..WorkspaceEdit::default() };
    Some(CodeAction {
        title: format!("Begin a waiver of `{}` for {object}; owner and reason are yours to fill in", finding.rule),
        kind: Some(CodeActionKind::QUICKFIX),
        edit: Some(edit),
        is_preferred: Some(false),
        ..CodeAction::default()
    })
}
