//! Judges one object: the API server's dispatcher and validator.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::compile::{Expression, Policy, Validation};
use super::form::{Action, Binding, NotFound, ParamRef};
use super::matching::{Matched, matches, selects};
use super::{Actions, Annotation, Finding, Judgement, Review, Shown, Standard, Verdict, Waiver, declare, filled};
use crate::cel::{Budget, Fault, Program, Scope, Value};
use crate::object::mask::{self, MASK};
use crate::object::{Manifest, split_api_version};

/// What all validations of a policy may cost together.
const COST: u64 = 10_000_000;
/// What its conditions may.
const COST_OF_CONDITIONS: u64 = 2_500_000;
/// What one expression may.
const PER_CALL: u64 = 1_000_000;
const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";
/// Bytes of a message that an expression makes.
const LONGEST_MESSAGE: usize = 5 * 1024;
/// Bytes of an audit annotation.
const LONGEST_ANNOTATION: usize = 10 * 1024;

impl Standard {
    /// What the standard says of an object.
    pub fn judge(&self, review: &Review<'_>) -> Judgement {
        let mut judgement = Judgement::default();
        // Values share what is large, so they are made once.
        let values = std::cell::OnceCell::new();
        for policy in &self.policies {
            let spoken_of = matches(&policy.constraints, review, Matched::No);
            if spoken_of == Matched::No {
                continue;
            }
            for binding in self.bindings.iter().filter(|binding| binding.spec.policy_name == policy.name) {
                let bound = binding
                    .spec
                    .match_resources
                    .as_ref()
                    .map_or(Matched::Yes, |resources| matches(resources, review, Matched::Yes));
                let said = match (&spoken_of, &bound) {
                    (_, Matched::No) => continue,
                    (Matched::OtherVersion(version), _) | (_, Matched::OtherVersion(version)) => {
                        let why =
                            format!("it speaks of the resource in version {version}, and only an API server converts");
                        Said { findings: vec![Finding::NotChecked { why }], annotations: Vec::new() }
                    }
                    _ => self.say(policy, binding, review, values.get_or_init(|| Values::of(review))),
                };
                let waivers = || self.waivers.iter().filter(|waiver| waiver.covers(&policy.name, review));
                let waived = waivers().find(|waiver| !waiver.is_expired(review.now));
                let expired = waivers().find(|waiver| waiver.is_expired(review.now) && waived.is_none());
                judgement.verdicts.extend(said.findings.into_iter().map(|finding| Verdict {
                    policy: policy.name.clone(),
                    binding: Some(binding.name.clone()),
                    actions: actions(&binding.spec.validation_actions),
                    finding,
                    waived: waived.map(|waiver| waiver.name.clone()),
                    expired: expired.map(Waiver::ended),
                }));
                for (key, value) in said.annotations {
                    let annotation = Annotation { policy: policy.name.clone(), key, value };
                    if !judgement.annotations.contains(&annotation) {
                        judgement.annotations.push(annotation);
                    }
                }
            }
        }
        judgement
    }

    fn say(&self, policy: &Policy, binding: &Binding, review: &Review<'_>, values: &Values) -> Said {
        if let Some(why) = &policy.unavailable {
            return Said { findings: vec![Finding::NotChecked { why: why.clone() }], annotations: Vec::new() };
        }
        match self.parameters(policy, binding.spec.param_ref.as_ref(), review) {
            Ok(parameters) => {
                let mut said = Said::default();
                for parameter in parameters {
                    let one = of_policy(policy, &values.with_params(parameter));
                    said.findings.extend(one.findings);
                    said.annotations.extend(one.annotations);
                }
                said
            }
            Err(why) => {
                Said { findings: of_failure(policy, format!("failed to configure binding: {why}")), ..Said::default() }
            }
        }
    }

