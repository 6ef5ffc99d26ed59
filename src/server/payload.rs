//! What a delivery says, read only after its sender was found to have the key.

use axum::http::{HeaderMap, header};
use serde::Deserialize;

/// Headers that name the event; Gitea sends the first and its own.
const EVENT_HEADERS: [&str; 5] =
    ["x-github-event", "x-gitea-event", "x-gogs-event", "x-gitlab-event", "x-tandem-event"];
/// Events that tell of references that came, went or moved, of reviews, and of checks: what they say is never taken for either, the
/// remote and the forge are asked. Those in capitals are GitLab's; its system hooks name theirs in the body, and are rare
/// enough to count whatever they say.
const NEWS: [&str; 19] = [
    "push",
    "create",
    "delete",
    "pull_request",
    "pull_request_sync",
    "pull_request_label",
    "pull_request_review",
    "pull_request_approved",
    "pull_request_rejected",
    "merge_group",
    "release",
    "status",
    "check_run",
    "Push Hook",
    "Tag Push Hook",
    "Merge Request Hook",
    "Release Hook",
    "Pipeline Hook",
    "System Hook",
];

/// What a delivery is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// References may have moved, or somebody reviewed or checked something.
    News,
    /// Anything else, such as `ping`: nothing follows from it.
    Other,
}

/// Which event the headers name. A delivery that names none is generic, and means news.
pub fn event(headers: &HeaderMap) -> Event {
    let name = EVENT_HEADERS.iter().find_map(|header| headers.get(*header));
    match name {
        Some(name) if !NEWS.iter().any(|news| name.as_bytes() == news.as_bytes()) => Event::Other,
        _ => Event::News,
    }
}

/// A body that is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// It is not JSON, or its repository is of another form.
    #[error("the body is not the JSON of a delivery")]
    NotJson,
    /// It is a form without its one field.
    #[error("the form has no field payload")]
    NoPayload,
}

/// What a body says of where something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `owner/name` of the repository that it speaks of, where it names one.
    pub repository: Option<String>,
    /// Full name of the branch or tag that moved, came or went, where it names one.
    pub reference: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    repository: Option<RepositoryNames>,
    /// Full in what a push tells, short where a branch or tag came or went.
    #[serde(default, rename = "ref")]
    reference: Option<serde_json::Value>,
    /// `branch` or `tag`, where the name is short.
    #[serde(default)]
    ref_type: Option<serde_json::Value>,
    /// GitLab's word for it; its own `repository` has no full name.
    project: Option<ProjectNames>,
}

#[derive(Deserialize)]
struct ProjectNames {
    path_with_namespace: Option<String>,
}

#[derive(Deserialize)]
struct RepositoryNames {
    full_name: Option<String>,
}

/// Which repository and reference the delivery speaks of. An empty body is right: a script's delivery needs no words.
///
/// # Errors
/// The body is none.
pub fn told(headers: &HeaderMap, body: &[u8]) -> Result<Told, PayloadError> {
    let form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if form {
        // curl -d says "form" of whatever it sends, so what begins like JSON is taken for it.
        if !body.trim_ascii_start().starts_with(b"{") && !body.is_empty() {
            let payload = form_urlencoded::parse(body).find(|(key, _)| key == "payload");
            let (_, payload) = payload.ok_or(PayloadError::NoPayload)?;
            return read(payload.as_bytes());
        }
    }
    read(body)
}

fn read(json: &[u8]) -> Result<Told, PayloadError> {
    if json.trim_ascii().is_empty() {
        return Ok(Told::default());
    }
    let body: Body = serde_json::from_slice(json).map_err(|_| PayloadError::NotJson)?;
    let reference = reference(&body);
    let name = body.repository.and_then(|repository| repository.full_name);
    let name = name.or_else(|| body.project.and_then(|project| project.path_with_namespace));
    Ok(Told { repository: name.filter(|name| !name.is_empty()), reference })
}

/// The full name of a branch or tag. Whatever else stands there, such as notes with approvals, is taken for news.
fn reference(body: &Body) -> Option<String> {
    let name = body.reference.as_ref()?.as_str()?;
    match body.ref_type.as_ref().and_then(serde_json::Value::as_str) {
        Some("branch") => Some(format!("refs/heads/{name}")),
        Some("tag") => Some(format!("refs/tags/{name}")),
        Some(_) => None,
        None => (name.starts_with("refs/heads/") || name.starts_with("refs/tags/")).then(|| name.to_owned()),
    }
}

/// Whether news of a reference may be news for who follows these.
pub fn concerns(follows: &[String], reference: Option<&str>) -> bool {
    let Some(reference) = reference else { return true };
    let fits = |one: &String| if one.ends_with('/') { reference.starts_with(&**one) } else { reference == one };
    follows.is_empty() || follows.iter().any(fits)
}

