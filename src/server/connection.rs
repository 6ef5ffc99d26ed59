//! Connections: how many, and how long each may keep us waiting.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Limits;

/// Largest head of a request, in bytes; hyper's least buffer.
const HEAD: usize = 16 << 10;
/// Pause after `accept` failed, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where a request came from: an IPv4 address, or the /64 of an IPv6 one, which is what one
/// client is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// The source of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self(IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into())),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// Takes connections until `stop`, then lets those that are open finish.
pub async fn accept(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let of_source = OfSource { open: Arc::default(), limit: limits.connections_of_source };
    let service = TowerToHyperService::new(router);
    let tasks = TaskTracker::new();
    loop {
        let taken = tokio::select! {
            () = stop.cancelled() => break,
            taken = next(&listener, &slots) => taken,
        };
        let Ok((stream, address, slot)) = taken else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let source = Source::of(address);
        let Some(place) = of_source.take(source) else {
            tracing::debug!(%address, "too many connections from one source");
            continue;
        };
        let service = service.clone();
        let stop = stop.clone();
        tasks.spawn(async move {
            let _held = (slot, place);
            converse(stream, source, service, limits, stop).await;
        });
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(limits.grace, tasks.wait()).await.is_err() {
        tracing::debug!(open = tasks.len(), "connections cut at shutdown");
    }
}

async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    Ok((stream, address.ip(), slot))
}

/// One connection, from its first request to its end.
async fn converse(
    stream: TcpStream,
    source: Source,
    service: TowerToHyperService<Router>,
    limits: Limits,
    stop: CancellationToken,
) {
    let with_source = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(source);
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), with_source);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let Ok(ended) = tokio::time::timeout(limits.grace, connection).await else { return };
            ended
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

/// Open connections by source.
#[derive(Clone)]
struct OfSource {
    open: Arc<Mutex<HashMap<Source, usize>>>,
    limit: usize,
}

impl OfSource {
    fn take(&self, source: Source) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = open.entry(source).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place { of: self.clone(), source })
    }
}

/// One open connection of a source; dropping it makes room for another.
struct Place {
    of: OfSource,
    source: Source,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.of.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_or_the_network_of_one_client() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            let source = |text: &str| Source::of(text.parse().expect("an address"));
            assert_eq!(source(one) == source(other), same, "{one} and {other}");
        }
    }
}
