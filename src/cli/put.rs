//! Objects that a command of a person brings into a cluster: what differs is shown first, and
//! applied with the field manager of the agent, so that Git can take them over.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::output::Progress;
use super::stop::Stop;
use crate::api::LABEL_SYNC_NAME;
use crate::cluster::{ClusterError, Session, WritePermit, apply, delete};
use crate::object::{DigestKey, Manifest, ObjectId, Origin, split_api_version};
use crate::plan::{Action, Admitted, Desired, Phase};

/// How long a definition may take to be established.
const ESTABLISHED: Duration = Duration::from_secs(30);

/// One object, and what applying it would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Which.
    pub id: ObjectId,
    /// Created, configured or unchanged; skipped where Git or Helm keeps it.
    pub action: Action,
    body: Value,
}

impl Piece {
    /// Whether there is anything to apply.
    pub fn differs(&self) -> bool {
        matches!(self.action, Action::Created | Action::Configured)
    }
}

/// One object in the result of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// As people read it.
    pub object: String,
    /// What was done.
    pub action: Action,
}

impl From<&Piece> for Told {
    fn from(piece: &Piece) -> Self {
        Self { object: piece.id.to_string(), action: piece.action }
    }
}

/// Compares objects with the cluster. Nothing is written.
///
/// # Errors
/// [`Stop`] where the API server cannot be asked, or would refuse one.
pub async fn compare(session: &Session, objects: Vec<Value>, progress: &Progress) -> Result<Vec<Piece>, Stop> {
    let all = objects.len();
    let mut pieces = Vec::with_capacity(all);
    for (done, body) in objects.into_iter().enumerate() {
        progress.count("compared", done, all);
        let manifest = manifest(body);
        let action = action(session, &manifest).await?;
        pieces.push(Piece { id: manifest.id, action, body: manifest.body });
    }
    Ok(pieces)
}

/// Applies what differs, in order; a definition is established before the next object goes.
///
/// # Errors
/// [`Stop`] with the first object that was refused; those before it are applied.
pub async fn apply_all(
    permit: &WritePermit,
    session: &Session,
    pieces: &[Piece],
    progress: &Progress,
) -> Result<(), Stop> {
    for piece in pieces.iter().filter(|piece| piece.differs()) {
        progress.tell(&format!("applying {}", piece.id));
        let admitted = Admitted::by_hand(vec![desired(manifest(piece.body.clone()))]);
        for change in admitted.steps().iter().flat_map(|step| &step.changes) {
            apply::apply(permit, session, change).await?;
        }
        if piece.id.kind == "CustomResourceDefinition" {
            delete::wait_established(session, &piece.id.name, ESTABLISHED, &CancellationToken::new()).await?;
            session.cluster().kinds().refresh(session).await?;
        }
    }
    Ok(())
}

async fn action(session: &Session, manifest: &Manifest) -> Result<Action, Stop> {
    let kind = match session.cluster().kinds().resolve(session, &manifest.api_version, &manifest.id.kind).await {
        Ok(kind) => kind,
        // One of our own kinds, whose definition is among the objects.
        Err(ClusterError::NoSuchKind { .. }) => return Ok(Action::Created),
        Err(error) => return Err(error.into()),
    };
    let id = &manifest.id;
    let Some(live) = apply::get(session, &kind, &id.namespace, &id.name).await? else { return Ok(Action::Created) };
    if kept_by_another(&live) {
        return Ok(Action::Skipped);
    }
    let answer = apply::dry_run(session, &desired(manifest.clone())).await?;
    Ok(if settled(answer.object) == settled(live) { Action::Unchanged } else { Action::Configured })
}

/// Whether Git or Helm keeps the object: then what it should be stands there, and not here.
fn kept_by_another(live: &Value) -> bool {
    let has = |field: &str, key: &str| live.pointer(field).and_then(|of| of.get(key)).is_some();
    has("/metadata/labels", LABEL_SYNC_NAME) || has("/metadata/annotations", "meta.helm.sh/release-name")
}

/// The object without what every request to it may move.
fn settled(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    object
}

fn manifest(body: Value) -> Manifest {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let api_version = text("/apiVersion").to_owned();
    let group = split_api_version(&api_version).0;
    let id = ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), group, text("/kind"));
    Manifest::new(Origin { file: "tandem".to_owned(), line: 1, document: 1 }, id, api_version, body)
}

fn desired(manifest: Manifest) -> Desired {
    // No digest of these is kept anywhere.
    let digest = DigestKey::new(*b"by-hand").digest(&manifest.body);
    Desired::plain(manifest, "", Phase::Config, digest)
}
