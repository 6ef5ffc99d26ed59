//! Strategic merge patches on the resources that they are for.

use serde_json::{Map, Value};

use super::super::super::Allowance;
use super::super::super::merge::{Schema, drop_unwritten, strategic};
use super::super::files::Spot;
use super::super::resources::Resources;
use super::super::select::{Matcher, scalar_text};
use super::super::types::PatchOptions;
use super::{Merge, unfit};
use crate::object::Problem;

impl Merge {
    /// Where it is written.
    pub fn spot(&self) -> &Spot {
        &self.spot
    }

    /// Lays it on the one resource that has its id, or had it.
    pub fn apply(&self, resources: &mut Resources, schema: &Schema, allowance: &Allowance) -> Result<(), Problem> {
        let at = self.find(resources, allowance)?;
        self.lay(resources, at, &self.resource.body, schema, allowance)
    }

    /// The one resource that has its id, or had it.
    fn find(&self, resources: &mut Resources, allowance: &Allowance) -> Result<usize, Problem> {
        self.looks_at(resources, allowance)?;
        match resources.ever(&self.id) {
            [at] => Ok(*at),
            [] => {
                let message = format!("there is no {} for the patch", self.id);
                let problem = self.spot.problem("PatchFailed", message);
                Err(problem.hint("kind, apiVersion, name and namespace are those of the object as it was written"))
            }
            many => {
                let message = format!("{} objects are, or were, {}", many.len(), self.id);
                Err(self.spot.problem("PatchFailed", message).hint("name one by target"))
            }
        }
    }

    /// The same, as the older `patchesStrategicMerge` has it.
    pub fn apply_old(&self, resources: &mut Resources, schema: &Schema, allowance: &Allowance) -> Result<(), Problem> {
        let at = self.find(resources, allowance)?;
        self.lay(resources, at, &self.written_anew(), schema, allowance)?;
        self.checked(resources)
    }

    /// Its body, where kustomize writes the metadata of the patch anew, as texts. What holds no entry is left out: so a
    /// null takes away no labels here.
    fn written_anew(&self) -> Value {
        let mut body = self.resource.body.clone();
        if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
            let is_empty = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
            metadata.retain(|field, value| !matches!(field.as_str(), "labels" | "annotations") || !is_empty(value));
        }
        self.as_texts(&mut body, "labels");
        self.as_texts(&mut body, "annotations");
        body
    }

    /// Makes texts of labels or annotations, as they are written.
    fn as_texts(&self, body: &mut Value, field: &str) {
        let Some(Value::Object(entries)) = body.pointer_mut(&format!("/metadata/{field}")) else { return };
        for (name, value) in entries.iter_mut().filter(|(_, value)| !value.is_object() && !value.is_array()) {
            let is_written = !self.resource.unwritten.iter().any(|path| path.iter().eq(["metadata", field, name]));
            *value = Value::String(match &*value {
                Value::Null if is_written => "null".to_owned(),
                Value::Null => String::new(),
                value => scalar_text(value),
            });
        }
    }

    /// All resources are looked at.
    fn looks_at(&self, resources: &Resources, allowance: &Allowance) -> Result<(), Problem> {
        let looked = allowance.work(resources.all().len());
        looked.map_err(|why| self.spot.problem("LimitExceeded", why))
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

    pub(super) fn apply_selected(
        &self,
        resources: &mut Resources,
        target: &Matcher,
        schema: &Schema,
        allowance: &Allowance,
    ) -> Result<(), Problem> {
        self.looks_at(resources, allowance)?;
        let mut body = self.written_anew();
        for at in resources.select(target) {
            let api_version = resources.all()[at].api_version().to_owned();
            body["apiVersion"] = Value::String(api_version);
            self.lay(resources, at, &body, schema, allowance)?;
        }
        self.checked(resources)
    }

    fn lay(
        &self,
        resources: &mut Resources,
        at: usize,
        patch: &Value,
        schema: &Schema,
        allowance: &Allowance,
    ) -> Result<(), Problem> {
        let PatchOptions { allow_name_change, allow_kind_change } = self.options;
        let renames = allow_name_change || allow_kind_change;
        // Unless it may, a patch changes no id; one that deletes shows it by its body.
        // kustomize notes on the patch what it may change: so its annotations are written anew, and not null any more.
        let mut noted = None;
        if renames && patch.pointer("/metadata/annotations").is_some() {
            let patch = noted.insert(patch.clone());
            self.as_texts(patch, "annotations");
            if let Some(Value::Object(metadata)) = patch.get_mut("metadata")
                && metadata.get("annotations").is_some_and(Value::is_null)
            {
                metadata.remove("annotations");
            }
        }
        let patch = noted.as_ref().unwrap_or(patch);
        let forgets = takes_all_annotations(patch);
        let resource = if renames || forgets { resources.change(at) } else { resources.body(at) };
        let id = resource.current();
        let wrong = |why: String| unfit(&self.spot, &id.to_string(), &why, allowance);
        if renames {
            allowance.take(resource.remember()).map_err(wrong)?;
        }
        let unwritten = std::mem::take(&mut resource.unwritten);
        drop_unwritten(&mut resource.body, &unwritten, schema, allowance).map_err(wrong)?;
        allowance
            .changing(&mut resource.body, wrong, |body| strategic(body, patch, schema, allowance).map_err(wrong))?;
        if forgets {
            resource.forget();
        }
        resource.sharing.follow_patch(&mut resource.body, patch);
        if resource.is_gone() {
            resources.change(at);
            return Ok(());
        }
        if !allow_kind_change {
            resource.body["kind"] = Value::String(id.gvk.kind);
        }
        let body = &mut resource.body;
        if !matches!(body.get("metadata"), Some(Value::Object(_))) {
            body["metadata"] = Value::Object(serde_json::Map::new());
        }
        if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
            if !allow_name_change {
                metadata.insert("name".to_owned(), Value::String(id.name));
            }
            if id.namespace.is_empty() {
                metadata.remove("namespace");
            } else {
                metadata.insert("namespace".to_owned(), Value::String(id.namespace));
            }
        }
        Ok(())
    }
}

/// Whether a patch takes away all annotations of an object, or puts its own in their place.
fn takes_all_annotations(patch: &Value) -> bool {
    let takes = |value: Option<&Value>| match value {
        Some(Value::Null) => true,
        Some(value) => matches!(value.get("$patch").and_then(Value::as_str), Some("replace" | "delete")),
        None => false,
    };
    takes(patch.get("metadata")) || takes(patch.pointer("/metadata/annotations"))
}
