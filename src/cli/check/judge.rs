//! The standard over what was rendered, where no cluster says what is there already: each object is judged as a new one.
//!
//! What is not known offline is never made up. A Namespace that does not stand in the repository has the label of its
//! name alone; where a policy picks Namespaces by other labels, or reads them, what it refuses is a warning that says so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::finding::{Found, Level};
use crate::object::{Manifest, ObjectId, Problem, mask};
use crate::schema::Resource;
use crate::standard::{
    Actions, Coverage, Finding, NAMESPACE_NAME, Operation, Review, Shown, Standard, Uncovered, Unknown, Verdict,
};

/// Annotation of a policy: what to do about an object that it refuses.
const HINT: &str = "tandemcd.io/hint";

/// Standards that hold together, and what is known beside them.
#[derive(Debug)]
pub struct Judge {
    parts: Vec<Part>,
    /// Namespaces that stand in the repository.
    namespaces: BTreeMap<String, Value>,
    /// When it is judged.
    now: Timestamp,
}

/// One standard: its names are its own.
#[derive(Debug)]
pub struct Part {
    standard: Standard,
    coverage: Coverage,
    /// By policy.
    hints: BTreeMap<String, String>,
    /// Labels of Namespaces that the standard picks.
    picked: Vec<BTreeMap<String, String>>,
}

/// Who deploys, and where to.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Namespace of objects that name none.
    pub namespace: Option<String>,
    /// `request.userInfo`.
    pub user: Value,
    /// What is asked for. A change is one that changes nothing.
    pub operation: Operation,
}

impl Default for Setting {
    fn default() -> Self {
        let user = json!({"username": "tandem check", "groups": ["system:authenticated"]});
        Self { namespace: None, user, operation: Operation::Create }
    }
}

/// A verdict, and what would have to be known to be sure of it.
struct Said<'a> {
    part: &'a Part,
    verdict: Verdict,
    doubt: Option<String>,
}

impl Part {
    /// `written` are the manifests that the standard was made of.
    pub fn new(standard: Standard, written: &[Manifest]) -> Self {
        let (coverage, _) = Coverage::read(written);
        let policies = written.iter().filter(|manifest| manifest.id.kind == "ValidatingAdmissionPolicy");
        let hints = policies.filter_map(|policy| Some((policy.id.name.clone(), policy.annotation(HINT)?.to_owned())));
        let hints = hints.collect();
        let picked = standard.picked_namespaces();
        Self { standard, coverage, hints, picked }
    }

    fn judged(&self, placed: &Placed<'_>, namespace: Option<&Value>, now: Timestamp) -> Vec<Verdict> {
        self.standard.judge(&placed.review(namespace, now)).verdicts
    }

    fn certain(&self, verdicts: Vec<Verdict>) -> Vec<Said<'_>> {
        verdicts.into_iter().map(|verdict| Said { part: self, verdict, doubt: None }).collect()
    }
}

impl Judge {
    /// Of standards, and Namespaces that are known.
    pub fn new(parts: Vec<Part>, namespaces: BTreeMap<String, Value>, now: Timestamp) -> Self {
        Self { parts, namespaces, now }
    }

