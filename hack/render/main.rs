//! Measures builds of kustomizations against the real kustomize: `hack/bench-render --help` says what.

#![allow(clippy::print_stdout)] // figures are its result

mod scene;

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use tandem::object::yaml;
use tandem::render::{MemTree, Options, render};

/// Seconds of CPU that are enough to measure in ticks of a hundredth.
const ENOUGH: f64 = 1.0;
/// Most objects for which kustomize is asked: its cost grows with the square.
const PATIENCE: usize = 1000;

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![4, 100, 1000, 20_000] } else { sizes };
    let program = |name: &str| {
        let path = std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run hack/bench-render"));
        fs::canonicalize(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    };
    let (tandem, kustomize) = (program("TANDEM"), program("KUSTOMIZE"));
    println!("| objects | kustomize | tandem | times less | per object | reading YAML | printing YAML |");
    println!("|---|---|---|---|---|---|---|");
    for size in sizes {
        let files = scene::files(size);
        let folder = tempfile::tempdir().expect("a folder");
        write(&files, folder.path());
        let ours = cpu(Command::new(&tandem).args(["render", "overlay"]), folder.path());
        let theirs =
            (size <= PATIENCE).then(|| cpu(Command::new(&kustomize).args(["build", "overlay"]), folder.path()));
        let shares = shares(&files, size);
        let text = |seconds: f64| format!("{:.1} ms", seconds * 1e3);
        println!(
            "| {size} | {} | {} | {} | {:.0} µs | {:.0} % | {:.0} % |",
            theirs.map_or("–".to_owned(), text),
            text(ours),
            theirs.map_or("–".to_owned(), |theirs| format!("{:.0}", theirs / ours)),
            ours * 1e6 / size as f64,
            shares.reading * 100.0,
            shares.printing * 100.0,
        );
    }
}

fn write(files: &[(String, String)], folder: &Path) {
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
    }
    let made = Command::new("git").args(["init", "--quiet"]).current_dir(folder).status().expect("git runs");
    assert!(made.success(), "git init");
}

/// Seconds of user and system time that one run of a program takes. Runs it until that can be told.
fn cpu(command: &mut Command, folder: &Path) -> f64 {
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::piped());
    let (before, mut runs) = (children(), 0);
    loop {
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        runs += 1;
        let used = children() - before;
        if used >= ENOUGH || (used >= ENOUGH / 2.0 && runs >= 3) {
            return used / f64::from(runs);
        }
    }
}

/// Seconds of CPU of all ended children, in ticks of a hundredth.
fn children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    // The name in parentheses may hold blanks; what follows it does not, and begins with field 3.
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u64 = fields[13..15].iter().map(|field| field.parse::<u64>().expect("a number")).sum();
    ticks as f64 / 100.0
}

/// Parts of the time that a build within this process takes.
struct Shares {
    reading: f64,
    printing: f64,
}

fn shares(files: &[(String, String)], size: usize) -> Shares {
    let tree = files.iter().fold(MemTree::new(), |tree, (path, content)| tree.file(path, content.as_bytes()));
    let runs = (4000 / size).max(1);
    let rendered = render(&tree, "overlay", &Options::default());
    assert!(rendered.problems.is_empty(), "{:?}", rendered.problems);
    assert_eq!(rendered.manifests.len(), size, "objects");
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        (0..runs).for_each(|_| work());
        start.elapsed().as_secs_f64()
    };
    let whole = time(&|| drop(black_box(render(&tree, "overlay", &Options::default()))));
    let reading = time(&|| {
        for (path, content) in files {
            black_box(yaml::read(path, content.as_bytes(), &yaml::Limits::default()));
        }
    });
    let printing = time(&|| {
        for manifest in &rendered.manifests {
            black_box(yaml::write(&manifest.body));
        }
    });
    let all = whole + printing;
    Shares { reading: reading / all, printing: printing / all }
}
