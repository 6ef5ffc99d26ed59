//! SOPS itself: found, and run for one file. What it decrypts it prints to us, and nowhere else.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use zeroize::Zeroizing;

use super::{Programs, is_program, on_path};
use crate::failure::{Failed, Fault};
use crate::object::{Problem, yaml};
use crate::render::sops::{Keys, Place, Request, Service, VaultAddress, keyring};
use crate::render::{Answer, Blob};
use crate::sandbox::task::{Task, run};
use crate::sandbox::{Children, Confinement, Network, system_paths};

/// Bytes of memory that it may write to.
const MEMORY: u64 = 256 << 20;
/// Seconds of processor time for one file.
const CPU_SECONDS: u64 = 10;
/// Time for one file: a key service may be slow.
const DEADLINE: Duration = Duration::from_secs(30);
/// Bytes that it prints.
const OUTPUT: usize = 16 << 20;
/// Bytes of what it says beside that.
const NOTES: usize = 64 << 10;

/// Decrypts a file. What is wrong with it, or with SOPS, is the answer.
///
/// # Errors
/// A key service was not reached, or SOPS did not end in time or could not be started.
pub async fn decrypt(programs: &Programs, request: &Request) -> Result<Answer, Failed> {
    let program = match find(programs) {
        Ok(program) => program,
        Err(problem) => return Ok(Answer::Problem(Box::new(problem))),
    };
    let (code, printed, said) = match request.keys.place() {
        Place::Agent | Place::Nowhere => boxed(programs, &program, request).await?,
        Place::Person => beside(&program, request).await?,
    };
    tracing::info!(program = "sops", code, "a file was decrypted");
    if code == Some(0) {
        return Ok(Answer::Printed { output: Blob::new(printed.to_vec()), notes: String::new() });
    }
    judged(code, &words(&said))
}

/// What it means that SOPS did not decrypt a file.
fn judged(code: Option<i32>, said: &str) -> Result<Answer, Failed> {
    let unreached = [
        "connection refused",
        "no such host",
        "i/o timeout",
        "deadline exceeded",
        "TLS handshake",
        "connection reset",
        "network is unreachable",
        "server misbehaving",
        "Code: 429",
        "Code: 5",
        "StatusCode: 5",
    ];
    if let Some(mark) = unreached.iter().find(|mark| said.contains(**mark)) {
        let message = format!("a key service that SOPS asked did not answer ({mark}): {said}");
        return Err(Failed::new("KeyServiceUnavailable", Fault::Transient, message));
    }
    let (rule, message, hint) = if code == Some(NO_KEY) {
        let hint = "see whether the Secret that spec.decryption names has the key, and the service gives it to it";
        ("NoDecryptionKey", format!("SOPS finds no key that the file is encrypted for: {said}"), hint)
    } else {
        let hint = "take the file as SOPS wrote it from Git's history, and change it with `sops edit`";
        ("DecryptionFailed", format!("SOPS refuses the file: {said}"), hint)
    };
    Ok(Answer::Problem(Box::new(Problem::new(rule, message).hint(hint))))
}

/// The exit code of SOPS where it has no key.
const NO_KEY: i32 = 128;

/// What it said, on one line.
fn words(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().map(|line| line.trim_matches(&[' ', '\t', '-', '|'][..])).collect();
    let line = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    line.chars().filter(|c| !c.is_control()).take(600).collect()
}

type Ended = (Option<i32>, Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>);

/// In the box: with the credentials that are given, the network, and nothing else.
async fn boxed(programs: &Programs, program: &Path, request: &Request) -> Result<Ended, Failed> {
    let ring = ring(&request.keys);
    let files = if ring.is_empty() { Vec::new() } else { vec![(".gnupg/secring.gpg", ring.as_slice())] };
    let environment = environment(&request.keys)
        .map_err(|why| Failed::new("InvalidSecret", Fault::Cluster, format!("spec.decryption.secretRef: {why}")))?;
    let task = Task {
        name: "SOPS",
        launcher: &programs.settings.launcher,
        program,
        arguments: arguments(request),
        environment: environment.iter().map(|(name, value)| (*name, OsString::from(value.as_str()))).collect(),
        input: request.file.bytes(),
        files,
        confinement: Confinement {
            data_bytes: MEMORY,
            // Go reserves addresses that it never uses.
            address_bytes: MEMORY + (4 << 30),
            open_files: 256,
            cpu_seconds: Some(CPU_SECONDS),
            file_bytes: Some(1 << 20),
            read: system_paths(),
            write: Vec::new(),
            network: Network::Outbound,
            ports: ports(&request.keys),
            children: Children::None,
            home: PathBuf::new(),
        },
        deadline: DEADLINE,
        stdout_bytes: OUTPUT,
        stderr_bytes: NOTES,
    };
    let ran = run(task).await.map_err(|error| Failed::from(&error))?;
    Ok((ran.status.code(), ran.stdout, ran.stderr))
}

