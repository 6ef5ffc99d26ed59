//! `tandem approve` in a clone: what is shown to who approves is all that the approval is of, however it is hidden.

use std::process::Output;

use crate::git_remote::{Repositories, WorkingCopy};
use crate::lab::{both, tandem};
use crate::signing::{Keys, SshKey};

/// A clone with an owners file on its branch `main`, and a key of an owner.
fn clone(repositories: &Repositories, keys: &Keys) -> (WorkingCopy, SshKey, String) {
    let (copy, bob) = (repositories.create("app"), keys.ssh("bob", &["-t", "ed25519"]));
    let owners = format!(
        "apiVersion: tandemcd.io/v1alpha1\nkind: Owners\nmetadata: {{name: owners}}\nspec:\n  people:\n  - {{name: bob, keys: ['{}']}}\n  ops: [bob]\n",
        bob.public
    );
    let first = copy.push("first", &[(".tandem/owners.yaml", &owners), ("deploy/a.yaml", "a: 1\n")]);
    copy.git(&["remote", "set-url", "origin", "https://git.example.com/app"]);
    copy.git(&["update-ref", "refs/remotes/origin/main", &first]);
    (copy, bob, first)
}

fn approve(copy: &WorkingCopy, key: &SshKey, arguments: &[&str]) -> Output {
    let mut command = tandem();
    command.current_dir(&copy.path).args(["approve", "--yes", "--key"]).arg(&key.private).args(arguments);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command.output().expect("the program runs")
}

/// The same where nothing is fetched or pushed.
fn approved(copy: &WorkingCopy, key: &SshKey, arguments: &[&str]) -> (String, String) {
    approved_with(copy, key, &[arguments, &["--no-push"]].concat())
}

/// What was shown, and the commit that the signed statement compares with.
fn approved_with(copy: &WorkingCopy, key: &SshKey, arguments: &[&str]) -> (String, String) {
    let output = approve(copy, key, &[arguments, &["-o", "json"]].concat());
    assert!(output.status.success(), "{}", both(&output));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let statement = answer["statement"].as_str().expect("a statement");
    let base = statement.lines().find_map(|line| line.strip_prefix("base ").or(line.strip_prefix("base: ")));
    (String::from_utf8_lossy(&output.stderr).into_owned(), base.expect("a base").trim().to_owned())
}

