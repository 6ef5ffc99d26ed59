//! Server-side apply: dry run and write, the probe for immutable fields, and taking fields over.

use std::borrow::Cow;

use http::Method;
use serde_json::{Value, json};

use super::call::{Call, Reply, collection_path, object_path};
use super::error::ClusterError;
use super::keep::{Removed, leave_scale, remove};
use super::kinds::KindInfo;
use super::lease::WritePermit;
use super::refusal::RefusalReason;
use super::session::Session;
use crate::api::FIELD_MANAGER;
use crate::object::{Manifest, ObjectId, annotation, mask};
use crate::plan::{AdmittedChange, Desired, Reason};

const APPLY: &str = "application/apply-patch+yaml";
const JSON_PATCH: &str = "application/json-patch+json";
const JSON: &str = "application/json";

/// Rounds in which fields are left to others before a conflict is returned as it is.
const KEEP_ROUNDS: usize = 4;

/// What the API server answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// 201 where the object was created, 200 where it was there.
    pub code: u16,
    /// The object as it is now, or would be.
    pub object: Value,
    /// Texts of its `Warning` headers.
    pub warnings: Vec<String>,
    /// Fields that were left to other managers (`tandemcd.io/conflict: Keep`).
    pub kept: Vec<String>,
    /// Who owned fields that were taken over, and which.
    pub taken: Option<Taken>,
}

/// Fields of other managers that an apply took over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// From whom, without repetition.
    pub from: Vec<String>,
    /// Field paths as the API server writes them: `.spec.replicas`.
    pub fields: Vec<String>,
}

impl Answer {
    /// Whether the object was not there before.
    pub fn created(&self) -> bool {
        self.code == 201
    }

    /// A text of its metadata, such as `uid` or `resourceVersion`; empty where absent.
    pub fn metadata(&self, field: &str) -> &str {
        self.object.pointer("/metadata").and_then(|m| m.get(field)).and_then(Value::as_str).unwrap_or_default()
    }

    fn of(reply: &Reply) -> Result<Self, ClusterError> {
        Ok(Self {
            code: reply.code,
            object: reply.object()?,
            warnings: reply.warnings.clone(),
            kept: Vec::new(),
            taken: None,
        })
    }
}

/// Asks what applying an object would do. Nothing is written.
///
/// # Errors
/// [`ClusterError::Refused`] with what the API server says against it, or a failure to ask.
pub async fn dry_run(session: &Session, desired: &Desired) -> Result<Answer, ClusterError> {
    patch(session, &desired.manifest, Write::Dry).await
}

/// Applies an object with the field manager `tandem`.
///
/// # Flow
/// One server-side apply. Where others own fields that it sets, it is sent again with force, and the
/// answer says what was taken from whom; replicas that an autoscaler has set are left to it where this is the first apply, for
/// which nobody has looked at the object. Drift is put right with force at once. With `tandemcd.io/conflict: Keep` without force; fields that
/// the API server then names as others' are left out, and it is sent again.
///
/// # Guarantees
/// Nothing is sent once the permit is past its deadline, retries included.
///
/// # Assumptions
/// The object is in the inventory already.
///
/// # Caveats
/// After [`ClusterError::Timeout`] or a broken connection it may have been applied. Applying again
/// is harmless.
///
/// # Errors
/// [`ClusterError::PermitExpired`], [`ClusterError::Refused`], or a failure to send.
pub async fn apply(
    permit: &WritePermit,
    session: &Session,
    change: &AdmittedChange<'_>,
) -> Result<Answer, ClusterError> {
    let desired = change.desired.ok_or_else(|| ClusterError::BadName(change.change.id.to_string()))?;
    let conflicts = match change.change.reason {
        Reason::Drifted | Reason::ReplacedByOthers => Conflicts::Take,
        reason if reason.is_first() => Conflicts::LeaveScale,
        _ => Conflicts::Tell,
    };
    patch(session, &desired.manifest, Write::Real(permit, conflicts)).await
}

enum Write<'a> {
    Dry,
    Real(&'a WritePermit, Conflicts),
}

/// What is done about fields that others own.
#[derive(Clone, Copy)]
enum Conflicts {
    /// They are taken, and it is told from whom.
    Tell,
    /// The same, save replicas that an autoscaler has set.
    LeaveScale,
    /// They are taken.
    Take,
}

/// An error or an answer whose words repeat nothing that was encrypted in the repository.
fn unsaid(answer: Result<Answer, ClusterError>, manifest: &Manifest) -> Result<Answer, ClusterError> {
    if manifest.masked.is_empty() {
        return answer;
    }
    let secrets = mask::texts_at(&manifest.body, &manifest.masked);
    match answer {
        Ok(mut answer) => {
            answer.warnings.iter_mut().for_each(|warning| *warning = mask::mask_texts(warning, &secrets));
            Ok(answer)
        }
        Err(ClusterError::Refused(mut refusal)) => {
            refusal.message = mask::mask_texts(&refusal.message, &secrets);
            refusal.causes.iter_mut().for_each(|cause| cause.message = mask::mask_texts(&cause.message, &secrets));
            Err(ClusterError::Refused(refusal))
        }
        other => other,
    }
}

