//! An OCI registry: a manifest by its tag or digest, and the layer in it that is the chart.

use reqwest::StatusCode;
use reqwest::Url;
use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT, WWW_AUTHENTICATE};
use serde_json::Value;

use super::error::ChartError;
use super::http::{address, body, client, send};
use super::{CHART_BYTES, Pull, digest};
use crate::object::address::{is_loopback, told};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYERS: [&str; 2] = ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];
/// Bytes of a manifest or a token's answer.
const SMALL: u64 = 4 << 20;

/// Brings a chart. `rest` is what follows `oci://`.
pub fn pull(request: &Pull, rest: &str) -> Result<Vec<u8>, ChartError> {
    let (host, path) = rest.trim_end_matches('/').split_once('/').unwrap_or((rest, ""));
    let name = if path.is_empty() { request.name.clone() } else { format!("{path}/{}", request.name) };
    // As everybody does: a registry on this machine may do without TLS.
    let https = Url::parse(&format!("https://{host}/")).map_err(|_| ChartError::Url(request.repository.clone()))?;
    let scheme = if is_loopback(&https) && request.ca.is_none() { "http" } else { "https" };
    let base = address(&format!("{scheme}://{host}/v2/{name}/"), request)?;
    let mut registry = Registry { client: client(request)?, base, request, bearer: None };
    // A `+` of a version cannot stand in a tag.
    let tag = request.version.as_deref().map(|version| version.replace('+', "_"));
    let reference = request.digest.clone().or(tag).unwrap_or_default();
    let what = format!("chart {name}:{reference}");
    let manifest = registry.get(&format!("manifests/{reference}"), &what, SMALL)?;
    if let Some(wanted) = &request.digest {
        check(&format!("the manifest of {what}"), &manifest, wanted)?;
    }
    let layer = layer(&manifest).ok_or_else(|| ChartError::Nonsense {
        url: told(&registry.base),
        message: format!("{what} has no layer that is a chart"),
    })?;
    let chart = registry.get(&format!("blobs/{layer}"), &format!("content of {what}"), CHART_BYTES)?;
    check(&format!("the content of {what}"), &chart, &layer)?;
    Ok(chart)
}

fn check(what: &str, content: &[u8], wanted: &str) -> Result<(), ChartError> {
    let found = digest(content);
    if found == wanted {
        return Ok(());
    }
    Err(ChartError::Digest { what: what.to_owned(), found, wanted: wanted.to_owned() })
}

/// Digest of the layer that is the chart.
fn layer(manifest: &[u8]) -> Option<String> {
    let manifest: Value = serde_json::from_slice(manifest).ok()?;
    let layers = manifest.get("layers")?.as_array()?;
    let is_chart =
        |layer: &&Value| layer.get("mediaType").and_then(Value::as_str).is_some_and(|kind| LAYERS.contains(&kind));
    let digest = layers.iter().find(is_chart)?.get("digest")?.as_str()?;
    let hex = digest.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| digest.to_owned())
}

struct Registry<'a> {
    client: Client,
    base: Url,
    request: &'a Pull,
    bearer: Option<String>,
}

impl Registry<'_> {
    fn get(&mut self, path: &str, what: &str, limit: u64) -> Result<Vec<u8>, ChartError> {
        let url = self.base.join(path).map_err(|_| ChartError::Url(path.to_owned()))?;
        let mut answer = self.ask(&url, None)?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            let challenge =
                answer.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            match Challenge::parse(challenge) {
                Some(Challenge::Basic) if self.request.login.is_some() => {
                    answer = self.ask(&url, self.request.login.as_ref())?
                }
                Some(Challenge::Bearer { realm, service, scope }) => {
                    self.bearer = Some(self.token(&realm, service.as_deref(), scope.as_deref())?);
                    answer = self.ask(&url, None)?;
                }
                _ => {}
            }
        }
        body(&url, what, answer, limit)
    }

    fn ask(&self, url: &Url, login: Option<&(String, String)>) -> Result<Response, ChartError> {
        let mut asked = self.client.get(url.clone()).header(ACCEPT, MANIFEST).header(ACCEPT, "*/*");
        if let Some((user, password)) = login {
            asked = asked.basic_auth(user, Some(password));
        } else if let Some(token) = &self.bearer {
            asked = asked.bearer_auth(token);
        }
        send(url, asked)
    }

    /// A token for this repository, by the login where there is one.
    fn token(&self, realm: &str, service: Option<&str>, scope: Option<&str>) -> Result<String, ChartError> {
        let mut url = address(realm, self.request)?;
        for (name, value) in [("service", service), ("scope", scope)] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let mut asked = self.client.get(url.clone());
        if let Some((user, password)) = &self.request.login {
            asked = asked.basic_auth(user, Some(password));
        }
        let answer = body(&url, "tokens", send(&url, asked)?, SMALL)?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let token = ["token", "access_token"].iter().find_map(|field| answer.get(field)?.as_str());
        token
            .map(str::to_owned)
            .ok_or_else(|| ChartError::Nonsense { url: told(&url), message: "the answer holds no token".to_owned() })
    }
}

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        let mut rest = rest.trim();
        // A comma in quotes separates nothing.
        while let Some((key, after)) = rest.split_once('=') {
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(',').unwrap_or((after, "")),
            };
            match key.trim().to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value.to_owned()),
                "service" => service = Some(value.to_owned()),
                "scope" => scope = Some(value.to_owned()),
                _ => {}
            }
            rest = after.trim_start_matches([',', ' ']);
        }
        Some(Self::Bearer { realm: realm?, service, scope })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = Challenge::parse(r#"Bearer realm="https://a.b/t",service="a.b",scope="repository:x/y:pull,push""#);
        let expected = Challenge::Bearer {
            realm: "https://a.b/t".to_owned(),
            service: Some("a.b".to_owned()),
            scope: Some("repository:x/y:pull,push".to_owned()),
        };
        assert_eq!(bearer, Some(expected));
        assert_eq!(Challenge::parse("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(Challenge::parse("Bearer service=\"x\""), None);
        assert_eq!(Challenge::parse("Bearer realm=\"x"), None);
        assert_eq!(Challenge::parse(""), None);
    }

    #[test]
    fn the_layer_that_is_a_chart_is_found() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let manifest = |kind: &str, digest: &str| {
            serde_json::json!({"layers": [{"mediaType": "application/vnd.cncf.helm.chart.provenance.v1.prov", "digest": "sha256:x"}, {"mediaType": kind, "digest": digest}]}).to_string()
        };
        assert_eq!(layer(manifest(LAYERS[0], &digest).as_bytes()), Some(digest.clone()));
        assert_eq!(layer(manifest("image", &digest).as_bytes()), None);
        assert_eq!(layer(manifest(LAYERS[0], "sha256:../../x").as_bytes()), None);
        assert_eq!(layer(b"{}"), None);
    }
}
