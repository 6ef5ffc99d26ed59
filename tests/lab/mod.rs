//! The lab, for tests: real API servers, real Git servers, the real agent as a process.
//!
//! "Equal to Git" is judged here by kubectl and plain listings, never by Tandem itself.

mod agent;
pub mod gate;
pub mod manifests;
mod repo;
mod tenant;
mod terminal;

pub use agent::Agent;
pub use repo::Repo;
pub use tenant::Tenant;
pub use terminal::Terminal;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a test waits for something that should happen.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Pause between two looks at the beginning of a wait.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// And when it has lasted for long.
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// One real control plane. It goes away with this process, however that ends.
pub struct Lab {
    name: String,
    env: BTreeMap<String, String>,
    /// Whether other tests go on with it when one has ended.
    outlives: bool,
}

/// Root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program under test.
pub fn tandem() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tandem"))
}

/// A name that no other test of this run has.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Runs a command to its end and returns what it printed; a failure ends the test with all of it.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?} failed:\n{}", both(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What a command printed, for a message.
pub fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Calls `look` until it finds something. The only wait of these tests: it ends as soon as the
/// thing is there, and with `what` and the last look's words when it does not come.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    wait_within(PATIENCE, what, &mut look)
}

/// [`wait_for`] with a limit of its own.
pub fn wait_within<T>(limit: Duration, what: &str, look: &mut dyn FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(last) if start.elapsed() > limit => {
                panic!("waited {:.0?} for {what}; last seen: {last}", start.elapsed())
            }
            // Most looks are a process. What comes soon is seen soon; what takes long is not kept from coming by them.
            Err(_) => std::thread::park_timeout((start.elapsed() / 4).clamp(FIRST_PAUSE, LAST_PAUSE)),
        }
    }
}

impl Lab {
    /// A control plane of the test's own, for tests that break it or that need all of it.
    pub fn start(prefix: &str) -> Self {
        let name = format!("{}-{}", unique(prefix), std::process::id());
        let pid = std::process::id().to_string();
        run(Command::new(root().join("hack/lab")).args(["up", "--name", &name, "--owner-pid", &pid]));
        Self::named(name)
    }

    /// One that several tests use, each with namespaces of its own.
    pub fn for_many(prefix: &str) -> Self {
        let mut lab = Self::start(prefix);
        lab.outlives = true;
        lab
    }