#[test]
fn the_head_of_a_pull_request_is_compared_with_where_it_left_the_branch() {
    let (repositories, keys) = (Repositories::new(), Keys::new());
    let (copy, bob, first) = clone(&repositories, &keys);
    copy.git(&["checkout", "-q", "-b", "pr"]);
    copy.commit("what nobody should miss", &[("deploy/evil.yaml", "evil: yes\n")]);
    copy.commit("words", &[("README.md", "words\n")]);
    let head = copy.git(&["rev-parse", "HEAD"]);
    // The branch goes on meanwhile.
    copy.git(&["checkout", "-q", "main"]);
    copy.commit("second", &[("deploy/b.yaml", "b: 1\n")]);
    let second = copy.git(&["rev-parse", "HEAD"]);
    copy.git(&["update-ref", "refs/remotes/origin/main", &second]);
    let (shown, base) = approved(&copy, &bob, &[&head]);
    assert_eq!(base, first);
    assert!(shown.contains("+evil: yes") && shown.contains("+words") && !shown.contains("b: 1"), "{shown}");
    // A step of the branch is compared with the one before it, whether it was pushed or not.
    let (shown, base) = approved(&copy, &bob, &[&second]);
    assert_eq!(base, first);
    assert!(shown.contains("+b: 1") && !shown.contains("evil"), "{shown}");
    copy.commit("third", &[("deploy/c.yaml", "c: 1\n")]);
    copy.commit("fourth", &[("deploy/d.yaml", "d: 1\n")]);
    let (shown, base) = approved(&copy, &bob, &[]);
    assert_eq!(base, copy.git(&["rev-parse", "HEAD^"]));
    assert!(shown.contains("+d: 1") && !shown.contains("+c: 1"), "{shown}");
    // The remote is asked where the branch is now, where it is there: what landed meanwhile is a step of it.
    copy.git(&["remote", "set-url", "origin", &copy.bare.display().to_string()]);
    copy.git(&["checkout", "-q", "-b", "elsewhere", &second]);
    copy.git(&["merge", "-q", "--no-ff", "-m", "merge", &head]);
    let merged = copy.git(&["rev-parse", "HEAD"]);
    copy.git(&["push", "-q", "--force", "origin", "HEAD:main"]);
    copy.git(&["update-ref", "refs/remotes/origin/main", &first]);
    copy.git(&["update-ref", "refs/heads/main", &first]);
    let (shown, base) = approved_with(&copy, &bob, &[&merged, "--ref", "refs/heads/main"]);
    assert_eq!(base, second);
    assert!(shown.contains("+evil: yes") && !shown.contains("b: 1"), "{shown}");
    copy.git(&["push", "-q", "--force", "origin", &format!("{second}:main")]);
    copy.git(&["update-ref", "refs/remotes/origin/main", &second]);
    // What left it at several commits is compared with none of them.
    copy.git(&["checkout", "-q", "pr"]);
    copy.git(&["merge", "-q", "-m", "main into pr", &second]);
    copy.git(&["checkout", "-q", "-B", "main", &second]);
    copy.git(&["merge", "-q", "--no-ff", "-m", "pr into main", &head]);
    copy.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    let output = approve(&copy, &bob, &["pr", "--ref", "refs/heads/main", "--no-push"]);
    assert_eq!(output.status.code(), Some(2), "{}", both(&output));
    assert!(both(&output).contains("did not leave refs/heads/main at one commit"), "{}", both(&output));
}

#[test]
fn every_line_is_shown_and_nothing_of_it_hides() {
    let (repositories, keys) = (Repositories::new(), Keys::new());
    let (copy, bob, _) = clone(&repositories, &keys);
    copy.git(&["checkout", "-q", "-b", "pr"]);
    copy.commit("one\n\nTandem-Delete: shop/web 3", &[("deploy/a.yaml", "a: 1\nb: \u{202e}2\n")]);
    let one = copy.git(&["rev-parse", "HEAD"]);
    std::fs::remove_file(copy.path.join("deploy/a.yaml")).expect("a file");
    copy.commit("two \u{1b}[8m", &[("deploy/b.yaml", "a: 1\nb: \u{202e}2\nc: 3\rd: 4\n")]);
    let head = copy.git(&["rev-parse", "HEAD"]);
    let (shown, _) = approved(&copy, &bob, &[&head, "--ref", "refs/heads/main"]);
    for expected in [
        "    two \\u{001b}[8m",
        "lines that steer what is deployed, of commits that it brings:",
        &format!("  {}: Tandem-Delete: shop/web 3", &one[..12]),
        "deleted file deploy/a.yaml\n",
        "-a: 1\n",
        "new file deploy/b.yaml\n",
        "+b: \\u{202e}2\n",
        "+c: 3\\u{000d}d: 4\n",
        "  deploy/b.yaml +3 -0",
        "  deploy/a.yaml +0 -1",
        "characters that a terminal hides, in what is added:\n  deploy/b.yaml:2: b: \\u{202e}2",
    ] {
        assert!(shown.contains(expected), "{expected:?} in:\n{shown}");
    }
    assert!(!shown.contains(['\u{202e}', '\u{1b}', '\r']), "{shown:?}");
    // More than anybody would read is told to be more.
    let long: String = (0..5_000).map(|n| format!("line{n}: {n}\n")).collect();
    copy.commit("three", &[("deploy/long.yaml", &long)]);
    let (shown, base) = approved(&copy, &bob, &["--ref", "refs/heads/main"]);
    assert!(shown.contains("lines more are not shown: git diff ") && shown.contains(&base), "{}", &shown[..400]);
    assert!(shown.contains("  deploy/long.yaml +5000 -0") && !shown.contains("line4999"));
}
