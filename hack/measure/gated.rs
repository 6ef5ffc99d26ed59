//! What review costs: the time from a webhook to what is live, of the same change with and without review, of signed
//! approvals in Git and of those on a real forge.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::forge::People;
use crate::git_remote::{WorkingCopy, git};
use crate::lab::manifests::deployment;
use crate::lab::{Agent, Lab, Tenant, both, tandem, wait_for};
use crate::scene::webhook_at;
use crate::signing::{Keys, SshKey};
use crate::watcher::Watcher;

/// How long one change may take.
const LONG: Duration = Duration::from_secs(120);
/// So often each is measured, unless said.
const RUNS: usize = 10;

/// By what a commit is let pass, and how it comes to the branch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A push; no review.
    Push,
    /// A push of what a signed note approves.
    Notes,
    /// The merge of a pull request; no review.
    Merge,
    /// The merge of a pull request that somebody approved on the forge.
    Forge,
    /// The same, where its review was judged before the merge.
    Foreseen,
}

impl Way {
    const ALL: [Self; 5] = [Self::Push, Self::Notes, Self::Merge, Self::Forge, Self::Foreseen];

    fn word(self) -> &'static str {
        match self {
            Self::Push => "push, no review",
            Self::Notes => "push, approved in Git notes",
            Self::Merge => "merge, no review",
            Self::Forge => "merge, approved on the forge",
            Self::Foreseen => "merge, approved and foreseen",
        }
    }
}

/// Measures each way so often, in turn; a row for each.
pub fn measure(runs: Option<usize>) -> Vec<Value> {
    let runs = runs.unwrap_or(RUNS);
    let lab = Lab::start("gated");
    let agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let watcher = Watcher::start(lab.kubeconfig());
    let mut stages: Vec<Stage<'_>> = Way::ALL.into_iter().map(|way| Stage::new(&lab, &watcher, way)).collect();
    let mut took: Vec<Vec<f64>> = vec![Vec::new(); stages.len()];
    // The first change of each warms up what is the same for all.
    for run in 0..=runs {
        for (stage, took) in stages.iter_mut().zip(&mut took) {
            let seconds = stage.change(&agent, run).as_secs_f64();
            eprintln!("{run}: {}: {seconds:.3} s", stage.way.word());
            if run > 0 {
                took.push(seconds);
            }
        }
    }
    let log = crate::lab::root().join("target/bench-gated.log");
    std::fs::write(&log, agent.log()).expect("writes");
    eprintln!("the agent's log is in {}", log.display());
    let medians: Vec<f64> = took.iter_mut().map(|all| median(all)).collect();
    let rows = Way::ALL.into_iter().zip(&took).zip(&medians).map(|((way, all), median)| {
        let more = match way {
            Way::Push | Way::Merge => Value::Null,
            Way::Notes => json!(median - medians[0]),
            Way::Forge | Way::Foreseen => json!(median - medians[2]),
        };
        json!({"way": way.word(), "runs": all.len(), "min": all.first(), "median": median, "max": all.last(), "more": more})
    });
    rows.collect()
}

/// The middle of what is sorted here.
fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    match all.len() {
        0 => 0.0,
        n if n % 2 == 1 => all[n / 2],
        n => f64::midpoint(all[n / 2 - 1], all[n / 2]),
    }
}

/// A repository on a forge of its own, and what follows it.
struct Stage<'a> {
    way: Way,
    watcher: &'a Watcher,
    tenant: Tenant<'a>,
    forge: People,
    copy: WorkingCopy,
    ada: SshKey,
    bob: SshKey,
    generation: i64,
    _keys: Keys,
    _work: TempDir,
}

impl<'a> Stage<'a> {
    fn new(lab: &'a Lab, watcher: &'a Watcher, way: Way) -> Self {
        let forge = People::new(&[("ada", "write"), ("bob", "write"), ("agent", "write")]);
        let (tenant, keys) = (Tenant::new(lab), Keys::new());
        let [ada, bob] = ["ada", "bob"].map(|name| keys.ssh(name, &["-t", "ed25519"]));
        let work = TempDir::new().expect("folder");
        let copy = WorkingCopy { path: work.path().join("copy"), bare: work.path().join("none") };
        git(work.path(), &["init", "-q", "-b", "main", "copy"]);
        copy.git(&["remote", "add", "origin", &forge.url()]);
        // What is approved is named by where it is deployed from: no password stands in that.
        let login = STANDARD.encode(format!("ada:{}", forge.password("ada")));
        copy.git(&["config", "http.extraHeader", &format!("Authorization: Basic {login}")]);
        keys.use_ssh(&copy, &ada);
        let stage = Self { way, watcher, tenant, forge, copy, ada, bob, generation: 1, _keys: keys, _work: work };
        let owners = stage.owners();
        let first = stage.copy.push("0", &[(".tandem/owners.yaml", &owners), ("deploy/app.yaml", &app(0))]);
        let namespace = stage.tenant.namespace.clone();
        let token = stage.forge.token(&["write:repository", "write:issue", "read:user"]);
        lab.apply(&stage.forge.secrets(&namespace, &token));
        lab.apply(&format!(
            "{{apiVersion: v1, kind: Secret, metadata: {{name: hook, namespace: {namespace}}}, stringData: {{token: {}}}}}",
            crate::scene::KEY
        ));
        let digest = tandem::revision::review::digest(owners.as_bytes());
        let review =
            |forge: bool| format!("review: {{forge: {forge}, since: {{commit: '{first}', owners: '{digest}'}}}}");
        let review = match way {
            Way::Push | Way::Merge => String::new(),
            Way::Notes => review(false),
            Way::Forge => format!("forge: {{type: Gitea, secretRef: {{name: forge}}}}, {}", review(true)),
            Way::Foreseen => format!(
                "forge: {{type: Gitea, secretRef: {{name: forge}}}}, publish: {{plan: {{serviceAccountName: tandem-plan, interval: 1h}}}}, {}",
                review(true)
            ),
        };
        // Of the polls of this hour, none is within the run.
        let more = format!(
            "interval: 1h, serviceAccountName: deployer, auth: {{secretRef: {{name: git}}}}, webhook: {{secretRef: {{name: hook}}}}, {review}"
        );
        stage.tenant.repository_at("repo", &stage.forge.url(), &more);
        stage.tenant.sync("sync", "deploy", "");
        stage.tenant.wait_applied("sync", &first);
        stage
    }

