//! Checks: what others, a test run or a measurement of coverage, say of a commit, and whether it is enough.

mod heads;

pub use heads::{Came, heads};

use serde::{Deserialize, Serialize};

use super::coverage::note::Read;

/// Files of a note that are named as not counted.
const REFUSED: usize = 3;

/// What must be said of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// Under which name.
    pub context: String,
    /// By whom: a name alone anybody may use who may write statuses.
    pub source: Source,
    /// Of which commit.
    pub subject: Subject,
    /// How much of the code must be covered, where it is such a check.
    pub coverage: Option<Coverage>,
}

/// Of which commit something must be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The one that is deployed.
    #[default]
    Merged,
    /// The head of the proposal by which each step came.
    Head,
}

/// Who says something of a commit, by a number that is never another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A user, by a commit status.
    Creator(u64),
    /// A GitHub App, by a check run.
    App(u64),
    /// A key that the check of this number lists, by a coverage file in a note.
    Keys(u64),
}

impl Source {
    /// Whether it speaks by a note, so that no forge is asked.
    pub fn is_note(self) -> bool {
        matches!(self, Self::Keys(_))
    }
}

/// How much of the code must be covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// At least, in hundredths of a percent.
    pub min: u32,
    /// No more below the commit that is deployed, in hundredths of a percent.
    pub max_drop: Option<u32>,
}

/// What is said of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Under which name.
    pub context: String,
    /// By whom; nothing where the forge does not tell.
    pub source: Option<Source>,
    /// What.
    pub state: State,
    /// In words.
    pub description: String,
    /// Of two by the same, the one with the higher number is newer.
    pub order: u64,
}

impl Said {
    /// What a note says of the check of this number: the newest file that counts, and all that does not.
    pub fn of_note(context: &str, check: u64, read: Read) -> Vec<Self> {
        let one =
            |source, state, description, order| Self { context: context.to_owned(), source, state, description, order };
        let refused = read.refused.iter().map(|refused| one(None, State::Failed, refused.to_string(), 0));
        let mut said: Vec<Self> = refused.collect();
        if let Some((at, lines)) = read.newest {
            let (state, told) = match lines {
                Ok(lines) => (State::Passed, lines.to_string()),
                Err(refused) => (State::Failed, refused.to_string()),
            };
            said.push(one(Some(Source::Keys(check)), state, told, at.as_second().try_into().unwrap_or_default()));
        }
        said
    }
}

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It runs, or waits.
    Pending,
    /// It is well.
    Passed,
    /// It is not.
    Failed,
}

/// Whether a commit has what it must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is not there yet, each in words.
    pub pending: Vec<String>,
    /// What is not well, each in words.
    pub failed: Vec<String>,
}

impl Verdict {
    /// Whether it has all.
    pub fn is_passed(&self) -> bool {
        self.pending.is_empty() && self.failed.is_empty()
    }
}

/// Judges a commit by what is said of it, and of the commit that is deployed, where that is known.
pub fn judge(required: &[Required], said: &[Said], deployed: Option<&[Said]>) -> Verdict {
    let mut verdict = Verdict::default();
    for check in required {
        let name = &check.context;
        let Some(newest) = newest(check, said) else {
            verdict.pending.push(format!("{name}: {}", silent(check, said)));
            continue;
        };
        match newest.state {
            State::Pending => verdict.pending.push(format!("{name} is under way")),
            State::Failed => verdict.failed.push(format!("{name} failed: {}", newest.description.trim())),
            State::Passed => {
                let before = deployed.and_then(|said| self::newest(check, said));
                let before = before.and_then(|said| percent(&said.description));
                verdict.failed.extend(check.coverage.and_then(|least| {
                    let why = too_little(least, percent(&newest.description), before)?;
                    Some(format!("{name}: {why}"))
                }));
            }
        }
    }
    verdict
}

fn newest<'a>(check: &Required, said: &'a [Said]) -> Option<&'a Said> {
    let mine = said.iter().filter(|one| one.context == check.context && one.source == Some(check.source));
    mine.max_by_key(|one| one.order)
}

