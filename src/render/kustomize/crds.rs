//! `crds`: OpenAPI definitions of custom resources, with marks for what refers to names and what
//! holds labels.

use std::rc::Rc;

use serde_json::Value;

use super::config::Config;
use super::files::{Files, Source, Spot};
use super::resource::Gvk;
use super::types::{FieldSpec, NameReference};
use crate::object::Problem;

/// How deep definitions may refer to one another. kustomize goes on until its memory ends.
const DEPTH: usize = 32;

/// Fields that one file may yield.
const MOST: usize = 10_000;

/// What the definitions of a file say about fields.
///
/// # Errors
/// What cannot be read.
pub fn config(files: &Files<'_>, file: String, bytes: Vec<u8>) -> Result<Config, Vec<Problem>> {
    let source = Source::new(file, bytes);
    let document = files.document(&source)?;
    let spot = Spot::new(&Rc::new(source));
    let Value::Object(definitions) = &document else {
        let message = "a mapping from names to OpenAPI definitions is wanted here";
        return Err(vec![spot.problem("InvalidConfiguration", message)]);
    };
    let mut read = Read { definitions: &document, config: Config::default(), fields: 0 };
    for (name, definition) in definitions {
        if !definition.is_object() {
            let message = "an OpenAPI definition is wanted here, as {Schema: {properties: …}}";
            return Err(vec![spot.at(name).problem("InvalidConfiguration", message)]);
        }
        let properties = definition.pointer("/Schema/properties");
        let is_kind = ["kind", "apiVersion", "metadata"]
            .iter()
            .all(|field| properties.is_some_and(|properties| properties.get(field).is_some()));
        if !is_kind {
            continue;
        }
        let kind = name.rsplit('.').next().unwrap_or_default();
        let gvk = Gvk { kind: kind.to_owned(), ..Gvk::default() };
        read.definition(name, &gvk, &mut Vec::new())
            .map_err(|why| vec![spot.at(name).problem("InvalidConfiguration", why)])?;
    }
    Ok(read.config)
}

struct Read<'a> {
    definitions: &'a Value,
    config: Config,
    fields: usize,
}

impl Read<'_> {
    fn definition(&mut self, name: &str, gvk: &Gvk, path: &mut Vec<String>) -> Result<(), String> {
        let definitions = self.definitions;
        let Some(Value::Object(properties)) =
            definitions.get(name).and_then(|definition| definition.pointer("/Schema/properties"))
        else {
            return Ok(());
        };
        if path.len() >= DEPTH {
            return Err(format!("definitions refer to one another more than {DEPTH} deep at {}", path.join("/")));
        }
        for (field, property) in properties {
            path.push(field.clone());
            self.property(property, gvk, path)?;
            path.pop();
        }
        Ok(())
    }

    fn property(&mut self, property: &Value, gvk: &Gvk, path: &mut Vec<String>) -> Result<(), String> {
        let text = |name: &str| property.get(name).and_then(Value::as_str);
        let spec = |path: &[String]| FieldSpec { gvk: gvk.clone(), path: path.join("/"), create: false };
        let mut found = Config::default();
        if text("x-kubernetes-annotation").is_some() {
            found.common_annotations.push(spec(path));
        }
        if text("x-kubernetes-label-selector").is_some() {
            found.common_labels.push(spec(path));
        }
        if text("x-kubernetes-identity").is_some() {
            found.name_prefix.push(spec(path));
        }
        if let (Some(version), Some(kind)) =
            (text("x-kubernetes-object-ref-api-version"), text("x-kubernetes-object-ref-kind"))
        {
            path.push(text("x-kubernetes-object-ref-name-key").unwrap_or("name").to_owned());
            let gvk = Gvk { group: String::new(), version: version.to_owned(), kind: kind.to_owned() };
            found.name_reference.push(NameReference { gvk, field_specs: vec![spec(path)] });
            path.pop();
        }
        self.fields += 1;
        if self.fields > MOST {
            return Err(format!("the definitions have more than {MOST} fields"));
        }
        self.config.merge(found)?;
        match text("$ref") {
            Some(reference) => self.definition(reference, gvk, path),
            None => Ok(()),
        }
    }
}
