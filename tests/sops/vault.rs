//! Files for a key of Vault, through the real program `sops` in the box, and a server that answers as Vault's transit engine
//! does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tandem::failure::Fault;
use tandem::object::yaml;
use tandem::render::sops::Service;
use tandem::render::{MemTree, Options};

use super::pgp::{bodies, try_whole, whole};
use super::program::{encrypt_with, programs};

const TOKEN: &str = "hvs.token-canary";

const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: vault-canary}
";

/// A Vault that knows one token, and notes whom it was asked by.
#[derive(Clone, Default)]
struct Vault {
    url: String,
    plain: Arc<Mutex<Vec<String>>>,
    tokens: Arc<Mutex<Vec<String>>>,
}

impl Vault {
    fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let vault = Self { url: format!("http://{}", listener.local_addr().expect("an address")), ..Self::default() };
        let serving = vault.clone();
        std::thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| {
                let _ = serving.answer(stream);
            });
        });
        vault
    }

    /// The same over TLS, known by an authority of its own; with that authority in PEM.
    fn serve_tls() -> (Self, String) {
        let names = vec!["127.0.0.1".to_owned()];
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a key that fits");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let vault = Self { url: format!("https://{}", listener.local_addr().expect("an address")), ..Self::default() };
        let serving = vault.clone();
        std::thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| {
                let session = rustls::ServerConnection::new(config.clone()).expect("a session");
                let _ = serving.answer(rustls::StreamOwned::new(session, stream));
            });
        });
        (vault, cert.pem())
    }

    fn answer(&self, mut stream: impl Read + Write) -> std::io::Result<()> {
        let mut reader = BufReader::new(&mut stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? <= 2 {
                break;
            }
            head.push(line.trim_end().to_owned());
        }
        let field = |name: &str| {
            let of = |line: &String| {
                line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned())
            };
            head.iter().find_map(of).unwrap_or_default()
        };
        let mut body = vec![0; field("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body)?;
        self.tokens.lock().expect("unpoisoned").push(field("x-vault-token"));
        let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let data = (field("x-vault-token") == TOKEN).then(|| self.transit(path, &asked)).flatten();
        let (status, said) = match data {
            Some(data) => ("200 OK", json!({"data": data})),
            None => ("403 Forbidden", json!({"errors": ["permission denied"]})),
        };
        let said = said.to_string();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
            said.len()
        )
    }

    /// The engine keeps what it is given, and gives a number for it.
    fn transit(&self, path: &str, asked: &Value) -> Option<Value> {
        let mut plain = self.plain.lock().expect("unpoisoned");
        match path {
            "/v1/transit/encrypt/shop" => {
                plain.push(asked["plaintext"].as_str()?.to_owned());
                Some(json!({"ciphertext": format!("vault:v1:{}", plain.len())}))
            }
            "/v1/transit/decrypt/shop" => {
                let number: usize = asked["ciphertext"].as_str()?.strip_prefix("vault:v1:")?.parse().ok()?;
                Some(json!({"plaintext": plain.get(number - 1)?}))
            }
            _ => None,
        }
    }

    fn encrypt(&self, authority: &str) -> String {
        let key = format!("{}/v1/transit/keys/shop", self.url);
        let arguments = ["--hc-vault-transit", &key, "--encrypted-regex", "^(stringData)$"];
        let mut environment = vec![("VAULT_TOKEN", TOKEN), ("PATH", "/nonexistent")];
        if !authority.is_empty() {
            environment.push(("VAULT_CACERT_BYTES", authority));
        }
        encrypt_with(&environment, "secret.yaml", SECRET, &arguments)
    }

    fn tokens(&self) -> Vec<String> {
        std::mem::take(&mut *self.tokens.lock().expect("unpoisoned"))
    }
}

fn options(token: &str, address: &str) -> Options {
    let mut options = Options::default();
    options.decryption.add_of(Service::Vault, token).expect("a token");
    options.decryption.at_vault(address).expect("an address");
    options
}

#[test]
fn files_for_vault_are_decrypted_and_its_token_goes_nowhere_else() {
    let (vault, thief, sops) = (Vault::serve(), Vault::serve(), programs().join("sops"));
    let encrypted = vault.encrypt("");
    assert_eq!(vault.tokens(), [TOKEN], "it was asked to encrypt");
    let tree = |text: &str| MemTree::new().file("secret.yaml", text);
    let plain = yaml::read("plain.yaml", SECRET.as_bytes(), &yaml::Limits::default()).0.remove(0).value;
    let rendered = whole(&tree(&encrypted), options(TOKEN, &vault.url), &sops);
    assert_eq!(bodies(&rendered), std::slice::from_ref(&plain));
    assert_eq!(vault.tokens(), [TOKEN], "it was asked once");

    // Whoever may write the file writes the address; it says nothing of where the token goes.
    let changed = encrypted.replace(&vault.url, &thief.url);
    assert_ne!(changed, encrypted);
    let rendered = whole(&tree(&changed), options(TOKEN, &format!("{}/", vault.url)), &sops);
    assert_eq!(bodies(&rendered), [plain]);
    assert_eq!((vault.tokens(), thief.tokens()), (vec![TOKEN.to_owned()], Vec::new()));
}

/// A Vault of a company's own authority gets the token where the Secret names that authority, and nowhere else.
#[test]
fn a_vault_behind_an_authority_of_its_own_is_asked_where_the_secret_names_that() {
    let ((vault, authority), (_, stranger), sops) = (Vault::serve_tls(), Vault::serve_tls(), programs().join("sops"));
    let encrypted = vault.encrypt(&authority);
    assert_eq!(vault.tokens(), [TOKEN], "it was asked to encrypt");
    let tree = MemTree::new().file("secret.yaml", encrypted.as_str());
    for wrong in [None, Some(&stranger)] {
        let mut options = options(TOKEN, &vault.url);
        wrong.into_iter().for_each(|pem| options.decryption.vault_known_by(pem).expect("a certificate"));
        let failed = try_whole(&tree, options, &sops).map(|rendered| rendered.problems);
        let told = format!("{failed:?}");
        assert!(told.contains("certificate") && !told.contains("canary"), "{told}");
        assert_eq!(vault.tokens(), [""; 0], "it was told nothing");
    }
    let mut options = options(TOKEN, &vault.url);
    options.decryption.vault_known_by(&authority).expect("a certificate");
    let plain = yaml::read("plain.yaml", SECRET.as_bytes(), &yaml::Limits::default()).0.remove(0).value;
    assert_eq!(bodies(&whole(&tree, options, &sops)), [plain]);
    assert_eq!(vault.tokens(), [TOKEN]);
}

#[test]
fn a_vault_that_refuses_or_is_not_there_is_told_without_the_token() {
    let (vault, sops) = (Vault::serve(), programs().join("sops"));
    let encrypted = vault.encrypt("");
    let tree = MemTree::new().file("secret.yaml", encrypted.as_str());
    let rendered = whole(&tree, options("hvs.other-canary", &vault.url), &sops);
    let [problem] = rendered.problems.as_slice() else { panic!("{:?}", rendered.problems) };
    assert!(problem.rule == "NoDecryptionKey" && problem.message.contains("permission denied"), "{problem:?}");
    assert!(problem.line.is_some() && !problem.message.contains("canary"), "{problem:?}");

    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
    let failed = try_whole(&tree, options(TOKEN, &format!("http://{free}")), &sops).expect_err("nobody answers");
    assert_eq!((failed.reason.as_str(), failed.fault), ("KeyServiceUnavailable", Fault::Transient), "{failed}");
    assert!(!failed.message.contains("canary"), "{failed}");
}