    /// The parameters that a binding names: none at all, or one `None` where it needs none.
    fn parameters(
        &self,
        policy: &Policy,
        reference: Option<&ParamRef>,
        review: &Review<'_>,
    ) -> Result<Vec<Option<&Json>>, String> {
        let (Some(kind), Some(reference)) = (&policy.param_kind, reference) else { return Ok(vec![None]) };
        let (group, _) = split_api_version(&kind.api_version);
        let of_kind: Vec<&Manifest> = self
            .parameters
            .iter()
            .filter(|one| one.id.group == group && one.api_version == kind.api_version && one.id.kind == kind.kind)
            .collect();
        let namespaced = of_kind.iter().any(|one| !one.id.namespace.is_empty());
        let namespace = if reference.namespace.is_empty() { &review.id.namespace } else { &reference.namespace };
        if namespaced && namespace.is_empty() {
            return Err(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources".to_owned()
            );
        }
        let found: Vec<Option<&Json>> = of_kind
            .into_iter()
            .filter(|one| !namespaced || one.id.namespace == *namespace)
            .filter(|one| match &reference.selector {
                Some(selector) => selects(selector, one.body.pointer("/metadata/labels")),
                None => one.id.name == reference.name,
            })
            .map(|one| Some(&one.body))
            .collect();
        if found.is_empty() && reference.parameter_not_found_action == Some(NotFound::Deny) {
            return Err("no params found for policy binding with `Deny` parameterNotFoundAction".to_owned());
        }
        Ok(found)
    }
}

pub(super) fn actions(written: &[Action]) -> Actions {
    Actions {
        deny: written.contains(&Action::Deny),
        warn: written.contains(&Action::Warn),
        audit: written.contains(&Action::Audit),
    }
}

/// What a policy that cannot be evaluated says: `failurePolicy`.
fn of_failure(policy: &Policy, message: String) -> Vec<Finding> {
    if policy.fails {
        vec![Finding::Refused { message, reason: "Invalid".to_owned(), validation: None }]
    } else {
        Vec::new()
    }
}

fn of_policy(policy: &Policy, values: &Values) -> Said {
    match conditions(policy, values) {
        Ok(true) => {}
        Ok(false) => return Said::default(),
        Err(message) => return Said { findings: of_failure(policy, message), ..Said::default() },
    }
    let request = |values: &[Value]| Request { values: values.to_vec(), policy, known: RefCell::default() };
    let (scope, telling) = (request(&values.true_ones), values.shown.as_deref().map(request));
    let mut left = COST;
    let mut said = Said::default();
    let mut failed = Vec::new();
    for (at, validation) in policy.validations.iter().enumerate() {
        match run(&validation.expression.program, &scope, &mut left) {
            Err(Ended::OutOfBudget) => {
                return Said { findings: of_failure(policy, OUT_OF_BUDGET.to_owned()), ..Said::default() };
            }
            Err(Ended::Fault(fault)) => failed.push((at, Failed::Error(values.tell(&validation.expression, &fault)))),
            Ok(Value::Bool(true)) => {}
            Ok(_) => failed.push((at, Failed::Validation(validation))),
        }
    }
    for (at, failure) in failed {
        let (message, reason) = match failure {
            Failed::Error(_) if !policy.fails => continue,
            Failed::Error(message) => (message, "Invalid".to_owned()),
            Failed::Validation(validation) => {
                (message(validation, telling.as_ref().unwrap_or(&scope), &mut left), validation.reason.clone())
            }
        };
        said.findings.push(Finding::Refused { message, reason, validation: Some(at) });
    }
    let mut left = COST;
    for (key, annotation) in &policy.annotations {
        match run(&annotation.program, &scope, &mut left) {
            Err(Ended::OutOfBudget) => {
                said.findings.extend(of_failure(policy, OUT_OF_BUDGET.to_owned()));
                break;
            }
            Err(Ended::Fault(fault)) => said.findings.extend(of_failure(policy, values.tell(annotation, &fault))),
            Ok(value) => {
                let value = match &telling {
                    None => Ok(value),
                    Some(telling) => run(&annotation.program, telling, &mut COST.clone()),
                };
                match value {
                    Ok(Value::String(text)) if !text.trim().is_empty() => {
                        said.annotations.push((key.clone(), bounded(text.trim(), LONGEST_ANNOTATION).to_owned()));
                    }
                    Ok(_) => {}
                    Err(_) => said.annotations.push((key.clone(), MASK.to_owned())),
                }
            }
        }
    }
    said
}

