//! The box for programs that are not ours: what they may not do, each beside a twin that may.

use std::ffi::OsString;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tandem::sandbox::task::{Ran, Task, TaskError, run};
use tandem::sandbox::{Children, Confinement, Network, system_paths};

use crate::lab::{tandem, wait_for};

/// A program with nothing asked for beside what it is.
async fn boxed(program: &str, arguments: &[&str], change: impl FnOnce(&mut Task<'_>)) -> Result<Ran, TaskError> {
    let launcher = PathBuf::from(tandem().get_program());
    let mut read = system_paths();
    // The programs that a shell of these tests starts.
    read.extend(["/usr/bin", "/bin"].map(PathBuf::from));
    let mut task = Task {
        name: "the program",
        launcher: &launcher,
        program: Path::new(program),
        arguments: arguments.iter().map(OsString::from).collect(),
        environment: Vec::new(),
        input: &[],
        files: Vec::new(),
        confinement: Confinement {
            data_bytes: 128 << 20,
            address_bytes: 1 << 30,
            open_files: 64,
            cpu_seconds: None,
            file_bytes: Some(1 << 20),
            read,
            write: Vec::new(),
            network: Network::None,
            ports: Vec::new(),
            children: Children::None,
            home: PathBuf::new(),
        },
        deadline: Duration::from_secs(30),
        stdout_bytes: 1 << 20,
        stderr_bytes: 4096,
    };
    change(&mut task);
    run(task).await
}

/// What a shell prints, and whether it ended well.
async fn shell(script: &str, change: impl FnOnce(&mut Task<'_>)) -> (String, bool) {
    let ran = boxed("/bin/sh", &["-c", script], change).await.expect("runs");
    let printed = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    (printed, ran.status.success())
}

#[tokio::test]
async fn it_sees_its_input_its_files_and_nothing_of_our_environment() {
    let ran = boxed("/usr/bin/env", &[], |task| task.environment.push(("GIVEN", "yes".into()))).await.expect("runs");
    let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
    let mut names: Vec<_> = printed.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["GIVEN", "HOME", "LANG", "TMPDIR"], "{printed}");
    assert!(std::env::var_os("PATH").is_some(), "there is something that could have been seen");

    let files = |task: &mut Task<'_>| {
        task.files = vec![("chart/a/b", &b"of the file"[..])];
        task.input = b"of stdin\n";
    };
    let (printed, _) = shell("read x; echo $x; read y < chart/a/b; echo $y; pwd; echo $HOME", files).await;
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[..2], ["of stdin", "of the file"]);
    assert_eq!(lines[2], lines[3], "it starts at home");
    assert!(!Path::new(lines[2]).exists(), "its home went with it: {}", lines[2]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_reads_and_writes_only_what_it_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "canary\n").expect("writes");
    let read = format!("read x < {}; echo $x", secret.display());
    let (printed, _) = shell(&read, |_| {}).await;
    assert!(printed.contains("Permission denied") && !printed.contains("canary"), "{printed}");
    let (printed, _) = shell(&read, |task| task.confinement.read.push(folder.path().to_owned())).await;
    assert_eq!(printed, "canary\n");

    let write = format!("echo x > {}/new", folder.path().display());
    assert!(!shell(&write, |task| task.confinement.read.push(folder.path().to_owned())).await.1);
    assert!(shell(&write, |task| task.confinement.write.push(folder.path().to_owned())).await.1);
    assert!(shell("echo x > new", |_| {}).await.1, "its home is its own");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_speaks_to_nobody_unless_it_may() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let port = listener.local_addr().expect("an address").port();
    let accepted = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accepts");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("reads");
        said
    });
    let script = format!("echo hello > /dev/tcp/127.0.0.1/{port}");
    let connect = async |network| {
        boxed("/bin/bash", &["-c", &script], |task| task.confinement.network = network).await.expect("runs")
    };
    let alone = connect(Network::None).await;
    assert!(!alone.status.success() && !accepted.is_finished(), "{}", String::from_utf8_lossy(&alone.stderr));
    assert!(connect(Network::Outbound).await.status.success());
    assert_eq!(accepted.join().expect("ends"), "hello\n");

    // Where ports are named, no other is open.
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let port = listener.local_addr().expect("an address").port();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected");
    let through = async |ports: &[u16]| {
        let change = |task: &mut Task<'_>| {
            (task.confinement.network, task.confinement.ports) = (Network::Outbound, ports.to_vec());
        };
        boxed("/bin/bash", &["-c", &script], change).await.expect("runs").status.success()
    };
    assert!(through(&[443, port]).await && !through(&[443]).await);

    // No name is asked for either: that goes by UDP, which Landlock does not know.
    let resolve = async |network| {
        boxed("/usr/bin/getent", &["ahosts", "127.0.0.1"], |task| task.confinement.network = network)
            .await
            .expect("runs")
    };
    assert!(resolve(Network::Outbound).await.status.success());
    let script = "exec 3<>/dev/udp/127.0.0.1/53 && echo sent";
    let udp = async |network| {
        boxed("/bin/bash", &["-c", script], |task| task.confinement.network = network).await.expect("runs")
    };
    assert!(!udp(Network::None).await.status.success());
    assert_eq!(&**udp(Network::Outbound).await.stdout, b"sent\n");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_starts_no_processes_unless_it_may_and_those_end_with_it() {
    let script = "/bin/true && echo started";
    let (printed, fine) = shell(script, |_| {}).await;
    assert!(!fine && !printed.contains("started"), "{printed}");
    let (printed, _) = shell(script, |task| task.confinement.children = Children::Allowed).await;
    assert_eq!(printed, "started\n");

    let script = "sleep 1000 >/dev/null 2>&1 </dev/null & echo $!";
    let (printed, _) = shell(script, |task| task.confinement.children = Children::Allowed).await;
    let left: u32 = printed.trim().parse().expect("a process id");
    wait_for("what it started to end", || match std::fs::read_to_string(format!("/proc/{left}/stat")) {
        Ok(stat) if !stat.contains(") Z ") => Err(stat),
        _ => Ok(()),
    });
}

