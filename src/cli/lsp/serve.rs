//! The server: it takes what the client sends in its order, keeps what is open, and hands everything that takes
//! time to other threads, so that no key press waits.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use lsp_types::{Diagnostic, PublishDiagnosticsParams, Url};
use serde_json::{Value, json};

use super::analyst::{Order, Outcome};
use super::asks::Asked;
use super::copy::{Change, Changes};
use super::desk::{Buffer, Desk, path_of};
use super::live::Live;
use super::params::{changes, read, told};
use super::publish;
use super::setup::Setup;
use super::view::View;
use super::wire::{self, Message, Refusal, code};
use crate::cli::check::finding::Finding;
use crate::editor::{self, Text};

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// The client sent something.
    Client(Message),
    /// It sends nothing any more; why, where that was not its end.
    Gone(Option<String>),
    /// A run came to its end.
    Checked(Outcome),
    /// An answer is ready.
    Answered(Value, Result<Value, Refusal>),
}

impl From<Outcome> for Event {
    fn from(outcome: Outcome) -> Self {
        Self::Checked(outcome)
    }
}

/// How long an answer waits for the run over the text that it is asked about.
const PATIENCE: Duration = Duration::from_millis(2500);

/// The server, once it is initialized.
pub struct Server<W> {
    output: W,
    setup: Arc<Setup>,
    live: Option<Arc<Live>>,
    /// Where answers come back.
    events: Sender<Event>,
    orders: Sender<Order>,
    latest: Arc<AtomicU64>,
    desk: Arc<Desk>,
    /// The last run that came to its end, and its moment.
    view: Arc<View>,
    checked: u64,
    findings: BTreeMap<PathBuf, Vec<Finding>>,
    /// What the client was told of each file.
    published: BTreeMap<PathBuf, Vec<Diagnostic>>,
    told: BTreeSet<String>,
    /// Requests that are not answered yet.
    open: Vec<Value>,
    /// Those that wait for a run, each until when.
    waiting: Vec<(Instant, Waiting)>,
    /// Whether the client tells what changes on disk.
    watches: bool,
    shut_down: bool,
}

struct Waiting {
    id: Value,
    method: String,
    params: Value,
}

/// What the server is made of.
pub struct Parts<W> {
    pub output: W,
    pub setup: Arc<Setup>,
    pub live: Option<Arc<Live>>,
    pub events: Sender<Event>,
    pub orders: Sender<Order>,
    pub latest: Arc<AtomicU64>,
    pub folders: Vec<PathBuf>,
    pub watches: bool,
}

impl<W: Write> Server<W> {
    pub fn new(parts: Parts<W>) -> Self {
        let Parts { output, setup, live, events, orders, latest, folders, watches } = parts;
        let (_, guide) = setup.schemas(&[]);
        let mut server = Self {
            output,
            setup,
            live,
            events,
            orders,
            latest,
            desk: Arc::new(Desk { folders, ..Desk::default() }),
            view: Arc::new(View::new(Vec::new(), Arc::new(guide))),
            checked: 0,
            findings: BTreeMap::new(),
            published: BTreeMap::new(),
            told: BTreeSet::new(),
            open: Vec::new(),
            waiting: Vec::new(),
            watches,
            shut_down: false,
        };
        server.order(|_| {}, Changes::default());
        server
    }

    /// Serves until the client says that it goes, or is gone; whether it went as it should.
    ///
    /// # Errors
    /// It takes no answers any more.
    pub fn run(&mut self, events: &Receiver<Event>) -> io::Result<bool> {
        loop {
            let event = match self.waiting.iter().map(|(until, _)| *until).min() {
                Some(until) => match events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(event) => event,
                    Err(RecvTimeoutError::Timeout) => {
                        self.start(|until| until <= Instant::now());
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return Ok(false),
                },
                None => match events.recv() {
                    Ok(event) => event,
                    Err(_) => return Ok(false),
                },
            };
            match event {
                Event::Client(Message::Notification { method, .. }) if method == "exit" => return Ok(self.shut_down),
                Event::Client(message) => self.take(message)?,
                Event::Gone(why) => {
                    if let Some(why) = why {
                        tracing::error!("what the client sends cannot be read: {why}");
                    }
                    return Ok(self.shut_down);
                }
                Event::Checked(outcome) => self.publish(outcome)?,
                Event::Answered(id, result) => self.answer(id, result)?,
            }
        }
    }

