//! CPU and memory of the agent and its children together, from /proc.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often memory is read.
const EVERY: Duration = Duration::from_millis(5);
/// Every so many times shares of pages are read too, for which the system looks at each page.
const SHARES: u32 = 10;

/// Reads the resident memory of a process and its children, again and again.
pub struct Memory {
    watched: Arc<Watched>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Watched {
    pid: AtomicU32,
    resident_kib: AtomicU64,
    share_kib: AtomicU64,
    stop: AtomicBool,
}

/// The largest sums over a process and its children, in MiB.
pub struct Peak {
    /// Resident pages (RSS): those of the program count once for each process.
    pub resident: f64,
    /// Shares of resident pages (PSS): what several processes have in common counts once.
    pub share: f64,
}

impl Memory {
    /// Starts to read.
    pub fn of(pid: u32) -> Self {
        let watched = Arc::new(Watched { pid: AtomicU32::new(pid), ..Watched::default() });
        let shared = watched.clone();
        let thread = std::thread::spawn(move || {
            for round in 0_u32.. {
                if shared.stop.load(Ordering::Relaxed) {
                    break;
                }
                let pid = shared.pid.load(Ordering::Relaxed);
                shared.resident_kib.fetch_max(sum_kib(pid, resident_kib), Ordering::Relaxed);
                if round % SHARES == 0 {
                    shared.share_kib.fetch_max(sum_kib(pid, share_kib), Ordering::Relaxed);
                }
                std::thread::park_timeout(EVERY);
            }
        });
        Self { watched, thread: Some(thread) }
    }

    /// Goes on with another process, after a restart.
    pub fn follow(&self, pid: u32) {
        self.watched.pid.store(pid, Ordering::Relaxed);
    }

    /// The largest sums since the last call.
    pub fn peak(&self) -> Peak {
        let mib = |kib: &AtomicU64| kib.swap(0, Ordering::Relaxed) as f64 / 1024.0;
        Peak { resident: mib(&self.watched.resident_kib), share: mib(&self.watched.share_kib) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.watched.stop.store(true, Ordering::Relaxed);
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

fn sum_kib(pid: u32, of: fn(u32) -> u64) -> u64 {
    family(pid).into_iter().map(of).sum()
}

fn resident_kib(pid: u32) -> u64 {
    let pages = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    pages.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or_default() * 4
}

fn share_kib(pid: u32) -> u64 {
    let sums = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = sums.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
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
