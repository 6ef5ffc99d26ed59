//! What there is to check in a working copy, and how it is shared among threads.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::finding::Finding;
use super::job::Job;
use super::roots::{self, Survey};
use crate::failure::Failed;
use crate::object::Problem;

/// What is deployed. `folder` is the one that was looked through.
pub fn jobs(survey: &Survey, folder: &str) -> Vec<Job> {
    let declared = survey.declared.iter().map(|(path, declared)| (path.clone(), Some(declared.clone())));
    let others = survey.kustomizations.iter().map(|path| (path.clone(), None));
    // A chart is rendered where somebody names it.
    let chart = survey.charts.iter().filter(|chart| *chart == folder).map(|path| (path.clone(), None));
    declared.chain(others).chain(chart).map(|(path, declared)| Job::Folder { path, declared }).collect()
}

/// Files with objects that none of it read.
pub fn rest(survey: &Survey, read: &BTreeSet<&str>) -> Vec<Job> {
    let unread = |file: &&String| !read.contains(file.as_str());
    let jobs = survey.files.iter().map(|(folder, files)| {
        let files: Vec<String> = files.iter().filter(unread).cloned().collect();
        Job::Files { path: folder.clone(), files }
    });
    jobs.filter(|job| !matches!(job, Job::Files { files, .. } if files.is_empty())).collect()
}

/// What the look through the folder found by itself.
pub fn aside(survey: &Survey, folder: &str) -> Vec<Finding> {
    let problems = survey.problems.iter().cloned().map(|problem| Finding::new(problem, folder));
    let charts = survey.charts.iter().filter(|chart| *chart != folder).map(|chart| {
        let problem = Problem::new("NotChecked", "nothing deploys the chart, so its values are not known")
            .hint(format!("`tandem check {chart}` renders it with its own values"));
        Finding::new(problem.in_file(roots::join(chart, "Chart.yaml"), None), chart)
    });
    problems.chain(charts).collect()
}

/// Does a number of things on all processors; what came of each, in their order. `start` makes what one
/// thread does them with.
///
/// # Errors
/// The first failure; what is not begun then is left undone.
pub fn together<R, W>(count: usize, start: impl Fn() -> W + Sync) -> Result<Vec<R>, Failed>
where
    R: Send,
    W: FnMut(usize) -> Result<R, Failed>,
{
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<R>>> = Mutex::new((0..count).map(|_| None).collect());
    let stopped: Mutex<Option<Failed>> = Mutex::default();
    let work = || {
        let mut run = start();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            match run(at) {
                Ok(result) => done.lock().expect("nobody panics with it")[at] = Some(result),
                Err(stop) => {
                    next.store(count, Ordering::Relaxed);
                    *stopped.lock().expect("nobody panics with it") = Some(stop);
                    return;
                }
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(count);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    if let Some(stop) = stopped.into_inner().expect("nobody panics with it") {
        return Err(stop);
    }
    Ok(done.into_inner().expect("nobody panics with it").into_iter().flatten().collect())
}
