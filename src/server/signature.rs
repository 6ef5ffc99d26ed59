//! Whether a delivery was signed with the key of a Repository.

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::WebhookKey;

/// Headers that carry an HMAC-SHA-256 of the body, and what precedes its hex digits. The first
/// that is there counts.
const HEADERS: [(&str, &str); 3] =
    [("x-tandem-signature", "sha256="), ("x-hub-signature-256", "sha256="), ("x-gitea-signature", "")];

/// The signature that a delivery came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature([u8; 32]);

/// The signature among the headers of a delivery; `None` where there is none, or none of the
/// right form.
pub fn signature(headers: &HeaderMap) -> Option<Signature> {
    let (value, prefix) = HEADERS.iter().find_map(|(name, prefix)| Some((headers.get(*name)?, prefix)))?;
    let hex = value.to_str().ok()?.trim().strip_prefix(prefix)?;
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
    }
    Some(Signature(bytes))
}

/// A body on its way, under one key. It is fed piece by piece, so that a large body never holds
/// the thread for long.
pub struct Check(Hmac<Sha256>);

impl Check {
    /// A check that has seen nothing yet.
    pub fn new(key: &WebhookKey) -> Self {
        Self(Hmac::new_from_slice(key.bytes()).expect("HMAC takes a key of any length"))
    }

    /// The next piece of the body.
    pub fn feed(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Whether the whole body has this signature; takes the same time wherever they differ.
    pub fn passes(self, signature: &Signature) -> bool {
        self.0.verify_slice(&signature.0).is_ok()
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
        let passes = signature(&map).map(|signature| {
            let mut check = Check::new(&WebhookKey::new(SECRET).expect("a key"));
            BODY.chunks(5).for_each(|piece| check.feed(piece));
            check.passes(&signature)
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
