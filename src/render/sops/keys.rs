//! Private keys and credentials as they are given, before anything is made of them.

use serde::{Deserialize, Serialize};

use super::identity::Identities;
use super::pgp::keyring;
use crate::object::Secret;

/// Private keys as they are written, and credentials of key services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    age: Vec<Secret>,
    services: Vec<(Service, Secret)>,
    /// The Vault that a token is for.
    #[serde(default)]
    vault: Option<VaultAddress>,
    /// Certificate authorities in PEM, by which that Vault is known.
    #[serde(default)]
    vault_ca: Option<String>,
    place: Place,
}

/// A service, or program, that keeps keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    /// PGP; its private keys, armoured.
    Pgp,
    /// Vault; a token.
    Vault,
    /// KMS of AWS; YAML with `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token`.
    Aws,
    /// KMS of Google Cloud; the JSON of an account.
    Google,
    /// Key Vault of Azure; YAML or JSON with `tenantId`, `clientId`, `clientSecret`.
    Azure,
    /// KMS of Huawei Cloud, whose credentials nobody can give yet.
    Huawei,
}

/// Where a Vault is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultAddress {
    url: String,
    port: u16,
}

impl VaultAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = text.trim().trim_end_matches('/').to_owned();
        let wrong = || "it is no address of a Vault, such as https://vault.example.com:8200".to_owned();
        let parsed: http::Uri = url.parse().map_err(|_| wrong())?;
        let usual = match parsed.scheme_str() {
            Some("https") => 443,
            Some("http") => 80,
            _ => return Err(wrong()),
        };
        let host = parsed.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        Ok(Self { port: host.port_u16().unwrap_or(usual), url })
    }

    /// As it was given.
    pub fn told(&self) -> &str {
        &self.url
    }

    /// The port at which it is asked.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Where a file is decrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// With nothing but the keys that are given.
    #[default]
    Agent,
    /// At a person's machine: there SOPS finds more by itself.
    Person,
    /// Nowhere: cipher texts stand for what they are of.
    Nowhere,
}

impl Keys {
    /// Adds the keys of age or SSH of a text.
    ///
    /// # Errors
    /// Why it has a key that cannot be used, without repeating it.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let mut identities = Identities::default();
        identities.add(text)?;
        if !identities.is_empty() {
            self.age.push(Secret::new(text));
        }
        Ok(())
    }

    /// Adds credentials.
    ///
    /// # Errors
    /// Why they cannot be used, without repeating them.
    pub fn add_of(&mut self, service: Service, text: &str) -> Result<(), String> {
        if service == Service::Pgp {
            keyring(text)?;
        } else if text.trim().is_empty() {
            return Err("it is empty".to_owned());
        }
        self.services.push((service, Secret::new(text)));
        Ok(())
    }

    /// Says where the Vault is that the token is for: no other gets it, whatever a file says.
    ///
    /// # Errors
    /// Why it is no address.
    pub fn at_vault(&mut self, text: &str) -> Result<(), String> {
        self.vault = Some(VaultAddress::parse(text)?);
        Ok(())
    }

    /// Says which certificate authorities, in PEM, that Vault is known by, in place of the system's.
    ///
    /// # Errors
    /// It holds no certificate.
    pub fn vault_known_by(&mut self, text: &str) -> Result<(), String> {
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            return Err("it holds no PEM certificate".to_owned());
        }
        self.vault_ca = Some(text.to_owned());
        Ok(())
    }

    /// Certificate authorities in PEM, by which the Vault is known.
    pub fn vault_ca(&self) -> Option<&str> {
        self.vault_ca.as_deref()
    }

    /// Where the Vault is.
    pub fn vault(&self) -> Option<&VaultAddress> {
        self.vault.as_ref()
    }

    /// Lets SOPS look for more by itself.
    pub fn at_a_persons_machine(&mut self) {
        self.place = Place::Person;
    }

    /// None, and none is needed: what is encrypted is left as it is, and masked.
    pub fn withheld() -> Self {
        Self { place: Place::Nowhere, ..Self::default() }
    }

    /// Whether there is none, and none is needed.
    pub fn are_withheld(&self) -> bool {
        self.place == Place::Nowhere
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.age.is_empty() && self.services.is_empty()
    }

    /// Texts with keys of age or SSH.
    pub fn age(&self) -> impl Iterator<Item = &Secret> {
        self.age.iter()
    }

    /// Credentials of a service.
    pub fn of(&self, service: Service) -> impl Iterator<Item = &Secret> {
        self.services.iter().filter(move |(of, _)| *of == service).map(|(_, secret)| secret)
    }

    /// Whether there are credentials of a service, or may be.
    pub fn reach(&self, service: Service) -> bool {
        self.place == Place::Person || self.of(service).next().is_some()
    }
}
