//! The least that a Repository must ask before anything is deployed from it, where operations say so.

use std::collections::BTreeSet;

use super::Profile;
use super::note::{host, repository_id};
use crate::revision::checks::{Coverage, Subject};

/// What is asked at least.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Floor {
    /// Repositories that may be deployed from, by host and path; all below one that ends with `/`. All where there is none.
    pub repositories: Vec<String>,
    /// Full names of references that may be followed; all that begin so where one ends with `*`. All where there is none.
    pub refs: Vec<String>,
    /// Review.
    pub review: Option<Profile>,
    /// Whether signatures are asked for.
    pub verify: bool,
    /// Checks.
    pub checks: Vec<Check>,
    /// Whether nothing may be rendered that stands in no commit.
    pub pinned: bool,
}

/// A check that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Under which name.
    pub context: String,
    /// By whom.
    pub source: Source,
    /// Of which commit.
    pub subject: Subject,
    /// How much of the code must be covered, where it is such a check.
    pub coverage: Option<Coverage>,
}

/// By whom a check is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A user of the forge.
    Creator(u64),
    /// A GitHub App.
    App(u64),
    /// Any of these public keys, each as type and key alone.
    Keys(BTreeSet<String>),
    /// It is not said, so that nothing is as good.
    Unknown,
}

/// What a Repository asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Its address.
    pub url: &'a str,
    /// Full name of the reference that was followed; nothing where a commit was named.
    pub reference: Option<&'a str>,
    /// Review.
    pub review: Option<Profile>,
    /// Whether signatures are asked for.
    pub verify: bool,
    /// Checks.
    pub checks: &'a [Check],
    /// Where a forge is asked, if that is said apart from the address of the repository.
    pub forge: Option<&'a str>,
    /// Whether nothing is rendered that stands in no commit.
    pub pinned: bool,
}

/// Everything in which a Repository asks less than it must, each in words.
pub fn below(floor: &Floor, asked: &Asked<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let id = repository_id(asked.url);
    if !floor.repositories.is_empty() && !floor.repositories.iter().any(|allowed| is_below(&id, allowed)) {
        found.push(format!("{id} is none of the repositories {}", floor.repositories.join(", ")));
    }
    let follows = |allowed: &String| {
        asked.reference.is_some_and(|name| match allowed.strip_suffix('*') {
            Some(begin) => name.starts_with(begin),
            None => name == allowed,
        })
    };
    if !floor.refs.is_empty() && !floor.refs.iter().any(follows) {
        let name = asked.reference.unwrap_or("a commit by its id");
        found.push(format!("it follows {name}, which is none of {}", floor.refs.join(", ")));
    }
    if let Some(least) = floor.review
        && asked.review.is_none_or(|profile| strength(profile) < strength(least))
    {
        found.push(format!("spec.review asks less than the profile {}", name(least)));
    }
    if floor.verify && !asked.verify {
        found.push("spec.verify is not there".to_owned());
    }
    found.extend(floor.checks.iter().filter_map(|least| lacks(least, asked.checks)));
    if let Some(forge) = asked.forge.filter(|_| floor.review.is_some() || !floor.checks.is_empty())
        && !is_forge_of(forge, asked.url)
    {
        // Whoever answers there could say that anything was approved, and that all checks have passed.
        found.push(format!("spec.forge.apiURL asks {}, which is not the host of spec.url", host(forge)));
    }
    if floor.pinned && !asked.pinned {
        found.push("spec.review.inputs is not Pinned".to_owned());
    }
    found
}

/// Why no check of a Repository is as strict as one that it must ask for.
fn lacks(least: &Check, asked: &[Check]) -> Option<String> {
    let Check { context, source, subject, coverage } = least;
    let by = asked.iter().filter(|check| check.context == *context && is_by(&check.source, source));
    let same: Vec<&Check> = by.filter(|check| check.subject == *subject).collect();
    let who = match source {
        Source::Creator(id) => format!("by the user {id}"),
        Source::App(id) => format!("by the app {id}"),
        Source::Keys(_) => "signed by the keys that it lists, and no others".to_owned(),
        Source::Unknown => "by whom the Standard itself does not say".to_owned(),
    };
    let of = match subject {
        Subject::Merged => "of the commit that is deployed",
        Subject::Head => "of the heads of pull requests (commit: Head)",
    };
    match (same.is_empty(), coverage) {
        (true, _) => Some(format!("spec.checks does not ask for {context} {of}, {who}")),
        (false, Some(least)) if !same.iter().any(|check| check.coverage.is_some_and(|asked| covers(asked, *least))) => {
            let drop = least.max_drop.map(|drop| format!(", and no more than {}% below what is deployed", drop / 100));
            Some(format!(
                "spec.checks asks {context} for less than {}% of coverage{}",
                least.min / 100,
                drop.unwrap_or_default()
            ))
        }
        _ => None,
    }
}

