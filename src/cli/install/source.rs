//! The objects that tie a cluster to a repository: credentials, Repository, accounts, Sync.

use serde_json::{Value, json};

use super::rights::Rights;
use crate::api::{GROUP, VERSION};
use crate::object::annotation;

/// Account of the agent, in its namespace.
const AGENT_ACCOUNT: &str = "tandem";

/// What the first Sync is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSync {
    /// Namespace of all its objects: the agent's.
    pub namespace: String,
    /// Name of the Repository and the Sync, and beginning of the names of the others.
    pub name: String,
    /// The repository.
    pub url: String,
    /// Its branch.
    pub branch: String,
    /// Folder in it.
    pub path: String,
    /// Whether a Secret proves that it may be read.
    pub access: Access,
}

/// Who may read the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever has what the Secret holds.
    Secret,
}

impl FirstSync {
    /// Name of the Secret with the credentials.
    pub fn secret(&self) -> String {
        format!("{}-git", self.name)
    }

    /// Name of the account that reads it.
    pub fn reader(&self) -> String {
        format!("{}-git", self.name)
    }

    /// Name of the account that deploys.
    pub fn deployer(&self) -> String {
        format!("{}-deployer", self.name)
    }

    /// Accounts, and the right of the agent to act as them: the recipe for any other Sync.
    pub fn accounts(&self) -> Vec<Value> {
        let mut objects = vec![self.object("v1", "ServiceAccount", &self.deployer(), json!({}))];
        let mut names = vec![self.deployer()];
        if self.access == Access::Secret {
            names.push(self.reader());
            let secret = json!([{
                "apiGroups": [""], "resources": ["secrets"], "resourceNames": [self.secret()],
                "verbs": ["get", "list", "watch"],
            }]);
            objects.push(self.object("v1", "ServiceAccount", &self.reader(), json!({})));
            objects.push(self.object(RBAC, "Role", &self.reader(), json!({"rules": secret})));
            objects.push(self.binding(&self.reader(), &self.reader()));
        }
        let impersonator = format!("{}-impersonator", self.name);
        let act_as = json!([{
            "apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": names, "verbs": ["impersonate"],
        }]);
        objects.push(self.object(RBAC, "Role", &impersonator, json!({"rules": act_as})));
        objects.push(self.binding(&impersonator, AGENT_ACCOUNT));
        objects
    }

    /// What the deploying account may do, and nothing else. Its own namespace is left to the end
    /// of names: several Syncs may have rights in one namespace.
    pub fn rights(&self, rights: &Rights) -> Vec<Value> {
        let role_name = format!("tandem-{}-{}", self.namespace, self.name);
        let subjects = json!([{"kind": "ServiceAccount", "name": self.deployer(), "namespace": self.namespace}]);
        let mut objects = Vec::new();
        if !rights.cluster.is_empty() {
            objects.push(labelled(RBAC, "ClusterRole", None, &role_name, json!({"rules": rights.cluster})));
            let binding = json!({"roleRef": role_ref("ClusterRole", &role_name), "subjects": subjects});
            objects.push(labelled(RBAC, "ClusterRoleBinding", None, &role_name, binding));
        }
        for (namespace, rules) in &rights.namespaces {
            objects.push(labelled(RBAC, "Role", Some(namespace), &role_name, json!({"rules": rules})));
            let binding = json!({"roleRef": role_ref("Role", &role_name), "subjects": subjects});
            objects.push(labelled(RBAC, "RoleBinding", Some(namespace), &role_name, binding));
        }
        objects
    }

    /// Repository and Sync.
    pub fn sync(&self) -> Vec<Value> {
        let mut repository = json!({"spec": {"url": self.url, "ref": {"branch": self.branch}}});
        if self.access == Access::Secret {
            repository["spec"]["auth"] = json!({"secretRef": {"name": self.secret()}});
            repository["spec"]["serviceAccountName"] = json!(self.reader());
        }
        let sync = json!({"spec": {
            "repositoryRef": {"name": self.name}, "path": self.path, "serviceAccountName": self.deployer(),
        }});
        let api_version = format!("{GROUP}/{VERSION}");
        vec![
            self.object(&api_version, "Repository", &self.name, repository),
            self.object(&api_version, "Sync", &self.name, sync),
        ]
    }

    /// The Secret with the credentials; values as texts.
    pub fn credentials(&self, values: &[(&str, &str)]) -> Value {
        let data: serde_json::Map<String, Value> =
            values.iter().map(|(key, value)| ((*key).to_owned(), json!(encode(value)))).collect();
        self.object("v1", "Secret", &self.secret(), json!({"type": "Opaque", "data": data}))
    }

    fn object(&self, api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
        labelled(api_version, kind, Some(&self.namespace), name, rest)
    }

    fn binding(&self, role: &str, account: &str) -> Value {
        let subjects = json!([{"kind": "ServiceAccount", "name": account, "namespace": self.namespace}]);
        self.object(RBAC, "RoleBinding", role, json!({"roleRef": role_ref("Role", role), "subjects": subjects}))
    }
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

fn role_ref(kind: &str, name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name})
}

fn labelled(api_version: &str, kind: &str, namespace: Option<&str>, name: &str, mut rest: Value) -> Value {
    let mut metadata = json!({
        "name": name,
        "labels": {"app.kubernetes.io/part-of": "tandem"},
        // Committed, they may be lost in a later commit: nobody would be left to bring them back.
        "annotations": {annotation::PRUNE: "disabled"},
    });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    rest["apiVersion"] = json!(api_version);
    rest["kind"] = json!(kind);
    rest["metadata"] = metadata;
    rest
}

fn encode(value: &str) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(value)
}

/// A name from the last part of a URL: `https://host/shop/Deploy_Prod.git` is `deploy-prod`.
pub fn name_of(url: &str) -> String {
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let last = last.strip_suffix(".git").unwrap_or(last).to_lowercase();
    let name: String = last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    name.trim_matches('-').to_owned()
}
