//! What is told on an open pull request: the plan of its merge, in one comment, and one status of its head.
//!
//! Equal input gives equal text, and the branch it is compared with is not named in it: what merging would change is the
//! same as long as nothing else that matters has changed, and then nothing is sent.

pub mod held;
mod neutral;
pub mod review;

use std::fmt::Write;

use crate::object::{ObjectId, Problem};
use crate::plan::signed::SignedPlan;
use crate::plan::{Action, Change, Essence, Plan};
use crate::report::commit_status::{CommitStatus, Light, plain};
use crate::report::plan_text::{Bodies, Line, details, summary, why, word};

use neutral::{block, inline};

/// Bytes of a comment; GitHub takes no more than 65,536 characters.
pub const LIMIT: usize = 60_000;
/// Bytes that are left for the end.
const END: usize = 500;
/// Bytes of a plan that may be approved.
const BLOCK: usize = 24_000;
/// Lines of one object that are shown.
const LINES: usize = 120;

/// What became of the merge.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Both sides changed the same.
    Conflicts,
    /// It cannot be told what it is, and why.
    Unknown(String),
    /// What each Sync that it touches would do, by name.
    Planned(Vec<SyncPlan>),
}

/// What one Sync would do.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncPlan {
    /// `namespace/name`.
    pub name: String,
    /// The plan; problems of the source and of the API server are among its own.
    pub plan: Plan,
    /// Objects that are created, secret values masked.
    pub created: Bodies,
    /// What Standards would hold.
    pub denied: Vec<Problem>,
    /// What Standards say beside that.
    pub warned: Vec<Problem>,
    /// Objects that were compared with nothing, and why not.
    pub apart: Vec<(ObjectId, String)>,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// Whether the cluster was asked.
    pub basis: Basis,
    /// What of it somebody may approve, where all of it is known.
    pub essence: Option<Essence>,
}

/// Whether the cluster was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The API server said what would become of each object.
    Asked,
    /// It was not asked, and why. What changes is told by what was applied before.
    Offline(String),
    /// Nothing of the cluster is in it: the head comes from where others may write.
    Apart,
}

/// Which comment it is, and what it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// Name of the group, where there is one.
    pub group: Option<&'a str>,
    /// The head.
    pub head: &'a str,
    /// The event by which a label let the head be planned although it is a fork's.
    pub labelled: Option<u64>,
    /// The label that would do that, where a fork waits for it.
    pub label: Option<&'a str>,
    /// The plan that may be approved, with the agent's signature, where approval of it is asked for.
    pub signed: Option<&'a SignedPlan>,
}

/// What an earlier comment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Of which head.
    pub head: String,
    /// The event by which a label let it be planned.
    pub labelled: Option<u64>,
}

impl Place<'_> {
    /// What every comment of this cluster and group begins with.
    pub fn mark(&self) -> String {
        let group = self.group.map(neutral::plain).unwrap_or_default();
        format!("<!-- tandem plan cluster={} group={group} -->", neutral::plain(self.cluster))
    }

    fn state(&self) -> String {
        let label = self.labelled.map(|event| event.to_string()).unwrap_or_default();
        format!("<!-- tandem state head={} label={label} -->", neutral::plain(self.head))
    }
}

/// Reads what a comment of ours says of itself.
pub fn earlier(body: &str) -> Option<Earlier> {
    let line = body.lines().nth(1)?.trim();
    let (head, label) = line.strip_prefix("<!-- tandem state head=")?.strip_suffix(" -->")?.split_once(" label=")?;
    Some(Earlier { head: head.to_owned(), labelled: label.parse().ok() })
}

/// Whether a forge shows this text already. Forges keep line feeds and ends of texts as they like.
pub fn is_shown(shown: &str, text: &str) -> bool {
    let bare = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    bare(shown) == bare(text)
}

