//! Keys of people, made and used by the real `ssh-keygen` and `gpg`, and commits that the real `git` signs with them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tandem::revision::signature::KeyFile;
use tempfile::TempDir;

use crate::git_remote::WorkingCopy;
use crate::lab::{both, run};

/// A home with keys that nobody had before.
pub struct Keys {
    home: TempDir,
}

/// An SSH key.
#[derive(Clone)]
pub struct SshKey {
    pub private: PathBuf,
    /// Line of its public half.
    pub public: String,
}

impl SshKey {
    fn read(private: PathBuf) -> Self {
        let public = fs::read_to_string(private.with_extension("pub")).expect("a public key");
        Self { private, public: public.trim().to_owned() }
    }

    /// Where the public half is.
    pub fn public_file(&self) -> PathBuf {
        self.private.with_extension("pub")
    }
}

impl Keys {
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("keys").tempdir().expect("a folder");
        let gnupg = home.path().join("gnupg");
        fs::create_dir(&gnupg).expect("a folder");
        fs::set_permissions(&gnupg, fs::Permissions::from_mode(0o700)).expect("permissions");
        let script = home.path().join("gpg");
        fs::write(&script, format!("#!/bin/sh\nGNUPGHOME={} exec gpg \"$@\"\n", gnupg.display())).expect("a script");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("permissions");
        Self { home }
    }

    /// Makes an SSH key: `["-t", "ed25519"]`.
    pub fn ssh(&self, name: &str, kind: &[&str]) -> SshKey {
        let path = self.home.path().join(name);
        run(Command::new("ssh-keygen").args(["-q", "-N", "", "-C", name]).args(kind).arg("-f").arg(&path));
        SshKey::read(path)
    }

    /// Certifies a copy of a key by the key of an authority, with options of `ssh-keygen -s`.
    pub fn certified(&self, authority: &SshKey, key: &SshKey, name: &str, options: &[&str]) -> SshKey {
        let path = self.home.path().join(name);
        fs::copy(&key.private, &path).expect("a key");
        fs::copy(key.public_file(), path.with_extension("pub")).expect("a key");
        run(Command::new("ssh-keygen")
            .args(["-q", "-I", name, "-s"])
            .arg(&authority.private)
            .args(options)
            .arg(path.with_extension("pub")));
        let certificate = self.home.path().join(format!("{name}-cert.pub"));
        // `ssh-keygen -Y sign` is named the public half and finds the private one beside it.
        let signing = self.home.path().join(format!("{name}-signing"));
        fs::copy(&key.private, &signing).expect("a key");
        fs::copy(&certificate, signing.with_extension("pub")).expect("a certificate");
        SshKey::read(signing)
    }

    /// What `ssh-keygen` signs.
    pub fn ssh_signs(&self, key: &SshKey, namespace: &str, payload: &[u8]) -> String {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(key.public_file());
        piped(&mut command, payload)
    }

    /// Whether the real `ssh-keygen` takes a signature for one of these lines, at this time (`YYYYMMDDHHMMSS`, UTC).
    pub fn ssh_verifies(&self, lines: &str, who: &str, signature: &str, payload: &[u8], at: &str) -> bool {
        let (allowed, signed) = (self.home.path().join("allowed"), self.home.path().join("signature"));
        fs::write(&allowed, lines).expect("a file");
        fs::write(&signed, signature).expect("a file");
        let mut command = Command::new("ssh-keygen");
        command.env("TZ", "UTC").args(["-Y", "verify", "-n", "git", "-I", who, "-O", &format!("verify-time={at}")]);
        command.arg("-f").arg(&allowed).arg("-s").arg(&signed);
        try_piped(&mut command, payload).is_ok()
    }

    /// gpg with this home.
    pub fn gpg(&self) -> Command {
        let mut command = Command::new(self.home.path().join("gpg"));
        command.args(["--quiet", "--batch", "--no-tty", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]);
        command
    }

    /// Makes an OpenPGP key that signs, and returns its fingerprint.
    pub fn pgp(&self, name: &str, kind: &str, usage: &str, expires: &str, more: &[&str]) -> String {
        run(self.gpg().args(more).args(["--quick-gen-key", name, kind, usage, expires]));
        self.fingerprints(name)[0].clone()
    }

    /// Fingerprints of a key and its subkeys.
    pub fn fingerprints(&self, name: &str) -> Vec<String> {
        let listed = run(self.gpg().args(["--list-keys", "--with-colons", name]));
        let lines = listed.lines().filter_map(|line| line.strip_prefix("fpr:"));
        lines.map(|line| line.trim_matches(':').to_owned()).collect()
    }

    /// The public half, armored.
    pub fn pgp_public(&self, name: &str) -> String {
        run(self.gpg().args(["--armor", "--export", name]))
    }

    /// What gpg signs, with options that come first.
    pub fn pgp_signs(&self, keys: &[&str], options: &[&str], payload: &[u8]) -> String {
        let mut command = self.gpg();
        command.args(options);
        keys.iter().for_each(|key| {
            command.args(["-u", key]);
        });
        command.args(["--armor", "--detach-sign"]);
        piped(&mut command, payload)
    }

    /// Has git sign with an SSH key in this working copy.
    pub fn use_ssh(&self, copy: &WorkingCopy, key: &SshKey) {
        copy.git(&["config", "gpg.format", "ssh"]);
        self.sign_with(copy, &key.public_file().display().to_string());
    }

    /// Has git sign with an OpenPGP key in this working copy.
    pub fn use_pgp(&self, copy: &WorkingCopy, fingerprint: &str) {
        copy.git(&["config", "gpg.format", "openpgp"]);
        copy.git(&["config", "gpg.program", &self.home.path().join("gpg").display().to_string()]);
        self.sign_with(copy, &format!("{fingerprint}!"));
    }

    fn sign_with(&self, copy: &WorkingCopy, key: &str) {
        copy.git(&["config", "user.signingkey", key]);
        sign(copy, true);
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }
}

