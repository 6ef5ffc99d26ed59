//! HTTP to a Git server: one client for each set of credentials, requests, and what errors mean.

use std::cell::RefCell;
use std::error::Error;
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Certificate, Identity, StatusCode, Url, redirect};
use sha2::{Digest as _, Sha256};

use super::error::{GitError, Kind};
use super::source::{Credentials, Source};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for the next bytes.
const IDLE: Duration = Duration::from_secs(30);
/// Redirects that the first request follows.
const REDIRECTS: usize = 5;
/// Clients that are kept, with their connections.
const CLIENTS: usize = 16;

thread_local! {
    static CLIENTS_KEPT: RefCell<Vec<([u8; 32], Client)>> = const { RefCell::new(Vec::new()) };
}

/// The client for a source; kept, so that the next exchange finds its connection open.
pub fn client(source: &Source) -> Result<Client, GitError> {
    let parts =
        (&source.url, &source.credentials, &source.ca, &source.client_certificate, &source.proxy, source.timeout);
    let text = zeroize::Zeroizing::new(serde_json::to_vec(&parts).unwrap_or_default());
    let key: [u8; 32] = Sha256::digest(&*text).into();
    let kept = CLIENTS_KEPT.with_borrow(|kept| kept.iter().find(|(k, _)| *k == key).map(|(_, client)| client.clone()));
    if let Some(client) = kept {
        return Ok(client);
    }
    let client = build(source)?;
    CLIENTS_KEPT.with_borrow_mut(|kept| {
        if kept.len() == CLIENTS {
            kept.remove(0);
        }
        kept.push((key, client.clone()));
    });
    Ok(client)
}

fn build(source: &Source) -> Result<Client, GitError> {
    let refused = |what: &str| GitError::new(Kind::InvalidCredentials, &source.url, what.to_owned());
    let mut builder = Client::builder()
        .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT.min(source.timeout))
        .timeout(IDLE.min(source.timeout))
        .pool_max_idle_per_host(1)
        .pool_idle_timeout(Duration::from_secs(50));
    if let Some(ca) = &source.ca {
        let certificates = Certificate::from_pem_bundle(ca.as_bytes())
            .ok()
            .filter(|found| !found.is_empty())
            .ok_or_else(|| refused("the certificate authorities (ca.crt) hold no PEM certificate"))?;
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(own) = &source.client_certificate {
        let pem = zeroize::Zeroizing::new(format!("{}\n{}", own.certificate, own.key.expose()));
        let identity = Identity::from_pem(pem.as_bytes())
            .map_err(|_| refused("the client certificate (tls.crt and tls.key) is no PEM certificate with its key"))?;
        builder = builder.identity(identity);
    }
    if let Some(proxy) = &source.proxy {
        let mut through = reqwest::Proxy::all(&proxy.address)
            .map_err(|_| GitError::new(Kind::ProxyFailed, &source.url, "the address of the proxy cannot be read"))?;
        if let Some((username, password)) = &proxy.login {
            through = through.basic_auth(username, password.expose());
        }
        builder = builder.proxy(through);
    }
    builder.build().map_err(|e| classify(source, &e))
}

/// `GET <base>/info/refs`, which alone follows redirects, to the same host only. Returns the
/// answer and the base that later requests use.
pub fn get_refs(client: &Client, source: &Source, base: &Url, protocol: &str) -> Result<(Response, Url), GitError> {
    let mut at = below(base, "info/refs");
    at.set_query(Some("service=git-upload-pack"));
    for _ in 0..=REDIRECTS {
        let request = client.get(at.clone()).header(ACCEPT, "application/x-git-upload-pack-advertisement, */*");
        let response = send(source, with_protocol(request, protocol))?;
        if !response.status().is_redirection() {
            let response = checked(source, response)?;
            expect_type(source, &response, "application/x-git-upload-pack-advertisement")?;
            return Ok((response, moved_base(source, &at)?));
        }
        at = follow(source, &at, &response)?;
    }
    Err(GitError::new(Kind::RedirectRefused, &source.url, "the server redirects again and again"))
}

/// `POST <base>/git-upload-pack`.
pub fn post(client: &Client, source: &Source, base: &Url, protocol: &str, body: Vec<u8>) -> Result<Response, GitError> {
    let request = client
        .post(below(base, "git-upload-pack"))
        .header(CONTENT_TYPE, "application/x-git-upload-pack-request")
        .header(ACCEPT, "application/x-git-upload-pack-result")
        .body(body);
    let response = checked(source, send(source, with_protocol(request, protocol))?)?;
    expect_type(source, &response, "application/x-git-upload-pack-result")?;
    Ok(response)
}

fn with_protocol(request: RequestBuilder, protocol: &str) -> RequestBuilder {
    if protocol.is_empty() { request } else { request.header("Git-Protocol", protocol) }
}

fn send(source: &Source, request: RequestBuilder) -> Result<Response, GitError> {
    let request = match &source.credentials {
        Credentials::Basic { username, password } => request.basic_auth(username, Some(password.expose())),
        Credentials::Bearer { token } => request.bearer_auth(token.expose()),
        Credentials::None | Credentials::Ssh { .. } => request,
    };
    request.send().map_err(|e| classify(source, &e))
}

