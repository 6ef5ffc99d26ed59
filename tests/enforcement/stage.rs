//! A tenant with a repository of its own, and operations' one with a Standard over it.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::lab::{Agent, Lab, Repo, Tenant, condition_of, unique};

/// A control plane for Standards alone: those of other tests would be held by one that has nothing in force.
pub fn shared() -> &'static (Lab, Agent) {
    static SHARED: OnceLock<(Lab, Agent)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let lab = Lab::for_many("standards");
        let agent = Agent::start(&lab);
        (lab, agent)
    })
}

/// Which objects a policy speaks of.
pub fn rules(group: &str, resource: &str, operations: &[&str]) -> Value {
    json!({"resourceRules": [
        {"apiGroups": [group], "apiVersions": ["v1"], "operations": operations, "resources": [resource]}]})
}

/// A policy with a binding of its name.
pub fn policy(name: &str, spec: &Value, actions: &[&str]) -> String {
    let group = "admissionregistration.k8s.io/v1";
    let policy =
        json!({"apiVersion": group, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec});
    let binding = json!({"apiVersion": group, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": actions}});
    format!("---\n{policy}\n---\n{binding}\n")
}

/// A tenant and a Standard.
pub struct Stage<'a> {
    lab: &'a Lab,
    /// The tenant; the Repository of operations is in its namespace as well.
    pub tenant: Tenant<'a>,
    /// What the tenant deploys.
    pub app: Repo,
    /// The repository of operations.
    pub ops: Repo,
    /// Name of the Standard.
    pub name: String,
}

impl<'a> Stage<'a> {
    /// One whose account may do everything in its namespace.
    pub fn new(lab: &'a Lab) -> Self {
        Self::of(lab, Tenant::new(lab))
    }

    /// One whose account may do everything.
    pub fn admin(lab: &'a Lab) -> Self {
        Self::of(lab, Tenant::admin(lab))
    }

    fn of(lab: &'a Lab, tenant: Tenant<'a>) -> Self {
        Self { lab, tenant, app: Repo::new(), ops: Repo::new(), name: unique("standard") }
    }

    /// Namespace of the tenant.
    pub fn namespace(&self) -> &str {
        &self.tenant.namespace
    }

    /// Selects the namespace of the tenant alone.
    pub fn own_namespace(&self) -> Value {
        json!({"matchLabels": {"kubernetes.io/metadata.name": self.namespace()}})
    }

    /// A Standard with these policies, for the namespace of the tenant; `action` may be empty.
    pub fn standard(&self, policies: &str, action: &str) {
        self.standard_of(policies, &self.own_namespace());
        if !action.is_empty() {
            self.patch(&json!({"action": action}));
        }
    }

    /// A Standard with these policies, for namespaces that a selector names.
    pub fn standard_of(&self, policies: &str, selector: &Value) {
        self.policies(policies);
        self.tenant.repository("ops", &self.ops);
        self.apply_standard(selector);
    }

    /// The Standard alone.
    pub fn apply_standard(&self, selector: &Value) {
        let spec = json!({"repositoryRef": {"name": "ops", "namespace": self.namespace()}, "path": "policy",
            "namespaceSelector": selector});
        let standard = json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": "Standard", "metadata": {"name": self.name}, "spec": spec});
        self.lab.apply(&standard.to_string());
    }

    /// Puts other policies into the repository of operations.
    pub fn policies(&self, policies: &str) -> String {
        self.ops.write("policy/p.yaml", policies);
        self.ops.push("policies")
    }

    /// Pushes what was written, and waits until the Standard has looked at it.
    pub fn push_ops(&self, message: &str) {
        let commit = self.ops.push(message);
        self.wait_standard(|standard| match standard["status"]["attemptedRevision"].as_str() {
            Some(revision) if revision.ends_with(&commit) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }

    /// Changes the spec of the Standard.
    pub fn patch(&self, spec: &Value) {
        let patch = json!({"spec": spec}).to_string();
        self.lab.k(&["patch", "standard", &self.name, "--type=merge", "-p", &patch]);
    }

    /// A Repository and a Sync `sync` over the folder `deploy` of what the tenant deploys.
    pub fn deploy(&self, more: &str) {
        self.tenant.deploy(&self.app, more);
    }

    /// Waits until the Standard is as `check` wants it.
    pub fn wait_standard(&self, check: impl FnMut(&Value) -> Result<(), String>) -> Value {
        self.lab.wait("", &format!("standard/{}", self.name), check)
    }

    /// Waits until the newest revision of the Standard is in force.
    pub fn wait_ready(&self) -> Value {
        let head = self.ops.head();
        self.wait_standard(|standard| {
            let ready = condition_of(standard, "Ready").is_some_and(|c| c["status"] == "True");
            let accepted = standard["status"]["acceptedRevision"].as_str().is_some_and(|r| r.ends_with(&head));
            if ready && accepted { Ok(()) } else { Err(format!("{:#}", standard["status"])) }
        })
    }

    /// Waits until the Standard tells why its newest revision is not in force.
    pub fn wait_refused(&self, reason: &str, words: &[&str]) -> Value {
        self.wait_standard(|standard| {
            let ready = condition_of(standard, "Ready").cloned().unwrap_or_default();
            let message = ready["message"].as_str().unwrap_or_default();
            let so = ready["reason"] == reason
                && ready["status"] == "False"
                && words.iter().all(|word| message.contains(word));
            if so { Ok(()) } else { Err(format!("{reason} {words:?}: {:#}", standard["status"])) }
        })
    }

    /// Waits until the Sync is held for this reason, with these words.
    pub fn wait_held(&self, reason: &str, words: &[&str]) -> Value {
        self.lab.wait(self.namespace(), "sync/sync", |sync| {
            let of = |name: &str| condition_of(sync, name).cloned().unwrap_or_default();
            let (held, ready) = (of("Held"), of("Ready"));
            let message = held["message"].as_str().unwrap_or_default();
            let so = held["reason"] == reason && ready["reason"] == reason && ready["status"] == "False";
            if so && words.iter().all(|word| message.contains(word)) {
                Ok(())
            } else {
                Err(format!("{reason} {words:?}: {:#}", sync["status"]))
            }
        })
    }

    /// What is accepted is there, and comes back when it is deleted by hand.
    pub fn stays_healed(&self, name: &str, key: &str, value: &str) {
        let what = format!("configmap/{name}");
        self.lab.k(&["-n", self.namespace(), "delete", &what]);
        self.lab.wait(self.namespace(), &what, |object| match object["data"][key].as_str() {
            Some(found) if found == value => Ok(()),
            other => Err(format!("{other:?}, wanted {value}")),
        });
    }
}
