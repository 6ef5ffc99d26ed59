//! Measures the agent on the lab: `hack/bench --help` says what.

#![allow(clippy::print_stdout, clippy::print_stderr)] // figures are its result
#![allow(dead_code)] // the harness of the tests serves here too, and not all of it is needed

#[path = "../../tests/lab/mod.rs"]
mod lab;
mod limit;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use lab::{Agent, Lab, Repo, Tenant, wait_within};
use serde_json::{Value, json};

/// How long any one step may take.
const LONG: Duration = Duration::from_secs(1200);

/// The four objects of one folder.
pub fn objects(n: usize, revision: u32) -> [Value; 4] {
    let name = format!("app-{n}");
    let labels = json!({"app": name});
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                "spec": {"serviceAccountName": name, "containers": [{"name": "main",
                    "image": format!("registry.example.com/app:{revision}"),
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}]}}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
            "spec": {"rules": [{"host": format!("{name}.example.com"), "http": {"paths": [{"path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": name, "port": {"name": "http"}}}}]}}]}}),
    ]
}

fn folder(repo: &Repo, n: usize, revision: u32) {
    let text = objects(n, revision).iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n");
    repo.write(&format!("apps/{n}/app.yaml"), &text);
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![100, 500] } else { sizes };
    let mut rows = Vec::new();
    for n in sizes {
        for on_invalid in ["ApplyRest", "Hold"] {
            rows.extend(measure(n, on_invalid));
        }
    }
    println!("\n{:>5} {:<10} {:<22} {:>9} {:>9} {:>9}", "N", "onInvalid", "step", "seconds", "requests", "x limit");
    for row in &rows {
        let text = |key: &str| match &row[key] {
            Value::Null => "-".to_owned(),
            Value::Number(number) if number.is_f64() => format!("{:.2}", number.as_f64().unwrap_or_default()),
            other => other.to_string().trim_matches('"').to_owned(),
        };
        println!(
            "{:>5} {:<10} {:<22} {:>9} {:>9} {:>9}",
            text("n"),
            text("onInvalid"),
            text("step"),
            text("seconds"),
            text("requests"),
            text("ratio")
        );
    }
    let file = lab::root().join("target/bench.json");
    std::fs::write(&file, serde_json::to_string_pretty(&rows).expect("JSON")).expect("writes");
    eprintln!("written to {}", file.display());
}

/// All steps for N Syncs in one namespace.
fn measure(n: usize, on_invalid: &str) -> Vec<Value> {
    eprintln!("== {n} Syncs, {on_invalid}");
    let lab = Lab::start("bench");
    let limit = limit::bare(&lab, n);
    eprintln!("limit: {:.2} s", limit.as_secs_f64());
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let (tenant, repo) = (Tenant::new(&lab), Repo::new());
    (0..n).for_each(|at| folder(&repo, at, 1));
    repo.push("all");
    // Suspended from its first moment: the clock starts when it is resumed.
    lab.apply(&format!(
        "apiVersion: tandemcd.io/v1alpha1\nkind: Repository\nmetadata: {{name: repo, namespace: {}}}\nspec: {{url: '{}', ref: {{branch: main}}, interval: 1s, suspend: true}}",
        tenant.namespace, repo.url
    ));
    let mut syncs = String::new();
    for at in 0..n {
        let _ = write!(
            syncs,
            "---\napiVersion: tandemcd.io/v1alpha1\nkind: Sync\nmetadata: {{name: app-{at}, namespace: {}}}\nspec:\n  repositoryRef: {{name: repo}}\n  path: apps/{at}\n  serviceAccountName: deployer\n  onInvalid: {on_invalid}\n",
            tenant.namespace
        );
    }
    lab.apply(&syncs);
    let mut rows = Vec::new();
    let mut row = |step: &str, seconds: Option<f64>, requests: Option<usize>, ratio: Option<f64>| {
        eprintln!("{step}: {seconds:?} s, {requests:?} requests");
        rows.push(json!({"n": n, "onInvalid": on_invalid, "step": step, "seconds": seconds, "requests": requests, "ratio": ratio}));
    };
    row("limit", Some(limit.as_secs_f64()), None, None);

    let from = requests(&lab);
    let clock = Instant::now();
    suspend(&lab, &tenant.namespace, "false");
    all_at(&lab, &tenant.namespace, n, 1);
    let seconds = clock.elapsed().as_secs_f64();
    row("install", Some(seconds), Some(requests(&lab) - from), Some(seconds / limit.as_secs_f64()));
    all_ready(&lab, &tenant.namespace, n);
    row("install, all ready", Some(clock.elapsed().as_secs_f64()), Some(requests(&lab) - from), None);

    (0..n).for_each(|at| folder(&repo, at, 2));
    let from = requests(&lab);
    let clock = Instant::now();
    repo.push("change of all");
    all_at(&lab, &tenant.namespace, n, 2);
    row("change of all", Some(clock.elapsed().as_secs_f64()), Some(requests(&lab) - from), None);
    all_ready(&lab, &tenant.namespace, n);

    folder(&repo, n / 2, 3);
    let from = requests(&lab);
    let clock = Instant::now();
    repo.push("change of one");
    one_at(&lab, &tenant.namespace, n / 2, 3);
    let seconds = clock.elapsed().as_secs_f64();
    settle(&lab);
    row("change of one (poll 1 s)", Some(seconds), Some(requests(&lab) - from), None);

    let clock = Instant::now();
    let deployment = format!("deployment/app-{}", n / 2);
    lab.k(&["-n", &tenant.namespace, "set", "image", &deployment, "main=registry.example.com/app:0"]);
    one_at(&lab, &tenant.namespace, n / 2, 3);
    row("drift repair", Some(clock.elapsed().as_secs_f64()), None, None);
    settle(&lab);

    row("peak memory, MiB", Some(peak(agent.pid())), None, None);
    let from = requests(&lab);
    agent.kill();
    agent.restart();
    agent.wait_ready();
    settle(&lab);
    row("restart", None, Some(requests(&lab) - from), None);
    let from = requests(&lab);
    std::thread::sleep(Duration::from_secs(60));
    row("idle 60 s", Some(60.0), Some(requests(&lab) - from), None);
    rows
}

