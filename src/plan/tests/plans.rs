//! From desired objects, inventory and what is seen to a plan.

use super::*;
use crate::inventory::{Entry, Flag, Owned};
use crate::object::DigestKey;

pub(super) const MAP: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: v}}";
pub(super) const JOB: &str = "{apiVersion: batch/v1, kind: Job, metadata: {name: a}}";

pub(super) fn digest(text: &str) -> Digest {
    DigestKey::new(*b"fields").digest_bytes(text.as_bytes())
}

pub(super) fn seen() -> Seen {
    Seen {
        uid: "u1".into(),
        resource_version: "7".into(),
        fields: Some(digest("as applied")),
        author: None,
        owner: Some(owner().to_string()),
        terminating: Terminating::No,
        finished: Finished::No,
        foreign: Foreign::No,
        replicas: Replicas::Given,
    }
}

fn entry(desired: Option<Digest>) -> Entry {
    Entry {
        version: "v1".into(),
        uid: desired.map(|_| "u1".into()),
        desired,
        baseline: desired.map(|_| digest("as applied")),
        ..Entry::default()
    }
}

/// All that a plan is made of, to be changed by a case.
pub(super) struct Case {
    pub(super) desired: Vec<Desired>,
    pub(super) problems: Vec<Problem>,
    pub(super) owned: Owned,
    pub(super) observed: Observed,
    pub(super) claims: Claims,
    pub(super) pruning: Pruning,
}

impl Case {
    pub(super) fn of(text: &str) -> Self {
        Self {
            desired: resolved(text),
            problems: vec![],
            owned: Owned::new(),
            observed: Observed::new(),
            claims: Claims::default(),
            pruning: Pruning::Enabled,
        }
    }

    /// One object that is applied, and unchanged.
    pub(super) fn applied(text: &str) -> Self {
        let mut case = Self::of(text);
        for object in &case.desired {
            case.owned.insert(object.id().clone(), entry(Some(object.digest)));
            case.observed.insert(object.id().clone(), Live::Present(seen()));
        }
        case
    }

    /// Something stays desired, and the first object leaves Git.
    pub(super) fn left(text: &str) -> Self {
        let mut case = Self::applied(text);
        case.desired = resolved("{apiVersion: v1, kind: ConfigMap, metadata: {name: stays, namespace: elsewhere}}");
        case
    }

    fn entry(&mut self) -> &mut Entry {
        self.owned.values_mut().next().expect("an entry")
    }

    fn live(&mut self, live: Live) {
        let id = self.observed.keys().next().expect("an object").clone();
        self.observed.insert(id, live);
    }

    pub(super) fn see(&mut self, edit: impl FnOnce(&mut Seen)) {
        let mut seen = seen();
        edit(&mut seen);
        self.live(Live::Present(seen));
    }

    pub(super) fn plan(&self) -> Plan {
        plan(&Input {
            owner: &owner(),
            agent_namespace: "tandem-system",
            desired: &self.desired,
            problems: &self.problems,
            owned: &self.owned,
            observed: &self.observed,
            claims: &self.claims,
            pruning: self.pruning,
        })
    }

    /// The change of the object of the case: the one that is not called `stays`.
    pub(super) fn change(&self) -> Change {
        self.plan().changes.into_iter().find(|change| change.id.name != "stays").expect("a change")
    }

    pub(super) fn check(
        &self,
        what: &str,
        action: Action,
        reason: Reason,
        method: Method,
        look: Option<Look>,
    ) -> Change {
        let change = self.change();
        assert_eq!(
            (change.action, change.reason, change.method, change.look),
            (action, reason, method, look),
            "{what}"
        );
        change
    }
}

