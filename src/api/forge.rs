//! Parts of a `Repository`: its forge, what others must say there, and what is told there.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LocalSecretRef;

/// A forge: where it answers, and as whom it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Forge {
    /// Whose API it speaks.
    pub r#type: ForgeType,
    /// Where its API is, `https://` (`http://` to a loopback address). Unless said, it is the API of the host in `url`:
    /// `https://api.github.com` of github.com, else `/api/v3` of GitHub, `/api/v4` of GitLab, `/api/v1` of Gitea. The
    /// token is sent there and nowhere else, so whoever may change this may have the token.
    #[serde(default, rename = "apiURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub api_url: Option<String>,
    /// Secret with the key `token`, or with `githubAppID`, `githubAppPrivateKey` and `githubAppInstallationID` (the one
    /// that has the repository, where it is left out) of a GitHub App; and `ca.crt` where other certificate authorities
    /// than the system's count. It is read as `spec.serviceAccountName`.
    pub secret_ref: LocalSecretRef,
}

/// Whose API a forge speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ForgeType {
    /// GitHub, and GitHub Enterprise Server.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
}

/// What others must say of a commit before it is deployed.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("[has(self.creator), has(self.app), has(self.keys) && self.keys.size() > 0].filter(x, x).size() == 1").message("a check says by whom it is: creator for a commit status, app for a check run of GitHub, keys for a coverage file in refs/notes/coverage"))]
#[x_kube(validation = Rule::new("!has(self.keys) || self.keys.size() == 0 || has(self.coverage)").message("keys sign coverage files, so coverage must say how much is enough"))]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Its name there: the context of a commit status, the name of a check run, or what a coverage file was attached as
    /// (`tandem attach-coverage --context`).
    #[schemars(length(min = 1, max = 255))]
    pub context: String,
    /// Number of the user whose commit status it is. A name alone anybody may use who may write statuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_i64))]
    pub creator: Option<u64>,
    /// Number of the GitHub App whose check run it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_i64))]
    pub app: Option<u64>,
    /// Public SSH keys of CI, any of which signs coverage files (lcov, Cobertura) that it attaches to commits as notes in
    /// `refs/notes/coverage`. No forge is asked for these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(max = 4096), regex(pattern = "^(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( [^\\n\\r]*)?$"))
    )]
    pub keys: Vec<String>,
    /// Of which commit it is.
    #[serde(default)]
    pub commit: CheckCommit,
    /// Its description, or the coverage file, says how much of the code is covered, such as `81.2%`, and that must be enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<CheckCoverage>,
}

/// Of which commit a check is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CheckCommit {
    /// The commit that is deployed, as it is on the branch.
    #[default]
    Merged,
    /// The head of the pull request that each step was proven to be the merge of, as approvals of it are; it needs
    /// `spec.review.forge`. What came by no pull request is held.
    Head,
}

/// How much of the code must be covered, in percent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckCoverage {
    /// At least.
    #[schemars(range(max = 100))]
    pub min: u32,
    /// No more below the commit that is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub max_drop: Option<u32>,
}

/// What is told on the forge.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!has(self.plan) || !has(self.commitStatus) || !has(self.commitStatus.group) || self.commitStatus.group != 'plan'").message("commitStatus.group cannot be plan: that is the status of plans"))]
#[serde(rename_all = "camelCase")]
pub struct Publish {
    /// One status of each commit, under the context `tandem/<cluster>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_status: Option<CommitStatusSettings>,
    /// One deployment of each commit to an environment, on GitHub and GitLab; Gitea and Forgejo have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployments: Option<DeploymentSettings>,
    /// What merging each open pull request into `ref.branch` would change: one comment, and one status of its head under
    /// the context `tandem/<cluster>/plan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanSettings>,
}

/// How the plans of pull requests are made and told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanSettings {
    /// Account in this namespace as which live objects are read and dry-runs are made: `tandem-plan`, or a name that begins
    /// with `tandem-plan-`, for these are refused every write by the policy of `plan.yaml`. What it may read, everybody
    /// may read who sees the pull request.
    #[schemars(length(max = 253), regex(pattern = "^tandem-plan(-[a-z0-9]([a-z0-9-]*[a-z0-9])?)?$"))]
    pub service_account_name: String,
    /// A label that lets the head of a fork be planned as any other, this one head alone, when somebody gives it who may
    /// write to the repository. Without it, forks are told what their files alone say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub label: Option<String>,
    /// With a group the context is `tandem/<cluster>/<group>/plan` (and `/review`), and the comment is one of its own. Needed where two
    /// Repositories of this cluster tell of the same remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub group: Option<String>,
    /// How often the forge is asked for pull requests, 1m unless said; a webhook makes news immediate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = super::DURATION))]
    pub interval: Option<String>,
}

/// How the status of a commit is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitStatusSettings {
    /// With a group the context is `tandem/<cluster>/<group>`. Needed where two Repositories of this cluster tell of the
    /// same remote, since both would write the same status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub group: Option<String>,
}

/// How the deployment of a commit is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentSettings {
    /// Name of the environment there, that of the cluster unless said. Another one is needed where two Repositories of
    /// this cluster tell of the same remote, since both would write the same deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255), regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9 ._/-]*[A-Za-z0-9])?$"))]
    pub environment: Option<String>,
    /// Where what is deployed answers; GitHub links to it.
    #[serde(default, rename = "environmentURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = "^https?://[^\\s]+$"))]
    pub environment_url: Option<String>,
    /// Where more is told of how it went; GitHub links to it.
    #[serde(default, rename = "logURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = "^https?://[^\\s]+$"))]
    pub log_url: Option<String>,
}
