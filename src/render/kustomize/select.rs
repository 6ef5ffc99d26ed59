//! Which resources a selector takes.

use serde_json::Value;

use super::pattern::Pattern;
use super::resource::Gvk;
use super::types::Selector;
use crate::object::split_api_version;

/// A selector whose regular expressions are compiled. An empty one takes everything.
#[derive(Debug)]
pub struct Matcher {
    group: Option<Pattern>,
    version: Option<Pattern>,
    kind: Option<Pattern>,
    name: Option<Pattern>,
    namespace: Option<Pattern>,
    labels: Requirements,
    annotations: Requirements,
}

impl Matcher {
    /// Compiles a selector. An error says which field cannot be meant so, and why.
    pub fn new(selector: &Selector) -> Result<Self, String> {
        let Selector { gvk, name, namespace, annotation_selector, label_selector } = selector;
        Ok(Self {
            group: anchored("group", &gvk.group)?,
            version: anchored("version", &gvk.version)?,
            kind: anchored("kind", &gvk.kind)?,
            name: anchored("name", name)?,
            namespace: anchored("namespace", namespace)?,
            labels: Requirements::parse(label_selector).map_err(|why| format!("labelSelector: {why}"))?,
            annotations: Requirements::parse(annotation_selector)
                .map_err(|why| format!("annotationSelector: {why}"))?,
        })
    }

    /// Whether group, version and kind fit.
    pub fn takes_type(&self, api_version: &str, kind: &str) -> bool {
        let (group, version) = split_api_version(api_version);
        fits(self.group.as_ref(), group) && fits(self.version.as_ref(), version) && fits(self.kind.as_ref(), kind)
    }

    /// The same.
    pub fn takes_gvk(&self, gvk: &Gvk) -> bool {
        fits(self.group.as_ref(), &gvk.group)
            && fits(self.version.as_ref(), &gvk.version)
            && fits(self.kind.as_ref(), &gvk.kind)
    }

    /// Whether a name fits.
    pub fn takes_name(&self, name: &str) -> bool {
        fits(self.name.as_ref(), name)
    }

    /// Whether a namespace fits.
    pub fn takes_namespace(&self, namespace: &str) -> bool {
        fits(self.namespace.as_ref(), namespace)
    }

    /// Whether labels and annotations of an object fit.
    pub fn takes_metadata(&self, body: &Value) -> bool {
        let texts = |field: &str| body.get("metadata").and_then(|metadata| metadata.get(field));
        self.labels.fit(texts("labels")) && self.annotations.fit(texts("annotations"))
    }
}

fn fits(pattern: Option<&Pattern>, text: &str) -> bool {
    pattern.is_none_or(|pattern| pattern.fits(text))
}

fn anchored(field: &str, pattern: &str) -> Result<Option<Pattern>, String> {
    if pattern.is_empty() {
        return Ok(None);
    }
    match Pattern::whole(pattern) {
        Some(pattern) => Ok(Some(pattern)),
        None => Err(format!("{field} {pattern:?} is no regular expression")),
    }
}

/// A label selector: what `kubectl get --selector` takes.
#[derive(Debug, Default)]
pub struct Requirements(Vec<Requirement>);

#[derive(Debug)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Exists,
    Missing,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

impl Requirements {
    /// Reads a selector; an empty one asks for nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Tokens { rest: text };
        let mut all = Vec::new();
        if tokens.peek().is_empty() {
            return Ok(Self(all));
        }
        loop {
            all.push(tokens.requirement()?);
            match tokens.next() {
                "" => return Ok(Self(all)),
                "," if !tokens.peek().is_empty() && tokens.peek() != "," => {}
                other => return Err(format!("{other:?} is not expected in {text:?}")),
            }
        }
    }

    /// Whether labels (a mapping, or nothing) fit.
    pub fn fit(&self, labels: Option<&Value>) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.and_then(|labels| labels.get(&requirement.key)).map(scalar_text);
            match (&requirement.test, value) {
                (Test::Exists, value) => value.is_some(),
                (Test::Missing, value) => value.is_none(),
                (Test::In(values), Some(value)) => values.contains(&value),
                (Test::NotIn(values), Some(value)) => !values.contains(&value),
                (Test::NotIn(_), None) => true,
                (Test::Greater(least), Some(value)) => value.parse::<i64>().is_ok_and(|value| value > *least),
                (Test::Less(most), Some(value)) => value.parse::<i64>().is_ok_and(|value| value < *most),
                (Test::In(_) | Test::Greater(_) | Test::Less(_), None) => false,
            }
        })
    }
}

