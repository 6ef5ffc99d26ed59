//! `tandem install` and `tandem uninstall`, from an empty cluster to one that keeps itself from
//! Git, and back.

use std::fs;
use std::io::Write;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::git_remote::{Repositories, Served, WorkingCopy, config_map, serve};
use crate::lab::{Agent, Lab, Terminal, both, run, tandem, wait_for};

const NAMESPACE: &str = "tandem-system";
const FOLDER: &str = "clusters/lab";
const TRUST: &str = "Is that what the host's owner publishes?";
const SHOP: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n";

/// An empty cluster, and a repository behind SSH that nobody may read yet.
struct World {
    lab: Lab,
    _repositories: Repositories,
    work: WorkingCopy,
    server: Served,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let (lab, repositories, folder) = (Lab::start("install"), Repositories::new(), TempDir::new().expect("folder"));
        let work = repositories.create("deploy");
        let keys = folder.path().join("authorized_keys");
        fs::write(&keys, "").expect("a file");
        let server =
            serve("git-ssh", &["--root", &repositories.root(), "--authorized-keys", &keys.display().to_string()]);
        Self { lab, _repositories: repositories, work, server, folder }
    }

    /// The program as the cluster's admin would call it.
    fn tandem(&self, arguments: &[&str]) -> Command {
        let mut command = tandem();
        command.args(arguments).current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path());
        command.env("KUBECONFIG", self.lab.kubeconfig()).env("TERM", "xterm");
        command
    }

    fn install(&self, more: &[&str]) -> Command {
        let url = self.server.repository("deploy");
        let common = ["install", "--cluster", "lab", "--url", &url, "--path", FOLDER, "--timeout", "150"];
        self.tandem(&[&common[..], more].concat())
    }

    /// What a forge does when somebody registers a deploy key.
    fn register(&self, key: &str) {
        let file = fs::File::options().append(true).open(self.folder.path().join("authorized_keys"));
        writeln!(file.expect("the file of keys"), "{key}").expect("writes");
    }

    /// `SHA256:…` of the host's key, by ssh-keygen.
    fn fingerprint(&self) -> String {
        let told = run(Command::new("ssh-keygen").args(["-l", "-f", &self.server.get("known_hosts_file")]));
        told.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    /// Writes of the command line so far, dry-runs left out.
    fn writes(&self) -> usize {
        let writes = self.lab.audit("(cli)", |event| {
            matches!(event["verb"].as_str(), Some("create" | "update" | "patch" | "delete"))
                && event["userAgent"].as_str().is_some_and(|agent| agent.contains("(cli)"))
                && !event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun=All"))
        });
        writes.len()
    }

    fn nothing_is_installed(&self) -> bool {
        self.lab.absent("", &format!("namespace/{NAMESPACE}")) && self.lab.absent("", "crd/syncs.tandemcd.io")
    }

    /// Each object of the agent with what a change of it by anybody would move.
    fn agent(&self) -> Vec<(String, String, Value)> {
        let exported = run(&mut self.install(&["--export"]));
        let objects: Vec<Value> = serde_yaml::from_multiple(&exported).expect("YAML");
        let told = |object: &Value| {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let group = text("/apiVersion").split_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
            let what = format!("{}{group}/{}", text("/kind"), text("/metadata/name"));
            let mut live = self.lab.get(text("/metadata/namespace"), &what);
            let uid = live["metadata"]["uid"].as_str().expect("uid").to_owned();
            live.as_object_mut().expect("an object").retain(|field, _| field != "metadata" && field != "status");
            (what, uid, live)
        };
        objects.iter().map(told).collect()
    }
}

