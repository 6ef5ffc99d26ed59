//! A Git server that hangs in the middle of a pack, through the agent.

use std::process::Command;

use crate::git_remote::{Repositories, Served, git, serve};
use crate::lab::manifests::config;
use crate::lab::{Lab, Repo, Tenant, condition_of, run, wait_for};

fn call(server: &Served, url: &str) -> String {
    run(Command::new("curl").args(["-fsS", &server.get(url)]))
}

/// Content that does not compress, so that half of its pack is long enough to be one.
fn noise(bytes: usize) -> String {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{state:016x}")
    };
    (0..bytes / 16).map(|_| next()).collect()
}

#[test]
fn a_server_that_hangs_in_a_pack_is_told_deletes_nothing_and_troubles_nobody_else() {
    let lab = Lab::shared();
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let server = serve("hang", &["--root", &repositories.root()]);
    call(&server, "serve_url");
    let first = app
        .push("two", &[("deploy/a.yaml", &config("a", "{key: one}")), ("deploy/b.yaml", &config("b", "{key: one}"))]);
    let slow = Tenant::new(lab);
    let namespace = slow.namespace.as_str();
    slow.repository_at("repo", &server.repository("app"), "interval: 1s, timeout: 3s");
    slow.sync("sync", "deploy", "");
    slow.wait_applied("sync", &first);
    let (well, other) = (Tenant::new(lab), Repo::new());
    other.write("deploy/a.yaml", &config("a", "{key: one}"));
    let there = other.push("one");
    well.deploy(&other, "");
    well.wait_applied("sync", &there);

    call(&server, "hang_url");
    git(&app.path, &["rm", "-q", "deploy/b.yaml"]);
    let second = app.push("b leaves", &[("deploy/a.yaml", &config("a", "{key: two}")), ("noise", &noise(1 << 20))]);
    wait_for("the server to hang", || match call(&server, "hanging_url").trim() {
        "0" => Err("nobody is hanging".to_owned()),
        _ => Ok(()),
    });
    // Others go on meanwhile.
    other.write("deploy/a.yaml", &config("a", "{key: two}"));
    let moved = other.push("two");
    well.wait_applied("sync", &moved);

    let told = lab.wait(namespace, "repository/repo", |object| match condition_of(object, "Ready") {
        Some(c) if c["status"] == "False" && c["reason"] == "Timeout" => Ok(()),
        _ => Err(format!("{:#}", object["status"])),
    });
    let message = condition_of(&told, "Ready").expect("Ready")["message"].to_string();
    assert!(message.contains("127.0.0.1"), "it names who hangs: {message}");
    for name in ["a", "b"] {
        assert_eq!(lab.get(namespace, &format!("configmap/{name}"))["data"]["key"], "one");
    }
    // What is accepted stays healed meanwhile.
    lab.k(&["-n", namespace, "delete", "configmap", "b"]);
    lab.wait(namespace, "configmap/b", |_| Ok(()));

    call(&server, "serve_url");
    slow.wait_applied("sync", &second);
    lab.wait_absent(namespace, "configmap/b");
    assert_eq!(lab.get(namespace, "configmap/a")["data"]["key"], "two");
}

/// More of them than there are workers, and each may take minutes: who else waits for its news gets them
/// meanwhile.
#[test]
fn many_servers_of_one_tenant_that_hang_keep_no_other_waiting() {
    const HANGING: usize = 6;
    let lab = Lab::shared();
    let repositories = Repositories::new();
    let app = repositories.create("app");
    app.push("much", &[("deploy/a.yaml", &config("a", "{key: one}")), ("noise", &noise(1 << 20))]);
    let server = serve("hang", &["--root", &repositories.root()]);
    let (slow, well, other) = (Tenant::new(lab), Tenant::new(lab), Repo::new());
    other.write("deploy/a.yaml", &config("a", "{key: one}"));
    let there = other.push("one");
    well.deploy(&other, "");
    well.wait_applied("sync", &there);

    call(&server, "hang_url");
    let url = server.repository("app");
    let more = "interval: 1s, timeout: 120s";
    lab.apply(&(0..HANGING).map(|n| slow.repository_yaml(&format!("slow-{n}"), &url, more)).collect::<String>());
    let hanging = || call(&server, "hanging_url").trim().parse::<usize>().expect("a number");
    // One URL has one cache, which one of them at a time may write to.
    wait_for("somebody to hang", || if hanging() > 0 { Ok(()) } else { Err("nobody".to_owned()) });
    for value in ["two", "three", "four"] {
        other.write("deploy/a.yaml", &config("a", &format!("{{key: {value}}}")));
        let moved = other.push(value);
        well.wait_applied("sync", &moved);
        assert!(hanging() > 0, "{value}: it came after the others had given up");
    }
    call(&server, "serve_url");
}