    fn take(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::Unreadable(why) => {
                wire::answer(&mut self.output, Value::Null, Err(Refusal::new(code::UNREADABLE, why)))
            }
            Message::Answer => Ok(()),
            Message::Notification { method, params } if method == "$/cancelRequest" => {
                let id = params["id"].clone();
                self.waiting.retain(|(_, waiting)| waiting.id != id);
                self.answer(id, Err(Refusal::new(code::CANCELLED, "cancelled")))
            }
            Message::Notification { method, params } => {
                self.note(&method, params);
                Ok(())
            }
            Message::Request { id, method, params } => self.request(id, method, params),
        }
    }

    fn request(&mut self, id: Value, method: String, params: Value) -> io::Result<()> {
        self.open.push(id.clone());
        match method.as_str() {
            _ if self.shut_down => {
                self.answer(id, Err(Refusal::new(code::INVALID_REQUEST, "the server was shut down")))
            }
            "shutdown" => {
                self.shut_down = true;
                self.answer(id, Ok(Value::Null))
            }
            "initialize" => self.answer(id, Err(Refusal::new(code::INVALID_REQUEST, "the server is initialized"))),
            "textDocument/completion" => {
                self.ask(Waiting { id, method, params });
                Ok(())
            }
            "textDocument/hover" | "textDocument/definition" | "textDocument/codeAction" => {
                let waiting = Waiting { id, method, params };
                if self.checked == self.desk.moment {
                    self.ask(waiting);
                } else {
                    self.waiting.push((Instant::now() + PATIENCE, waiting));
                }
                Ok(())
            }
            _ => {
                let refusal = Refusal::new(code::UNKNOWN_METHOD, format!("{method} is nothing that is answered here"));
                self.answer(id, Err(refusal))
            }
        }
    }

    /// Answers, but for what was answered before.
    fn answer(&mut self, id: Value, result: Result<Value, Refusal>) -> io::Result<()> {
        let Some(at) = self.open.iter().position(|open| *open == id) else { return Ok(()) };
        self.open.swap_remove(at);
        wire::answer(&mut self.output, id, result)
    }

    /// Starts what waits for a run, where its time has come.
    fn start(&mut self, due: impl Fn(Instant) -> bool) {
        let (now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(until, _)| due(*until));
        self.waiting = later;
        now.into_iter().for_each(|(_, waiting)| self.ask(waiting));
    }

    /// Has a request answered on a thread of its own.
    fn ask(&self, waiting: Waiting) {
        let Waiting { id, method, params } = waiting;
        let answer = self.answerer(&method, params);
        let (events, told) = (self.events.clone(), id.clone());
        let work = move || {
            let defect = || Err(Refusal::new(code::INTERNAL, "it could not be answered: a defect of Tandem"));
            let result = catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|_| defect());
            // Nobody is there any more.
            let _ = events.send(Event::Answered(id, result));
        };
        if thread::Builder::new().name("answer".to_owned()).spawn(work).is_err() {
            let refusal = Refusal::new(code::INTERNAL, "no thread can be started");
            let _ = self.events.send(Event::Answered(told, Err(refusal)));
        }
    }

    /// What answers a request.
    fn answerer(&self, method: &str, params: Value) -> Box<dyn FnOnce() -> Result<Value, Refusal> + Send> {
        let url = params.pointer("/textDocument/uri").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
        let Some((path, url)) = url.and_then(|url| Some((path_of(&url)?, url))) else {
            // What is no file has nothing that could be told of it.
            return Box::new(|| Ok(Value::Null));
        };
        let findings =
            self.findings.get(&path).filter(|_| self.checked == self.desk.moment).cloned().unwrap_or_default();
        let asked = Asked {
            desk: Arc::clone(&self.desk),
            view: Arc::clone(&self.view),
            setup: Arc::clone(&self.setup),
            live: self.live.clone(),
            path,
        };
        let method = method.to_owned();
        Box::new(move || {
            if method == "textDocument/codeAction" {
                let range: lsp_types::Range = read(params["range"].clone())?;
                return told(&asked.actions(range.start.line..=range.end.line, &url, &findings));
            }
            let at: lsp_types::Position = read(params["position"].clone())?;
            match method.as_str() {
                "textDocument/hover" => told(&asked.hover(at)),
                "textDocument/definition" => told(&asked.definition(at)),
                _ => told(&asked.completion(at)),
            }
        })
    }

    fn note(&mut self, method: &str, params: Value) {
        let url = |at: &str| params.pointer(at).and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
        let document = url("/textDocument/uri").and_then(|url| Some((path_of(&url)?, url)));
        let version = params.pointer("/textDocument/version").and_then(Value::as_i64);
        let version = version.and_then(|version| i32::try_from(version).ok()).unwrap_or(0);
        match (method, document) {
            ("textDocument/didOpen", Some((path, url))) => {
                let text = params.pointer("/textDocument/text").and_then(Value::as_str).unwrap_or_default();
                let buffer = Buffer { url, version, text: Text::new(text) };
                let changes = [(path.clone(), !path.is_file())];
                self.changed(|desk| drop(desk.buffers.insert(path, buffer)), changes);
            }
            ("textDocument/didChange", Some((path, url))) => {
                let changes: Vec<editor::Change> = changes(&params["contentChanges"]);
                let encoding = self.setup.encoding;
                let change = |desk: &mut Desk| {
                    // What was never opened is nothing that can be changed.
                    if let Some(buffer) = desk.buffers.get_mut(&path) {
                        *buffer = Buffer { url, version, text: buffer.text.changed(&changes, encoding) };
                    }
                };
                self.changed(change, [(path.clone(), false)]);
            }
            ("textDocument/didClose", Some((path, _))) => {
                let came_or_went = !path.is_file();
                self.changed(|desk| drop(desk.buffers.remove(&path)), [(path.clone(), came_or_went)]);
            }
            ("textDocument/didSave", Some((path, _))) => {
                if self.watches {
                    self.changed(|_| {}, [(path, false)]);
                } else {
                    self.all_anew(|_| {});
                }
            }
            ("workspace/didChangeWatchedFiles", _) => {
                let files = params["changes"].as_array().into_iter().flatten().filter_map(|change| {
                    let path = path_of(&Url::parse(change["uri"].as_str()?).ok()?)?;
                    // 1 is made, 2 is changed, 3 is gone.
                    (!path.iter().any(|name| name == ".git")).then(|| (path, change["type"] != 2))
                });
                let files: Vec<(PathBuf, bool)> = files.collect();
                if !files.is_empty() {
                    self.changed(|_| {}, files);
                }
            }
            ("workspace/didChangeWorkspaceFolders", _) => {
                let folders = |name: &str| -> Vec<PathBuf> { super::folders(&params["event"][name]) };
                let (added, removed) = (folders("added"), folders("removed"));
                let change = |desk: &mut Desk| {
                    desk.folders.retain(|folder| !removed.contains(folder));
                    desk.folders.extend(added);
                };
                self.order(change, Changes::default());
            }
            _ => {}
        }
    }

    fn changed(&mut self, change: impl FnOnce(&mut Desk), files: impl IntoIterator<Item = (PathBuf, bool)>) {
        let moment = self.desk.moment + 1;
        let of = |(path, came_or_went)| (path, Change { moment, came_or_went });
        self.order(change, Changes { files: files.into_iter().map(of).collect(), everything: 0 });
    }

    fn all_anew(&mut self, change: impl FnOnce(&mut Desk)) {
        let everything = self.desk.moment + 1;
        self.order(change, Changes { files: BTreeMap::new(), everything });
    }

    /// Makes a new moment, and orders a run.
    fn order(&mut self, change: impl FnOnce(&mut Desk), changes: Changes) {
        let mut desk = Desk::clone(&self.desk);
        change(&mut desk);
        desk.moment += 1;
        self.latest.store(desk.moment, Ordering::Release);
        self.desk = Arc::new(desk);
        // The thread ends with this one alone.
        let _ = self.orders.send(Order { desk: Arc::clone(&self.desk), changes });
    }

    /// Tells what was found, where it is still what is asked for, and what is wrong no more.
    fn publish(&mut self, outcome: Outcome) -> io::Result<()> {
        if outcome.moment != self.desk.moment {
            return Ok(());
        }
        (self.view, self.checked, self.findings) = (outcome.view, outcome.moment, outcome.findings);
        for failure in outcome.failures {
            if self.told.insert(failure.clone()) {
                let params = json!({"type": 2, "message": failure});
                wire::notify(&mut self.output, "window/logMessage", params)?;
            }
        }
        let encoding = self.setup.encoding;
        let now: BTreeMap<PathBuf, Vec<Diagnostic>> = self
            .findings
            .iter()
            .map(|(path, found)| (path.clone(), publish::diagnostics(found, &self.desk.text(path), encoding)))
            .collect();
        let gone = self.published.keys().filter(|path| !now.contains_key(*path));
        let fresh = now.iter().filter(|(path, found)| self.published.get(*path) != Some(found));
        let due: Vec<(PathBuf, Vec<Diagnostic>)> = gone
            .map(|path| (path.clone(), Vec::new()))
            .chain(fresh.map(|(path, found)| (path.clone(), found.clone())))
            .collect();
        for (path, diagnostics) in due {
            let Some(uri) = self.desk.url(&path) else { continue };
            let version = self.desk.buffers.get(&path).map(|buffer| buffer.version);
            let params = PublishDiagnosticsParams { uri, diagnostics, version };
            let params = serde_json::to_value(params).map_err(io::Error::other)?;
            wire::notify(&mut self.output, "textDocument/publishDiagnostics", params)?;
        }
        self.published = now;
        self.start(|_| true);
        Ok(())
    }
}
