//! A chart repository: an `index.yaml`, and packed charts wherever that says.

use reqwest::Url;
use serde_json::Value;

use super::error::ChartError;
use super::http::{address, body, client, send};
use super::{CHART_BYTES, Pull, digest};
use crate::object::address::told;
use crate::object::yaml;

/// Bytes of an index: those of large public repositories have some ten million.
const INDEX_BYTES: u64 = 48 << 20;

/// Brings a chart.
pub fn pull(request: &Pull) -> Result<Vec<u8>, ChartError> {
    let client = client(request)?;
    let base = address(&format!("{}/", request.repository.trim_end_matches('/')), request)?;
    let url = base.join("index.yaml").map_err(|_| ChartError::Url(request.repository.clone()))?;
    let with_login = |asked: reqwest::blocking::RequestBuilder| match &request.login {
        Some((user, password)) => asked.basic_auth(user, Some(password)),
        None => asked,
    };
    let answer = send(&url, with_login(client.get(url.clone())))?;
    let index = body(&url, "index.yaml", answer, INDEX_BYTES)?;
    let entry = entry(&index, request).map_err(|what| match what {
        Missing::Index(message) => ChartError::Nonsense { url: told(&url), message },
        Missing::Chart(what) => ChartError::NotFound { place: told(&base), what },
    })?;
    let at = base.join(&entry.url).map_err(|_| ChartError::Url(entry.url.clone()))?;
    let same_host = at.host_str() == base.host_str() && at.port_or_known_default() == base.port_or_known_default();
    if downgraded(&base, &at, entry.digest.is_some() || request.digest.is_some()) {
        return Err(ChartError::PlainChart(told(&at)));
    }
    // Credentials are for the repository, wherever it keeps its charts.
    let asked = if same_host { with_login(client.get(address(at.as_str(), request)?)) } else { client.get(at.clone()) };
    let chart = body(&at, "chart of that address", send(&at, asked)?, CHART_BYTES)?;
    let found = digest(&chart);
    for wanted in [&entry.digest, &request.digest].into_iter().flatten() {
        if *wanted != found {
            let what = format!("the chart {} {} of {}", request.name, entry.version, told(&base));
            return Err(ChartError::Digest { what, found, wanted: wanted.clone() });
        }
    }
    Ok(chart)
}

/// Whether an index that came over TLS sends elsewhere without it, for a chart that no digest tells from another.
fn downgraded(base: &Url, at: &Url, pinned: bool) -> bool {
    base.scheme() == "https" && at.scheme() != "https" && !pinned
}

struct Entry {
    version: String,
    url: String,
    digest: Option<String>,
}

enum Missing {
    Index(String),
    Chart(String),
}

/// The one entry of the index that is asked for.
fn entry(index: &[u8], request: &Pull) -> Result<Entry, Missing> {
    let limits = yaml::Limits { bytes: INDEX_BYTES, nodes: 10_000_000, ..yaml::Limits::default() };
    let (documents, problems) = yaml::read("index.yaml", index, &limits);
    let document = documents.into_iter().next().filter(|_| problems.is_empty());
    let Some(document) = document else {
        let message = problems.first().map_or("the index is empty".to_owned(), ToString::to_string);
        return Err(Missing::Index(message));
    };
    let charts = document.value.get("entries").and_then(Value::as_object);
    let Some(charts) = charts else { return Err(Missing::Index("it has no entries".to_owned())) };
    let Some(entries) = charts.get(&request.name).and_then(Value::as_array) else {
        return Err(Missing::Chart(format!("chart {:?}", request.name)));
    };
    let text = |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).map(str::to_owned);
    let digest_of =
        |entry: &Value| text(entry, "digest").map(|digest| format!("sha256:{}", digest.trim_start_matches("sha256:")));
    let wanted = |entry: &&Value| {
        let version = request.version.as_ref().is_none_or(|wanted| text(entry, "version").as_ref() == Some(wanted));
        let digest = request.version.is_some() || digest_of(entry) == request.digest;
        version && digest
    };
    let Some(entry) = entries.iter().find(wanted) else {
        let mut known: Vec<String> = entries.iter().filter_map(|entry| text(entry, "version")).take(5).collect();
        known.sort_by(|a, b| b.cmp(a));
        let what = match &request.version {
            Some(version) => format!("version {version} of the chart {:?}; it has {}", request.name, known.join(", ")),
            None => format!("chart {:?} of that digest", request.name),
        };
        return Err(Missing::Chart(what));
    };
    let url = entry.pointer("/urls/0").and_then(Value::as_str).map(str::to_owned);
    let url = url.ok_or_else(|| Missing::Index(format!("the chart {:?} has no address", request.name)))?;
    Ok(Entry { version: text(entry, "version").unwrap_or_default(), url, digest: digest_of(entry) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_over_tls_sends_nobody_elsewhere_without_it() {
        let at = |text: &str| Url::parse(text).expect("an address");
        for (base, chart, pinned, expected) in [
            ("https://charts.example/", "http://other.example/web.tgz", false, true),
            ("https://charts.example/", "http://charts.example/web.tgz", false, true),
            ("https://charts.example/", "http://other.example/web.tgz", true, false),
            ("https://charts.example/", "https://other.example/web.tgz", false, false),
            ("http://127.0.0.1:1/", "http://127.0.0.1:1/web.tgz", false, false),
        ] {
            assert_eq!(downgraded(&at(base), &at(chart), pinned), expected, "{base} {chart} {pinned}");
        }
    }

    #[test]
    fn the_version_that_is_asked_for_is_found_and_no_other() {
        let index = b"apiVersion: v1\nentries:\n  web:\n  - {version: 1.2.4, urls: [b.tgz], digest: bbb}\n  - {version: 1.2.3, urls: [a.tgz], digest: aaa}\n  none: [{version: 1.0.0}]\n";
        let of = |name: &str, version: Option<&str>, digest: Option<&str>| Pull {
            repository: "https://charts.example.com".to_owned(),
            name: name.to_owned(),
            version: version.map(str::to_owned),
            digest: digest.map(str::to_owned),
            login: None,
            ca: None,
        };
        let found = |request: Pull| match entry(index, &request) {
            Ok(entry) => entry.url,
            Err(Missing::Chart(what)) => format!("no {what}"),
            Err(Missing::Index(message)) => message,
        };
        assert_eq!(found(of("web", Some("1.2.3"), None)), "a.tgz");
        assert_eq!(found(of("web", None, Some("sha256:bbb"))), "b.tgz");
        assert_eq!(found(of("web", Some("1.2"), None)), "no version 1.2 of the chart \"web\"; it has 1.2.4, 1.2.3");
        assert_eq!(found(of("web", None, Some("sha256:ccc"))), "no chart \"web\" of that digest");
        assert_eq!(found(of("db", Some("1.2.3"), None)), "no chart \"db\"");
        assert_eq!(found(of("none", Some("1.0.0"), None)), "the chart \"none\" has no address");
    }
}