fn suspend(lab: &Lab, namespace: &str, value: &str) {
    lab.k(&[
        "-n",
        namespace,
        "patch",
        "repository",
        "repo",
        "--type=merge",
        "-p",
        &format!("{{\"spec\": {{\"suspend\": {value}}}}}"),
    ]);
}

/// Requests of the agent, impersonated ones included, besides Lease and watch renewals.
fn requests(lab: &Lab) -> usize {
    let counted = lab.audit(|event| {
        event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("tandem/"))
            && event["verb"] != "watch"
            && event["objectRef"]["resource"] != "leases"
    });
    counted.len()
}

/// Waits until no request of the agent has been seen for two seconds.
fn settle(lab: &Lab) {
    let mut last = (requests(lab), Instant::now());
    let mut look = || {
        let now = requests(lab);
        if now != last.0 {
            last = (now, Instant::now());
        }
        if last.1.elapsed() > Duration::from_secs(2) { Ok(()) } else { Err(format!("{now} requests")) }
    };
    wait_within(LONG, "quiet", &mut look);
}

fn images(lab: &Lab, namespace: &str) -> Result<BTreeMap<String, String>, String> {
    let list = lab.try_get(namespace, "deployments")?;
    let items = list["items"].as_array().ok_or("no items")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let image = |item: &Value| text(&item["spec"]["template"]["spec"]["containers"][0]["image"]);
    Ok(items.iter().map(|item| (text(&item["metadata"]["name"]), image(item))).collect())
}

fn all_at(lab: &Lab, namespace: &str, n: usize, revision: u32) {
    let wanted = format!("registry.example.com/app:{revision}");
    let mut look = || {
        let done = images(lab, namespace)?.values().filter(|image| **image == wanted).count();
        let ingresses = lab.try_get(namespace, "ingresses")?["items"].as_array().map_or(0, Vec::len);
        if done == n && ingresses == n {
            Ok(())
        } else {
            Err(format!("{done} Deployments, {ingresses} Ingresses of {n}"))
        }
    };
    wait_within(LONG, "all objects", &mut look);
}

fn one_at(lab: &Lab, namespace: &str, at: usize, revision: u32) {
    let wanted = format!("registry.example.com/app:{revision}");
    let mut look = || {
        let live = lab.try_get(namespace, &format!("deployment/app-{at}"))?;
        let image = live["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned();
        if image == wanted { Ok(()) } else { Err(image) }
    };
    wait_within(LONG, "the one object", &mut look);
}

fn all_ready(lab: &Lab, namespace: &str, n: usize) {
    let mut look = || {
        let list = lab.try_get(namespace, "syncs")?;
        let items = list["items"].as_array().ok_or("no items")?;
        let ready =
            items.iter().filter(|sync| lab::condition_of(sync, "Ready").is_some_and(|c| c["status"] == "True")).count();
        if ready == n { Ok(()) } else { Err(format!("{ready} of {n} ready")) }
    };
    wait_within(LONG, "all Syncs to be ready", &mut look);
}

/// Peak resident memory of a process and its children, in MiB; Linux keeps it for each.
fn peak(pid: u32) -> f64 {
    let of = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default().to_owned();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    };
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    of(pid) + children.split_whitespace().filter_map(|child| child.parse().ok()).map(of).sum::<f64>()
}
