//! One run of a program that is not ours, from its input to its output.
//!
//! The program gets an empty home that goes with it, nothing of our environment, and the limits of
//! its [`Confinement`], which our own binary lays on itself before it becomes the program. It is a
//! process group of its own: whatever it started ends with it.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
use zeroize::Zeroizing;

use super::child::Setup;
use super::confine::{Children, Confinement};
use super::home::{self, Home};
use super::launch;
use super::process::spawn;
use crate::failure::{Failure, Fault};

/// What is run, and within which limits.
#[derive(Clone, Debug)]
pub struct Task<'a> {
    /// Its name in messages.
    pub name: &'a str,
    /// This program, which becomes the other one: its [`launch::main`] is called where the first
    /// argument is [`launch::ARGUMENT`].
    pub launcher: &'a Path,
    /// The program, with nothing looked up.
    pub program: &'a Path,
    /// Its arguments. Paths in them are relative to its home.
    pub arguments: Vec<OsString>,
    /// Its environment, beside `HOME`, `TMPDIR` and `LANG`.
    pub environment: Vec<(&'a str, OsString)>,
    /// What it reads on stdin. Secrets go here: it is never on disk.
    pub input: &'a [u8],
    /// Files that are in its home at first, by paths with `/`. They are on disk while it runs.
    pub files: Vec<(&'a str, &'a [u8])>,
    /// What it may not do. The program itself is readable, and its home stands at `home`, whatever
    /// stands there.
    pub confinement: Confinement,
    /// Time from its start to its end.
    pub deadline: Duration,
    /// Bytes of its stdout.
    pub stdout_bytes: usize,
    /// Bytes of its stderr that are kept; the rest is read and dropped.
    pub stderr_bytes: usize,
}

/// How a run ended that ended by itself.
#[derive(Debug)]
pub struct Ran {
    /// Exit code, or the signal that ended it.
    pub status: ExitStatus,
    /// All that it printed; wiped when it is dropped.
    pub stdout: Zeroizing<Vec<u8>>,
    /// The first of what it printed on stderr.
    pub stderr: Zeroizing<Vec<u8>>,
}

/// A run that did not end by itself, or never began.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// It could not be started.
    #[error("{program} could not be started: {source}")]
    Start {
        /// Name of the program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It did not end in time, and was killed.
    #[error("{program} was killed because it had not ended after {} s", .after.as_secs())]
    Timeout {
        /// Name of the program.
        program: String,
        /// Time that it had.
        after: Duration,
    },
    /// It printed more than it may, and was killed.
    #[error("{program} was killed because it printed more than the {limit} bytes that are allowed")]
    Output {
        /// Name of the program.
        program: String,
        /// Bytes that it may print.
        limit: usize,
    },
}

impl Failure for TaskError {
    fn reason(&self) -> &'static str {
        match self {
            TaskError::Start { .. } => "ProgramStartFailed",
            TaskError::Timeout { .. } => "ProgramTimeout",
            TaskError::Output { .. } => "ProgramOutput",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            TaskError::Start { .. } => Fault::Cluster,
            TaskError::Timeout { .. } => Fault::Transient,
            TaskError::Output { .. } => Fault::Repository,
        }
    }
}

/// Runs a task to its end. Dropping the future kills it.
///
/// # Errors
/// It could not be started, took too long or printed too much. An exit code is no error here.
pub async fn run(task: Task<'_>) -> Result<Ran, TaskError> {
    let start = |source: io::Error| TaskError::Start { program: task.name.to_owned(), source };
    let home = Home::new(home::PROGRAM).map_err(start)?;
    let command = prepare(&task, &home).map_err(start)?;
    let mut child = spawn(command).await.map_err(start)?;
    let mut group = Group(child.id());
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(start(io::Error::other("a pipe to it is missing")));
    };
    let work = async {
        let (printed, told, ()) =
            tokio::try_join!(all(stdout, task.stdout_bytes), first(stderr, task.stderr_bytes), feed(stdin, task.input))
                .map_err(start)?;
        let printed = printed.ok_or(TaskError::Output { program: task.name.to_owned(), limit: task.stdout_bytes })?;
        let status = child.wait().await.map_err(start)?;
        Ok(Ran { status, stdout: printed, stderr: told })
    };
    let timeout = || TaskError::Timeout { program: task.name.to_owned(), after: task.deadline };
    let ran: Ran = tokio::time::timeout(task.deadline, work).await.map_err(|_| timeout())??;
    if task.confinement.children == Children::None {
        // It is gone, and its number may soon be another's.
        group.0 = None;
    }
    if let Some(source) = launch::failure(ran.status, &ran.stderr) {
        return Err(start(source));
    }
    Ok(ran)
}

fn prepare(task: &Task<'_>, home: &Home) -> io::Result<Command> {
    let home = home.path().canonicalize()?;
    for (path, content) in &task.files {
        let at = home.join(inside(path)?);
        if let Some(folder) = at.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(at, content)?;
    }
    let program = task.program.canonicalize()?;
    let mut confinement = task.confinement.clone();
    confinement.read.push(program.clone());
    confinement.home.clone_from(&home);
    let setup = Setup { parent: std::process::id(), confinement };
    let mut command = Command::new(task.launcher);
    command
        .arg(launch::ARGUMENT)
        .arg(serde_json::to_string(&setup)?)
        .arg(program)
        .args(&task.arguments)
        .env_clear()
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .env("LANG", "C.UTF-8")
        .envs(task.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    Ok(command)
}

/// A path that stays where it is put.
fn inside(path: &str) -> io::Result<PathBuf> {
    let path = Path::new(path);
    let stays = path.components().all(|component| matches!(component, Component::Normal(_)));
    let refused = || io::Error::new(io::ErrorKind::InvalidInput, format!("{} leaves its folder", path.display()));
    (stays && path.file_name().is_some()).then(|| path.to_owned()).ok_or_else(refused)
}

/// A process group that is killed when this is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self.0.and_then(|id| i32::try_from(id).ok()).filter(|id| *id > 1) {
            // SAFETY: `kill` takes numbers alone.
            #[allow(unsafe_code)]
            unsafe {
                libc::kill(-leader, libc::SIGKILL);
            }
        }
    }
}

async fn feed(mut stdin: ChildStdin, input: &[u8]) -> io::Result<()> {
    let fed = async {
        stdin.write_all(input).await?;
        stdin.shutdown().await
    };
    match fed.await {
        // It need not read what it does not want.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Everything, or `None` as soon as it is more than the limit.
async fn all(mut from: impl AsyncRead + Unpin, limit: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut taken = Zeroizing::new(Vec::new());
    let mut buffer = Zeroizing::new([0; 16 << 10]);
    loop {
        match from.read(&mut buffer[..]).await? {
            0 => return Ok(Some(taken)),
            count if taken.len() + count > limit => return Ok(None),
            count => taken.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The first of it, up to the limit; the rest is read, so that the writer does not stand still.
async fn first(mut from: impl AsyncRead + Unpin, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut taken = Zeroizing::new(Vec::new());
    let mut buffer = Zeroizing::new([0; 16 << 10]);
    loop {
        match from.read(&mut buffer[..]).await? {
            0 => return Ok(taken),
            count => {
                let room = limit.saturating_sub(taken.len()).min(count);
                taken.extend_from_slice(&buffer[..room]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_in_the_home() {
        for (path, stays) in
            [("a", true), ("a/b.yaml", true), ("..", false), ("a/../../b", false), ("/etc/x", false), ("", false)]
        {
            assert_eq!(inside(path).is_ok(), stays, "{path:?}");
        }
    }
}
