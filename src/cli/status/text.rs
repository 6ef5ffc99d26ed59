//! One Sync as people read it.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::{ConditionStatus, ConditionType, Mode, ObjectCounts, Sync, SyncStatus};
use crate::cli::live::LiveObject;
use crate::cli::output::{Paint, Tone, age, short_revision};
use crate::cli::words;
use crate::health::Status;

/// Everything about one Sync; `unwell` are its objects that are not as wanted.
pub fn text(sync: &Sync, unwell: &[LiveObject], now: Timestamp, paint: Paint) -> String {
    let name = format!("Sync {}/{}", sync.namespace().unwrap_or_default(), sync.name_any());
    let mut text = paint.tone(Tone::Strong, &name) + "\n";
    let mut line = |label: &str, value: &str| text.push_str(&format!("  {label:<12} {value}\n"));
    line("Source", &source(sync));
    if let Some(switches) = switches(sync) {
        line("Switches", &paint.tone(Tone::Fair, &switches));
    }
    let Some(status) = &sync.status else {
        line("Ready", &paint.tone(Tone::Fair, "Unknown: no agent has looked at it yet"));
        return text;
    };
    for condition in &status.conditions {
        let told = format!("{} {}: {}", words::status(condition), condition.reason, condition.message);
        let told = told.trim_end_matches([':', ' ']);
        let since = paint.tone(Tone::Faint, &format!("({})", age(condition.last_transition_time, now)));
        line(
            &format!("{:?}", condition.type_),
            &format!("{} {since}", paint.tone(tone(condition.type_, condition.status), told)),
        );
    }
    revisions(status).into_iter().for_each(|(label, value)| line(label, &value));
    if let Some(counts) = &status.objects {
        line("Objects", &objects(counts));
    }
    text.push_str(&details(status, unwell, now, paint));
    text
}

fn source(sync: &Sync) -> String {
    let spec = &sync.spec;
    let namespace = spec.repository_ref.namespace.clone().or_else(|| sync.namespace()).unwrap_or_default();
    let path = if spec.path.is_empty() { "its root" } else { &spec.path };
    let account = spec.service_account_name.as_deref().map_or("no account".to_owned(), |a| format!("account {a}"));
    format!("Repository {namespace}/{}, {path}, as {account}", spec.repository_ref.name)
}