/// As the person would run it: with what is around it there.
async fn beside(program: &Path, request: &Request) -> Result<Ended, Failed> {
    let failed = |error: std::io::Error| {
        let message = format!("{} could not be run: {error}", program.display());
        Failed::new("ProgramStartFailed", Fault::Cluster, message)
    };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments(request)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().map_err(failed)?;
    let mut stdin = child.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin.take() {
            // It need not read what it does not want.
            let _ = stdin.write_all(request.file.bytes()).await;
        }
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feed);
    let output = output.map_err(failed)?;
    Ok((output.status.code(), output.stdout.into(), output.stderr.into()))
}

fn arguments(request: &Request) -> Vec<OsString> {
    let form = request.form.told();
    ["decrypt", "--input-type", form, "--output-type", form, "--filename-override", "file"]
        .into_iter()
        .map(OsString::from)
        .collect()
}

/// All private keys of PGP, as a keyring of old has them: SOPS reads that without GnuPG.
fn ring(keys: &Keys) -> Zeroizing<Vec<u8>> {
    let mut ring = Zeroizing::new(Vec::new());
    for text in keys.of(Service::Pgp) {
        // What is no key was refused when it was added.
        if let Ok(some) = keyring(text.expose()) {
            ring.extend_from_slice(&some);
        }
    }
    ring
}

/// Ports of the services that it may have to ask: those of clouds, that of the Vault, and names. Others are not open to it,
/// such as that at which a machine of a cloud gives its own rights away.
fn ports(keys: &Keys) -> Vec<u16> {
    const HTTPS: u16 = 443;
    const NAMES: u16 = 53;
    let mut ports = vec![HTTPS, NAMES];
    ports.extend(keys.vault().map(VaultAddress::port));
    ports
}

/// Credentials where SOPS looks for them.
fn environment(keys: &Keys) -> Result<Vec<(&'static str, Zeroizing<String>)>, String> {
    let mut environment = vec![
        ("GOMAXPROCS", Zeroizing::new("2".to_owned())),
        // From its own home, in which it stands: SOPS would look into that of the user of its process.
        ("GNUPGHOME", Zeroizing::new(".gnupg".to_owned())),
        // A machine of a cloud gives its own rights to whoever asks: those are not the Sync's.
        ("AWS_EC2_METADATA_DISABLED", Zeroizing::new("true".to_owned())),
    ];
    let age: Vec<&str> =
        keys.age().flat_map(|text| text.expose().lines()).filter(|line| line.starts_with("AGE-SECRET-KEY-")).collect();
    if !age.is_empty() {
        environment.push(("SOPS_AGE_KEY", Zeroizing::new(age.join("\n"))));
    }
    for token in keys.of(Service::Vault) {
        environment.push(("VAULT_TOKEN", Zeroizing::new(token.expose().trim().to_owned())));
    }
    if let Some(address) = keys.vault() {
        // The library of Vault asks there and nowhere else, whatever address stands in the file.
        environment.push(("VAULT_AGENT_ADDR", Zeroizing::new(address.told().to_owned())));
    }
    if let Some(ca) = keys.vault_ca() {
        environment.push(("VAULT_CACERT_BYTES", Zeroizing::new(ca.to_owned())));
    }
    for account in keys.of(Service::Google) {
        environment.push(("GOOGLE_CREDENTIALS", Zeroizing::new(account.expose().to_owned())));
    }
    for (service, key, names) in
        [(Service::Aws, "sops.aws-kms", &AWS[..]), (Service::Azure, "sops.azure-kv", &AZURE[..])]
    {
        for text in keys.of(service) {
            let fields = fields(text.expose()).ok_or_else(|| format!("the key {key} is no YAML mapping of texts"))?;
            for (field, variable) in names {
                if let Some(value) = fields.get(*field) {
                    environment.push((*variable, value.clone()));
                }
            }
        }
    }
    Ok(environment)
}

