//! Policies and bindings as they are written (`admissionregistration.k8s.io/v1`).

use serde::Deserialize;
use serde_json::Value;

use crate::object::{Manifest, Problem};

/// A policy.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) spec: PolicySpec,
}

/// A binding.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) name: String,
    pub(super) spec: BindingSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicySpec {
    pub(super) param_kind: Option<ParamKind>,
    pub(super) match_constraints: Option<MatchResources>,
    #[serde(default)]
    pub(super) validations: Vec<Validation>,
    #[serde(default)]
    pub(super) failure_policy: FailurePolicy,
    #[serde(default)]
    pub(super) audit_annotations: Vec<AuditAnnotation>,
    #[serde(default)]
    pub(super) match_conditions: Vec<MatchCondition>,
    #[serde(default)]
    pub(super) variables: Vec<Variable>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) enum FailurePolicy {
    #[default]
    Fail,
    Ignore,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ParamKind {
    pub(super) api_version: String,
    pub(super) kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Validation {
    pub(super) expression: String,
    #[serde(default)]
    pub(super) message: String,
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) message_expression: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AuditAnnotation {
    pub(super) key: String,
    pub(super) value_expression: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MatchCondition {
    pub(super) name: String,
    pub(super) expression: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) expression: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MatchResources {
    pub(super) namespace_selector: Option<Selector>,
    pub(super) object_selector: Option<Selector>,
    #[serde(default)]
    pub(super) resource_rules: Vec<Rule>,
    #[serde(default)]
    pub(super) exclude_resource_rules: Vec<Rule>,
    #[serde(default)]
    pub(super) match_policy: MatchPolicy,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) enum MatchPolicy {
    Exact,
    #[default]
    Equivalent,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rule {
    #[serde(default)]
    pub(super) resource_names: Vec<String>,
    #[serde(default)]
    pub(super) operations: Vec<String>,
    #[serde(default)]
    pub(super) api_groups: Vec<String>,
    #[serde(default)]
    pub(super) api_versions: Vec<String>,
    #[serde(default)]
    pub(super) resources: Vec<String>,
    pub(super) scope: Option<String>,
}

/// A label selector; an empty one fits everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selector {
    /// Labels with their values, all of which must be there.
    #[serde(default)]
    pub match_labels: std::collections::BTreeMap<String, String>,
    /// Further requirements, all of which must hold.
    #[serde(default)]
    pub match_expressions: Vec<Requirement>,
}

/// What is required of one label.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// What is required of it.
    pub operator: Operator,
    /// Values that it may or may not have.
    #[serde(default)]
    pub values: Vec<String>,
}

/// What is required of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Operator {
    /// It has one of the values.
    In,
    /// It has none of the values, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl Selector {
    /// Whether a Namespace of this name, as far as it is known, fits. Its name is a label of it.
    pub fn selects_namespace(&self, name: &str, namespace: Option<&Value>) -> bool {
        super::matching::selects_namespace(self, name, namespace)
    }

    /// Whether it fits everything.
    pub(super) fn is_everything(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BindingSpec {
    pub(super) policy_name: String,
    pub(super) param_ref: Option<ParamRef>,
    pub(super) match_resources: Option<MatchResources>,
    #[serde(default)]
    pub(super) validation_actions: Vec<Action>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum Action {
    Deny,
    Warn,
    Audit,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ParamRef {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    pub(super) selector: Option<Selector>,
    pub(super) parameter_not_found_action: Option<NotFound>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum NotFound {
    Allow,
    Deny,
}

/// Reads a policy.
pub(super) fn policy(manifest: &Manifest) -> Result<Policy, Problem> {
    let spec: PolicySpec = spec(manifest)?;
    let rules = spec.match_constraints.as_ref().map_or(0, |constraints| constraints.resource_rules.len());
    if rules == 0 {
        return Err(invalid("spec.matchConstraints.resourceRules is empty, so it would judge nothing"));
    }
    if spec.validations.is_empty() && spec.audit_annotations.is_empty() {
        return Err(invalid("it has neither validations nor auditAnnotations"));
    }
    Ok(Policy { name: manifest.id.name.clone(), spec })
}

/// Reads a binding.
pub(super) fn binding(manifest: &Manifest) -> Result<Binding, Problem> {
    let spec: BindingSpec = spec(manifest)?;
    if spec.validation_actions.is_empty() {
        return Err(invalid("spec.validationActions is empty"));
    }
    let both = [Action::Deny, Action::Warn].iter().all(|action| spec.validation_actions.contains(action));
    if both {
        return Err(invalid("spec.validationActions must not have both Deny and Warn"));
    }
    if let Some(reference) = &spec.param_ref {
        if reference.name.is_empty() == reference.selector.is_none() {
            return Err(invalid("spec.paramRef needs one of name and selector"));
        }
        if reference.parameter_not_found_action.is_none() {
            return Err(invalid("spec.paramRef.parameterNotFoundAction is missing"));
        }
    }
    Ok(Binding { name: manifest.id.name.clone(), spec })
}

fn spec<T: for<'de> Deserialize<'de>>(manifest: &Manifest) -> Result<T, Problem> {
    if manifest.api_version != "admissionregistration.k8s.io/v1" {
        let message = format!("{} is not admissionregistration.k8s.io/v1", manifest.api_version);
        return Err(Problem::new("InvalidPolicy", message).hint("write it in version v1"));
    }
    let spec = manifest.body.get("spec").cloned().unwrap_or(Value::Null);
    serde_json::from_value(spec).map_err(|error| invalid(&format!("spec: {error}")))
}

fn invalid(message: &str) -> Problem {
    Problem::new("InvalidPolicy", message)
}
