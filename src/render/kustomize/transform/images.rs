//! Names, tags and digests of images.

use regex::Regex;
use serde_json::Value;

use super::super::super::Allowance;
use super::super::fieldspec::{Make, Route};
use super::super::pattern::{Pattern, behind, is_name};
use super::super::resources::Resources;
use super::super::select::scalar_text;
use super::super::types::{FieldSpec, Image};

/// One entry of `images`.
#[derive(Debug)]
pub struct Images {
    image: Image,
    /// `None` where the name is no regular expression: then it matches nothing, as in kustomize.
    name: Option<Pattern>,
    specs: Vec<FieldSpec>,
}

impl Images {
    /// An entry, and the fields that hold images besides those of containers.
    pub fn new(image: Image, specs: Vec<FieldSpec>) -> Self {
        let name = if is_name(&image.name) {
            Some(Pattern::Name(image.name.clone()))
        } else {
            Regex::new(&format!("^{}{TAG}{DIGEST}$", image.name)).ok().map(Pattern::Regex)
        };
        Self { image, name, specs }
    }

    fn is_meant(&self, image: &str) -> bool {
        match &self.name {
            None => false,
            Some(Pattern::Name(name)) => behind(name, image).is_some_and(is_version),
            Some(Pattern::Regex(regex)) => regex.is_match(image),
        }
    }

    /// Changes the images of every resource but CustomResourceDefinitions.
    pub fn apply(&self, resources: &mut Resources, allowance: &Allowance) -> Result<(), String> {
        allowance.walk()?;
        let routes: Vec<Route<'_>> = self.specs.iter().map(Route::new).collect();
        for resource in resources.bodies() {
            if resource.kind() == "CustomResourceDefinition" {
                continue;
            }
            if let Err(why) = self.containers(&mut resource.body, allowance) {
                return Err(format!("{}: {why}", resource.label()));
            }
            allowance.work(self.specs.len())?;
            for route in &routes {
                route.visit_type(&mut resource.body, Make::Nothing, &mut |node| self.change(node, allowance))?;
            }
        }
        Ok(())
    }

    /// Every list named `containers` or `initContainers`, wherever it stands.
    fn containers(&self, node: &mut Value, allowance: &Allowance) -> Result<(), String> {
        match node {
            Value::Object(fields) => {
                for (name, field) in fields {
                    self.containers(field, allowance)?;
                    if matches!(name.as_str(), "containers" | "initContainers")
                        && let Value::Array(containers) = field
                    {
                        for container in containers {
                            match container {
                                Value::Object(fields) => match fields.get_mut("image") {
                                    None | Some(Value::Null) => {}
                                    Some(image) => self.change(image, allowance)?,
                                },
                                Value::Null => {}
                                _ => return Err(format!("an element of {name} is no mapping")),
                            }
                        }
                    }
                }
                Ok(())
            }
            Value::Array(elements) => elements.iter_mut().try_for_each(|element| self.containers(element, allowance)),
            _ => Ok(()),
        }
    }

    fn change(&self, node: &mut Value, allowance: &Allowance) -> Result<(), String> {
        if node.is_object() || node.is_array() {
            return Err("an image is a text".to_owned());
        }
        if node.is_null() {
            *node = Value::String(String::new());
        }
        let text = scalar_text(node);
        if !self.is_meant(&text) {
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
        allowance.resized(text.len() as u64, changed.len() as u64)?;
        *node = Value::String(changed);
        Ok(())
    }
}

/// What may stand behind the name of an image.
const TAG: &str = "(:[a-zA-Z0-9_.{}-]*)?";
const DIGEST: &str = "(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?";

/// Whether a text is nothing, a tag, a digest or both: [`TAG`] and [`DIGEST`] without compiling them.
fn is_version(text: &str) -> bool {
    let is_word = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'{' | b'}' | b'-'))
    };
    let (tag, digest) = match text.split_once('@') {
        Some((tag, digest)) => (tag, Some(digest)),
        None => (text, None),
    };
    let is_algorithm = |text: &str| {
        text.split(['.', '+', '_', '-'])
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    (tag.is_empty() || tag.strip_prefix(':').is_some_and(is_word))
        && digest.is_none_or(|digest| {
            digest.split_once(':').is_some_and(|(algorithm, value)| is_algorithm(algorithm) && is_word(value))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_expressions() {
        let regex = Regex::new(&format!("^{TAG}{DIGEST}$")).expect("compiles");
        for text in [
            "",
            ":",
            ":1.0",
            ":{x}",
            ":1:2",
            "@",
            "@sha256:ab",
            ":1@sha256:ab",
            "@a.b+c_d-e:f",
            "@a..b:c",
            "@:x",
            "@a:",
            "1",
            ":1@",
            ":é",
            "@a:b@c:d",
            "@a.:b",
            ":1 ",
            "/x",
            ":a/b",
            "@a:b:c",
        ] {
            assert_eq!(is_version(text), regex.is_match(text), "{text:?}");
        }
    }
}