/// Whether who is asked for is who must be. Of keys any one suffices, so none may be another.
fn is_by(asked: &Source, least: &Source) -> bool {
    match (asked, least) {
        (Source::Unknown, _) | (_, Source::Unknown) => false,
        (Source::Keys(asked), Source::Keys(least)) => !asked.is_empty() && asked.is_subset(least),
        _ => asked == least,
    }
}

fn covers(asked: Coverage, least: Coverage) -> bool {
    let drops = match (asked.max_drop, least.max_drop) {
        (_, None) => true,
        (Some(asked), Some(least)) => asked <= least,
        (None, Some(_)) => false,
    };
    asked.min >= least.min && drops
}

/// Whether an API is that of the forge that has a repository, whatever the port.
fn is_forge_of(api: &str, url: &str) -> bool {
    let name = |url: &str| {
        let host = host(url);
        match host.rsplit_once(':') {
            Some((name, _)) => name.to_owned(),
            None => host,
        }
    };
    let (api, url) = (name(api), name(url));
    api == url || (api.as_str(), url.as_str()) == ("api.github.com", "github.com")
}

/// Whether a repository is what is allowed, or below it. A path that leads elsewhere than it says is below nothing.
fn is_below(id: &str, allowed: &str) -> bool {
    let devious = id.split('/').any(|part| matches!(part, "" | "." | "..") || part.contains(['%', '\\', '?', '#']));
    let allowed = allowed.to_lowercase();
    !devious && (id == allowed || allowed.ends_with('/') && id.starts_with(&allowed))
}

fn strength(profile: Profile) -> u8 {
    match profile {
        Profile::Observe => 0,
        Profile::Reviewed => 1,
        Profile::Strict => 2,
    }
}

