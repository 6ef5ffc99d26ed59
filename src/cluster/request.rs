//! Sends calls: deadline, limiter, retries, counting, warnings.

use std::error::Error as StdError;
use std::io;
use std::pin::pin;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::call::{Call, Lane, Repeat, Reply, Secrecy, retry_after, warnings};
use super::connect::RequestSeen;
use super::error::{ClusterError, Sent};
use super::lease::WritePermit;
use super::limit::Load;
use super::refusal::{self, RefusalReason};
use super::session::Session;
use crate::failure::chain;

/// Answers larger than this are not read; etcd keeps no object above 1.5 MiB.
const MAX_ANSWER: usize = 32 << 20;

/// Longest pause of our own between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// One attempt that brought no success, and what may come of it.
struct Missed {
    error: ClusterError,
    again: Again,
}

enum Again {
    No,
    /// After the backoff, or after this long where the API server said it and it is longer.
    Yes(Option<Duration>),
}

impl Session {
    /// Sends a call until it succeeds, is refused for good, or its deadline passes. The error of
    /// the last attempt is the one returned.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Reply, ClusterError> {
        let deadline = self.deadline();
        let mut delays = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(LONGEST_PAUSE)
            .without_max_times()
            .with_jitter()
            .build();
        loop {
            let missed = match self.attempt(&call, deadline).await {
                Ok(reply) => return Ok(reply),
                Err(missed) => missed,
            };
            let Again::Yes(told) = missed.again else { return Err(missed.error) };
            // What is told may be nothing at all, and is no leave to ask without a pause.
            let delay = delays.next().unwrap_or(LONGEST_PAUSE).max(told.unwrap_or_default());
            let resume = Instant::now() + delay;
            if resume >= deadline {
                return Err(missed.error);
            }
            tracing::debug!(what = call.what, ?delay, error = %missed.error, "again");
            sleep_until(resume).await;
        }
    }

    async fn attempt(&self, call: &Call<'_>, deadline: Instant) -> Result<Reply, Missed> {
        let options = &self.cluster().inner.options;
        let limiter = &self.cluster().inner.limiter;
        let began = Instant::now();
        let never = || Missed { error: timeout(call, began.elapsed()), again: Again::No };
        let _slot = match call.lane {
            Lane::Queued => Some(timeout_at(deadline, limiter.enter()).await.map_err(|_| never())?),
            Lane::Urgent => None,
        };
        // Asked after the wait in the queue: what is sent now is sent under a valid permit.
        if let Some(permit) = call.permit.filter(|permit| !permit.valid()) {
            let error = ClusterError::PermitExpired { what: call.what.clone(), shard: permit.shard().to_owned() };
            return Err(Missed { error, again: Again::No });
        }
        let request = self.request(call).map_err(|error| Missed { error, again: Again::No })?;
        let until = deadline.min(Instant::now() + options.attempt_timeout);
        let sent_at = Instant::now();
        let count = |code: u16| self.count(call.verb, &call.resource, code, sent_at);
        match under_permit(call.permit, until, exchange(self, request)).await {
            None if call.permit.is_some_and(|permit| !permit.valid()) => {
                count(0);
                Err(Missed { error: timeout(call, sent_at.elapsed()), again: Again::No })
            }
            None => {
                count(0);
                limiter.learn(Load::Overloaded);
                let again = if call.repeat == Repeat::Safe { Again::Yes(None) } else { Again::No };
                Err(Missed { error: timeout(call, sent_at.elapsed()), again })
            }
            Some(Err(broken)) => {
                count(0);
                let again = match (broken.sent, call.repeat) {
                    (Sent::No, _) | (_, Repeat::Safe) => Again::Yes(None),
                    (Sent::Perhaps, Repeat::OnlyIfUnsent) => Again::No,
                };
                let error =
                    ClusterError::Unreachable { what: call.what.clone(), message: broken.message, sent: broken.sent };
                Err(Missed { error, again })
            }
            Some(Ok(answer)) => {
                count(answer.code);
                self.judge(call, answer)
            }
        }
    }

    fn judge(&self, call: &Call<'_>, answer: Answered) -> Result<Reply, Missed> {
        let limiter = &self.cluster().inner.limiter;
        if (200..300).contains(&answer.code) {
            limiter.learn(Load::Fine);
            return Ok(Reply {
                code: answer.code,
                body: answer.body,
                warnings: answer.warnings,
                what: call.what.clone(),
            });
        }
        limiter.learn(if matches!(answer.code, 429 | 503 | 504) { Load::Overloaded } else { Load::Fine });
        let secret = call.secrecy == Secrecy::Secret;
        let refusal = if secret {
            refusal::of_secret(&call.what, answer.code, &answer.body)
        } else {
            refusal::of(&call.what, answer.code, &answer.body)
        };
        if refusal.why == RefusalReason::KindNotServed {
            self.cluster().kinds().doubt();
        }
        let again = match (answer.code, call.repeat) {
            (429, _) => Again::Yes(answer.retry_after),
            (503 | 504, Repeat::Safe) => Again::Yes(answer.retry_after),
            _ => Again::No,
        };
        Err(Missed { error: refusal.into(), again })
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Body>, ClusterError> {
        let mut request = Request::builder().method(call.method.clone()).uri(&call.path).header(ACCEPT, call.accept);
        if !call.content.is_empty() {
            request = request.header(CONTENT_TYPE, call.content);
        }
        let mut request = request.body(Body::from(call.body.clone())).map_err(|e| ClusterError::BadAnswer {
            what: call.what.clone(),
            code: 0,
            message: format!("the request could not be built: {e}"),
        })?;
        request.headers_mut().extend(self.headers().clone());
        Ok(request)
    }

    pub(super) fn count(&self, verb: &str, resource: &str, code: u16, since: Instant) {
        if let Some(told) = &self.cluster().inner.options.on_request {
            told(RequestSeen { verb, resource, code, took: since.elapsed() });
        }
    }
}

