//! The least that a Repository must ask before anything is deployed from it, where operations say so.

use super::Profile;
use super::note::repository_id;

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
    /// Whether nothing may be rendered that stands in no commit.
    pub pinned: bool,
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
    if floor.pinned && !asked.pinned {
        found.push("spec.review.inputs is not Pinned".to_owned());
    }
    found
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
        pinned: true,
    };

    #[test]
    fn what_asks_less_is_named_and_its_twin_passes() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let repositories = |all: &[&str]| Floor { repositories: texts(all), ..Floor::default() };
        let refs = |all: &[&str]| Floor { refs: texts(all), ..Floor::default() };
        let review = |profile| Floor { review: Some(profile), ..Floor::default() };
        let at = |url| Asked { url, ..ASKED };
        let named = |reference| Asked { reference, ..ASKED };
        let with = |review| Asked { review, ..ASKED };
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
            pinned: true,
        };
        let nothing = Asked { review: None, verify: false, pinned: false, ..ASKED };
        assert_eq!(below(&all, &nothing).len(), 5, "all of it is told");
        assert_eq!(below(&Floor::default(), &nothing), Vec::<String>::new());
    }
}