/// A scalar as the text that a reader of YAML sees.
pub fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    /// The next token without taking it; empty at the end.
    fn peek(&self) -> &'a str {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let special = |c: char| matches!(c, '=' | '!' | '(' | ')' | ',' | '<' | '>');
        let Some(first) = rest.chars().next() else { return "" };
        let length = if special(first) {
            ["==", "!="].iter().find(|two| rest.starts_with(**two)).map_or(1, |two| two.len())
        } else {
            rest.find(|c: char| special(c) || matches!(c, ' ' | '\t' | '\r' | '\n')).unwrap_or(rest.len())
        };
        &rest[..length]
    }

    fn next(&mut self) -> &'a str {
        let token = self.peek();
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.rest = &rest[token.len()..];
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let missing = self.peek() == "!";
        if missing {
            self.next();
        }
        let key = self.next();
        if !is_key(key) {
            return Err(format!("{key:?} is no key of a label"));
        }
        let key = key.to_owned();
        if missing {
            return Ok(Requirement { key, test: Test::Missing });
        }
        if matches!(self.peek(), "" | ",") {
            return Ok(Requirement { key, test: Test::Exists });
        }
        let test = match self.next() {
            "=" | "==" => Test::In(vec![self.value()?]),
            "!=" => Test::NotIn(vec![self.value()?]),
            "in" => Test::In(self.values()?),
            "notin" => Test::NotIn(self.values()?),
            ">" | "gt" => Test::Greater(self.number()?),
            "<" | "lt" => Test::Less(self.number()?),
            other => return Err(format!("{other:?} is no operator")),
        };
        Ok(Requirement { key, test })
    }

    fn value(&mut self) -> Result<String, String> {
        if matches!(self.peek(), "" | ",") {
            return Ok(String::new());
        }
        checked(self.next())
    }

    fn number(&mut self) -> Result<i64, String> {
        let text = self.next();
        text.parse().map_err(|_| format!("{text:?} is no whole number"))
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        if self.next() != "(" {
            return Err("a list of values in parentheses is missing".to_owned());
        }
        let mut values = Vec::new();
        loop {
            match self.peek() {
                "," | ")" => values.push(String::new()),
                _ => values.push(checked(self.next())?),
            }
            match self.next() {
                "," => {}
                ")" if values.iter().all(String::is_empty) && values.len() == 1 => {
                    return Err("the list of values is empty".to_owned());
                }
                ")" => return Ok(values),
                _ => return Err("the list of values has no end".to_owned()),
            }
        }
    }
}

/// Letters, digits, `-`, `_` and `.`, at most 63, and not at the ends.
fn is_name(text: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        None => is_name(text),
        Some((domain, name)) => {
            is_name(name)
                && domain.len() <= 253
                && domain.split('.').all(|part| {
                    is_name(part) && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                })
        }
    }
}

fn checked(text: &str) -> Result<String, String> {
    if is_name(text) { Ok(text.to_owned()) } else { Err(format!("{text:?} is no value of a label")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_read_as_kubectl_reads_them() {
        let labels = json!({"app": "web", "tier": "front", "n": "5", "empty": ""});
        for (selector, expected) in [
            ("", true),
            ("app", true),
            ("!app", false),
            ("!other", true),
            ("app=web", true),
            ("app == web,tier=front", true),
            ("app!=web", false),
            ("other!=web", true),
            ("app in (web, db)", true),
            ("app notin (web)", false),
            ("other notin (web)", true),
            ("n>4", true),
            ("n<4", false),
            ("empty=", true),
            ("app=", false),
        ] {
            let parsed = Requirements::parse(selector).expect(selector);
            assert_eq!(parsed.fit(Some(&labels)), expected, "{selector}");
        }
        for selector in ["=", "app=web,", "app in web", "app in ()", "a b", "app=a/b", "-a", "n>x", ",a"] {
            assert!(Requirements::parse(selector).is_err(), "{selector:?} was taken");
        }
    }

    #[test]
    fn a_pattern_matches_the_whole() {
        let matcher = Matcher::new(&Selector { name: "a|b".to_owned(), ..Selector::default() }).expect("compiles");
        assert!(matcher.takes_name("a") && matcher.takes_name("b") && !matcher.takes_name("ab"));
        assert!(Matcher::new(&Selector { name: "(".to_owned(), ..Selector::default() }).is_err());
    }
}
