//! Files for keys of PGP, through the real program `sops` in the box, and as a person has it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tandem::agent::programs::{Programs, ProgramsSettings};
use tandem::failure::Failed;
use tandem::object::yaml;
use tandem::render::sops::Service;
use tandem::render::{MemTree, Options, Rendered, render};
use tempfile::TempDir;

use super::program::{AgeKey, encrypt_with, programs};
use crate::lab::{both, run, tandem};

/// A key of PGP that nobody had before, in a home of its own.
pub struct Pgp {
    home: TempDir,
    pub fingerprint: String,
}

impl Pgp {
    pub fn generate() -> Self {
        let home = tempfile::Builder::new().prefix("gpg").tempdir().expect("a folder");
        let uid = "Shop <shop@example.com>";
        let made = ["--batch", "--passphrase", "", "--quick-gen-key", uid, "default", "default", "never"];
        run(gpg(home.path()).args(made));
        let listed = run(gpg(home.path()).args(["--list-keys", "--with-colons"]));
        let line = listed.lines().find_map(|line| line.strip_prefix("fpr:")).expect("a fingerprint");
        Self { fingerprint: line.trim_matches(':').to_owned(), home }
    }

    /// The private half, as people export it.
    pub fn private(&self) -> String {
        let options = ["--batch", "--passphrase", "", "--pinentry-mode", "loopback", "--armor", "--export-secret-keys"];
        run(gpg(self.home.path()).args(options))
    }

    /// What SOPS makes of a file for this key.
    pub fn encrypt(&self, name: &str, plain: &str, more: &[&str]) -> String {
        let home = [("GNUPGHOME", self.home.path().to_str().expect("a path")), ("PATH", "/usr/bin:/bin")];
        encrypt_with(&home, name, plain, &[&["--pgp", &self.fingerprint], more].concat())
    }
}

impl Drop for Pgp {
    fn drop(&mut self) {
        // GnuPG leaves an agent behind that has this home.
        let _ = Command::new("gpgconf").env("GNUPGHOME", self.home.path()).args(["--kill", "gpg-agent"]).status();
    }
}

fn gpg(home: &Path) -> Command {
    let mut command = Command::new("gpg");
    command.env("GNUPGHOME", home).arg("--quiet");
    command
}

/// Renders with the real SOPS in the box.
pub fn whole(tree: &MemTree, options: Options, sops: &Path) -> Rendered {
    try_whole(tree, options, sops).expect("answers")
}

/// The same, where it may fail.
pub fn try_whole(tree: &MemTree, mut options: Options, sops: &Path) -> Result<Rendered, Failed> {
    let settings = ProgramsSettings {
        launcher: env!("CARGO_BIN_EXE_tandem").into(),
        sops: Some(sops.to_owned()),
        ..ProgramsSettings::new().expect("settings")
    };
    let programs = Programs::new(settings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        loop {
            let rendered = render(tree, "", &options);
            if rendered.needs.is_empty() {
                return Ok(rendered);
            }
            programs.meet(rendered.needs, &mut options).await?;
        }
    })
}

fn options(keys: &[&str], age: &[&AgeKey]) -> Options {
    let mut options = Options::default();
    keys.iter().for_each(|key| options.decryption.add_of(Service::Pgp, key).expect("a key"));
    age.iter().for_each(|key| options.decryption.add(&key.private).expect("a key"));
    options
}

const SECRET: &str = "\
# a comment
apiVersion: v1
kind: Secret
metadata:
  name: db
stringData:
  password: pgp-canary
  list: \"[1, 2]\"
  empty: \"\"
  number: \"42\"
";

pub fn bodies(rendered: &Rendered) -> Vec<Value> {
    assert_eq!(rendered.problems, []);
    rendered.manifests.iter().map(|manifest| manifest.body.clone()).collect()
}

