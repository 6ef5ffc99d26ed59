//! Coverage files in Git notes through the agent, attached by the command line: what no listed key signed for exactly this
//! commit holds it, and what was accepted stays healed. Each attack has a twin that is applied. No forge is there.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::git_remote::{Repositories, WorkingCopy, serve};
use crate::lab::manifests::config;
use crate::lab::{Agent, Lab, Tenant, both, condition_of, tandem, wait_for};
use crate::signing::{Keys, SshKey};

const NOTES: &str = "refs/notes/coverage";

/// Of 200 lines so many are covered.
pub fn lcov(covered: u32) -> String {
    let lines: String = (1..=200).map(|line| format!("DA:{line},{}\n", u32::from(line <= covered))).collect();
    format!("TN:\nSF:src/app.rs\n{lines}LF:200\nLH:{covered}\nend_of_record\n")
}

fn cobertura(covered: u32) -> String {
    let line = |line| format!("<line number=\"{line}\" hits=\"{}\"/>", u32::from(line <= covered));
    let lines: String = (1..=200).map(line).collect();
    format!(
        "<?xml version=\"1.0\" ?>\n<!DOCTYPE coverage SYSTEM \"http://cobertura.sourceforge.net/xml/coverage-04.dtd\">\n\
         <coverage><packages><package><classes><class filename=\"app.py\"><lines>{lines}</lines></class></classes></package></packages></coverage>\n"
    )
}

/// Attaches a coverage file to a commit, as CI does.
pub fn attach(copy: &WorkingCopy, file: &str, key: &SshKey, more: &[&str]) -> Output {
    // Beside the working copy, so that no commit has it.
    let path = copy.path.with_extension("coverage");
    fs::write(&path, file).expect("a file");
    let mut command = tandem();
    command.arg("attach-coverage").arg(&path).arg("--key").arg(&key.private).args(more);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command.current_dir(&copy.path).output().expect("the program runs")
}

struct Stage {
    copy: WorkingCopy,
    keys: Keys,
}

impl Stage {
    fn attach(&self, file: &str, key: &SshKey, more: &[&str]) -> Output {
        attach(&self.copy, file, key, more)
    }

