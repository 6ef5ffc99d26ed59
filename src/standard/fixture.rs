//! Tests of policies: objects, and what a policy has to say of each.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Finding, NAMESPACE_NAME, Operation, Review, Standard, Verdict};
use crate::object::{Manifest, ObjectId, Origin, Problem, spec_of, split_api_version};

/// Kind of the files.
pub const KIND: &str = "PolicyTest";

/// What a `PolicyTest` says.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyTestSpec {
    /// Name of the ValidatingAdmissionPolicy that is tested; the others of the standard are left out.
    pub policy: String,
    /// Objects that bindings find as parameters, in place of those of the standard.
    #[serde(default)]
    #[schemars(with = "Option<Vec<Body>>")]
    pub params: Option<Vec<Value>>,
    /// What is judged.
    pub cases: Vec<Case>,
}

/// One object, and what is expected of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// What the case shows.
    pub name: String,
    /// The object as it would be. One of object and file, unless it is deleted.
    #[schemars(with = "Option<Body>")]
    pub object: Option<Value>,
    /// A file with the object, from the folder of the test.
    pub file: Option<String>,
    /// The object as it is, where it is there already.
    #[schemars(with = "Option<Body>")]
    pub old_object: Option<Value>,
    /// What is asked for; UPDATE where there is an oldObject, else CREATE.
    pub operation: Option<Request>,
    /// The Namespace of the object, beside its name.
    pub namespace: Option<CaseNamespace>,
    /// What the policy has to come to, through its bindings.
    pub expect: Expect,
    /// A part of the message with which it refuses.
    pub message: Option<String>,
    /// The policy refuses, and a Waiver of the standard lets the object pass. Without, waivers do not count.
    #[serde(default)]
    pub waived: bool,
}

/// An object of any kind.
#[derive(JsonSchema)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
struct Body {}

/// A request to the API server.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Request {
    #[allow(missing_docs)]
    Create,
    #[allow(missing_docs)]
    Update,
    #[allow(missing_docs)]
    Delete,
}

/// What is known of a Namespace.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseNamespace {
    /// Its labels; that of its name is added.
    #[serde(default)]
    pub labels: std::collections::BTreeMap<String, String>,
}

/// What a policy comes to.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    #[allow(missing_docs)]
    Allow,
    #[allow(missing_docs)]
    Deny,
    #[allow(missing_docs)]
    Warn,
    #[allow(missing_docs)]
    Audit,
}

impl Expect {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Warn => "warn",
            Self::Audit => "audit",
        }
    }
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Name of the case.
    pub case: String,
    /// What was expected, as people read it.
    pub expected: String,
    /// What was found, as people read it.
    pub got: String,
    /// Whether it is the same.
    pub passed: bool,
}

/// What is known of the resource of an API version and kind: its name, and whether its objects are in namespaces.
pub type Resource<'a> = dyn Fn(&str, &str) -> (String, Option<bool>) + 'a;

/// What a test needs from outside.
pub struct Outside<'a> {
    /// Which waivers are expired.
    pub now: Timestamp,
    /// Of the objects of cases.
    pub resource: &'a Resource<'a>,
    /// An object from a file that a case names, or why it cannot be had.
    pub file: &'a dyn Fn(&str) -> Result<Value, String>,
}

/// Reads a test.
///
/// # Errors
/// It cannot be meant so: the problem has no place yet.
pub fn read(manifest: &Manifest) -> Result<PolicyTestSpec, Problem> {
    let spec: PolicyTestSpec = spec_of(&manifest.body, "PolicyTest", "InvalidTest")?;
    for (at, case) in spec.cases.iter().enumerate() {
        let sources = usize::from(case.object.is_some()) + usize::from(case.file.is_some());
        let wrong = match (sources, case.operation) {
            (2, _) => "has both object and file",
            (0, Some(Request::Delete)) if case.old_object.is_some() => continue,
            (0, _) => "has neither object nor file",
            _ if case.waived && case.expect != Expect::Allow => "is waived, and what is waived is allowed",
            _ if case.expect == Expect::Allow && case.message.is_some() && !case.waived => {
                "expects a message where nothing is refused"
            }
            _ => continue,
        };
        return Err(Problem::new("InvalidTest", format!("spec.cases[{at}] {wrong}")));
    }
    Ok(spec)
}

