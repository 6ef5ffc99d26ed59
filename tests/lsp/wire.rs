//! What a client sends that it should not, and how the server ends.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::client::{Client, Start, run};
use super::diagnostics::repository;
use crate::cli::Folder;

fn framed(message: &Value) -> String {
    let body = message.to_string();
    format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// What the server answers to a stream that ends, its words on stderr, and the code with which it ends.
fn ended(input: &str) -> (Vec<Value>, String, Option<i32>) {
    let folder = Folder::with(&[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command.arg("lsp").env_clear().env("HOME", folder.path()).current_dir(folder.path());
    let pipe = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipe.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin");
    // It may be gone before all of it is written.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let mut told = String::new();
    child.stdout.take().expect("stdout").read_to_string(&mut told).expect("UTF-8");
    let output = child.wait_with_output().expect("it ends");
    let mut messages = Vec::new();
    let mut rest = told.as_str();
    while let Some((head, body)) = rest.split_once("\r\n\r\n") {
        let length: usize = head.strip_prefix("Content-Length: ").expect("a length").parse().expect("a number");
        messages.push(serde_json::from_str(&body[..length]).expect("JSON"));
        rest = &body[length..];
    }
    assert_eq!(rest, "");
    (messages, String::from_utf8(output.stderr).expect("UTF-8"), output.status.code())
}

fn begin() -> String {
    framed(
        &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}, "initializationOptions": {"live": false}}}),
    ) + &framed(&json!({"jsonrpc": "2.0", "method": "initialized", "params": {}}))
}

fn request(id: i32, method: &str, params: Value) -> String {
    framed(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
}

fn note(method: &str) -> String {
    framed(&json!({"jsonrpc": "2.0", "method": method}))
}

#[test]
fn it_ends_as_the_client_goes() {
    let shutdown = request(2, "shutdown", Value::Null);
    for (what, input, code) in [
        ("it says so", begin() + &shutdown + &note("exit"), 0),
        ("it says so, and no more", begin() + &shutdown, 0),
        ("it goes without a word", begin(), 1),
        ("no shutdown", begin() + &note("exit"), 1),
        ("before anything", String::new(), 1),
        ("before it began", note("exit"), 1),
        ("in the middle of a message", begin() + "Content-Length: 100\r\n\r\n{", 1),
    ] {
        let (_, stderr, ended) = ended(&input);
        assert_eq!((ended, stderr.as_str()), (Some(code), ""), "{what}");
    }
}

#[test]
fn what_is_no_message_is_refused_and_nothing_panics() {
    for rubbish in [
        "hello\nworld\n",
        "Content-Length: 99999999999999\r\n\r\n{}",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\u{0}\u{1}\u{2}",
    ] {
        for input in [rubbish.to_owned(), begin() + rubbish] {
            let (_, stderr, code) = ended(&input);
            assert_eq!(code, Some(1), "{input:?}");
            assert!(stderr.contains("ERROR") && !stderr.contains("panicked"), "{stderr}");
        }
    }
    // A message of the right length that is none is answered, and the next one is too.
    let broken = "Content-Length: 9\r\n\r\n{nonsense".to_owned();
    let (answers, _, code) =
        ended(&(broken.clone() + &begin() + &broken + &request(2, "shutdown", Value::Null) + &note("exit")));
    assert_eq!(code, Some(0));
    let codes: Vec<&Value> = answers.iter().map(|answer| &answer["error"]["code"]).collect();
    assert_eq!(codes, [&json!(-32700), &Value::Null, &json!(-32700), &Value::Null]);
}

#[test]
fn requests_out_of_order_are_refused_by_their_codes() {
    let hover = |id| {
        request(
            id,
            "textDocument/hover",
            json!({"textDocument": {"uri": "file:///a.yaml"}, "position": {"line": 0, "character": 0}}),
        )
    };
    let input = [
        hover(10),
        begin(),
        request(11, "initialize", json!({"capabilities": {}})),
        request(12, "workspace/nonsense", Value::Null),
        request(13, "textDocument/completion", json!({"textDocument": {"uri": "untitled:1"}})),
        request(14, "shutdown", Value::Null),
        hover(15),
        note("exit"),
    ];
    let (answers, _, code) = ended(&input.concat());
    assert_eq!(code, Some(0));
    let of = |id: i32| answers.iter().find(|answer| answer["id"] == id).map(|answer| answer["error"]["code"].clone());
    assert_eq!(of(10), Some(json!(-32002)));
    assert_eq!(of(11), Some(json!(-32600)));
    assert_eq!(of(12), Some(json!(-32601)));
    assert_eq!(of(15), Some(json!(-32600)));
    // A setting that makes no sense is told to whoever set it.
    let wrong = json!({"capabilities": {}, "initializationOptions": {"kubeVersion": "2.0"}});
    let (answers, _, _) = ended(&request(1, "initialize", wrong));
    assert!(answers[0]["error"]["message"].as_str().is_some_and(|told| told.contains("1.33")), "{answers:?}");
}

#[test]
fn a_request_that_is_cancelled_is_answered_once_and_as_that() {
    let folder = repository();
    let uri = lsp_types::Url::from_file_path(folder.path().join("base/web.yaml")).expect("a path");
    let begin = framed(
        &json!({"id": 1, "method": "initialize", "params": {"capabilities": {}, "rootUri": lsp_types::Url::from_file_path(folder.path()).expect("a path"), "initializationOptions": {"live": false}}}),
    ) + &note("initialized")
        + &framed(
            &json!({"method": "textDocument/didOpen", "params": {"textDocument": {"uri": uri, "version": 1, "languageId": "yaml", "text": "a: b\n"}}}),
        );
    let place = json!({"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}});
    let mut input = begin;
    // What waits for a run over the newest text is not begun yet.
    for id in 100..150 {
        let change = json!({"method": "textDocument/didChange", "params": {"textDocument": {"uri": uri, "version": id}, "contentChanges": [{"text": format!("a: {id}\n")}]}});
        input += &framed(&change);
        input += &request(id, "textDocument/hover", place.clone());
        input += &framed(&json!({"method": "$/cancelRequest", "params": {"id": id}}));
    }
    input += &framed(&json!({"method": "$/cancelRequest", "params": {"id": 7000}}));
    input += &request(2, "shutdown", Value::Null);
    let (answers, _, _) = ended(&input);
    let codes: Vec<&Value> = (100..150)
        .filter_map(|id| {
            let mut of = answers.iter().filter(|answer| answer["id"] == id);
            let answer = of.next();
            assert!(of.next().is_none(), "{id} is answered twice");
            answer.map(|answer| &answer["error"]["code"])
        })
        .collect();
    assert!(codes.contains(&&json!(-32800)), "{codes:?}");
}

#[test]
fn a_client_that_says_good_bye_sees_it_end_well() {
    run(async {
        let folder = repository();
        assert_eq!(Client::start(Start::of(&folder)).await.end().await, Some(0));
        assert_eq!(Client::start(Start::of(&folder)).await.exit().await, Some(1));
    });
}
