//! The client of a watch: acts as its session, counts, and gives up silent streams.

use futures::stream;
use http::header::ACCEPT;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use kube::Client;
use kube::client::Body;
use tokio::time::{Instant, timeout};

use super::Detail;
use crate::cluster::kinds::KindInfo;
use crate::cluster::session::Session;

const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// A client in front of the shared one that acts as the session and gives up silent streams.
pub(super) fn client(session: &Session, kind: &KindInfo, detail: Detail) -> Client {
    let session = session.clone();
    let resource = kind.resource();
    let namespace = session.cluster().default_namespace().to_owned();
    let idle = session.cluster().inner.options.idle_timeout;
    let service = tower::service_fn(move |request: Request<Body>| {
        let (session, resource) = (session.clone(), resource.clone());
        async move {
            let response = forward(&session, &resource, detail, request).await?;
            Ok::<_, tower::BoxError>(response.map(|body| {
                // Each frame must come in time; after an error the stream is over.
                StreamBody::new(stream::unfold(Some(body), move |body| async move {
                    let mut body = body?;
                    match timeout(idle, body.frame()).await {
                        Ok(None) => None,
                        Ok(Some(Ok(frame))) => Some((Ok(frame), Some(body))),
                        Ok(Some(Err(error))) => Some((Err(std::io::Error::other(error)), None)),
                        Err(_) => Some((Err(silent()), None)),
                    }
                }))
            }))
        }
    });
    Client::new(service, namespace)
}

async fn forward(
    session: &Session,
    resource: &str,
    detail: Detail,
    mut request: Request<Body>,
) -> Result<Response<Body>, tower::BoxError> {
    let options = &session.cluster().inner.options;
    let watching = request.uri().query().is_some_and(|q| q.split('&').any(|p| p == "watch=true"));
    let verb = if watching { "watch" } else { "list" };
    request.headers_mut().extend(session.headers().clone());
    if detail == Detail::Metadata {
        let sent_as = if watching { METADATA } else { METADATA_LIST };
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(sent_as));
    }
    let began = Instant::now();
    let answer = timeout(options.attempt_timeout, session.cluster().inner.base.send(request)).await;
    let code = match &answer {
        Ok(Ok(response)) => response.status().as_u16(),
        _ => 0,
    };
    session.count(verb, resource, code, began);
    Ok(answer.map_err(|_| silent())??)
}

fn silent() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "the API server sent nothing for too long")
}
