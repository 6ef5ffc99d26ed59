//! What the program says of itself.

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use super::{Folder, told};
use crate::lab::Terminal;

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

/// Nothing is asked of a cluster for it.
#[test]
fn commands_refuse_kinds_that_they_are_not_for() {
    let folder = Folder::with(&[]);
    for (args, words) in [
        (&["suspend", "standard/company"][..], "a Standard cannot be suspended"),
        (&["resume", "standard/company"], "a Standard cannot be suspended"),
        (&["tree", "standard/company"], "for Syncs, and that is a Standard"),
        (
            &["tree", "repository/app"],
            "for Syncs, and that is a Repository; a Sync in a namespace of that name is sync/repository/app",
        ),
        (&["diff", "repository/shop/app"], "for Syncs, and that is a Repository"),
        (&["status", "standard/company"], "for Syncs, and that is a Standard"),
        (&["plan", ".", "--sync", "standard/company"], "for Syncs, and that is a Standard"),
        (&["reconcile", "standard/ops/company"], "a Standard is in no namespace: write standard/NAME"),
    ] {
        let told = folder.run(args);
        assert!(told.starts_with("exit 2") && told.contains(words), "{args:?}: {told}");
    }
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

/// What the shell itself offers after `tandem`, once it has read our completion.
#[test]
fn a_real_shell_completes_commands_and_options() {
    let folder = Folder::with(&[]);
    let program = folder.command(&[]).get_program().to_owned();
    let complete = |line: &str| {
        let script = format!(
            "source <(\"$1\" completion bash); COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; read -ra COMP_WORDS <<<\"$COMP_LINE\"; \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _tandem tandem \"${{COMP_WORDS[COMP_CWORD]}}\" \
             \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        let output = std::process::Command::new("bash").args(["-c", &script, "bash"]).arg(&program).output();
        told(&output.expect("bash runs"))
    };
    assert_eq!(complete("tandem re"), "exit 0\n--- stdout\nrender reconcile resume\n");
    assert_eq!(complete("tandem install --clus"), "exit 0\n--- stdout\n--cluster\n");
}

/// The whole promise to scripts, each code by the program itself.
#[test]
fn exit_codes_are_those_of_the_table() {
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let folder = Folder::with(&[("good/a.yaml", object), ("bad/a.yaml", "{\n")]);
    let code = |args: &[&str]| folder.command(args).output().expect("runs").status.code();
    assert_eq!(code(&["render", "good"]), Some(0));
    assert_eq!(code(&["render", "good", "--no-such-option"]), Some(2));
    assert_eq!(code(&["render", "bad"]), Some(3));
    assert_eq!(code(&["get"]), Some(4));
    // A result that cannot be written is nobody's fault but ours.
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a full disk");
    let output = folder.command(&["render", "good"]).stdout(full).output().expect("runs");
    assert_eq!(told(&output), "exit 70\n--- stderr\nerror: No space left on device (os error 28)\n");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let folder = Folder::with(&[("bad/a.yaml", "{\n")]);
    let on_terminal = |set: Option<(&str, &str)>| {
        let mut command = folder.command(&["render", "bad"]);
        command.env("TERM", "xterm").envs(set);
        let (code, shown) = Terminal::start(command).end();
        assert_eq!(code, 3, "{shown}");
        shown.contains("\u{1b}[31merror:")
    };
    assert!(on_terminal(None));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        assert!(!on_terminal(Some((name, value))), "{name}");
    }
    let piped = folder.run(&["render", "bad"]);
    assert!(piped.contains("error: 1 problem") && !piped.contains('\u{1b}'), "{piped}");
    assert!(folder.run(&["render", "bad", "--color", "always"]).contains("\u{1b}[31merror:"));
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