    fn owners(&self) -> String {
        let person = |name: &str, key: &SshKey| {
            let account = format!("{{forge: '{}', id: {}}}", self.forge.host(), self.forge.ids[name]);
            format!(
                "  - {{name: {name}, emails: [{name}@example.com], accounts: [{account}], keys: ['{}']}}\n",
                key.public
            )
        };
        let people = person("ada", &self.ada) + &person("bob", &self.bob);
        format!(
            "apiVersion: tandemcd.io/v1alpha1\nkind: Owners\nmetadata: {{name: owners}}\nspec:\n  people:\n{people}  ops: [bob]\n  rules:\n  - {{paths: [/deploy/], dev: [ada, bob]}}\n"
        )
    }

    /// Makes a change, has it reviewed where that is asked, and brings it to the branch; time runs from the webhook until
    /// another client of the API server has seen the object.
    fn change(&mut self, agent: &Agent, run: usize) -> Duration {
        let branch = format!("change-{run}");
        self.copy.git(&["checkout", "-q", "-B", &branch]);
        self.copy.commit(&branch, &[("deploy/app.yaml", &app(run + 1))]);
        match self.way {
            Way::Push => {}
            Way::Notes => self.approve(),
            Way::Merge | Way::Forge | Way::Foreseen => self.merge(agent, &branch),
        }
        if matches!(self.way, Way::Push | Way::Notes) {
            self.copy.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]);
        }
        let from = Instant::now();
        webhook_at(agent, &self.tenant.namespace);
        self.generation += 1;
        let (key, wanted) = ((self.tenant.namespace.clone(), "app".to_owned()), self.generation);
        let live = self.watcher.wait(LONG, self.way.word(), |seen| {
            seen.deployments.get(&key).is_some_and(|generation| *generation >= wanted)
        });
        // The next one begins where all is done.
        self.copy.git(&["fetch", "-q", "origin", "main"]);
        self.copy.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
        self.tenant.wait_applied("sync", &self.copy.git(&["rev-parse", "HEAD"]));
        live.saturating_duration_since(from)
    }

    /// Signs an approval of the commit at hand, and pushes it.
    fn approve(&self) {
        let mut command = tandem();
        command
            .args(["approve", "--yes", "--ref", "refs/heads/main", "--key"])
            .arg(&self.bob.private)
            .current_dir(&self.copy.path);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        let output = command.output().expect("the program runs");
        assert!(output.status.success(), "{}", both(&output));
    }

    /// Proposes the commit at hand, has it approved where that is asked, and merges it.
    fn merge(&self, agent: &Agent, branch: &str) {
        self.copy.git(&["push", "-q", "origin", &format!("HEAD:refs/heads/{branch}")]);
        let number = self.forge.propose("ada", branch, "main");
        let path = format!("{}/pulls/{number}", People::REPOSITORY);
        if matches!(self.way, Way::Forge | Way::Foreseen) {
            self.forge.ok("bob", "POST", &format!("{path}/reviews"), &json!({"event": "APPROVED", "body": "well"}));
        }
        wait_for("the forge to take note of what was pushed", || {
            let get = |path: &str| self.forge.ask("ada", "GET", path, &Value::Null).1;
            let (shown, reference) = (get(&path), get(&format!("{}/git/refs/pull/{number}/head", People::REPOSITORY)));
            let reference = if reference.is_array() { reference[0].clone() } else { reference };
            let (branch, noted) = (&shown["head"]["sha"], &reference["object"]["sha"]);
            if branch.is_string() && branch == noted { Ok(()) } else { Err(format!("{branch} is not {noted}")) }
        });
        if self.way == Way::Foreseen {
            webhook_at(agent, &self.tenant.namespace);
            let head = self.copy.git(&["rev-parse", "HEAD"]);
            wait_for("the review to be told", || {
                let path = format!("{}/commits/{head}/statuses", People::REPOSITORY);
                let all = self.forge.ask("ada", "GET", &path, &Value::Null).1;
                // The plan is told last.
                let done = |context: &str| {
                    let mut all = all.as_array().into_iter().flatten();
                    all.any(|one| one["context"] == context && one["status"] == "success")
                };
                if done("tandem/lab/review") && done("tandem/lab/plan") { Ok(()) } else { Err(all.to_string()) }
            });
        }
        wait_for("the merge", || {
            let (status, answer) = self.forge.ask("bob", "POST", &format!("{path}/merge"), &json!({"Do": "merge"}));
            if status == 200 { Ok(()) } else { Err(format!("{status} {answer}")) }
        });
    }
}

/// A Deployment without Pods, each time another.
fn app(revision: usize) -> String {
    deployment("app", "replicas: 0", &format!("registry.example.com/app:{revision}"))
}
