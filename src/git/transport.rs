//! Smart HTTP for libgit2's fetch, over our own HTTP client: authorities, client certificates and
//! proxies of each source, limits and time are then in one place.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use reqwest::Url;
use reqwest::blocking::Client;

use super::error::{GitError, Kind};
use super::exchange::{Counted, Exchange};
use super::http;

/// Bytes of the largest request: wants and haves.
const REQUEST_BYTES: usize = 8 << 20;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Exchange>>> = const { RefCell::new(None) };
}

/// Runs `work` with `exchange` as the one that transports made meanwhile on this thread belong to.
pub fn within<T>(exchange: &Arc<Exchange>, work: impl FnOnce() -> T) -> T {
    struct Clear;
    impl Drop for Clear {
        fn drop(&mut self) {
            CURRENT.with_borrow_mut(Option::take);
        }
    }
    CURRENT.with_borrow_mut(|current| *current = Some(exchange.clone()));
    let _clear = Clear;
    work()
}

/// Makes a transport; libgit2 calls it for `http://` and `https://`.
pub fn over_http(remote: &git2::Remote<'_>) -> Result<Transport, git2::Error> {
    let exchange = CURRENT.with_borrow(Clone::clone).ok_or_else(|| git2::Error::from_str("no exchange was begun"))?;
    let client = http::client(&exchange.source).map_err(|e| failed(&exchange, e))?;
    let base = Url::parse(&exchange.address.url).map_err(|e| git2::Error::from_str(&e.to_string()))?;
    Transport::smart(remote, true, Http { exchange, client, base: Arc::new(Mutex::new(base)) })
}

fn failed(exchange: &Exchange, error: GitError) -> git2::Error {
    git2::Error::from_str(&exchange.fail(error).to_string())
}

struct Http {
    exchange: Arc<Exchange>,
    client: Client,
    base: Arc<Mutex<Url>>,
}

impl SmartSubtransport for Http {
    fn action(&self, _: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let state = match service {
            Service::UploadPackLs => State::Get,
            Service::UploadPack => State::Writing(Vec::new()),
            Service::ReceivePackLs | Service::ReceivePack => {
                return Err(git2::Error::from_str("nothing is ever pushed"));
            }
        };
        Ok(Box::new(Stream {
            exchange: self.exchange.clone(),
            client: self.client.clone(),
            base: self.base.clone(),
            state,
        }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

struct Stream {
    exchange: Arc<Exchange>,
    client: Client,
    base: Arc<Mutex<Url>>,
    state: State,
}

enum State {
    Get,
    Writing(Vec<u8>),
    Reading(Box<dyn Read + Send>),
}

impl Stream {
    fn begin(&mut self) -> Result<Box<dyn Read + Send>, GitError> {
        self.exchange.in_time()?;
        let source = &self.exchange.source;
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        let (response, limit) = match std::mem::replace(&mut self.state, State::Writing(Vec::new())) {
            State::Writing(body) => (http::post(&self.client, source, &base, "", body)?, source.limits.bytes),
            _ => {
                let (response, moved) = http::get_refs(&self.client, source, &base, "")?;
                *base = moved;
                (response, source.limits.listing_bytes)
            }
        };
        Ok(Box::new(Counted::new(response, self.exchange.clone(), limit)))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !matches!(self.state, State::Reading(_)) {
            let body = self.begin().map_err(|e| self.exchange.fail(e))?;
            self.state = State::Reading(body);
        }
        match &mut self.state {
            State::Reading(body) => body.read(buffer),
            State::Get | State::Writing(_) => Ok(0),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Writing(body) if body.len() + bytes.len() <= REQUEST_BYTES => {
                body.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            State::Writing(_) => {
                Err(self.exchange.fail(self.exchange.error(Kind::TooLarge, "the request would be too large")))
            }
            State::Get | State::Reading(_) => Err(io::Error::other("this request is already on its way")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
