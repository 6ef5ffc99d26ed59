//! Secrets in clear text: what everybody who can read the repository can read.

use std::sync::OnceLock;

use regex::RegexSet;
use serde_json::Value;

use crate::object::mask::is_secret_object;
use crate::object::{Manifest, Problem};

/// Texts that are a key or token whatever stands around them, and what they are.
const TOKENS: [(&str, &str); 10] = [
    (r"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----", "a private key"),
    (r"\b(AKIA|ASIA)[0-9A-Z]{16}\b", "an access key of AWS"),
    (r"\bgh[pousr]_[0-9A-Za-z]{36,}\b", "a token of GitHub"),
    (r"\bgithub_pat_[0-9A-Za-z_]{60,}\b", "a token of GitHub"),
    (r"\bglpat-[0-9A-Za-z_-]{20,}", "a token of GitLab"),
    (r"\bxox[abposr]-[0-9A-Za-z-]{20,}", "a token of Slack"),
    (r"https://hooks\.slack\.com/services/[0-9A-Za-z/]{20,}", "a webhook of Slack"),
    (r"\bAIza[0-9A-Za-z_-]{35}\b", "a key of Google"),
    (r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b", "a private key of age"),
    (r"\bsk_live_[0-9A-Za-z]{24,}\b", "a key of Stripe"),
];

/// What is found, with the JSON pointer of each. No value is repeated.
pub fn find(manifest: &Manifest) -> Vec<(String, Problem)> {
    let mut found = Vec::new();
    if is_secret_object(&manifest.body) {
        secret(manifest, &mut found);
    } else {
        tokens(&manifest.body, &mut String::new(), manifest, &mut found);
    }
    found
}

/// A Secret whose values nobody encrypted.
fn secret(manifest: &Manifest, found: &mut Vec<(String, Problem)>) {
    for field in ["data", "stringData"] {
        for (key, value) in manifest.body.get(field).and_then(Value::as_object).into_iter().flatten() {
            let pointer = format!("/{field}/{}", key.replace('~', "~0").replace('/', "~1"));
            let empty = value.as_str().is_none_or(|text| text.is_empty() || text.contains("${"));
            if empty || manifest.masked.contains(&pointer) {
                continue;
            }
            let problem = Problem::new("PlainSecret", format!("the value of {field} {key:?} stands in clear text"));
            found.push((pointer, problem.hint("encrypt the file with SOPS, or let an operator make the Secret")));
        }
    }
}

/// Keys and tokens anywhere else.
fn tokens(value: &Value, pointer: &mut String, manifest: &Manifest, found: &mut Vec<(String, Problem)>) {
    static SET: OnceLock<RegexSet> = OnceLock::new();
    match value {
        Value::String(text) if text.len() >= 16 && !manifest.masked.contains(pointer) => {
            let set = SET.get_or_init(|| RegexSet::new(TOKENS.map(|(token, _)| token)).expect("a test compiles them"));
            if let Some(which) = set.matches(text).iter().next() {
                let problem = Problem::new("PlainSecret", format!("the value looks like {}", TOKENS[which].1));
                found.push((pointer.clone(), problem.hint("put it into a Secret that SOPS encrypted, and replace it")));
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                below(pointer, &at.to_string(), |pointer| tokens(item, pointer, manifest, found));
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                below(pointer, &name, |pointer| tokens(value, pointer, manifest, found));
            }
        }
        _ => {}
    }
}

fn below(pointer: &mut String, name: &str, look: impl FnOnce(&mut String)) {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(name);
    look(pointer);
    pointer.truncate(length);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::{ObjectId, Origin};

    fn rules(body: Value, masked: &[&str]) -> Vec<String> {
        let origin = Origin { file: "a.yaml".into(), line: 1, document: 1 };
        let kind = body["kind"].as_str().unwrap_or_default().to_owned();
        let mut manifest = Manifest::new(origin, ObjectId::new("", "a", "", kind), "v1", body);
        manifest.masked = masked.iter().map(|pointer| (*pointer).to_owned()).collect();
        find(&manifest).into_iter().map(|(pointer, problem)| format!("{pointer} {}", problem.message)).collect()
    }

    #[test]
    fn values_of_secrets_are_found_unless_they_were_encrypted() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "aGk=", "b": ""}, "stringData": {"c/d": "x", "e": "${E}"}});
        let found = [
            "/data/a the value of data \"a\" stands in clear text",
            "/stringData/c~1d the value of stringData \"c/d\" stands in clear text",
        ];
        assert_eq!(rules(secret.clone(), &[]), found);
        assert_eq!(rules(secret, &["/data/a", "/stringData/c~1d"]), [""; 0]);
    }

    #[test]
    fn tokens_are_found_anywhere() {
        let token = format!("ghp_{}", "a1".repeat(18));
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": format!("token: {token}"), "b": "ghp_short", "c": ["-----BEGIN RSA PRIVATE KEY-----"]}});
        assert_eq!(
            rules(object.clone(), &[]),
            ["/data/a the value looks like a token of GitHub", "/data/c/0 the value looks like a private key"]
        );
        assert_eq!(rules(object, &["/data/a", "/data/c/0"]), [""; 0]);
    }
}
