//! Measures the agent on the lab: `hack/bench --help` says what.

#![allow(clippy::print_stdout, clippy::print_stderr)] // figures are its result
#![allow(dead_code)] // the harness of the tests serves here too, and not all of it is needed

#[allow(unused_imports)]
#[path = "../../tests/forge.rs"]
mod forge;
mod gated;
#[allow(unused_imports)]
#[path = "../../tests/git_remote.rs"]
mod git_remote;
#[allow(unused_imports)]
#[path = "../../tests/lab/mod.rs"]
mod lab;
mod limit;
mod process;
mod scene;
#[allow(unused_imports)]
#[path = "../../tests/signing.rs"]
mod signing;
mod watcher;

use std::time::{Duration, Instant};

use lab::{Agent, Lab, Repo, wait_within};
use process::{Memory, cpu_seconds};
use scene::{HOME, Layout, folder, webhook};
use serde_json::{Value, json};
use watcher::Watcher;

/// How long any one step may take.
const LONG: Duration = Duration::from_secs(1200);
/// How long nothing happens, for the row of that name.
const IDLE: Duration = Duration::from_secs(60);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if arguments.iter().any(|argument| argument == "review") {
        let rows = gated::measure(arguments.iter().find_map(|argument| argument.parse().ok()));
        table(&[("way", 28), ("runs", 5), ("min", 7), ("median", 7), ("max", 7), ("more", 7)], &rows);
        return write("bench-review.json", &rows);
    }
    let mut sizes: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![100, 500];
    }
    let only = |words: [&'static str; 2]| {
        let named: Vec<_> = words.into_iter().filter(|word| arguments.iter().any(|a| a == word)).collect();
        if named.is_empty() { words.to_vec() } else { named }
    };
    let (modes, layouts) = (only(["ApplyRest", "Hold"]), only(["one", "own"]));
    let only_install = arguments.iter().any(|argument| argument == "install");
    let mut rows = Vec::new();
    for n in sizes {
        for layout in [Layout::One, Layout::Own] {
            for mode in modes.iter().filter(|_| layouts.contains(&layout.word())) {
                let mut run = Run::new(n, layout, mode);
                run.install();
                if !only_install {
                    run.changes();
                }
                rows.append(&mut run.rows);
            }
        }
    }
    print(&rows);
    write("bench.json", &rows);
}

fn write(name: &str, rows: &[Value]) {
    let file = lab::root().join("target").join(name);
    std::fs::write(&file, serde_json::to_string_pretty(rows).expect("JSON")).expect("writes");
    eprintln!("written to {}", file.display());
}

/// All steps for N Syncs.
struct Run {
    n: usize,
    layout: Layout,
    mode: &'static str,
    lab: Lab,
    repo: Repo,
    agent: Agent,
    memory: Memory,
    watcher: Watcher,
    limit: Duration,
    /// Namespace and name of a Deployment that was changed by hand in this step.
    by_hand: Option<(String, String)>,
    rows: Vec<Value>,
}

impl Run {
    fn new(n: usize, layout: Layout, mode: &'static str) -> Self {
        eprintln!("== {n} Syncs, {} namespace, {mode}", layout.word());
        let lab = Lab::start("bench");
        let limit = limit::bare(&lab, n, layout);
        let agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
        let repo = Repo::new();
        (0..n).for_each(|at| folder(&repo, at, 1, 0));
        repo.push("all");
        scene::set(&lab, &repo, n, layout, mode);
        let memory = Memory::of(agent.pid());
        let watcher = Watcher::start(lab.kubeconfig());
        let mut run =
            Self { n, layout, mode, lab, repo, agent, memory, watcher, limit, by_hand: None, rows: Vec::new() };
        run.settle();
        run.row("limit", json!({"seconds": limit.as_secs_f64()}));
        run
    }

    fn install(&mut self) {
        self.step("install", Self::start, |run, _| run.everywhere(1));
    }