    /// What the standard has against an object. `own` are Namespaces that are deployed with it.
    pub fn look<'a>(
        &'a self,
        manifest: &Manifest,
        of: &Resource,
        setting: &Setting,
        own: &BTreeMap<String, Value>,
    ) -> Vec<Found> {
        let placed = Placed::new(manifest, of, setting);
        let by = |part: &'a Part| match &placed.namespace {
            Namespace::None => part.certain(part.judged(&placed, None, self.now)),
            Namespace::Known(name) => match own.get(name).or_else(|| self.namespaces.get(name)) {
                Some(namespace) => part.certain(part.judged(&placed, Some(namespace), self.now)),
                None => {
                    let doubt = format!("the labels of Namespace {name} are not known");
                    self.doubted(part, &placed, name, Unknown::Labels, &doubt)
                }
            },
            Namespace::Unknown => {
                let doubt = "which namespace it goes to is not known";
                self.doubted(part, &placed, &placed.id.namespace, Unknown::Name, doubt)
            }
        };
        let mut said: Vec<Said<'_>> = self.parts.iter().flat_map(by).collect();
        // Several bindings of a policy say the same; the strictest counts.
        said.sort_by_key(|said| (level(said), said.doubt.is_some()));
        let mut found: Vec<Found> = Vec::new();
        for said in said {
            let one = found_of(&said, manifest);
            if !found
                .iter()
                .any(|known| (&known.problem.rule, &known.problem.message) == (&one.problem.rule, &one.problem.message))
            {
                found.push(one);
            }
        }
        found
    }

    /// What objects that are deployed together name and is not among them, as the policies of the standard ask: which
    /// object, and what of it.
    pub fn look_together(
        &self,
        manifests: &[Manifest],
        of: &[Resource],
        setting: &Setting,
        own: &BTreeMap<String, Value>,
    ) -> Vec<(usize, Found)> {
        if self.parts.iter().all(|part| part.coverage.is_empty()) {
            return Vec::new();
        }
        let placed: Vec<Placed<'_>> =
            manifests.iter().zip(of).map(|(manifest, of)| Placed::new(manifest, of, setting)).collect();
        let namespaces: Vec<Option<Value>> = placed
            .iter()
            .map(|placed| match &placed.namespace {
                Namespace::None => None,
                _ => {
                    let name = &placed.id.namespace;
                    let known = own.get(name).or_else(|| self.namespaces.get(name)).cloned();
                    Some(known.unwrap_or_else(|| namespace(name, &BTreeMap::new())))
                }
            })
            .collect();
        let set: Vec<Review<'_>> = placed
            .iter()
            .zip(&namespaces)
            .map(|(placed, namespace)| placed.review(namespace.as_ref(), self.now))
            .collect();
        let mut found = Vec::new();
        for part in &self.parts {
            for Uncovered { at, pointer, verdict } in part.standard.uncovered(&part.coverage, &set) {
                let said = Said { part, verdict, doubt: None };
                found.push((at, Found { pointer, ..found_of(&said, &manifests[at]) }));
            }
        }
        found
    }

    /// The versions of a resource in which a standard judges a change of its objects, of those that are served.
    pub fn versions<'a>(&self, group: &str, resource: &str, served: &[&'a str]) -> BTreeSet<&'a str> {
        self.parts.iter().flat_map(|part| part.standard.versions(group, resource, served)).collect()
    }

    /// Verdicts where not all is known of the Namespace.
    fn doubted<'a>(
        &self,
        part: &'a Part,
        placed: &Placed<'_>,
        name: &str,
        unknown: Unknown,
        doubt: &str,
    ) -> Vec<Said<'a>> {
        let doubt = |doubted: bool| doubted.then(|| doubt.to_owned());
        let verdicts = part.judged(placed, Some(&namespace(name, &BTreeMap::new())), self.now);
        let mut said: Vec<Said<'_>> = verdicts
            .into_iter()
            .map(|verdict| Said { part, doubt: doubt(part.standard.depends(&verdict.policy, unknown)), verdict })
            .collect();
        for labels in &part.picked {
            let mut labels = labels.clone();
            let picked = labels.remove(NAMESPACE_NAME).filter(|_| unknown == Unknown::Name);
            let elsewhere = picked.map(|name| placed.moved(&name));
            let placed = elsewhere.as_ref().unwrap_or(placed);
            let name = &placed.id.namespace;
            for verdict in part.judged(placed, Some(&namespace(name, &labels)), self.now) {
                let known = |said: &Said<'_>| {
                    (&said.verdict.policy, &said.verdict.binding) == (&verdict.policy, &verdict.binding)
                };
                if !said.iter().any(known) {
                    said.push(Said { part, verdict, doubt: doubt(true) });
                }
            }
        }
        said
    }
}

/// What is told of a verdict.
fn found_of(said: &Said<'_>, manifest: &Manifest) -> Found {
    let verdict = &said.verdict;
    let pointer = said.part.standard.field(verdict, &manifest.body).unwrap_or_default();
    let mut message = match &verdict.finding {
        Finding::Refused { message, .. } => message.clone(),
        Finding::NotChecked { why } => format!("cannot be judged here: {why}"),
    };
    if let Some(doubt) = &said.doubt {
        message.push_str(&format!(" (not sure: {doubt})"));
    }
    if let Some(waiver) = &verdict.waived {
        message.push_str(&format!(" (waived by {waiver})"));
    }
    if let Some(expired) = &verdict.expired {
        message.push_str(&format!("; {expired}"));
    }
    let mut problem = Problem::new(&verdict.policy, message).of(&manifest.id);
    problem.hint = match (filled_in(verdict), &verdict.waived) {
        (_, Some(_)) => None,
        (Some(field), None) => Some(format!(
            "the API server fills in {field} before it judges: write the policy so that it may be missing"
        )),
        (None, None) if matches!(verdict.finding, Finding::NotChecked { .. }) => {
            Some("only an API server knows: ask it with `kubectl apply --dry-run=server`".to_owned())
        }
        (None, None) => Some(said.part.hints.get(&verdict.policy).cloned().unwrap_or_else(|| {
            format!("mend it, or propose a Waiver of {} where the standard is kept", verdict.policy)
        })),
    };
    Found { pointer, problem, level: level(said) }
}

