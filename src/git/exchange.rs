//! One exchange with a remote: what it may take, what it has taken, and why it failed.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::address::Address;
use super::error::{GitError, Kind};
use super::source::Source;

/// Shared by everything that takes part in one exchange.
pub struct Exchange {
    /// The remote.
    pub source: Source,
    /// Its URL, taken apart.
    pub address: Address,
    deadline: Instant,
    received: AtomicU64,
    failure: Mutex<Option<GitError>>,
}

impl Exchange {
    /// Begins an exchange; its time runs from now.
    pub fn begin(source: &Source) -> Result<Arc<Self>, GitError> {
        let address = Address::parse(&source.url, source.plain_http)?;
        let exchange = Arc::new(Self {
            source: source.clone(),
            address,
            deadline: Instant::now() + source.timeout,
            received: AtomicU64::new(0),
            failure: Mutex::default(),
        });
        super::ssh::check(&exchange)?;
        Ok(exchange)
    }

    /// A failure of this exchange.
    pub fn error(&self, kind: Kind, detail: impl Into<String>) -> GitError {
        GitError::new(kind, &self.source.url, detail)
    }

    /// Bytes received so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Counts bytes that libgit2's own connections received.
    pub fn set_received(&self, bytes: u64) {
        self.received.store(bytes, Ordering::Relaxed);
    }

    /// Errors once the time is up.
    pub fn in_time(&self) -> Result<(), GitError> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        let seconds = self.source.timeout.as_secs_f64();
        Err(self.error(Kind::Timeout, format!("the exchange took longer than {seconds} s")))
    }

    /// Keeps why the exchange failed: libgit2 passes on a text at most. The first failure counts.
    pub fn fail(&self, error: GitError) -> io::Error {
        let text = error.to_string();
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        io::Error::other(text)
    }

    /// Why it failed, where that was kept.
    pub fn failure(&self) -> Option<GitError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A body that counts what it gives, and ends with an error at a limit or when time is up.
pub struct Counted<R> {
    body: R,
    exchange: Arc<Exchange>,
    left: u64,
    limit: u64,
}

impl<R: Read> Counted<R> {
    /// Gives at most `limit` bytes of `body`.
    pub fn new(body: R, exchange: Arc<Exchange>, limit: u64) -> Self {
        Self { body, exchange, left: limit, limit }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.exchange.in_time().map_err(|e| self.exchange.fail(e))?;
        let count = self.body.read(buffer).map_err(|error| {
            let inner = error.get_ref().and_then(|e| e.downcast_ref::<reqwest::Error>());
            let failure = match inner {
                Some(inner) => super::http::classify(&self.exchange.source, inner),
                None => self.exchange.error(Kind::RemoteFailed, format!("the connection broke: {error}")),
            };
            self.exchange.fail(failure)
        })?;
        self.exchange.received.fetch_add(count as u64, Ordering::Relaxed);
        let Some(left) = self.left.checked_sub(count as u64) else {
            let detail = format!("the server sends more than the {} bytes that are allowed", self.limit);
            return Err(self.exchange.fail(self.exchange.error(Kind::TooLarge, detail)));
        };
        self.left = left;
        Ok(count)
    }
}