fn checked(source: &Source, response: Response) -> Result<Response, GitError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let (kind, detail) = match status {
        StatusCode::UNAUTHORIZED if matches!(source.credentials, Credentials::None) => {
            (Kind::AuthenticationFailed, "the server asks for credentials".to_owned())
        }
        StatusCode::UNAUTHORIZED => (Kind::AuthenticationFailed, "the server refused the credentials".to_owned()),
        StatusCode::FORBIDDEN => (Kind::AuthenticationFailed, "the credentials may not read the repository".to_owned()),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            (Kind::RepositoryNotFound, "the server has no such repository".to_owned())
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            (Kind::ProxyFailed, "the proxy refused the credentials".to_owned())
        }
        StatusCode::TOO_MANY_REQUESTS => (Kind::RemoteFailed, "the server asks to slow down (HTTP 429)".to_owned()),
        status if status.is_server_error() => {
            (Kind::RemoteFailed, format!("the server failed (HTTP {})", status.as_u16()))
        }
        // nginx answers 400 where a client certificate is missing or not accepted.
        StatusCode::BAD_REQUEST => (
            Kind::AuthenticationFailed,
            "the server refused the request, as it does where it wants a client certificate (HTTP 400)".to_owned(),
        ),
        status if status.is_redirection() => {
            (Kind::RedirectRefused, "the server redirected a later request".to_owned())
        }
        status => (Kind::ProtocolFailed, format!("the server answered HTTP {}", status.as_u16())),
    };
    Err(GitError::new(kind, &source.url, detail))
}

fn expect_type(source: &Source, response: &Response, expected: &str) -> Result<(), GitError> {
    let found = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if found.split(';').next().unwrap_or_default().trim() == expected {
        return Ok(());
    }
    let error =
        GitError::new(Kind::ProtocolFailed, &source.url, "what answers there does not speak Git's smart HTTP protocol");
    Err(error.with_hint("check spec.url; it is the URL that git clone takes"))
}

fn follow(source: &Source, from: &Url, response: &Response) -> Result<Url, GitError> {
    let refused = |detail: String| GitError::new(Kind::RedirectRefused, &source.url, detail);
    let location = response.headers().get(LOCATION).and_then(|v| v.to_str().ok());
    let to = location
        .and_then(|l| from.join(l).ok())
        .ok_or_else(|| refused("the server redirects to nowhere".to_owned()))?;
    let secure = to.scheme() == from.scheme() || (from.scheme(), to.scheme()) == ("http", "https");
    let same_port = to.port_or_known_default() == from.port_or_known_default() || from.scheme() != to.scheme();
    if to.host_str() != from.host_str() || !secure || !same_port {
        return Err(refused(format!("the server redirects to another place, {}", super::redact(to.as_str()))));
    }
    Ok(to)
}

fn moved_base(source: &Source, at: &Url) -> Result<Url, GitError> {
    let mut base = at.clone();
    base.set_query(None);
    let path = base.path().strip_suffix("/info/refs").map(str::to_owned);
    let path =
        path.ok_or_else(|| GitError::new(Kind::RedirectRefused, &source.url, "the server redirects to no repository"))?;
    base.set_path(&path);
    let _ = base.set_username("");
    let _ = base.set_password(None);
    Ok(base)
}

fn below(base: &Url, name: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{name}", base.path().trim_end_matches('/')));
    url
}

/// What an error of the HTTP client means. Its own text is not shown: it can hold a URL.
pub fn classify(source: &Source, error: &reqwest::Error) -> GitError {
    let mut texts = Vec::new();
    let mut tls = None;
    let mut timeout = error.is_timeout();
    let mut cause: Option<&dyn Error> = error.source();
    while let Some(inner) = cause {
        if let Some(found) = rustls_error(inner) {
            tls = Some(found);
        }
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            timeout |= io.kind() == std::io::ErrorKind::TimedOut;
        }
        texts.push(inner.to_string());
        cause = inner.source();
    }
    let last = texts.last().cloned().unwrap_or_else(|| "no cause was told".to_owned());
    let new = |kind, detail: String| GitError::new(kind, &source.url, detail);
    if let Some(tls) = tls {
        return new(Kind::TlsFailed, format!("TLS failed: {tls}"));
    }
    if texts.iter().any(|t| t.contains("tunnel") || t.contains("proxy")) {
        return new(Kind::ProxyFailed, format!("the proxy refused the connection: {last}"));
    }
    if timeout {
        return new(Kind::Timeout, "the server did not answer in time".to_owned());
    }
    if error.is_connect() && source.proxy.is_some() {
        return new(Kind::ProxyFailed, format!("no connection through the proxy: {last}"));
    }
    if error.is_connect() {
        return new(Kind::ConnectFailed, format!("no connection: {last}"));
    }
    new(Kind::RemoteFailed, format!("the connection broke: {last}"))
}

/// The error of TLS in it, however deep inside errors of input and output it is wrapped.
fn rustls_error(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls.to_string());
    }
    rustls_error(error.downcast_ref::<std::io::Error>()?.get_ref()?)
}