fn assert_all(text: &str, wanted: &[&str]) {
    for word in wanted {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

#[test]
fn from_an_empty_cluster_to_one_that_keeps_itself_from_git_and_back() {
    let world = World::new();
    let lab = &world.lab;
    world.work.push("the shop", &[(&format!("{FOLDER}/shop.yaml"), &(SHOP.to_owned() + &in_shop("open")))]);

    plans_where_nothing_is_installed(&world);
    no_is_no(&world);
    let agent = installs_step_by_step(&world);
    assert_eq!(lab.get("shop", "configmap/shop")["data"]["key"], "open");
    asks_nothing_where_nothing_is_to_do(&world);
    puts_right_what_was_lost(&world);
    keeps_itself(&world);
    is_taken_away_by_no_commit_and_no_sync(&world);
    leaves_what_was_deployed(&world, agent);
}

fn in_shop(value: &str) -> String {
    config_map("shop", value).replace("name: shop", "name: shop\n  namespace: shop")
}

/// Before anything is installed: no kind of ours is there, and a plan needs none.
fn plans_where_nothing_is_installed(world: &World) {
    let folder = world.work.path.join(FOLDER).display().to_string();
    let output = world.tandem(&["plan", &folder]).output().expect("the program runs");
    let told = both(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_all(&told, &["Namespace/shop", "ConfigMap/shop/shop", "key: open"]);
    assert!(world.nothing_is_installed());
}

/// An unknown host is not trusted, and nothing is created, unless somebody says so.
fn no_is_no(world: &World) {
    let mut terminal = Terminal::start(world.install(&[]));
    let shown = terminal.answer(TRUST, "n");
    assert_all(&shown, &[&world.fingerprint()]);
    let (code, shown) = terminal.end();
    assert_eq!(code, 3, "{shown}");
    assert!(world.nothing_is_installed());

    let mut terminal = Terminal::start(world.install(&[]));
    terminal.answer(TRUST, "y");
    let shown = terminal.answer("Go on?", "n");
    assert_all(&shown, &["create Deployment.apps/tandem-system/tandem", "create Secret/tandem-system/deploy-git"]);
    let (code, shown) = terminal.end();
    assert_eq!(code, 1, "{shown}");
    assert_all(&shown, &["nothing further was changed"]);
    assert!(world.nothing_is_installed());
    assert_eq!(world.writes(), 0);

    // Without a terminal there is nobody to ask, and a script that has not seen the host's key says which it expects.
    for more in [&["--host-key", &world.fingerprint()][..], &["--yes"]] {
        let output = world.install(more).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(2), "{}", both(&output));
    }
    assert!(world.nothing_is_installed());
}

/// The agent comes up beside the cluster: the nodes of the lab run nothing.
fn installs_step_by_step(world: &World) -> Agent {
    let mut terminal = Terminal::start(world.install(&[]));
    terminal.answer(TRUST, "y");
    terminal.answer("Go on?", "yes");
    terminal.wait_shown("register this public key:\n");
    let key = terminal.wait_shown("\n");
    assert!(key.starts_with("ssh-ed25519 AAAA"), "{key}");
    terminal.wait_shown("as a deploy key of deploy on 127.0.0.1; reading is enough\n");
    world.register(key.trim());
    let shown = terminal.answer("Go on?", "y");
    let rights = [
        "create Sync.tandemcd.io/tandem-system/deploy",
        "everywhere: get, list, watch, create, patch, update, delete namespaces\n",
        "in shop: get, list, watch, create, patch, update, delete configmaps\n",
    ];
    assert_all(&shown, &rights);
    terminal.wait_shown("the agent runs: 1 of 1 (");
    terminal.wait_shown("no agent has looked at it yet");
    let agent = Agent::beside(&world.lab, None, &[]);
    let head = world.work.git(&["rev-parse", "HEAD"]);
    terminal.wait_shown(&format!("a commit is fetched: main@sha1:{head} ("));
    terminal.wait_shown(&format!("the cluster equals it: main@sha1:{head} ("));
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert_all(&shown, &["Sync tandem-system/deploy is ready in cluster lab: ", " created\n"]);
    agent
}

fn asks_nothing_where_nothing_is_to_do(world: &World) {
    let before = world.writes();
    assert_ne!(before, 0);
    let output = world.install(&[]).output().expect("the program runs");
    let told = both(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_all(&told, &["Sync tandem-system/deploy is ready in cluster lab: nothing to do\n"]);
    assert_eq!(world.writes(), before, "{told}");
}

fn puts_right_what_was_lost(world: &World) {
    world.lab.k(&["delete", "-n", NAMESPACE, "rolebinding", "deploy-impersonator"]);
    world.lab.k(&["scale", "-n", NAMESPACE, "deployment/tandem", "--replicas=2"]);
    let output = world.install(&["--yes"]).output().expect("the program runs");
    let told = both(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let wanted = [
        "create RoleBinding.rbac.authorization.k8s.io/tandem-system/deploy-impersonator",
        "configure Deployment.apps/tandem-system/tandem",
        "1 created, 1 configured\n",
    ];
    assert_all(&told, &wanted);
    assert_eq!(world.lab.get(NAMESPACE, "deployment/tandem")["spec"]["replicas"], 1);
}

/// What `--export` prints is committed, and Git keeps the agent from then on.
fn keeps_itself(world: &World) {
    let before = world.agent();
    let exported = run(&mut world.install(&["--export"]));
    let file = format!("{FOLDER}/tandem.yaml");
    let second = world.work.push("the agent", &[(&file, &exported)]);
    let output = world.install(&["--yes"]).output().expect("the program runs");
    let told = both(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_all(&told, &[&format!("{FOLDER} holds the agent itself: from now on Git keeps it"), &second]);
    assert_eq!(world.agent(), before, "Git says what was there");
    let owner = |what: &str| {
        world.lab.get(NAMESPACE, what)["metadata"]["annotations"]["tandemcd.io/owner"].as_str().map(str::to_owned)
    };
    assert_eq!(owner("deployment/tandem").as_deref(), Some("lab/tandem-system/deploy"));

    let changed = exported.replacen(
        "kind: Deployment\nmetadata:\n  name: tandem\n  namespace: tandem-system\n  annotations:\n    tandemcd.io/prune: disabled\n  labels:\n",
        "kind: Deployment\nmetadata:\n  name: tandem\n  namespace: tandem-system\n  annotations:\n    tandemcd.io/prune: disabled\n  labels:\n    team: platform\n",
        1,
    );
    assert_ne!(changed, exported);
    let third = world.work.push("the agent belongs to a team", &[(&file, &changed)]);
    let output = world.tandem(&["reconcile", "repository/deploy", "-n", NAMESPACE]).output().expect("the program runs");
    assert_all(&both(&output), &["is ready at", &third[..8]]);
    world.lab.wait(NAMESPACE, "sync/deploy", |sync| {
        let applied = sync["status"]["appliedRevision"].as_str().unwrap_or_default();
        if applied.ends_with(&third) { Ok(()) } else { Err(sync["status"].to_string()) }
    });
    let team = |object: &Value| object["metadata"]["labels"]["team"].as_str().map(str::to_owned);
    assert_eq!(team(&world.lab.get(NAMESPACE, "deployment/tandem")).as_deref(), Some("platform"));

    // What Git keeps is no longer the business of `install`.
    let writes = world.writes();
    let output = world.install(&[]).output().expect("the program runs");
    let told = both(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_all(&told, &["nothing to do\n"]);
    assert_eq!(world.writes(), writes, "{told}");
    assert_eq!(team(&world.lab.get(NAMESPACE, "deployment/tandem")).as_deref(), Some("platform"));
}

/// A commit that loses a file, and a Sync that takes along what it owned, leave the agent where it is.
fn is_taken_away_by_no_commit_and_no_sync(world: &World) {
    let lab = &world.lab;
    let own = [
        "serviceaccount/tandem",
        "deployment/tandem",
        "role/tandem-agent",
        "rolebinding/tandem-agent",
        "clusterrole/tandem-agent",
        "clusterrole/tandem-observer",
        "clusterrole/tandem-observer-builtin",
        "clusterrolebinding/tandem-agent",
        "clusterrolebinding/tandem-observer",
        "serviceaccount/deploy-deployer",
        "rolebinding/deploy-impersonator",
        "repository/deploy",
        "namespace/tandem-system",
        "crd/syncs.tandemcd.io",
        "crd/repositories.tandemcd.io",
    ];
    let uids = || own.map(|what| lab.get(NAMESPACE, what)["metadata"]["uid"].clone());
    let before = uids();
    let file = format!("{FOLDER}/tandem.yaml");
    world.work.git(&["rm", "-q", &file]);
    let lost = world.work.push("the agent's file is lost", &[]);
    world.tandem(&["reconcile", "repository/deploy", "-n", NAMESPACE]).output().expect("the program runs");
    world.lab.wait(NAMESPACE, "sync/deploy", |sync| {
        let applied = sync["status"]["appliedRevision"].as_str().unwrap_or_default();
        if applied.ends_with(&lost) { Ok(()) } else { Err(sync["status"].to_string()) }
    });
    // What the agent can do without has gone: the commit was carried out.
    wait_for("the budget of disruptions to go", || match lab.absent(NAMESPACE, "poddisruptionbudget/tandem") {
        true => Ok(()),
        false => Err(lab.get(NAMESPACE, "sync/deploy")["status"].to_string()),
    });
    assert_eq!(uids(), before);
    lab.get(NAMESPACE, "sync/deploy");

    let applied = |commit: &str| {
        world.lab.wait(NAMESPACE, "sync/deploy", |sync| {
            let applied = sync["status"]["appliedRevision"].as_str().unwrap_or_default();
            if applied.ends_with(commit) { Ok(()) } else { Err(sync["status"].to_string()) }
        });
    };
    let exported = run(&mut world.install(&["--export"]));
    let takes_along = exported.replacen("  path: clusters/lab\n", "  path: clusters/lab\n  deletionPolicy: Prune\n", 1);
    assert_ne!(takes_along, exported);
    applied(&world.work.push("it is found again, and takes along what it owns", &[(&file, &takes_along)]));
    assert_eq!(lab.get(NAMESPACE, "sync/deploy")["spec"]["deletionPolicy"], "Prune");
    lab.k(&["-n", NAMESPACE, "delete", "sync", "deploy", "--timeout=60s"]);
    wait_for("the shop to go", || if lab.absent("", "namespace/shop") { Ok(()) } else { Err("it is there".into()) });
    assert_eq!(uids(), before);

    let back = world.work.push("it lets go", &[(&file, &exported)]);
    let output = world.install(&["--yes"]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    assert_eq!(lab.get("shop", "configmap/shop")["data"]["key"], "open");
    applied(&back);
}

fn leaves_what_was_deployed(world: &World, agent: Agent) {
    let lab = &world.lab;
    let before = lab.get("shop", "configmap/shop");
    let mut terminal = Terminal::start(world.tandem(&["uninstall"]));
    terminal.answer("Go on?", "no");
    let (code, shown) = terminal.end();
    assert_eq!(code, 1, "{shown}");
    assert_all(&shown, &["nothing was changed"]);
    lab.get(NAMESPACE, "sync/deploy");

    let mut terminal = Terminal::start(world.tandem(&["uninstall"]));
    let shown = terminal.answer("Go on?", "y");
    assert_all(&shown, &["Namespace/tandem-system, with all that is in it", " 2 deployed objects stay"]);
    terminal.wait_shown("waiting until");
    agent.stop();
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert_all(&shown, &["2 deployed objects let go of\n"]);

    wait_for("the agent's namespace to go", || match world.nothing_is_installed() {
        true => Ok(()),
        false => Err(lab.k(&["get", "namespaces,crds"])),
    });
    for kind in ["clusterroles", "clusterrolebindings", "roles -A", "rolebindings -A"] {
        let arguments: Vec<_> = ["get"].into_iter().chain(kind.split(' ')).chain(["-o", "name"]).collect();
        let left = lab.k(&arguments);
        assert!(!left.contains("tandem"), "{left}");
    }
    let after = lab.get("shop", "configmap/shop");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["data"], before["data"]);
    let text = after["metadata"].as_object().expect("metadata");
    assert!(!text.contains_key("labels") && !text.contains_key("annotations"), "{after:#}");
    let again = world.tandem(&["uninstall"]).output().expect("the program runs");
    assert_all(&both(&again), &["nothing to do\n"]);
}