/// The status of the head.
pub fn status(found: &Found) -> CommitStatus {
    let (light, text) = match found {
        Found::Conflicts => (Light::Failure, "it does not merge: there are conflicts".to_owned()),
        Found::Unknown(_) => (Light::Pending, "its merge is not known".to_owned()),
        Found::Planned(syncs) if syncs.is_empty() => (Light::Success, "it changes nothing here".to_owned()),
        Found::Planned(syncs) => {
            let light = if syncs.iter().any(SyncPlan::fails) { Light::Failure } else { Light::Success };
            let held = syncs.iter().map(|sync| sync.denied.len()).sum::<usize>();
            let held = if held > 0 { format!(", {held} against a Standard") } else { String::new() };
            (light, format!("{}{held}", whole(syncs)))
        }
    };
    CommitStatus { light, description: plain(&text, "") }
}

/// The comment.
pub fn comment(place: &Place<'_>, found: &Found) -> String {
    let mut paper = Paper { text: format!("{}\n{}\n", place.mark(), place.state()), left_out: 0 };
    let group = place.group.map(|group| format!(", {}", inline(group))).unwrap_or_default();
    paper.line(&format!("### Plan for {}{group}\n", inline(place.cluster)));
    let head = inline(&place.head.chars().take(12).collect::<String>());
    match found {
        Found::Conflicts => {
            paper.line(&format!("{head} does not merge: both sides changed the same lines. Nothing was planned."));
        }
        Found::Unknown(why) => {
            paper.line(&format!("What merging {head} would be cannot be told: {}.", inline(why)));
        }
        Found::Planned(syncs) if syncs.is_empty() => {
            paper.line(&format!("Merging {head} changes nothing that a Sync of this cluster reads."));
        }
        Found::Planned(syncs) => planned(&mut paper, place, &head, syncs),
    }
    paper.end()
}

fn planned(paper: &mut Paper, place: &Place<'_>, head: &str, syncs: &[SyncPlan]) {
    paper.line(&format!("If {head} is merged: {}.\n", whole(syncs)));
    if syncs.iter().any(|sync| sync.basis == Basis::Apart) {
        let label = match place.label {
            Some(label) => {
                format!(" Whoever may write can give it the label {}, for this head alone.", inline(label))
            }
            None => String::new(),
        };
        paper.line(&format!(
            "It comes from a fork, so the cluster was not asked: this is what its files alone say.{label}\n"
        ));
    }
    // What is wrong comes first.
    let (failing, others): (Vec<_>, Vec<_>) = syncs.iter().partition(|sync| sync.fails());
    let order: Vec<&SyncPlan> = failing.into_iter().chain(others).collect();
    for sync in &order {
        sync.heading(paper);
    }
    if let Some(signed) = place.signed {
        to_approve(paper, place, signed);
    }
    for sync in &order {
        sync.changes(paper);
    }
}

/// The plan as `tandem approve --plan` takes it.
fn to_approve(paper: &mut Paper, place: &Place<'_>, signed: &SignedPlan) {
    let command = inline(&format!("tandem approve {} --plan FILE", place.head));
    let lead = format!(
        "What this does to the cluster needs approval too: copy the block into a file, and {command} shows it and signs."
    );
    let folded = |block: String| {
        format!(
            "<details><summary>The plan, signed by the agent</summary>\n\n{lead}\n\n```\n{block}```\n\n</details>\n"
        )
    };
    if !signed.block(BLOCK).is_some_and(|block| paper.try_line(&folded(block))) {
        paper.line("What this does to the cluster needs approval too. Its plan is too large for a comment: approve it when it is merged.\n");
    }
}

impl SyncPlan {
    /// Whether there is anything to tell of it: one that was looked at in vain is as one that was not.
    pub fn says_something(&self) -> bool {
        !self.plan.is_empty() || self.fails() || !self.warned.is_empty() || self.basis == Basis::Apart
    }

    fn fails(&self) -> bool {
        !self.plan.problems.is_empty() || !self.denied.is_empty()
    }

