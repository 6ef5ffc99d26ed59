//! The child's side of a task: our own binary lays the limits on itself and becomes the program.

use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode, ExitStatus};

use super::child::Setup;
use super::confine::confine;

/// First argument of a start for this purpose.
pub const ARGUMENT: &str = "box";

/// Exit code where the program could not be started, with [`MARK`] at the head of stderr.
const FAILED: u8 = 125;
const MARK: &[u8] = b"tandem box: ";

/// Becomes the program: the arguments are the limits, the program, and its arguments. Returns only
/// where that fails.
#[allow(clippy::print_stderr)] // the one word that it has with its parent
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (setup, program) = (arguments.next(), arguments.next());
    let setup = setup.and_then(|text| serde_json::from_str::<Setup>(text.to_str()?).ok());
    let (Some(setup), Some(program)) = (setup, program) else {
        eprintln!("tandem box: this is for the agent alone");
        return ExitCode::from(FAILED);
    };
    confine(&setup.confinement, setup.parent);
    let mut command = Command::new(program);
    command.args(arguments);
    eprintln!("tandem box: {}", become_it(command));
    ExitCode::from(FAILED)
}

#[cfg(unix)]
fn become_it(mut command: Command) -> io::Error {
    use std::os::unix::process::CommandExt;
    command.exec()
}

#[cfg(not(unix))]
fn become_it(_: Command) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "programs cannot be confined on this system")
}

/// Why the program never began, where that is how a run ended.
pub(super) fn failure(status: ExitStatus, stderr: &[u8]) -> Option<io::Error> {
    let told = stderr.strip_prefix(MARK).filter(|_| status.code() == Some(FAILED.into()))?;
    Some(io::Error::other(String::from_utf8_lossy(told).trim_end().to_owned()))
}
