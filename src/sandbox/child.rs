//! The child's side: confine, then answer one request after another.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::confine::{Confinement, confine};
use super::frame;

/// The first frame that a child gets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub parent: u32,
    pub confinement: Confinement,
}

/// The first frame that it answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ready {
    pub confined: String,
}

/// Where the parts of an answer go.
pub struct Reply<'a> {
    to: &'a mut dyn Write,
}

impl Reply<'_> {
    /// Sends one part. Errors where it is empty, too large for a frame, or nobody listens.
    pub fn send(&mut self, part: &[u8]) -> io::Result<()> {
        if part.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an empty part would end the answer"));
        }
        frame::write(&mut self.to, part)
    }
}

/// Runs the child: lays on the limits that the first frame names, then hands every request to
/// `answer` until the parent closes. `start` runs once between the two.
pub fn serve(
    mut from: impl Read,
    mut to: impl Write,
    start: impl FnOnce(&Confinement) -> io::Result<()>,
    mut answer: impl FnMut(&[u8], &mut Reply<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let Some(first) = frame::read(&mut from)? else { return Ok(()) };
    let setup: Setup = serde_json::from_slice(&first).map_err(invalid)?;
    let confined = confine(&setup.confinement, setup.parent);
    start(&setup.confinement)?;
    frame::write(&mut to, &serde_json::to_vec(&Ready { confined }).map_err(invalid)?)?;
    // Requests hold credentials.
    while let Some(request) = frame::read(&mut from)?.map(Zeroizing::new) {
        answer(&request, &mut Reply { to: &mut to })?;
        frame::write(&mut to, &[])?;
    }
    Ok(())
}

fn invalid(error: serde_json::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