    fn attached(&self, file: &str, key: &SshKey, more: &[&str]) -> String {
        let output = self.attach(file, key, more);
        assert!(output.status.success(), "{}", both(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Puts a note on a commit, whatever it says, as anybody may who can push.
    fn forge_note(&self, commit: &str, note: &str) {
        let path = self.copy.path.with_extension("note");
        fs::write(&path, note).expect("a file");
        let file = path.display().to_string();
        let blob = self.copy.git(&["hash-object", "-w", &file]);
        self.copy.git(&["notes", &format!("--ref={NOTES}"), "add", "-f", "-C", &blob, commit]);
        self.copy.git(&["push", "-q", "--force", "origin", NOTES]);
    }

    fn note(&self, commit: &str) -> String {
        self.copy.git(&["notes", &format!("--ref={NOTES}"), "show", commit]) + "\n"
    }

    fn key(&self, name: &str) -> SshKey {
        self.keys.ssh(name, &["-t", "ed25519"])
    }
}

#[test]
fn a_commit_is_deployed_when_a_listed_key_has_signed_that_enough_of_it_is_covered() {
    let lab = Lab::start("coverage");
    let _agent = Agent::start(&lab);
    let tenant = Tenant::new(&lab);
    let namespace = tenant.namespace.as_str();
    let repositories = Repositories::new();
    let stage = Stage { copy: repositories.create("app"), keys: Keys::new() };
    let copy = &stage.copy;
    let server = serve("git-http", &["--root", &repositories.root()]);
    let (ci, eve) = (stage.key("ci"), stage.key("eve"));
    copy.git(&["remote", "set-url", "origin", &server.repository("app")]);
    copy.git(&["remote", "set-url", "--push", "origin", &copy.bare.display().to_string()]);
    copy.git(&["config", "user.name", "CI"]);
    copy.git(&["config", "user.email", "ci@example.com"]);
    let push = |value: &str| copy.push(value, &[("deploy/a.yaml", &config("a", &format!("{{value: {value}}}")))]);
    let repository = |checks: &str| {
        tenant.repository_at("repo", &server.repository("app"), &format!("interval: 1s, checks: [{checks}]"));
    };
    let held = |reason: &str, commit: &str, words: &[&str]| {
        let sync = tenant.wait_message("sync", "Held", &[words, &[commit]].concat());
        assert_eq!(condition_of(&sync, "Held").expect("Held")["reason"], reason, "{:#}", sync["status"]);
        assert!(tenant.writes(commit).is_empty());
    };
    let first = push("first");
    repository("");
    tenant.sync("sync", "deploy", "");
    tenant.wait_applied("sync", &first);

    repository(&format!("{{context: coverage, keys: ['{}'], coverage: {{min: 80, maxDrop: 1}}}}", ci.public));
    let second = push("second");
    held("ChecksPending", &second, &["coverage: no listed key has attached a coverage file yet"]);

    // While nothing moves, the remote is asked for its references, and for nothing else: a fetch begins with a GET, and so
    // does the first poll of a worker.
    let requests = || {
        let log = server.file("access_log");
        let count = |method: &str| {
            let line = format!("\"method\":\"{method}\"");
            log.lines().filter(|told| told.contains(&line) && told.contains("git-upload-pack")).count()
        };
        (count("POST"), count("GET"))
    };
    let before = requests();
    let after = wait_for("five polls", || {
        let now = requests();
        if now.0 >= before.0 + 5 { Ok(now) } else { Err(format!("{before:?} {now:?}")) }
    });
    assert!(after.1 <= before.1 + 2, "{before:?} {after:?}");

    // Whose key is not listed; of another commit; another file; another repository.
    let told = stage.attached(&lcov(180), &eve, &[]);
    assert!(told.contains("coverage: 90.00% (180 of 200 lines) of ") && told.contains(&second), "{told}");
    held("ChecksPending", &second, &["which is not listed: SignerUnknown (NoteUnsigned)"]);
    stage.attached(&lcov(170), &ci, &["--commit", &first]);
    stage.forge_note(&second, &stage.note(&first));
    held("ChecksPending", &second, &[&format!("a coverage file is of the commit {first} (OtherCommit)")]);
    stage.attached(&lcov(100), &ci, &["--no-push", "--context", "other"]);
    stage.attached(&lcov(100), &ci, &["--no-push"]);
    let honest = stage.note(&second);
    stage.forge_note(&second, &honest.replace("DA:150,0", "DA:150,1"));
    held("ChecksPending", &second, &["a coverage file is not the one that was signed (FileSwapped)"]);
    copy.git(&["remote", "add", "fork", "https://forge.example/eve/app"]);
    copy.git(&["update-ref", "-d", NOTES]);
    stage.attached(&lcov(180), &ci, &["--no-push", "--remote", "fork"]);
    stage.forge_note(&second, &stage.note(&second));
    held("ChecksPending", &second, &["a coverage file is of forge.example/eve/app", "(OtherRepository)"]);

    // CI's own word: too little, what cannot be, and then enough.
    copy.git(&["update-ref", "-d", NOTES]);
    copy.git(&["push", "-q", "origin", &format!(":{NOTES}")]);
    held("ChecksPending", &second, &["coverage: no listed key has attached a coverage file yet; hint"]);
    let refused = stage.attach("SF:a\nLF:100\nLH:101\nend_of_record\n", &ci, &[]);
    assert!(!refused.status.success() && both(&refused).contains("101 of 100 lines"), "{}", both(&refused));
    stage.attached(&lcov(100), &ci, &[]);
    held("ChecksFailed", &second, &["coverage: 50.00% is less than 80.00%"]);
    lab.k(&["-n", namespace, "delete", "configmap", "a"]);
    lab.wait(namespace, "configmap/a", |object: &Value| {
        if object["data"]["value"] == "first" { Ok(()) } else { Err(object["data"].to_string()) }
    });
    // A note of the same second would count for what it covers less.
    wait_for("a newer note", || {
        stage.attached(&cobertura(170), &ci, &[]);
        let applied = lab.get(namespace, "sync/sync")["status"]["appliedRevision"].to_string();
        if applied.contains(&second) { Ok(()) } else { Err(applied) }
    });
    tenant.wait_applied("sync", &second);

    let third = push("third");
    stage.attached(&lcov(167), &ci, &[]);
    held("ChecksFailed", &third, &["coverage: 83.50% is more than 1.00% below the 85.00% of what is deployed"]);
    wait_for("a newer note", || {
        stage.attached(&lcov(168), &ci, &[]);
        let applied = lab.get(namespace, "sync/sync")["status"]["appliedRevision"].to_string();
        if applied.contains(&third) { Ok(()) } else { Err(applied) }
    });
    tenant.wait_applied("sync", &third);
}
