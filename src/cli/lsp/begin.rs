//! The first words with a client: what it can, and what we can.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use serde_json::{Value, json};

use super::serve::Event;
use super::wire::{self, Message, Refusal, code};
use super::{desk, folders};
use crate::cli::Exit;
use crate::editor::Encoding;
use crate::schema::Minor;

/// What the client said of itself.
#[derive(Debug)]
pub struct Begun {
    pub folders: Vec<PathBuf>,
    pub encoding: Encoding,
    /// Whether it tells what changes on disk.
    pub watches: bool,
    /// Whether it makes files that an answer asks for.
    pub creates: bool,
    pub options: Options,
}

/// What a person set in the editor.
#[derive(Debug, Default)]
pub struct Options {
    pub live: Option<bool>,
    pub context: Option<String>,
    pub kube_version: Option<Minor>,
}

/// Hears what the client is, and says what the server is. Where the client goes before, how that ends.
///
/// # Errors
/// It takes no answers.
pub fn handshake(output: &mut impl Write, events: &Receiver<Event>) -> io::Result<Result<Begun, Exit>> {
    let mut begun = None;
    loop {
        let message = match events.recv() {
            Ok(Event::Client(message)) => message,
            Ok(Event::Gone(why)) => {
                if let Some(why) = why {
                    tracing::error!("this is no language client: {why}");
                }
                return Ok(Err(Exit::Differences));
            }
            Ok(Event::Checked(_) | Event::Answered(..)) => continue,
            Err(_) => return Ok(Err(Exit::Differences)),
        };
        match message {
            Message::Request { id, method, params } if method == "initialize" && begun.is_none() => {
                match read(&params) {
                    Ok(read) => {
                        wire::answer(output, id, Ok(capabilities(&read)))?;
                        begun = Some(read);
                    }
                    Err(why) => wire::answer(output, id, Err(Refusal::new(code::INVALID_PARAMS, why)))?,
                }
            }
            Message::Request { id, .. } => {
                let refusal = Refusal::new(code::NOT_INITIALIZED, "the server is not initialized");
                wire::answer(output, id, Err(refusal))?;
            }
            Message::Unreadable(why) => {
                wire::answer(output, Value::Null, Err(Refusal::new(code::UNREADABLE, why)))?;
            }
            Message::Notification { method, .. } => match (method.as_str(), begun.take()) {
                ("exit", _) => return Ok(Err(Exit::Differences)),
                ("initialized", Some(begun)) => {
                    if begun.watches {
                        wire::ask(output, "watch", "client/registerCapability", watch())?;
                    }
                    return Ok(Ok(begun));
                }
                (_, before) => begun = before,
            },
            Message::Answer => {}
        }
    }
}

fn read(params: &Value) -> Result<Begun, String> {
    let can = &params["capabilities"];
    let encodings = can["general"]["positionEncodings"].as_array();
    let offers = |name: &str| encodings.is_some_and(|all| all.iter().any(|known| known == name));
    let encoding = if offers("utf-8") {
        Encoding::Utf8
    } else if offers("utf-32") && !offers("utf-16") {
        Encoding::Utf32
    } else {
        Encoding::Utf16
    };
    let mut roots = folders(&params["workspaceFolders"]);
    if roots.is_empty() {
        let root = params["rootUri"].as_str().and_then(|url| desk::path_of(&lsp_types::Url::parse(url).ok()?));
        roots.extend(root);
    }
    let said = &params["initializationOptions"];
    let kube_version = match said["kubeVersion"].as_str() {
        Some(text) => Some(text.parse().map_err(|why| format!("kubeVersion {text:?}: {why}"))?),
        None => None,
    };
    let options =
        Options { live: said["live"].as_bool(), context: said["context"].as_str().map(str::to_owned), kube_version };
    let watches = can["workspace"]["didChangeWatchedFiles"]["dynamicRegistration"] == true;
    let edits = &can["workspace"]["workspaceEdit"];
    let operations = edits["resourceOperations"].as_array();
    let creates =
        edits["documentChanges"] == true && operations.is_some_and(|all| all.iter().any(|one| one == "create"));
    Ok(Begun { folders: roots, encoding, watches, creates, options })
}

fn capabilities(begun: &Begun) -> Value {
    let encoding = match begun.encoding {
        Encoding::Utf8 => "utf-8",
        Encoding::Utf16 => "utf-16",
        Encoding::Utf32 => "utf-32",
    };
    json!({
        "capabilities": {
            "positionEncoding": encoding,
            // Changes come in parts, and what is saved is told.
            "textDocumentSync": {"openClose": true, "change": 2, "save": true},
            "hoverProvider": true,
            "definitionProvider": true,
            "completionProvider": {"triggerCharacters": [" ", "-", ":"]},
            "codeActionProvider": {"codeActionKinds": ["quickfix"]},
            "workspace": {"workspaceFolders": {"supported": true, "changeNotifications": true}},
        },
        "serverInfo": {"name": "tandem", "version": env!("CARGO_PKG_VERSION")},
    })
}

/// Every file may be one that a kustomization reads.
fn watch() -> Value {
    json!({"registrations": [{
        "id": "watch",
        "method": "workspace/didChangeWatchedFiles",
        "registerOptions": {"watchers": [{"globPattern": "**/*"}]},
    }]})
}
