//! A language client (the crate `async-lsp`), with a server as its child.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use std::time::Duration;

use async_lsp::router::Router;
use async_lsp::{LanguageClient, LanguageServer, MainLoop, ResponseError, ServerSocket};
use lsp_types::*;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::cli::Folder;

/// How long a test waits for something that should happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client, and the server that it started.
pub struct Client {
    pub server: ServerSocket,
    pub capabilities: ServerCapabilities,
    child: Child,
    told: mpsc::UnboundedReceiver<PublishDiagnosticsParams>,
    /// What the server said last of each file.
    pub diagnostics: BTreeMap<PathBuf, Vec<Diagnostic>>,
    /// The number of the text that it said it of.
    pub versions: BTreeMap<PathBuf, Option<i32>>,
    next: i32,
}

struct State {
    tell: mpsc::UnboundedSender<PublishDiagnosticsParams>,
}

impl LanguageClient for State {
    type Error = ResponseError;
    type NotifyResult = ControlFlow<async_lsp::Result<()>>;

    fn publish_diagnostics(&mut self, params: PublishDiagnosticsParams) -> Self::NotifyResult {
        let _ = self.tell.send(params);
        ControlFlow::Continue(())
    }

    fn log_message(&mut self, params: LogMessageParams) -> Self::NotifyResult {
        println!("the server: {}", params.message);
        ControlFlow::Continue(())
    }
}

struct Stop;

/// How a client begins.
pub struct Start<'a> {
    /// Folders that it works in.
    pub folders: Vec<&'a Path>,
    /// How it counts characters; what every client does where it says nothing.
    pub encodings: Option<Vec<PositionEncodingKind>>,
    pub options: Value,
    pub env: Vec<(&'a str, PathBuf)>,
}

impl<'a> Start<'a> {
    pub fn of(folder: &'a Folder) -> Self {
        Self { folders: vec![folder.path()], encodings: None, options: json!({"live": false}), env: Vec::new() }
    }
}

impl Client {
    pub async fn start(start: Start<'_>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        let home = start.folders.first().copied().unwrap_or(Path::new("/"));
        command.arg("lsp").env_clear().env("HOME", home).envs(start.env);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        let (input, output) = (Pipe(child.stdout.take().expect("stdout")), Pipe(child.stdin.take().expect("stdin")));
        let (tell, told) = mpsc::unbounded_channel();
        let (main, mut server) = MainLoop::new_client(|_| {
            let mut router = Router::from_language_client(State { tell });
            router.event(|_, _: Stop| ControlFlow::Break(Ok(())));
            router
        });
        tokio::spawn(main.run_buffered(input, output));
        let folder = |path: &&Path| WorkspaceFolder {
            uri: Url::from_file_path(path).expect("a path"),
            name: "folder".to_owned(),
        };
        let params = InitializeParams {
            workspace_folders: Some(start.folders.iter().map(folder).collect()),
            initialization_options: Some(start.options),
            capabilities: ClientCapabilities {
                workspace: Some(WorkspaceClientCapabilities {
                    workspace_edit: Some(WorkspaceEditClientCapabilities {
                        document_changes: Some(true),
                        resource_operations: Some(vec![ResourceOperationKind::Create]),
                        ..WorkspaceEditClientCapabilities::default()
                    }),
                    ..WorkspaceClientCapabilities::default()
                }),
                general: Some(GeneralClientCapabilities {
                    position_encodings: start.encodings,
                    ..GeneralClientCapabilities::default()
                }),
                ..ClientCapabilities::default()
            },
            ..InitializeParams::default()
        };
        let result = within(server.initialize(params)).await.expect("initialized");
        server.initialized(InitializedParams {}).expect("sent");
        let (diagnostics, versions) = (BTreeMap::new(), BTreeMap::new());
        Self { server, capabilities: result.capabilities, child, told, diagnostics, versions, next: 1 }
    }

    /// Opens a file with a text.
    pub fn open(&mut self, path: &Path, text: &str) {
        let uri = Url::from_file_path(path).expect("a path");
        self.next += 1;
        let text_document = TextDocumentItem::new(uri, "yaml".to_owned(), self.next, text.to_owned());
        self.server.did_open(DidOpenTextDocumentParams { text_document }).expect("sent");
    }

    /// Opens a file as it is saved, and returns its text.
    pub fn open_saved(&mut self, path: &Path) -> String {
        let text = std::fs::read_to_string(path).expect("a text");
        self.open(path, &text);
        text
    }

    /// Changes a part of an open text; returns the number of the new one.
    pub fn change(&mut self, path: &Path, range: Option<Range>, text: &str) -> i32 {
        self.next += 1;
        let text_document = VersionedTextDocumentIdentifier::new(Url::from_file_path(path).expect("a path"), self.next);
        let change = TextDocumentContentChangeEvent { range, range_length: None, text: text.to_owned() };
        let params = DidChangeTextDocumentParams { text_document, content_changes: vec![change] };
        self.server.did_change(params).expect("sent");
        self.next
    }

    pub fn close(&mut self, path: &Path) {
        self.server.did_close(DidCloseTextDocumentParams { text_document: document(path) }).expect("sent");
    }

