//! Whether what a delivery speaks of is what a Repository follows.

use crate::revision::review::note::repository_id;

/// A repository as a delivery names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// `owner/name`, as the forge calls it; below groups, with all of them.
    pub full_name: Option<String>,
    /// Where the forge says that it is cloned from.
    pub urls: Vec<String>,
}

/// The branches and tags that a delivery speaks of, by their full names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum About {
    /// None, or it is not sure which.
    #[default]
    Anything,
    /// This one moved, came or went.
    Reference(String),
    /// Something happened to a pull request to one of these.
    Proposal(Vec<String>),
}

impl About {
    /// Whether it may be news for who follows these: full names, or what they begin with, up to a `/`; all where there are
    /// none.
    pub fn concerns(&self, follows: &[String]) -> bool {
        let fits =
            |one: &String, name: &String| if one.ends_with('/') { name.starts_with(&**one) } else { name == one };
        let followed = |name: &String| follows.iter().any(|one| fits(one, name));
        match self {
            _ if follows.is_empty() => true,
            Self::Anything => true,
            Self::Reference(name) => followed(name),
            // What a tag leads to came by some branch, and nobody says by which.
            Self::Proposal(bases) => {
                follows.iter().any(|one| !one.starts_with("refs/heads/")) || bases.iter().any(followed)
            }
        }
    }
}

impl Named {
    /// Whether it names no repository.
    pub fn is_nobody(&self) -> bool {
        self.full_name.is_none() && self.urls.is_empty()
    }

    /// Whether the URL of a Repository leads to it. On a host that the forge itself names, the path is one that it names.
    /// Other hosts are not compared, for inside a cluster a forge often has another name than outside: there the path is that
    /// name or ends with it, since a forge may be below a path. Letters' case, ports, users and `.git` matter nowhere.
    pub fn is_at(&self, url: &str) -> bool {
        let (host, path) = place(url);
        let full_name = self.full_name.as_ref().map(|name| name.trim_matches('/').to_lowercase());
        if path.is_empty() {
            return false;
        }
        let theirs: Vec<(String, String)> = self.urls.iter().map(|url| place(url)).collect();
        if full_name.as_deref() == Some(&path) || theirs.iter().any(|(_, known)| *known == path) {
            return true;
        }
        let below = |name: &String| path.strip_suffix(name.as_str()).is_some_and(|before| before.ends_with('/'));
        !theirs.iter().any(|(known, _)| *known == host) && full_name.as_ref().is_some_and(below)
    }
}

/// Host, without its port, and path of a URL, in small letters.
fn place(url: &str) -> (String, String) {
    let id = repository_id(url.split(['?', '#']).next().unwrap_or_default());
    let (host, path) = id.split_once('/').unwrap_or((&id, ""));
    let port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let host = host.rsplit_once(':').filter(|(_, after)| port(after)).map_or(host, |(host, _)| host);
    (host.to_owned(), path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(full_name: &str, urls: &[&str]) -> Named {
        let full_name = (!full_name.is_empty()).then(|| full_name.to_owned());
        Named { full_name, urls: urls.iter().map(|url| (*url).to_owned()).collect() }
    }

    #[test]
    fn news_of_another_branch_or_tag_is_none() {
        let (main, tags) = (["refs/heads/main".to_owned()], ["refs/tags/".to_owned()]);
        let moved = |name: &str| About::Reference(name.to_owned());
        let proposed =
            |names: &[&str]| About::Proposal(names.iter().map(|name| format!("refs/heads/{name}")).collect());
        for (about, main_too, tags_too) in [
            (About::Anything, true, true),
            (moved("refs/heads/main"), true, false),
            (moved("refs/heads/feature"), false, false),
            (moved("refs/heads/main/a"), false, false),
            (moved("refs/tags/main"), false, true),
            (proposed(&["main"]), true, true),
            (proposed(&["dev"]), false, true),
            (proposed(&["dev", "main"]), true, true),
        ] {
            assert_eq!(about.concerns(&main), main_too, "{about:?}");
            assert_eq!(about.concerns(&tags), tags_too, "{about:?}");
            assert!(about.concerns(&[]), "{about:?}");
        }
    }

    #[test]
    fn urls_lead_to_their_repository_however_they_are_written() {
        for (url, name, expected) in [
            ("https://git.example.com/shop/web.git", "shop/web", true),
            ("http://gitea.internal:3000/Shop/Web/", "shop/web", true),
            ("ssh://git@git.example.com:2222/shop/web", "shop/web", true),
            ("git@git.example.com:shop/web.git", "shop/web", true),
            ("https://example.com/gitea/shop/web.git", "shop/web", true),
            ("https://user@git.example.com/shop/web.git/", "shop/web", true),
            ("https://git.example.com/shop/website", "shop/web", false),
            ("https://git.example.com/pet-shop/web", "shop/web", false),
            ("https://git.example.com", "shop/web", false),
            ("https://git.example.com/", "", false),
            ("https://git.example.com/shop/web", "web", true),
        ] {
            assert_eq!(named(name, &[]).is_at(url), expected, "{url} {name}");
        }
    }

    /// Where the forge says how it is reached, the end of a path is not enough: groups can be called as others' are.
    #[test]
    fn on_a_host_that_the_forge_names_the_whole_path_counts() {
        let gitlab = named("b/c", &["https://git.example.com/b/c.git", "git@git.example.com:b/c.git"]);
        let below =
            named("shop/web", &["https://Example.com/gitea/shop/web.git", "ssh://git@example.com:2222/shop/web.git"]);
        let outside = named("shop/web", &["https://git.example.com/shop/web.git"]);
        for (forge, url, expected) in [
            (&gitlab, "https://git.example.com/b/c", true),
            (&gitlab, "https://git.example.com/a/b/c.git", false),
            (&gitlab, "ssh://git@GIT.example.com:22/a/b/c.git", false),
            (&gitlab, "ssh://git@GIT.example.com:22/b/c.git", true),
            (&below, "https://example.com/gitea/shop/web", true),
            (&below, "ssh://git@example.com:2222/shop/web", true),
            (&below, "https://example.com/other/shop/web", false),
            // Inside the cluster it has another name, with or without a path before it.
            (&below, "http://gitea.forge.svc:3000/shop/web", true),
            (&outside, "http://gitea.forge.svc:3000/gitea/shop/web.git", true),
            (&outside, "http://gitea.forge.svc:3000/shop/other", false),
            (&outside, "http://[::1]:3000/shop/web", true),
        ] {
            assert_eq!(forge.is_at(url), expected, "{forge:?} {url}");
        }
        let nameless = named("", &["https://git.example.com/shop/web.git"]);
        assert!(
            nameless.is_at("ssh://git@git.example.com/shop/web") && !nameless.is_at("https://git.example.com/a/web")
        );
        assert!(named("", &[]).is_nobody() && !nameless.is_nobody());
    }
}