#[test]
fn a_desired_object_in_every_state() {
    use Action::{Configured, Created, Skipped, Unchanged};
    use Method::{Apply, Nothing};

    Case::of(MAP).check("nothing speaks of it", Created, Reason::New, Apply, None);
    Case::applied(MAP).check("as applied", Unchanged, Reason::UpToDate, Nothing, None);

    let mut case = Case::applied(MAP);
    case.live(Live::Absent);
    case.check("deleted by hand", Created, Reason::Missing, Apply, None);
    case.observed.clear();
    case.check("not in a watch", Configured, Reason::Missing, Apply, Some(Look::Unseen));

    let mut case = Case::applied(MAP);
    case.entry().desired = Some(digest("an older manifest"));
    case.check("changed in Git", Configured, Reason::Changed, Apply, None);

    let mut case = Case::applied(MAP);
    case.see(|seen| seen.fields = Some(digest("edited")));
    let change = case.check("edited by hand", Configured, Reason::Drifted, Apply, None);
    assert_eq!(change.author.as_deref(), Some("unknown"));
    case.see(|seen| (seen.fields, seen.author) = (None, Some("kubectl-edit".into())));
    let change = case.check("our entry is gone", Configured, Reason::Drifted, Apply, None);
    assert_eq!(change.author.as_deref(), Some("kubectl-edit"));

    let mut case = Case::applied(MAP);
    case.see(|seen| seen.uid = "u2".into());
    case.check("deleted and created by hand", Configured, Reason::ReplacedByOthers, Apply, None);

    let mut case = Case::applied(MAP);
    case.see(|seen| seen.terminating = Terminating::Yes);
    case.check("being deleted", Skipped, Reason::Terminating, Nothing, None);

    let mut case = Case::applied(MAP);
    *case.entry() = entry(None);
    case.check("recorded, never answered", Configured, Reason::Unconfirmed, Apply, None);
    case.live(Live::Unknown);
    case.check("recorded, never answered, unseen", Configured, Reason::Unconfirmed, Apply, None);

    let mut case = Case::applied(MAP);
    case.owned.clear();
    case.see(|seen| (seen.owner, seen.fields) = (None, None));
    case.check("there before us", Configured, Reason::Adopted, Apply, None);
}

#[test]
fn annotations_of_the_manifest_are_heeded() {
    use Action::{Configured, Created, Skipped, Unchanged};
    let with = |annotation: &str| {
        format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: a, annotations: {{tandemcd.io/{annotation}}}}}}}")
    };

    let mut case = Case::applied(&with("reconcile: disabled"));
    case.see(|seen| seen.fields = None);
    case.check("left alone", Skipped, Reason::ReconcileDisabled, Method::Nothing, None);

    let mut case = Case::of(&with("apply: IfNotPresent"));
    case.check("must be looked for", Created, Reason::New, Method::Apply, Some(Look::Presence));
    let id = case.desired[0].id().clone();
    case.observed.insert(id.clone(), Live::Absent);
    case.check("is not there", Created, Reason::New, Method::Apply, None);
    case.observed.insert(id, Live::Present(Seen { owner: None, fields: None, ..seen() }));
    case.check("is there", Skipped, Reason::AlreadyPresent, Method::Nothing, None);

    let mut job = Case::applied(JOB);
    job.entry().flags.insert(Flag::Completed);
    job.check("a Job that ran", Unchanged, Reason::UpToDate, Method::Nothing, None);
    for live in [Live::Absent, Live::Unknown] {
        job.live(live);
        job.check("a Job that ran, and its TTL", Unchanged, Reason::JobCompleted, Method::Nothing, None);
    }
    job.entry().desired = Some(digest("an older manifest"));
    job.live(Live::Absent);
    job.check("a changed Job after its TTL", Created, Reason::JobReplaced, Method::Apply, None);
    for finished in [Finished::Succeeded, Finished::Failed] {
        job.see(|seen| seen.finished = finished);
        let change = job.check("a changed Job that ran", Configured, Reason::JobReplaced, Method::Replace, None);
        assert_eq!(change.precondition, Some(Precondition { uid: "u1".into(), resource_version: "7".into() }));
    }
    job.see(|_| ());
    job.check("a changed Job that runs", Configured, Reason::Changed, Method::Apply, None);
}