/// Whether commits of this working copy are signed from now on.
pub fn sign(copy: &WorkingCopy, whether: bool) {
    copy.git(&["config", "commit.gpgsign", if whether { "true" } else { "false" }]);
}

impl Drop for Keys {
    fn drop(&mut self) {
        // GnuPG leaves an agent behind that has this home.
        let _ = Command::new("gpgconf")
            .env("GNUPGHOME", self.home.path().join("gnupg"))
            .args(["--kill", "gpg-agent"])
            .status();
    }
}

/// A file of keys.
pub fn file(name: &str, text: impl Into<String>) -> KeyFile {
    KeyFile { name: name.to_owned(), text: text.into() }
}

fn piped(command: &mut Command, input: &[u8]) -> String {
    try_piped(command, input).unwrap_or_else(|words| panic!("{command:?}: {words}"))
}

/// What a command answers to some input, or its words where it fails.
pub fn try_piped(command: &mut Command, input: &[u8]) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let output = child.wait_with_output().expect("it ends");
    if output.status.success() { Ok(String::from_utf8(output.stdout).expect("UTF-8")) } else { Err(both(&output)) }
}

/// The raw bytes of an object.
pub fn raw(copy: &WorkingCopy, kind: &str, id: &str) -> Vec<u8> {
    let output = Command::new("git").current_dir(&copy.path).args(["cat-file", kind, id]).output().expect("git runs");
    assert!(output.status.success(), "{}", both(&output));
    output.stdout
}

/// Writes an object as it is, whatever git thinks of it, and returns its id.
pub fn write(copy: &WorkingCopy, kind: &str, raw: &[u8]) -> String {
    let mut command = Command::new("git");
    command.current_dir(&copy.path).args(["hash-object", "-t", kind, "--literally", "-w", "--stdin"]);
    piped(&mut command, raw).trim().to_owned()
}

/// A signature as a header of a commit.
pub fn header(signature: &str) -> Vec<u8> {
    format!("gpgsig {}\n", signature.trim_end().replace('\n', "\n ")).into_bytes()
}

/// A commit without its signature.
pub fn unsigned(raw: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut inside = false;
    let mut headers = true;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        headers &= line != b"\n";
        inside = headers && (line.starts_with(b"gpgsig ") || (inside && line.starts_with(b" ")));
        if !inside {
            kept.extend_from_slice(line);
        }
    }
    kept
}

/// A commit with something put in before the line that begins with `before`.
pub fn insert(raw: &[u8], before: &str, what: &[u8]) -> Vec<u8> {
    let text = [b"\n", raw].concat();
    let needle = format!("\n{before}");
    let at = text.windows(needle.len()).position(|window| window == needle.as_bytes()).expect("the line");
    [&raw[..at], what, &raw[at..]].concat()
}
