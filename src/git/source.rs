//! Where commits come from, and what proves that they may be read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::object::Secret;

/// A remote repository with all that an exchange with it needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// `https://`, `http://` or `ssh://`, without credentials.
    pub url: String,
    /// What proves that it may be read.
    pub credentials: Credentials,
    /// Certificate authorities (PEM) that replace the system's.
    pub ca: Option<String>,
    /// Certificate of this client, for mutual TLS.
    pub client_certificate: Option<ClientCertificate>,
    /// Proxy for HTTP and HTTPS.
    pub proxy: Option<Proxy>,
    /// Where HTTP without TLS is allowed.
    pub plain_http: PlainHttp,
    /// Time that one exchange may take.
    pub timeout: Duration,
    /// What one exchange may bring.
    pub limits: SourceLimits,
}

impl Source {
    /// A source that everybody may read, with the usual limits and 60 s for an exchange.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: Credentials::None,
            ca: None,
            client_certificate: None,
            proxy: None,
            plain_http: PlainHttp::Local,
            timeout: Duration::from_secs(60),
            limits: SourceLimits::default(),
        }
    }
}

/// What proves that a repository may be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Credentials {
    /// Everybody may read it.
    None,
    /// HTTP basic.
    Basic {
        /// User name.
        username: String,
        /// Password or token.
        password: Secret,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The token.
        token: Secret,
    },
    /// An SSH key.
    Ssh {
        /// Private key, PEM or OpenSSH.
        identity: Secret,
        /// Of the key, where it has one.
        passphrase: Option<Secret>,
        /// Lines of `known_hosts`; a host that is not in them is refused.
        known_hosts: String,
    },
}

/// Certificate of this client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientCertificate {
    /// PEM, with its chain.
    pub certificate: String,
    /// Private key, PEM.
    pub key: Secret,
}

/// An HTTP proxy, used with CONNECT for HTTPS.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proxy {
    /// `http://host:port` or `https://host:port`.
    pub address: String,
    /// User name and password, where it asks for them.
    pub login: Option<(String, Secret)>,
}

/// Where HTTP without TLS is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlainHttp {
    /// To loopback addresses and names inside the cluster.
    Local,
    /// Everywhere: the source says so.
    Anywhere,
}

/// What one exchange may bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLimits {
    /// Bytes received.
    pub bytes: u64,
    /// Bytes of a listing of references.
    pub listing_bytes: u64,
    /// Objects received.
    pub objects: u32,
    /// Commits of history that are fetched to tell ancestry.
    pub history: u32,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self { bytes: 1 << 30, listing_bytes: 64 << 20, objects: 2_000_000, history: 100_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_printed() {
        let secret = || Secret::new("canary-value");
        let mut source = Source::new("https://example.com/repo.git");
        source.proxy = Some(Proxy { address: "http://proxy:3128".into(), login: Some(("user".into(), secret())) });
        source.client_certificate = Some(ClientCertificate { certificate: "PEM".into(), key: secret() });
        for credentials in [
            Credentials::Basic { username: "user".into(), password: secret() },
            Credentials::Bearer { token: secret() },
            Credentials::Ssh { identity: secret(), passphrase: Some(secret()), known_hosts: String::new() },
        ] {
            source.credentials = credentials;
            assert!(!format!("{source:?}").contains("canary"), "{source:?}");
        }
    }
}
