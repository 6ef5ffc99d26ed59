//! What was in force before the agent started: what its status says, where the agent wrote it.

use serde_json::json;

use crate::agent::attested::Word;
use crate::agent::tip::Key;
use crate::agent::world::World;
use crate::api::{StandardSource, StandardStatus};
use crate::report::facts::StandardFacts;
use crate::report::standard::recall_standard;
use crate::revision::Revision;

/// What was in force before the agent started, where this agent wrote it. An older revision that it wrote once, put back by hand,
/// is in force until the Repository is read, and the newest comes after it as ever.
pub(super) fn recalled(world: &World, name: &str, status: &StandardStatus, uid: Option<&str>) -> StandardFacts {
    let (facts, key) = (recall_standard(status), Key::new("", name));
    let mine = |(revision, source): &(Revision, StandardSource)| {
        world.wrote(&word(&key, revision, source), (source.seal.as_deref(), source), uid)
    };
    let accepted = facts.accepted.clone().filter(mine);
    StandardFacts { accepted, ..facts }
}

/// What is sealed of a source.
pub(super) fn word<'a>(key: &'a Key, revision: &Revision, source: &StandardSource) -> Word<'a> {
    let value = json!({"revision": revision.to_string(), "url": source.url, "path": source.path});
    Word { kind: "Standard", key, field: "acceptedSource", value }
}
