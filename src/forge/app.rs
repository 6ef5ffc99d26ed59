//! A GitHub App: its key becomes a token of an hour, for one repository.
//!
//! Source: GitHub's REST API of 2022-11-28, "Generating a JSON Web Token (JWT) for a GitHub App" and "Create an installation
//! access token for an app". The key signs here and is sent nowhere.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Access, Forge, ForgeError};

/// So long before its end a token is not used any more.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// A JSON Web Token counts from before now, as clocks differ, and for less than the ten minutes that GitHub allows.
const BEFORE: SignedDuration = SignedDuration::from_secs(60);
const AFTER: SignedDuration = SignedDuration::from_mins(8);

/// A GitHub App, as it is registered.
#[derive(Clone)]
pub struct App {
    /// Its id or client id.
    pub id: String,
    /// Its installation; the one that has the repository, where none is named.
    pub installation: Option<String>,
    /// Its RSA key in PEM.
    pub key: Zeroizing<String>,
}

/// Tokens that were given, by the digest of what they were asked with. In memory alone.
type Tokens = HashMap<[u8; 32], (Zeroizing<String>, Timestamp)>;
static TOKENS: LazyLock<Mutex<Tokens>> = LazyLock::new(Mutex::default);

/// The token with which the repository of `access` is asked; what stands there as a token is not used. It is asked for
/// once, and again before it ends.
///
/// # Errors
/// The key is none, or the forge gives no token for it.
pub async fn token(access: &Access<'_>, app: &App, now: Timestamp) -> Result<Zeroizing<String>, ForgeError> {
    let named = digest(access, app);
    let known = TOKENS.lock().unwrap_or_else(PoisonError::into_inner).get(&named).cloned();
    if let Some((token, _)) = known.filter(|(_, end)| now + MARGIN < *end) {
        return Ok(token);
    }
    let signed = sign(&app.id, &app.key, now)?;
    let forge = Forge::new(&Access { token: &signed, ..*access })?;
    let installation = match &app.installation {
        Some(installation) => installation.clone(),
        None => {
            let path = forge.path(&["installation"]);
            let found = forge.client.ask(Method::GET, &path, &[], None).await?.body;
            let id = found.get("id").and_then(Value::as_u64);
            id.ok_or_else(|| ForgeError::Nonsense(path.join("/"), "it is no installation".to_owned()))?.to_string()
        }
    };
    let path = ["app", "installations", &installation, "access_tokens"];
    // No other repository of the installation is any of our business.
    let only = json!({"repositories": forge.project.last().into_iter().collect::<Vec<_>>()});
    let given = forge.client.ask(Method::POST, &path, &[], Some(&only)).await?.body;
    let text = |field: &str| given.get(field).and_then(Value::as_str);
    let end = text("expires_at").and_then(|end| end.parse::<Timestamp>().ok());
    let (Some(token), Some(end)) = (text("token"), end) else {
        return Err(ForgeError::Nonsense(path.join("/"), "it is no token".to_owned()));
    };
    let token = Zeroizing::new(token.to_owned());
    let mut tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
    tokens.retain(|_, (_, end)| now < *end);
    tokens.insert(named, (token.clone(), end));
    Ok(token)
}

