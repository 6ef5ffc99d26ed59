//! What proves that the repository may be read: what is there already, a token, or a new key.

use serde_json::Value;

use super::Args;
use super::host::{self, Trusted};
use super::key::{DeployKey, where_it_belongs};
use super::source::{Access, FirstSync};
use crate::cli::ask::{Asking, confirm};
use crate::cli::output::Output;
use crate::cli::stop::Stop;
use crate::cluster::Session;
use crate::cluster::own::{SourceData, read_secret};
use crate::failure::{Failed, Fault};
use crate::git::{Address, Credentials, PlainHttp, Secret, Source};

/// How the repository is read.
pub struct Reading {
    /// The repository with its credentials.
    pub source: Source,
    /// The Secret that holds them, where it is new or given anew.
    pub secret: Option<Value>,
    /// What must be done at the forge, in lines for people; empty where nothing must.
    pub to_register: Vec<String>,
}

/// Finds the credentials, or makes them. Nothing is written.
///
/// # Errors
/// The host is not trusted, a token is missing, or the Secret cannot be read.
pub async fn find(session: &Session, first: &FirstSync, args: &Args, output: &Output) -> Result<Reading, Stop> {
    let address = Address::parse(&first.url, PlainHttp::Local)?;
    let mut source = Source::new(first.url.clone());
    if first.access == Access::Public {
        return Ok(Reading { source, secret: None, to_register: Vec::new() });
    }
    let there = read_secret(session, &first.namespace, &first.secret()).await?;
    if !address.url.starts_with("ssh://") {
        let (password, secret) = token(first, args, there.as_ref())?;
        source.credentials = Credentials::Basic { username: args.username.clone(), password };
        return Ok(Reading { source, secret, to_register: Vec::new() });
    }
    let text = |key: &str| there.as_ref()?.get(key).and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    let known_hosts = match text("known_hosts") {
        Some(known_hosts) => known_hosts,
        None => trust(&address, args, output).await?.line,
    };
    let key = match text("identity") {
        Some(identity) => DeployKey::read(&identity)?,
        None => DeployKey::generate(&format!("tandem {}", args.cluster.as_deref().unwrap_or_default()))?,
    };
    let complete = text("identity").is_some() && text("known_hosts").is_some();
    let secret = (!complete).then(|| {
        let public = key.public.clone() + "\n";
        first.credentials(&[
            ("identity", key.identity.expose()),
            ("identity.pub", &public),
            ("known_hosts", &known_hosts),
        ])
    });
    let to_register = vec![key.public.clone(), where_it_belongs(&first.url)];
    source.credentials = Credentials::Ssh { identity: key.identity, passphrase: None, known_hosts };
    Ok(Reading { source, secret, to_register })
}

fn token(first: &FirstSync, args: &Args, there: Option<&SourceData>) -> Result<(Secret, Option<Value>), Stop> {
    let Some(variable) = &args.token_from_env else {
        let password = there.and_then(|data| data.get("password")).map(<[u8]>::to_vec);
        let password = password.and_then(|bytes| String::from_utf8(bytes).ok()).map(Secret::new);
        return password.map(|password| (password, None)).ok_or_else(|| {
            Stop::usage(
                "a repository over HTTP needs a token, or --no-key where everybody may read it",
                "--token-from-env VARIABLE; ssh:// gets a key of its own",
            )
        });
    };
    let value = std::env::var(variable).ok().filter(|value| !value.trim().is_empty()).ok_or_else(|| {
        Stop::usage(format!("the variable {variable} holds no token"), format!("export {variable} first"))
    })?;
    let value = value.trim();
    let secret = first.credentials(&[("username", &args.username), ("password", value)]);
    Ok((Secret::new(value), Some(secret)))
}

/// Which key of the host is trusted. A person says so, or the forge publishes it; a script names
/// the fingerprint, because `--yes` has not seen it.
async fn trust(address: &Address, args: &Args, output: &Output) -> Result<Trusted, Stop> {
    if let Some(published) = host::published(address) {
        output.note(&format!("{} is trusted by the key that it publishes, {}", address.host, published.fingerprint));
        return Ok(published);
    }
    let shown = host::shown(address).await?;
    let told = format!("{} shows the host key {}", address.host, shown.fingerprint);
    if let Some(wanted) = &args.host_key {
        if *wanted == shown.fingerprint {
            return Ok(shown);
        }
        let failed = Failed::new("HostKeyChanged", Fault::Repository, format!("{told}, and not {wanted}"));
        return Err(failed
            .with_hint("somebody may stand between; ask the host's owner which key it should show")
            .into());
    }
    if args.yes {
        return Err(Stop::usage(told, "compare it with what the host's owner publishes, and pass it as --host-key"));
    }
    output.note(&told);
    match confirm("Is that what the host's owner publishes?", Asking::Needed)? {
        Some(_) => Ok(shown),
        None => {
            Err(Failed::new("HostKeyUnknown", Fault::Repository, format!("{} is not trusted", address.host)).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stand_in_the_secret_as_flux_users_know_them() {
        let first = FirstSync {
            namespace: "tandem-system".into(),
            name: "deploy".into(),
            url: "https://git.example.com/a/b".into(),
            branch: "main".into(),
            path: "prod".into(),
            access: Access::Secret,
        };
        let secret = first.credentials(&[("username", "git"), ("password", "canary")]);
        assert_eq!(secret["data"], serde_json::json!({"password": "Y2FuYXJ5", "username": "Z2l0"}));
        assert_eq!(secret["metadata"]["name"], "deploy-git");
    }
}
