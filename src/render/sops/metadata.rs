//! SOPS' own data in a file: who can decrypt it, which of its values are encrypted, and their MAC.

use serde_json::{Map, Value};

use super::keys::Service;
use super::select::{Rule, Selection};
use crate::object::yaml::places::{self, Node};

/// SOPS' own data.
#[derive(Debug)]
pub struct Metadata {
    /// Who can decrypt which part of the data key.
    pub groups: Vec<Vec<Key>>,
    /// Of how many groups a part is needed, where there is more than one.
    pub threshold: usize,
    /// When the file was encrypted; part of what authenticates the MAC.
    pub modified: String,
    /// The MAC, encrypted.
    pub mac: String,
    /// Whether the MAC is of the encrypted values alone.
    pub mac_only_encrypted: bool,
    /// Which values are encrypted.
    pub selection: Selection,
}

/// A key to which a part of the data key is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// An age recipient, and the part, encrypted to it.
    Age {
        /// `age1…`, or a public key of SSH.
        recipient: String,
        /// An armoured age file.
        sealed: String,
    },
    /// A key of another kind.
    Other {
        /// Who keeps it.
        service: Service,
        /// `PGP`, `AWS KMS` and so on.
        kind: &'static str,
        /// What names it there.
        name: String,
    },
}

/// The kinds of keys other than age: the field that lists them, what people call them, and the
/// fields that name one.
const OTHERS: [(&str, Service, &str, &[&str]); 6] = [
    ("pgp", Service::Pgp, "PGP", &["fp"]),
    ("kms", Service::Aws, "AWS KMS", &["arn"]),
    ("gcp_kms", Service::Google, "Google Cloud KMS", &["resource_id"]),
    ("azure_kv", Service::Azure, "Azure Key Vault", &["vault_url", "name", "version"]),
    ("hc_vault", Service::Vault, "Vault", &["vault_address", "engine_path", "key_name"]),
    ("hckms", Service::Huawei, "Huawei Cloud KMS", &["key_id"]),
];

impl Metadata {
    /// The data of a field `sops`. An error says what is wrong, and not where.
    pub fn read(value: &Value) -> Result<Self, String> {
        let known = |field: &str| !text(value, field).is_empty();
        if let Some(missing) = ["lastmodified", "mac"].into_iter().find(|field| !known(field)) {
            return Err(format!("SOPS' own data have no {missing}"));
        }
        let own = group(value);
        let groups = if own.is_empty() { list(value, "key_groups").map(group).collect() } else { vec![own] };
        if groups.iter().all(Vec::is_empty) {
            return Err("SOPS' own data name no key that the file is encrypted for".to_owned());
        }
        let threshold = text(value, "shamir_threshold");
        let threshold = match threshold.as_str() {
            "" => 0,
            number => number.parse().map_err(|_| "shamir_threshold is no number".to_owned())?,
        };
        let rules: Vec<(&str, Rule)> = Rule::NAMES.into_iter().filter(|(field, _)| known(field)).collect();
        let selection = match rules.as_slice() {
            [] => Selection::default(),
            [(field, rule)] => Selection::new(*rule, &text(value, field)).map_err(|why| format!("{field}: {why}"))?,
            [(one, _), (other, _), ..] => return Err(format!("SOPS' own data have both {one} and {other}")),
        };
        Ok(Self {
            groups,
            threshold,
            modified: text(value, "lastmodified"),
            mac: text(value, "mac"),
            mac_only_encrypted: text(value, "mac_only_encrypted") == "true",
            selection,
        })
    }

    /// Who keeps keys for the file, other than age.
    pub fn services(&self) -> Vec<Service> {
        let service = |key: &Key| match key {
            Key::Age { .. } => None,
            Key::Other { service, .. } => Some(*service),
        };
        self.keys().filter_map(service).collect()
    }

    /// All keys, once each, in the order in which they stand.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.groups.iter().flatten()
    }
}

impl Key {
    /// What people read: `age1…`, `PGP FBC7B9E2…`.
    pub fn told(&self) -> String {
        match self {
            Self::Age { recipient, .. } => recipient.clone(),
            Self::Other { kind, name, .. } => format!("{kind} {name}"),
        }
    }
}

fn group(value: &Value) -> Vec<Key> {
    let age = list(value, "age");
    let mut keys: Vec<Key> =
        age.map(|key| Key::Age { recipient: text(key, "recipient"), sealed: text(key, "enc") }).collect();
    for (field, service, kind, names) in OTHERS {
        keys.extend(list(value, field).map(|key| {
            let names: Vec<String> = names.iter().map(|name| text(key, name)).filter(|name| !name.is_empty()).collect();
            Key::Other { service, kind, name: names.join("/") }
        }));
    }
    keys
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// A field as a text, as a reader has it that does not mind types.
fn text(value: &Value, field: &str) -> String {
    match value.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        _ => String::new(),
    }
}