async fn patch(session: &Session, manifest: &Manifest, write: Write<'_>) -> Result<Answer, ClusterError> {
    unsaid(patch_of_its_kind(session, manifest, write).await, manifest)
}

async fn patch_of_its_kind(session: &Session, manifest: &Manifest, write: Write<'_>) -> Result<Answer, ClusterError> {
    let kind = kind_of(session, manifest).await?;
    match patch_as(session, &kind, manifest, &write).await {
        // What we know of the kinds is older than what the API server serves now. Where it still
        // names the kind, one of several API servers is behind the others for a moment.
        Err(error) if error.refusal().map(|r| &r.why) == Some(&RefusalReason::KindNotServed) => {
            session.cluster().kinds().refresh(session).await?;
            let kind = kind_of(session, manifest).await?;
            patch_as(session, &kind, manifest, &write).await
        }
        other => other,
    }
}

async fn patch_as(
    session: &Session,
    kind: &KindInfo,
    manifest: &Manifest,
    write: &Write<'_>,
) -> Result<Answer, ClusterError> {
    if manifest.annotation(annotation::CONFLICT) != Some("Keep") {
        return take(session, kind, manifest, write).await;
    }
    let mut body = manifest.body.clone();
    let mut kept = Vec::new();
    for _ in 0..KEEP_ROUNDS {
        match session.send(apply_call(kind, &manifest.id, &body, "false", write)?).await {
            Ok(reply) => return Ok(Answer { kept, ..Answer::of(&reply)? }),
            Err(error) => {
                let fields = match error.refusal().map(|r| &r.why) {
                    Some(RefusalReason::FieldConflict { fields, .. }) => fields.clone(),
                    _ => return Err(error),
                };
                let left: Vec<String> =
                    fields.into_iter().filter(|field| remove(&mut body, field) == Removed::Yes).collect();
                if left.is_empty() {
                    return Err(error);
                }
                kept.extend(left);
            }
        }
    }
    Answer::of(&session.send(apply_call(kind, &manifest.id, &body, "false", write)?).await?)
        .map(|answer| Answer { kept, ..answer })
}

/// Applies; fields of others become ours.
async fn take(
    session: &Session,
    kind: &KindInfo,
    manifest: &Manifest,
    write: &Write<'_>,
) -> Result<Answer, ClusterError> {
    let mut taken = None;
    let mut body = Cow::Borrowed(&manifest.body);
    // A question need not tell whose fields they are, nor a repair, which names its author itself.
    if let Write::Real(_, conflicts @ (Conflicts::Tell | Conflicts::LeaveScale)) = write {
        match session.send(apply_call(kind, &manifest.id, &manifest.body, "false", write)?).await {
            Ok(reply) => return Answer::of(&reply),
            Err(error) => match error.refusal().map(|r| &r.why) {
                Some(RefusalReason::FieldConflict { managers, fields }) => {
                    let mut conflict = Taken { from: managers.clone(), fields: fields.clone() };
                    if matches!(conflicts, Conflicts::LeaveScale) {
                        leave_scale(session, kind, manifest, &mut conflict, &mut body).await?;
                    }
                    taken = Some(conflict).filter(|conflict| !conflict.fields.is_empty());
                }
                _ => return Err(error),
            },
        }
    }
    let reply = session.send(apply_call(kind, &manifest.id, &body, "true", write)?).await?;
    Ok(Answer { taken, ..Answer::of(&reply)? })
}

fn apply_call<'a>(
    kind: &KindInfo,
    id: &ObjectId,
    body: &Value,
    force: &str,
    write: &Write<'a>,
) -> Result<Call<'a>, ClusterError> {
    let path = object_path(kind, &id.namespace, &id.name)?;
    let query = format!("fieldManager={FIELD_MANAGER}&force={force}&fieldValidation=Strict");
    Ok(match write {
        Write::Dry => {
            Call::of("dryrun", Method::PATCH, kind, &id.namespace, &id.name, format!("{path}?{query}&dryRun=All"))
                .with_json(APPLY, body)
        }
        Write::Real(permit, _) => {
            Call::of("apply", Method::PATCH, kind, &id.namespace, &id.name, format!("{path}?{query}"))
                .with_json(APPLY, body)
                .under(permit)
        }
    })
}

async fn kind_of(session: &Session, manifest: &Manifest) -> Result<KindInfo, ClusterError> {
    session.cluster().kinds().resolve(session, &manifest.api_version, &manifest.id.kind).await
}

