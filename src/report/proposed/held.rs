//! What is told on a merged pull request that is not deployed, because nobody has approved what it does to the cluster.

use super::neutral::{self, inline};
use super::{LIMIT, Paper};

/// A merge that is held, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// Name of the group, where there is one.
    pub group: Option<&'a str>,
    /// The commit.
    pub commit: &'a str,
    /// The Syncs that are held; none where that is over.
    pub held: Vec<Held<'a>>,
}

/// A Sync that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held<'a> {
    /// `namespace/name`.
    pub sync: &'a str,
    /// Why.
    pub why: &'a str,
    /// The plan that may be approved, as it is carried about.
    pub plan: &'a str,
}

impl Merged<'_> {
    /// What the one comment on it begins with.
    pub fn mark(&self) -> String {
        let group = self.group.map(neutral::plain).unwrap_or_default();
        let (cluster, commit) = (neutral::plain(self.cluster), neutral::plain(self.commit));
        format!("<!-- tandem held cluster={cluster} group={group} commit={commit} -->")
    }

    /// The comment.
    pub fn text(&self) -> String {
        let mut paper = Paper { text: format!("{}\n", self.mark()), left_out: 0 };
        let (cluster, commit) = (inline(self.cluster), inline(self.commit));
        if self.held.is_empty() {
            paper.line(&format!("Nothing of {commit} waits for the approval of its plan in {cluster} any more."));
            return paper.end();
        }
        paper.line(&format!("### Not deployed in {cluster}\n"));
        for held in &self.held {
            paper.line(&format!("- {}: {}", inline(held.sync), inline(held.why)));
        }
        let blocks: String = self.held.iter().map(|held| held.plan).collect();
        let command = inline(&format!("tandem approve {} --plan FILE", self.commit));
        let lead = format!("Copy all of this into a file, and {command} shows what it does to the cluster and signs.");
        let folded = format!(
            "\n<details><summary>The plan, signed by the agent</summary>\n\n{lead}\n\n```\n{blocks}```\n\n</details>\n"
        );
        let fits = paper.text.len() + folded.len() <= LIMIT / 2 && !blocks.contains('`');
        if !(fits && paper.try_line(&folded)) {
            paper.line("\nThe plan is too large for a comment: it is in the status of the Sync.");
        }
        paper.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged<'a>(held: Vec<Held<'a>>, commit: &'a str) -> Merged<'a> {
        Merged { cluster: "prod", group: None, commit, held }
    }

    #[test]
    fn a_merge_that_is_held_says_why_and_what_to_do_and_words_of_others_stay_words() {
        let commit = "a".repeat(40);
        let held = Held {
            sync: "shop/web",
            why: "@eve <b>closes</b> #1",
            plan: "-----BEGIN TANDEM PLAN-----\neyJ9\n-----END TANDEM PLAN-----\n",
        };
        let text = merged(vec![held.clone()], &commit).text();
        assert!(text.starts_with(&merged(Vec::new(), &commit).mark()), "{text}");
        for words in [
            "### Not deployed in <code>prod</code>",
            "<code>shop/web</code>",
            "```\n-----BEGIN TANDEM PLAN-----\neyJ9\n",
        ] {
            assert!(text.contains(words), "{words} in {text}");
        }
        assert!(!text.contains("@eve") && !text.contains("<b>") && !text.contains("#1"), "{text}");
        let large = "x".repeat(LIMIT);
        for plan in [large.as_str(), "```\n# title"] {
            let text = merged(vec![Held { plan, ..held.clone() }], &commit).text();
            assert!(
                text.len() < LIMIT && text.contains("too large for a comment") && !text.contains("# title"),
                "{plan}"
            );
        }
        let over = merged(Vec::new(), &commit).text();
        assert!(over.contains("waits for the approval of its plan in <code>prod</code> any more"), "{over}");
    }
}
