//! HTTP to a chart repository or registry.

use std::error::Error;
use std::io::Read;
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{Certificate, StatusCode, Url, redirect};

use super::Pull;
use super::error::ChartError;
use crate::failure::innermost;
use crate::object::address::{is_loopback, told};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(60);
/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// A client for what is asked for. It follows redirects, never from https to http; credentials are
/// left out where one leads to another host.
pub fn client(request: &Pull) -> Result<Client, ChartError> {
    let follow = redirect::Policy::custom(|attempt| {
        let from_https = attempt.previous().iter().any(|url| url.scheme() == "https");
        if attempt.previous().len() > REDIRECTS {
            attempt.error("too many redirects")
        } else if from_https && attempt.url().scheme() != "https" {
            attempt.error("a redirect leads away from https")
        } else {
            attempt.follow()
        }
    });
    let mut builder = Client::builder()
        .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")))
        .redirect(follow)
        .connect_timeout(CONNECT)
        .timeout(ANSWER);
    if let Some(ca) = &request.ca {
        let certificates = Certificate::from_pem_bundle(ca.as_bytes()).ok().filter(|found| !found.is_empty());
        builder = builder.tls_certs_only(certificates.ok_or(ChartError::Ca)?);
    }
    builder.build().map_err(|error| unreachable(&request.repository, &error))
}

/// An address, which is https where credentials go along, or this machine itself.
pub fn address(text: &str, request: &Pull) -> Result<Url, ChartError> {
    let url = Url::parse(text).map_err(|_| ChartError::Url(text.to_owned()))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if request.login.is_none() || is_loopback(&url) => Ok(url),
        "http" => Err(ChartError::PlainCredentials(told(&url))),
        _ => Err(ChartError::Url(text.to_owned())),
    }
}

/// Sends a request; an answer of any status is one.
pub fn send(url: &Url, request: RequestBuilder) -> Result<Response, ChartError> {
    request.send().map_err(|error| unreachable(&told(url), &error))
}

/// The body of a good answer, within a limit.
pub fn body(url: &Url, what: &str, response: Response, limit: u64) -> Result<Vec<u8>, ChartError> {
    let place = told(url);
    match response.status() {
        status if status.is_success() => {}
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            return Err(ChartError::NotFound { place, what: what.to_owned() });
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(ChartError::Refused(place)),
        status => return Err(ChartError::Unreachable { url: place, message: format!("it answers {status}") }),
    }
    let mut bytes = Vec::new();
    let read = response.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| ChartError::Unreachable { url: place.clone(), message: error.to_string() })?;
    if bytes.len() as u64 > limit {
        let message = format!("{what} has more than the {limit} bytes that are allowed");
        return Err(ChartError::Nonsense { url: place, message });
    }
    Ok(bytes)
}

fn unreachable(url: &str, error: &reqwest::Error) -> ChartError {
    let message = match error.source().map(innermost) {
        Some(message) if !error.is_timeout() && !message.is_empty() => message,
        _ => "it does not answer in time".to_owned(),
    };
    ChartError::Unreachable { url: url.to_owned(), message }
}
