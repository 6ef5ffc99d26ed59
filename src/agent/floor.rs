//! Whether a Repository asks as much as the Standards of its namespace want.

use crate::api::{Check, Repository, RepositoryFloor, ReviewInputs};
use crate::failure::{Failed, Fault};
use crate::report::facts::Hold;
use crate::report::reason::Reason;
use crate::revision::review::floor::{self, Asked, Floor, Source, below};

use super::checked::{coverage_of, subject_of};
use super::repository::Watcher;
use super::reviewed::is_pinned;
use super::tip::Found;

impl Watcher {
    /// The floors that count here, each with the name of its Standard.
    ///
    /// # Errors
    /// Standards cannot be seen: what is not known may ask for anything.
    pub(super) async fn floors(&self) -> Result<Vec<(String, Floor)>, Failed> {
        let floors = self.world.standards.floors(&self.key.namespace).await;
        floors.map_err(|why| {
            Failed::new("StandardNotReady", Fault::Cluster, format!("what Standards ask of it is not known: {why}"))
                .with_hint("tandem doctor says what the agent may not see")
        })
    }

    /// Why nothing that was found may be deployed, where the Repository asks less than it must.
    pub(super) fn below_standard(&self, found: &Found, floors: &[(String, Floor)]) -> Option<Hold> {
        let checks: Vec<_> = self.repository.spec.checks.iter().map(check).collect();
        let asked = asked(&self.repository, found, &checks);
        let mut told = Vec::new();
        for (standard, floor) in floors {
            let less = below(floor, &asked);
            if !less.is_empty() {
                told.push(format!("by the Standard {standard}: {}", less.join(", ")));
            }
        }
        let revision = &found.listed.revision;
        let message = format!(
            "{revision} is held: this Repository asks less than it must {}; hint: change its spec, or have operations change the Standard",
            told.join("; ")
        );
        (!told.is_empty()).then(|| Hold::new(Reason::BelowStandard, message))
    }
}

fn asked<'a>(repository: &'a Repository, found: &'a Found, checks: &'a [floor::Check]) -> Asked<'a> {
    let spec = &repository.spec;
    let heard = spec.review.as_ref().is_some_and(|review| review.forge)
        || spec.checks.iter().any(|check| check.keys.is_empty());
    Asked {
        url: &spec.url,
        reference: found.listed.reference.as_deref(),
        review: spec.review.as_ref().map(|review| review.profile),
        verify: spec.verify.is_some(),
        checks,
        forge: spec.forge.as_ref().filter(|_| heard).and_then(|forge| forge.api_url.as_deref()),
        pinned: spec.review.as_ref().is_some_and(is_pinned),
    }
}

fn check(check: &Check) -> floor::Check {
    // What stands behind a key is a word about it.
    let key = |key: &String| key.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let source = match (check.creator, check.app, check.keys.is_empty()) {
        (Some(creator), None, true) => Source::Creator(creator),
        (None, Some(app), true) => Source::App(app),
        (None, None, false) => Source::Keys(check.keys.iter().map(key).collect()),
        _ => Source::Unknown,
    };
    floor::Check { context: check.context.clone(), source, subject: subject_of(check), coverage: coverage_of(check) }
}

impl From<&RepositoryFloor> for Floor {
    fn from(floor: &RepositoryFloor) -> Self {
        Self {
            repositories: floor.repositories.clone(),
            refs: floor.refs.clone(),
            review: floor.review,
            verify: floor.verify,
            checks: floor.checks.iter().map(check).collect(),
            pinned: floor.inputs == Some(ReviewInputs::Pinned),
        }
    }
}