    fn changes(&mut self) {
        let n = self.n;
        (0..n).for_each(|at| folder(&self.repo, at, 2, 0));
        self.step("change of all", |run| run.push("change of all"), |run, _| run.everywhere(2));
        folder(&self.repo, n / 2, 3, 0);
        self.step("change of one", |run| run.push("change of one"), |run, _| run.one(n / 2, 3));
        // One with a Pod: its first replica, and then a change that must become healthy.
        self.watcher.follow_health(self.lab.kubeconfig(), &self.layout.namespace(HOME, 0));
        folder(&self.repo, 0, 2, 1);
        self.step("one gets a replica", |run| run.push("a replica"), |run, _| run.healthy(0, 3));
        folder(&self.repo, 0, 3, 1);
        self.step("change of one, healthy", |run| run.push("its image"), |run, _| run.healthy(0, 4));
        let mut generation = 3;
        self.step(
            "drift repair",
            |run| {
                // A field of ours, changed by hand: the change is one generation, its repair the next.
                let (namespace, name) = (run.layout.namespace(HOME, n / 2), format!("deployment/app-{}", n / 2));
                run.lab.k(&["-n", &namespace, "set", "image", &name, "main=registry.example.com/app:0"]);
                generation += 2;
                run.by_hand = Some((namespace, format!("app-{}", n / 2)));
                run.one(n / 2, 4)
            },
            |run, _| run.one(n / 2, 5),
        );
        self.restart();
        self.idle();
    }

    /// Runs one step: `trigger` gives the moment from which time counts, `seen` the one when it is done.
    fn step(
        &mut self,
        name: &str,
        mut trigger: impl FnMut(&mut Self) -> Instant,
        seen: impl Fn(&Self, Instant) -> Instant,
    ) {
        let (requests, cpu) = (self.requests(), cpu_seconds(self.agent.pid()));
        self.memory.peak();
        let from = trigger(self);
        let seconds = seen(self, from).saturating_duration_since(from).as_secs_f64();
        let ready = self.ready().saturating_duration_since(from).as_secs_f64();
        self.settle();
        // The repair may be there before the command has ended that made it needed.
        let seconds = self.by_hand.take().map_or(seconds, |(namespace, name)| self.repaired(&namespace, &name));
        let peak = self.memory.peak();
        let mut row = json!({
            "seconds": seconds,
            "ready": ready,
            "requests": self.requests() - requests,
            "of": self.told(requests),
            "cpu": cpu_seconds(self.agent.pid()) - cpu,
            "memory": peak.resident,
            "share": peak.share,
        });
        if name == "install" {
            row["ratio"] = json!(seconds / self.limit.as_secs_f64());
        }
        self.row(name, row);
    }

    fn row(&mut self, step: &str, figures: Value) {
        let mut row = json!({"n": self.n, "namespaces": self.layout.word(), "onInvalid": self.mode, "step": step});
        let all = row.as_object_mut().expect("a mapping");
        all.extend(figures.as_object().expect("figures").clone());
        eprintln!("{step}: {figures}");
        self.rows.push(row);
    }

    fn start(&mut self) -> Instant {
        let from = Instant::now();
        scene::suspend(&self.lab, false);
        from
    }

    /// Pushes, and tells the agent as a forge would; time counts from the webhook.
    fn push(&mut self, message: &str) -> Instant {
        self.repo.push(message);
        let from = Instant::now();
        webhook(&self.agent);
        from
    }

    /// When all Deployments had this generation, and all Ingresses were there.
    fn everywhere(&self, generation: i64) -> Instant {
        let n = self.n;
        self.watcher.wait(LONG, "all objects", |seen| {
            seen.ingresses.keys().filter(|(namespace, _)| namespace.starts_with(HOME)).count() == n
                && seen.deployments.iter().filter(|((ns, _), g)| ns.starts_with(HOME) && **g >= generation).count() == n
        })
    }

    fn one(&self, at: usize, generation: i64) -> Instant {
        let key = (self.layout.namespace(HOME, at), format!("app-{at}"));
        self.watcher.wait(LONG, "the one object", |seen| seen.deployments.get(&key).is_some_and(|g| *g >= generation))
    }

    fn healthy(&self, at: usize, generation: i64) -> Instant {
        let key = (self.layout.namespace(HOME, at), format!("app-{at}"));
        self.watcher.wait(LONG, "its replica", |seen| seen.healthy.get(&key).is_some_and(|g| *g >= generation))
    }

    /// When all Syncs were ready.
    fn ready(&self) -> Instant {
        self.watcher.wait(LONG, "all Syncs to be ready", |seen| seen.ready.len() == self.n)
    }

    fn restart(&mut self) {
        let (from, written) = (self.requests(), self.writes());
        let led = |run: &Self| run.agent.log().matches("this replica leads").count();
        let before = led(self);
        self.agent.kill();
        self.agent.restart();
        let leads = || if led(self) > before { Ok(()) } else { Err("another one leads".to_owned()) };
        wait_within(LONG, "the agent to lead again", &mut { leads });
        self.memory.follow(self.agent.pid());
        let cpu = cpu_seconds(self.agent.pid());
        self.settle();
        let (writes, peak) = (self.writes() - written, self.memory.peak());
        let figures = json!({"requests": self.requests() - from, "of": self.told(from), "writes": writes, "cpu": cpu_seconds(self.agent.pid()) - cpu,
            "memory": peak.resident, "share": peak.share});
        self.row("restart", figures);
    }