/// Whether the URL of a Repository leads to the repository that a forge calls `owner/name`. Hosts
/// are not compared: inside a cluster a forge often has another name than outside.
pub fn leads_to(url: &str, full_name: &str) -> bool {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest).split_once('/').map_or("", |(_, path)| path);
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).to_lowercase();
    let full_name = full_name.to_lowercase();
    path.strip_suffix(&full_name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().expect("a header"), HeaderValue::from_static(value))])
    }

    #[test]
    fn only_moving_references_and_reviews_are_news() {
        assert_eq!(event(&HeaderMap::new()), Event::News);
        for (header, value, expected) in [
            ("x-github-event", "push", Event::News),
            ("x-github-event", "ping", Event::Other),
            ("x-github-event", "issues", Event::Other),
            ("x-gitea-event", "pull_request_sync", Event::News),
            ("x-gitea-event", "pull_request_label", Event::News),
            ("x-gitea-event", "delete", Event::News),
            ("x-github-event", "pull_request_review", Event::News),
            ("x-github-event", "pull_request_review_comment", Event::Other),
            ("x-gitea-event", "pull_request_approved", Event::News),
            ("x-gitea-event", "pull_request_rejected", Event::News),
            ("x-gitlab-event", "Merge Request Hook", Event::News),
            ("x-gitlab-event", "Note Hook", Event::Other),
            ("x-gitlab-event", "Push Hook", Event::News),
            ("x-gitlab-event", "Issue Hook", Event::Other),
        ] {
            assert_eq!(event(&headers(header, value)), expected, "{value}");
        }
    }

    #[test]
    fn bodies_name_their_repository_or_are_refused() {
        let json = headers("content-type", "application/json");
        let form = headers("content-type", "application/x-www-form-urlencoded");
        let deep = "[".repeat(100_000);
        for (headers, body, expected) in [
            (&json, r#"{"repository":{"full_name":"shop/web"},"ref":"refs/heads/main"}"#, Ok(Some("shop/web"))),
            (&json, r#"{"project":{"path_with_namespace":"a/b/c"},"repository":{"name":"c"}}"#, Ok(Some("a/b/c"))),
            (&json, r#"{"project":[7]}"#, Err(PayloadError::NotJson)),
            (&json, r#"{"zen":"Design for failure."}"#, Ok(None)),
            (&json, r#"{"repository":null}"#, Ok(None)),
            (&json, "", Ok(None)),
            (&json, "{", Err(PayloadError::NotJson)),
            (&json, "[]x", Err(PayloadError::NotJson)),
            (&json, r#"{"repository":7}"#, Err(PayloadError::NotJson)),
            (&json, &deep, Err(PayloadError::NotJson)),
            (&form, "payload=%7B%22repository%22%3A%7B%22full_name%22%3A%22a%2Fb%22%7D%7D", Ok(Some("a/b"))),
            (&form, "a=b", Err(PayloadError::NoPayload)),
            (&form, "payload=%7B", Err(PayloadError::NotJson)),
            (&form, r#"{"repository":{"full_name":"a/b"}}"#, Ok(Some("a/b"))),
        ] {
            let expected = expected.map(|name| name.map(str::to_owned));
            assert_eq!(told(headers, body.as_bytes()).map(|told| told.repository), expected, "{body:.60}");
        }
    }

    #[test]
    fn news_of_another_branch_or_tag_is_none() {
        let (main, tags) = (["refs/heads/main".to_owned()], ["refs/tags/".to_owned()]);
        let of = |body: &str| told(&HeaderMap::new(), body.as_bytes()).expect("JSON").reference;
        for (body, main_too, tags_too) in [
            (r#"{"ref":"refs/heads/main"}"#, true, false),
            (r#"{"ref":"refs/heads/feature"}"#, false, false),
            (r#"{"ref":"refs/heads/main/a"}"#, false, false),
            (r#"{"ref":"refs/tags/main"}"#, false, true),
            (r#"{"ref":"main","ref_type":"branch"}"#, true, false),
            (r#"{"ref":"feature","ref_type":"branch"}"#, false, false),
            (r#"{"ref":"main","ref_type":"tag"}"#, false, true),
            // What is not sure is looked at: notes hold approvals, and short names say nothing.
            (r#"{"ref":"refs/notes/tandem/ada"}"#, true, true),
            (r#"{"ref":"main"}"#, true, true),
            (r#"{"ref":"main","ref_type":"repository"}"#, true, true),
            (r#"{"ref":null}"#, true, true),
            (r#"{"ref":{"a":1}}"#, true, true),
            (r#"{"pull_request":{"head":{"ref":"feature"}}}"#, true, true),
            ("", true, true),
        ] {
            let reference = of(body);
            assert_eq!(concerns(&main, reference.as_deref()), main_too, "{body}");
            assert_eq!(concerns(&tags, reference.as_deref()), tags_too, "{body}");
            assert!(concerns(&[], reference.as_deref()));
        }
    }

    #[test]
    fn urls_lead_to_their_repository_whatever_the_host() {
        for (url, name, expected) in [
            ("https://git.example.com/shop/web.git", "shop/web", true),
            ("http://gitea.internal:3000/Shop/Web/", "shop/web", true),
            ("ssh://git@git.example.com:2222/shop/web", "shop/web", true),
            ("https://example.com/gitea/shop/web.git", "shop/web", true),
            ("https://git.example.com/shop/website", "shop/web", false),
            ("https://git.example.com/pet-shop/web", "shop/web", false),
            ("https://git.example.com", "shop/web", false),
            ("https://git.example.com/shop/web", "web", true),
        ] {
            assert_eq!(leads_to(url, name), expected, "{url} {name}");
        }
    }
}
