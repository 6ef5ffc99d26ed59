//! The deploy key, and where its public half belongs.

use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey};

use crate::failure::{Failed, Fault};
use crate::git::Secret;

/// A key that may read one repository.
pub struct DeployKey {
    /// Private half, OpenSSH.
    pub identity: Secret,
    /// Public half, as it stands in `authorized_keys`.
    pub public: String,
}

impl DeployKey {
    /// A new ed25519 key.
    pub fn generate(comment: &str) -> Result<Self, Failed> {
        let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(|e| broken(&e))?;
        key.set_comment(comment);
        Self::of(&key)
    }

    /// The key in a Secret.
    pub fn read(identity: &str) -> Result<Self, Failed> {
        Self::of(&PrivateKey::from_openssh(identity).map_err(|error| {
            Failed::new("InvalidCredentials", Fault::Cluster, format!("the key in the Secret cannot be read: {error}"))
        })?)
    }

    fn of(key: &PrivateKey) -> Result<Self, Failed> {
        let identity = key.to_openssh(LineEnding::LF).map_err(|e| broken(&e))?;
        let public = key.public_key().to_openssh().map_err(|e| broken(&e))?;
        Ok(Self { identity: Secret::new(identity.as_str()), public })
    }
}

fn broken(error: &ssh_key::Error) -> Failed {
    Failed::new("KeyNotMade", Fault::Internal, format!("a deploy key could not be made: {error}"))
}

/// Where a public key is registered, from the URL of a repository: a sentence that ends with the
/// page, as far as the forge is known by its name.
pub fn where_it_belongs(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let page = match host {
        "github.com" => format!("https://github.com/{path}/settings/keys/new"),
        "gitlab.com" => format!("https://gitlab.com/{path}/-/settings/repository#js-deploy-keys-settings"),
        "codeberg.org" => format!("https://codeberg.org/{path}/settings/keys"),
        _ if host.contains("gitlab") => format!("https://{host}/{path}/-/settings/repository"),
        _ => return format!("as a deploy key of {path} on {host}; reading is enough"),
    };
    format!("as a deploy key, reading is enough: {page}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_secret_and_is_new_each_time() {
        let key = DeployKey::generate("tandem prod").expect("made");
        assert!(key.public.starts_with("ssh-ed25519 AAAA") && key.public.ends_with(" tandem prod"), "{}", key.public);
        assert_eq!(DeployKey::read(key.identity.expose()).expect("read").public, key.public);
        assert_ne!(DeployKey::generate("tandem prod").expect("made").public, key.public);
        assert!(DeployKey::read("canary").is_err_and(|failed| !failed.to_string().contains("canary")));
    }

    #[test]
    fn each_forge_has_its_page() {
        for (url, expected) in [
            (
                "ssh://git@github.com/shop/deploy.git",
                "reading is enough: https://github.com/shop/deploy/settings/keys/new",
            ),
            (
                "ssh://git@gitlab.com/a/b/c",
                "reading is enough: https://gitlab.com/a/b/c/-/settings/repository#js-deploy-keys-settings",
            ),
            (
                "ssh://git@gitlab.example.com:2222/a/b",
                "reading is enough: https://gitlab.example.com/a/b/-/settings/repository",
            ),
            ("ssh://git@codeberg.org/a/b.git", "reading is enough: https://codeberg.org/a/b/settings/keys"),
            ("ssh://git@[::1]:2222/a/b.git", "as a deploy key of a/b on [::1]:2222; reading is enough"),
        ] {
            assert!(where_it_belongs(url).ends_with(expected), "{}", where_it_belongs(url));
        }
    }
}
