//! Whether a delivery comes from somebody who has the key of a Repository.

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::WebhookKey;

/// Headers that carry an HMAC-SHA-256 of the body, and what precedes its hex digits. The first
/// that is there counts.
const SIGNATURES: [(&str, &str); 3] =
    [("x-tandem-signature", "sha256="), ("x-hub-signature-256", "sha256="), ("x-gitea-signature", "")];
/// GitLab signs nothing: it sends the key itself. A delivery that is signed as well is judged by
/// its signature.
const TOKEN: &str = "x-gitlab-token";

/// What a delivery came with to show that its sender has the key.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// An HMAC-SHA-256 of the body.
    Signature([u8; 32]),
    /// Digest of what should be the key: digests have one length, so comparing them does not tell
    /// that of the key.
    Token([u8; 32]),
}

/// The proof among the headers of a delivery; `None` where there is none, or none of the right
/// form.
pub fn proof(headers: &HeaderMap) -> Option<Proof> {
    let signed = SIGNATURES.iter().find_map(|(name, prefix)| Some((headers.get(*name)?, prefix)));
    let Some((value, prefix)) = signed else {
        let token = headers.get(TOKEN)?.as_bytes().trim_ascii();
        return (!token.is_empty()).then(|| Proof::Token(Sha256::digest(token).into()));
    };
    let hex = value.to_str().ok()?.trim().strip_prefix(prefix)?;
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
    }
    Some(Proof::Signature(bytes))
}

/// A body on its way, under one key. It is fed piece by piece, so that a large body never holds
/// the thread for long.
pub struct Check {
    body: Hmac<Sha256>,
    key: [u8; 32],
}

impl Check {
    /// A check that has seen nothing yet.
    pub fn new(key: &WebhookKey) -> Self {
        let body = Hmac::new_from_slice(key.bytes()).expect("HMAC takes a key of any length");
        Self { body, key: Sha256::digest(key.bytes()).into() }
    }

    /// The next piece of the body.
    pub fn feed(&mut self, piece: &[u8]) {
        self.body.update(piece);
    }

    /// Whether this is the proof of somebody who has the key, for the whole body where it is a
    /// signature; takes the same time wherever they differ.
    pub fn passes(self, proof: &Proof) -> bool {
        match proof {
            Proof::Signature(signature) => self.body.verify_slice(signature).is_ok(),
            Proof::Token(token) => self.key.ct_eq(token).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    /// GitHub's own example of a signature, from its documentation.
    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const HEX: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn check(headers: &[(&str, &str)], expected: Option<bool>) {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let name: HeaderName = name.parse().expect("a header");
                (name, HeaderValue::from_str(value).expect("a value"))
            })
            .collect();
        let passes = proof(&map).map(|proof| {
            let mut check = Check::new(&WebhookKey::new(SECRET).expect("a key"));
            BODY.chunks(5).for_each(|piece| check.feed(piece));
            check.passes(&proof)
        });
        assert_eq!(passes, expected, "{headers:?}");
    }

    #[test]
    fn each_forge_has_its_header() {
        let prefixed = format!("sha256={HEX}");
        let upper = format!("sha256={}", HEX.to_uppercase());
        let wrong = format!("sha256={}{}", &HEX[..63], '8');
        check(&[("X-Hub-Signature-256", &prefixed)], Some(true));
        check(&[("X-Hub-Signature-256", &upper)], Some(true));
        check(&[("X-Tandem-Signature", &prefixed)], Some(true));
        check(&[("X-Gitea-Signature", HEX)], Some(true));
        check(&[("X-Gitea-Signature", HEX), ("X-Hub-Signature-256", &prefixed)], Some(true));
        check(&[("X-Hub-Signature-256", &wrong)], Some(false));
        check(&[("X-Gitea-Signature", HEX), ("X-Tandem-Signature", &wrong)], Some(false));
    }

    #[test]
    fn a_token_is_the_key_itself_and_counts_only_where_nothing_is_signed() {
        let key = std::str::from_utf8(SECRET).expect("text");
        let (longer, shorter) = (format!("{key}y"), &key[..key.len() - 1]);
        let wrong = format!("sha256={}{}", &HEX[..63], '8');
        check(&[("X-Gitlab-Token", key)], Some(true));
        check(&[("X-Gitlab-Token", &longer)], Some(false));
        check(&[("X-Gitlab-Token", shorter)], Some(false));
        check(&[("X-Gitlab-Token", HEX)], Some(false));
        check(&[("X-Gitlab-Token", key), ("X-Hub-Signature-256", &wrong)], Some(false));
        check(&[("X-Gitlab-Token", key), ("X-Hub-Signature-256", "sha256=")], None);
        check(&[("X-Gitlab-Token", "")], None);
    }

    #[test]
    fn what_is_no_signature_is_none() {
        check(&[], None);
        check(&[("X-Hub-Signature", "sha1=00")], None);
        check(&[("X-Hub-Signature-256", HEX)], None);
        check(&[("X-Hub-Signature-256", "sha256=")], None);
        check(&[("X-Hub-Signature-256", &format!("sha256={}", &HEX[..62]))], None);
        check(&[("X-Hub-Signature-256", &format!("sha256={}é", &HEX[..62]))], None);
        check(&[("X-Hub-Signature-256", &format!("sha256=+{}", &HEX[1..]))], None);
    }
}
