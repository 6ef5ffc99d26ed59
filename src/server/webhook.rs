//! Deliveries: limited, then authenticated, then parsed, then passed on.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};

use super::connection::Source;
use super::payload::{self, Event, PayloadError};
use super::signature::{Check, Proof, proof};
use super::subject::Named as Subject;
use super::{Delivery, Receiver, Shared};

/// Different keys that a delivery without an id is tried with. Each costs a pass over the body;
/// where there are more, deliveries need the path of their Repository.
const KEYS_WITHOUT_ID: usize = 16;

/// What says which Repository a delivery is for.
#[derive(Clone, Copy)]
enum Named {
    ByPath,
    ByBody,
}

/// Why a delivery is not taken. Who has shown no key learns nothing but the number.
#[derive(Debug)]
enum Refusal {
    TooMany,
    Unknown,
    Unauthenticated,
    TooLarge,
    Slow,
    Broken,
    Payload(PayloadError),
    Elsewhere,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = match &self {
            Refusal::TooMany => (StatusCode::TOO_MANY_REQUESTS, String::new()),
            Refusal::Unknown => (StatusCode::NOT_FOUND, String::new()),
            Refusal::Unauthenticated => (StatusCode::UNAUTHORIZED, String::new()),
            Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, String::new()),
            Refusal::Slow => (StatusCode::REQUEST_TIMEOUT, String::new()),
            Refusal::Broken => (StatusCode::BAD_REQUEST, String::new()),
            Refusal::Payload(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
            Refusal::Elsewhere => {
                (StatusCode::NOT_FOUND, "no Repository with this key leads to the repository of the delivery\n".into())
            }
        };
        let mut response = (status, text).into_response();
        if let Refusal::TooMany = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("15"));
        }
        response
    }
}

/// `POST /webhook/<id>`: a delivery for one Repository.
pub async fn to_one(
    State(shared): State<Arc<Shared>>,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let candidates = shared.behind.receivers.one(&id).into_iter().collect();
    receive(&shared, source, Named::ByPath, candidates, &headers, body).await
}

/// `POST /webhook`: a delivery of an organisation's webhook, which serves every Repository that
/// has its key.
pub async fn to_all(
    State(shared): State<Arc<Shared>>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let candidates = shared.behind.receivers.all();
    receive(&shared, source, Named::ByBody, candidates, &headers, body).await
}

async fn receive(
    shared: &Shared,
    source: Source,
    named: Named,
    candidates: Vec<Receiver>,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let taken = tokio::time::timeout(shared.limits.delivery, take(shared, source, named, candidates, headers, body));
    match taken.await.unwrap_or(Err(Refusal::Slow)) {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(refusal) => {
            tracing::debug!(?source, ?refusal, "webhook delivery refused");
            refusal.into_response()
        }
    }
}

async fn take(
    shared: &Shared,
    source: Source,
    named: Named,
    candidates: Vec<Receiver>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), Refusal> {
    if !shared.flood.admits(source, Instant::now()) {
        return Err(Refusal::TooMany);
    }
    if candidates.is_empty() {
        return Err(Refusal::Unknown);
    }
    let proof = proof(headers).ok_or(Refusal::Unauthenticated)?;
    let bytes = announced(shared.limits.body, &body)?;
    let _room = shared.bodies.acquire_many(bytes).await.map_err(|_| Refusal::TooMany)?;
    let (body, receivers) = authenticate(shared.limits.body, candidates, &proof, body).await?;
    let told = payload::told(headers, &body).map_err(Refusal::Payload)?;
    if payload::event(headers) == Event::Other {
        return Ok(());
    }
    let mut receivers = choose(named, receivers, &told.repository)?;
    receivers.retain(|receiver| told.about.concerns(&receiver.follows));
    pass_on(shared, receivers)
}

/// How many bytes the body announces, or may at most have where it announces nothing.
fn announced(limit: usize, body: &Body) -> Result<u32, Refusal> {
    let hint = body.size_hint();
    let limit = limit as u64;
    if hint.lower() > limit {
        return Err(Refusal::TooLarge);
    }
    u32::try_from(hint.upper().unwrap_or(limit).min(limit)).map_err(|_| Refusal::TooLarge)
}

/// Reads the body, checks the proof under the key of each candidate on the way, and leaves the
/// candidates whose key it is.
async fn authenticate(
    limit: usize,
    candidates: Vec<Receiver>,
    proof: &Proof,
    body: Body,
) -> Result<(Vec<u8>, Vec<Receiver>), Refusal> {
    let mut checks: Vec<(Check, Vec<Receiver>)> = Vec::new();
    for candidate in candidates {
        match checks.iter().position(|(_, same)| same[0].key == candidate.key) {
            Some(at) => checks[at].1.push(candidate),
            None if checks.len() == KEYS_WITHOUT_ID => return Err(Refusal::Unknown),
            None => checks.push((Check::new(&candidate.key), vec![candidate])),
        }
    }
    let mut body = Limited::new(body, limit);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() { Refusal::TooLarge } else { Refusal::Broken }
        })?;
        if let Some(piece) = frame.data_ref() {
            checks.iter_mut().for_each(|(check, _)| check.feed(piece));
            bytes.extend_from_slice(piece);
        }
    }
    // Every check is made, so that the time does not tell which one passed.
    let passed: Vec<_> = checks.into_iter().filter_map(|(check, of)| check.passes(proof).then_some(of)).collect();
    if passed.is_empty() {
        return Err(Refusal::Unauthenticated);
    }
    Ok((bytes, passed.into_iter().flatten().collect()))
}

/// Of those whose key it is, the ones that the delivery is for: whose repository it speaks of, where it speaks of any. A path
/// names its Repository as well, and what comes there for another repository is no mistake of the sender's, who may send all
/// of an organisation to one place: nothing follows from it.
fn choose(named: Named, mut receivers: Vec<Receiver>, subject: &Subject) -> Result<Vec<Receiver>, Refusal> {
    receivers.retain(|receiver| {
        let its = subject.is_nobody() || subject.is_at(&receiver.url);
        if !its && let Named::ByPath = named {
            // What it says is not repeated: it is somebody else's word.
            let Receiver { namespace, name, .. } = receiver;
            tracing::info!(namespace, repository = name, "a webhook delivery for another repository: nothing follows");
        }
        its
    });
    match named {
        Named::ByBody if receivers.is_empty() => Err(Refusal::Elsewhere),
        Named::ByBody | Named::ByPath => Ok(receivers),
    }
}

fn pass_on(shared: &Shared, receivers: Vec<Receiver>) -> Result<(), Refusal> {
    for Receiver { namespace, name, .. } in receivers {
        tracing::info!(namespace, repository = name, "webhook delivery");
        shared.behind.deliveries.try_send(Delivery { namespace, name }).map_err(|_| Refusal::TooMany)?;
    }
    Ok(())
}
