//! From a Repository's spec and Secrets to what an exchange with its remote needs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::api::{ForgeType, LocalSecretRef, Repository};
use crate::cluster::own::{SourceData, read_secret};
use crate::cluster::{Actor, Cluster, Purpose, Session};
use crate::failure::{Failed, Fault};
use crate::forge::{Access, App, Forge, ForgeError, app_token};
use crate::git::{ClientCertificate, Credentials, Proxy, Secret, Source};
use crate::revision::Wanted;
use crate::revision::signature::KeyFile;
use zeroize::Zeroizing;

use super::backoff;
use super::secrets::{Followed, Versions};

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

/// Whether the forge has all that is to be told there.
///
/// # Errors
/// It has no such thing, and would be told nothing.
pub fn publishable(repository: &Repository) -> Result<(), Failed> {
    let deployments = repository.spec.publish.as_ref().is_some_and(|publish| publish.deployments.is_some());
    match &repository.spec.forge {
        Some(forge) if deployments && forge.r#type == ForgeType::Gitea => Err(Failed::from(&ForgeError::NoDeployments)),
        _ => Ok(()),
    }
}

/// A duration of the spec, or its default.
pub fn duration(text: Option<&str>, default: Duration) -> Duration {
    text.and_then(backoff::parse).unwrap_or(default)
}

/// What was read from Secrets.
pub struct Reading<T> {
    /// What is wanted of them, or why it is not to be had; a message names Secrets and keys, never values.
    pub result: Result<T, Failed>,
    /// Of which versions, also where something is missing in them.
    pub versions: Versions,
}

/// What Secrets give to a Repository.
#[derive(Clone, Debug)]
pub struct Given {
    /// What an exchange with the remote needs.
    pub source: Arc<Source>,
    /// Keys that may sign, where `spec.verify` asks for signatures.
    pub keys: Vec<KeyFile>,
}

/// Names of the Secrets that an exchange with the remote, and signatures, need.
pub fn source_secrets(repository: &Repository) -> BTreeSet<String> {
    let auth = repository.spec.auth.as_ref();
    let references =
        auth.map(|auth| [&auth.secret_ref, &auth.ca_secret_ref, &auth.proxy_secret_ref]).into_iter().flatten();
    let keys = repository.spec.verify.as_ref().map(|verify| &verify.secret_ref);
    references.flatten().chain(keys).map(|reference| reference.name.clone()).collect()
}

/// Follows Secrets as the Repository's account; none where there is nothing to follow, or nobody who may.
pub fn follow(
    cluster: &Cluster,
    namespace: &str,
    repository: &Repository,
    names: &BTreeSet<String>,
) -> Option<Followed> {
    let account = repository.spec.service_account_name.as_ref().filter(|_| !names.is_empty())?;
    let session = cluster.session(Actor::account(namespace, account), &Purpose::default()).ok()?;
    Some(Followed::start(&session, namespace, names))
}

/// Reads the Secrets that the spec names, as the Repository's account, and puts together what an
/// exchange and signatures need.
pub async fn given(cluster: &Cluster, namespace: &str, repository: &Repository) -> Reading<Given> {
    let mut versions = Versions::new();
    let source = source_of(cluster, namespace, repository, &mut versions).await;
    // Both are read, so that the versions are those of all.
    let keys = keys_of(cluster, namespace, repository, &mut versions).await;
    let result = source.and_then(|source| Ok(Given { source: Arc::new(source), keys: keys? }));
    Reading { result, versions }
}

/// The files of keys that may sign; none where no signatures are asked for.
async fn keys_of(
    cluster: &Cluster,
    namespace: &str,
    repository: &Repository,
    versions: &mut Versions,
) -> Result<Vec<KeyFile>, Failed> {
    let Some(verify) = &repository.spec.verify else { return Ok(Vec::new()) };
    let mut reader = Reader::new(cluster, namespace, repository, "spec.verify", versions)?;
    let Some(secret) = reader.read(Some(&verify.secret_ref)).await? else { return Ok(Vec::new()) };
    let names = secret.data.keys().map(str::to_owned).collect::<Vec<_>>();
    names.into_iter().map(|name| Ok(KeyFile { text: secret.need(&name)?, name })).collect()
}

async fn source_of(
    cluster: &Cluster,
    namespace: &str,
    repository: &Repository,
    versions: &mut Versions,
) -> Result<Source, Failed> {
    let spec = &repository.spec;
    let mut source = Source::new(spec.url.clone());
    source.timeout = duration(spec.timeout.as_deref(), Duration::from_secs(60));
    let auth = spec.auth.clone().unwrap_or_default();
    if auth == crate::api::Auth::default() {
        return Ok(source);
    }
    let mut reader = Reader::new(cluster, namespace, repository, "spec.auth", versions)?;
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
            (None, None) => None,
            _ => {
                return Err(bad_secret(format!("{} has one of username and password, and not the other", secret.name)));
            }
        };
        source.proxy = Some(Proxy { address: secret.need("address")?, login });
    }
    Ok(source)
}

/// The token that signs webhook deliveries, where the spec names one.
pub async fn webhook_token(cluster: &Cluster, namespace: &str, repository: &Repository) -> Reading<Option<Vec<u8>>> {
    let mut versions = Versions::new();
    let result = webhook_token_of(cluster, namespace, repository, &mut versions).await;
    Reading { result, versions }
}

async fn webhook_token_of(
    cluster: &Cluster,
    namespace: &str,
    repository: &Repository,
    versions: &mut Versions,
) -> Result<Option<Vec<u8>>, Failed> {
    let Some(webhook) = &repository.spec.webhook else { return Ok(None) };
    let mut reader = Reader::new(cluster, namespace, repository, "spec.webhook", versions)?;
    let Some(secret) = reader.read(Some(&webhook.secret_ref)).await? else { return Ok(None) };
    Ok(Some(secret.need("token")?.into_bytes()))
}

