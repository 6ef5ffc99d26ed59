//! Git servers that answer oddly, on the wire: what they say is told by name, and credentials go
//! nowhere else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use tandem::agent::worker::{Credentials, Secret, Source};
use tandem::failure::Fault;

use crate::git_remote::Readers;

/// A server that gives every request the same answer, and what it was asked.
struct Odd {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Odd {
    fn new(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let address = listener.local_addr().expect("address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.expect("connection");
                let (mut request, mut buffer) = (String::new(), [0; 4096]);
                while !request.contains("\r\n\r\n") {
                    match connection.read(&mut buffer) {
                        Ok(count @ 1..) => request.push_str(&String::from_utf8_lossy(&buffer[..count])),
                        _ => break,
                    }
                }
                heard.lock().expect("lock").push(request);
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        Self { address, asked }
    }

    fn source(&self) -> Source {
        let mut source = Source::new(format!("http://{}/app.git", self.address));
        source.credentials = Credentials::Basic { username: "ada".into(), password: Secret::new("canary") };
        source
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("lock").clone()
    }
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

const GIT: &str = "Content-Type: application/x-git-upload-pack-advertisement\r\n";

#[tokio::test]
async fn odd_answers_are_told_by_name() {
    let readers = Readers::new();
    let zero = "0".repeat(40);
    let empty = format!("{:04x}{zero} capabilities^{{}}\0agent=odd\n0000", 4 + 40 + 1 + 15 + 10 + 1);
    let sha256 = "000eversion 2\n0000";
    for (answer, reason, fault) in [
        (response("200 OK", "Content-Type: text/html\r\n", "<html>"), "ProtocolFailed", Fault::Repository),
        (response("200 OK", GIT, "<html>"), "ProtocolFailed", Fault::Repository),
        (response("200 OK", GIT, "000eERR denied"), "RepositoryNotFound", Fault::Repository),
        (response("200 OK", GIT, &empty), "EmptyRepository", Fault::Repository),
        (response("200 OK", GIT, sha256), "ProtocolFailed", Fault::Repository),
        (response("200 OK", GIT, "00ff"), "ProtocolFailed", Fault::Repository),
        (response("403 Forbidden", "", ""), "AuthenticationFailed", Fault::Repository),
        (response("410 Gone", "", ""), "RepositoryNotFound", Fault::Repository),
        (response("429 Too Many Requests", "", ""), "RemoteFailed", Fault::Transient),
        (response("503 Service Unavailable", "", "canary"), "RemoteFailed", Fault::Transient),
        (response("418 Teapot", "", "canary"), "ProtocolFailed", Fault::Repository),
        ("nonsense\r\n\r\n".to_owned(), "RemoteFailed", Fault::Transient),
        (String::new(), "RemoteFailed", Fault::Transient),
    ] {
        let server = Odd::new(answer.clone());
        let failed = readers.refused(&server.source()).await;
        assert_eq!((failed.reason.as_str(), failed.fault), (reason, fault), "{answer}: {failed}");
    }
}

#[tokio::test]
async fn redirects_are_followed_to_the_same_host_only() {
    let readers = Readers::new();
    let elsewhere = Odd::new(response("200 OK", GIT, "0000"));
    for location in [
        format!("http://{}/app.git/info/refs?service=git-upload-pack", elsewhere.address),
        format!("http://localhost:{}/app.git/info/refs", elsewhere.address.port()),
        "https://example.com/app.git/info/refs".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let server = Odd::new(response("301 Moved", &format!("Location: {location}\r\n"), ""));
        let failed = readers.refused(&server.source()).await;
        assert_eq!((failed.reason.as_str(), failed.fault), ("RedirectRefused", Fault::Repository), "{failed}");
        assert_eq!(server.asked().len(), 1);
    }
    assert!(elsewhere.asked().is_empty(), "credentials went elsewhere");
    let round = Odd::new(response("302 Found", "Location: /app.git/info/refs?service=git-upload-pack\r\n", ""));
    let failed = readers.refused(&round.source()).await;
    assert_eq!(failed.reason, "RedirectRefused", "{failed}");
    assert_eq!(round.asked().len(), 6);
}

#[tokio::test]
async fn http_without_tls_is_for_local_addresses_unless_the_source_says_so() {
    let readers = Readers::new();
    let failed = readers.refused(&Source::new("http://git.example.com/app.git")).await;
    assert_eq!((failed.reason.as_str(), failed.fault), ("InvalidUrl", Fault::Repository), "{failed}");
    assert!(failed.hint.is_some());
}