/// Who has said nothing, and what else there is under that name.
fn silent(check: &Required, said: &[Said]) -> String {
    let others: Vec<&Said> = said.iter().filter(|one| one.context == check.context).collect();
    let who = match check.source {
        Source::Keys(_) => {
            let refused = others.iter().filter(|one| one.source.is_none()).take(REFUSED);
            let refused = refused.map(|one| format!("; not counted: {}", one.description));
            return format!("no listed key has attached a coverage file yet{}", refused.collect::<String>());
        }
        Source::Creator(id) => format!("the user {id}"),
        Source::App(id) => format!("the app {id}"),
    };
    let others = if others.is_empty() { "" } else { ", though others say something under its name" };
    format!("{who} has said nothing yet{others}")
}

fn too_little(least: Coverage, found: Option<u32>, before: Option<u32>) -> Option<String> {
    let Some(found) = found else {
        return Some("it names no percentage, such as 81.2%".to_owned());
    };
    if found < least.min {
        return Some(format!("{} is less than {}", shown(found), shown(least.min)));
    }
    let (max, before) = (least.max_drop?, before?);
    (found + max < before).then(|| {
        format!("{} is more than {} below the {} of what is deployed", shown(found), shown(max), shown(before))
    })
}

fn shown(hundredths: u32) -> String {
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// The first percentage of a text, in hundredths of a percent; nothing where there is none from 0 to 100.
fn percent(text: &str) -> Option<u32> {
    let sign = text.find('%')?;
    let before = text[..sign].trim_end();
    let start = before
        .rfind(|c: char| !c.is_ascii_digit() && c != '.')
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let (whole, part) = before[start..].split_once('.').unwrap_or((&before[start..], ""));
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 100)?;
    let part: u32 = match part.len() {
        0 => 0,
        1 => part.parse::<u32>().ok()? * 10,
        _ => part.get(..2)?.parse().ok()?,
    };
    let all = whole * 100 + part;
    (all <= 10_000).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::coverage::{Flaw, Lines, Refused};

    const CI: Source = Source::Creator(7);

    fn said(context: &str, source: Source, state: State, description: &str, order: u64) -> Said {
        Said { context: context.to_owned(), source: Some(source), state, description: description.to_owned(), order }
    }

    fn test() -> Required {
        Required { context: "ci/test".to_owned(), source: CI, subject: Subject::Merged, coverage: None }
    }

    fn coverage(min: u32, max_drop: Option<u32>) -> Required {
        let coverage = Some(Coverage { min, max_drop });
        Required { context: "coverage".to_owned(), source: CI, subject: Subject::Merged, coverage }
    }

    #[test]
    fn what_counts_is_the_newest_word_of_whom_is_named() {
        use State::{Failed, Passed, Pending};
        let passed = |order| said("ci/test", CI, Passed, "", order);
        for (all, pending, failed) in [
            (vec![passed(1)], "", ""),
            (vec![], "ci/test: the user 7 has said nothing yet", ""),
            (vec![said("ci/tests", CI, Passed, "", 1)], "the user 7 has said nothing yet", ""),
            (vec![said("ci/test", Source::Creator(8), Passed, "", 1)], "though others say something", ""),
            (vec![said("ci/test", Source::App(7), Passed, "", 1)], "though others say something", ""),
            (vec![Said { source: None, ..passed(1) }], "though others say something", ""),
            (vec![passed(1), said("ci/test", CI, Pending, "", 2)], "ci/test is under way", ""),
            (vec![said("ci/test", CI, Failed, "3 tests", 2), passed(1)], "", "ci/test failed: 3 tests"),
            (vec![said("ci/test", CI, Failed, "3 tests", 1), passed(2)], "", ""),
            (vec![passed(1), said("ci/test", Source::Creator(8), Failed, "", 2)], "", ""),
        ] {
            let verdict = judge(&[test()], &all, None);
            assert_eq!(
                (verdict.pending.is_empty(), verdict.failed.is_empty()),
                (pending.is_empty(), failed.is_empty()),
                "{all:?}"
            );
            assert!(verdict.pending.iter().all(|told| told.contains(pending)), "{verdict:?}");
            assert!(verdict.failed.iter().all(|told| told.contains(failed)), "{verdict:?}");
        }
        let both = [test(), coverage(0, None)];
        assert!(!judge(&both, &[passed(1)], None).is_passed(), "each of them");
        assert!(judge(&[], &[], None).is_passed());
    }

    #[test]
    fn coverage_is_enough_and_falls_by_no_more_than_it_may() {
        let of = |text: &str| vec![said("coverage", CI, State::Passed, text, 1)];
        for (min, drop, now, before, words) in [
            (8_000, None, "80%", None, ""),
            (8_000, None, "79.99%", None, "79.99% is less than 80.00%"),
            (8_000, None, "lines: 81.25 % (branches 70%)", None, ""),
            (8_000, None, "good", None, "names no percentage"),
            (8_000, None, "180%", None, "names no percentage"),
            (8_000, None, "ü99.9%", None, ""),
            (8_000, Some(100), "84%", Some("85%"), ""),
            (8_000, Some(100), "83.99%", Some("85%"), "83.99% is more than 1.00% below the 85.00% of what is deployed"),
            (8_000, Some(0), "85%", Some("85%"), ""),
            (8_000, Some(0), "84.9%", Some("85%"), "below"),
            (8_000, Some(0), "84.9%", Some("unknown"), ""),
            (8_000, Some(0), "84.9%", None, ""),
            (8_000, None, "81%", Some("99%"), ""),
        ] {
            let before = before.map(of);
            let verdict = judge(&[coverage(min, drop)], &of(now), before.as_deref());
            assert_eq!(verdict.is_passed(), words.is_empty(), "{now}: {verdict:?}");
            assert!(verdict.failed.iter().all(|told| told.contains(words)), "{verdict:?}");
        }
    }

    #[test]
    fn of_a_note_the_newest_file_counts_and_what_is_refused_is_told() {
        let check = Required { source: Source::Keys(3), ..coverage(8_000, Some(100)) };
        let refused = |flaw, why: &str| Refused { flaw, why: why.to_owned() };
        let lines = |covered| Ok(Lines { covered, instrumented: 1_000 });
        let at = |second| jiff::Timestamp::from_second(second).expect("a time");
        let file =
            |second, said| Said::of_note("coverage", 3, Read { newest: Some((at(second), said)), refused: vec![] });
        let swapped = Read { newest: None, refused: vec![refused(Flaw::FileSwapped, "not the one")] };
        let empty = file(9, Err(refused(Flaw::CoverageEmpty, "0 of 0")));
        for (said, pending, failed) in [
            (file(1, lines(800)), "", ""),
            (file(1, lines(799)), "", "coverage: 79.90% is less than 80.00%"),
            (vec![], "coverage: no listed key has attached a coverage file yet", ""),
            (Said::of_note("coverage", 3, swapped), "not counted: not the one (FileSwapped)", ""),
            (
                Said::of_note("coverage", 2, Read { newest: Some((at(1), lines(900))), refused: vec![] }),
                "no listed key",
                "",
            ),
            (vec![said("coverage", CI, State::Passed, "99%", 1)], "no listed key", ""),
            ([file(1, lines(900)), empty].concat(), "", "coverage failed: 0 of 0 (CoverageEmpty)"),
            ([file(2, lines(700)), file(1, lines(900))].concat(), "", "70.00% is less"),
        ] {
            let verdict = judge(std::slice::from_ref(&check), &said, None);
            let told = (verdict.pending.join("; "), verdict.failed.join("; "));
            assert_eq!((told.0.is_empty(), told.1.is_empty()), (pending.is_empty(), failed.is_empty()), "{told:?}");
            assert!(told.0.contains(pending) && told.1.contains(failed), "{told:?}");
        }
        let fell = judge(std::slice::from_ref(&check), &file(2, lines(880)), Some(&file(1, lines(900))));
        assert_eq!(fell.failed, ["coverage: 88.00% is more than 1.00% below the 90.00% of what is deployed"]);
        assert!(judge(&[check], &file(2, lines(890)), Some(&file(1, lines(900)))).is_passed());
    }
}
