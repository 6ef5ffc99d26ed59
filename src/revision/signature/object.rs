//! Raw commits and tags, taken apart more strictly than git does: what was signed, and the signature.
//!
//! Git writes `tree`, `parent`s, `author`, `committer`, perhaps `encoding` and further headers, and the signature
//! last. Programs that read less strictly than that can be shown one thing and git another; so a header that stands
//! twice, after the signature, or under a name that only looks like the signature's is refused.

use super::{Flaw, Format, Wrong};

/// An object, as it was signed.
#[derive(Debug)]
pub(super) struct Signed {
    /// The bytes that the signature is over.
    pub payload: Vec<u8>,
    /// The signature, armored.
    pub signature: Vec<u8>,
}

/// A header with its continuation lines; the value holds what follows the name, continuation lines joined by line
/// feeds.
struct Header<'a> {
    name: &'a str,
    value: Vec<u8>,
    /// Where it begins and ends in the object.
    from: usize,
    to: usize,
}

fn forged<T>(why: impl Into<String>) -> Result<T, Wrong> {
    Err((Flaw::ObjectForged, why.into()))
}

/// The headers, and where the body begins.
fn headers(raw: &[u8]) -> Result<(Vec<Header<'_>>, usize), Wrong> {
    if raw.contains(&0) {
        return forged("holds a NUL byte, behind which git shows nothing");
    }
    let mut headers: Vec<Header<'_>> = Vec::new();
    let mut at = 0;
    loop {
        let Some(length) = raw[at..].iter().position(|byte| *byte == b'\n') else {
            return forged("has headers without an end");
        };
        let (line, next) = (&raw[at..at + length], at + length + 1);
        if line.is_empty() {
            return Ok((headers, next));
        }
        if let Some(rest) = line.strip_prefix(b" ") {
            let Some(last) = headers.last_mut() else { return forged("begins with a line of no header") };
            last.value.push(b'\n');
            last.value.extend_from_slice(rest);
            last.to = next;
        } else {
            let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
            let name = std::str::from_utf8(&line[..end]).ok().filter(|name| name.bytes().all(|b| b.is_ascii_graphic()));
            let Some(name) = name.filter(|name| !name.is_empty() && end < line.len()) else {
                return forged("has a header that cannot be read");
            };
            headers.push(Header { name, value: line[end + 1..].to_vec(), from: at, to: next });
        }
        at = next;
    }
}

