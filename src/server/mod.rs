//! HTTP: `/webhook`, `/metrics`, `/healthz`, `/readyz`, over plain HTTP/1.1 and without cookies.
//!
//! Anybody may reach this port, so nothing here trusts its client: connections, headers, bodies
//! and requests are limited in number, size and time; a delivery is authenticated before it is
//! parsed; and what it brings about is one listing of references, which polling would do anyway.

mod connection;
mod flood;
mod payload;
mod probe;
mod receiver;
mod signature;
mod subject;
mod webhook;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, Fault};

pub use probe::Heartbeat;
use receiver::Receiver;
pub use receiver::{Receivers, Seat, WebhookKey, webhook_path};

/// A webhook delivery whose sender has the key: its Repository may have news. It carries nothing
/// else, because it has no authority: what is there is read from the remote.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delivery {
    /// Namespace of the Repository.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What the server asks of the loop behind it.
#[derive(Clone)]
pub struct Behind {
    /// Which Repositories take deliveries.
    pub receivers: Receivers,
    /// Where deliveries go. While it is full, senders are told to come back (429).
    pub deliveries: mpsc::Sender<Delivery>,
    /// Text of `/metrics`, in the format of Prometheus.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// `/healthz`: an error says why the process should be started anew.
    pub alive: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// `/readyz`: an error says what is still missing. A standby that has synced is ready.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// What clients may use up. The defaults suit a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest body of a delivery, in bytes. GitHub sends at most 25 MiB and in practice far less.
    pub body: usize,
    /// Bytes of bodies in memory at a time, for all deliveries together.
    pub bodies: usize,
    /// How long a client may take to send the headers of a request, or to begin the next one.
    pub headers: Duration,
    /// How long a delivery may take from its headers to its answer.
    pub delivery: Duration,
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one source.
    pub connections_of_source: usize,
    /// Deliveries that one source may send at once.
    pub burst: u32,
    /// Deliveries that one source may send each second in the long run.
    pub per_second: u32,
    /// How long requests in hand may take after the shutdown has begun.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 5 << 20,
            bodies: 16 << 20,
            headers: Duration::from_secs(10),
            delivery: Duration::from_secs(15),
            connections: 256,
            connections_of_source: 64,
            burst: 120,
            per_second: 10,
            grace: Duration::from_secs(5),
        }
    }
}

/// Why the server could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// As given.
    address: String,
    /// Why.
    source: std::io::Error,
}

impl Failure for BindError {
    fn reason(&self) -> &'static str {
        "AddressUnavailable"
    }

    fn fault(&self) -> Fault {
        Fault::Cluster
    }

    fn hint(&self) -> Option<String> {
        Some("another program may use this port: choose one with --http-address".to_owned())
    }
}

/// Listens on an address, such as `127.0.0.1:8080`. `:8080` is every address of this machine, of
/// both families where it has both. Port 0 takes a free one.
///
/// # Errors
/// The address is taken, or is none.
pub async fn bind(address: &str) -> Result<TcpListener, BindError> {
    let bound = match address.strip_prefix(':') {
        Some(port) => match TcpListener::bind(format!("[::]:{port}")).await {
            Ok(listener) => Ok(listener),
            // A machine without IPv6.
            Err(_) => TcpListener::bind(format!("0.0.0.0:{port}")).await,
        },
        None => TcpListener::bind(address).await,
    };
    bound.map_err(|source| BindError { address: address.to_owned(), source })
}

/// Serves until `stop` is cancelled, then lets requests in hand finish within the grace period.
pub async fn serve(listener: TcpListener, behind: Behind, limits: Limits, stop: CancellationToken) {
    let shared = Arc::new(Shared {
        flood: flood::Flood::new(limits.burst, limits.per_second),
        bodies: Arc::new(Semaphore::new(limits.bodies)),
        behind,
        limits,
    });
    let router = Router::new()
        .route("/webhook", post(webhook::to_all))
        .route("/webhook/{id}", post(webhook::to_one))
        .route("/metrics", get(probe::metrics))
        .route("/healthz", get(probe::healthz))
        .route("/readyz", get(probe::readyz))
        .layer(DefaultBodyLimit::disable()) // webhook reads its own body, under its own limit
        .with_state(shared);
    connection::accept(listener, router, limits, stop).await;
}

/// What all requests share.
struct Shared {
    behind: Behind,
    limits: Limits,
    flood: flood::Flood,
    /// One permit for each byte of a body that may be in memory.
    bodies: Arc<Semaphore>,
}

impl fmt::Debug for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behind").field("receivers", &self.receivers).finish_non_exhaustive()
    }
}
