//! Helm: found, asked for its version, and run for one chart.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use super::{Programs, is_program, on_path};
use crate::failure::{Failed, Failure, Fault};
use crate::object::Problem;
use crate::render::helm::{Part, Repeat, Request, difference};
use crate::render::{Answer, Blob};
use crate::sandbox::task::{Ran, Task, TaskError, run};
use crate::sandbox::{Children, Confinement, Network, system_paths};

/// Bytes of memory that it may write to: beside it the agent and its workers need theirs.
const MEMORY: u64 = 320 << 20;
/// Bytes of memory from which on it tidies up more often.
const SOFT_MEMORY: u64 = 240 << 20;
/// Time for one chart, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(90);
/// Bytes of all that a chart prints.
const OUTPUT: usize = 8 << 20;
/// Bytes of what it says beside that.
const NOTES: usize = 64 << 10;
/// The clock must show another second.
const LATER: Duration = Duration::from_millis(1100);

/// A program that has told its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    program: PathBuf,
    changed: Option<SystemTime>,
}

/// Renders a chart. What is wrong with the chart, or with Helm, is the answer.
///
/// # Errors
/// Helm did not end in time, or could not be started.
pub async fn template(programs: &Programs, request: &Request) -> Result<Answer, Failed> {
    let program = match find(programs).await? {
        Ok(program) => program,
        Err(problem) => return Ok(Answer::Problem(Box::new(problem))),
    };
    let first = once(programs, &program, request).await?;
    let Answer::Printed { output, .. } = &first else { return Ok(first) };
    match request.repeat {
        Repeat::No => return Ok(first),
        Repeat::Again => {}
        Repeat::Later => tokio::time::sleep(LATER).await,
    }
    let second = once(programs, &program, request).await?;
    match &second {
        Answer::Printed { output: again, .. } if again == output => Ok(first),
        Answer::Printed { output: again, .. } => Ok(Answer::Problem(Box::new(differs(output, again)))),
        _ => Ok(second),
    }
}

fn differs(first: &Blob, second: &Blob) -> Problem {
    let places = difference(first.bytes(), second.bytes());
    let message =
        format!("the chart prints something else at every render, which would be deployed again and again: {places}");
    let hint = "set the values from which the chart makes this, in a Secret that spec.helm.valuesFrom names, or name a Secret that exists already";
    Problem::new("NotReproducible", message).hint(hint)
}

/// One run of `helm template`.
async fn once(programs: &Programs, program: &PathBuf, request: &Request) -> Result<Answer, Failed> {
    let mut arguments: Vec<OsString> =
        ["template", &request.release_name, "./chart", "--namespace", &request.namespace]
            .into_iter()
            .map(OsString::from)
            .collect();
    arguments.extend(["--skip-tests", "--values", "-"].map(OsString::from));
    arguments.extend(Some("--include-crds".into()).filter(|_| request.crds == Part::Included));
    arguments.extend(Some("--no-hooks".into()).filter(|_| request.hooks == Part::LeftOut));
    if let Some(version) = &request.cluster.kube_version {
        arguments.extend(["--kube-version".into(), version.into()]);
    }
    if !request.cluster.api_versions.is_empty() {
        arguments.extend(["--api-versions".into(), request.cluster.api_versions.join(",").into()]);
    }
    let names: Vec<(String, &Blob)> =
        request.files.iter().map(|(path, file)| (format!("chart/{path}"), file)).collect();
    let files = names.iter().map(|(path, file)| (path.as_str(), file.bytes())).collect();
    let task = Task { arguments, files, input: request.values.bytes(), ..task(programs, program) };
    let ran = match run(task).await {
        Ok(ran) => ran,
        Err(error @ TaskError::Output { .. }) => return Ok(limit(error.to_string())),
        Err(error) => return Err(Failed::from(&error)),
    };
    tracing::info!(program = "helm", release = request.release_name, code = ran.status.code(), "a chart was rendered");
    let notes = String::from_utf8_lossy(&ran.stderr).into_owned();
    match ran.status.code() {
        Some(0) => Ok(Answer::Printed { output: Blob::new(ran.stdout.to_vec()), notes }),
        Some(1) => Ok(Answer::Refused(notes)),
        _ => Ok(limit(died(ran.status, &notes, programs.settings.chart_seconds))),
    }
}

