//! Values that the tests of this room share.

use super::*;
use crate::object::{DigestKey, split_api_version};

/// A manifest from one YAML document in flow style.
pub(crate) fn manifest(text: &str) -> Manifest {
    let body: serde_json::Value = serde_yaml::from_str(text).expect("YAML");
    let field = |at: &str| body.pointer(at).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let api_version = field("/apiVersion");
    let id = ObjectId::new(field("/metadata/namespace"), field("/metadata/name"), split_api_version(&api_version).0, field("/kind"));
    let origin = Origin { file: format!("{}.yaml", id.name), line: 1, document: 1 };
    Manifest { origin, id, api_version, body }
}

pub(crate) fn key() -> DigestKey {
    DigestKey::new(*b"key of the tests")
}

/// A desired object that is sent as it is written.
pub(crate) fn desired(text: &str) -> Desired {
    let manifest = manifest(text);
    Desired {
        plural: format!("{}s", manifest.id.kind.to_lowercase()),
        digest: key().digest(&manifest.body),
        phase: phase::phase_of(&manifest).expect("a phase"),
        steers: BTreeSet::new(),
        yields: Yields::none(),
        manifest,
    }
}
