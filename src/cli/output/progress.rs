//! What is being done, on one line of stderr that writes over itself; only on a terminal.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// Characters of a message that are shown: the line must not wrap.
const WIDTH: usize = 70;
const TURNS: [&str; 4] = ["⠋", "⠙", "⠸", "⠴"];

/// A line that goes away when this does. Without a terminal, each new message is told once where
/// `-v` asks for it.
pub struct Progress {
    shown: bool,
    began: Instant,
    last: RefCell<(usize, String)>,
}

impl Progress {
    /// Nothing is shown yet.
    pub fn start() -> Self {
        Self { shown: io::stderr().is_terminal(), began: Instant::now(), last: RefCell::default() }
    }

    /// Shows what is being done now.
    pub fn tell(&self, message: &str) {
        let mut last = self.last.borrow_mut();
        if !self.shown {
            if last.1 != message {
                tracing::info!("{message}");
            }
        } else {
            let turn = TURNS[last.0 % TURNS.len()];
            let seconds = self.began.elapsed().as_secs();
            let shown: String = message.chars().filter(|c| !c.is_control()).take(WIDTH).collect();
            let _ = write!(io::stderr().lock(), "\r\x1b[K{turn} {shown} ({seconds}s)");
        }
        *last = (last.0 + 1, message.to_owned());
    }

    /// Shows how much is done.
    pub fn count(&self, what: &str, done: usize, all: usize) {
        self.tell(&format!("{what} {done}/{all}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown && self.last.borrow().0 > 0 {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}