fn limit(message: String) -> Answer {
    let problem = Problem::new("LimitExceeded", message);
    Answer::Problem(Box::new(problem.hint("see whether a template of the chart loops, or give it less to print")))
}

/// Why it died, by what a Go program says when it does.
fn died(status: ExitStatus, notes: &str, seconds: u64) -> String {
    let (memory, cpu) = (format!("the {} MiB of memory", MEMORY >> 20), format!("the {seconds} s of processor time"));
    let says = |words: &[&str]| words.iter().any(|word| notes.contains(word));
    if says(&["out of memory", "cannot allocate memory", "pthread_create failed"]) {
        format!("Helm needed more than {memory} that it may have for a chart")
    } else if says(&["SIGXCPU", "cpu limit exceeded"]) || signal(status) == Some(CPU_SIGNAL) {
        format!("Helm needed more than {cpu} that it may have for a chart")
    } else if notes.contains("goroutine stack exceeds") {
        "a template of the chart calls itself without end".to_owned()
    } else {
        format!("Helm died ({status}), perhaps for want of more than {memory} and {cpu} that it may have for a chart")
    }
}

#[cfg(unix)]
const CPU_SIGNAL: i32 = libc::SIGXCPU;
#[cfg(not(unix))]
const CPU_SIGNAL: i32 = 24;

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

fn task<'a>(programs: &'a Programs, program: &'a PathBuf) -> Task<'a> {
    Task {
        name: "Helm",
        launcher: &programs.settings.launcher,
        program,
        arguments: Vec::new(),
        environment: vec![
            ("GOMEMLIMIT", SOFT_MEMORY.to_string().into()),
            // Threads cost memory, and one chart is little work.
            ("GOMAXPROCS", "2".into()),
            ("HELM_NO_PLUGINS", "1".into()),
        ],
        input: &[],
        files: Vec::new(),
        confinement: Confinement {
            data_bytes: MEMORY,
            // Go reserves addresses that it never uses.
            address_bytes: MEMORY + (4 << 30),
            open_files: 256,
            cpu_seconds: Some(programs.settings.chart_seconds),
            file_bytes: Some(1 << 20),
            read: system_paths(),
            write: Vec::new(),
            network: Network::None,
            ports: Vec::new(),
            children: Children::None,
            home: PathBuf::new(),
        },
        deadline: DEADLINE,
        stdout_bytes: OUTPUT,
        stderr_bytes: NOTES,
    }
}

/// Helm 4, or the problem that it is not there.
async fn find(programs: &Programs) -> Result<Result<PathBuf, Problem>, Failed> {
    let missing = |message: String| {
        let hint = "put helm v4 on the agent's PATH, or name it with --helm; in a cluster see manifests/docs/charts.md";
        Ok(Err(Problem::new("HelmMissing", message).hint(hint)))
    };
    let program = match &programs.settings.helm {
        Some(program) if is_program(program) => program.clone(),
        Some(program) => return missing(format!("{} is no program, and a chart needs Helm", program.display())),
        None => match on_path("helm") {
            Some(program) => program,
            None => return missing("a chart needs Helm, and there is no program helm".to_owned()),
        },
    };
    let known = Known { changed: program.metadata().and_then(|found| found.modified()).ok(), program };
    if programs.helm.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&known) {
        return Ok(Ok(known.program));
    }
    let arguments = ["version", "--short"].into_iter().map(OsString::from).collect();
    let ran = match run(Task { arguments, ..task(programs, &known.program) }).await {
        Ok(ran) => ran,
        Err(error) if error.fault() == Fault::Transient => return Err(Failed::from(&error)),
        Err(error) => return missing(format!("a chart needs Helm: {error}")),
    };
    let Ran { status, stdout, .. } = &ran;
    let version = String::from_utf8_lossy(stdout).trim().to_owned();
    if !status.success() || !version.starts_with("v4.") {
        let shown: String = version.chars().filter(|c| !c.is_control()).take(40).collect();
        let told = if shown.is_empty() { format!("ends with {status}") } else { format!("says that it is {shown}") };
        return missing(format!("a chart needs Helm v4, and {} {told}", known.program.display()));
    }
    tracing::info!(program = %known.program.display(), version, "Helm was found");
    let program = known.program.clone();
    *programs.helm.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    Ok(Ok(program))
}