#[test]
fn what_left_git_in_every_state() {
    use Action::{Deleted, Skipped};
    let gone = |case: &Case, what: &str, reason: Reason| {
        let change = case.check(what, Skipped, reason, Method::Nothing, None);
        let forgotten = forgets(&change);
        (change.other, forgotten)
    };
    let change = Case::left(MAP).check("ours", Deleted, Reason::LeftGit, Method::Delete, None);
    assert_eq!(change.precondition, Some(Precondition { uid: "u1".into(), resource_version: "7".into() }));
    assert_eq!(change.api_version, "v1");

    let mut case = Case::left(MAP);
    case.live(Live::Unknown);
    case.check("not in a watch", Deleted, Reason::LeftGit, Method::Delete, Some(Look::Unseen));
    case.live(Live::Absent);
    assert_eq!(gone(&case, "gone", Reason::AlreadyGone), (None, true));
    case.see(|seen| (seen.uid, seen.owner) = ("u2".into(), None));
    assert_eq!(gone(&case, "another object of the same name", Reason::NotOurs), (None, true));
    case.see(|seen| (seen.uid, seen.fields) = ("u2".into(), None));
    assert_eq!(gone(&case, "a copy with our annotation", Reason::NotOurs), (None, true));
    case.see(|seen| seen.uid = "u2".into());
    case.check("ours, recreated before a crash", Deleted, Reason::LeftGit, Method::Delete, None);
    case.see(|seen| seen.owner = None);
    case.check("ours, its annotation removed by hand", Deleted, Reason::LeftGit, Method::Delete, None);
    case.see(|seen| seen.terminating = Terminating::Yes);
    assert_eq!(gone(&case, "being deleted", Reason::Terminating), (None, false));
    case.see(|seen| seen.owner = Some("prod/flow/other".into()));
    assert_eq!(gone(&case, "another's now", Reason::HandedOver), (Some("flow/other".into()), true));

    let mut case = Case::left(MAP);
    case.pruning = Pruning::Disabled;
    assert_eq!(gone(&case, "the Sync does not prune", Reason::PruneDisabled), (None, false));
    for (flag, reason) in
        [(Flag::PruneDisabled, Reason::PruneDisabled), (Flag::ReconcileDisabled, Reason::ReconcileDisabled)]
    {
        let mut case = Case::left(MAP);
        case.entry().flags.insert(flag);
        assert_eq!(gone(&case, "the manifest said so", reason), (None, false));
    }
    let mut case = Case::left(MAP);
    case.entry().unknown.insert("of=tomorrow".into());
    assert_eq!(gone(&case, "a mark of tomorrow", Reason::UnknownFlag), (None, false));

    let mut case = Case::left(MAP);
    case.problems.push(Problem::new("InvalidYaml", "not read"));
    assert_eq!(gone(&case, "a file was not read", Reason::SourceIncomplete), (None, false));
    let mut case = Case::left(MAP);
    case.desired.clear();
    assert_eq!(gone(&case, "nothing was rendered", Reason::SourceIncomplete), (None, false));

    let namespace = |name: &str| format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}");
    assert_eq!(gone(&Case::left(&namespace("tandem-system")), "the agent's", Reason::Protected), (None, false));
    let case = Case::left(&namespace("elsewhere"));
    assert_eq!(gone(&case, "something lives in it", Reason::InUse), (Some("ConfigMap/elsewhere/stays".into()), false));
    assert_eq!(case.plan().problems[0].rule, "InUse");
    let mut case = Case::left(&namespace("theirs"));
    let theirs = ObjectId::new("theirs", "x", "", "ConfigMap");
    case.claims.insert(theirs, SyncName { namespace: "flow".into(), name: "other".into() }, Claim::Owns);
    assert_eq!(
        gone(&case, "another Sync lives in it", Reason::InUse),
        (Some("ConfigMap/theirs/x of flow/other".into()), false)
    );
    let definition =
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: syncs.tandemcd.io}}";
    assert_eq!(gone(&Case::left(definition), "the agent's definitions", Reason::Protected), (None, false));
}

#[test]
fn two_syncs_and_one_object() {
    let other = || SyncName { namespace: "flow".into(), name: "other".into() };
    let mut case = Case::applied(MAP);
    let id = case.desired[0].id().clone();
    case.owned.clear();
    case.see(|seen| seen.owner = Some("prod/flow/other".into()));
    case.claims.insert(id.clone(), other(), Claim::Owns);
    let change = case.check("the second is refused", Action::Skipped, Reason::OwnedByAnother, Method::Nothing, None);
    assert_eq!(change.other.as_deref(), Some("flow/other"));
    assert_eq!(case.plan().problems[0].rule, "OwnedByAnother");
    case.claims.insert_undecided(other());
    case.check("it may move", Action::Skipped, Reason::HandOverPending, Method::Nothing, None);
    assert_eq!(case.plan().problems, Vec::new(), "waiting is no problem");
    case.claims.insert(id.clone(), other(), Claim::Leaves);
    let change = case.check("it moves", Action::Configured, Reason::TakenOver, Method::Apply, None);
    assert_eq!(change.other.as_deref(), Some("flow/other"));

    let mut case = Case::applied(MAP);
    case.claims.insert(id.clone(), other(), Claim::Wants);
    case.check("the first keeps it", Action::Unchanged, Reason::UpToDate, Method::Nothing, None);
    assert_eq!(case.plan().notices[0].rule, "ClaimedByAnother");

    let mut case = Case::left(MAP);
    case.claims.insert(id, other(), Claim::Wants);
    case.check("the giver waits", Action::Skipped, Reason::HandOverPending, Method::Nothing, None);
}

