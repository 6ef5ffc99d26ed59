//! YAML and JSON that SOPS encrypted.

use serde_json::Value;

use super::identity::Identities;
use super::keys::Service;
use super::metadata::{Metadata, bare};
use super::open::{Opened, open};
use super::rewrite::{rewritten, same};
use super::value::{Plain, is_sealed};
use super::{Decrypted, FIELD, SecretValue, damaged, is_metadata, secret_values};
use crate::object::Problem;
use crate::object::yaml::places::{self, Node, places, readable};
use crate::object::yaml::{self};

/// Documents that share SOPS' own data, and so one key and one MAC: all of a file as SOPS writes it.
/// A file to which others were appended has more than one of these.
pub struct Unit {
    /// Which, from 0.
    pub documents: Vec<usize>,
    own: Value,
    line: u32,
}

/// The plain text of documents of YAML, or of a JSON object.
pub fn decrypt(path: &str, text: &str, identities: &Identities, limits: &yaml::Limits) -> Result<Decrypted, Problem> {
    let text = &*readable(text);
    let documents = places(path, text, limits)?;
    let (opened, own) = opened(&documents, identities)?;
    let plain = plain(path, text, (&documents, &own), &opened, limits)?;
    Ok(Decrypted { bytes: plain.into_bytes(), secrets: secret_values(&opened) })
}

/// The same without a key: every cipher text stands where it stood, and SOPS' own data are gone.
pub fn withheld(path: &str, text: &str, limits: &yaml::Limits) -> Result<Decrypted, Problem> {
    let text = &*readable(text);
    let documents = places(path, text, limits)?;
    let own: Vec<usize> = units(&documents).into_iter().flat_map(|unit| unit.documents).collect();
    let plain = plain(path, text, (&documents, &own), &[], limits)?;
    let mut secrets = Vec::new();
    own.iter().for_each(|at| cipher_texts(&documents[*at], "", &mut secrets));
    Ok(Decrypted { bytes: plain.into_bytes(), secrets })
}

/// The text with what was opened in it, read once more and compared.
fn plain(
    path: &str,
    text: &str,
    (documents, own): (&[Node], &[usize]),
    opened: &[Opened<'_>],
    limits: &yaml::Limits,
) -> Result<String, Problem> {
    let changed = || {
        let message = "the file is not laid out as SOPS writes files, and cannot be decrypted as it is";
        let problem = Problem::new("DecryptionFailed", message).in_file(path, units(documents).first().map(|u| u.line));
        problem.hint("let SOPS write it again: sops decrypt, and then sops encrypt")
    };
    let plain = rewritten(text, documents, own, opened).ok_or_else(changed)?;
    let after = places(path, &plain, limits).map_err(|_| changed())?;
    if same(documents, own, opened, &after) { Ok(plain) } else { Err(changed()) }
}

/// Every cipher text below a node, with the last key on the way to it.
fn cipher_texts(node: &Node, key: &str, found: &mut Vec<SecretValue>) {
    match node {
        Node::Map(map) => {
            let fields = map.fields.iter().filter(|field| field.name != FIELD);
            fields.for_each(|field| cipher_texts(&field.node, &field.name, found));
        }
        Node::List(list) => list.items.iter().for_each(|item| cipher_texts(item, key, found)),
        Node::Leaf(leaf) => {
            if let places::Value::Text(text) = &leaf.value
                && is_sealed(text)
            {
                let text = String::from_utf8_lossy(text).into_owned().into();
                found.push(SecretValue { key: key.to_owned(), text });
            }
        }
    }
}

/// Who keeps keys for a file, other than age.
pub fn services(text: &str, limits: &yaml::Limits) -> Vec<Service> {
    let documents = places("", &readable(text), limits).unwrap_or_default();
    let own = units(&documents).into_iter().filter_map(|unit| Metadata::read(&unit.own).ok());
    own.flat_map(|metadata| metadata.services()).collect()
}

/// What SOPS keeps as the one text of a JSON object.
pub fn decrypt_binary(
    path: &str,
    text: &str,
    identities: &Identities,
    limits: &yaml::Limits,
) -> Result<Decrypted, Problem> {
    let text = &*readable(text);
    let documents = places(path, text, limits)?;
    let (opened, _) = opened(&documents, identities)?;
    let whole = opened.into_iter().find(|value| value.path == ["data"]);
    let bytes = match whole.map(|value| value.plain) {
        Some(Plain::Value(places::Value::Text(bytes))) => bytes,
        _ => return Err(Problem::new("DecryptionFailed", "the file has no encrypted text `data`, as SOPS writes one")),
    };
    let text = String::from_utf8_lossy(&bytes).into_owned().into();
    Ok(Decrypted { bytes, secrets: vec![SecretValue { key: String::new(), text }] })
}

/// All values of all documents, and which documents have SOPS' own data.
fn opened<'a>(documents: &'a [Node], identities: &Identities) -> Result<(Vec<Opened<'a>>, Vec<usize>), Problem> {
    let (mut values, mut own) = (Vec::new(), Vec::new());
    for unit in units(documents) {
        let metadata = Metadata::read(&unit.own).map_err(|why| damaged(why, unit.line))?;
        let roots: Vec<&Node> = unit.documents.iter().map(|at| &documents[*at]).collect();
        values.extend(open(&roots, &metadata, identities, unit.line)?.0);
        own.extend(unit.documents);
    }
    Ok((values, own))
}

/// All of a file.
pub fn units(documents: &[Node]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut adjacent = false;
    for (at, document) in documents.iter().enumerate() {
        let Node::Map(map) = document else {
            // An empty document between others is none.
            adjacent &= matches!(document, Node::Leaf(leaf) if leaf.value == places::Value::Null);
            continue;
        };
        let field = map.fields.iter().find(|field| field.name == FIELD);
        let field = field.filter(|_| is_metadata(&bare(document)));
        let Some(field) = field else {
            adjacent = false;
            continue;
        };
        let own = bare(&field.node);
        match units.last_mut().filter(|_| adjacent) {
            Some(unit) if unit.own == own => unit.documents.push(at),
            _ => units.push(Unit { documents: vec![at], own, line: field.line }),
        }
        adjacent = true;
    }
    units
}
