//! Which SSH host is trusted: known forges by what they publish, others by what they show and a
//! person confirms.

use std::time::Duration;

use git2::{CertificateCheckStatus, Direction, Remote, RemoteCallbacks};
use ssh_key::{HashAlg, PublicKey};

use crate::failure::{Failed, Fault};
use crate::git::Address;

/// Host keys that forges publish: github.com at docs.github.com ("GitHub's SSH key fingerprints"),
/// gitlab.com at docs.gitlab.com ("SSH known_hosts entries"). A test holds them to the
/// fingerprints printed there.
const PUBLISHED: [(&str, &str); 2] = [
    ("github.com", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"),
    ("gitlab.com", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf"),
];
/// How long a host may take to show its key.
const PATIENCE: Duration = Duration::from_secs(20);

/// A line of `known_hosts`, and how it can be told apart from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The line.
    pub line: String,
    /// `SHA256:…` of its key.
    pub fingerprint: String,
}

/// The line of a forge that publishes its key.
pub fn published(address: &Address) -> Option<Trusted> {
    let (_, key) = PUBLISHED.iter().find(|(host, _)| *host == address.host && address.port == 22)?;
    line(address, &PublicKey::from_openssh(key).ok()?).ok()
}

/// What the host shows to whoever asks. Nobody has proved that it is the right one.
///
/// # Errors
/// The host cannot be reached, or shows no key.
pub async fn shown(address: &Address) -> Result<Trusted, Failed> {
    let url = address.url.clone();
    let unreachable = |why: String| {
        Failed::new("ConnectFailed", Fault::Transient, format!("{} shows no host key: {why}", address.host))
            .with_hint("check the URL, and that this machine reaches the host")
    };
    let asked = tokio::task::spawn_blocking(move || ask(&url));
    let key = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answered)) => answered.map_err(unreachable)?,
        Ok(Err(error)) => return Err(unreachable(error.to_string())),
        Err(_) => return Err(unreachable(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    line(address, &key).map_err(|e| unreachable(e.to_string()))
}

/// Connects until the host has shown its key, and goes no further: nothing is sent that proves
/// who we are.
fn ask(url: &str) -> Result<PublicKey, String> {
    let mut key = None;
    let connected = {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.certificate_check(|certificate, _| {
            key = certificate.as_hostkey().and_then(|host| host.hostkey()).map(<[u8]>::to_vec);
            Err::<CertificateCheckStatus, _>(git2::Error::from_str("the key was seen"))
        });
        callbacks.credentials(|_, user, _| git2::Cred::username(user.unwrap_or("git")));
        let mut remote = Remote::create_detached(url).map_err(|e| e.message().to_owned())?;
        remote.connect_auth(Direction::Fetch, Some(callbacks), None).map(|_| ())
    };
    match (key, connected) {
        (Some(key), _) => PublicKey::from_bytes(&key).map_err(|e| e.to_string()),
        (None, Err(error)) => Err(error.message().to_owned()),
        (None, Ok(())) => Err("it shows none".to_owned()),
    }
}

fn line(address: &Address, key: &PublicKey) -> Result<Trusted, ssh_key::Error> {
    let host = if address.port == 22 { address.host.clone() } else { format!("[{}]:{}", address.host, address.port) };
    let mut key = key.clone();
    key.set_comment("");
    Ok(Trusted {
        line: format!("{host} {}\n", key.to_openssh()?.trim_end()),
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::PlainHttp;

    #[test]
    fn published_keys_have_the_published_fingerprints() {
        for (host, fingerprint) in [
            ("github.com", "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"),
            ("gitlab.com", "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8"),
        ] {
            let address = Address::parse(&format!("ssh://git@{host}/a/b"), PlainHttp::Local).expect("a URL");
            let trusted = published(&address).expect("published");
            assert_eq!(trusted.fingerprint, fingerprint);
            assert!(trusted.line.starts_with(&format!("{host} ssh-ed25519 AAAA")), "{}", trusted.line);
        }
        for url in ["ssh://git@github.com:2222/a/b", "ssh://git@github.example.com/a/b"] {
            let address = Address::parse(url, PlainHttp::Local).expect("a URL");
            assert_eq!(published(&address), None, "{url}");
        }
    }
}
