//! Deployments on a forge: the agent tells a GitHub that is faked on the wire and held to what GitHub publishes of its API.

#[path = "../src/forge/described.rs"]
mod described;
#[allow(dead_code)] // the unit tests need more of it
#[path = "../src/forge/deployments/fake.rs"]
mod fake;

use tokio::runtime::Runtime;

use crate::git_remote::{Repositories, serve};
use crate::lab::manifests::{config, deployment};
use crate::lab::{Agent, Lab, Tenant, wait_for};
use fake::Fake;

const TOKEN: &str = "canary-of-the-forge";

/// The fake, on loopback until it is dropped.
struct GitHub {
    fake: Fake,
    api: String,
    _runtime: Runtime,
}

impl GitHub {
    fn start() -> Self {
        let (fake, runtime) = (Fake::default(), Runtime::new().expect("a runtime"));
        let api = runtime.block_on(fake.serve());
        Self { fake, api, _runtime: runtime }
    }

    /// What was told of a commit's one deployment, oldest first.
    fn told(&self, commit: &str) -> Vec<String> {
        let mut all = self.fake.deployments().into_iter().filter(|(sha, _, _)| sha == commit);
        let told = all.next().map(|(_, environment, told)| {
            assert_eq!(environment, "lab", "the name of the cluster");
            told
        });
        assert_eq!(all.count(), 0, "{commit} has one deployment");
        told.unwrap_or_default()
    }

    /// Waits until this was told last of a commit.
    fn wait(&self, commit: &str, status: &str) {
        wait_for(&format!("a deployment with {status}"), || {
            let told = self.told(commit);
            if told.last().is_some_and(|last| last == status) { Ok(()) } else { Err(format!("{told:?}")) }
        });
    }
}

#[test]
fn a_commit_has_one_deployment_that_is_never_green_too_early_and_outlives_a_restart() {
    const OVERTAKEN: &str = "inactive: a newer commit has taken its place";
    let (lab, github) = (Lab::start("deployments"), GitHub::start());
    let mut agent = Agent::start(&lab);
    let tenant = Tenant::new(&lab);
    let namespace = tenant.namespace.as_str();
    let repositories = Repositories::new();
    let (git, work) = (serve("git-http", &["--root", &repositories.root()]), repositories.create("shop/web"));
    let push = |name: &str, text: &str| work.push(name, &[(name, text)]);
    let first = push("deploy/a.yaml", &config("a", "{value: first}"));
    lab.apply(&format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: forge, namespace: {namespace}}}, stringData: {{token: {TOKEN}}}}}"
    ));
    tenant.sync("sync", "deploy", "");
    let more = format!(
        "interval: 1s, serviceAccountName: deployer, \
         forge: {{type: GitHub, apiURL: '{}', secretRef: {{name: forge}}}}, \
         publish: {{deployments: {{logURL: 'https://log.example.com/'}}}}",
        github.api
    );
    tenant.repository_at("repo", &git.repository("shop/web"), &more);
    github.wait(&first, "success: healthy 1/1");
    assert_eq!(github.fake.last("log_url"), "https://log.example.com/");

    let broken = push("deploy/a.yaml", "kind: [");
    github.wait(&broken, &format!("failure: failed: {namespace}/sync (BuildFailed); applied 0/1"));
    push("deploy/a.yaml", &config("a", "{value: second}"));
    let web = deployment("web", "replicas: 1", "registry.example.com/web:1");
    // No node takes its Pod.
    let stuck = web.replace("spec: {containers", "spec: {nodeSelector: {disk: none-such}, containers");
    let unhealthy = push("deploy/web.yaml", &stuck);
    github.wait(&unhealthy, "in_progress: applied 1/1");
    let mended = push("deploy/web.yaml", &web);
    github.wait(&mended, "success: healthy 1/1");
    github.wait(&first, "inactive: ");
    // What has come to no end comes to none later, whoever takes its place.
    assert!(github.told(&unhealthy).contains(&OVERTAKEN.to_owned()), "{:?}", github.told(&unhealthy));

    let before = github.fake.deployments();
    agent.kill();
    agent.restart();
    wait_for("a look at the forge", || {
        let log = agent.log();
        let looked = log.lines().any(|line| line.contains("looked at") && line.contains("healthy 1/1"));
        if looked { Ok(()) } else { Err(log) }
    });
    let again = push("deploy/web.yaml", &stuck);
    github.wait(&again, "in_progress: applied 1/1");
    let after = github.fake.deployments();
    assert_eq!(after[..before.len()], before, "nothing was told twice");

    agent.kill();
    let last = push("deploy/web.yaml", &web);
    agent.restart();
    github.wait(&last, "success: healthy 1/1");
    assert!(github.told(&again).contains(&OVERTAKEN.to_owned()), "after a restart too: {:?}", github.told(&again));
    for (commit, _, told) in github.fake.deployments() {
        let end = told.iter().position(|status| status.starts_with("success") || status.starts_with("failure"));
        let working = |status: &String| status.starts_with("in_progress") || status.starts_with("inactive");
        assert!(told[..end.unwrap_or(told.len())].iter().all(working), "{commit}: {told:?}");
        assert!(told.len() <= 5, "few calls: {told:?}");
        let unhealthy = commit == unhealthy || commit == again;
        assert!(!unhealthy || end.is_none(), "it was never healthy: {told:?}");
    }
    assert!(!agent.log().contains(TOKEN), "the token stands in no log");
}
