//! A person at a terminal: a program that believes to speak with one, and what it shows.

use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use pty_process::blocking::{Pty, open};

use super::wait_for;

/// A program on a pseudo-terminal; it is killed when this is dropped.
pub struct Terminal {
    pty: Arc<Pty>,
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
    /// Reads what is shown, until nothing more can be.
    reader: JoinHandle<()>,
    /// How much of what is shown was read by [`Terminal::wait_shown`].
    read: usize,
}

impl Terminal {
    /// Starts a program with the terminal as its input, output and error output.
    pub fn start(command: Command) -> Self {
        let (pty, terminal) = open().expect("a pseudo-terminal");
        pty.resize(pty_process::Size::new(50, 200)).expect("a size");
        let child = pty_process::blocking::Command::from(command).spawn(terminal).expect("the program starts");
        let (pty, shown) = (Arc::new(pty), Arc::default());
        let (source, sink) = (Arc::clone(&pty), Arc::clone(&shown));
        let reader = std::thread::spawn(move || keep(&source, &sink));
        Self { pty, child, shown, reader, read: 0 }
    }

    /// Everything that was shown so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("not poisoned")).replace("\r\n", "\n")
    }

    /// Waits until a text is shown after those that were waited for before; what was shown up to
    /// its end since then.
    pub fn wait_shown(&mut self, text: &str) -> String {
        let read = self.read;
        let since = wait_for(&format!("{text:?} on the terminal"), || {
            let shown = self.shown();
            match shown[read..].find(text) {
                Some(at) => Ok(shown[read..read + at + text.len()].to_owned()),
                None => Err(shown),
            }
        });
        self.read += since.len();
        since
    }

    /// Types a line as the answer to a question, once that is asked; what was shown before it.
    pub fn answer(&mut self, question: &str, line: &str) -> String {
        let shown = self.wait_shown(&format!("{question} [y/N] "));
        (&*self.pty).write_all(format!("{line}\n").as_bytes()).expect("the terminal takes a line");
        shown
    }

    /// Waits for the program's end: its exit code, and everything that was shown.
    pub fn end(mut self) -> (i32, String) {
        let status = wait_for("the program to end", || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(format!("{other:?}; it shows: {}", self.shown())),
        });
        // It may have shown more than was read by then.
        wait_for("the end of what it shows", || if self.reader.is_finished() { Ok(()) } else { Err(self.shown()) });
        (status.code().expect("an exit code"), self.shown())
    }
}

/// Reads until nobody holds the other end any more.
fn keep(mut source: &Pty, sink: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = source.read(&mut buffer) {
        sink.lock().expect("not poisoned").extend_from_slice(&buffer[..count]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
