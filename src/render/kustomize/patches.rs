//! Patches: read and checked before anything is changed, then laid on what they are for.

use std::rc::Rc;

use serde_json::Value;

use super::super::merge::{Schema, json6902, strategic};
use super::files::{Files, Source, Spot};
use super::inline::inline;
use super::resource::{ResId, Resource};
use super::resources::Resources;
use super::select::{Matcher, scalar_text};
use super::types::{Patch, PatchOptions, Selector};
use crate::object::yaml::{self, Dialect, Document};
use crate::object::{Origin, Problem};

/// A strategic merge patch that names what it is for.
#[derive(Debug)]
pub struct Merge {
    resource: Resource,
    id: ResId,
    spot: Spot,
    options: PatchOptions,
}

/// What one entry of `patches` holds.
#[derive(Debug)]
pub enum Prepared {
    /// Strategic merge patches; with a target there is one.
    Merge(Vec<Merge>, Option<Matcher>),
    /// Operations, and what they are for.
    Json(Value, Matcher, Spot),
    /// The patch is empty.
    Nothing,
}

/// The text of a patch, and the file that it stands in.
struct Text {
    source: Rc<Source>,
    /// Where the patch is named.
    spot: Spot,
    /// Whether `source` is its own file, so that lines in it count.
    own: bool,
}

impl Text {
    fn file(files: &mut Files<'_>, root: &str, path: &str, spot: &Spot) -> Result<Self, Problem> {
        let (file, bytes) = files.load(root, path, spot)?;
        Ok(Self { source: Rc::new(Source::new(file, bytes, 1)), spot: spot.clone(), own: true })
    }

    fn within(text: &str, spot: &Spot) -> Self {
        let source = Source::new(spot.file(), text.as_bytes().to_vec(), 1);
        Self { source: Rc::new(source), spot: spot.clone(), own: false }
    }

    /// A problem in the text: with its own line where it has a file of its own.
    fn place(&self, problem: Problem) -> Problem {
        if self.own {
            return problem;
        }
        let line = problem.line.map_or_else(String::new, |line| format!("line {line} of the patch: "));
        let hint = problem.hint;
        Problem { hint, ..self.spot.problem(&problem.rule, format!("{line}{}", problem.message)) }
    }

    fn spot(&self, document: u32) -> Spot {
        if !self.own {
            return self.spot.clone();
        }
        let Source { file, bytes, .. } = &*self.source;
        Spot::new(&Rc::new(Source::new(file.clone(), bytes.clone(), document)))
    }

    /// The objects that it holds, where it is a strategic merge patch.
    fn merges(
        &self,
        (documents, problems): (Vec<Document>, Vec<Problem>),
        options: PatchOptions,
    ) -> Result<Vec<Merge>, Vec<Problem>> {
        let file = &self.source.file;
        if !problems.is_empty() {
            return Err(problems.into_iter().map(|problem| self.place(problem)).collect());
        }
        let mut merges = Vec::new();
        let mut problems = Vec::new();
        for document in documents {
            let spot = self.spot(document.index);
            for (pointer, body) in inline(document.value) {
                let spot = pointer.iter().fold(spot.clone(), |spot, name| spot.at(name));
                let origin = Origin { file: file.clone(), line: document.line, document: document.index };
                let resource = Resource::new(body, origin);
                let (kind, name) = (resource.kind(), resource.name());
                if kind.is_empty() || (name.is_empty() && !kind.ends_with("List")) {
                    let message = "a strategic merge patch has kind and metadata.name, and a JSON patch is a list";
                    problems.push(self.spot.problem("InvalidPatch", message));
                    continue;
                }
                merges.push(Merge { id: resource.current(), resource, spot: self.labelled(&spot), options });
            }
        }
        if problems.is_empty() { Ok(merges) } else { Err(problems) }
    }

    /// Where a patch that does not fit is told: in its own file, else at its entry.
    fn labelled(&self, spot: &Spot) -> Spot {
        if self.own { spot.clone() } else { self.spot.clone() }
    }

    /// The operations, where it is a JSON patch.
    fn operations(&self, files: &Files<'_>) -> Result<Value, Vec<Problem>> {
        let place = |problems: Vec<Problem>| problems.into_iter().map(|problem| self.place(problem)).collect();
        files.document(&self.source).map_err(place)
    }

    fn documents(&self, files: &Files<'_>) -> (Vec<Document>, Vec<Problem>) {
        files.documents(Dialect::Patch, &self.source.file, &self.source.bytes)
    }

    fn is_blank(&self) -> bool {
        self.source.bytes.iter().all(u8::is_ascii_whitespace)
    }
}