    /// What it comes to, and all that is wrong.
    fn heading(&self, paper: &mut Paper) {
        paper.line(&format!("#### Sync {}\n\n{}.\n", inline(&self.name), summary(&self.plan)));
        if let Basis::Offline(why) = &self.basis {
            paper.line(&format!(
                "The API server was not asked, so what it would refuse or change is not known: {}\n",
                inline(why)
            ));
        }
        for (title, problems) in [
            ("Refused", &self.plan.problems),
            ("Held by a Standard", &self.denied),
            ("Told by a Standard", &self.warned),
            ("Worth knowing", &self.plan.notices),
        ] {
            paper.list(title, problems.iter().map(told));
        }
        paper.list("Notes", self.notes.iter().map(|note| inline(note)));
        let apart = self.apart.iter().map(|(id, why)| format!("{}: {}", inline(&id.to_string()), inline(why)));
        paper.list("Not compared", apart);
    }

    /// One line an object, with what differs folded below it.
    fn changes(&self, paper: &mut Paper) {
        let shown =
            |change: &&Change| change.action != Action::Unchanged && change.reason != crate::plan::Reason::Refused;
        let mut any = false;
        for change in self.plan.changes.iter().filter(shown) {
            if !std::mem::replace(&mut any, true) {
                paper.line(&format!("\n#### Changes of {}\n", inline(&self.name)));
            }
            let heading = heading(change);
            let mut lines = details(change, &self.created);
            let more = lines.len().saturating_sub(LINES);
            lines.truncate(LINES);
            if more > 0 {
                lines.push(Line { sign: ' ', depth: 1, text: format!("… and {more} lines more") });
            }
            let folded = format!("<details><summary>{heading}</summary>\n\n{}\n\n</details>\n", block(&lines));
            let bare = format!("{heading}\n");
            let fits = !lines.is_empty() && paper.try_line(&folded);
            if !fits && !paper.try_line(&bare) {
                paper.left_out += 1;
            }
        }
    }
}

fn whole(syncs: &[SyncPlan]) -> String {
    let mut all = Plan::default();
    for sync in syncs {
        all.changes.extend(sync.plan.changes.iter().cloned());
        all.problems.extend(sync.plan.problems.iter().cloned());
    }
    summary(&all)
}

fn heading(change: &Change) -> String {
    let mut line = format!("{} {}", word(change.action), inline(&change.id.to_string()));
    if let Some(origin) = &change.origin {
        let _ = write!(line, " in {}", inline(&format!("{}:{}", origin.file, origin.line)));
    }
    if let Some(why) = why(change) {
        let _ = write!(line, ", {}", inline(&why));
    }
    if let Some(deferred) = &change.deferred {
        let _ = write!(line, "; checked later: {}", inline(deferred));
    }
    line
}

/// A problem with its place, rule and hint.
fn told(problem: &Problem) -> String {
    let mut line = String::new();
    if let Some(file) = &problem.file {
        let place = problem.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"));
        let _ = write!(line, "{} ", inline(&place));
    }
    if let Some(object) = &problem.object {
        let _ = write!(line, "{} ", inline(object));
    }
    let _ = write!(line, "{}: {}", inline(&problem.rule), inline(&problem.message));
    if let Some(hint) = &problem.hint {
        let _ = write!(line, "; hint: {}", inline(hint));
    }
    line
}

/// A comment that grows up to its limit.
struct Paper {
    text: String,
    /// Things that had no room.
    left_out: usize,
}

impl Paper {
    /// What must stand there. It is short, and there are few of them: where even these have no room, they are counted.
    fn line(&mut self, line: &str) {
        if !self.try_line(line) {
            self.left_out += 1;
        }
    }

    fn try_line(&mut self, line: &str) -> bool {
        let fits = self.text.len() + line.len() + 1 + END <= LIMIT;
        if fits {
            self.text.push_str(line);
            self.text.push('\n');
        }
        fits
    }

    fn list(&mut self, title: &str, items: impl Iterator<Item = String>) {
        let mut any = false;
        for item in items {
            if !std::mem::replace(&mut any, true) {
                self.line(&format!("**{title}**\n"));
            }
            self.line(&format!("- {item}"));
        }
        if any {
            self.line("");
        }
    }

    fn end(mut self) -> String {
        if self.left_out > 0 {
            let more = self.left_out;
            let _ =
                write!(self.text, "\n**{more} more** had no room here: <code>tandem plan --sync</code> shows all.\n");
        }
        self.text
    }
}

#[cfg(test)]
mod tests;
