//! What only the program `sops` can decrypt: files for keys of PGP, of a cloud or of Vault, and files
//! of sections. Nothing is run here: it is asked for, and what it printed is put in place.

use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::form::{Encrypted, Form};
use super::keys::{Keys, Place, Service};
use super::open::Opened;
use super::rewrite::{rewritten, same};
use super::secrets::{SecretValue, secret_values};
use super::structured::units;
use super::value::{Plain, is_comment, is_sealed};
use super::{Decrypted, FIELD, dotenv, structured};
use crate::object::yaml::places::{Node, Value, places, readable};
use crate::object::{Digest, DigestKey, Problem, yaml};
use crate::render::Blob;

/// A file, and all with which it may be decrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// How it is written.
    pub form: Form,
    /// The file.
    pub file: Blob,
    /// With what.
    pub keys: Keys,
}

impl Request {
    /// Of all that decides what the program prints.
    pub(in crate::render) fn digest(&self) -> Digest {
        let key = DigestKey::new(*b"sops decrypt");
        let keys = Zeroizing::new(serde_json::to_vec(&self.keys).unwrap_or_default());
        let parts = [key.digest_bytes(self.file.bytes()).to_string(), key.digest_bytes(&keys).to_string()];
        key.digest(&json!([self.form.told(), parts]))
    }
}

/// Whether the program may have a key for a file that cannot be decrypted here.
pub fn helps(text: &str, found: Encrypted, keys: &Keys, limits: &yaml::Limits) -> bool {
    let services: Vec<Service> = match found.form {
        Form::Ini => return !keys.is_empty() || keys.place() == Place::Person,
        Form::Dotenv => dotenv::services(text),
        Form::Yaml | Form::Json | Form::Binary => structured::services(text, limits),
    };
    services.into_iter().any(|service| keys.reach(service))
}

/// The plain text, where the program has printed it its own way.
pub fn placed(
    path: &str,
    text: &str,
    found: Encrypted,
    printed: &[u8],
    limits: &yaml::Limits,
) -> Result<Decrypted, Problem> {
    let whole = || String::from_utf8_lossy(printed).into_owned();
    match found.form {
        Form::Binary => {
            let secret = SecretValue { key: String::new(), text: whole().into() };
            Ok(Decrypted { bytes: printed.to_vec(), secrets: vec![secret] })
        }
        // What is not encrypted is masked too: which lines were is not told.
        Form::Dotenv | Form::Ini => {
            let line = |line: &str| {
                let (key, value) = line.split_once('=')?;
                let (key, value) = (key.trim().to_owned(), value.trim());
                (!value.is_empty()).then(|| SecretValue { key, text: value.to_owned().into() })
            };
            Ok(Decrypted { bytes: printed.to_vec(), secrets: whole().lines().filter_map(line).collect() })
        }
        Form::Yaml | Form::Json => {
            let problem = |why: &str| Problem::new("DecryptionFailed", why).in_file(path, Some(found.line));
            let text = &*readable(text);
            let printed = std::str::from_utf8(printed).map_err(|_| problem("SOPS printed what is no text"))?;
            let (before, after) = (places(path, text, limits)?, places(path, &readable(printed), limits)?);
            let changed = || problem("SOPS printed another structure than the file has");
            let mut opened = Vec::new();
            let own: Vec<usize> = units(&before).into_iter().flat_map(|unit| unit.documents).collect();
            for (at, (before, after)) in before.iter().zip(&after).enumerate() {
                matched(before, after, own.contains(&at), &mut Vec::new(), &mut opened).ok_or_else(changed)?;
            }
            let plain = rewritten(text, &before, &own, &opened).ok_or_else(changed)?;
            let again = places(path, &plain, limits).map_err(|_| changed())?;
            if before.len() != after.len() || !same(&before, &own, &opened, &again) {
                return Err(changed());
            }
            Ok(Decrypted { bytes: plain.into_bytes(), secrets: secret_values(&opened) })
        }
    }
}

/// Goes along an encrypted node and its plain text, and notes each value that was encrypted.
fn matched<'a>(
    before: &'a Node,
    after: &Node,
    is_root: bool,
    path: &mut Vec<&'a str>,
    opened: &mut Vec<Opened<'a>>,
) -> Option<()> {
    match (before, after) {
        (Node::Leaf(leaf), Node::Leaf(after)) => match &leaf.value {
            Value::Text(text) if is_sealed(text) => {
                opened.push(Opened { path: path.clone(), leaf, plain: Plain::Value(after.value.clone()) });
                Some(())
            }
            _ => Some(()),
        },
        (Node::List(list), Node::List(plain)) => {
            let mut plain = plain.items.iter();
            for item in &list.items {
                match item {
                    Node::Leaf(leaf) if matches!(&leaf.value, Value::Text(text) if is_comment(text)) => {
                        opened.push(Opened { path: path.clone(), leaf, plain: Plain::Comment });
                    }
                    item => matched(item, plain.next()?, false, path, opened)?,
                }
            }
            plain.next().is_none().then_some(())
        }
        (Node::Map(map), after) => {
            let mut plain = match after {
                Node::Map(map) => map.fields.iter(),
                Node::Leaf(leaf) if leaf.value == Value::Null => [].iter(),
                _ => return None,
            };
            for field in map.fields.iter().filter(|field| !(is_root && field.name == FIELD)) {
                let after = plain.next().filter(|after| after.name == field.name)?;
                path.push(&field.name);
                matched(&field.node, &after.node, false, path, opened)?;
                path.pop();
            }
            plain.next().is_none().then_some(())
        }
        _ => None,
    }
}
