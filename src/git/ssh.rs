//! SSH: libgit2 speaks it; whose key is shown, and what host is trusted, is decided here.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use git2::{CertificateCheckStatus, Cred, CredentialType, RemoteCallbacks};

use super::address::Scheme;
use super::error::{GitError, Kind};
use super::exchange::Exchange;
use super::known_hosts::{self, Verdict};
use super::source::Credentials;

/// The home folder of this process, which is thrown away with it.
static HOME: OnceLock<PathBuf> = OnceLock::new();

/// Says which folder is this process's own home, before libgit2 is used.
pub fn live_in(home: PathBuf) {
    let _ = HOME.set(home);
}

/// Refuses credentials that do not fit the URL, before anything is sent.
pub fn check(exchange: &Exchange) -> Result<(), GitError> {
    let ssh = exchange.address.scheme == Scheme::Ssh;
    match (&exchange.source.credentials, ssh) {
        (Credentials::Ssh { .. }, false) => {
            Err(exchange.error(Kind::InvalidCredentials, "an SSH key was given for a URL that is not ssh://"))
        }
        (Credentials::Ssh { .. }, true) if exchange.source.proxy.is_some() => {
            Err(exchange.error(Kind::InvalidCredentials, "a proxy is not supported for ssh://"))
        }
        (Credentials::Ssh { .. }, true) | (_, false) => Ok(()),
        (_, true) => Err(exchange.error(Kind::InvalidCredentials, "ssh:// needs the keys identity and known_hosts")),
    }
}

/// What libssh2 may read of the known hosts: it takes from there which types of host keys to ask
/// for. `Hint::None` lets it take any, to see what the host has.
pub enum Hint {
    /// Ask for the types that are known.
    Known,
    /// Ask for any.
    None,
}

/// Writes libssh2's `known_hosts`. Returns whether it names any key.
pub fn prefer(exchange: &Exchange, hint: &Hint) -> bool {
    let (Some(home), Credentials::Ssh { known_hosts, .. }) = (HOME.get(), &exchange.source.credentials) else {
        return false;
    };
    let lines = match hint {
        Hint::Known => known_hosts::plain_lines(known_hosts, &exchange.address.host, exchange.address.port),
        Hint::None => String::new(),
    };
    let folder = home.join(".ssh");
    // Where it cannot be written, libssh2 asks for any type, and the check below still decides.
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join("known_hosts"), &lines));
    written.is_ok() && !lines.is_empty()
}

/// Adds to `callbacks` what an SSH connection asks.
pub fn answer<'a>(callbacks: &mut RemoteCallbacks<'a>, exchange: &'a Arc<Exchange>) {
    callbacks.certificate_check(|certificate, _| {
        let key = certificate.as_hostkey().and_then(|host| host.hostkey());
        let checked = match key {
            Some(key) => check_host(exchange, key),
            None => Err(exchange.error(Kind::HostKeyUnknown, "the host shows no key")),
        };
        checked.map(|()| CertificateCheckStatus::CertificateOk).map_err(|e| refused(exchange, e))
    });
    let tried = Cell::new(0);
    callbacks.credentials(move |_, user, allowed| {
        let user = user.unwrap_or(&exchange.address.user);
        if allowed.contains(CredentialType::USERNAME) {
            return Cred::username(user);
        }
        let error = match &exchange.source.credentials {
            Credentials::Ssh { .. } if tried.get() > 0 => {
                exchange.error(Kind::AuthenticationFailed, format!("the server refused the key for the user {user}"))
            }
            Credentials::Ssh { identity, passphrase, .. } if allowed.contains(CredentialType::SSH_KEY) => {
                tried.set(tried.get() + 1);
                let passphrase = passphrase.as_ref().map(|p| p.expose());
                let key = Cred::ssh_key_from_memory(user, None, identity.expose(), passphrase);
                return key.map_err(|_| unreadable(exchange)).map_err(|e| refused(exchange, e));
            }
            _ => exchange.error(Kind::AuthenticationFailed, "the server does not take keys"),
        };
        Err(refused(exchange, error))
    });
}

/// A key that libssh2 cannot read shows as an error of its own, after the credentials were given.
pub fn unreadable(exchange: &Exchange) -> GitError {
    let error = exchange
        .error(Kind::InvalidCredentials, "the private key (identity) cannot be read, or its passphrase is wrong");
    error.with_hint("identity is a private key in PEM or OpenSSH form; the passphrase stands under password")
}

fn refused(exchange: &Exchange, error: GitError) -> git2::Error {
    git2::Error::from_str(&exchange.fail(error).to_string())
}

fn check_host(exchange: &Exchange, key: &[u8]) -> Result<(), GitError> {
    let Credentials::Ssh { known_hosts, .. } = &exchange.source.credentials else {
        return Err(exchange.error(Kind::HostKeyUnknown, "no known_hosts were given"));
    };
    let (host, port) = (exchange.address.host.as_str(), exchange.address.port);
    let kind = known_hosts::kind_of(key);
    let shown = format!("{kind} {}", known_hosts::fingerprint(key));
    let (problem, detail) = match known_hosts::judge(known_hosts, host, port, key) {
        Verdict::Trusted => return Ok(()),
        Verdict::Unknown(others) if others.is_empty() => {
            (Kind::HostKeyUnknown, format!("{host} is not in known_hosts; it shows the key {shown}"))
        }
        Verdict::Unknown(others) => {
            let others = others.join(", ");
            (
                Kind::HostKeyUnknown,
                format!("known_hosts has keys of {host}, but of other types ({others}); it shows the key {shown}"),
            )
        }
        Verdict::Changed => (Kind::HostKeyChanged, format!("{host} shows another key than known_hosts has: {shown}")),
        Verdict::Revoked => (Kind::HostKeyRevoked, format!("{host} shows a key that known_hosts revokes: {shown}")),
        Verdict::AuthorityOnly => {
            let detail = format!("known_hosts trusts {host} by a certificate authority only, which is not supported");
            (Kind::HostKeyUnsupported, detail)
        }
    };
    let name = kind.strip_prefix("ssh-").unwrap_or(kind).split('-').next().unwrap_or_default();
    let scan = if port == 22 {
        format!("ssh-keyscan -t {name} {host}")
    } else {
        format!("ssh-keyscan -t {name} -p {port} {host}")
    };
    let hint = match problem {
        Kind::HostKeyChanged => format!(
            "somebody may stand between; only if the host's owner confirms the new fingerprint, put the output of `{scan}` into known_hosts in place of the old line"
        ),
        Kind::HostKeyRevoked => {
            "the key was revoked on purpose; ask the host's owner which key it should show".to_owned()
        }
        _ => format!(
            "compare the fingerprint with what the host's owner publishes, then add the output of `{scan}` to known_hosts"
        ),
    };
    Err(exchange.error(problem, detail).with_hint(hint))
}
