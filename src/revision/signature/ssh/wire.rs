//! The wire format of SSH (RFC 4251, section 5): numbers and texts with their lengths.

use ssh_key::Signature;
use ssh_key::public::KeyData;

/// Reads from the front of some bytes.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub fn long(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.bytes(8)?.try_into().ok()?))
    }

    pub fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.bytes(length)
    }

    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string()?).ok()
    }
}

/// Appends a text with its length.
pub(super) fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend_from_slice(bytes);
}

/// A plain public key, whole.
pub(super) fn key(bytes: &[u8]) -> Option<KeyData> {
    let key = ssh_key::PublicKey::from_bytes(bytes).ok()?;
    match key.key_data() {
        KeyData::Other(_) => None,
        data => Some(data.clone()),
    }
}

/// A signature, whole.
pub(super) fn signature(bytes: &[u8]) -> Option<Signature> {
    let mut reader = Reader::new(bytes);
    let (kind, _) = (reader.text()?, reader.string()?);
    // What a security key adds: flags and a counter.
    let more = if kind.starts_with("sk-") { 5 } else { 0 };
    (reader.left() == more).then(|| Signature::try_from(bytes).ok()).flatten()
}
