//! What the program says of itself.

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use super::{Folder, told};

/// The whole reference, as every `--help` prints it; options that all commands share stand once.
#[test]
fn the_reference() {
    let folder = Folder::with(&[]);
    let mut reference = folder.run(&["--help"]);
    let listed: Vec<String> = reference
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    assert!(listed.len() > 2, "no commands in:\n{reference}");
    for command in listed {
        let told = folder.run(&[&command, "--help"]);
        reference.push_str(&format!("\n=== tandem {command} --help\n{}", without_global_options(&told)));
    }
    insta::assert_snapshot!("reference", reference);
}

fn without_global_options(help: &str) -> String {
    let start = help.find("Global options:").expect("every command has the global options");
    let after = help[start..].lines().skip(1).skip_while(|line| line.is_empty() || line.starts_with(' '));
    help[..start].to_owned() + &after.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_meant() {
    let folder = Folder::with(&[]);
    insta::assert_snapshot!(folder.run(&["rendr"]), @r"
    exit 2
    --- stderr
    error: unrecognized subcommand 'rendr'

      tip: a similar subcommand exists: 'render'

    Usage: tandem [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(folder.run(&["render", "--output", "xml"]), @r"
    exit 2
    --- stderr
    error: invalid value 'xml' for '--output <FORM>'
      [possible values: text, json, yaml]

      tip: a similar value exists: 'yaml'

    For more information, try '--help'.
    ");
}

#[test]
fn as_a_plugin_of_kubectl_it_calls_itself_so() {
    let folder = Folder::with(&[]);
    let mut command = folder.command(&["version", "--help"]);
    command.arg0("/usr/local/bin/kubectl-tandem");
    let told = told(&command.output().expect("runs"));
    assert!(told.contains("Usage: kubectl tandem version"), "{told}");
}

#[test]
fn versions_are_told_in_every_form() {
    let folder = Folder::with(&[]);
    insta::assert_snapshot!(folder.run(&["version", "--client"]), @r"
    exit 0
    --- stdout
    client: 0.1.0
    ");
    insta::assert_snapshot!(folder.run(&["version", "--client", "-o", "json"]), @r#"
    exit 0
    --- stdout
    {
      "client": "0.1.0"
    }
    "#);
    insta::assert_snapshot!(folder.run(&["version", "--client", "-o", "yaml"]), @r#"
    exit 0
    --- stdout
    client: "0.1.0"
    "#);
}

#[test]
fn every_shell_gets_a_completion() {
    let folder = Folder::with(&[]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let told = folder.run(&["completion", shell]);
        assert!(told.starts_with("exit 0\n--- stdout\n") && told.contains("render"), "{shell}: {told}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let folder = Folder::with(&[]);
    let mut child =
        folder.command(&["completion", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!(told(&output), "exit 141\n");
}

#[test]
fn without_a_cluster_it_says_what_to_name() {
    let folder = Folder::with(&[]);
    for args in [&["get"] as &[&str], &["plan"], &["tree", "web"], &["doctor"], &["reconcile", "web"]] {
        let told = folder.run(args);
        assert!(told.starts_with("exit 4\n--- stderr\nerror: cannot connect to a cluster"), "{args:?}: {told}");
        assert!(
            told.ends_with("hint: name a kubeconfig and a context, or run inside a cluster with a service account\n"),
            "{told}"
        );
    }
}
