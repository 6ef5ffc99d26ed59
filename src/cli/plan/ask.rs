//! A plan, made by asking the API server about every object, with the rights of whoever asks.
//! Nothing is written.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::answer::{Told, told};
use super::live::{Lives, observe, read, scopes};
use super::subject::{Marks, Subject};
use crate::cli::output::{Bodies, Progress};
use crate::cli::stop::Stop;
use crate::cluster::Cluster;
use crate::object::mask::{is_secret, mask_pointers, mask_secret};
use crate::object::{DigestKey, ObjectId};
use crate::plan::without_marks;
use crate::plan::{Action, Claims, Desired, Input, Observed, Plan, foreseen, plan, resolve};
use crate::render::Rendered;

/// Requests at a time.
pub const AT_ONCE: usize = 24;

/// A plan, and what is shown beside it.
#[derive(Debug)]
pub struct Computed {
    /// The plan; problems of the source are among its own.
    pub plan: Plan,
    /// Objects that are created, secret values masked.
    pub created: Bodies,
    /// What the reader should know and nobody needs to mend.
    pub notes: Vec<String>,
}

/// What the answers are judged by.
pub struct Known<'a> {
    /// For whom.
    pub subject: &'a Subject,
    /// Key of the digests. They are compared with none from elsewhere, and those of Secrets are
    /// not printed, so it need not be secret, and the same plan is written the same twice.
    pub key: DigestKey,
    /// Live objects as they were read.
    pub lives: Lives,
    /// The same, as plans see them.
    pub observed: Observed,
}

/// Makes the plan. `rendered` is what the source yields.
pub async fn compute(
    cluster: &Cluster,
    rendered: Rendered,
    subject: &Subject,
    progress: &Progress,
) -> Result<Computed, Stop> {
    progress.tell("asking which kinds there are");
    let scopes = scopes(cluster).await?;
    let key = DigestKey::new(*b"tandem plan");
    let (mut desired, wrong) = resolve(rendered.manifests, &scopes, &subject.owner, &subject.rules, &key);
    if subject.marks == Marks::Unowned {
        desired.iter_mut().for_each(|object| object.manifest.body = without_marks(&object.manifest.body));
    }
    let (lives, unread) = read(cluster, &desired, &subject.owned, progress).await?;
    let problems = [rendered.problems, wrong, unread].concat();
    let known = Known { observed: observe(&lives, &desired, subject, &key), subject, key, lives };
    let plan = plan(&Input {
        owner: &subject.owner,
        agent_namespace: "tandem-system",
        desired: &desired,
        problems: &problems,
        owned: &subject.owned,
        observed: &known.observed,
        claims: &Claims::default(),
        pruning: subject.pruning,
    });
    let wanted = desired.iter().map(|object| (object.id(), object)).collect();
    let mut computed = Computed { plan, created: Bodies::new(), notes: Vec::new() };
    ask(cluster, &mut computed, &wanted, &known, progress).await?;
    finish(&mut computed, &wanted);
    computed.notes.extend(held(&computed.plan, subject));
    Ok(computed)
}

/// What the agent would hold because it deletes too much.
fn held(plan: &Plan, subject: &Subject) -> Option<String> {
    let message = foreseen(&subject.owner, plan, &subject.owned, &subject.budget)?;
    Some(format!("the agent would hold this: {message}"))
}

/// Asks about every change, and puts what is answered into the plan.
async fn ask(
    cluster: &Cluster,
    computed: &mut Computed,
    wanted: &BTreeMap<&ObjectId, &Desired>,
    known: &Known<'_>,
    progress: &Progress,
) -> Result<(), Stop> {
    let changes = std::mem::take(&mut computed.plan.changes);
    let all = changes.len();
    let mut answers = stream::iter(changes)
        .map(|change| async {
            match wanted.get(&change.id) {
                Some(desired) => told(cluster, change, desired, known).await,
                None => Ok(Told::of(change)),
            }
        })
        .buffered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        let Told { change, problems, notes } = answer?;
        computed.plan.changes.push(change);
        computed.plan.problems.extend(problems);
        computed.notes.extend(notes);
        progress.count("asking what would change", computed.plan.changes.len(), all);
    }
    computed.plan.problems.sort();
    // Who may neither read nor change an object is told once.
    computed.plan.problems.dedup_by(|one, other| {
        one.rule == "Forbidden" && other.rule == one.rule && one.object.is_some() && one.object == other.object
    });
    computed.notes.sort();
    computed.notes.dedup();
    Ok(())
}

/// Adds what is shown of new objects, and takes out digests of what is secret: everybody knows their key.
fn finish(computed: &mut Computed, wanted: &BTreeMap<&ObjectId, &Desired>) {
    for change in &mut computed.plan.changes {
        let holds_secrets = |desired: &&Desired| !desired.manifest.masked.is_empty();
        if is_secret(&change.id.group, &change.id.kind) || wanted.get(&change.id).is_some_and(holds_secrets) {
            change.desired = None;
        }
        if let (Action::Created, Some(desired)) = (change.action, wanted.get(&change.id)) {
            let mut body = without_marks(&desired.manifest.body);
            if is_secret(&change.id.group, &change.id.kind) {
                mask_secret(&mut body);
            }
            mask_pointers(&mut body, &desired.manifest.masked);
            computed.created.insert(change.id.clone(), body);
        }
    }
}