#[tokio::test]
async fn it_ends_in_time_and_within_its_limits() {
    let begun = Instant::now();
    let endless = boxed("/bin/sh", &["-c", "while :; do :; done"], |task| task.deadline = Duration::from_secs(1)).await;
    assert!(matches!(endless, Err(TaskError::Timeout { .. })), "{endless:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));

    let busy = |task: &mut Task<'_>| task.confinement.cpu_seconds = Some(1);
    let busy = boxed("/bin/sh", &["-c", "while :; do :; done"], busy).await.expect("ends by itself");
    assert!(!busy.status.success() && busy.status.code().is_none(), "{:?}", busy.status);

    let loud = boxed("/usr/bin/yes", &[], |_| {}).await;
    assert!(matches!(loud, Err(TaskError::Output { limit: 1_048_576, .. })), "{loud:?}");
    let told =
        boxed("/bin/sh", &["-c", "i=0; while [ $i -lt 10000 ]; do echo 1234567890 >&2; i=$((i+1)); done"], |_| {});
    let told = told.await.expect("what is said on stderr is cut, and nothing stands still");
    assert!(told.status.success() && told.stderr.len() == 4096, "{:?} {}", told.status, told.stderr.len());
    let quiet =
        boxed("/usr/bin/head", &["-c", "1000000", "/dev/zero"], |task| task.confinement.read.push("/dev/zero".into()));
    assert_eq!(quiet.await.expect("within the limit").stdout.len(), 1_000_000);

    let grow = "BEGIN { s = \"x\"; while (length(s) < LENGTH) s = s s; print length(s) }";
    for (length, fine) in [("1000", true), ("1000000000", false)] {
        let ran = boxed("/usr/bin/awk", &[&grow.replace("LENGTH", length)], |_| {}).await.expect("ends");
        assert_eq!(ran.status.success(), fine, "{length}: {:?}", ran.status);
    }
    let large = "i=0; while [ $i -lt 40000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done > file; echo $?";
    let (printed, fine) = shell(large, |_| {}).await;
    assert!(!fine && printed.trim() != "0", "{printed}");
}

#[tokio::test]
async fn what_cannot_be_started_is_told() {
    let missing = boxed("/usr/bin/nothing-here", &[], |_| {}).await.expect_err("is not there");
    assert!(matches!(missing, TaskError::Start { .. }), "{missing}");
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken");
    std::fs::write(&broken, "\x7fELF nonsense").expect("writes");
    let broken = boxed(broken.to_str().expect("UTF-8"), &[], |_| {}).await.expect_err("is no program");
    assert!(broken.to_string().starts_with("the program could not be started"), "{broken}");
    let outside = boxed("/bin/true", &[], |task| task.files = vec![("../x", b"")]).await.expect_err("leaves");
    assert!(outside.to_string().contains("leaves its folder"), "{outside}");
}