/// An entry of `patches`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn prepare(files: &mut Files<'_>, root: &str, patch: &Patch, spot: &Spot) -> Result<Prepared, Vec<Problem>> {
    let inner = patch.patch.trim();
    let text = match (inner.is_empty(), patch.path.is_empty()) {
        (true, true) => return Err(vec![spot.problem("InvalidPatch", "path or patch is missing")]),
        (false, false) => {
            return Err(vec![spot.problem("InvalidPatch", "has both path and patch; one of them is to go")]);
        }
        (false, true) => Text::within(inner, &spot.at("patch")),
        (true, false) => Text::file(files, root, &patch.path, &spot.at("path")).map_err(|problem| vec![problem])?,
    };
    if text.is_blank() {
        return Ok(Prepared::Nothing);
    }
    let target = patch.target.as_ref().map(|target| matcher(target, &spot.at("target"))).transpose();
    let options = patch.options.unwrap_or_default();
    let read = text.documents(files);
    // A list of operations, as a JSON patch is.
    if read.0.first().is_some_and(|document| document.value.is_array()) {
        if text.source.bytes.starts_with(b"[")
            && let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&text.source.bytes)
        {
            let problem =
                text.spot.problem("InvalidPatch", format!("a patch that begins with [ has to be JSON: {error}"));
            return Err(vec![problem.hint("write each operation on a line of its own, behind a dash")]);
        }
        let operations = text.operations(files)?;
        let Some(target) = target.map_err(|problem| vec![problem])? else {
            return Err(vec![spot.problem("InvalidPatch", "a JSON patch needs a target")]);
        };
        return Ok(Prepared::Json(operations, target, text.spot));
    }
    let merges = text.merges(read, options)?;
    let target = target.map_err(|problem| vec![problem])?;
    if target.is_some() && merges.len() > 1 {
        let message = "has a target, and its patch has more than one document; make an entry of each";
        return Err(vec![spot.problem("InvalidPatch", message)]);
    }
    if merges.is_empty() {
        return Ok(Prepared::Nothing);
    }
    Ok(Prepared::Merge(merges, target))
}

/// An entry of `patchesStrategicMerge`: a file, or the patch itself.
pub fn prepare_strategic(
    files: &mut Files<'_>,
    root: &str,
    entry: &str,
    spot: &Spot,
) -> Result<Vec<Merge>, Vec<Problem>> {
    let text = if entry.contains('\n') || entry.trim_start().starts_with('{') {
        Text::within(entry, spot)
    } else {
        Text::file(files, root, entry, spot).map_err(|problem| vec![problem])?
    };
    text.merges(text.documents(files), PatchOptions::default())
}

/// An entry of `patchesJson6902`.
pub fn prepare_json(files: &mut Files<'_>, root: &str, patch: &Patch, spot: &Spot) -> Result<Prepared, Vec<Problem>> {
    let problem = |message: &str| Err(vec![spot.problem("InvalidPatch", message)]);
    let text = match (patch.path.is_empty(), patch.patch.is_empty()) {
        (true, true) => return problem("path or patch is missing"),
        (false, false) => return problem("has both path and patch; one of them is to go"),
        (true, false) => Text::within(&patch.patch, &spot.at("patch")),
        (false, true) => Text::file(files, root, &patch.path, &spot.at("path")).map_err(|problem| vec![problem])?,
    };
    let Some(target) = &patch.target else { return problem("has no target") };
    if target.name.is_empty() {
        return problem("its target has no name");
    }
    let target = matcher(target, &spot.at("target")).map_err(|problem| vec![problem])?;
    match text.operations(files)? {
        Value::Array(operations) if operations.is_empty() => problem("the patch is empty"),
        Value::Null => problem("the patch is empty"),
        operations @ Value::Array(_) => Ok(Prepared::Json(operations, target, text.spot)),
        _ => problem("a JSON patch is a list of operations"),
    }
}

/// A selector that can be meant so.
pub fn matcher(selector: &Selector, spot: &Spot) -> Result<Matcher, Problem> {
    Matcher::new(selector).map_err(|why| spot.problem("InvalidSelector", why))
}

impl Prepared {
    /// Lays an entry of `patches` on the resources.
    pub fn apply(&self, resources: &mut Resources, schema: &Schema) -> Result<(), Vec<Problem>> {
        match self {
            Self::Nothing => Ok(()),
            Self::Merge(merges, None) => {
                let mut problems = Vec::new();
                for merge in merges {
                    problems.extend(merge.apply(resources, schema).err());
                }
                if problems.is_empty() { Ok(()) } else { Err(problems) }
            }
            Self::Merge(merges, Some(target)) => {
                let one = |problem| vec![problem];
                merges.iter().try_for_each(|merge| merge.apply_selected(resources, target, schema)).map_err(one)
            }
            Self::Json(operations, target, spot) => {
                apply_json(resources, operations, target, true, spot).map_err(|problem| vec![problem])
            }
        }
    }
}

/// Lays operations on what a target takes. In `patches`, kustomize remembers the names before.
pub fn apply_json(
    resources: &mut Resources,
    operations: &Value,
    target: &Matcher,
    remembers: bool,
    spot: &Spot,
) -> Result<(), Problem> {
    for at in resources.select(target) {
        let resource = resources.change(at);
        let label = resource.label();
        if remembers {
            resource.remember();
        }
        // Where kustomize keeps notes of its own there is always an annotation.
        let annotated = resource.annotated;
        if annotated && let Some(Value::Object(metadata)) = resource.body.get_mut("metadata") {
            let annotations = metadata.entry("annotations").or_insert(Value::Null);
            if annotations.is_null() {
                *annotations = Value::Object(serde_json::Map::new());
            }
        }
        json6902(&mut resource.body, operations).map_err(|why| unfit(spot, &label, &why))?;
        as_floats(&mut resource.body);
        drop_empty_annotations(&mut resource.body);
    }
    Ok(())
}

