//! URLs of repositories: what is allowed, one form for one repository, and none with credentials.

use reqwest::Url;

use super::error::{GitError, Kind};
use super::source::PlainHttp;

/// A URL that may be spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// How.
    pub scheme: Scheme,
    /// User name of an SSH URL; `git` where it has none.
    pub user: String,
    /// Host, lower case; an IPv6 address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The URL in its one form: it names the cache.
    pub url: String,
}

/// How a repository is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP over TLS.
    Https,
    /// HTTP.
    Http,
    /// SSH.
    Ssh,
}

impl Address {
    /// Reads a URL and refuses what must not be spoken to.
    pub fn parse(url: &str, plain: PlainHttp) -> Result<Self, GitError> {
        let bad = |detail: String| GitError::new(Kind::InvalidUrl, url, detail);
        let mut parsed = Url::parse(url).map_err(|e| bad(format!("the URL cannot be read: {e}")))?;
        let (scheme, usual) = match parsed.scheme() {
            "https" => (Scheme::Https, 443),
            "http" => (Scheme::Http, 80),
            "ssh" => (Scheme::Ssh, 22),
            other => return Err(bad(format!("{other}:// is not supported"))),
        };
        let host = parsed.host_str().unwrap_or_default().to_ascii_lowercase();
        if host.is_empty() {
            return Err(bad("the URL names no host".to_owned()));
        }
        if parsed.password().is_some() || (scheme != Scheme::Ssh && !parsed.username().is_empty()) {
            return Err(bad("credentials do not belong into a URL".to_owned()));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(bad("a repository's URL has no query and no fragment".to_owned()));
        }
        // A name that begins with a dash could be taken for an option by what reads it later.
        if host.starts_with('-') || parsed.username().starts_with('-') || parsed.path().trim_matches('/').is_empty() {
            return Err(bad("the URL names no repository".to_owned()));
        }
        if scheme == Scheme::Http && plain == PlainHttp::Local && !is_local(&host) {
            return Err(bad("HTTP without TLS is for loopback and cluster addresses only".to_owned()));
        }
        let port = parsed.port().unwrap_or(usual);
        if scheme == Scheme::Ssh {
            parsed.set_host(Some(&host)).map_err(|e| bad(e.to_string()))?;
        }
        if parsed.port() == Some(usual) {
            parsed.set_port(None).map_err(|()| bad("the port cannot be read".to_owned()))?;
        }
        let path = parsed.path().trim_end_matches('/').to_owned();
        parsed.set_path(&path);
        let user = if parsed.username().is_empty() { "git".to_owned() } else { parsed.username().to_owned() };
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { scheme, user, host, port, url: parsed.into() })
    }
}

/// Loopback addresses, and names that resolve inside a cluster only.
fn is_local(host: &str) -> bool {
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        return address.is_loopback();
    }
    let host = host.trim_end_matches('.');
    !host.contains('.')
        || host.ends_with(".localhost")
        || host.ends_with(".svc")
        || host.ends_with(".svc.cluster.local")
}

/// The URL as people may see it: without password, and over HTTP without user.
pub fn redact(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) => {
            let _ = parsed.set_password(None);
            if parsed.scheme() != "ssh" {
                let _ = parsed.set_username("");
            }
            parsed.set_query(None);
            parsed.set_fragment(None);
            parsed.into()
        }
        // What cannot be read may hold anything before the last `@`.
        Err(_) => url.rsplit('@').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_has_one_form() {
        for (url, expected) in [
            ("https://Example.com:443/team/app.git/", "https://example.com/team/app.git"),
            ("https://example.com/team/app.git", "https://example.com/team/app.git"),
            ("ssh://git@Example.com:22/team/app.git", "ssh://git@example.com/team/app.git"),
            ("ssh://git@example.com:2222/team/app.git", "ssh://git@example.com:2222/team/app.git"),
            ("http://gitea.forge.svc/team/app", "http://gitea.forge.svc/team/app"),
            ("http://[::1]:8080/app", "http://[::1]:8080/app"),
        ] {
            assert_eq!(Address::parse(url, PlainHttp::Local).expect("allowed").url, expected);
        }
    }

    #[test]
    fn what_must_not_be_spoken_to_is_refused_without_showing_credentials() {
        for url in [
            "http://example.com/app.git",
            "http://10.0.0.1/app",
            "file:///etc/passwd",
            "git://example.com/app",
            "https://user:canary@example.com/app",
            "https://canary@example.com/app",
            "ssh://git:canary@example.com/app",
            "ext::sh -c canary",
            "https://example.com",
            "https://example.com/app?token=canary",
            "ssh://-oProxyCommand=x/app",
            "http://example.svc.evil.com/app",
            "canary@/x",
            "/etc/passwd",
            "",
        ] {
            let error = Address::parse(url, PlainHttp::Local).expect_err(url);
            assert_eq!(error.kind, Kind::InvalidUrl);
            assert!(!error.to_string().contains("canary") || url.starts_with("ext"), "{error}");
        }
        assert!(Address::parse("http://example.com/app.git", PlainHttp::Anywhere).is_ok());
    }
}