pub(super) const STACK: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.acme.example}, spec: {group: acme.example, scope: Namespaced, names: {kind: Widget, plural: widgets}, versions: [{name: v1, served: true}]}}
---
{apiVersion: acme.example/v1, kind: Widget, metadata: {name: w}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: rb}, roleRef: {kind: Role, name: r}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: other}, roleRef: {kind: ClusterRole, name: r}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: migrate, annotations: {tandemcd.io/phase: before}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {template: {spec: {containers: [{name: a, envFrom: [{configMapRef: {name: c}}]}]}}}}
---
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: hook}, webhooks: [{name: h, rules: [{apiGroups: [''], resources: [services]}]}]}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: smoke, annotations: {tandemcd.io/phase: after}}}";

#[test]
fn phases_order_the_plan_and_deletions_go_backwards() {
    let order = |plan: &Plan| plan.changes.iter().map(|change| change.id.to_string()).collect::<Vec<_>>();
    let forwards = order(&Case::of(STACK).plan());
    assert_eq!(
        forwards,
        [
            "Namespace/shop",
            "CustomResourceDefinition.apiextensions.k8s.io/widgets.acme.example",
            "RoleBinding.rbac.authorization.k8s.io/flow/other",
            "Role.rbac.authorization.k8s.io/flow/r",
            "RoleBinding.rbac.authorization.k8s.io/flow/rb",
            "ConfigMap/shop/c",
            "Job.batch/flow/migrate",
            "Service/flow/web",
            "Deployment.apps/shop/web",
            "Widget.acme.example/flow/w",
            "ValidatingWebhookConfiguration.admissionregistration.k8s.io/hook",
            "Job.batch/flow/smoke",
        ]
    );
    let mut case = Case::applied(STACK);
    case.desired = resolved("{apiVersion: v1, kind: ConfigMap, metadata: {name: stays, namespace: elsewhere}}");
    let plan = case.plan();
    assert!(plan.changes[1..].iter().all(|change| change.method == Method::Delete), "{plan:#?}");
    let phases: Vec<_> = plan.changes[1..].iter().map(|change| change.phase).collect();
    assert!(phases.is_sorted_by(|a, b| a >= b), "{phases:?}");
}

#[test]
fn what_must_wait_is_deferred_with_its_reason() {
    let deferred = |case: &Case| {
        let plan = case.plan();
        let marked = plan.changes.into_iter().filter_map(|change| Some((change.id.to_string(), change.deferred?)));
        marked.collect::<Vec<_>>()
    };
    let told: Vec<_> = deferred(&Case::of(STACK)).into_iter().map(|(id, why)| format!("{id}: {why}")).collect();
    assert_eq!(
        told,
        [
            "RoleBinding.rbac.authorization.k8s.io/flow/rb: Role.rbac.authorization.k8s.io/flow/r changes in the same plan",
            "ConfigMap/shop/c: Namespace/shop changes in the same plan",
            "Service/flow/web: ValidatingWebhookConfiguration.admissionregistration.k8s.io/hook changes in the same plan",
            "Deployment.apps/shop/web: Namespace/shop changes in the same plan",
            "Widget.acme.example/flow/w: CustomResourceDefinition.apiextensions.k8s.io/widgets.acme.example changes in the same plan",
        ]
    );
    let mut applied = Case::applied(STACK);
    assert_eq!(deferred(&applied), [], "nothing changes");
    for entry in applied.owned.values_mut() {
        entry.desired = Some(digest("an older manifest"));
    }
    let ids: Vec<_> = deferred(&applied).into_iter().map(|(id, _)| id).collect();
    let expected = ["RoleBinding.rbac.authorization.k8s.io/flow/rb", "Service/flow/web", "Widget.acme.example/flow/w"];
    assert_eq!(ids, expected, "a Namespace that is there serves while it changes");
}
