//! From a Sync to what it would want: rendered of the merge, with what is not known here told apart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::agent::bound::Bound;
use crate::agent::unit::timeout;
use crate::agent::worker::{At, Folder, killed};
use crate::agent::world::World;
use crate::failure::Failed;
use crate::object::mask::is_secret;
use crate::object::{Manifest, ObjectId, Problem};
use crate::plan::{self, Claim, Desired, Rules, Scopes};
use crate::render::{Rendered, substitute};
use crate::schema::{Minor, Schemas};

use super::subject::{Asking, Merge, Subject, Values};

/// A Sync that was rendered.
pub(super) struct Drawn {
    pub(super) subject: Subject,
    pub(super) desired: Vec<Desired>,
    pub(super) problems: Vec<Problem>,
    /// Objects that nothing of the cluster is compared with, and why not.
    pub(super) apart: BTreeMap<ObjectId, String>,
}

/// Renders a Sync of the merge.
pub(super) async fn draw(
    world: &World,
    subject: Subject,
    merge: &Merge,
    asking: &Asking,
    scopes: &Scopes,
) -> Result<Drawn, Failed> {
    let at = At::Merge { base: merge.base.clone(), head: merge.head.clone() };
    let rendered = match render(world, &subject, merge, &at, asking).await? {
        Ok(rendered) => rendered,
        Err(problem) => Rendered { problems: vec![problem], ..Rendered::default() },
    };
    let (desired, wrong) = resolve(world, &subject, rendered.manifests, scopes);
    let mut drawn = Drawn {
        apart: apart(&desired, subject.values),
        problems: [rendered.problems, wrong].concat(),
        subject,
        desired,
    };
    if !matches!(asking, Asking::Apart) && !drawn.apart.is_empty() {
        // What cannot be compared with the cluster is compared with the branch.
        let before = At::Merge { base: merge.base.clone(), head: merge.base.clone() };
        if let Ok(before) = render(world, &drawn.subject, merge, &before, asking).await? {
            drawn.forget_the_same(&resolve(world, &drawn.subject, before.manifests, scopes).0);
        }
    }
    Ok(drawn)
}

/// Renders in the worker; what kills it again and again is a problem of the content.
async fn render(
    world: &World,
    subject: &Subject,
    merge: &Merge,
    at: &At,
    asking: &Asking,
) -> Result<Result<Rendered, Problem>, Failed> {
    let (path, name) = (subject.spec.path.as_str(), at.to_string());
    let given_up = || {
        let how = world.quarantined(&name, path)?;
        Some(
            Problem::new("Quarantined", format!("rendering it killed its worker again and again: {how}"))
                .in_file(path, None),
        )
    };
    if let Some(problem) = given_up() {
        return Ok(Err(problem));
    }
    let (folder, mut bound) = (Folder { url: &merge.url, at, path }, Bound::of(timeout(&subject.spec)));
    let rendered = match asking {
        // Charts may ask for what the cluster is.
        Asking::As(_) | Asking::Nobody(_) => world.render_at(folder, &subject.options, &mut bound).await,
        Asking::Apart => world.workers.render_at(folder, &subject.options, &mut bound).await,
    };
    match rendered {
        Ok(rendered) => {
            world.note_survival(&name, path);
            Ok(Ok(rendered))
        }
        Err(failed) if killed(&failed) => {
            world.note_kill(&name, path, &failed.message);
            given_up().map_or(Err(failed), |problem| Ok(Err(problem)))
        }
        Err(failed) => Err(failed),
    }
}

fn resolve(
    world: &World,
    subject: &Subject,
    manifests: Vec<Manifest>,
    scopes: &Scopes,
) -> (Vec<Desired>, Vec<Problem>) {
    let rules = Rules { target_namespace: subject.spec.target_namespace.clone(), ignore: subject.lens.ignore.clone() };
    plan::resolve(manifests, scopes, &subject.owner, &rules, &world.key)
}

