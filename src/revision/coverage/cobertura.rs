//! Cobertura's XML (coverage-04.dtd): `line` elements within `class` elements, which a method repeats. Nothing is resolved
//! or expanded: a document type is skipped, and one that declares anything is refused.

use std::borrow::Cow;
use std::str::FromStr;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Flaw, Lines, Refused, Tally, impossible, is_run};

/// Elements within elements.
const DEPTH: usize = 32;

/// Reads a report.
///
/// # Errors
/// It cannot be read to its end, or says what cannot be.
pub fn read(text: &str) -> Result<Lines, Refused> {
    let mut reader = Reader::from_str(text);
    let mut report = Report { tally: Tally::default(), sums: None, class: None };
    let (mut depth, mut roots) = (0_usize, 0_usize);
    loop {
        let at = reader.buffer_position();
        let malformed = |why: &str| malformed(&format!("at byte {at} {why}"));
        match reader.read_event().map_err(|error| malformed(&format!("is no XML: {error}")))? {
            Event::Start(element) => {
                roots += usize::from(depth == 0);
                depth += 1;
                if depth > DEPTH {
                    return Err(malformed("nests elements too deeply"));
                }
                report.begins(&element, depth, at)?;
            }
            Event::Empty(element) => {
                roots += usize::from(depth == 0);
                report.begins(&element, depth + 1, at)?;
                if element.name().as_ref() == b"class" {
                    report.class = None;
                }
            }
            Event::End(element) => {
                depth = depth.saturating_sub(1);
                if element.name().as_ref() == b"class" {
                    report.class = None;
                }
            }
            Event::DocType(text) if text.contains(&b'[') || text.contains(&b'!') => {
                return Err(malformed("declares entities or elements of its own"));
            }
            Event::GeneralRef(name) if !is_usual(&name) => {
                return Err(malformed("has an entity that XML does not know"));
            }
            Event::Eof => break,
            _ => {}
        }
        if roots > 1 {
            return Err(malformed("has a second root"));
        }
    }
    if depth > 0 || roots == 0 {
        return Err(malformed("ends within an element: was it cut off?"));
    }
    let lines = report.tally.lines();
    Ok(if lines.instrumented > 0 { lines } else { report.sums.unwrap_or_default() })
}

/// Whether every reader of XML knows what an entity is.
fn is_usual(name: &[u8]) -> bool {
    matches!(name, b"amp" | b"lt" | b"gt" | b"quot" | b"apos") || name.starts_with(b"#")
}

fn malformed(why: &str) -> Refused {
    Refused::new(Flaw::CoverageMalformed, format!("the Cobertura report {why}"))
}

struct Report {
    tally: Tally,
    /// What the root says.
    sums: Option<Lines>,
    /// The file of the class that is being read.
    class: Option<u32>,
}

impl Report {
    fn begins(&mut self, element: &BytesStart<'_>, depth: usize, at: u64) -> Result<(), Refused> {
        let name = element.name();
        match name.as_ref() {
            b"coverage" if depth == 1 => self.root(element, at),
            _ if depth == 1 => Err(malformed("has another root than coverage")),
            b"class" if self.class.is_some() => Err(malformed(&format!("at byte {at} has a class within a class"))),
            b"class" => {
                let [file] = values(element, ["filename"], at)?;
                let file = file.ok_or_else(|| malformed(&format!("at byte {at} has a class without filename")))?;
                self.class = Some(self.tally.file(&file));
                Ok(())
            }
            b"line" => {
                let [number, hits] = values(element, ["number", "hits"], at)?;
                let number = number.and_then(|text| self::number(&text));
                let run = hits.and_then(|hits| is_run(&hits));
                let (Some(class), Some(number), Some(run)) = (self.class, number, run) else {
                    return Err(malformed(&format!("at byte {at} has a line without class, number or hits")));
                };
                self.tally.line(class, number, run);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn root(&mut self, element: &BytesStart<'_>, at: u64) -> Result<(), Refused> {
        let [covered, valid, rate] = values(element, ["lines-covered", "lines-valid", "line-rate"], at)?;
        let is_share = |rate: &Cow<'_, [u8]>| number(rate).is_some_and(|share: f64| (0.0..=1.0).contains(&share));
        if let Some(rate) = rate.filter(|rate| !is_share(rate)) {
            let rate = String::from_utf8_lossy(&rate).escape_debug().take(40).collect::<String>();
            let why = format!("the coverage file says that its line-rate is {rate}, which is none of 0 to 1");
            return Err(Refused::new(Flaw::CoverageImpossible, why));
        }
        if let (Some(covered), Some(valid)) = (covered, valid) {
            let (Some(covered), Some(instrumented)) = (number(&covered), number(&valid)) else {
                return Err(malformed("has sums that are no numbers"));
            };
            if covered > instrumented {
                return Err(impossible(covered, instrumented));
            }
            self.sums = Some(Lines { covered, instrumented });
        }
        Ok(())
    }
}

/// The values of attributes as they are written; nothing for one that is not there.
fn values<'e, const N: usize>(
    element: &'e BytesStart<'_>,
    names: [&str; N],
    at: u64,
) -> Result<[Option<Cow<'e, [u8]>>; N], Refused> {
    let mut found = [const { None }; N];
    // Only what is asked for is compared with what came before: with many attributes, all pairs would be too many.
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| malformed(&format!("at byte {at} has an attribute: {error}")))?;
        let place = names.iter().position(|name| name.as_bytes() == attribute.key.as_ref());
        if place.is_some_and(|place| found[place].replace(attribute.value).is_some()) {
            return Err(malformed(&format!("at byte {at} has an attribute twice")));
        }
    }
    Ok(found)
}

fn number<T: FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
