//! Tandem's own files: beyond what their schemas say, whether changes can be approved by `.tandem/owners.yaml`, and
//! whether the freezes in `.tandem/freezes` can be meant so.

use super::Copy;
use super::finding::Finding;
use super::unreadable;
use crate::agent::worker::freezes_of;
use crate::cli::Stop;
use crate::cli::worktree::WorkTree;
use crate::object::Problem;
use crate::render::Tree;
use crate::revision::review::{Means, OWNERS_FILE, Owners, Profile};

/// Bytes that are read.
const LIMIT: u64 = 1 << 20;

/// What is wrong with the own files of a repository that is looked at as a whole. Where something was found in a file
/// already, that is mended first.
pub(super) fn findings(copies: &[Copy], found: &[Finding]) -> Result<Vec<Finding>, Stop> {
    let mut all = Vec::new();
    for copy in copies.iter().filter(|copy| copy.folder.is_empty()) {
        let tree = WorkTree::open(&copy.path)?;
        let owners = tree.read(OWNERS_FILE, LIMIT).map_err(unreadable)?;
        let mut wrong = owners.map(|bytes| owners_problems(&bytes)).unwrap_or_default();
        wrong.extend(freezes_of(&tree).map_err(unreadable)?.problems);
        let known = |problem: &Problem| found.iter().any(|finding| finding.file == problem.file);
        all.extend(
            wrong.into_iter().filter(|problem| !known(problem)).map(|problem| Finding::new(problem, &copy.folder)),
        );
    }
    Ok(all)
}

fn owners_problems(bytes: &[u8]) -> Vec<Problem> {
    let owners = match Owners::read(OWNERS_FILE, bytes) {
        Ok(owners) => owners,
        Err(problems) => return problems,
    };
    let few = owners.can_approve(&owners.settings(&Profile::Reviewed.settings()), Means::Any).err();
    let few = few.map(|why| Problem::new("InvalidOwners", why).in_file(OWNERS_FILE, None));
    few.map(|problem| problem.hint("list more people")).into_iter().collect()
}