/// Reads an object; `None` where it is not there.
///
/// # Errors
/// [`ClusterError::Refused`] for everything but its absence, or a failure to ask.
pub async fn get(
    session: &Session,
    kind: &KindInfo,
    namespace: &str,
    name: &str,
) -> Result<Option<Value>, ClusterError> {
    match session.send(Call::get(kind, namespace, name)?).await {
        Ok(reply) => reply.object().map(Some),
        Err(error) => match error.refusal().map(|r| &r.why) {
            Some(RefusalReason::NotFound | RefusalReason::NamespaceNotFound(_)) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Asks whether the object could be created if it were not there: a dry-run create under another
/// name. Where the update was refused and this passes, an immutable field changed.
///
/// # Caveats
/// Names that the kind itself prescribes (CustomResourceDefinition, APIService) are refused under
/// any other, so such objects never count as recreatable.
///
/// # Errors
/// [`ClusterError::Refused`] where it could not be created, or a failure to ask.
pub async fn probe_create(session: &Session, desired: &Desired) -> Result<Answer, ClusterError> {
    let kind = kind_of(session, &desired.manifest).await?;
    let id = &desired.manifest.id;
    let name = probe_name(&desired.digest.to_string());
    let mut body = desired.manifest.body.clone();
    rename(&mut body, &name);
    let query = format!("?fieldManager={FIELD_MANAGER}&fieldValidation=Strict&dryRun=All");
    let path = collection_path(&kind, &id.namespace)? + &query;
    let call = |body: &Value| {
        Call::of("dryrun", Method::POST, &kind, &id.namespace, &id.name, path.clone()).with_json(JSON, body)
    };
    let answer = match session.send(call(&body)).await {
        Err(error) if taken(&error) && forget_allocations(&kind, &mut body) == Removed::Yes => {
            session.send(call(&body)).await
        }
        other => other,
    };
    unsaid(answer.and_then(|reply| Answer::of(&reply)), &desired.manifest)
}

/// A name that no object has, the same for the same content.
fn probe_name(digest: &str) -> String {
    format!("tandem-probe-{}", &digest[..digest.len().min(12)])
}

fn rename(body: &mut Value, name: &str) {
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("name".to_owned(), json!(name));
        for field in ["uid", "resourceVersion", "managedFields"] {
            metadata.remove(field);
        }
    }
}

/// Whether it was refused because the object itself holds the address or port that it asks for.
fn taken(error: &ClusterError) -> bool {
    error.refusal().is_some_and(|r| r.message.contains("already allocated"))
}

/// Takes out what only one Service can hold at a time.
fn forget_allocations(kind: &KindInfo, body: &mut Value) -> Removed {
    if !(kind.group.is_empty() && kind.kind == "Service") {
        return Removed::No;
    }
    let mut removed = Removed::No;
    if let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) {
        for field in ["clusterIP", "clusterIPs", "healthCheckNodePort"] {
            if spec.remove(field).is_some() {
                removed = Removed::Yes;
            }
        }
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            if port.as_object_mut().is_some_and(|p| p.remove("nodePort").is_some()) {
                removed = Removed::Yes;
            }
        }
    }
    removed
}

/// Whether an operation names the version that the patch must meet: a `test` of it, or writing it,
/// which the API server compares with what it has.
fn meets_a_version(operation: &Value) -> bool {
    let text = |field: &str| operation.get(field).and_then(Value::as_str).unwrap_or_default();
    matches!(text("op"), "test" | "replace" | "add")
        && text("path") == "/metadata/resourceVersion"
        && !text("value").is_empty()
}

/// Sends a JSON patch that a plan made, such as the move of other managers' entries into ours.
/// It must name the `/metadata/resourceVersion` that it was made for, so that it meets what was
/// read or nothing.
///
/// # Errors
/// [`ClusterError::PermitExpired`]; [`ClusterError::Refused`] with [`RefusalReason::Invalid`] or
/// [`RefusalReason::Stale`] where the object changed meanwhile; or a failure to send.
pub async fn adopt(
    permit: &WritePermit,
    session: &Session,
    manifest: &Manifest,
    patch: &Value,
) -> Result<Answer, ClusterError> {
    let guarded = patch.as_array().is_some_and(|operations| operations.iter().any(meets_a_version));
    if !guarded {
        return Err(ClusterError::BadAnswer {
            what: format!("adopt {}", manifest.id),
            code: 0,
            message: "the patch names no resourceVersion and was not sent".into(),
        });
    }
    let kind = kind_of(session, manifest).await?;
    let id = &manifest.id;
    let path = object_path(&kind, &id.namespace, &id.name)? + "?fieldManager=" + FIELD_MANAGER;
    let call = Call::of("patch", Method::PATCH, &kind, &id.namespace, &id.name, path)
        .with_json(JSON_PATCH, patch)
        .once()
        .under(permit);
    Answer::of(&session.send(call).await?)
}
