//! One value as SOPS encrypts it: AES-GCM with the path of the value as additional data.

use aes_gcm::aead::consts::{U12, U16, U32};
use aes_gcm::aead::generic_array::ArrayLength;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::object::yaml::places::Value;

/// The key of all values of a file.
pub struct DataKey(Zeroizing<[u8; 32]>);

/// A decrypted value.
pub enum Plain {
    /// A value as it was before.
    Value(Value),
    /// A moment, in the words of RFC 3339.
    Time(String),
    /// A comment that stood in a list.
    Comment,
}

/// Why a value cannot be decrypted, as part of a sentence.
pub type Fault = &'static str;

const NOT_WRITTEN_BY_SOPS: Fault = "is not of the form that SOPS writes";
const UNAUTHENTIC: Fault =
    "was changed, or moved here from another key, after it was encrypted, or belongs to another data key";

impl DataKey {
    /// The key of these bytes; `None` where they are not 32.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The value that a text of the form `ENC[…]` stands for. An empty text is encrypted as itself.
    pub fn value(&self, text: &[u8], path: &str) -> Result<Plain, Fault> {
        if text.is_empty() {
            return Ok(Plain::Value(Value::Text(Vec::new())));
        }
        let sealed = Sealed::parse(text).ok_or(NOT_WRITTEN_BY_SOPS)?;
        let bytes = self.open(&sealed, path.as_bytes())?;
        typed(sealed.kind, bytes)
    }

    /// The text that a text of the form `ENC[…]` stands for.
    pub fn text(&self, text: &str, additional: &str) -> Result<Vec<u8>, Fault> {
        let sealed = Sealed::parse(text.as_bytes()).ok_or(NOT_WRITTEN_BY_SOPS)?;
        self.open(&sealed, additional.as_bytes())
    }

    fn open(&self, sealed: &Sealed<'_>, additional: &[u8]) -> Result<Vec<u8>, Fault> {
        // SOPS uses 32 bytes; its first releases and other writers of the form 12 and 16.
        match sealed.nonce.len() {
            32 => self.with::<U32>(sealed, additional),
            16 => self.with::<U16>(sealed, additional),
            12 => self.with::<U12>(sealed, additional),
            _ => Err(NOT_WRITTEN_BY_SOPS),
        }
    }

    fn with<N: ArrayLength<u8>>(&self, sealed: &Sealed<'_>, additional: &[u8]) -> Result<Vec<u8>, Fault> {
        let cipher = AesGcm::<Aes256, N>::new(self.0.as_slice().into());
        let payload = Payload { msg: &sealed.data, aad: additional };
        cipher.decrypt(Nonce::<N>::from_slice(&sealed.nonce), payload).map_err(|_| UNAUTHENTIC)
    }
}

/// Whether a text has the form of an encrypted value.
pub fn is_sealed(text: &[u8]) -> bool {
    Sealed::parse(text).is_some()
}

/// Whether a text is an encrypted comment.
pub fn is_comment(text: &[u8]) -> bool {
    Sealed::parse(text).is_some_and(|sealed| sealed.kind == "comment")
}

struct Sealed<'a> {
    /// Cipher text and tag.
    data: Vec<u8>,
    nonce: Vec<u8>,
    kind: &'a str,
}

impl<'a> Sealed<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let inner = text.strip_prefix("ENC[AES256_GCM,data:")?.strip_suffix(']')?;
        let (data, rest) = inner.split_once(",iv:")?;
        let (nonce, rest) = rest.split_once(",tag:")?;
        let (tag, kind) = rest.split_once(",type:")?;
        let mut data = STANDARD.decode(data).ok()?;
        let tag = STANDARD.decode(tag).ok().filter(|tag| tag.len() == 16)?;
        data.extend(tag);
        Some(Self { data, nonce: STANDARD.decode(nonce).ok()?, kind })
    }
}

fn typed(kind: &str, bytes: Vec<u8>) -> Result<Plain, Fault> {
    const WRONG: Fault = "says that it is of a type that it is not";
    let text = || std::str::from_utf8(&bytes).map_err(|_| WRONG);
    Ok(match kind {
        "str" | "bytes" => Plain::Value(Value::Text(bytes)),
        "int" => Plain::Value(Value::Int(text()?.parse().map_err(|_| WRONG)?)),
        "float" => Plain::Value(Value::Float(text()?.parse().map_err(|_| WRONG)?)),
        "bool" => Plain::Value(Value::Bool(match text()? {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            _ => return Err(WRONG),
        })),
        "time" => Plain::Time(text()?.to_owned()),
        "comment" => Plain::Comment,
        _ => return Err("is of a type that is not known"),
    })
}

/// The bytes of a value that the MAC of its file is made of; `None` for null, which is left out.
pub fn authenticated(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Null => None,
        Value::Bool(true) => Some(b"True".to_vec()),
        Value::Bool(false) => Some(b"False".to_vec()),
        Value::Int(int) => Some(int.to_string().into_bytes()),
        Value::Float(float) => Some(decimal(*float).into_bytes()),
        Value::Text(bytes) => Some(bytes.clone()),
    }
}

/// Go's `FormatFloat(float, 'f', -1, 64)`.
pub fn decimal(float: f64) -> String {
    match float {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        float => float.to_string(),
    }
}