/// Go's JSON patches carry numbers as floats: whole ones beyond 2^53 lose digits.
fn as_floats(value: &mut Value) {
    const EXACT: u64 = 1 << 53;
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            let size = number.as_i64().map_or_else(|| number.as_u64().unwrap_or_default(), i64::unsigned_abs);
            if size > EXACT
                && let Some(float) = number.as_f64()
            {
                *value = yaml::number(float);
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(as_floats),
        Value::Object(fields) => fields.values_mut().for_each(as_floats),
        _ => {}
    }
}

/// kustomize leaves no empty annotations behind.
pub fn drop_empty_annotations(body: &mut Value) {
    if let Some(Value::Object(metadata)) = body.get_mut("metadata")
        && metadata
            .get("annotations")
            .is_some_and(|all| all.is_null() || all.as_object().is_some_and(|all| all.is_empty()))
    {
        metadata.remove("annotations");
    }
}

fn unfit(spot: &Spot, label: &str, why: &str) -> Problem {
    let mut problem = spot.problem("PatchFailed", why);
    problem.object = Some(label.to_owned());
    problem
}

impl Merge {
    /// Lays it on the one resource that has its id, or had it.
    pub fn apply(&self, resources: &mut Resources, schema: &Schema) -> Result<(), Problem> {
        let at = match resources.ever(&self.id) {
            [at] => *at,
            [] => {
                let message = format!("there is no {} for the patch", self.id);
                let problem = self.spot.problem("PatchFailed", message);
                return Err(
                    problem.hint("kind, apiVersion, name and namespace are those of the object as it was written")
                );
            }
            many => {
                let message = format!("{} objects are, or were, {}", many.len(), self.id);
                return Err(self.spot.problem("PatchFailed", message).hint("name one by target"));
            }
        };
        self.lay(resources, at, &self.resource.body, schema)
    }

    /// The same, as the older `patchesStrategicMerge` has it.
    pub fn apply_old(&self, resources: &mut Resources, schema: &Schema) -> Result<(), Problem> {
        self.apply(resources, schema)?;
        self.checked(resources)
    }

    fn checked(&self, resources: &mut Resources) -> Result<(), Problem> {
        resources.drop_gone();
        match resources.twice() {
            None => Ok(()),
            Some(twice) => {
                Err(self.spot.problem("DuplicateObject", format!("the patch makes a second {}", twice.label())))
            }
        }
    }

    fn apply_selected(&self, resources: &mut Resources, target: &Matcher, schema: &Schema) -> Result<(), Problem> {
        let mut body = self.resource.body.clone();
        // kustomize writes the metadata of the patch anew, as texts.
        for field in ["labels", "annotations"] {
            if let Some(Value::Object(entries)) = body.pointer_mut(&format!("/metadata/{field}")) {
                for value in entries.values_mut().filter(|value| !value.is_object() && !value.is_array()) {
                    *value = Value::String(if value.is_null() { "null".to_owned() } else { scalar_text(value) });
                }
            }
        }
        for at in resources.select(target) {
            let api_version = resources.all()[at].api_version().to_owned();
            body["apiVersion"] = Value::String(api_version);
            self.lay(resources, at, &body, schema)?;
        }
        self.checked(resources)
    }

    fn lay(&self, resources: &mut Resources, at: usize, patch: &Value, schema: &Schema) -> Result<(), Problem> {
        let PatchOptions { allow_name_change, allow_kind_change } = self.options;
        let renames = allow_name_change || allow_kind_change;
        // Unless it may, a patch changes no id; one that deletes shows it by its body.
        let resource = if renames { resources.change(at) } else { resources.body(at) };
        let label = resource.label();
        let (name, namespace) = (resource.name().to_owned(), resource.namespace().to_owned());
        let kind = resource.kind().to_owned();
        if renames {
            resource.remember();
        }
        strategic(&mut resource.body, patch, schema).map_err(|why| unfit(&self.spot, &label, &why))?;
        if resource.is_gone() {
            resources.change(at);
            return Ok(());
        }
        if !allow_kind_change {
            resource.body["kind"] = Value::String(kind);
        }
        let body = &mut resource.body;
        if !matches!(body.get("metadata"), Some(Value::Object(_))) {
            body["metadata"] = Value::Object(serde_json::Map::new());
        }
        if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
            if !allow_name_change {
                metadata.insert("name".to_owned(), Value::String(name));
            }
            if namespace.is_empty() {
                metadata.remove("namespace");
            } else {
                metadata.insert("namespace".to_owned(), Value::String(namespace));
            }
        }
        Ok(())
    }
}
