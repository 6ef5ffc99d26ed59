//! Patches: read and checked before anything is changed, then laid on what they are for.

mod lay;

use std::rc::Rc;

use serde_json::Value;

use super::super::Allowance;
use super::super::merge::{Schema, json6902};
use super::files::{Files, Source, Spot};
use super::inline::inline;
use super::resource::{ResId, Resource};
use super::resources::Resources;
use super::select::Matcher;
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
        Ok(Self { source: Rc::new(Source::new(file, bytes)), spot: spot.clone(), own: true })
    }

    fn within(text: &str, spot: &Spot) -> Self {
        let source = Source::new(spot.file(), text.as_bytes().to_vec());
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
        Spot::new(&Rc::new(self.source.document(document)))
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
        let mut unwritten = Vec::with_capacity(documents.len());
        let mut values = Vec::with_capacity(documents.len());
        for document in documents {
            values.push(((unwritten.len(), document.index, document.line), document.value));
            unwritten.push(document.unwritten);
        }
        for ((at, index, line), pointer, body) in inline(values.into_iter()) {
            let spot = pointer.iter().fold(self.spot(index), |spot, name| spot.at(name));
            let origin = Origin { file: file.to_string(), line, document: index };
            let mut resource = Resource::new(body, origin);
            if pointer.is_empty() {
                resource.unwritten = std::mem::take(&mut unwritten[at]);
            }
            let (kind, name) = (resource.kind(), resource.name());
            if kind.is_empty() || (name.is_empty() && !kind.ends_with("List")) {
                let message = "a strategic merge patch has kind and metadata.name, and a JSON patch is a list";
                problems.push(self.spot.problem("InvalidPatch", message));
                continue;
            }
            merges.push(Merge { id: resource.current(), resource, spot: self.labelled(&spot), options });
        }
        if problems.is_empty() { Ok(merges) } else { Err(problems) }
    }

    /// Where a patch that does not fit is told: in its own file, else at its entry.
    fn labelled(&self, spot: &Spot) -> Spot {
        if self.own { spot.clone() } else { self.spot.clone() }
    }

    /// The operations, where it is a JSON patch.
    fn operations(&self, files: &Files<'_>) -> Result<Value, Vec<Problem>> {
        if self.source.bytes.starts_with(b"[")
            && let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&self.source.bytes)
        {
            let problem =
                self.spot.problem("InvalidPatch", format!("a patch that begins with [ has to be JSON: {error}"));
            return Err(vec![problem.hint("write each operation on a line of its own, behind a dash")]);
        }
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
    pub fn apply(&self, resources: &mut Resources, schema: &Schema, allowance: &Allowance) -> Result<(), Vec<Problem>> {
        match self {
            Self::Nothing => Ok(()),
            Self::Merge(merges, None) => {
                let mut problems = Vec::new();
                for merge in merges {
                    problems.extend(merge.apply(resources, schema, allowance).err());
                    if allowance.is_passed() {
                        break;
                    }
                }
                if problems.is_empty() { Ok(()) } else { Err(problems) }
            }
            Self::Merge(merges, Some(target)) => {
                let one = |problem| vec![problem];
                merges
                    .iter()
                    .try_for_each(|merge| merge.apply_selected(resources, target, schema, allowance))
                    .map_err(one)
            }
            Self::Json(operations, target, spot) => {
                apply_json(resources, operations, target, true, spot, allowance).map_err(|problem| vec![problem])
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
    allowance: &Allowance,
) -> Result<(), Problem> {
    for at in resources.select(target) {
        let resource = resources.change(at);
        let id = resource.current();
        let wrong = |why: String| unfit(spot, &id.to_string(), &why, allowance);
        if remembers {
            allowance.take(resource.remember()).map_err(wrong)?;
        }
        resource.show_annotations();
        allowance.changing(&mut resource.body, wrong, |body| json6902(body, operations, allowance).map_err(wrong))?;
        resource.sharing.forget();
        resource.in_brackets = true;
        resource.unwritten.clear();
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

fn unfit(spot: &Spot, label: &str, why: &str, allowance: &Allowance) -> Problem {
    let mut problem = allowance.passed(spot, "PatchFailed", why);
    problem.object = Some(label.to_owned());
    problem
}