const AWS: [(&str, &str); 3] = [
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
];

const AZURE: [(&str, &str); 3] =
    [("tenantId", "AZURE_TENANT_ID"), ("clientId", "AZURE_CLIENT_ID"), ("clientSecret", "AZURE_CLIENT_SECRET")];

fn fields(text: &str) -> Option<BTreeMap<String, Zeroizing<String>>> {
    let (documents, problems) = yaml::read("credentials", text.as_bytes(), &yaml::Limits::default());
    let document = documents.into_iter().next().filter(|_| problems.is_empty())?;
    let fields = document.value.as_object()?.clone();
    let texts = fields.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned().into())));
    Some(texts.collect())
}

/// SOPS, or the problem that it is not there.
fn find(programs: &Programs) -> Result<PathBuf, Problem> {
    let missing = |message: String| {
        let hint = "put sops v3 on the agent's PATH, or name it with --sops; keys of age need no program";
        Problem::new("SopsMissing", message).hint(hint)
    };
    match &programs.settings.sops {
        Some(program) if is_program(program) => Ok(program.clone()),
        Some(program) => Err(missing(format!("{} is no program, and the file needs SOPS", program.display()))),
        None => on_path("sops").ok_or_else(|| {
            missing(
                "the file is for no key of age that is given, and there is no program sops to ask others".to_owned(),
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stand_where_sops_looks_for_them() {
        let mut keys = Keys::default();
        let add = |keys: &mut Keys, service, text: &str| keys.add_of(service, text).expect("taken");
        add(&mut keys, Service::Vault, "token\n");
        keys.at_vault("https://vault.example.com:8200/\n").expect("an address");
        add(&mut keys, Service::Google, "{\"type\": \"service_account\"}");
        add(&mut keys, Service::Aws, "aws_access_key_id: id\naws_secret_access_key: key\nother: x\n");
        add(&mut keys, Service::Azure, "{\"tenantId\": \"t\", \"clientId\": \"c\", \"clientSecret\": \"s\"}");
        keys.add(include_str!("../../../tests/cases/sops/one.agekey")).expect("a key");
        let environment = environment(&keys).expect("an environment");
        let of = |name: &str| environment.iter().find(|(of, _)| *of == name).map(|(_, value)| value.as_str());
        assert!(of("SOPS_AGE_KEY").is_some_and(|key| key.starts_with("AGE-SECRET-KEY-1") && !key.contains('\n')));
        for (name, value) in [
            ("VAULT_TOKEN", "token"),
            ("VAULT_AGENT_ADDR", "https://vault.example.com:8200"),
            ("GOOGLE_CREDENTIALS", "{\"type\": \"service_account\"}"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "key"),
            ("AZURE_TENANT_ID", "t"),
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_CLIENT_SECRET", "s"),
        ] {
            assert_eq!(of(name), Some(value), "{name}");
        }
        assert_eq!(ports(&keys), [443, 53, 8200]);
        let mut wrong = Keys::default();
        add(&mut wrong, Service::Aws, "no mapping");
        assert_eq!(
            super::environment(&wrong).expect_err("refused"),
            "the key sops.aws-kms is no YAML mapping of texts"
        );
        assert!(!format!("{keys:?}").contains("token"));
    }

    #[test]
    fn a_service_that_does_not_answer_is_asked_again_and_a_key_that_does_not_fit_is_told() {
        let said = "Failed to get the data key required to decrypt the SOPS file.\n\nGroup 0: FAILED\n  arn:aws:kms: FAILED\n    - | dial tcp: lookup kms: no such host\n";
        let failed = judged(Some(NO_KEY), &words(said.as_bytes())).expect_err("tried again");
        assert_eq!((failed.reason.as_str(), failed.fault), ("KeyServiceUnavailable", Fault::Transient));
        let rule = |code, said: &str| match judged(Some(code), said) {
            Ok(Answer::Problem(problem)) => problem.rule,
            other => panic!("{other:?}"),
        };
        assert_eq!(rule(NO_KEY, "Failed to get the data key"), "NoDecryptionKey");
        assert_eq!(rule(51, "MAC mismatch"), "DecryptionFailed");
        assert_eq!(words(b"a\n\n  - | b\x1b[2J\n"), "a; b[2J");
    }
}
