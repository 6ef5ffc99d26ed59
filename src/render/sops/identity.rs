//! The private keys that decrypt a file: age's own, and those of SSH.

use std::fmt;
use std::io::Read as _;

use age::armor::ArmoredReader;
use age::{Decryptor, ssh, x25519};
use zeroize::Zeroizing;

/// Private keys. They are never printed; their public halves are.
#[derive(Default)]
pub struct Identities(Vec<Identity>);

struct Identity {
    public: String,
    private: Private,
}

enum Private {
    Age(x25519::Identity),
    Ssh(Box<ssh::Identity>),
}

/// The longest part of a data key that is read: a key of 32 bytes, and the place of a part.
const LONGEST: u64 = 64;

impl Identities {
    /// Adds the keys of a text: lines of `AGE-SECRET-KEY-1…`, empty ones and comments between them;
    /// or one private key of SSH.
    ///
    /// # Errors
    /// Why a line is no key that can be used, without repeating it.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        if text.trim_start().starts_with("-----BEGIN") {
            return self.add_ssh(text);
        }
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: &str| format!("line {}: {why}", at + 1);
            let identity: x25519::Identity = line.parse().map_err(|_| wrong(unusable(line)))?;
            let public = identity.to_public().to_string();
            self.0.push(Identity { public, private: Private::Age(identity) });
        }
        Ok(())
    }

    fn add_ssh(&mut self, text: &str) -> Result<(), String> {
        let read = ssh::Identity::from_buffer(text.as_bytes(), None);
        let identity = match read {
            Ok(identity @ ssh::Identity::Unencrypted(_)) => identity,
            Ok(ssh::Identity::Encrypted(_)) => {
                return Err("the SSH key is protected by a passphrase, which nobody is there to enter".to_owned());
            }
            Ok(ssh::Identity::Unsupported(_)) | Err(_) => {
                return Err("it is no private key of SSH that age can use: one of ed25519 or RSA".to_owned());
            }
        };
        let public = ssh::Recipient::try_from(identity.clone()).map_err(|_| "the SSH key has no public half")?;
        self.0.push(Identity { public: public.to_string(), private: Private::Ssh(Box::new(identity)) });
        Ok(())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The public halves.
    pub fn public(&self) -> Vec<&str> {
        self.0.iter().map(|identity| identity.public.as_str()).collect()
    }

    /// What an armoured age file holds, where one of the keys is its recipient's.
    pub fn open(&self, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(sealed.as_bytes())).ok()?;
        let identities = self.0.iter().map(|identity| match &identity.private {
            Private::Age(identity) => identity as &dyn age::Identity,
            Private::Ssh(identity) => &**identity as &dyn age::Identity,
        });
        let mut opened = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
        decryptor.decrypt(identities).ok()?.take(LONGEST + 1).read_to_end(&mut opened).ok()?;
        (opened.len() as u64 <= LONGEST).then_some(opened)
    }
}

/// Why a line is no key.
fn unusable(line: &str) -> &'static str {
    if line.starts_with("AGE-SECRET-KEY-PQ-1") {
        "keys of age for post-quantum recipients (AGE-SECRET-KEY-PQ-1…) cannot be used yet"
    } else if line.starts_with("AGE-PLUGIN-") {
        "keys that need a plugin of age cannot be used"
    } else if line.starts_with("age1") {
        "it is a public key of age; the private one starts with AGE-SECRET-KEY-1"
    } else {
        "it is no private key of age, which starts with AGE-SECRET-KEY-1"
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identities").field(&self.public()).finish()
    }
}
