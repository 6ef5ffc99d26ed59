//! What a delivery says, read only after its sender was found to have the key.

use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::Value;

use super::subject::{About, Named};

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
    /// The repository that it speaks of.
    pub repository: Named,
    /// The branches and tags that it speaks of.
    pub about: About,
}

#[derive(Deserialize)]
struct Body {
    repository: Option<Names>,
    /// GitLab's word for it; its own `repository` has no full name.
    project: Option<Names>,
    /// Where GitLab tells of a project as a whole.
    path_with_namespace: Option<Value>,
    /// Full in what a push tells, short where a branch or tag came or went.
    #[serde(default, rename = "ref")]
    reference: Option<Value>,
    /// `branch` or `tag`, where the name is short.
    #[serde(default)]
    ref_type: Option<Value>,
    /// Of GitHub and Gitea, also where it was reviewed.
    pull_request: Option<Value>,
    merge_group: Option<Value>,
    /// GitLab's word for what an event is about.
    object_attributes: Option<Value>,
    /// What it was before.
    changes: Option<Value>,
}

/// A repository, in the words of each forge.
#[derive(Deserialize)]
struct Names {
    full_name: Option<String>,
    path_with_namespace: Option<String>,
    clone_url: Option<Value>,
    ssh_url: Option<Value>,
    git_http_url: Option<Value>,
    git_ssh_url: Option<Value>,
}

impl Names {
    fn urls(&self) -> impl Iterator<Item = String> {
        let all = [&self.clone_url, &self.ssh_url, &self.git_http_url, &self.git_ssh_url];
        all.into_iter().flatten().filter_map(Value::as_str).filter(|url| !url.is_empty()).map(str::to_owned)
    }
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
    let about = about(&body);
    let all = [body.repository, body.project];
    let name = all.iter().flatten().find_map(|names| names.full_name.clone().or(names.path_with_namespace.clone()));
    let name = name.or_else(|| body.path_with_namespace.as_ref().and_then(Value::as_str).map(str::to_owned));
    let urls = all.iter().flatten().flat_map(Names::urls).collect();
    Ok(Told { repository: Named { full_name: name.filter(|name| !name.is_empty()), urls }, about })
}

/// What it is about. Whatever is not sure, such as notes with approvals, is taken for news; so is what is said of a commit
/// (a status, a check), for the heads of pull requests are on other branches than those that are followed.
fn about(body: &Body) -> About {
    let text = |value: &Option<Value>, place: &str| value.as_ref()?.pointer(place)?.as_str().map(str::to_owned);
    let bases = [
        text(&body.pull_request, "/base/ref"),
        text(&body.merge_group, "/base_ref"),
        text(&body.object_attributes, "/target_branch"),
    ];
    let bases: Vec<String> = bases.into_iter().flatten().collect();
    if !bases.is_empty() {
        // That it goes elsewhere from now on is news where it went.
        let before = ["/base/ref/from", "/ref/from", "/target_branch/previous"].map(|place| text(&body.changes, place));
        let full = |name: String| if name.starts_with("refs/") { name } else { format!("refs/heads/{name}") };
        return About::Proposal(bases.into_iter().chain(before.into_iter().flatten()).map(full).collect());
    }
    reference(body).map_or(About::Anything, About::Reference)
}