    fn idle(&mut self) {
        let (from, cpu) = (self.requests(), cpu_seconds(self.agent.pid()));
        std::thread::sleep(IDLE);
        let peak = self.memory.peak();
        let figures = json!({"seconds": IDLE.as_secs_f64(), "requests": self.requests() - from, "of": self.told(from),
            "cpu": cpu_seconds(self.agent.pid()) - cpu, "memory": peak.resident, "share": peak.share});
        self.row("idle", figures);
    }

    /// Requests of the agent, impersonated ones included, besides Lease and watch renewals.
    fn requests(&self) -> usize {
        self.sent(|_| true).len()
    }

    /// Those that are no reading, dry-runs included.
    fn writes(&self) -> usize {
        self.sent(|event| !["get", "list"].iter().any(|verb| event["verb"] == *verb)).len()
    }

    fn sent(&self, keep: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.lab.audit("tandem/", |event| {
            event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("tandem/"))
                && event["verb"] != "watch"
                && event["objectRef"]["resource"] != "leases"
                && keep(event)
        })
    }

    /// What was sent beyond the first `from` requests: how many of each verb and resource.
    fn told(&self, from: usize) -> Value {
        let mut all = std::collections::BTreeMap::<String, usize>::new();
        for event in self.sent(|_| true).iter().skip(from) {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let dry = if text(&event["requestURI"]).contains("dryRun=All") { " (dry-run)" } else { "" };
            let object = &event["objectRef"];
            let kind = [text(&object["resource"]), text(&object["subresource"])].join("/");
            *all.entry(format!("{} {}{dry}", text(&event["verb"]), kind.trim_end_matches('/'))).or_default() += 1;
        }
        json!(all)
    }

    /// Seconds from the last write of somebody else to a Deployment until the agent's next one, by the API server's own times.
    fn repaired(&self, namespace: &str, name: &str) -> f64 {
        let writes = self.lab.audit(name, |event| {
            let object = &event["objectRef"];
            let is_it =
                object["namespace"] == namespace && object["name"] == name && object["resource"] == "deployments";
            let is_tried = event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun"));
            is_it && object["subresource"].is_null() && event["verb"] == "patch" && !is_tried
        });
        let at = |event: &Value| event["stageTimestamp"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let by_agent = |event: &Value| event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("tandem/"));
        let by_hand = writes.iter().filter(|event| !by_agent(event)).filter_map(at).max().expect("a change by hand");
        let repairs = writes.iter().filter(|event| by_agent(event)).filter_map(at).filter(|at| *at > by_hand);
        repairs.min().expect("a repair").duration_since(by_hand).as_secs_f64()
    }

    /// Waits until no request of the agent has been seen for two seconds.
    fn settle(&self) {
        let mut last = (self.requests(), Instant::now());
        let mut look = || {
            let now = self.requests();
            if now != last.0 {
                last = (now, Instant::now());
            }
            if last.1.elapsed() > Duration::from_secs(2) { Ok(()) } else { Err(format!("{now} requests")) }
        };
        wait_within(LONG, "quiet", &mut look);
    }
}

fn print(rows: &[Value]) {
    let columns = [
        ("n", 5),
        ("namespaces", 11),
        ("onInvalid", 10),
        ("step", 24),
        ("seconds", 9),
        ("ready", 9),
        ("requests", 9),
        ("writes", 7),
        ("ratio", 7),
        ("cpu", 8),
        ("memory", 8),
        ("share", 8),
    ];
    table(&columns, rows);
}

/// Prints columns of rows, each as wide as is said; numbers to the right.
fn table(columns: &[(&str, usize)], rows: &[Value]) {
    let cell = |value: &Value, width: usize| match value {
        Value::Null => format!("{:>width$}", "-"),
        Value::Number(number) if number.is_f64() => format!("{:>width$.2}", number.as_f64().unwrap_or_default()),
        Value::String(text) => format!("{text:<width$}"),
        other => format!("{other:>width$}"),
    };
    println!();
    let head: Vec<String> = columns
        .iter()
        .map(|(name, width)| match rows.first().map(|row| &row[*name]) {
            Some(Value::String(_)) => format!("{name:<width$}"),
            _ => format!("{name:>width$}"),
        })
        .collect();
    println!("{}", head.join(" "));
    for row in rows {
        println!("{}", columns.iter().map(|(name, width)| cell(&row[*name], *width)).collect::<Vec<_>>().join(" "));
    }
}
