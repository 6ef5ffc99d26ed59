//! Whether SOPS encrypted a file, and how it wrote it down.

use memchr::memmem::find;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object::yaml;

/// How a file that SOPS encrypted is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// YAML documents with a mapping `sops`.
    Yaml,
    /// A JSON object with a field `sops`.
    Json,
    /// Lines of `KEY=value`, some of which start with `sops_`.
    Dotenv,
    /// Sections, one of which is `[sops]`.
    Ini,
    /// Any other file, as the one text of a JSON object.
    Binary,
}

impl Form {
    /// What SOPS calls it.
    pub fn told(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Json => "json",
            Self::Dotenv => "dotenv",
            Self::Ini => "ini",
            Self::Binary => "binary",
        }
    }
}

/// An encrypted file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encrypted {
    /// How it is written.
    pub form: Form,
    /// Line at which SOPS' own data begin, from 1.
    pub line: u32,
}

/// What every encrypted value starts with; each file that SOPS encrypted has at least one, its MAC.
const MARK: &str = MARKS[0];

/// The same as a text and in base64.
pub const MARKS: [&str; 2] = ["ENC[AES256_GCM,", "RU5DW0FFUzI1Nl9HQ00s"];

/// Fields of SOPS' own data, one of which at least is in every encrypted file.
const FIELDS: [&str; 3] = ["mac", "lastmodified", "version"];

/// The kind that carries what SOPS encrypted on purpose, for a controller in the cluster.
const CARRIER: &str = "SopsSecret";

/// Whether SOPS encrypted the file. What is in it decides, and its name where that says nothing:
/// `path` tells a JSON file from another one that SOPS keeps as the text of a JSON object.
pub fn encrypted(path: &str, bytes: &[u8], limits: &yaml::Limits) -> Option<Encrypted> {
    find(bytes, MARK.as_bytes())?;
    if let Some(line) = line_of(bytes, |line| line.starts_with(b"sops_") && find(line, b"=").is_some()) {
        return Some(Encrypted { form: Form::Dotenv, line });
    }
    if let Some(line) = line_of(bytes, |line| line.trim_ascii() == b"[sops]") {
        return Some(Encrypted { form: Form::Ini, line });
    }
    let structured = [".json", ".yaml", ".yml"].iter().any(|end| path.ends_with(end));
    let json = bytes.trim_ascii_start().starts_with(b"{");
    let (documents, problems) = yaml::read(path, bytes, limits);
    let Some(document) = documents.into_iter().find(|document| is_metadata(&document.value)) else {
        // What cannot be read may be cipher text all the same, and is not to pass for a plain text.
        let own = |line: &[u8]| line.starts_with(b"sops:") || line.trim_ascii_start().starts_with(b"\"sops\":");
        let line = line_of(bytes, own).filter(|_| (structured || json) && !problems.is_empty())?;
        return Some(Encrypted { form: if json { Form::Json } else { Form::Yaml }, line });
    };
    let line = yaml::lines(bytes).line(document.index, "/sops").unwrap_or(document.line);
    let form = match &document.value {
        Value::Object(fields) if json && !structured && fields.len() == 2 && fields.contains_key("data") => {
            Form::Binary
        }
        _ if json => Form::Json,
        _ => Form::Yaml,
    };
    Some(Encrypted { form, line })
}

/// Whether a document has SOPS' own data, and is not meant to keep them.
pub fn is_metadata(document: &Value) -> bool {
    document["kind"] != CARRIER
        && document.get("sops").is_some_and(|sops| FIELDS.iter().any(|field| sops.get(field).is_some()))
}

fn line_of(bytes: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Option<u32> {
    let at = bytes.split(|byte| *byte == b'\n').position(wanted)?;
    u32::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(path: &str, text: &str) -> Option<(Form, u32)> {
        encrypted(path, text.as_bytes(), &yaml::Limits::default()).map(|found| (found.form, found.line))
    }

    const ENC: &str = "ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]";

    #[test]
    fn the_content_tells_how_a_file_is_encrypted() {
        let yaml = format!("a: {ENC}\nsops:\n  mac: {ENC}\n");
        assert_eq!(form("a.yaml", &yaml), Some((Form::Yaml, 2)));
        assert_eq!(form("a", &yaml), Some((Form::Yaml, 2)));
        let second = format!("a: 1\n---\nb: {ENC}\nsops: {{mac: '{ENC}'}}\n");
        assert_eq!(form("a.yaml", &second), Some((Form::Yaml, 4)));
        let json = format!("{{\n\"data\": \"{ENC}\",\n\"sops\": {{\"mac\": \"{ENC}\"}}}}");
        assert_eq!(form("a.json", &json), Some((Form::Json, 3)));
        assert_eq!(form("tls.key", &json), Some((Form::Binary, 3)));
        assert_eq!(form("tls.key", &json.replace("\"data\"", "\"a\": 1, \"data\"")), Some((Form::Json, 3)));
        assert_eq!(form("a.env", &format!("A={ENC}\nsops_mac={ENC}\n")), Some((Form::Dotenv, 2)));
        let broken = format!("a: {ENC}\nb: [\nsops:\n  mac: {ENC}\n");
        assert_eq!(form("a.yaml", &broken), Some((Form::Yaml, 3)));
        assert_eq!(form("tls.key", &json.replace("}}", "}")), Some((Form::Json, 3)));
        assert_eq!(form("conf", &format!("[a]\nb = {ENC}\n[sops]\nmac = {ENC}\n")), Some((Form::Ini, 3)));
    }

    #[test]
    fn what_only_speaks_of_sops_is_not_encrypted() {
        for text in [
            format!("kind: SopsSecret\nspec: {{a: '{ENC}'}}\nsops: {{mac: '{ENC}'}}\n"),
            format!("# How to\n\n```\na: {ENC}\nb: [\nsops:\n  mac: {ENC}\n```\n"),
            format!("# How to\nwrite `a: {ENC}` and `sops: mac`\n"),
            format!("A={ENC}\nB=sops_mac=1\n"),
            format!("a: {ENC}\nsops: {{lastmodified_by: me}}\n"),
            format!("a:\n  sops: {{mac: '{ENC}'}}\n"),
            "sops: {mac: none}\n".to_owned(),
        ] {
            assert_eq!(form("notes.md", &text), None, "{text}");
        }
    }
}
