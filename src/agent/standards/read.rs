//! From a folder of a commit to a compiled standard, or why there is none.

use jiff::Timestamp;

use crate::agent::bound::Bound;
use crate::agent::worker::killed;
use crate::agent::world::World;
use crate::failure::{Failed, Fault};
use crate::object::Problem;
use crate::render::{Options, ReadSet};
use crate::report::facts::Trial;
use crate::report::reason::Reason;
use crate::revision::Revision;
use crate::standard::{Coverage, Standard};

/// What a render of a standard came to.
pub(super) enum Read {
    Accepted(Box<Standard>, Coverage, ReadSet),
    Not(Trial),
}

/// Renders and compiles a folder of a commit.
pub(super) async fn read(world: &World, url: &str, revision: &Revision, path: &str) -> Read {
    let commit = &revision.commit;
    if let Some(how) = world.quarantined(commit, path) {
        return Read::Not(Trial::Quarantined(how));
    }
    let rendered = match world.render(url, commit, path, &Options::default(), &mut Bound::none()).await {
        Ok(rendered) => rendered,
        Err(failed) if killed(&failed) => {
            world.note_kill(commit, path, &failed.message);
            return Read::Not(match world.quarantined(commit, path) {
                Some(how) => Trial::Quarantined(how),
                None => Trial::Failed(failed),
            });
        }
        Err(failed) => return Read::Not(Trial::Failed(failed)),
    };
    world.note_survival(commit, path);
    if !rendered.problems.is_empty() {
        return Read::Not(Trial::Refused { reason: Reason::BuildFailed, problems: rendered.problems });
    }
    let manifests = rendered.manifests;
    // Compiling takes a thread for each expression.
    let loading = tokio::task::spawn_blocking(move || {
        let mut loaded = Standard::load(&manifests, Timestamp::now());
        let (coverage, problems) = Coverage::read(&manifests);
        loaded.problems.extend(problems);
        (loaded, coverage)
    });
    let Ok((loaded, coverage)) = loading.await else {
        let failed = Failed::new("Internal", Fault::Internal, "the policies could not be compiled");
        return Read::Not(Trial::Failed(failed));
    };
    if !loaded.problems.is_empty() {
        let mut problems = loaded.problems;
        problems.sort();
        return Read::Not(Trial::Refused { reason: Reason::StandardInvalid, problems });
    }
    if loaded.standard.is_empty() {
        return Read::Not(Trial::Refused { reason: Reason::StandardEmpty, problems: vec![empty(path)] });
    }
    Read::Accepted(Box::new(loaded.standard), coverage, rendered.read_set)
}

fn empty(path: &str) -> Problem {
    let message = format!("{path:?} has no ValidatingAdmissionPolicy with a binding, so it would let everything pass");
    Problem::new("StandardEmpty", message).hint("delete the Standard itself where nothing is to be judged any more")
}