fn switches(sync: &Sync) -> Option<String> {
    let suspended = sync.spec.suspend.then_some("suspended: nothing is applied, healed or pruned");
    let shadow = (sync.spec.mode == Mode::Shadow).then_some("shadow: computed and reported, never written");
    let told: Vec<&str> = suspended.into_iter().chain(shadow).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn tone(kind: ConditionType, status: ConditionStatus) -> Tone {
    match (kind, status) {
        (ConditionType::Ready | ConditionType::Healthy, ConditionStatus::True) => Tone::Good,
        (ConditionType::Ready | ConditionType::Healthy, ConditionStatus::False)
        | (ConditionType::Stalled | ConditionType::Held, ConditionStatus::True) => Tone::Bad,
        (_, ConditionStatus::False) => Tone::Calm,
        _ => Tone::Fair,
    }
}

/// One line where all three are the same.
fn revisions(status: &SyncStatus) -> Vec<(&'static str, String)> {
    let all = [
        ("Applied", &status.applied_revision),
        ("Accepted", &status.accepted_revision),
        ("Attempted", &status.attempted_revision),
    ];
    if status.applied_revision.is_some() && all.iter().all(|(_, revision)| *revision == &status.applied_revision) {
        return vec![("Revision", status.applied_revision.clone().unwrap_or_default())];
    }
    all.into_iter().filter_map(|(label, revision)| Some((label, revision.clone()?))).collect()
}

fn objects(counts: &ObjectCounts) -> String {
    let parts = [(counts.current, "current"), (counts.in_progress, "in progress"), (counts.failed, "failed")];
    let told: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if told.is_empty() { counts.total.to_string() } else { format!("{} ({})", counts.total, told.join(", ")) }
}

fn details(status: &SyncStatus, unwell: &[LiveObject], now: Timestamp, paint: Paint) -> String {
    let mut text = String::new();
    if !unwell.is_empty() {
        text.push_str("  Not as wanted\n");
    }
    for object in unwell {
        let tone = if object.health.status == Status::Failed { Tone::Bad } else { Tone::Fair };
        let told = format!("{:?}", object.health.status);
        text.push_str(&format!("    {} {}: {}\n", paint.tone(tone, &told), object.id, object.health.message));
    }
    if !status.problems.is_empty() {
        text.push_str("  Problems\n");
    }
    for problem in &status.problems {
        let place = [&problem.at, &problem.object].into_iter().flatten().map(|p| format!("{p}: ")).collect::<String>();
        text.push_str(&format!("    {place}{} ({})\n", problem.message, problem.rule));
    }
    if !status.history.is_empty() {
        text.push_str("  History\n");
    }
    for run in &status.history {
        let when = format!("{:>5} ago", age(run.at, now));
        let inputs = run.inputs.as_ref().map(|inputs| format!(" with inputs {:.8}", inputs)).unwrap_or_default();
        let revision = short_revision(&run.revision);
        text.push_str(&format!("    {when}  {revision}{inputs}  {}: {}\n", run.reason, run.summary));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Health;
    use crate::object::ObjectId;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn told(yaml: &str, unwell: &[LiveObject]) -> String {
        let sync: Sync = serde_yaml::from_str(&yaml.replace("COMMIT", COMMIT)).expect("a valid fixture");
        text(&sync, unwell, "2026-01-10T12:00:00Z".parse().expect("a time"), Paint::Plain)
    }

    #[test]
    fn a_new_one() {
        let told = told(
            "{apiVersion: tandemcd.io/v1alpha1, kind: Sync, metadata: {name: web, namespace: shop}, spec: {repositoryRef: {name: app}}}",
            &[],
        );
        insta::assert_snapshot!(told, @r"
        Sync shop/web
          Source       Repository shop/app, its root, as no account
          Ready        Unknown: no agent has looked at it yet
        ");
    }

    #[test]
    fn one_that_fails() {
        let unwell = LiveObject {
            id: ObjectId::new("shop", "web", "apps", "Deployment"),
            uid: None,
            health: Health { status: Status::Failed, message: "2 pods cannot pull their image".into() },
            children: Vec::new(),
        };
        let told = told(
            "
apiVersion: tandemcd.io/v1alpha1
kind: Sync
metadata: {name: web, namespace: shop}
spec: {repositoryRef: {name: app, namespace: fleet}, path: apps/web, serviceAccountName: deployer, mode: Shadow}
status:
  acceptedRevision: main@sha1:COMMIT
  attemptedRevision: main@sha1:COMMIT
  objects: {total: 14, current: 12, inProgress: 1, failed: 1}
  conditions:
  - {type: Ready, status: 'False', reason: Refused, message: 1 object was refused, observedGeneration: 1, lastTransitionTime: 2026-01-10T11:58:30Z}
  - {type: Healthy, status: 'True', reason: AllCurrent, message: '', observedGeneration: 1, lastTransitionTime: 2026-01-10T11:00:00Z}
  problems:
  - {at: 'apps/web/web.yaml:12', object: Deployment.apps/shop/web, rule: Invalid, message: spec.replicas must not be negative}
  - {rule: DeletionBudget, message: 12 deletions are held}
  history:
  - {revision: 'main@sha1:COMMIT', reason: Applied, summary: '2 created, 1 configured', at: 2026-01-09T11:00:00Z}
  - {revision: 'main@sha1:COMMIT', reason: Applied, summary: '1 configured', inputs: 89abcdef0123, at: 2026-01-09T10:00:00Z}
",
            &[unwell],
        );
        insta::assert_snapshot!(told, @r"
        Sync shop/web
          Source       Repository fleet/app, apps/web, as account deployer
          Switches     shadow: computed and reported, never written
          Ready        False Refused: 1 object was refused (90s)
          Healthy      True AllCurrent (60m)
          Accepted     main@sha1:0123456789abcdef0123456789abcdef01234567
          Attempted    main@sha1:0123456789abcdef0123456789abcdef01234567
          Objects      14 (12 current, 1 in progress, 1 failed)
          Not as wanted
            Failed Deployment.apps/shop/web: 2 pods cannot pull their image
          Problems
            apps/web/web.yaml:12: Deployment.apps/shop/web: spec.replicas must not be negative (Invalid)
            12 deletions are held (DeletionBudget)
          History
              25h ago  main@01234567  Applied: 2 created, 1 configured
              26h ago  main@01234567 with inputs 89abcdef  Applied: 1 configured
        ");
    }
}