/// A node without its places.
pub fn bare(node: &Node) -> Value {
    match node {
        Node::Leaf(leaf) => match &leaf.value {
            places::Value::Null => Value::Null,
            places::Value::Bool(flag) => Value::from(*flag),
            places::Value::Int(int) => Value::from(*int),
            places::Value::Float(float) => Value::from(*float),
            places::Value::Text(bytes) => String::from_utf8_lossy(bytes).into(),
        },
        Node::List(list) => list.items.iter().map(bare).collect(),
        Node::Map(map) => Value::Object(map.fields.iter().map(|f| (f.name.clone(), bare(&f.node))).collect()),
    }
}

/// Levels below which SOPS has nothing: `key_groups`, a group, a list of keys, a key, a context.
const DEEPEST: usize = 8;

/// SOPS' own data from lines `sops_age__list_0__map_recipient=…`, without the `sops_`.
pub fn unflattened<'a>(lines: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let mut root = Value::Object(Map::new());
    for (name, value) in lines.filter(|(name, _)| name.matches("__").count() <= DEEPEST) {
        let mut here = &mut root;
        for (at, part) in name.split("__").enumerate() {
            here = match part.strip_prefix("list_").filter(|_| at > 0) {
                Some(place) => item(here, place),
                None => field(here, part.strip_prefix("map_").filter(|_| at > 0).unwrap_or(part)),
            };
        }
        *here = Value::from(value);
    }
    root
}

fn field<'v>(value: &'v mut Value, key: &str) -> &'v mut Value {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    &mut value[key]
}

/// Items stand in their order, so no place is far behind the last one.
fn item<'v>(value: &'v mut Value, place: &str) -> &'v mut Value {
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    let items = value.as_array_mut().expect("an array");
    let place = place.parse().unwrap_or(0_usize).min(items.len());
    if place == items.len() {
        items.push(Value::Null);
    }
    &mut items[place]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(more: Value) -> Value {
        let mut value = json!({"lastmodified": "2026-01-01T00:00:00Z", "mac": "ENC[x]", "version": "3.13.3",
            "age": [{"recipient": "age1x", "enc": "sealed"}]});
        value.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        value
    }

    #[test]
    fn keys_of_every_kind_are_named() {
        let keys = json!({"pgp": [{"fp": "FBC7"}], "kms": [{"arn": "arn:aws:kms:a:1:key/b"}], "gcp_kms": [{"resource_id": "projects/p"}],
            "azure_kv": [{"vault_url": "https://v", "name": "n", "version": "1"}],
            "hc_vault": [{"vault_address": "https://v", "engine_path": "e", "key_name": "k"}], "hckms": [{"key_id": "i"}]});
        let told: Vec<String> = Metadata::read(&with(keys)).expect("metadata").keys().map(Key::told).collect();
        assert_eq!(
            told,
            [
                "age1x",
                "PGP FBC7",
                "AWS KMS arn:aws:kms:a:1:key/b",
                "Google Cloud KMS projects/p",
                "Azure Key Vault https://v/n/1",
                "Vault https://v/e/k",
                "Huawei Cloud KMS i",
            ]
        );
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        for (more, expected) in [
            (json!({"mac": ""}), "SOPS' own data have no mac"),
            (json!({"lastmodified": null}), "SOPS' own data have no lastmodified"),
            (json!({"age": [], "kms": null}), "SOPS' own data name no key that the file is encrypted for"),
            (json!({"shamir_threshold": "two"}), "shamir_threshold is no number"),
            (json!({"encrypted_regex": "("}), "encrypted_regex: it is no regular expression"),
            (
                json!({"encrypted_regex": "a", "unencrypted_suffix": "b"}),
                "SOPS' own data have both unencrypted_suffix and encrypted_regex",
            ),
        ] {
            assert_eq!(Metadata::read(&with(more)).map(|_| ()).expect_err(expected), expected);
        }
    }

    #[test]
    fn lines_of_an_env_file_are_the_same_data() {
        let lines = "age__list_0__map_recipient=a\nage__list_0__map_enc=b\nage__list_1__map_recipient=c\nmac=m\nkey_groups__list_0__map_age__list_0__map_enc=d";
        let expected = json!({"age": [{"recipient": "a", "enc": "b"}, {"recipient": "c"}], "mac": "m", "key_groups": [{"age": [{"enc": "d"}]}]});
        assert_eq!(unflattened(lines.lines().filter_map(|line| line.split_once('='))), expected);
        let odd = unflattened([("list_4000000000__map_a", "b"), ("map_a", "c")].into_iter());
        assert_eq!(odd, json!({"list_4000000000": {"a": "b"}, "map_a": "c"}), "only what follows a name is an item");
    }
}