/// A Namespace of which only these labels are known.
fn namespace(name: &str, labels: &BTreeMap<String, String>) -> Value {
    let mut all = BTreeMap::from([(NAMESPACE_NAME, name)]);
    all.extend(labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": all}})
}

/// How bad a verdict is: what its binding does, and less where it is not sure.
fn level(said: &Said<'_>) -> Level {
    let Said { verdict, doubt, .. } = said;
    if verdict.waived.is_some() {
        return Level::Note;
    }
    let unsure = doubt.is_some() || filled_in(verdict).is_some();
    match (verdict.actions, &verdict.finding) {
        (Actions { deny: true, .. }, _) if !unsure => Level::Error,
        (Actions { deny: true, .. } | Actions { warn: true, .. }, _) | (_, Finding::NotChecked { .. }) => {
            Level::Warning
        }
        _ => Level::Note,
    }
}

/// Fields that allocators and plugins of the API server add, beside the defaults that are filled in here as well.
const ADDED: [&str; 11] = [
    "clusterIP",
    "clusterIPs",
    "ipFamilies",
    "ipFamilyPolicy",
    "nodePort",
    "preemptionPolicy",
    "priority",
    "serviceAccount",
    "serviceAccountName",
    "storageClassName",
    "tolerations",
];

/// The field that an expression did not find, where the API server would have filled it in first.
fn filled_in(verdict: &Verdict) -> Option<&'static str> {
    let Finding::Refused { message, .. } = &verdict.finding else { return None };
    let (_, key) = message.rsplit_once("resulted in error: ")?.1.split_once("no such key: ")?;
    ADDED.into_iter().find(|field| key.split(|c: char| !c.is_ascii_alphanumeric()).next() == Some(field))
}

/// Where an object goes.
#[derive(Clone)]
enum Namespace {
    /// It is in none.
    None,
    Known(String),
    Unknown,
}

/// An object as the API server would be asked for it.
#[derive(Clone)]
struct Placed<'a> {
    id: ObjectId,
    api_version: &'a str,
    resource: &'a str,
    namespace: Namespace,
    setting: &'a Setting,
    manifest: &'a Manifest,
    /// With its namespace, where that does not stand in it.
    filled: Option<Value>,
    /// Without its secret values, where it has any.
    shown: Option<Value>,
}

/// What kubectl would use where nothing names a namespace.
pub const DEFAULT: &str = "default";

impl<'a> Placed<'a> {
    fn new(manifest: &'a Manifest, of: &'a Resource, setting: &'a Setting) -> Self {
        let mut id = manifest.id.clone();
        let written = !id.namespace.is_empty();
        let namespace = match (of.namespaced.unwrap_or(written), &setting.namespace) {
            (false, _) => Namespace::None,
            (true, _) if written => Namespace::Known(id.namespace.clone()),
            (true, Some(name)) => Namespace::Known(name.clone()),
            (true, None) => Namespace::Unknown,
        };
        let mut filled = None;
        match &namespace {
            Namespace::None => id = id.in_namespace(""),
            Namespace::Known(_) if written => {}
            Namespace::Known(_) | Namespace::Unknown => {
                id = id.in_namespace(setting.namespace.as_deref().unwrap_or(DEFAULT));
                let mut body = manifest.body.clone();
                if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.insert("namespace".to_owned(), json!(id.namespace));
                }
                filled = Some(body);
            }
        }
        let secret = mask::is_secret_object(&manifest.body);
        let shown = (secret || !manifest.masked.is_empty()).then(|| {
            let mut shown = filled.as_ref().unwrap_or(&manifest.body).clone();
            mask::mask_pointers(&mut shown, &manifest.masked);
            if secret {
                mask::mask_secret(&mut shown);
            }
            shown
        });
        let (api_version, resource) = (manifest.api_version.as_str(), of.plural.as_str());
        Self { id, api_version, resource, namespace, setting, manifest, filled, shown }
    }

    /// The same in another namespace.
    fn moved(&self, namespace: &str) -> Self {
        let mut moved = self.clone();
        moved.id = moved.id.in_namespace(namespace);
        for body in [&mut moved.filled, &mut moved.shown].into_iter().flatten() {
            body["metadata"]["namespace"] = json!(namespace);
        }
        moved
    }

    fn review<'b>(&'b self, namespace: Option<&'b Value>, now: Timestamp) -> Review<'b> {
        let object = Some(self.filled.as_ref().unwrap_or(&self.manifest.body));
        let is_there = self.setting.operation == Operation::Update;
        let shown =
            self.shown.as_ref().map(|shown| Shown { object: Some(shown), old: Some(shown).filter(|_| is_there) });
        Review {
            id: &self.id,
            api_version: self.api_version,
            resource: self.resource,
            operation: self.setting.operation,
            object,
            old: object.filter(|_| is_there),
            shown,
            namespace,
            user: &self.setting.user,
            dry_run: false,
            now,
        }
    }
}
