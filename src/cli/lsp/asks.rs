//! What is asked about a place in a text: what it is, where it is from, what may stand there, and what mends
//! it.

use std::path::PathBuf;
use std::sync::Arc;

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CompletionItem, CompletionItemKind, CompletionTextEdit,
    Documentation, Hover, HoverContents, Location, MarkupContent, MarkupKind, TextEdit, Url, WorkspaceEdit,
};

use super::desk::Desk;
use super::find;
use super::live::{Answer, Live};
use super::publish::{offset, range};
use super::setup::Setup;
use super::view::{Explained, View};
use super::waive;
use crate::cli::check::finding::Finding;
use crate::editor::{
    self, Aliased, Context, Document, Insert, Item, Known, Outline, Step, Text, counterpart, pointer, rendered,
};
use crate::object::Manifest;

/// What an answer is made of.
pub struct Asked {
    pub desk: Arc<Desk>,
    pub view: Arc<View>,
    pub setup: Arc<Setup>,
    pub live: Option<Arc<Live>>,
    /// The file.
    pub path: PathBuf,
}

impl Asked {
    fn text(&self) -> Text {
        self.desk.text(&self.path)
    }

    fn file(&self) -> String {
        match self.view.root_of(&self.path) {
            Some((_, file)) => file,
            None => self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned(),
        }
    }

    /// What a hover tells.
    pub fn hover(&self, at: lsp_types::Position) -> Option<Hover> {
        let text = self.text();
        let outline = Outline::read(text.as_str());
        let offset = offset(&text, at, self.setup.encoding);
        let document = outline.document_at(offset)?;
        let aliased = editor::aliased(text.as_str(), document.at.clone(), offset);
        let Some(context) = editor::at(&self.file(), &outline, offset) else {
            let Aliased { at, told } = aliased?;
            return Some(hover(vec![told], range(&text, at, self.setup.encoding)));
        };
        let known = Known { guide: self.view.guide(&self.path) };
        let described = known.describe(&context.kind, &context.path);
        let mut told: Vec<String> = aliased.map(|aliased| aliased.told).into_iter().collect();
        // A merge key is no field.
        let merges = !told.is_empty() && context.path.last() == Some(&Step::Field("<<".to_owned()));
        told.extend(described.iter().filter(|_| !merges).map(|known| editor::schema(&context.path, known)));
        if let Some((root, file)) = self.view.root_of(&self.path) {
            let line = text.line_of(context.at.start) + 1;
            for one in root.explained(&file, &self.setup) {
                told.extend(self.values(&one, &file, line, &context));
            }
        }
        if told.is_empty() {
            return None;
        }
        Some(hover(told, range(&text, context.at, self.setup.encoding)))
    }

    /// The value that a folder renders of the place, what gave it, and the value in the cluster.
    fn values(&self, one: &Explained, file: &str, line: u32, context: &Context<'_>) -> Option<String> {
        let (manifest, pointer) = made_of(one, file, line, context)?;
        let shown = rendered(manifest, &pointer)?;
        let folder = if one.path.is_empty() { "." } else { &one.path };
        let mut told = format!("In `{folder}`, {}: `{}`", manifest.id, shown.value);
        for cause in &shown.causes {
            let at = cause.line.map(|line| format!(":{line}")).unwrap_or_default();
            let by = if cause.by.is_empty() { "written" } else { &format!("set by `{}`", cause.by) };
            told.push_str(&format!("\n- {by} in `{}{at}`", cause.file));
        }
        told.extend(self.in_cluster(one, manifest, &pointer));
        Some(told)
    }

    fn in_cluster(&self, one: &Explained, manifest: &Manifest, at: &str) -> Option<String> {
        let live = self.live.as_ref()?;
        Some(match live.get(manifest, one.namespace.as_deref()) {
            Answer::Object(object) => match editor::same_place(&manifest.body, at, &object) {
                Some((pointer, value)) => {
                    format!("\n\nIn the cluster: `{}`", editor::shown(&object, &manifest.masked, &pointer, value))
                }
                None => "\n\nIn the cluster: not set".to_owned(),
            },
            Answer::Absent => "\n\nIn the cluster: there is no such object".to_owned(),
            Answer::Unknown(why) => format!("\n\nIn the cluster: not known ({why})"),
        })
    }

    /// Where what a place refers to is written.
    pub fn definition(&self, at: lsp_types::Position) -> Vec<Location> {
        let text = self.text();
        let outline = Outline::read(text.as_str());
        let Some((root, file)) = self.view.root_of(&self.path) else { return Vec::new() };
        let Some(context) = editor::at(&file, &outline, offset(&text, at, self.setup.encoding)) else {
            return Vec::new();
        };
        let line = text.line_of(context.at.start) + 1;
        let places = find::definition(root, &self.setup, &file, line, &context);
        let location = |(file, line): (String, u32)| {
            let path = root.root.join(&file);
            let text = self.desk.text(&path);
            let start = text.line(line.saturating_sub(1)).start;
            Some(Location { uri: self.desk.url(&path)?, range: range(&text, start..start, self.setup.encoding) })
        };
        places.into_iter().filter_map(location).collect()
    }

