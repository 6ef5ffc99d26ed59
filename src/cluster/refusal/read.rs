//! Reads a refusal from an answer.

use serde::Deserialize;

use super::{Cause, Refusal, RefusalReason};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    message: String,
    reason: String,
    details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    name: String,
    kind: String,
    causes: Vec<StatusCause>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatusCause {
    reason: String,
    message: String,
    field: String,
}

/// Reads a refusal.
pub(in crate::cluster) fn of(what: &str, code: u16, body: &[u8]) -> Refusal {
    let status = read(code, body);
    let why = classify(code, &status);
    let mut causes: Vec<Cause> = status
        .details
        .causes
        .into_iter()
        .map(|c| Cause { field: c.field, reason: c.reason, message: one_line(&c.message) })
        .collect();
    if causes.is_empty() {
        causes = typed_causes(&status.message);
    }
    Refusal { code, why, what: what.to_owned(), message: one_line(&status.message), causes }
}

/// Reads a refusal about a Secret. The API server quotes what it refuses, so of its words only
/// those stay that cannot hold a value.
pub(in crate::cluster) fn of_secret(what: &str, code: u16, body: &[u8]) -> Refusal {
    let mut refusal = of(what, code, body);
    if !value_free(&refusal) {
        for cause in &mut refusal.causes {
            cause.message = known_phrase(&cause.message);
        }
        let fields: Vec<&str> = refusal.causes.iter().map(|c| c.field.as_str()).filter(|f| !f.is_empty()).collect();
        let at = if fields.is_empty() { String::new() } else { format!("{}: ", fields.join(", ")) };
        refusal.message = format!("{at}{}", known_phrase(&refusal.message));
    }
    refusal
}

/// Fields that server-side apply could not type: it gives no causes, but a line for each of them,
/// `  .spec.replicas: expected numeric`.
fn typed_causes(message: &str) -> Vec<Cause> {
    let Some((_, lines)) = message.split_once("failed to create typed patch object") else { return Vec::new() };
    let lines = lines.split_once("): ").map_or(lines, |(_, lines)| lines);
    lines
        .lines()
        .filter_map(|line| {
            let (field, message) = line.trim().split_once(": ")?;
            let named = field.starts_with('.').then(|| Cause {
                field: field.to_owned(),
                reason: "FieldTypeInvalid".to_owned(),
                message: one_line(message),
            })?;
            Some(named)
        })
        .collect()
}

/// Refusals whose text is made before or without reading values.
fn value_free(refusal: &Refusal) -> bool {
    use RefusalReason::*;
    // Admission may say Forbidden too, after it has read the object.
    let by_rights = refusal.message.contains("User \"") && refusal.message.contains(" cannot ");
    matches!(
        refusal.why,
        Unauthorized
            | FieldConflict { .. }
            | Stale
            | AlreadyExists
            | NotFound
            | NamespaceNotFound(_)
            | NamespaceTerminating
            | KindNotServed
            | QuotaExceeded
            | TooManyRequests
            | Expired
    ) || (refusal.why == Forbidden && by_rights)
}

/// The part of a message that says what is wrong without the value, if it is one that we know.
fn known_phrase(message: &str) -> String {
    const PHRASES: &[&str] = &[
        "field is immutable when `immutable` is set",
        "field is immutable",
        "Required value",
        "Too long",
        "illegal base64 data",
        "unknown field",
        "field not declared in schema",
        "must consist of alphanumeric characters",
        "must be no more than 253 characters",
        "Unsupported value",
        "failed calling webhook",
        "denied the request",
        "does not support dry run",
    ];
    let known = PHRASES.iter().find(|phrase| message.contains(**phrase));
    known.map_or_else(
        || "refused; the API server's message may repeat secret values and is not shown".to_owned(),
        |phrase| format!("{phrase} (the API server's message may repeat secret values and is not shown)"),
    )
}

fn read(code: u16, body: &[u8]) -> Status {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(&body[..body.len().min(300)]);
        Status { message: format!("HTTP {code}: {}", text.trim()), ..Status::default() }
    })
}

fn one_line(message: &str) -> String {
    let mut text = message.split_whitespace().collect::<Vec<_>>().join(" ");
    const LONGEST: usize = 2_000;
    if text.len() > LONGEST {
        let cut = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    text
}

/// Text between a prefix and the next quote of the same sort.
fn quoted_after(text: &str, prefix: &str) -> Option<String> {
    let rest = &text[text.find(prefix)? + prefix.len()..];
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let rest = &rest[1..];
    Some(rest[..rest.find(quote)?].to_owned())
}

fn classify(code: u16, status: &Status) -> RefusalReason {
    use RefusalReason::*;
    let message = status.message.as_str();
    let details = &status.details;
    let has_cause = |reason: &str| details.causes.iter().any(|c| c.reason == reason);
    // Admission answers with whatever code a webhook likes, so its words come first.
    if let Some(webhook) = quoted_after(message, "failed calling webhook ") {
        return WebhookUnreachable(webhook);
    }
    if message.contains("does not support dry run") {
        return DryRunUnsupported(quoted_after(message, "admission webhook ").unwrap_or_default());
    }
    if message.contains("denied the request") || message.contains("denied request") {
        for prefix in ["admission webhook ", "ValidatingAdmissionPolicy ", "MutatingAdmissionPolicy "] {
            if let Some(name) = quoted_after(message, prefix) {
                return AdmissionDenied(name);
            }
        }
    }
    if message.contains("field not declared in schema") {
        return FieldNotDeclared;
    }
    // Sent as HTTP 500 like the one above, though only the manifest is wrong.
    if message.contains("failed to create typed patch object") {
        return Invalid;
    }
    match (code, status.reason.as_str()) {
        (401, _) => Unauthorized,
        (403, _) if has_cause("NamespaceTerminating") => NamespaceTerminating,
        (403, _) if message.contains("exceeded quota") => QuotaExceeded,
        (403, _) if message.contains("violates PodSecurity") => AdmissionDenied("PodSecurity".to_owned()),
        (403, _) => Forbidden,
        (404, _) if details.kind == "namespaces" && !message.contains("the server could not find") => {
            NamespaceNotFound(details.name.clone())
        }
        (404, "NotFound") if !details.name.is_empty() => NotFound,
        (404, _) => KindNotServed,
        (409, "AlreadyExists") => AlreadyExists,
        (409, _) if has_cause("FieldManagerConflict") => field_conflict(details),
        (409, _) => Stale,
        (410, _) => Expired,
        (413, _) => TooLarge,
        (422, _) => Invalid,
        (400, _) if message.contains("strict decoding error") => BadRequest,
        (400 | 415, _) => BadRequest,
        (429, _) => TooManyRequests,
        (500, _) if message.contains("etcdserver: request is too large") => TooLarge,
        (500, "ServerTimeout") => Unavailable,
        (500..=599, _) => Unavailable,
        _ => Other,
    }
}

fn field_conflict(details: &Details) -> RefusalReason {
    let mut managers: Vec<String> = Vec::new();
    let mut fields = Vec::new();
    for cause in details.causes.iter().filter(|c| c.reason == "FieldManagerConflict") {
        let manager = quoted_after(&cause.message, "conflict with ").unwrap_or_else(|| "unknown".to_owned());
        if !managers.contains(&manager) {
            managers.push(manager);
        }
        fields.push(cause.field.clone());
    }
    RefusalReason::FieldConflict { managers, fields }
}