#[test]
fn files_for_pgp_are_decrypted_by_sops_in_the_box() {
    let (pgp, sops) = (Pgp::generate(), programs().join("sops"));
    let encrypted = pgp.encrypt("secret.yaml", SECRET, &["--encrypted-regex", "^(stringData)$"]);
    let (plain, problems) = yaml::read("plain.yaml", SECRET.as_bytes(), &yaml::Limits::default());
    assert_eq!(problems, []);
    let tree = MemTree::new().file("a/secret.yaml", encrypted.as_str());
    let rendered = whole(&tree, options(&[&pgp.private()], &[]), &sops);
    assert_eq!(bodies(&rendered), [plain[0].value.clone()]);
    assert_eq!(rendered.manifests[0].origin.line, 2, "the line of the file in the repository");

    // Every form, through a generator.
    let ini = "[shop]\ntoken = ini-canary\n";
    let files = [
        ("values.yaml", "a:\n  # note\n  - 1\n  - b: two\nc: text\n"),
        ("values.json", "{\"a\": [1, {\"b\": \"two\"}], \"c\": null}"),
        ("lines.env", "A=env-canary\nB=\n"),
        ("conf.ini", ini),
        ("key.bin", "binary\u{1}canary"),
    ];
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let kustomization = format!("secretGenerator: [{{name: made, files: [{}]}}]\n", names.join(", "));
    let mut tree = MemTree::new().file("kustomization.yaml", kustomization);
    for (name, plain) in files {
        tree = tree.file(name, pgp.encrypt(name, plain, &[]));
    }
    let rendered = whole(&tree, options(&[&pgp.private()], &[]), &sops);
    let data = &bodies(&rendered)[0]["data"];
    for (name, plain) in files {
        use base64::Engine as _;
        let packed = data[name].as_str().expect("a value").replace('\n', "");
        let bytes = base64::engine::general_purpose::STANDARD.decode(packed).expect("base64");
        let read = |bytes: &[u8]| yaml::read("a.yaml", bytes, &yaml::Limits::default()).0[0].value.clone();
        match name.rsplit('.').next() {
            Some("yaml" | "json") => assert_eq!(read(&bytes), read(plain.as_bytes()), "{name}"),
            Some("ini") => assert!(String::from_utf8_lossy(&bytes).contains("ini-canary"), "{name}"),
            _ => assert_eq!(bytes, plain.as_bytes(), "{name}"),
        }
    }
}

#[test]
fn what_sops_says_against_a_file_is_told_with_its_line() {
    let (pgp, other, sops) = (Pgp::generate(), Pgp::generate(), programs().join("sops"));
    let encrypted = pgp.encrypt("secret.yaml", SECRET, &["--encrypted-regex", "^(stringData)$"]);
    let tree = |text: &str| MemTree::new().file("secret.yaml", text);
    let problem = |text: &str, options: Options, sops: &Path| {
        let rendered = whole(&tree(text), options, sops);
        let [problem] = rendered.problems.as_slice() else { panic!("{:?}", rendered.problems) };
        assert!(problem.line.is_some() && problem.file.as_deref() == Some("secret.yaml"), "{problem:?}");
        (problem.rule.clone(), problem.message.clone())
    };
    let (rule, message) = problem(&encrypted, options(&[&other.private()], &[]), &sops);
    assert!(rule == "NoDecryptionKey" && message.contains(&pgp.fingerprint), "{message}");
    let changed = encrypted.replace("name: db", "name: changed");
    let (rule, message) = problem(&changed, options(&[&pgp.private()], &[]), &sops);
    assert!(rule == "DecryptionFailed" && message.contains("MAC mismatch"), "{message}");
    let (rule, message) = problem(&encrypted, options(&[&pgp.private()], &[]), Path::new("/nonexistent/sops"));
    assert!(rule == "SopsMissing" && message.contains("/nonexistent/sops is no program"), "{message}");
    // Nobody is asked who cannot help.
    let (rule, message) = problem(&encrypted, options(&[], &[&AgeKey::generate()]), Path::new("/nonexistent/sops"));
    assert!(rule == "NoDecryptionKey" && message.contains(&format!("PGP {}", pgp.fingerprint)), "{message}");
    assert!(!message.contains("canary"));
}

#[test]
fn a_person_decrypts_with_what_sops_finds_on_their_machine() {
    let pgp = Pgp::generate();
    let folder = tempfile::tempdir().expect("a folder");
    git2::Repository::init(folder.path()).expect("a repository");
    std::fs::write(folder.path().join("secret.yaml"), pgp.encrypt("secret.yaml", SECRET, &[])).expect("written");
    let path = std::env::join_paths([programs(), Path::new("/usr/bin"), Path::new("/bin")]).expect("a path");
    let shown = |home: &Path| {
        let mut command = tandem();
        command.args(["render", "."]).current_dir(folder.path()).env_clear().env("HOME", folder.path());
        both(&command.env("GNUPGHOME", home).env("PATH", &path).output().expect("the program runs"))
    };
    assert!(shown(pgp.home.path()).contains("pgp-canary"), "{}", shown(pgp.home.path()));
    let elsewhere = shown(folder.path());
    assert!(elsewhere.contains("NoDecryptionKey") && elsewhere.contains(&pgp.fingerprint), "{elsewhere}");
}
