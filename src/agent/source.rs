//! From a Repository's spec and Secrets to what an exchange with its remote needs.

use std::time::Duration;

use crate::api::{LocalSecretRef, Repository};
use crate::cluster::own::{SecretData, read_secret};
use crate::cluster::{Actor, Cluster, Purpose, Session};
use crate::failure::{Failed, Fault};
use crate::git::{ClientCertificate, Credentials, Proxy, Secret, Source};
use crate::revision::Wanted;

use super::backoff;

/// What the spec wants, as a reference.
pub fn wanted(repository: &Repository) -> Result<Wanted, Failed> {
    let r = &repository.spec.r#ref;
    let all = [
        r.branch.clone().map(Wanted::Branch),
        r.tag.clone().map(Wanted::Tag),
        r.semver.clone().map(Wanted::Semver),
        r.name.clone().map(Wanted::Name),
        r.commit.clone().map(Wanted::Commit),
    ];
    let mut set = all.into_iter().flatten();
    match (set.next(), set.next()) {
        (Some(wanted), None) => Ok(wanted),
        _ => Err(invalid("exactly one of spec.ref.branch, tag, semver, name and commit must be set")),
    }
}

/// A duration of the spec, or its default.
pub fn duration(text: Option<&str>, default: Duration) -> Duration {
    text.and_then(backoff::parse).unwrap_or(default)
}

/// Reads the Secrets that the spec names, as the Repository's account, and puts together what an
/// exchange needs.
///
/// # Errors
/// A Secret is missing, may not be read, or lacks a key; the message names it, never its values.
pub async fn source(cluster: &Cluster, namespace: &str, repository: &Repository) -> Result<Source, Failed> {
    let spec = &repository.spec;
    let mut source = Source::new(spec.url.clone());
    source.timeout = duration(spec.timeout.as_deref(), Duration::from_secs(60));
    let auth = spec.auth.clone().unwrap_or_default();
    if auth == crate::api::Auth::default() {
        return Ok(source);
    }
    let Some(account) = &spec.service_account_name else {
        return Err(invalid("spec.auth names a Secret, and spec.serviceAccountName no account that may read it")
            .with_hint("name a ServiceAccount that may get this Secret"));
    };
    let session = cluster
        .session(Actor::account(namespace, account), &Purpose::default())
        .map_err(|error| Failed::from(&error))?;
    let reader = Reader { session, namespace: namespace.to_owned() };
    if let Some(secret) = reader.read(auth.secret_ref.as_ref()).await? {
        source.credentials = credentials(&spec.url, &secret)?;
        source.client_certificate = client_certificate(&secret)?;
    }
    if let Some(secret) = reader.read(auth.ca_secret_ref.as_ref()).await? {
        source.ca = Some(secret.need("ca.crt")?);
    }
    if let Some(secret) = reader.read(auth.proxy_secret_ref.as_ref()).await? {
        let login = match (secret.text("username")?, secret.text("password")?) {
            (Some(user), Some(password)) => Some((user, Secret::new(password))),
            _ => None,
        };
        source.proxy = Some(Proxy { address: secret.need("address")?, login });
    }
    Ok(source)
}

/// The token that signs webhook deliveries, where the spec names one.
///
/// # Errors
/// As [`source`].
pub async fn webhook_token(
    cluster: &Cluster,
    namespace: &str,
    repository: &Repository,
) -> Result<Option<Vec<u8>>, Failed> {
    let Some(webhook) = &repository.spec.webhook else { return Ok(None) };
    let Some(account) = &repository.spec.service_account_name else {
        return Err(invalid("spec.webhook names a Secret, and spec.serviceAccountName no account that may read it"));
    };
    let session = cluster
        .session(Actor::account(namespace, account), &Purpose::default())
        .map_err(|error| Failed::from(&error))?;
    let reader = Reader { session, namespace: namespace.to_owned() };
    let Some(secret) = reader.read(Some(&webhook.secret_ref)).await? else { return Ok(None) };
    Ok(Some(secret.need("token")?.into_bytes()))
}

/// Reads Secrets of one namespace, as the account of a Repository.
struct Reader {
    session: Session,
    namespace: String,
}

/// A Secret, with its name for messages.
struct Keys {
    name: String,
    data: SecretData,
}

impl Reader {
    async fn read(&self, reference: Option<&LocalSecretRef>) -> Result<Option<Keys>, Failed> {
        let Some(reference) = reference else { return Ok(None) };
        let name = format!("Secret {}/{}", self.namespace, reference.name);
        let found = read_secret(&self.session, &self.namespace, &reference.name).await;
        let data = found.map_err(|error| Failed::from(&error))?.ok_or_else(|| {
            Failed::new("SecretNotFound", Fault::Cluster, format!("{name} does not exist"))
                .with_hint("create it, or correct the name in spec.auth")
        })?;
        Ok(Some(Keys { name, data }))
    }
}

impl Keys {
    fn text(&self, key: &str) -> Result<Option<String>, Failed> {
        let Some(bytes) = self.data.get(key) else { return Ok(None) };
        let text = String::from_utf8(bytes.to_vec())
            .map_err(|_| bad_secret(format!("the key {key} of {} is not UTF-8 text", self.name)))?;
        Ok(Some(text))
    }

    fn need(&self, key: &str) -> Result<String, Failed> {
        self.text(key)?.ok_or_else(|| bad_secret(format!("{} has no key {key}", self.name)))
    }
}

fn credentials(url: &str, secret: &Keys) -> Result<Credentials, Failed> {
    if url.starts_with("ssh://") {
        return Ok(Credentials::Ssh {
            identity: Secret::new(secret.need("identity")?),
            passphrase: secret.text("password")?.map(Secret::new),
            known_hosts: secret.need("known_hosts")?,
        });
    }
    if let Some(token) = secret.text("bearerToken")? {
        return Ok(Credentials::Bearer { token: Secret::new(token.trim_end().to_owned()) });
    }
    match (secret.text("username")?, secret.text("password")?) {
        (Some(username), Some(password)) => Ok(Credentials::Basic { username, password: Secret::new(password) }),
        (None, None) if secret.data.get("tls.crt").is_some() => Ok(Credentials::None),
        _ => Err(bad_secret(format!(
            "{} has neither username and password, nor bearerToken, nor tls.crt and tls.key",
            secret.name
        ))),
    }
}

fn client_certificate(secret: &Keys) -> Result<Option<ClientCertificate>, Failed> {
    let Some(certificate) = secret.text("tls.crt")? else { return Ok(None) };
    Ok(Some(ClientCertificate { certificate, key: Secret::new(secret.need("tls.key")?) }))
}

fn invalid(message: &str) -> Failed {
    Failed::new("InvalidSpec", Fault::Repository, message)
}

fn bad_secret(message: String) -> Failed {
    Failed::new("InvalidSecret", Fault::Cluster, message)
}