/// As much of a text as fits.
fn bounded(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// What a policy says through one binding.
#[derive(Default)]
struct Said {
    findings: Vec<Finding>,
    /// Keys and values.
    annotations: Vec<(String, String)>,
}

/// Values of the variables of a request.
struct Values {
    true_ones: Vec<Value>,
    /// Those that messages are made of, where the others hold secrets.
    shown: Option<Vec<Value>>,
}

impl Values {
    fn of(review: &Review<'_>) -> Self {
        // As the API server has them when it judges.
        let values = |review: Review<'_>| {
            let filled = filled::of(&review);
            declare::values(&Review { object: filled.as_ref().or(review.object), ..review })
        };
        let shown = review.shown.map(|Shown { object, old }| values(Review { object, old, ..*review }));
        Self { true_ones: values(*review), shown }
    }

    /// What is told of an expression that failed.
    fn tell(&self, expression: &Expression, fault: &Fault) -> String {
        let fault = if self.shown.is_some() { fault.quiet().to_owned() } else { fault.to_string() };
        format!("expression '{}' resulted in error: {fault}", expression.source)
    }

    fn with_params(&self, params: Option<&Json>) -> Self {
        let true_ones = declare::with_params(&self.true_ones, params);
        let secret = params.filter(|params| mask::is_secret_object(params));
        let shown = match (&self.shown, secret) {
            (None, None) => None,
            (shown, _) => {
                let mut masked = params.cloned();
                masked.as_mut().filter(|_| secret.is_some()).into_iter().for_each(mask::mask_secret);
                Some(declare::with_params(shown.as_ref().unwrap_or(&self.true_ones), masked.as_ref()))
            }
        };
        Self { true_ones, shown }
    }
}

enum Failed<'a> {
    Error(String),
    Validation(&'a Validation),
}

/// Whether all conditions are true. One that is false decides, whatever the others are.
fn conditions(policy: &Policy, values: &Values) -> Result<bool, String> {
    // They do not know the Namespace.
    let without = declare::without_namespace(&values.true_ones);
    let mut left = COST_OF_CONDITIONS;
    let mut errors = Vec::new();
    for condition in &policy.conditions {
        match run(&condition.program, without.as_slice(), &mut left) {
            Err(Ended::OutOfBudget) => return Err(OUT_OF_BUDGET.to_owned()),
            Err(Ended::Fault(fault)) => errors.push(values.tell(condition, &fault)),
            Ok(Value::Bool(false)) => return Ok(false),
            Ok(_) => {}
        }
    }
    match errors.as_slice() {
        [] => Ok(true),
        [one] => Err(one.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

/// What is told of a validation that failed: its own message, if that is one line and not too long.
fn message(validation: &Validation, scope: &Request<'_>, left: &mut u64) -> String {
    if let Some(program) = &validation.message_expression
        && let Ok(Value::String(text)) = run(program, scope, left)
    {
        let text = text.trim();
        if !text.is_empty() && text.len() <= LONGEST_MESSAGE && !text.contains('\n') {
            return text.to_owned();
        }
    }
    if validation.message.is_empty() {
        return format!("failed expression: {}", validation.expression.source.trim());
    }
    validation.message.clone()
}

enum Ended {
    OutOfBudget,
    Fault(Fault),
}

/// Evaluates one expression within what is left.
fn run<S: Scope + ?Sized>(program: &Program, scope: &S, left: &mut u64) -> Result<Value, Ended> {
    let mut budget = Budget::of(PER_CALL);
    let result = program.evaluate(scope, &mut budget);
    let used = PER_CALL - budget.left();
    *left = left.checked_sub(used).ok_or(Ended::OutOfBudget)?;
    result.map_err(Ended::Fault)
}

/// The values of a request, and of the policy's variables as they become known.
struct Request<'a> {
    values: Vec<Value>,
    policy: &'a Policy,
    known: RefCell<BTreeMap<String, Result<Value, Fault>>>,
}

impl Scope for Request<'_> {
    fn variable(&self, at: usize) -> Value {
        self.values.get(at).cloned().unwrap_or(Value::Null)
    }

    fn composed(&self, name: &str, _: &mut Budget) -> Result<Value, Fault> {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let Some((_, variable)) = self.policy.variables.iter().find(|(variable, _)| variable == name) else {
            return Err(Fault::new(format!("no such key: {name}")));
        };
        // A variable has a budget of its own, as in the API server; an earlier one cannot use a later one.
        let value = variable.program.evaluate(self, &mut Budget::of(PER_CALL)).map_err(|fault| {
            let quoted = format!("{name:?}");
            Fault::telling(
                format!("composited variable {quoted} fails to evaluate: {fault}"),
                "a variable cannot be evaluated",
            )
        });
        self.known.borrow_mut().insert(name.to_owned(), value.clone());
        value
    }
}