fn timeout(call: &Call<'_>, after: Duration) -> ClusterError {
    ClusterError::Timeout { what: call.what.clone(), after }
}

struct Answered {
    code: u16,
    body: Vec<u8>,
    warnings: Vec<String>,
    retry_after: Option<Duration>,
}

struct Broken {
    message: String,
    sent: Sent,
}

/// Waits for an answer as long as the permit lasts, however often it is renewed meanwhile. Then the
/// connection is dropped, which makes the API server give up what it has not yet carried out.
async fn under_permit<T>(permit: Option<&WritePermit>, until: Instant, answer: impl Future<Output = T>) -> Option<T> {
    let mut answer = pin!(answer);
    loop {
        let wake = permit.and_then(WritePermit::expires).map_or(until, |expires| expires.min(until));
        if let Ok(answer) = timeout_at(wake, &mut answer).await {
            return Some(answer);
        }
        if Instant::now() >= until || permit.is_some_and(|permit| !permit.valid()) {
            return None;
        }
    }
}

async fn exchange(session: &Session, request: Request<Body>) -> Result<Answered, Broken> {
    let response: Response<Body> =
        session.cluster().inner.base.send(request).await.map_err(|e| broken(session.cluster().url(), &e))?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER)
        .collect()
        .await
        .map_err(|e| Broken { message: chain(&*e), sent: Sent::Perhaps })?
        .to_bytes();
    Ok(Answered {
        code: head.status.as_u16(),
        body: body.into(),
        warnings: warnings(&head.headers),
        retry_after: retry_after(&head.headers),
    })
}

/// Of a connection that could not be made the last cause says why, and the address where to.
fn broken(url: &str, error: &kube::Error) -> Broken {
    let sent = sent(error);
    let mut last: &dyn StdError = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    let message = match sent {
        Sent::No => format!("no connection to {}: {last}", url.trim_end_matches('/')),
        Sent::Perhaps => chain(error),
    };
    Broken { message, sent }
}

/// Whether the request may have arrived, as far as the error and its causes tell.
fn sent(error: &kube::Error) -> Sent {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(e) = cause {
        if e.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|e| e.is_connect()) {
            return Sent::No;
        }
        if e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused) {
            return Sent::No;
        }
        cause = e.source();
    }
    Sent::Perhaps
}
