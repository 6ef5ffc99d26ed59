//! One request to a forge: whom the token is sent to, how much is read, when it asks to be left alone.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LINK, RETRY_AFTER};
use reqwest::{Certificate, Method, StatusCode, Url, redirect};
use serde_json::Value;
use tokio::time::Instant;

use super::ForgeError;
use super::alone::Who;
use super::book::Book;
use crate::api::ForgeType;
use crate::failure::innermost;
use crate::object::address::{is_loopback, told};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(30);
/// Bytes of one answer.
const BODY: usize = 4 << 20;
/// Bytes of a refusal that are looked at.
const WORDS: usize = 4096;
/// So long it is left alone where it asks for that and does not say for how long.
const PAUSE: Duration = Duration::from_secs(60);
/// Longer it is not left alone, whatever it says.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Sends requests to one API, with one token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    api: Url,
    /// For whom a limit of the forge is one.
    who: Who,
    pub book: Book,
}

/// A good answer.
#[derive(Clone)]
pub struct Answer {
    /// Its body.
    pub body: Value,
    /// Whether there is another page of it.
    pub more: bool,
}

impl Client {
    /// A client for the API at an address.
    pub fn new(kind: ForgeType, api: &str, token: &str, ca: Option<&str>) -> Result<Self, ForgeError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let api = address(api)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")))
            // A redirect would take the token to where its owner did not send it.
            .redirect(redirect::Policy::none())
            .default_headers(headers(kind, token)?)
            .connect_timeout(CONNECT)
            .timeout(ANSWER);
        if let Some(ca) = ca {
            let certificates = Certificate::from_pem_bundle(ca.as_bytes()).ok().filter(|found| !found.is_empty());
            builder = builder.tls_certs_only(certificates.ok_or(ForgeError::Ca)?);
        }
        let http = builder.build().map_err(|error| unreachable(&api, &error))?;
        let who = Who::new(api.as_str(), token);
        Ok(Self { http, api, who, book: Book::default() })
    }

    /// What it asked for is over.
    #[cfg(test)]
    pub fn forgive(&self) {
        self.who.forgive();
    }

    /// Address of the API.
    #[cfg(test)]
    pub fn api(&self) -> &str {
        self.api.as_str()
    }

    /// Sends one request. `path` is made of segments, each of which may hold any character.
    pub async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ForgeError> {
        let mut url = self.api.clone();
        url.path_segments_mut().map_err(|()| ForgeError::Url(self.api.to_string()))?.pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        if let Some(pause) = self.who.left(Instant::now()) {
            return Err(ForgeError::Limited { place: told(&url), pause });
        }
        let known = if method == Method::GET { self.book.known(&url) } else { None };
        let mut request = self.http.request(method, url.clone());
        if let Some((tag, _)) = &known {
            request = request.header(IF_NONE_MATCH, tag.clone());
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut answer = request.send().await.map_err(|error| unreachable(&url, &error))?;
        let more = answer
            .headers()
            .get(LINK)
            .and_then(|link| link.to_str().ok())
            .is_some_and(|link| link.split(',').any(|one| one.contains("rel=\"next\"")));
        if let (StatusCode::NOT_MODIFIED, Some((_, known))) = (answer.status(), known) {
            // The same page may have come to have others after it.
            return Ok(Answer { more: more || known.more, ..known });
        }
        if let Err(mut error) = judge(&url, answer.status(), answer.headers(), Timestamp::now()) {
            if matches!(error, ForgeError::Refused(_, 403)) && speaks_of_limit(&mut answer).await {
                error = ForgeError::Limited { place: told(&url), pause: PAUSE };
            }
            if let ForgeError::Limited { pause, .. } = &error {
                self.who.leave(*pause, Instant::now());
            }
            return Err(error);
        }
        let tag = answer.headers().get(ETAG).cloned();
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| unreachable(&url, &error))? {
            if bytes.len() + piece.len() > BODY {
                return Err(ForgeError::Nonsense(told(&url), format!("more than {BODY} bytes")));
            }
            bytes.extend_from_slice(&piece);
        }
        let body = serde_json::from_slice(&bytes);
        let answer = Answer { body: body.map_err(|_| ForgeError::Nonsense(told(&url), "no JSON".to_owned()))?, more };
        if let Some(tag) = tag {
            self.book.keep(url, tag, &answer, bytes.len());
        }
        Ok(answer)
    }
}

/// What every request carries.
fn headers(kind: ForgeType, token: &str) -> Result<HeaderMap, ForgeError> {
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ForgeError::Token);
    }
    let (name, value) = match kind {
        ForgeType::GitHub => (AUTHORIZATION, format!("Bearer {token}")),
        ForgeType::GitLab => (HeaderName::from_static("private-token"), token.to_owned()),
        ForgeType::Gitea => (AUTHORIZATION, format!("token {token}")),
    };
    let mut value = HeaderValue::from_str(&value).map_err(|_| ForgeError::Token)?;
    value.set_sensitive(true);
    let mut headers = HeaderMap::from_iter([(name, value)]);
    if kind == ForgeType::GitHub {
        headers.insert("accept", HeaderValue::from_static("application/vnd.github+json"));
        headers.insert("x-github-api-version", HeaderValue::from_static("2022-11-28"));
    }
    Ok(headers)
}

