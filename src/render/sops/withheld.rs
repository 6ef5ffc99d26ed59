//! An encrypted file for somebody who has no key and must not have one: its cipher texts stand for what they are of.
//!
//! What is made of it is no content of anything: it says which objects there are, and where in them something is secret.

use super::form::{Encrypted, Form};
use super::value::is_sealed;
use super::{Decrypted, SecretValue, structured};
use crate::object::{Problem, yaml};

/// The file without SOPS' own data; each cipher text in it counts as secret.
///
/// # Errors
/// It is not laid out as SOPS writes files.
pub fn withheld(path: &str, bytes: &[u8], found: Encrypted, limits: &yaml::Limits) -> Result<Decrypted, Problem> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match found.form {
        Form::Yaml | Form::Json => structured::withheld(path, text, limits),
        Form::Dotenv => Ok(lines(text)),
        // One text as a whole.
        Form::Binary | Form::Ini => {
            let secret = SecretValue { key: String::new(), text: text.to_owned().into() };
            Ok(Decrypted { bytes: text.as_bytes().to_vec(), secrets: vec![secret] })
        }
    }
}

fn lines(text: &str) -> Decrypted {
    let (mut bytes, mut secrets) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("sops_")) {
        if let Some((key, value)) = line.split_once('=').filter(|(_, value)| is_sealed(value.as_bytes())) {
            secrets.push(SecretValue { key: key.to_owned(), text: value.to_owned().into() });
        }
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    Decrypted { bytes, secrets }
}