/// Objects whose content is not known here, or must not be read.
fn apart(desired: &[Desired], values: Values) -> BTreeMap<ObjectId, String> {
    let why = |desired: &Desired| {
        let id = desired.id();
        if is_secret(&id.group, &id.kind) {
            Some("Secrets are not read here")
        } else if !desired.manifest.masked.is_empty() {
            Some("it holds what is encrypted in the repository, which is not decrypted here")
        } else if values == Values::Withheld && has_variable(&desired.manifest.body) {
            Some("a variable in it has a value that is not known here")
        } else {
            None
        }
    };
    desired.iter().filter_map(|desired| Some((desired.id().clone(), why(desired)?.to_owned()))).collect()
}

/// Whether a variable is left in it.
fn has_variable(value: &Value) -> bool {
    match value {
        Value::String(text) => substitute::has_variable(text),
        Value::Array(items) => items.iter().any(has_variable),
        Value::Object(fields) => fields.values().any(has_variable),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Drawn {
    /// What is apart and stands in the branch as it is here is no change: its entry is as if it had been applied.
    fn forget_the_same(&mut self, before: &[Desired]) {
        let before: BTreeMap<&ObjectId, _> = before.iter().map(|desired| (desired.id(), desired.digest)).collect();
        for desired in self.desired.iter().filter(|desired| self.apart.contains_key(desired.id())) {
            if before.get(desired.id()) == Some(&desired.digest)
                && let Some(entry) = self.subject.owned.get_mut(desired.id())
            {
                entry.desired = Some(desired.digest);
            }
        }
        let owned = &self.subject.owned;
        let same =
            |desired: &Desired| owned.get(desired.id()).is_some_and(|entry| entry.desired == Some(desired.digest));
        let known: BTreeSet<ObjectId> = self.desired.iter().filter(|d| same(d)).map(|d| d.id().clone()).collect();
        self.apart.retain(|id, _| !known.contains(id));
    }

    /// Whether all is known of these objects that anybody may know: they are apart for their secrets alone.
    pub(super) fn is_known(&self, apart: &BTreeMap<ObjectId, String>) -> bool {
        let known = |id: &ObjectId| self.desired.iter().any(|desired| desired.id() == id && plan::is_hidden(desired));
        apart.keys().all(known)
    }

    /// What it would say to the others about objects.
    pub(super) fn claims(&self) -> impl Iterator<Item = (ObjectId, Claim)> {
        let wanted: BTreeSet<&ObjectId> = self.desired.iter().map(Desired::id).collect();
        let whole = self.problems.is_empty();
        let owned = self.subject.owned.keys().map(|id| {
            let claim = if wanted.contains(id) || !whole { Claim::Owns } else { Claim::Leaves };
            (id.clone(), claim)
        });
        let fresh = wanted.iter().filter(|id| !self.subject.owned.contains_key(**id));
        let fresh = fresh.map(|id| ((*id).clone(), Claim::Wants));
        owned.chain(fresh).collect::<Vec<_>>().into_iter()
    }
}

/// Whether a problem is that cipher text stands where an object should say what it is.
pub(super) fn is_hidden(problem: &Problem) -> bool {
    let holds = |text: &String| text.contains("ENC[AES256_GCM,");
    holds(&problem.message) || problem.object.as_ref().is_some_and(holds)
}

pub(super) fn hidden_in(problem: &Problem) -> String {
    let file = problem.file.as_deref().unwrap_or_default();
    let line = problem.line.unwrap_or_default();
    format!("{file}:{line}: which object this is is encrypted, so it is not planned")
}

/// What schemas say, where no API server does.
pub(super) fn by_schema(drawn: &Drawn) -> Vec<Problem> {
    let (desired, values) = (&drawn.desired, drawn.subject.values);
    let mut schemas = Schemas::new(Minor::default());
    desired.iter().for_each(|desired| drop(schemas.define(&desired.manifest)));
    let mut problems = Vec::new();
    for desired in desired {
        let findings = schemas.check(&desired.manifest).findings.into_iter();
        // What a variable will be is not known.
        let variable = |pointer: &str| {
            values == Values::Withheld && desired.manifest.body.pointer(pointer).is_some_and(has_variable)
        };
        let findings =
            findings.filter(|finding| !variable(&finding.pointer) && finding.problem.rule != "DeprecatedApi");
        problems.extend(findings.map(|finding| finding.problem.at(&desired.manifest.origin)));
    }
    problems
}
