//! Lines of `KEY=value` that SOPS encrypted.

use super::identity::Identities;
use super::keys::Service;
use super::metadata::{Metadata, unflattened};
use super::open::{Opened, open};
use super::value::{DataKey, Plain, decimal};
use super::{Decrypted, damaged, secret_values};
use crate::object::Problem;
use crate::object::yaml::places::{Field, Leaf, Map, Node, Value};

/// What lines of SOPS' own data begin with.
const OWN: &str = "sops_";

/// The plain text, line by line as SOPS prints it: a line feed within a value is written `\n`, and
/// empty lines are left out.
pub fn decrypt(text: &str, identities: &Identities, line: u32) -> Result<Decrypted, Problem> {
    let (mut fields, mut own, mut at) = (Vec::new(), Vec::new(), 0);
    for (number, written) in (1..).zip(text.split('\n')) {
        let start = at;
        at += written.len() + 1;
        if written.is_empty() || written.starts_with('#') {
            continue;
        }
        let Some((name, value)) = written.split_once('=') else {
            let message = "the line has no `=`, and is no comment";
            return Err(damaged(message, number));
        };
        let value = value.replace("\\n", "\n");
        if let Some(name) = name.strip_prefix(OWN) {
            own.push((name, value));
            continue;
        }
        let leaf = Leaf { value: Value::Text(value.into_bytes()), at: start..at - 1, line: number };
        fields.push(Field {
            name: name.to_owned(),
            at: start..start + name.len(),
            line: number,
            node: Node::Leaf(leaf),
        });
    }
    let own = unflattened(own.iter().map(|(name, value)| (*name, value.as_str())));
    let metadata = Metadata::read(&own).map_err(|why| damaged(why, line))?;
    let root = Node::Map(Map { fields, flow: None });
    let (opened, key) = open(&[&root], &metadata, identities, line)?;
    Ok(Decrypted { bytes: printed(text, &opened, &key).into_bytes(), secrets: secret_values(&opened) })
}

/// Who keeps keys for a file, other than age.
pub fn services(text: &str) -> Vec<Service> {
    let own = text.lines().filter_map(|line| line.strip_prefix(OWN)?.split_once('='));
    Metadata::read(&unflattened(own)).map(|metadata| metadata.services()).unwrap_or_default()
}

fn printed(text: &str, opened: &[Opened<'_>], key: &DataKey) -> String {
    let mut values = opened.iter().peekable();
    let (mut printed, mut at) = (String::new(), 0);
    for line in text.split('\n') {
        let start = at;
        at += line.len() + 1;
        if line.is_empty() || line.starts_with(OWN) {
            continue;
        }
        // A comment that cannot be decrypted was not encrypted.
        if let Some(Ok(comment)) = line.strip_prefix('#').map(|comment| key.text(comment, ":")) {
            printed.push_str(&format!("#{}\n", String::from_utf8_lossy(&comment)));
            continue;
        }
        match values.next_if(|value| value.leaf.at.start == start) {
            Some(value) => {
                let name = value.path.last().copied().unwrap_or_default();
                printed.push_str(&format!("{name}={}\n", shown(&value.plain)));
            }
            None => printed.push_str(&format!("{line}\n")),
        }
    }
    printed
}

fn shown(plain: &Plain) -> String {
    match plain {
        Plain::Comment | Plain::Value(Value::Null) => String::new(),
        Plain::Time(text) => text.clone(),
        Plain::Value(Value::Bool(flag)) => flag.to_string(),
        Plain::Value(Value::Int(int)) => int.to_string(),
        Plain::Value(Value::Float(float)) => decimal(*float),
        Plain::Value(Value::Text(bytes)) => String::from_utf8_lossy(bytes).replace('\n', "\\n"),
    }
}