fn name(profile: Profile) -> &'static str {
    match profile {
        Profile::Observe => "Observe",
        Profile::Reviewed => "Reviewed",
        Profile::Strict => "Strict",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> = Asked {
        url: "https://forge.example/shop/app.git",
        reference: Some("refs/heads/main"),
        review: Some(Profile::Reviewed),
        verify: true,
        checks: &[],
        forge: None,
        pinned: true,
    };

    fn check(source: Source, subject: Subject, coverage: Option<(u32, Option<u32>)>) -> Check {
        let coverage =
            coverage.map(|(min, max_drop)| Coverage { min: min * 100, max_drop: max_drop.map(|drop| drop * 100) });
        Check { context: "ci".to_owned(), source, subject, coverage }
    }

    fn keys(all: &[&str]) -> Source {
        Source::Keys(all.iter().map(|key| (*key).to_owned()).collect())
    }

    #[test]
    fn a_check_must_be_asked_for_as_strictly_as_the_floor_says() {
        use Subject::{Head, Merged};
        let other = |check: Check| Check { context: "other".to_owned(), ..check };
        let by = |source| check(source, Merged, None);
        let signed = |all: &[&str], coverage| check(keys(all), Merged, Some(coverage));
        for (least, less, words, twin) in [
            (
                by(Source::App(1)),
                vec![],
                "does not ask for ci of the commit that is deployed, by the app 1",
                by(Source::App(1)),
            ),
            (by(Source::App(1)), vec![by(Source::App(2))], "by the app 1", by(Source::App(1))),
            (by(Source::App(1)), vec![by(Source::Creator(1))], "by the app 1", by(Source::App(1))),
            (
                by(Source::Creator(1)),
                vec![other(by(Source::Creator(1)))],
                "does not ask for ci",
                by(Source::Creator(1)),
            ),
            (by(Source::Creator(1)), vec![by(Source::Unknown)], "by the user 1", by(Source::Creator(1))),
            (
                check(Source::App(1), Head, None),
                vec![by(Source::App(1))],
                "(commit: Head)",
                check(Source::App(1), Head, None),
            ),
            (by(Source::App(1)), vec![check(Source::App(1), Head, None)], "is deployed", by(Source::App(1))),
            (signed(&["a"], (80, None)), vec![signed(&["b"], (80, None))], "signed by", signed(&["a"], (80, None))),
            (
                signed(&["a"], (80, None)),
                vec![signed(&["a", "b"], (80, None))],
                "no others",
                signed(&["a"], (90, None)),
            ),
            (
                signed(&["a"], (80, None)),
                vec![signed(&["a"], (79, None))],
                "less than 80%",
                signed(&["a"], (80, Some(1))),
            ),
            (
                signed(&["a"], (0, Some(1))),
                vec![signed(&["a"], (0, None))],
                "no more than 1% below",
                signed(&["a"], (0, Some(0))),
            ),
            (
                signed(&["a"], (0, Some(1))),
                vec![signed(&["a"], (0, Some(2)))],
                "no more than 1% below",
                signed(&["a"], (0, Some(1))),
            ),
            (
                check(Source::App(1), Merged, Some((80, None))),
                vec![by(Source::App(1))],
                "less than 80%",
                check(Source::App(1), Merged, Some((80, None))),
            ),
        ] {
            let floor = Floor { checks: vec![least], ..Floor::default() };
            let told = below(&floor, &Asked { checks: &less, ..ASKED });
            assert!(told.len() == 1 && told[0].contains(words), "{less:?}: {told:?}");
            let both = [less, vec![twin]].concat();
            assert_eq!(below(&floor, &Asked { checks: &both, ..ASKED }), Vec::<String>::new(), "{both:?}");
        }
    }

    #[test]
    fn what_asks_less_is_named_and_its_twin_passes() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let repositories = |all: &[&str]| Floor { repositories: texts(all), ..Floor::default() };
        let refs = |all: &[&str]| Floor { refs: texts(all), ..Floor::default() };
        let review = |profile| Floor { review: Some(profile), ..Floor::default() };
        let at = |url| Asked { url, ..ASKED };
        let named = |reference| Asked { reference, ..ASKED };
        let with = |review| Asked { review, ..ASKED };
        let forge = |forge| Asked { forge: Some(forge), ..ASKED };
        let shop = || repositories(&["forge.example/shop/"]);
        for (floor, less, words, twin) in [
            (
                shop(),
                at("https://forge.example/eve/app"),
                "forge.example/eve/app is none of",
                at("git@forge.example:Shop/app.git"),
            ),
            (shop(), at("https://forge.example/shopping/app"), "is none of", at("https://forge.example/shop/a/b")),
            (
                shop(),
                at("https://forge.example/shop/../eve/app"),
                "is none of",
                at("https://me@forge.example/shop/app"),
            ),
            (shop(), at("https://forge.example/shop/%2e%2e/eve/app"), "is none of", ASKED),
            (shop(), at("https://forge.example.eve.example/shop/app"), "is none of", ASKED),
            (repositories(&["forge.example/shop/app"]), at("https://forge.example/shop/app2"), "is none of", ASKED),
            (refs(&["refs/heads/main"]), named(Some("refs/heads/mains")), "it follows refs/heads/mains", ASKED),
            (refs(&["refs/heads/main"]), named(None), "it follows a commit by its id", ASKED),
            (refs(&["refs/tags/v*"]), named(Some("refs/heads/v1")), "it follows", named(Some("refs/tags/v1.0"))),
            (review(Profile::Reviewed), with(None), "less than the profile Reviewed", ASKED),
            (review(Profile::Reviewed), with(Some(Profile::Observe)), "less than", with(Some(Profile::Strict))),
            (review(Profile::Strict), ASKED, "less than the profile Strict", with(Some(Profile::Strict))),
            (review(Profile::Observe), with(None), "less than the profile Observe", with(Some(Profile::Observe))),
            (Floor { verify: true, ..Floor::default() }, Asked { verify: false, ..ASKED }, "spec.verify", ASKED),
            (Floor { pinned: true, ..Floor::default() }, Asked { pinned: false, ..ASKED }, "not Pinned", ASKED),
            (
                review(Profile::Reviewed),
                forge("https://eve.example/api/v1"),
                "spec.forge.apiURL asks eve.example",
                forge("https://forge.example:3000/api/v1"),
            ),
        ] {
            let told = below(&floor, &less);
            assert!(told.len() == 1 && told[0].contains(words), "{less:?}: {told:?}");
            assert_eq!(below(&floor, &twin), Vec::<String>::new(), "{twin:?}");
        }
        let all = Floor {
            repositories: texts(&["x/"]),
            refs: texts(&["x"]),
            review: Some(Profile::Strict),
            verify: true,
            checks: vec![check(Source::App(1), Subject::Merged, None)],
            pinned: true,
        };
        let nothing = Asked { review: None, verify: false, pinned: false, ..ASKED };
        assert_eq!(below(&all, &nothing).len(), 6, "all of it is told");
        assert_eq!(below(&Floor::default(), &nothing), Vec::<String>::new());
    }
}