    /// What may be written at a place.
    pub fn completion(&self, at: lsp_types::Position) -> Vec<CompletionItem> {
        let text = self.text();
        let known = Known { guide: self.view.guide(&self.path) };
        let items = editor::complete(&self.file(), text.as_str(), offset(&text, at, self.setup.encoding), &known);
        items.into_iter().map(|item| self.completed(&text, item)).collect()
    }

    fn completed(&self, text: &Text, item: Item) -> CompletionItem {
        let (first, kind) = match item.insert {
            Insert::Required => ("0", CompletionItemKind::FIELD),
            Insert::Field => ("1", CompletionItemKind::FIELD),
            Insert::Value => ("0", CompletionItemKind::VALUE),
        };
        let required = if item.insert == Insert::Required { ", required" } else { "" };
        let documentation = MarkupContent { kind: MarkupKind::Markdown, value: item.told };
        CompletionItem {
            sort_text: Some(format!("{first}{}", item.label)),
            filter_text: Some(item.label.clone()),
            kind: Some(kind),
            detail: (!item.form.is_empty()).then(|| format!("{}{required}", item.form)),
            documentation: (!documentation.value.is_empty()).then_some(Documentation::MarkupContent(documentation)),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit {
                range: range(text, item.at, self.setup.encoding),
                new_text: item.text,
            })),
            label: item.label,
            ..CompletionItem::default()
        }
    }

    /// What mends the findings at some lines, from 0.
    pub fn actions(
        &self,
        lines: std::ops::RangeInclusive<u32>,
        url: &Url,
        findings: &[Finding],
    ) -> Vec<CodeActionOrCommand> {
        let text = self.text();
        let there = |finding: &&Finding| lines.contains(&finding.line.unwrap_or(1).saturating_sub(1));
        let mut actions = Vec::new();
        let root = self.view.root_of(&self.path);
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        for finding in findings.iter().filter(there) {
            let waived = root.as_ref().and_then(|(root, file)| waive::action(root, &self.setup, file, finding, today));
            let line = finding.line.unwrap_or(1);
            let hint = finding.hint.as_deref().unwrap_or_default();
            for fix in editor::fixes(&text, line, &finding.rule, &finding.message, hint) {
                let edits: Vec<TextEdit> = fix
                    .edits
                    .into_iter()
                    .map(|(at, new_text)| TextEdit { range: range(&text, at, self.setup.encoding), new_text })
                    .collect();
                let edit = WorkspaceEdit { changes: Some([(url.clone(), edits)].into()), ..WorkspaceEdit::default() };
                let diagnostics =
                    super::publish::diagnostics(std::slice::from_ref(finding), &text, self.setup.encoding);
                actions.push(CodeActionOrCommand::CodeAction(CodeAction {
                    title: fix.title,
                    kind: Some(CodeActionKind::QUICKFIX),
                    diagnostics: Some(diagnostics),
                    edit: Some(edit),
                    is_preferred: Some(fix.sure),
                    ..CodeAction::default()
                }));
            }
            actions.extend(waived.map(CodeActionOrCommand::CodeAction));
        }
        actions
    }
}

fn hover(told: Vec<String>, range: lsp_types::Range) -> Hover {
    let contents = MarkupContent { kind: MarkupKind::Markdown, value: told.join("\n\n---\n\n") };
    Hover { contents: HoverContents::Markup(contents), range: Some(range) }
}

/// The object that a folder renders of the place, and where the place is in it: by the document that it was
/// written in, or else, as in a patch, by the line that gave a field its value.
fn made_of<'a>(one: &'a Explained, file: &str, line: u32, context: &Context<'_>) -> Option<(&'a Manifest, String)> {
    let document: &Document = context.document;
    let written = |manifest: &&Manifest| manifest.origin.file == file && manifest.origin.document == document.index;
    let is_patch = context.kind.kustomization;
    if let Some(manifest) = one.manifests.iter().find(written).filter(|_| !is_patch) {
        return counterpart(&document.root, &context.path, &manifest.body).map(|pointer| (manifest, pointer));
    }
    let end = pointer(&context.path);
    let name = end.rsplit('/').next().unwrap_or_default();
    one.manifests.iter().find_map(|manifest| {
        let leaves = manifest.causes.as_deref()?.leaves();
        let here: Vec<String> = leaves
            .into_iter()
            .filter(|(_, cause)| cause.file == file && cause.line == Some(line))
            .map(|(leaf, _)| leaf)
            .collect();
        // Of the fields that a line set, the one that is named as the place is, or the first.
        let named = here.iter().find(|leaf| leaf.rsplit('/').next() == Some(name));
        Some((manifest, named.or(here.first())?.clone()))
    })
}
