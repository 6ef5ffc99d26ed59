//! A namespace with an account that may deploy, a Repository and a Sync.

use super::{Lab, Repo, unique};

/// Namespace, account, and the right of the agent to act as it.
fn recipe(namespace: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: deployer, namespace: {namespace}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: tandem-as-deployer, namespace: {namespace}}}
rules:
- {{apiGroups: [''], resources: [serviceaccounts], resourceNames: [deployer], verbs: [impersonate]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: tandem-as-deployer, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: tandem-as-deployer}}
subjects: [{{kind: ServiceAccount, name: tandem, namespace: tandem-system}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: deployer, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}
subjects: [{{kind: ServiceAccount, name: deployer, namespace: {namespace}}}]
"
    )
}

/// A tenant of the cluster.
pub struct Tenant<'a> {
    lab: &'a Lab,
    /// Its namespace: Repository, Sync and account are there, and objects that name no other.
    pub namespace: String,
}

impl<'a> Tenant<'a> {
    /// A namespace with the account `deployer`, which may do everything in it, and as which the
    /// agent may act.
    pub fn new(lab: &'a Lab) -> Self {
        let [tenant] = Self::several(lab, 1).try_into().unwrap_or_else(|_| panic!("one tenant"));
        tenant
    }

    /// Several such, made at once.
    pub fn several(lab: &'a Lab, count: usize) -> Vec<Self> {
        let tenants: Vec<_> = (0..count).map(|_| Self { lab, namespace: unique("tenant") }).collect();
        lab.apply(&tenants.iter().map(|tenant| recipe(&tenant.namespace)).collect::<String>());
        tenants
    }

    /// One whose account may do everything in the whole cluster.
    pub fn admin(lab: &'a Lab) -> Self {
        let tenant = Self::new(lab);
        let namespace = &tenant.namespace;
        lab.apply(&format!(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {namespace}-admin}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}
subjects: [{{kind: ServiceAccount, name: deployer, namespace: {namespace}}}]
"
        ));
        tenant
    }

    /// A Repository of this name, polled every second.
    pub fn repository(&self, name: &str, repo: &Repo) {
        self.repository_at(name, &repo.url, "interval: 1s");
    }

    /// A Repository at a URL; `more` are further fields of its spec, such as `interval: 1s`.
    pub fn repository_at(&self, name: &str, url: &str, more: &str) {
        self.lab.apply(&self.repository_yaml(name, url, more));
    }

    /// The manifest of [`Tenant::repository_at`], to be applied together with others.
    pub fn repository_yaml(&self, name: &str, url: &str, more: &str) -> String {
        format!(
            "---
apiVersion: tandemcd.io/v1alpha1
kind: Repository
metadata: {{name: {name}, namespace: {}}}
spec: {{url: '{url}', ref: {{branch: main}}, {more}}}
",
            self.namespace
        )
    }

    /// A Sync of this name over the Repository `repo`; `more` are further lines of its spec, such
    /// as `prune: Disabled`.
    pub fn sync(&self, name: &str, path: &str, more: &str) {
        self.lab.apply(&self.sync_yaml(name, path, more));
    }

    /// The manifest of [`Tenant::sync`], to be applied together with others.
    pub fn sync_yaml(&self, name: &str, path: &str, more: &str) -> String {
        let more: String = more.lines().map(|line| format!("  {line}\n")).collect();
        format!(
            "---
apiVersion: tandemcd.io/v1alpha1
kind: Sync
metadata: {{name: {name}, namespace: {}}}
spec:
  repositoryRef: {{name: repo}}
  path: '{path}'
  serviceAccountName: deployer
{more}",
            self.namespace
        )
    }

    /// A Repository `repo` and a Sync `sync` over the folder `deploy` of it.
    pub fn deploy(&self, repo: &Repo, more: &str) {
        self.repository("repo", repo);
        self.sync("sync", "deploy", more);
    }

    /// Waits until the Sync has applied this commit, and is ready.
    pub fn wait_applied(&self, sync: &str, commit: &str) -> serde_json::Value {
        self.lab.wait(&self.namespace, &format!("sync/{sync}"), |object| {
            let applied = object["status"]["appliedRevision"].as_str().unwrap_or_default();
            let ready = super::condition_of(object, "Ready").is_some_and(|c| c["status"] == "True");
            if applied.ends_with(commit) && ready { Ok(()) } else { Err(format!("{:#}", object["status"])) }
        })
    }

    /// Waits until a condition of the Sync has this status and reason.
    pub fn wait_reason(&self, sync: &str, condition: &str, reason: &str) -> serde_json::Value {
        self.lab.wait(&self.namespace, &format!("sync/{sync}"), |object| match super::condition_of(object, condition) {
            Some(c) if c["reason"] == reason => Ok(()),
            _ => Err(format!("{:#}", object["status"])),
        })
    }

    /// Waits until a condition of the Sync has a message with all of these words.
    pub fn wait_message(&self, sync: &str, condition: &str, words: &[&str]) -> serde_json::Value {
        self.lab.wait(&self.namespace, &format!("sync/{sync}"), |object| {
            let message = super::condition_of(object, condition).and_then(|c| c["message"].as_str());
            match message {
                Some(text) if words.iter().all(|word| text.contains(word)) => Ok(()),
                _ => Err(format!("{condition} has not {words:?}: {:#}", object["status"])),
            }
        })
    }

    /// Writes that the agent sent to objects of this namespace for a commit, dry-runs left out, as
    /// `verb resource/name`, in the order in which they were answered.
    pub fn writes(&self, commit: &str) -> Vec<String> {
        let writes = self.lab.audit(commit, |event| {
            let text = |field: &str| event[field].as_str().unwrap_or_default();
            matches!(text("verb"), "create" | "update" | "patch" | "delete")
                && text("userAgent").contains(commit)
                && !text("requestURI").contains("dryRun=All")
                && event["objectRef"]["namespace"] == self.namespace.as_str()
                && event["objectRef"]["apiGroup"] != "tandemcd.io"
                && event["objectRef"]["resource"] != "events"
        });
        let told = |event: &serde_json::Value| {
            let text = |field: &str| event["objectRef"][field].as_str().unwrap_or_default().to_owned();
            format!("{} {}/{}", event["verb"].as_str().unwrap_or_default(), text("resource"), text("name"))
        };
        writes.iter().map(told).collect()
    }
}

impl Drop for Tenant<'_> {
    /// Others go on with the same agent, which polls each Repository every second: what nobody looks at any more would
    /// take most of the machine in the end. What the test has made stays otherwise, for whoever looks for what went wrong.
    fn drop(&mut self) {
        if self.lab.outlives {
            let gone = ["delete", "repositories.tandemcd.io", "--all", "--wait=false", "--request-timeout=10s"];
            let _ = self.lab.kubectl().args(["-n", &self.namespace]).args(gone).output();
        }
    }
}
