//! Files that SOPS encrypted, decrypted in memory: bytes and private keys to bytes, or a problem.
//!
//! What SOPS promises is held as it holds it: each value is decrypted with the path at which it
//! stands, which values are encrypted is decided by the file's own rule, and the MAC of all values
//! is verified, before anything of the file is used. The plain text has every value at the line of
//! its cipher text, so that whatever is wrong in it is told with the line of the file in the
//! repository; and it is read once more and compared before it is given away.

mod dotenv;
mod form;
mod identity;
mod keys;
mod metadata;
mod open;
mod opening;
mod pgp;
mod program;
mod rewrite;
mod secrets;
mod select;
mod shamir;
mod structured;
mod value;
mod withheld;

pub use self::identity::Identities;
pub use self::keys::{Keys, Place, Service, VaultAddress};
pub use self::opening::Opening;
pub use self::pgp::keyring;
pub use self::program::Request;
pub use self::secrets::Secrets;
pub(super) use form::{MARKS, is_metadata};

use self::form::{Encrypted, Form};
use self::secrets::{SecretValue, secret_values};
use crate::object::Problem;
use crate::object::yaml;

/// The field of SOPS' own data.
const FIELD: &str = "sops";

/// How a private key is given.
const GIVE: &str = "name the Secret with the private key in spec.decryption of the Sync; on the command line, give \
                    --age-key-file";

/// A file that was encrypted.
struct Decrypted {
    /// Its plain text.
    bytes: Vec<u8>,
    /// What is secret in it.
    secrets: Vec<SecretValue>,
}

/// The plain text of an encrypted file.
///
/// # Errors
/// Why it cannot be decrypted: the rule is `NoDecryptionKey` where no key fits, `DecryptionFailed`
/// where the file is damaged or was changed after it was encrypted, and `EncryptedManifest` where
/// nothing here decrypts a file of its form.
fn decrypt(
    path: &str,
    bytes: &[u8],
    found: Encrypted,
    identities: &Identities,
    limits: &yaml::Limits,
) -> Result<Decrypted, Problem> {
    let at = |line: u32, message: &str| Problem::new("DecryptionFailed", message).in_file(path, Some(line));
    let text = std::str::from_utf8(bytes).map_err(|_| at(found.line, "the file is not UTF-8, as SOPS writes it"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let done = match found.form {
        Form::Yaml | Form::Json => structured::decrypt(path, text, identities, limits),
        Form::Binary => structured::decrypt_binary(path, text, identities, limits),
        Form::Dotenv => dotenv::decrypt(text, identities, found.line),
        Form::Ini => {
            Err(Problem::new("EncryptedManifest", "files of sections (INI) that SOPS encrypted are not decrypted")
                .in_file(path, Some(found.line))
                .hint("encrypt it as a whole: sops encrypt --input-type binary"))
        }
    };
    done.map_err(|problem| Problem { file: Some(path.to_owned()), ..problem })
}

/// A file that is not, or not any more, as SOPS wrote it.
fn damaged(message: impl Into<String>, line: u32) -> Problem {
    Problem::new("DecryptionFailed", message)
        .in_file("", Some(line))
        .hint("take the file as SOPS wrote it from Git's history, and change it with `sops edit`")
}

#[cfg(test)]
mod tests;