fn digest(access: &Access<'_>, app: &App) -> [u8; 32] {
    let mut hash = Sha256::new();
    let parts = [
        access.api.unwrap_or_default(),
        access.url,
        &app.id,
        app.installation.as_deref().unwrap_or_default(),
        &app.key,
    ];
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// A JSON Web Token (RFC 7519) of the App, signed by RS256.
fn sign(id: &str, key: &str, now: Timestamp) -> Result<Zeroizing<String>, ForgeError> {
    let pair = match PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| ForgeError::AppKey)? {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        _ => return Err(ForgeError::AppKey),
    };
    let pair = pair.map_err(|_| ForgeError::AppKey)?;
    let claims = json!({"iat": (now - BEFORE).as_second(), "exp": (now + AFTER).as_second(), "iss": id.trim()});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let said = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims));
    let mut signature = vec![0; pair.public().modulus_len()];
    let signed = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut signature);
    signed.map_err(|_| ForgeError::AppKey)?;
    Ok(Zeroizing::new(format!("{said}.{}", URL_SAFE_NO_PAD.encode(&signature))))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::extract::{Request, State};
    use axum::http::StatusCode;
    use axum::response::{IntoResponse, Response};
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;
    use crate::api::ForgeType;
    use crate::forge::described::{Asked, Described};

    /// RSA, 2,048 bits, PKCS #1, as GitHub gives them.
    const KEY: &str = include_str!("fixtures/app-key.pem");

    /// Requests, as method, path, what they are asked with, and body.
    type Seen = Arc<Mutex<Vec<[String; 4]>>>;

    /// GitHub, as far as an App asks it: an installation of `shop/web`, and a token for who signs as its App.
    async fn github(State(seen): State<Seen>, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 16).await.expect("a body");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let (method, path) = (head.method.to_string(), head.uri.path().to_owned());
        let with = text(head.headers.get("authorization").expect("it is asked with something").as_bytes());
        seen.lock().expect("lock").push([method.clone(), path.clone(), with, text(&body)]);
        let (status, told) = match path.as_str() {
            "/repos/shop/web/installation" => (200, json!({"id": 77, "app_id": 12})),
            "/app/installations/77/access_tokens" => {
                (201, json!({"token": "ghs_canary", "expires_at": "2026-05-04T09:00:00Z"}))
            }
            _ => return StatusCode::NOT_FOUND.into_response(),
        };
        let asked = Asked { method: &method, path: &path, query: head.uri.query().unwrap_or_default(), body: &body };
        let whole = Described::github().answer(&asked, status, &told);
        (StatusCode::from_u16(status).expect("a status"), whole.to_string()).into_response()
    }

    async fn serve() -> (String, Seen) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Seen::default();
        let router = Router::new().fallback(github).with_state(seen.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (format!("http://{address}"), seen)
    }

    fn app(id: &str, installation: Option<&str>, key: &str) -> App {
        App { id: id.to_owned(), installation: installation.map(str::to_owned), key: Zeroizing::new(key.to_owned()) }
    }

    #[tokio::test]
    async fn a_key_becomes_a_token_for_one_repository_which_is_asked_for_again_before_it_ends() {
        let (api, seen) = serve().await;
        let url = "https://github.example.com/shop/web.git";
        let access = Access { kind: ForgeType::GitHub, api: Some(&api), url, token: "", ca: None };
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let app = app("12", None, KEY);
        for now in ["2026-05-04T08:00:00Z", "2026-05-04T08:30:00Z", "2026-05-04T08:54:59Z"] {
            assert_eq!(*token(&access, &app, at(now)).await.expect("a token"), "ghs_canary");
        }
        let first: Vec<[String; 4]> = seen.lock().expect("lock").drain(..).collect();
        let lines: Vec<String> =
            first.iter().map(|[method, path, _, body]| format!("{method} {path} {body}")).collect();
        let expected = [
            "GET /repos/shop/web/installation ",
            "POST /app/installations/77/access_tokens {\"repositories\":[\"web\"]}",
        ];
        assert_eq!(lines, expected, "kept for as long as it counts");
        token(&access, &app, at("2026-05-04T08:55:00Z")).await.expect("a token");
        assert_eq!(seen.lock().expect("lock").len(), 2, "asked for again before it ends");

        // Whoever has the public key takes what was sent for the App's word, and it says when it ends.
        let with = first[1][2].strip_prefix("Bearer ").expect("a JSON Web Token").to_owned();
        let (said, signature) = with.rsplit_once('.').expect("three parts");
        let PrivateKeyDer::Pkcs1(der) = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("PEM") else {
            panic!("PKCS #1")
        };
        let pair = RsaKeyPair::from_der(der.secret_pkcs1_der()).expect("a key");
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public());
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
        public.verify(said.as_bytes(), &signature).expect("its signature");
        let claims = said.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).expect("claims");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        let now = at("2026-05-04T08:00:00Z").as_second();
        assert_eq!(claims, json!({"iat": now - 60, "exp": now + 480, "iss": "12"}));
    }

    #[tokio::test]
    async fn what_is_no_key_or_no_installation_is_said_without_a_word_of_the_key() {
        let (api, seen) = serve().await;
        let url = "https://github.example.com/shop/other.git";
        let access = Access { kind: ForgeType::GitHub, api: Some(&api), url, token: "", ca: None };
        let now: Timestamp = "2026-05-04T08:00:00Z".parse().expect("a time");
        let broken = KEY.replace("MII", "canary");
        for (app, expected) in [
            (app("12", Some("77"), "canary"), ForgeError::AppKey),
            (app("12", Some("77"), &broken), ForgeError::AppKey),
            (app("12", None, KEY), ForgeError::NotFound(format!("{api}/repos/shop/other/installation"))),
        ] {
            let error = token(&access, &app, now).await.expect_err("no token");
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("canary"));
        }
        assert_eq!(seen.lock().expect("lock").len(), 1, "nothing is sent without a key");
        // Its honest twin.
        token(&access, &app("12", Some("77"), KEY), now).await.expect("a token");
    }
}