/// The full name of the branch or tag that moved, came or went.
fn reference(body: &Body) -> Option<String> {
    let name = body.reference.as_ref()?.as_str()?;
    match body.ref_type.as_ref().and_then(Value::as_str) {
        Some("branch") => Some(format!("refs/heads/{name}")),
        Some("tag") => Some(format!("refs/tags/{name}")),
        Some(_) => None,
        None => (name.starts_with("refs/heads/") || name.starts_with("refs/tags/")).then(|| name.to_owned()),
    }
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
            let name = told(headers, body.as_bytes()).map(|told| told.repository.full_name);
            assert_eq!(name, expected, "{body:.60}");
        }
    }

    #[test]
    fn each_forge_names_the_repository_in_its_own_words() {
        let read = |body: &str| told(&HeaderMap::new(), body.as_bytes()).expect("JSON").repository;
        for (body, name, urls) in [
            (
                r#"{"repository":{"full_name":"a/b","clone_url":"https://h/a/b.git","ssh_url":"git@h:a/b.git"}}"#,
                Some("a/b"),
                vec!["https://h/a/b.git", "git@h:a/b.git"],
            ),
            (
                r#"{"project":{"path_with_namespace":"g/a/b","git_http_url":"https://h/g/a/b.git","git_ssh_url":"git@h:g/a/b.git"},
                    "repository":{"name":"b","git_http_url":"https://h/g/a/b.git"}}"#,
                Some("g/a/b"),
                vec!["https://h/g/a/b.git", "https://h/g/a/b.git", "git@h:g/a/b.git"],
            ),
            (r#"{"event_name":"project_rename","path_with_namespace":"g/b"}"#, Some("g/b"), vec![]),
            (r#"{"repository":{"full_name":"a/b","clone_url":7,"ssh_url":""}}"#, Some("a/b"), vec![]),
            (r#"{"path_with_namespace":7}"#, None, vec![]),
        ] {
            let named = read(body);
            assert_eq!((named.full_name.as_deref(), named.urls), (name, urls.into_iter().map(str::to_owned).collect()));
        }
    }

    #[test]
    fn what_moved_and_what_was_proposed_are_told_apart() {
        let moved = |name: &str| About::Reference(name.to_owned());
        let proposed =
            |names: &[&str]| About::Proposal(names.iter().map(|name| format!("refs/heads/{name}")).collect());
        for (body, expected) in [
            (r#"{"ref":"refs/heads/main"}"#, moved("refs/heads/main")),
            (r#"{"ref":"refs/tags/v1"}"#, moved("refs/tags/v1")),
            (r#"{"ref":"feature","ref_type":"branch"}"#, moved("refs/heads/feature")),
            (r#"{"ref":"v1","ref_type":"tag"}"#, moved("refs/tags/v1")),
            // What is not sure is looked at: notes hold approvals, and short names say nothing.
            (r#"{"ref":"refs/notes/tandem/ada"}"#, About::Anything),
            (r#"{"ref":"main"}"#, About::Anything),
            (r#"{"ref":"main","ref_type":"repository"}"#, About::Anything),
            (r#"{"ref":null}"#, About::Anything),
            (r#"{"ref":{"a":1}}"#, About::Anything),
            ("", About::Anything),
            // A pull request is about the branch that it goes to, whatever its own is called.
            (r#"{"pull_request":{"head":{"ref":"feature"},"base":{"ref":"main"}}}"#, proposed(&["main"])),
            (r#"{"review":{"state":"approved"},"pull_request":{"base":{"ref":"dev"}}}"#, proposed(&["dev"])),
            (
                r#"{"action":"edited","changes":{"base":{"ref":{"from":"main"}}},"pull_request":{"base":{"ref":"dev"}}}"#,
                proposed(&["dev", "main"]),
            ),
            (
                r#"{"changes":{"ref":{"from":"main"}},"pull_request":{"base":{"ref":"dev"}}}"#,
                proposed(&["dev", "main"]),
            ),
            (r#"{"object_kind":"merge_request","object_attributes":{"target_branch":"dev"}}"#, proposed(&["dev"])),
            (
                r#"{"object_attributes":{"target_branch":"dev"},"changes":{"target_branch":{"previous":"main"}}}"#,
                proposed(&["dev", "main"]),
            ),
            (r#"{"merge_group":{"base_ref":"refs/heads/main","head_ref":"refs/heads/q"}}"#, proposed(&["main"])),
            (r#"{"pull_request":{"head":{"ref":"feature"}}}"#, About::Anything),
            // What is said of a commit counts on any branch.
            (r#"{"state":"success","sha":"a","branches":[{"name":"feature"}]}"#, About::Anything),
            (r#"{"check_run":{"check_suite":{"head_branch":"feature"}}}"#, About::Anything),
            (r#"{"object_kind":"pipeline","object_attributes":{"ref":"feature"}}"#, About::Anything),
        ] {
            assert_eq!(told(&HeaderMap::new(), body.as_bytes()).expect("JSON").about, expected, "{body}");
        }
    }
}