/// An address that a token may be sent to.
fn address(text: &str) -> Result<Url, ForgeError> {
    let url = Url::parse(text).map_err(|_| ForgeError::Url(text.to_owned()))?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    match url.scheme() {
        "https" | "http" if !bare || url.host_str().is_none() => Err(ForgeError::Url(told(&url))),
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(ForgeError::PlainToken(told(&url))),
        _ => Err(ForgeError::Url(told(&url))),
    }
}

/// What a status and headers say of an answer.
fn judge(url: &Url, status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Result<(), ForgeError> {
    let spent = |name: &str| headers.get(name).is_some_and(|left| left.as_bytes() == b"0");
    let refused = matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
    let limited = status == StatusCode::TOO_MANY_REQUESTS
        || refused
            && (headers.contains_key(RETRY_AFTER) || spent("x-ratelimit-remaining") || spent("ratelimit-remaining"));
    if limited || status == StatusCode::SERVICE_UNAVAILABLE {
        return Err(ForgeError::Limited { place: told(url), pause: pause(headers, now) });
    }
    match status {
        status if status.is_success() => Ok(()),
        status if status.is_redirection() => Err(ForgeError::Redirected(told(url))),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ForgeError::Refused(told(url), status.as_u16())),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(ForgeError::NotFound(told(url))),
        status => Err(ForgeError::Nonsense(told(url), status.to_string())),
    }
}

/// Whether a refusal is one of GitHub's secondary limits, which may come without a header that says so.
async fn speaks_of_limit(answer: &mut reqwest::Response) -> bool {
    let mut words = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        words.extend_from_slice(&piece);
        if words.len() > WORDS {
            break;
        }
    }
    String::from_utf8_lossy(&words).to_lowercase().contains("rate limit")
}

/// How long it asks to be left alone.
fn pause(headers: &HeaderMap, now: Timestamp) -> Duration {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let until = |at: i64| at.saturating_sub(now.as_second());
    let seconds = number("retry-after")
        .or_else(|| number("x-ratelimit-reset").map(until))
        .or_else(|| number("ratelimit-reset").map(until));
    let pause = seconds.map_or(PAUSE, |seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or_default()));
    pause.clamp(Duration::from_secs(1), LONGEST_PAUSE)
}

fn unreachable(url: &Url, error: &reqwest::Error) -> ForgeError {
    let message = match error.source().map(innermost) {
        Some(message) if !error.is_timeout() && !message.is_empty() => message,
        _ => "it does not answer in time".to_owned(),
    };
    ForgeError::Unreachable(told(url), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_https_alone_and_to_this_machine() {
        for (text, expected) in [
            ("https://forge.example.com/api/v4", Ok(())),
            ("http://127.0.0.1:3000/api/v1", Ok(())),
            ("http://[::1]/api", Ok(())),
            ("http://forge.example.com/api", Err(ForgeError::PlainToken("http://forge.example.com/api".into()))),
            ("http://127.0.0.1.example.com/", Err(ForgeError::PlainToken("http://127.0.0.1.example.com/".into()))),
            ("https://me:canary@forge.example.com/", Err(ForgeError::Url("https://forge.example.com/".into()))),
            ("https://forge.example.com/?token=canary", Err(ForgeError::Url("https://forge.example.com/".into()))),
            ("ftp://forge.example.com/", Err(ForgeError::Url("ftp://forge.example.com/".into()))),
        ] {
            assert_eq!(address(text).map(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_and_none_is_shown() {
        for token in ["", " \n", "a b", "a\r\nx: y", "é"] {
            assert_eq!(headers(ForgeType::GitHub, token).map(|_| ()), Err(ForgeError::Token), "{token:?}");
        }
        let shown = format!("{:?}", headers(ForgeType::GitLab, "canary\n").expect("a token"));
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn it_is_left_alone_for_as_long_as_it_asks() {
        let now = Timestamp::from_second(1_000).expect("a time");
        for (given, seconds) in [
            (vec![("retry-after", "7")], 7),
            (vec![("x-ratelimit-reset", "1090")], 90),
            (vec![("ratelimit-reset", "1030")], 30),
            (vec![("retry-after", "7"), ("x-ratelimit-reset", "1090")], 7),
            (vec![("x-ratelimit-reset", "10")], 1),
            (vec![("retry-after", "9223372036854775807")], 3_600),
            (vec![("retry-after", "soon")], 60),
            (vec![], 60),
        ] {
            let map =
                given.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            assert_eq!(pause(&map.collect(), now), Duration::from_secs(seconds), "{given:?}");
        }
    }
}
