//! Programs that a render needs answers of: composes `render`, which says what it needs, with
//! `sandbox`, which runs it.

mod book;
mod helm;
mod pull;
mod sops;
mod turns;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::agent::bound::Bound;
use crate::failure::{Failed, Fault};
use crate::render::{Answer, Ask, Need, Options};

use book::Book;
use turns::Turns;

/// Answers that one render may get.
const ANSWERS: usize = 500;

/// Bytes of all answers that one render may get: they go to its worker together.
const TOGETHER: usize = 20 << 20;

/// Where programs are, and how they are started.
#[derive(Clone, Debug)]
pub struct ProgramsSettings {
    /// This program, see [`crate::sandbox::task::Task`].
    pub launcher: PathBuf,
    /// Helm; looked for on `PATH` unless said.
    pub helm: Option<PathBuf>,
    /// SOPS; looked for on `PATH` unless said.
    pub sops: Option<PathBuf>,
    /// Folder in which charts from elsewhere are kept; without it they are not.
    pub charts: Option<PathBuf>,
    /// Seconds of processor time that Helm may take for one chart.
    pub chart_seconds: u64,
}

impl ProgramsSettings {
    /// Programs on `PATH`, started by this one.
    ///
    /// # Errors
    /// The path of this program is not known.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self::started_by(std::env::current_exe()?))
    }

    /// Programs on `PATH`, started by this launcher; no chart is kept, and each may take 30 s.
    pub fn started_by(launcher: PathBuf) -> Self {
        Self { launcher, helm: None, sops: None, charts: None, chart_seconds: 30 }
    }
}

/// Asks programs, and remembers what they answered.
#[derive(Debug)]
pub struct Programs {
    settings: ProgramsSettings,
    book: Mutex<Book>,
    /// Helm as it was last found, once it has told its version.
    helm: Mutex<Option<helm::Known>>,
    turns: Turns,
}

impl Programs {
    /// Nothing is looked for before it is needed.
    pub fn new(settings: ProgramsSettings) -> Self {
        Self { settings, book: Mutex::default(), helm: Mutex::default(), turns: Turns::default() }
    }

    /// Asks for what a render needs, and adds the answers to the options with which it is rendered
    /// again, until it needs nothing more.
    ///
    /// # Errors
    /// A program did not end in time or could not be started, or there are too many answers. What a
    /// program says against the content is an answer.
    pub async fn meet(&self, needs: Vec<Need>, options: &mut Options) -> Result<(), Failed> {
        self.meet_within(needs, options, &mut Bound::none()).await
    }

    /// The same, with the time that the programs may take.
    ///
    /// # Errors
    /// As [`Programs::meet`], or the time is up.
    pub async fn meet_within(&self, needs: Vec<Need>, options: &mut Options, bound: &mut Bound) -> Result<(), Failed> {
        for need in needs {
            let answer = self.answer(&need, bound).await?;
            options.answers.insert(need.digest, answer);
        }
        if options.answers.bytes() > TOGETHER || options.answers.len() > ANSWERS {
            let message = format!(
                "programs answer more than {TOGETHER} bytes in {ANSWERS} answers, which is all that is allowed"
            );
            let failed = Failed::new("ProgramOutput", Fault::Repository, message);
            return Err(failed.with_hint("give some of the charts Syncs of their own"));
        }
        Ok(())
    }

    /// The answer to one need: the one that is known, or the program's.
    async fn answer(&self, need: &Need, bound: &mut Bound) -> Result<Answer, Failed> {
        if let Some(known) = self.book().get(&need.digest) {
            return Ok(known);
        }
        let Some(_turn) = self.turns.take(&need.ask).await else {
            return Err(Failed::new("Internal", Fault::Internal, "programs are not run any more"));
        };
        // Another Sync may have asked meanwhile.
        if let Some(known) = self.book().get(&need.digest) {
            return Ok(known);
        }
        let asked = async {
            match &need.ask {
                Ask::Chart(request) => helm::template(self, request).await,
                Ask::Pull(remote) => pull::chart(self, remote).await,
                Ask::Decrypt(request) => sops::decrypt(self, request).await,
            }
        };
        // Where the time is up, the program is killed; who waits for its turn is next.
        let answer = bound.spend(Box::pin(asked)).await??;
        // What could not be asked is asked again.
        if !matches!(answer, Answer::Problem(_)) {
            self.book().put(need.digest, answer.clone());
        }
        Ok(answer)
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A program by its name on `PATH`.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| is_program(program))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}
