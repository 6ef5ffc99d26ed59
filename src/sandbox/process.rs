//! One child process, seen from the parent.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::child::{Ready, Setup};
use super::error::SandboxError;
use super::frame;
use super::home::{self, Home};
use super::pool::PoolSettings;

/// Bytes of one line of a child's stderr that are passed on.
const LINE_BYTES: usize = 2048;
/// Lines of one child's stderr that are passed on.
const LINES: usize = 500;

/// A running child. Dropping it kills it.
pub(super) struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// When it was last put aside, idle.
    pub idle_since: Instant,
    // Removed when the process is dropped.
    home: Home,
}

impl Process {
    /// Starts a child and waits until it has laid its limits on itself.
    pub async fn start(settings: &PoolSettings) -> Result<Self, SandboxError> {
        let home = Home::new(home::WORKER).map_err(SandboxError::Start)?;
        let mut child = spawn(command(settings, home.path())).await.map_err(SandboxError::Start)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(SandboxError::Start(io::Error::other("a pipe to the child is missing")));
        };
        tokio::spawn(forward(stderr, settings.name));
        let mut process = Self { child, stdin, stdout: BufReader::new(stdout), idle_since: Instant::now(), home };
        let mut confinement = settings.confinement.clone();
        confinement.home = process.home.path().to_owned();
        let setup = Setup { parent: std::process::id(), confinement };
        let setup = serde_json::to_vec(&setup).map_err(|e| SandboxError::Protocol(e.to_string()))?;
        let ready = match process.exchange_setup(&setup).await {
            Ok(ready) => ready,
            Err(error) => return Err(process.broken(error).await),
        };
        let ready: Ready = serde_json::from_slice(&ready).map_err(|e| SandboxError::Protocol(e.to_string()))?;
        tracing::debug!(worker = settings.name, pid = process.child.id(), confined = ready.confined, "worker started");
        Ok(process)
    }

    async fn exchange_setup(&mut self, setup: &[u8]) -> io::Result<Vec<u8>> {
        frame::write_async(&mut self.stdin, setup).await?;
        frame::read_async(&mut self.stdout).await
    }

    /// Sends a request and hands every part of the answer to `part`. After an error the process
    /// must not be used again: what it sends next belongs to this request.
    pub async fn call(
        &mut self,
        request: &[u8],
        part: &mut (dyn FnMut(&[u8]) -> Result<(), String> + Send),
    ) -> Result<(), SandboxError> {
        if let Err(error) = frame::write_async(&mut self.stdin, request).await {
            return Err(self.broken(error).await);
        }
        loop {
            match frame::read_async(&mut self.stdout).await {
                Ok(frame) if frame.is_empty() => return Ok(()),
                Ok(frame) => part(&frame).map_err(SandboxError::Protocol)?,
                Err(error) => return Err(self.broken(error).await),
            }
        }
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Bytes of memory that it holds and shares with nobody; 0 where the system does not tell.
    pub fn resident_bytes(&self) -> u64 {
        let status = self.id().and_then(|id| std::fs::read_to_string(format!("/proc/{id}/status")).ok());
        let kilobytes = status.as_deref().and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        });
        kilobytes.unwrap_or(0) * 1024
    }

    /// What a broken pipe means: how the process ended, or what it sent instead of a frame.
    async fn broken(&mut self, error: io::Error) -> SandboxError {
        if error.kind() == io::ErrorKind::InvalidData {
            return SandboxError::Protocol(error.to_string());
        }
        // Its pipes are closed, so it is ending; one that only closed them is killed.
        let _ = self.child.start_kill();
        match self.child.wait().await {
            Ok(status) => SandboxError::Crashed(describe(status)),
            Err(error) => SandboxError::Crashed(error.to_string()),
        }
    }
}

fn command(settings: &PoolSettings, home: &Path) -> Command {
    let mut command = Command::new(&settings.program);
    command
        .args(&settings.arguments)
        .env_clear()
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("LANG", "C.UTF-8")
        // The allocator reserves a gigabyte of addresses unless told, which the limit would refuse.
        .env("MIMALLOC_ARENA_RESERVE", "64MiB")
        .env("MIMALLOC_PURGE_DELAY", "0")
        // What libgit2 frees goes back to the system: a worker waits far longer than it works.
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_TRIM_THRESHOLD_", "131072")
        .env("MALLOC_MMAP_THRESHOLD_", "131072")
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

#[cfg(unix)]
fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(libc::SIGABRT) => "signal 6: it ran out of the memory it may have, or has a defect".to_owned(),
        Some(libc::SIGKILL) => "signal 9: it was killed".to_owned(),
        Some(signal) => format!("signal {signal}"),
        None => status.to_string(),
    }
}

#[cfg(not(unix))]
fn describe(status: ExitStatus) -> String {
    status.to_string()
}

struct Job {
    command: Command,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// Starts the child from a thread that never ends: Linux kills a child that asked to die with its
/// parent when the *thread* that started it ends, and threads of a runtime do end.
pub(super) async fn spawn(command: Command) -> io::Result<Child> {
    static JOBS: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for mut job in receiver {
                let _runtime = job.runtime.enter();
                let _ = job.answer.send(job.command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, started) = oneshot::channel();
    let gone = || io::Error::other("the thread that starts processes is gone");
    let job = Job { command, runtime: Handle::current(), answer };
    jobs.lock().map_err(|_| gone())?.send(job).map_err(|_| gone())?;
    started.await.map_err(|_| gone())?
}

/// Passes a child's stderr on, line by line, within bounds: a child that is fed hostile input may
/// say anything, and as much as it likes.
async fn forward(stderr: impl AsyncRead + Unpin, worker: &'static str) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    let mut lines = 0;
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        for &byte in &buffer[..count] {
            if byte != b'\n' {
                if line.len() < LINE_BYTES {
                    line.push(byte);
                }
                continue;
            }
            lines += 1;
            if lines <= LINES {
                tracing::info!(worker, "{}", String::from_utf8_lossy(&line).escape_debug());
            } else if lines == LINES + 1 {
                tracing::warn!(worker, "the worker says more than {LINES} lines; the rest is dropped");
            }
            line.clear();
        }
    }
}