fn is_id(value: &[u8]) -> bool {
    value.len() == 40 && value.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Place of a header among those that git writes first; further ones have none.
fn rank(name: &str) -> Option<usize> {
    ["tree", "parent", "author", "committer"].iter().position(|known| *known == name)
}

/// Takes a raw commit apart.
///
/// # Errors
/// It is not written as git writes commits, not signed, or signed more than once.
pub(super) fn commit(raw: &[u8]) -> Result<Signed, Wrong> {
    let (headers, _) = headers(raw)?;
    let mut reached = 0;
    let mut counts = [0_usize; 4];
    let mut signature: Option<&Header<'_>> = None;
    for header in &headers {
        let name = header.name;
        if name == "gpgsig" && signature.is_some() {
            return Err((Flaw::SignatureDuplicated, "has two gpgsig headers".to_owned()));
        }
        if signature.is_some() {
            return forged(format!("has the header {name} after its signature"));
        }
        match rank(name) {
            Some(rank) => {
                counts[rank] += 1;
                if rank < reached || (counts[rank] > 1 && name != "parent") {
                    return forged(format!("has the header {name} twice or in a strange place"));
                }
                let plain = !header.value.contains(&b'\n') && (rank > 1 || is_id(&header.value));
                if !plain {
                    return forged(format!("has a header {name} that git does not write so"));
                }
                reached = rank;
            }
            None if counts[0] == 0 || counts[2] == 0 || counts[3] == 0 => {
                return forged(format!("has the header {name} before those that git writes first"));
            }
            None => {
                reached = 4;
                match name {
                    "gpgsig" => signature = Some(header),
                    "mergetag" => {
                        return Err((Flaw::MergeTag, "carries a merged tag (mergetag) inside".to_owned()));
                    }
                    _ if name.to_ascii_lowercase().starts_with("gpgsig") => {
                        return forged(format!("has the header {name}, which is not the signature that is verified"));
                    }
                    "encoding" if headers.iter().filter(|h| h.name == "encoding").count() > 1 => {
                        return forged("has the header encoding twice");
                    }
                    _ if ["tree", "parent", "author", "committer", "encoding", "mergetag"]
                        .iter()
                        .any(|known| name.eq_ignore_ascii_case(known) && name != *known) =>
                    {
                        return forged(format!("has the header {name}, which only looks like one of git's"));
                    }
                    _ => {}
                }
            }
        }
    }
    if counts[0] == 0 || counts[2] == 0 || counts[3] == 0 {
        return forged("lacks headers that every commit has");
    }
    let Some(header) = signature else {
        return Err((Flaw::SignatureMissing, "is not signed".to_owned()));
    };
    let mut text = header.value.clone();
    text.push(b'\n');
    Ok(Signed { payload: [&raw[..header.from], &raw[header.to..]].concat(), signature: text })
}

/// Takes a raw annotated tag apart, which must be of this name, on this commit.
///
/// # Errors
/// As [`commit`], or it is the tag of something else.
pub(super) fn tag(raw: &[u8], name: &str, commit: &str) -> Result<Signed, Wrong> {
    let (headers, body) = headers(raw)?;
    let names: Vec<&str> = headers.iter().map(|header| header.name).collect();
    if let Some(strange) = names.iter().find(|name| name.to_ascii_lowercase().starts_with("gpgsig")) {
        return forged(format!("has the header {strange}, which is not the signature that is verified"));
    }
    if names != ["object", "type", "tag", "tagger"] {
        return forged("has other headers than git writes: object, type, tag, tagger");
    }
    if headers.iter().any(|header| header.value.contains(&b'\n')) || !is_id(&headers[0].value) {
        return forged("has a header that git does not write so");
    }
    if headers[1].value != b"commit" {
        return Err((Flaw::TagMismatch, "leads to something that is no commit".to_owned()));
    }
    if headers[0].value != commit.as_bytes() {
        return Err((Flaw::TagMismatch, "is on another commit".to_owned()));
    }
    if headers[2].value != name.as_bytes() {
        let own: String = String::from_utf8_lossy(&headers[2].value).escape_debug().take(100).collect();
        return Err((Flaw::TagMismatch, format!("was made as the tag {own}, and stands under another name")));
    }
    let mut starts = Vec::new();
    let mut at = body;
    while at < raw.len() {
        if Format::of(&raw[at..]).is_some() {
            starts.push(at);
        }
        at += raw[at..].iter().position(|byte| *byte == b'\n').map_or(raw.len() - at, |length| length + 1);
    }
    match starts[..] {
        [] => Err((Flaw::SignatureMissing, "is not signed".to_owned())),
        [start] => Ok(Signed { payload: raw[..start].to_vec(), signature: raw[start..].to_vec() }),
        _ => Err((Flaw::SignatureDuplicated, "has two signatures".to_owned())),
    }
}

/// The parents that a raw commit names.
pub(super) fn parents(raw: &[u8]) -> Option<Vec<String>> {
    let (headers, _) = headers_of_any(raw)?;
    let parents = headers.iter().filter(|header| header.name == "parent");
    parents
        .map(|header| Some(&header.value).filter(|value| is_id(value)).map(|v| String::from_utf8_lossy(v).into_owned()))
        .collect()
}

/// When a raw commit says it was committed.
pub(super) fn committed_at(raw: &[u8]) -> Option<i64> {
    let (headers, _) = headers_of_any(raw)?;
    let committer = &headers.iter().find(|header| header.name == "committer")?.value;
    let text = String::from_utf8_lossy(committer);
    text.rsplit(' ').nth(1)?.parse().ok()
}

/// Headers of an object whose message may hold anything: how it stands to others is asked before it is judged.
fn headers_of_any(raw: &[u8]) -> Option<(Vec<Header<'_>>, usize)> {
    let end = raw.windows(2).position(|two| two == b"\n\n").map_or(raw.len(), |at| at + 2);
    headers(&raw[..end]).ok()
}