    /// Waits until what the server said of a file is as it should be.
    pub async fn until(&mut self, path: &Path, wanted: impl Fn(&[Diagnostic]) -> bool) -> Vec<Diagnostic> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        loop {
            if let Some(found) = self.diagnostics.get(&path).filter(|found| wanted(found)) {
                return found.clone();
            }
            let Ok(params) = tokio::time::timeout(PATIENCE, self.told.recv()).await else {
                panic!("{}: the server said {:#?}", path.display(), self.diagnostics);
            };
            let params = params.expect("the server is there");
            let told = params.uri.to_file_path().expect("a file");
            let told = told.canonicalize().unwrap_or(told);
            self.versions.insert(told.clone(), params.version);
            self.diagnostics.insert(told, params.diagnostics);
        }
    }

    /// Waits until something is wrong in a file: which rules.
    pub async fn rules(&mut self, path: &Path) -> Vec<String> {
        self.until(path, |found| !found.is_empty()).await.iter().map(rule).collect()
    }

    /// Waits until nothing is wrong in a file.
    pub async fn clean(&mut self, path: &Path) {
        self.until(path, <[Diagnostic]>::is_empty).await;
    }

    /// What a hover tells.
    pub async fn hover(&mut self, path: &Path, at: Position) -> Option<String> {
        let params = HoverParams {
            text_document_position_params: place(path, at),
            work_done_progress_params: WorkDoneProgressParams::default(),
        };
        let hover = within(self.server.hover(params)).await.expect("an answer")?;
        match hover.contents {
            HoverContents::Markup(markup) => Some(markup.value),
            other => panic!("{other:?}"),
        }
    }

    /// Where what a place refers to is: files from a folder, and lines from 1.
    pub async fn definition(&mut self, folder: &Folder, path: &Path, at: Position) -> Vec<String> {
        let params = GotoDefinitionParams {
            text_document_position_params: place(path, at),
            work_done_progress_params: WorkDoneProgressParams::default(),
            partial_result_params: PartialResultParams::default(),
        };
        let Some(found) = within(self.server.definition(params)).await.expect("an answer") else { return Vec::new() };
        let GotoDefinitionResponse::Array(found) = found else { panic!("{found:?}") };
        let root = folder.path().canonicalize().expect("a path");
        let told = |location: Location| {
            let path = location.uri.to_file_path().expect("a file");
            let path = path.strip_prefix(&root).expect("of the folder").display().to_string();
            format!("{path}:{}", location.range.start.line + 1)
        };
        found.into_iter().map(told).collect()
    }

    /// What may be written, in its order.
    pub async fn completion(&mut self, path: &Path, at: Position) -> Vec<CompletionItem> {
        let params = CompletionParams {
            text_document_position: place(path, at),
            work_done_progress_params: WorkDoneProgressParams::default(),
            partial_result_params: PartialResultParams::default(),
            context: None,
        };
        let found = within(self.server.completion(params)).await.expect("an answer");
        let Some(CompletionResponse::Array(mut items)) = found else { panic!("{found:?}") };
        items.sort_by(|one, other| one.sort_text.cmp(&other.sort_text));
        items
    }

    /// What mends what is wrong at a line, from 0.
    pub async fn actions(&mut self, path: &Path, line: u32) -> Vec<CodeAction> {
        let params = CodeActionParams {
            text_document: document(path),
            range: Range::new(Position::new(line, 0), Position::new(line, 0)),
            context: CodeActionContext::default(),
            work_done_progress_params: WorkDoneProgressParams::default(),
            partial_result_params: PartialResultParams::default(),
        };
        let found = within(self.server.code_action(params)).await.expect("an answer").unwrap_or_default();
        let action = |action| match action {
            CodeActionOrCommand::CodeAction(action) => action,
            CodeActionOrCommand::Command(command) => panic!("{command:?}"),
        };
        found.into_iter().map(action).collect()
    }

    /// Says good-bye; the code with which the server ends.
    pub async fn end(mut self) -> Option<i32> {
        within(self.server.shutdown(())).await.expect("shut down");
        self.server.exit(()).expect("sent");
        let status = within(self.child.wait()).await.expect("it ends");
        let _ = self.server.emit(Stop);
        status.code()
    }

    /// Says that it goes, without a shutdown before.
    pub async fn exit(mut self) -> Option<i32> {
        self.server.exit(()).expect("sent");
        within(self.child.wait()).await.expect("it ends").code()
    }
}

/// The same, where it comes in time.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("the server answers in time")
}

/// Runs a test that speaks with servers.
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

pub fn document(path: &Path) -> TextDocumentIdentifier {
    TextDocumentIdentifier::new(Url::from_file_path(path).expect("a path"))
}

fn place(path: &Path, at: Position) -> TextDocumentPositionParams {
    TextDocumentPositionParams::new(document(path), at)
}

/// The rule of a finding.
pub fn rule(diagnostic: &Diagnostic) -> String {
    match &diagnostic.code {
        Some(NumberOrString::String(rule)) => rule.clone(),
        other => panic!("{other:?}"),
    }
}

/// The position of the first place of a word in a text of ASCII, and so many characters behind it.
pub fn at(text: &str, word: &str, behind: usize) -> Position {
    let offset = text.find(word).unwrap_or_else(|| panic!("no {word:?} in {text}")) + behind;
    let line = text[..offset].matches('\n').count();
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    Position::new(u32::try_from(line).expect("few"), u32::try_from(offset - start).expect("few"))
}

/// tokio's pipes as the client wants them.
struct Pipe<T>(T);

impl<T: AsyncRead + Unpin> futures::AsyncRead for Pipe<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        Pin::new(&mut self.0).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
    }
}

impl<T: AsyncWrite + Unpin> futures::AsyncWrite for Pipe<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
