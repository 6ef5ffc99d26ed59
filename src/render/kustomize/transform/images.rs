//! Names, tags and digests of images.

use regex::Regex;
use serde_json::Value;

use super::super::fieldspec::{Make, visit};
use super::super::resources::Resources;
use super::super::select::scalar_text;
use super::super::types::{FieldSpec, Image};

/// One entry of `images`.
#[derive(Debug)]
pub struct Images {
    image: Image,
    /// `None` where the name is no regular expression: then it matches nothing, as in kustomize.
    name: Option<Regex>,
    specs: Vec<FieldSpec>,
}

impl Images {
    /// An entry, and the fields that hold images besides those of containers.
    pub fn new(image: Image, specs: Vec<FieldSpec>) -> Self {
        let tag = "(:[a-zA-Z0-9_.{}-]*)?";
        let digest = "(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?";
        let name = Regex::new(&format!("^{}{tag}{digest}$", image.name)).ok();
        Self { image, name, specs }
    }

    /// Changes the images of every resource but CustomResourceDefinitions.
    pub fn apply(&self, resources: &mut Resources) -> Result<(), String> {
        for resource in resources.bodies() {
            if resource.kind() == "CustomResourceDefinition" {
                continue;
            }
            let label = resource.label();
            self.containers(&mut resource.body).map_err(|why| format!("{label}: {why}"))?;
            for spec in &self.specs {
                visit(&mut resource.body, spec, Make::Nothing, &mut |node| self.change(node))?;
            }
        }
        Ok(())
    }

    /// Every list named `containers` or `initContainers`, wherever it stands.
    fn containers(&self, node: &mut Value) -> Result<(), String> {
        match node {
            Value::Object(fields) => {
                for (name, field) in fields {
                    self.containers(field)?;
                    if matches!(name.as_str(), "containers" | "initContainers")
                        && let Value::Array(containers) = field
                    {
                        for container in containers {
                            match container {
                                Value::Object(fields) => match fields.get_mut("image") {
                                    None | Some(Value::Null) => {}
                                    Some(image) => self.change(image)?,
                                },
                                Value::Null => {}
                                _ => return Err(format!("an element of {name} is no mapping")),
                            }
                        }
                    }
                }
                Ok(())
            }
            Value::Array(elements) => elements.iter_mut().try_for_each(|element| self.containers(element)),
            _ => Ok(()),
        }
    }

    fn change(&self, node: &mut Value) -> Result<(), String> {
        if node.is_object() || node.is_array() {
            return Err("an image is a text".to_owned());
        }
        if node.is_null() {
            *node = Value::String(String::new());
        }
        let text = scalar_text(node);
        if !self.name.as_ref().is_some_and(|name| name.is_match(&text)) {
            return Ok(());
        }
        let (name, tag, digest) = split(&text);
        let Image { new_name, new_tag, digest: new_digest, tag_suffix, .. } = &self.image;
        let name = if new_name.is_empty() { name } else { new_name };
        let (tag, digest) = match (new_tag.is_empty(), new_digest.is_empty()) {
            (false, false) => (new_tag.clone(), new_digest.as_str()),
            (false, true) => (new_tag.clone(), ""),
            (true, false) => (String::new(), new_digest.as_str()),
            (true, true) if !tag_suffix.is_empty() => (format!("{tag}{tag_suffix}"), ""),
            (true, true) => (tag.to_owned(), digest),
        };
        let mut changed = name.to_owned();
        if !tag.is_empty() {
            changed.push(':');
            changed.push_str(&tag);
        }
        if !digest.is_empty() {
            changed.push('@');
            changed.push_str(digest);
        }
        *node = Value::String(changed);
        Ok(())
    }
}

/// Name, tag and digest of an image; a colon before the first slash belongs to the registry.
fn split(image: &str) -> (&str, &str, &str) {
    let from = image.find('/').filter(|at| *at > 0).unwrap_or(0);
    let at = image[from..].find('@').map(|at| at + from);
    let colon = image[from..].find(':').map(|at| at + from);
    match (colon, at) {
        (None, None) => (image, "", ""),
        (Some(colon), Some(at)) if colon < at => (&image[..colon], &image[colon + 1..at], &image[at + 1..]),
        (_, Some(at)) => (&image[..at], "", &image[at + 1..]),
        (Some(colon), None) => (&image[..colon], &image[colon + 1..], ""),
    }
}
