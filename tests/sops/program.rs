//! The real SOPS and age, built where they are missing, and ours beside them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tandem::render::{MemTree, Options, render};

use super::file::Made;
use crate::lab::{both, root, run};

/// Folder of the programs.
pub fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let built = run(Command::new(root().join("hack/lab")).args(["build", "sops", "age", "age-keygen"]));
        PathBuf::from(built.lines().last().expect("a folder"))
    })
}

/// A key of age: its private half as a file, and its public half.
pub struct AgeKey {
    pub private: String,
    pub public: String,
}

impl AgeKey {
    /// A key that nobody had before.
    pub fn generate() -> Self {
        let private = run(&mut Command::new(programs().join("age-keygen")));
        let public = private.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key");
        Self { public: public.to_owned(), private }
    }
}

/// SOPS in a folder of its own, with three keys, of which we have the first two.
pub struct Sops {
    folder: tempfile::TempDir,
    pub keys: [AgeKey; 3],
}

impl Sops {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = [AgeKey::generate(), AgeKey::generate(), AgeKey::generate()];
        std::fs::write(folder.path().join("keys"), Self::private(&keys)).expect("written");
        Self { folder, keys }
    }

    fn private(keys: &[AgeKey]) -> String {
        format!("{}{}", keys[0].private, keys[1].private)
    }

    fn command(&self, made: &Made, folder: &Path, content: &[u8]) -> Command {
        std::fs::write(folder.join(&made.name), content).expect("written");
        let mut command = Command::new(programs().join("sops"));
        command.current_dir(folder).env_clear().env("HOME", folder).env("PATH", "/nonexistent");
        command.env("SOPS_AGE_KEY_FILE", self.folder.path().join("keys"));
        command
    }

    /// What SOPS makes of a file.
    pub fn encrypt(&self, made: &Made) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a folder");
        let rule = made.rule.replace("KEY1", &self.keys[0].public).replace("KEY2", &self.keys[1].public);
        let rule = format!("creation_rules: [{}]\n", rule.replace("KEY3", &self.keys[2].public));
        std::fs::write(folder.path().join("rules"), rule).expect("written");
        let mut command = self.command(made, folder.path(), &made.plain);
        let output = command.args(["--config", "rules", "encrypt", &made.name]).output().expect("SOPS runs");
        assert!(output.status.success(), "{}\n{}\n{}", made.rule, String::from_utf8_lossy(&made.plain), both(&output));
        output.stdout
    }

    /// What SOPS decrypts a file to, or its complaint.
    pub fn decrypt(&self, made: &Made, encrypted: &[u8]) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let Output { status, stdout, stderr } =
            self.command(made, folder.path(), encrypted).args(["decrypt", &made.name]).output().expect("SOPS runs");
        if status.success() { Ok(stdout) } else { Err(String::from_utf8_lossy(&stderr).into_owned()) }
    }
}

/// What SOPS makes of a file, with arguments that say how.
pub fn encrypt(name: &str, plain: &str, arguments: &[&str]) -> String {
    encrypt_with(&[("PATH", "/nonexistent")], name, plain, arguments)
}

/// The same, with more in its environment.
pub fn encrypt_with(environment: &[(&str, &str)], name: &str, plain: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(name), plain).expect("written");
    let mut command = Command::new(programs().join("sops"));
    command.current_dir(folder.path()).env_clear().env("HOME", folder.path()).envs(environment.iter().copied());
    run(command.arg("encrypt").args(arguments).arg(name))
}

/// What Tandem decrypts a file to: as the content of a Secret that a kustomization makes.
pub fn opened(sops: &Sops, made: &Made, encrypted: &[u8]) -> Result<Vec<u8>, String> {
    let name = &made.name;
    let tree = MemTree::new()
        .file("kustomization.yaml", format!("secretGenerator: [{{name: made, files: [{name}]}}]\n"))
        .file(name, encrypted.to_vec());
    let mut options = Options::default();
    options.decryption.add(&Sops::private(&sops.keys)).expect("keys");
    let rendered = render(&tree, "", &options);
    if let Some(problem) = rendered.problems.first() {
        return Err(problem.to_string());
    }
    let data = rendered.manifests[0].body["data"][name].as_str().expect("a value").replace('\n', "");
    Ok(STANDARD.decode(data).expect("base64"))
}
