//! A request as a plain value, before it is sent.

use std::time::Duration;

use http::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ClusterError;
use super::kinds::KindInfo;
use super::lease::WritePermit;
use crate::object::mask;

/// What is sent, and what may be done when it fails.
pub(super) struct Call<'a> {
    pub(super) verb: &'static str,
    pub(super) method: Method,
    /// Plural and group, as `deployments.apps`.
    pub(super) resource: String,
    /// For people: `apply Deployment.apps/shop/web`.
    pub(super) what: String,
    /// Path with query.
    pub(super) path: String,
    pub(super) accept: &'static str,
    pub(super) content: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) repeat: Repeat,
    pub(super) secrecy: Secrecy,
    pub(super) lane: Lane,
    /// Asked before each attempt.
    pub(super) permit: Option<&'a WritePermit>,
}

/// Whether a call that may have arrived is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// A second one changes nothing more.
    Safe,
    /// Only where it surely was not carried out: refused connection, 429.
    OnlyIfUnsent,
}

/// Whether messages about it may repeat secret values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    Plain,
    Secret,
}

/// Whether it queues behind the limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Queued,
    /// Leases: late is as bad as never.
    Urgent,
}

/// What came back with a status below 300.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) body: Vec<u8>,
    pub(super) warnings: Vec<String>,
    pub(super) what: String,
}

impl Reply {
    /// The answer as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ClusterError> {
        serde_json::from_slice(&self.body).map_err(|e| ClusterError::BadAnswer {
            what: self.what.clone(),
            code: self.code,
            // Kind and place of the error only: serde's text may quote the body.
            message: format!(
                "not the JSON that was expected ({:?} at line {}, column {})",
                e.classify(),
                e.line(),
                e.column()
            ),
        })
    }

    /// The answer as an object.
    pub(super) fn object(&self) -> Result<Value, ClusterError> {
        let value: Value = self.json()?;
        if value.get("kind").is_some_and(Value::is_string) && value.get("metadata").is_some_and(Value::is_object) {
            return Ok(value);
        }
        Err(ClusterError::BadAnswer { what: self.what.clone(), code: self.code, message: "not an object".into() })
    }
}

impl<'a> Call<'a> {
    /// A GET.
    pub(super) fn get(kind: &KindInfo, namespace: &str, name: &str) -> Result<Self, ClusterError> {
        let path = object_path(kind, namespace, name)?;
        Ok(Self::of("get", Method::GET, kind, namespace, name, path))
    }

    /// A call of this kind, to this path.
    pub(super) fn of(
        verb: &'static str,
        method: Method,
        kind: &KindInfo,
        namespace: &str,
        name: &str,
        path: String,
    ) -> Self {
        let secret = mask::is_secret(&kind.group, &kind.kind);
        Self {
            verb,
            method,
            resource: kind.resource(),
            what: match (namespace, name) {
                ("", "") => format!("{verb} {} everywhere", kind.resource()),
                (namespace, "") => format!("{verb} {} in {namespace}", kind.resource()),
                _ => format!("{verb} {}", kind.id(namespace, name)),
            },
            path,
            accept: "application/json",
            content: "",
            body: Vec::new(),
            repeat: Repeat::Safe,
            secrecy: if secret { Secrecy::Secret } else { Secrecy::Plain },
            lane: Lane::Queued,
            permit: None,
        }
    }

    /// The same call with a body.
    pub(super) fn with_json(mut self, content: &'static str, body: &Value) -> Self {
        self.content = content;
        self.body = body.to_string().into_bytes();
        self
    }

    /// The same call, carried out at most once.
    pub(super) fn once(mut self) -> Self {
        self.repeat = Repeat::OnlyIfUnsent;
        self
    }

    /// The same call, under a permit.
    pub(super) fn under(mut self, permit: &'a WritePermit) -> Self {
        self.permit = Some(permit);
        self
    }

    /// The same call, past the queue.
    pub(super) fn urgent(mut self) -> Self {
        self.lane = Lane::Urgent;
        self
    }
}

/// Path of a collection; an empty namespace means all of them, or a cluster-scoped kind.
pub(super) fn collection_path(kind: &KindInfo, namespace: &str) -> Result<String, ClusterError> {
    let mut path = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    if kind.namespaced && !namespace.is_empty() {
        check_name(namespace)?;
        path.push_str("/namespaces/");
        path.push_str(&escape(namespace));
    }
    path.push('/');
    path.push_str(&kind.plural);
    Ok(path)
}

/// Path of one object.
pub(super) fn object_path(kind: &KindInfo, namespace: &str, name: &str) -> Result<String, ClusterError> {
    if kind.namespaced {
        check_name(namespace)?;
    }
    check_name(name)?;
    Ok(format!("{}/{}", collection_path(kind, namespace)?, escape(name)))
}

/// The API server's own rule for path segments, so that no name reaches another object.
pub(super) fn check_name(name: &str) -> Result<(), ClusterError> {
    let bad = name.is_empty()
        || name.len() > 253
        || name == "."
        || name == ".."
        || name.contains(['/', '%'])
        || name.chars().any(|c| c.is_control() || c.is_whitespace());
    if bad { Err(ClusterError::BadName(name.to_owned())) } else { Ok(()) }
}

/// Percent-encodes all but unreserved characters (RFC 3986) and the colon of RBAC names.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `Retry-After` in seconds; dates are not used by the API server.
pub(super) fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds.min(300)))
}

/// Texts of `Warning: 299 - "text"` headers.
pub(super) fn warnings(headers: &http::HeaderMap) -> Vec<String> {
    headers.get_all(http::header::WARNING).iter().filter_map(|w| warning_text(w.to_str().ok()?)).collect()
}

fn warning_text(header: &str) -> Option<String> {
    let start = header.find('"')? + 1;
    let mut text = String::new();
    let mut rest = header[start..].chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return Some(text),
            '\\' => text.extend(rest.next()),
            c => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_reach_the_named_object_and_no_other() {
        let deployments = KindInfo::known("apps", "v1", "Deployment", "deployments").namespaced();
        let namespaces = KindInfo::known("", "v1", "Namespace", "namespaces");
        let roles = KindInfo::known("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles");
        let path = |kind: &KindInfo, namespace: &str, name: &str| object_path(kind, namespace, name).expect("a path");
        assert_eq!(path(&deployments, "shop", "web"), "/apis/apps/v1/namespaces/shop/deployments/web");
        assert_eq!(path(&namespaces, "", "shop"), "/api/v1/namespaces/shop");
        assert_eq!(
            path(&roles, "", "system:a b?c".replace(' ', "_").as_str()),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:a_b%3Fc"
        );
        assert_eq!(collection_path(&deployments, "").expect("a path"), "/apis/apps/v1/deployments");
        for (namespace, name) in
            [("shop", ""), ("", "web"), ("shop", "../x"), ("..", "web"), ("a/b", "web"), ("shop", "a%2fb")]
        {
            assert!(object_path(&deployments, namespace, name).is_err(), "{namespace:?}/{name:?} was taken");
        }
    }

    #[test]
    fn warnings_are_read_as_the_api_server_writes_them() {
        for (header, text) in [
            (r#"299 - "policy/v1beta1 is deprecated""#, Some("policy/v1beta1 is deprecated")),
            (r#"299 - "unknown field \"spec.x\"""#, Some(r#"unknown field "spec.x""#)),
            ("299 - \"cut", None),
            ("299", None),
        ] {
            assert_eq!(warning_text(header).as_deref(), text, "{header}");
        }
    }
}
