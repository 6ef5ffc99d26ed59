//! From an encrypted file to its plain text, with its MAC verified.

use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::damaged;
use super::identity::Identities;
use super::metadata::{Key, Metadata};
use super::shamir::combine;
use super::value::{DataKey, Plain, authenticated, is_sealed};
use crate::object::Problem;
use crate::object::yaml::places::{Leaf, Node, Value};

/// What MACs of encrypted values alone begin with, so that none of them is one of all values: the
/// SHA-256 of `sops`.
const ENCRYPTED_ALONE: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// A value that was decrypted.
pub struct Opened<'a> {
    /// The keys that lead to it; places in lists are left out.
    pub path: Vec<&'a str>,
    /// Where its cipher text stands.
    pub leaf: &'a Leaf,
    /// What it says.
    pub plain: Plain,
}

/// Decrypts all that is encrypted in the mappings, which share SOPS' own data, and verifies the MAC.
/// Fields `sops` at their top are left out. The key is that of what is in no mapping.
///
/// # Errors
/// Why not, with the line of what is wrong; `line` is that of SOPS' own data.
pub fn open<'a>(
    roots: &[&'a Node],
    metadata: &Metadata,
    identities: &Identities,
    line: u32,
) -> Result<(Vec<Opened<'a>>, DataKey), Problem> {
    let key = data_key(metadata, identities).map_err(|problem| problem.in_file("", Some(line)))?;
    let mut walk = Walk { key: &key, metadata, hash: Sha512::new(), path: Vec::new(), opened: Vec::new(), wrong: None };
    if metadata.mac_only_encrypted {
        walk.hash.update(ENCRYPTED_ALONE);
    }
    for root in roots {
        walk.root(root);
    }
    let Walk { hash, opened, wrong, .. } = walk;
    if let Some((line, message)) = wrong {
        return Err(damaged(message, line));
    }
    let mac = key.text(&metadata.mac, &metadata.modified).map_err(|_| "SOPS' MAC of the file was changed");
    let computed: String = hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect();
    let message = match mac {
        Ok(mac) if mac == computed.as_bytes() => return Ok((opened, key)),
        Ok(_) => "the file was changed after it was encrypted: it is not the one that SOPS' MAC is of",
        Err(message) => message,
    };
    Err(damaged(message, line))
}

/// The key of all values.
fn data_key(metadata: &Metadata, identities: &Identities) -> Result<DataKey, Problem> {
    let parts: Vec<Zeroizing<Vec<u8>>> =
        metadata.groups.iter().filter_map(|group| group.iter().find_map(|key| part(key, identities))).collect();
    let several = metadata.groups.len() > 1;
    let needed = if several { metadata.threshold.max(1) } else { 1 };
    if parts.len() < needed {
        return Err(locked_out(metadata, identities, parts.len(), needed));
    }
    let key = if several { combine(&parts) } else { parts.into_iter().next() };
    key.and_then(|key| DataKey::new(&key))
        .ok_or_else(|| damaged("the parts of the data key do not fit together: SOPS' own data were changed", 0))
}

fn part(key: &Key, identities: &Identities) -> Option<Zeroizing<Vec<u8>>> {
    match key {
        Key::Age { sealed, .. } => identities.open(sealed),
        Key::Other { .. } => None,
    }
}

/// None of our keys, or too few of them, is one that the file is encrypted for.
fn locked_out(metadata: &Metadata, identities: &Identities, has: usize, needed: usize) -> Problem {
    let mut keys: Vec<String> = metadata.keys().map(Key::told).collect();
    keys.dedup();
    let keys = list(keys.iter().map(String::as_str));
    if identities.is_empty() {
        let message = format!("the file is encrypted with SOPS for {keys}, and no key is given");
        return Problem::new("EncryptedManifest", message).hint(super::GIVE);
    }
    let mut message = if needed > 1 {
        format!("keys of {needed} groups are needed, and there are those of {has}; the file is encrypted for {keys}")
    } else {
        format!("the file is encrypted for {keys}")
    };
    let ours = identities.public();
    message.push_str(&match ours.as_slice() {
        [_] => format!(", and the one key that is given is that of {}", list(ours)),
        _ => format!(", and the keys that are given are those of {}", list(ours)),
    });
    let damaged = metadata
        .keys()
        .any(|key| matches!(key, Key::Age { recipient, .. } if identities.public().contains(&recipient.as_str())));
    let problem = Problem::new("NoDecryptionKey", message);
    match damaged {
        true => problem.hint("the key fits, and what is encrypted for it is damaged: take the file from Git's history"),
        false => problem.hint("give one of those keys, or encrypt the file for one that is given: `sops updatekeys`"),
    }
}

/// At most five of them, by name.
fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.len() {
        0..=5 => names.join(", "),
        many => format!("{} and {} more", names[..5].join(", "), many - 5),
    }
}

struct Walk<'w, 'a> {
    key: &'w DataKey,
    metadata: &'w Metadata,
    hash: Sha512,
    path: Vec<&'a str>,
    opened: Vec<Opened<'a>>,
    /// The first thing that is wrong, with its line.
    wrong: Option<(u32, String)>,
}

impl<'a> Walk<'_, 'a> {
    fn root(&mut self, node: &'a Node) {
        let Node::Map(map) = node else { return };
        for field in map.fields.iter().filter(|field| field.name != super::FIELD) {
            self.path.push(&field.name);
            self.node(&field.node, false);
            self.path.pop();
        }
    }

    fn node(&mut self, node: &'a Node, in_list: bool) {
        match node {
            Node::Leaf(leaf) => self.leaf(leaf, in_list),
            Node::List(list) => list.items.iter().for_each(|item| self.node(item, true)),
            Node::Map(map) => {
                for field in &map.fields {
                    self.path.push(&field.name);
                    self.node(&field.node, false);
                    self.path.pop();
                }
            }
        }
    }

    fn leaf(&mut self, leaf: &'a Leaf, in_list: bool) {
        let text = match &leaf.value {
            Value::Null => return,
            Value::Text(text) => Some(text.as_slice()),
            _ => None,
        };
        let encrypted = self.metadata.selection.covers(&self.path, || text.is_some_and(is_sealed));
        if !encrypted {
            if !self.metadata.mac_only_encrypted
                && let Some(bytes) = authenticated(&leaf.value)
            {
                self.hash.update(bytes);
            }
            return;
        }
        let additional = self.path.join(":") + ":";
        let plain = match text {
            Some(text) => self.key.value(text, &additional),
            None => Err("is not encrypted, and is to be"),
        };
        match plain {
            Ok(Plain::Comment) if !in_list => self.fault(leaf, "says that it is a comment, where a value is needed"),
            Ok(plain) => {
                match &plain {
                    Plain::Value(value) => self.hash.update(authenticated(value).unwrap_or_default()),
                    Plain::Time(text) => self.hash.update(text),
                    Plain::Comment => {}
                }
                self.opened.push(Opened { path: self.path.clone(), leaf, plain });
            }
            Err(why) => self.fault(leaf, why),
        }
    }

    fn fault(&mut self, leaf: &Leaf, why: &str) {
        let message = format!("{}: the value {why}", self.path.join("."));
        self.wrong.get_or_insert((leaf.line, message));
    }
}
