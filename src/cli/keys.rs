//! Private keys for what SOPS encrypted, from where SOPS itself looks for them.

use std::path::{Path, PathBuf};
use std::{env, fs};

use zeroize::Zeroizing;

use super::stop::Stop;
use crate::render::Options;
use crate::render::sops::Keys;

/// Where private keys are.
#[derive(Debug, clap::Args)]
pub struct KeyFiles {
    /// Decrypt what SOPS encrypted with the private keys of age in this file, beside those that SOPS
    /// itself would use
    #[arg(long, value_name = "FILE")]
    age_key_file: Vec<PathBuf>,
    /// SOPS v3, looked for on PATH unless said: for keys of PGP, of a cloud or of Vault
    #[arg(long, env = "TANDEM_SOPS", value_name = "PROGRAM", hide_env_values = true)]
    sops: Option<PathBuf>,
}

/// Variables of SOPS that hold keys, or name files of them.
const KEYS: &str = "SOPS_AGE_KEY";
const FILES: [&str; 2] = ["SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"];

impl KeyFiles {
    /// The program that decrypts what we cannot.
    pub fn program(&self) -> Option<PathBuf> {
        self.sops.clone()
    }

    /// The same options with all keys that there are. What is named has to hold keys; the
    /// places where SOPS looks by itself are left out where they hold none.
    pub fn added(&self, mut options: Options) -> Result<Options, Stop> {
        let keys = &mut options.decryption;
        keys.at_a_persons_machine();
        for path in &self.age_key_file {
            add(keys, path, "--age-key-file")?;
        }
        for variable in FILES {
            if let Some(path) = set(variable) {
                add(keys, Path::new(&path), variable)?;
            }
        }
        if let Some(text) = set(KEYS) {
            let text = Zeroizing::new(text.to_string_lossy().into_owned());
            // Several keys may stand on one line there.
            let words = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
            let lines = Zeroizing::new(words.collect::<Vec<_>>().join("\n"));
            keys.add(&lines).map_err(|why| unusable(KEYS, &why))?;
        }
        for path in usual() {
            if let Ok(text) = fs::read_to_string(path) {
                let _ = keys.add(&Zeroizing::new(text));
            }
        }
        Ok(options)
    }
}

fn set(variable: &str) -> Option<std::ffi::OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

fn add(keys: &mut Keys, path: &Path, from: &str) -> Result<(), Stop> {
    let text = fs::read_to_string(path).map_err(|error| {
        Stop::usage(format!("{from}: {} cannot be read: {error}", path.display()), "name a file with private keys")
    })?;
    keys.add(&Zeroizing::new(text)).map_err(|why| unusable(&format!("{from}: {}", path.display()), &why))
}

fn unusable(what: &str, why: &str) -> Stop {
    Stop::usage(format!("{what}: {why}"), "age-keygen makes keys, one a line")
}

/// Where SOPS looks when nobody says anything.
fn usual() -> Vec<PathBuf> {
    let home = env::home_dir().unwrap_or_default();
    let config = match set("XDG_CONFIG_HOME") {
        Some(folder) => PathBuf::from(folder),
        None if cfg!(target_os = "macos") => home.join("Library/Application Support"),
        None => home.join(".config"),
    };
    vec![config.join("sops/age/keys.txt"), home.join(".ssh/id_ed25519"), home.join(".ssh/id_rsa")]
}