/// What a forge is asked with.
struct ForgeKeys {
    login: Login,
    /// Certificate authorities in PEM, where others than the system's count.
    ca: Option<String>,
}

/// As whom.
enum Login {
    Token(Zeroizing<String>),
    App(App),
}

/// What the Secret of the forge holds, where the spec names one.
///
/// # Errors
/// The Secret cannot be read, or has neither a token nor an App.
async fn forge_keys(cluster: &Cluster, namespace: &str, repository: &Repository) -> Result<Option<ForgeKeys>, Failed> {
    let Some(forge) = &repository.spec.forge else { return Ok(None) };
    let mut versions = Versions::new();
    let mut reader = Reader::new(cluster, namespace, repository, "spec.forge", &mut versions)?;
    let Some(secret) = reader.read(Some(&forge.secret_ref)).await? else { return Ok(None) };
    let login = match (secret.text("githubAppID")?, secret.text("token")?) {
        (Some(_), Some(_)) => {
            return Err(bad_secret(format!("{} has both token and githubAppID: which of them counts?", secret.name)));
        }
        (Some(_), None) if forge.r#type != ForgeType::GitHub => {
            return Err(bad_secret(format!("{} has githubAppID, and spec.forge.type is not GitHub", secret.name)));
        }
        (Some(id), None) => Login::App(App {
            id: id.trim().to_owned(),
            installation: secret.text("githubAppInstallationID")?.map(|id| id.trim().to_owned()),
            key: Zeroizing::new(secret.need("githubAppPrivateKey")?),
        }),
        (None, _) => Login::Token(Zeroizing::new(secret.need("token")?)),
    };
    Ok(Some(ForgeKeys { login, ca: secret.text("ca.crt")? }))
}

/// The forge of a Repository; `field` of its spec needs it. As a GitHub App it is asked for a token first, once an hour.
///
/// # Errors
/// The spec names none, or it cannot be asked with what its Secret holds.
pub async fn forge(cluster: &Cluster, namespace: &str, repository: &Repository, field: &str) -> Result<Forge, Failed> {
    let keys = forge_keys(cluster, namespace, repository).await?;
    let (Some(forge), Some(keys)) = (&repository.spec.forge, keys) else {
        return Err(invalid(&format!("{field} needs spec.forge")));
    };
    let access = Access {
        kind: forge.r#type,
        api: forge.api_url.as_deref(),
        url: &repository.spec.url,
        token: "",
        ca: keys.ca.as_deref(),
    };
    let token = match keys.login {
        Login::Token(token) => token,
        Login::App(app) => {
            app_token(&access, &app, jiff::Timestamp::now()).await.map_err(|error| Failed::from(&error))?
        }
    };
    Forge::new(&Access { token: &token, ..access }).map_err(|error| Failed::from(&error))
}

/// Reads Secrets of one namespace, as the account of a Repository.
struct Reader<'a> {
    session: Session,
    namespace: &'a str,
    /// Field of the spec that names them.
    field: &'static str,
    versions: &'a mut Versions,
}

/// A Secret, with its name for messages.
struct Keys {
    name: String,
    data: SourceData,
}

impl<'a> Reader<'a> {
    fn new(
        cluster: &Cluster,
        namespace: &'a str,
        repository: &Repository,
        field: &'static str,
        versions: &'a mut Versions,
    ) -> Result<Self, Failed> {
        let account = repository.spec.service_account_name.as_ref().ok_or_else(|| {
            let message = format!("{field} names a Secret, and spec.serviceAccountName no account that may read it");
            invalid(&message).with_hint("name a ServiceAccount that may get, list and watch this Secret")
        })?;
        let session = cluster
            .session(Actor::account(namespace, account), &Purpose::default())
            .map_err(|error| Failed::from(&error))?;
        Ok(Self { session, namespace, field, versions })
    }

    async fn read(&mut self, reference: Option<&LocalSecretRef>) -> Result<Option<Keys>, Failed> {
        let Some(reference) = reference else { return Ok(None) };
        let name = format!("Secret {}/{}", self.namespace, reference.name);
        let found = read_secret(&self.session, self.namespace, &reference.name).await;
        let found = found.map_err(|error| Failed::from(&error))?;
        let version = found.as_ref().map(|data| data.resource_version.clone());
        self.versions.insert(reference.name.clone(), version);
        let data = found.ok_or_else(|| {
            Failed::new("SecretNotFound", Fault::Cluster, format!("{name} does not exist"))
                .with_hint(format!("create it, or correct the name in {}", self.field))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the cluster has definitions that do not refuse it.
    #[test]
    fn deployments_on_gitea_are_told_to_be_none() {
        let publishable = |forge: &str, publish: serde_json::Value| {
            let spec = serde_json::json!({
                "url": "https://git.example.com/shop/web", "ref": {"branch": "main"}, "publish": publish,
                "forge": {"type": forge, "secretRef": {"name": "forge"}},
            });
            let spec = serde_json::from_value(spec).expect("a spec");
            super::publishable(&Repository::new("shop", spec))
        };
        let deployments = || serde_json::json!({"deployments": {}});
        for forge in ["GitHub", "GitLab"] {
            assert_eq!(publishable(forge, deployments()), Ok(()));
        }
        assert_eq!(publishable("Gitea", serde_json::json!({"commitStatus": {}})), Ok(()));
        let failed = publishable("Gitea", deployments()).expect_err("it has none");
        assert_eq!((failed.reason.as_str(), failed.fault), ("InvalidSpec", Fault::Repository));
        assert_eq!(failed.message, "Gitea and Forgejo have no deployments");
    }
}