    /// The control plane with an agent that all tests share which keep to namespaces of their own.
    pub fn shared() -> &'static Self {
        &Self::shared_pair().0
    }

    /// The agent of [`Lab::shared`].
    pub fn shared_agent() -> &'static Agent {
        &Self::shared_pair().1
    }

    fn shared_pair() -> &'static (Self, Agent) {
        static SHARED: OnceLock<(Lab, Agent)> = OnceLock::new();
        SHARED.get_or_init(|| {
            let lab = Self::for_many("shared");
            let agent = Agent::start(&lab);
            (lab, agent)
        })
    }

    fn named(name: String) -> Self {
        let env = run(Command::new(root().join("hack/lab")).args(["env", "--name", &name, "-o", "json"]));
        let env = serde_json::from_str(&env).unwrap_or_else(|e| panic!("hack/lab env: {e}: {env}"));
        Self { name, env, outlives: false }
    }

    /// One of the lab's facts, such as `KUBECONFIG`.
    pub fn fact(&self, name: &str) -> &str {
        self.env.get(name).unwrap_or_else(|| panic!("the lab tells no {name}: {:?}", self.env))
    }

    /// Admin's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.fact("KUBECONFIG").into()
    }

    /// Stops or starts a component; `signal` is TERM or KILL.
    pub fn component(&self, verb: &str, component: &str) {
        run(Command::new(root().join("hack/lab")).args([verb, component, "--name", &self.name]));
    }

    /// Ends a component with a signal; `STOP` only pauses it: its connections stay open and nothing
    /// answers.
    pub fn end(&self, component: &str, signal: &str) {
        let lab = root().join("hack/lab");
        run(Command::new(lab).args(["stop", component, "--name", &self.name, "--signal", signal]));
    }

    /// kubectl as admin.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(Path::new(self.fact("TANDEM_LAB_BIN")).join("kubectl"));
        command.env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// Runs kubectl; a failure ends the test.
    pub fn k(&self, args: &[&str]) -> String {
        run(self.kubectl().args(args))
    }

    /// Applies YAML as admin, as a person with kubectl would.
    pub fn apply(&self, yaml: &str) {
        self.apply_with(&[], yaml);
    }

    /// Applies YAML server-side under the name of a field manager, as other deployers do.
    pub fn apply_as(&self, manager: &str, yaml: &str) {
        self.apply_with(&["--server-side", "--field-manager", manager], yaml);
    }

    /// Applies YAML in a namespace, as a person does.
    pub fn apply_in(&self, namespace: &str, yaml: &str) {
        self.apply_with(&["-n", namespace], yaml);
    }

    fn apply_with(&self, options: &[&str], yaml: &str) {
        use std::io::Write;
        let mut command = self.kubectl();
        command.args(["apply", "-f", "-"]).args(options).stdin(std::process::Stdio::piped());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().expect("kubectl starts");
        child.stdin.take().expect("stdin").write_all(yaml.as_bytes()).expect("kubectl reads");
        let output = child.wait_with_output().expect("kubectl ends");
        assert!(output.status.success(), "kubectl apply failed:\n{}\n{yaml}", both(&output));
    }

    /// Waits for an Event of this reason whose text has all of these words.
    pub fn wait_event(&self, namespace: &str, reason: &str, words: &[&str]) -> Value {
        wait_for(&format!("an Event {reason} with {words:?}"), || {
            let list = self.try_get(namespace, "events.events.k8s.io")?;
            let events = list["items"].as_array().cloned().unwrap_or_default();
            let of_reason: Vec<_> = events.into_iter().filter(|event| event["reason"] == reason).collect();
            let says =
                |event: &&Value| words.iter().all(|word| event["note"].as_str().is_some_and(|n| n.contains(word)));
            of_reason.iter().find(says).cloned().ok_or_else(|| format!("{of_reason:#?}"))
        })
    }

    /// Waits until the API server says that the object is not there.
    pub fn wait_absent(&self, namespace: &str, what: &str) {
        wait_for(&format!("{namespace}/{what} to go"), || match self.try_get(namespace, what) {
            Err(error) if error.contains("NotFound") => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }

    /// An object as JSON, or why it could not be had.
    pub fn try_get(&self, namespace: &str, what: &str) -> Result<Value, String> {
        let mut command = self.kubectl();
        command.args(["get", what, "-o", "json"]);
        if !namespace.is_empty() {
            command.args(["-n", namespace]);
        }
        let output = command.output().expect("kubectl runs");
        if !output.status.success() {
            return Err(both(&output));
        }
        serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())
    }

    /// An object as JSON; its absence ends the test.
    pub fn get(&self, namespace: &str, what: &str) -> Value {
        self.try_get(namespace, what).unwrap_or_else(|e| panic!("{namespace}/{what}: {e}"))
    }

    /// Whether the API server says that the object is not there.
    pub fn absent(&self, namespace: &str, what: &str) -> bool {
        self.try_get(namespace, what).is_err_and(|e| e.contains("NotFound"))
    }

    /// Waits until an object satisfies `check`, which says what is still missing.
    pub fn wait(&self, namespace: &str, what: &str, mut check: impl FnMut(&Value) -> Result<(), String>) -> Value {
        wait_for(&format!("{namespace}/{what}"), || {
            let object = self.try_get(namespace, what)?;
            check(&object).map(|()| object)
        })
    }

    /// Requests of the audit log, each as its JSON, that `keep` keeps; only complete ones. `word` stands in the line of
    /// each of them: the log of all tests is long, and most of it need not be taken apart.
    pub fn audit(&self, word: &str, mut keep: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let text = std::fs::read_to_string(self.fact("TANDEM_LAB_AUDIT_LOG")).expect("audit log");
        let lines = text.lines().filter(|line| line.contains(word));
        let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|e| e["stage"] == "ResponseComplete").filter(|e| keep(e)).collect()
    }
}

/// A condition of an object's status.
pub fn condition_of<'a>(object: &'a Value, condition: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == condition)
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = Command::new(root().join("hack/lab")).args(["down", "--name", &self.name]).output();
    }
}
