//! `allowed_signers` (ssh-keygen(1), ALLOWED SIGNERS), and keys that are listed without such lines.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::PublicKey;
use ssh_key::public::KeyData;

use super::NAMESPACE;
use super::pattern::Patterns;
use crate::revision::signature::{Flaw, Wrong};

/// What is wrong with a file, at which line.
type Problem = (Option<usize>, String);

/// SSH keys that may sign, and those that may not whatever lists them.
#[derive(Clone, Debug, Default)]
pub(in crate::revision::signature) struct Allowed {
    lines: Vec<Line>,
    revoked: Vec<KeyData>,
}

/// A key, or the authority that certifies keys, with what it may sign.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The key.
    pub key: KeyData,
    /// Whose it is; of an authority, whom it may certify.
    pub principals: Patterns,
    /// Whether it certifies the keys of others, and signs nothing itself.
    pub authority: bool,
    namespaces: Option<Patterns>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl Line {
    /// Whether a key of this line, whose fingerprint is told, may sign in this namespace at `now`.
    ///
    /// # Errors
    /// It may not.
    pub fn judge(&self, namespace: &str, key: &str, now: Timestamp) -> Result<(), Wrong> {
        if self.namespaces.as_ref().is_some_and(|namespaces| !namespaces.matches(namespace)) {
            let why = format!("is signed by the key {key}, whose line allows other namespaces than {namespace}");
            return Err((Flaw::NamespaceMismatch, why));
        }
        if let Some(after) = self.after.filter(|after| now < *after) {
            let why = format!("is signed by the key {key}, which is valid only after {after}");
            return Err((Flaw::SignerNotYetValid, why));
        }
        if let Some(before) = self.before.filter(|before| now >= *before) {
            let why = format!("is signed by the key {key}, which was valid only before {before}");
            return Err((Flaw::SignerExpired, why));
        }
        Ok(())
    }
}

/// Whom a file of one person's keys names: `alice` of `alice.pub`.
pub(in crate::revision::signature) fn owner_of_file(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(owner, _)| owner)
}

impl Allowed {
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    pub(super) fn is_revoked(&self, key: &KeyData) -> bool {
        self.revoked.contains(key)
    }

    /// Reads the lines of `allowed_signers`.
    pub fn read_lines(&mut self, text: &str) -> Result<(), Problem> {
        for (at, line) in meaning(text) {
            let line = line_of(line).map_err(|message| (Some(at), message))?;
            self.lines.push(line);
        }
        Ok(())
    }

    /// Reads public keys, one a line, which may sign for Git at any time. `owner` is told as their owner.
    pub fn read_keys(&mut self, text: &str, owner: &str) -> Result<(), Problem> {
        for (at, line) in meaning(text) {
            let key = key_of(line).map_err(|message| (Some(at), message))?;
            self.lines.push(Line {
                key,
                principals: Patterns::new(owner),
                authority: false,
                namespaces: Some(Patterns::new(NAMESPACE)),
                after: None,
                before: None,
            });
        }
        Ok(())
    }

    /// Reads public keys, one a line, which may sign nothing.
    pub fn read_revoked(&mut self, text: &str) -> Result<(), Problem> {
        for (at, line) in meaning(text) {
            self.revoked.push(key_of(line).map_err(|message| (Some(at), message))?);
        }
        Ok(())
    }
}

/// The lines that say something, with their numbers.
fn meaning(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn key_of(text: &str) -> Result<KeyData, String> {
    let key = PublicKey::from_openssh(text)
        .map_err(|_| "is no public key: it is written as in a file *.pub, `ssh-ed25519 AAAA… comment`".to_owned())?;
    match key.key_data() {
        KeyData::Other(_) => Err(format!("is a key of the type {}, which is not supported", key.algorithm())),
        data => Ok(data.clone()),
    }
}

fn line_of(text: &str) -> Result<Line, String> {
    let (principals, rest) = principals_of(text)?;
    let rest = rest.trim_start();
    let end = if is_key(rest) { 0 } else { end_of_options(rest).ok_or("has a quotation mark without its end")? };
    let (options, key) = rest.split_at(end);
    let (mut authority, mut namespaces, mut after, mut before) = (false, None, None, None);
    for option in options_of(options).into_iter().filter(|_| end > 0) {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(unquoted(value).ok_or("has a value without quotation marks")?)),
            None => (option, None),
        };
        match (name.to_ascii_lowercase().as_str(), value) {
            ("cert-authority", None) => authority = true,
            ("namespaces", Some(value)) => once(&mut namespaces, Patterns::new(value), name)?,
            ("valid-after", Some(value)) => once(&mut after, time(value)?, name)?,
            ("valid-before", Some(value)) => once(&mut before, time(value)?, name)?,
            _ => {
                return Err(format!(
                    "has the option {name:?}, which is none of cert-authority, namespaces=\"…\", valid-after=\"…\" and valid-before=\"…\""
                ));
            }
        }
    }
    Ok(Line { key: key_of(key.trim())?, principals: Patterns::new(principals), authority, namespaces, after, before })
}

fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("has the option {name:?} twice")),
    }
}

/// The principals, which may stand in quotation marks, and the rest.
fn principals_of(text: &str) -> Result<(&str, &str), String> {
    let split = match text.strip_prefix('"') {
        Some(rest) => rest.split_once('"'),
        None => text.split_once([' ', '\t']),
    };
    split
        .filter(|(principals, _)| !principals.is_empty() && !is_key(principals))
        .ok_or_else(|| "names nobody before the key".to_owned())
}

/// Whether a key begins here, and no options.
fn is_key(text: &str) -> bool {
    let word = text.split([' ', '\t']).next().unwrap_or_default();
    word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-")
}

/// Where the first blank outside quotation marks is.
fn end_of_options(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(text.len())
}

/// The options, at the commas outside quotation marks.
fn options_of(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .collect()
}

fn unquoted(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

/// `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, in UTC, with or without the `Z` that says so: an agent has no time zone of its own.
fn time(text: &str) -> Result<Timestamp, String> {
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let written = matches!(digits.len(), 8 | 12 | 14) && digits.bytes().all(|b| b.is_ascii_digit());
    let time = DateTime::strptime("%Y%m%d%H%M%S", format!("{digits:0<14}")).ok().filter(|_| written);
    time.and_then(|time| time.to_zoned(TimeZone::UTC).ok())
        .map(|time| time.timestamp())
        .ok_or_else(|| format!("has the time {text:?}, which is not of the form YYYYMMDD or YYYYMMDDHHMM[SS][Z]"))
}
