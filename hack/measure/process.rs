//! CPU and memory of the agent and its children together, from /proc.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often memory is read.
const EVERY: Duration = Duration::from_millis(5);

/// Reads the resident memory of a process and its children, again and again.
pub struct Memory {
    pid: Arc<AtomicU32>,
    peak_kib: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Memory {
    /// Starts to read.
    pub fn of(pid: u32) -> Self {
        let (pid, peak_kib, stop) =
            (Arc::new(AtomicU32::new(pid)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let shared: (Arc<AtomicU32>, Arc<AtomicU64>, Arc<AtomicBool>) =
            (pid.clone(), peak_kib.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !shared.2.load(Ordering::Relaxed) {
                shared.1.fetch_max(resident_kib(shared.0.load(Ordering::Relaxed)), Ordering::Relaxed);
                std::thread::park_timeout(EVERY);
            }
        });
        Self { pid, peak_kib, stop, thread: Some(thread) }
    }

    /// Goes on with another process, after a restart.
    pub fn follow(&self, pid: u32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// MiB of the largest sum since the last call.
    pub fn peak(&self) -> f64 {
        self.peak_kib.swap(0, Ordering::Relaxed) as f64 / 1024.0
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The agent and its children.
fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    // Children are listed by the thread that started them.
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    all
}

fn resident_kib(pid: u32) -> u64 {
    let of = |pid: u32| {
        let pages = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
        pages.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or_default() * 4
    };
    family(pid).into_iter().map(of).sum()
}

/// Seconds of CPU that the agent and its children have used, ended children included.
pub fn cpu_seconds(pid: u32) -> f64 {
    let of = |pid: u32, fields: std::ops::Range<usize>| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name in parentheses may hold blanks; what follows it does not.
        let rest = stat.rsplit_once(')').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        let numbers: Vec<u64> = rest.split_whitespace().map(|n| n.parse().unwrap_or_default()).collect();
        numbers.get(fields).map(|some| some.iter().sum::<u64>()).unwrap_or_default()
    };
    // utime, stime, cutime and cstime are fields 14 to 17; the rest begins with field 3.
    let ticks = of(pid, 11..15) + family(pid).into_iter().skip(1).map(|child| of(child, 11..13)).sum::<u64>();
    ticks as f64 / 100.0
}