/// Runs the cases of a test against the manifests of a standard.
///
/// # Errors
/// The policy is not there, or cannot be compiled.
pub fn run(test: &PolicyTestSpec, standard: &[Manifest], outside: &Outside<'_>) -> Result<Vec<Outcome>, Problem> {
    let is_policy = |manifest: &Manifest| manifest.id.kind == "ValidatingAdmissionPolicy";
    let Some(policy) = standard.iter().find(|one| is_policy(one) && one.id.name == test.policy) else {
        let message = format!("spec.policy names {}, and the standard has no such policy", test.policy);
        let names: Vec<&str> = standard.iter().filter(|one| is_policy(one)).map(|one| one.id.name.as_str()).collect();
        let meant = crate::object::near::nearest(&test.policy, &names);
        let problem = Problem::new("InvalidTest", message);
        return Err(match meant {
            Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
            None => problem,
        });
    };
    let is_bound = |one: &&Manifest| {
        one.id.kind == "ValidatingAdmissionPolicyBinding" && one.body["spec"]["policyName"] == json!(test.policy)
    };
    if !standard.iter().any(|one| is_bound(&one)) {
        let problem = Problem::new("InvalidTest", format!("spec.policy names {}, which has no binding", test.policy));
        return Err(problem.hint("without a ValidatingAdmissionPolicyBinding it judges nothing"));
    }
    let others = standard.iter().filter(|one| match one.id.kind.as_str() {
        "ValidatingAdmissionPolicy" => false,
        "ValidatingAdmissionPolicyBinding" | "Waiver" => true,
        _ => test.params.is_none(),
    });
    let params = test.params.iter().flatten().map(|body| manifest(body.clone()));
    let all: Vec<Manifest> = std::iter::once(policy.clone()).chain(others.cloned()).chain(params).collect();
    let loaded = Standard::load(&all, outside.now);
    if let Some(problem) = loaded.problems.into_iter().find(|one| one.object == Some(policy.id.to_string())) {
        return Err(problem);
    }
    Ok(test.cases.iter().map(|case| outcome(case, &loaded.standard, outside)).collect())
}

fn outcome(case: &Case, standard: &Standard, outside: &Outside<'_>) -> Outcome {
    let mut expected = case.expect.as_str().to_owned();
    if case.waived {
        expected.push_str(", by a waiver");
    }
    if let Some(message) = &case.message {
        expected.push_str(&format!(", with {message:?}"));
    }
    let (got, passed) = match judged(case, standard, outside) {
        Err(why) => (why, false),
        Ok(verdicts) => told(case, &verdicts),
    };
    Outcome { case: case.name.clone(), expected, got, passed }
}

fn judged(case: &Case, standard: &Standard, outside: &Outside<'_>) -> Result<Vec<Verdict>, String> {
    let mut object = match &case.file {
        Some(file) => Some((outside.file)(file)?),
        None => case.object.clone(),
    };
    let mut old = case.old_object.clone();
    let body = object.as_ref().or(old.as_ref()).ok_or("no object")?;
    let mut named = manifest(body.clone());
    let (resource, namespaced) = (outside.resource)(&named.api_version, &named.id.kind);
    if namespaced != Some(false)
        && (namespaced == Some(true) || case.namespace.is_some())
        && named.id.namespace.is_empty()
    {
        named.id = named.id.in_namespace("default");
        for body in [&mut object, &mut old].into_iter().flatten() {
            if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("namespace".to_owned(), json!("default"));
            }
        }
    }
    let mut labels = case.namespace.clone().unwrap_or_default().labels;
    labels.insert(NAMESPACE_NAME.to_owned(), named.id.namespace.clone());
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": named.id.namespace, "labels": labels}});
    let operation = match case.operation {
        Some(Request::Create) => Operation::Create,
        Some(Request::Delete) => Operation::Delete,
        Some(Request::Update) => Operation::Update,
        None if old.is_some() => Operation::Update,
        None => Operation::Create,
    };
    let user = json!({"username": "tandem test", "groups": ["system:authenticated"]});
    let judgement = standard.judge(&Review {
        id: &named.id,
        api_version: &named.api_version,
        resource: &resource,
        operation,
        object: object.as_ref().filter(|_| operation != Operation::Delete),
        old: old.as_ref(),
        shown: None,
        namespace: (!named.id.namespace.is_empty()).then_some(&namespace),
        user: &user,
        dry_run: false,
        now: outside.now,
    });
    Ok(judgement.verdicts)
}

/// What verdicts come to, and whether that was expected.
fn told(case: &Case, verdicts: &[Verdict]) -> (String, bool) {
    let messages: Vec<&str> = verdicts
        .iter()
        .map(|verdict| match &verdict.finding {
            Finding::Refused { message, .. } => message.as_str(),
            Finding::NotChecked { why } => why.as_str(),
        })
        .collect();
    let not_checked = verdicts.iter().any(|verdict| matches!(verdict.finding, Finding::NotChecked { .. }));
    let waived = !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.waived.is_some());
    let does = |action: fn(&Verdict) -> bool| verdicts.iter().any(action);
    let came = if verdicts.is_empty() || case.waived && waived {
        Expect::Allow
    } else if does(|verdict| verdict.actions.deny) {
        Expect::Deny
    } else if does(|verdict| verdict.actions.warn) {
        Expect::Warn
    } else {
        Expect::Audit
    };
    let mut got = if not_checked { "not checked".to_owned() } else { came.as_str().to_owned() };
    if case.waived && waived {
        got.push_str(", by a waiver");
    }
    if !messages.is_empty() {
        got.push_str(&format!(", with {:?}", messages.join("; ")));
    }
    let same_message = case.message.as_ref().is_none_or(|part| messages.iter().any(|message| message.contains(part)));
    (got, !not_checked && came == case.expect && same_message && case.waived == (case.waived && waived))
}

/// An object that stands in no file of its own.
fn manifest(body: Value) -> Manifest {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let api_version = text("/apiVersion");
    let group = split_api_version(&api_version).0.to_owned();
    let id = ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), group, text("/kind"));
    Manifest::new(Origin { file: String::new(), line: 1, document: 1 }, id, api_version, body)
}
