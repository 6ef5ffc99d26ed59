//! A few children, reused.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::confine::Confinement;
use super::error::SandboxError;
use super::process::Process;

/// How a pool starts its children.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Name of its children in logs.
    pub name: &'static str,
    /// Program to start.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// At most so many run at a time.
    pub size: usize,
    /// A child that was idle for so long is ended.
    pub idle: Duration,
    /// A child that holds more bytes of memory than this after its answer is ended: one large
    /// repository must not cost memory for ever.
    pub keep_bytes: u64,
    /// What each may not do. Its home is another for each, whatever stands there.
    pub confinement: Confinement,
}

/// A place among the children that may run at a time.
pub struct Slot<'a> {
    _permit: SemaphorePermit<'a>,
}

/// A pool of children. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    settings: PoolSettings,
    slots: Semaphore,
    idle: Mutex<Vec<Process>>,
}

impl Pool {
    /// A pool; nothing is started before the first call.
    pub fn new(settings: PoolSettings) -> Self {
        let slots = Semaphore::new(settings.size.max(1));
        Self { inner: Arc::new(Inner { settings, slots, idle: Mutex::default() }) }
    }

    /// Sends a request to a free child, starting one where none is, and hands every part of its
    /// answer to `part`. `deadline` runs from the moment a child is there; waiting for a free one
    /// does not count. Dropping the future kills the child that works for it. An error of `part`
    /// counts as an answer that makes no sense.
    ///
    /// # Errors
    /// The child could not be started, broke its deadline, died, or answered garbage; it is
    /// replaced with the next call.
    pub async fn call(
        &self,
        request: &[u8],
        deadline: Duration,
        part: impl FnMut(&[u8]) -> Result<(), String> + Send,
    ) -> Result<(), SandboxError> {
        let slot = self.slot().await?;
        self.call_in(slot, request, deadline, part).await
    }

    /// Waits until one child more may run.
    ///
    /// # Errors
    /// None may any more.
    pub async fn slot(&self) -> Result<Slot<'_>, SandboxError> {
        let closed = |_| SandboxError::Start(std::io::Error::other("the pool is closed"));
        Ok(Slot { _permit: self.inner.slots.acquire().await.map_err(closed)? })
    }

    /// The same as [`Pool::call`] by who has waited already.
    ///
    /// # Errors
    /// As [`Pool::call`].
    pub async fn call_in(
        &self,
        slot: Slot<'_>,
        request: &[u8],
        deadline: Duration,
        mut part: impl FnMut(&[u8]) -> Result<(), String> + Send,
    ) -> Result<(), SandboxError> {
        // In this order, so that on any way out but the last line the process is dropped, and with
        // it killed, before its slot is free.
        let _slot = slot;
        let work = async {
            let mut process = match self.inner.take() {
                Some(process) => process,
                None => Process::start(&self.inner.settings).await?,
            };
            process.call(request, &mut part).await?;
            Ok(process)
        };
        let process = tokio::time::timeout(deadline, work).await.map_err(|_| SandboxError::Timeout(deadline))??;
        if process.resident_bytes() <= self.inner.settings.keep_bytes {
            self.put(process);
        }
        Ok(())
    }

    /// Ids of the children that are idle now.
    pub fn idle_ids(&self) -> Vec<u32> {
        self.inner.lock().iter().filter_map(Process::id).collect()
    }

    /// Whether a child is there that a call would find idle.
    pub fn has_idle(&self) -> bool {
        !self.inner.lock().is_empty()
    }

    /// Ends the children that are idle now.
    pub fn end_idle(&self) {
        self.inner.lock().clear();
    }

    fn put(&self, mut process: Process) {
        process.idle_since = Instant::now();
        let idle = self.inner.settings.idle;
        self.inner.lock().push(process);
        let weak = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            tokio::time::sleep(idle).await;
            if let Some(inner) = weak.upgrade() {
                inner.lock().retain(|process| process.idle_since.elapsed() < idle);
            }
        });
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Vec<Process>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The child that was used last, so that those which are not needed become idle. One that died
    /// while it was idle is left out.
    fn take(&self) -> Option<Process> {
        let mut idle = self.lock();
        while let Some(mut process) = idle.pop() {
            if process.alive() {
                return Some(process);
            }
        }
        None
    }
}
