//! lcov's tracefiles (geninfo(1), FILES): records of one line each, in a section for each source file. Only `SF`, `DA`,
//! `LF`, `LH` and `end_of_record` matter here; newer versions add others, which say nothing of lines.

use super::{Flaw, Lines, Refused, Tally, impossible, is_run};

/// A source file that is being read.
struct Section {
    file: u32,
    /// Whether it has lines of its own.
    has_lines: bool,
    /// Sums, as it says them.
    found: Option<u64>,
    hit: Option<u64>,
}

/// Reads a tracefile.
///
/// # Errors
/// It cannot be read to its end, or says what cannot be.
pub fn read(text: &str) -> Result<Lines, Refused> {
    let mut tally = Tally::default();
    let mut sums = Lines::default();
    let mut section: Option<Section> = None;
    for (at, line) in text.lines().enumerate() {
        let malformed = |why: &str| Refused::new(Flaw::CoverageMalformed, format!("line {} of lcov {why}", at + 1));
        let line = line.trim_end();
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match (name, &mut section) {
            ("SF", None) => {
                let file = tally.file(value.as_bytes());
                section = Some(Section { file, has_lines: false, found: None, hit: None });
            }
            ("SF", Some(_)) => return Err(malformed("begins a file within a file")),
            ("DA" | "LF" | "LH" | "end_of_record", None) => return Err(malformed("speaks of no file")),
            ("DA", Some(section)) => {
                let mut parts = value.split(',');
                let (number, count) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                let (Ok(number), Some(run)) = (number.parse(), is_run(count.as_bytes())) else {
                    return Err(malformed("is no DA:<line>,<count>"));
                };
                tally.line(section.file, number, run);
                section.has_lines = true;
            }
            ("LF", Some(section)) => {
                section.found = Some(value.parse().map_err(|_| malformed("has no number"))?);
            }
            ("LH", Some(section)) => {
                section.hit = Some(value.parse().map_err(|_| malformed("has no number"))?);
            }
            ("end_of_record", Some(ended)) => {
                let (found, hit) = (ended.found.unwrap_or_default(), ended.hit.unwrap_or_default());
                if hit > found && ended.hit.is_some() && ended.found.is_some() {
                    return Err(impossible(hit, found));
                }
                if !ended.has_lines {
                    let sum = |sum: u64, more| sum.checked_add(more).ok_or_else(|| impossible(hit, found));
                    sums = Lines { covered: sum(sums.covered, hit)?, instrumented: sum(sums.instrumented, found)? };
                }
                section = None;
            }
            _ => {}
        }
    }
    if section.is_some() {
        return Err(Refused::new(Flaw::CoverageMalformed, "lcov ends within a file: was it cut off?"));
    }
    let lines = tally.lines();
    let sum = |a: u64, b: u64| a.checked_add(b).ok_or_else(|| impossible(sums.covered, sums.instrumented));
    let lines =
        Lines { covered: sum(lines.covered, sums.covered)?, instrumented: sum(lines.instrumented, sums.instrumented)? };
    if lines.covered > lines.instrumented { Err(impossible(lines.covered, lines.instrumented)) } else { Ok(lines) }
}
