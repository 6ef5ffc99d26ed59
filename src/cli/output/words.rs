//! Times, revisions and counts as people read them.

use jiff::Timestamp;

/// Time since then, in kubectl's words: `45s`, `12m`, `3h`, `9d`.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `main@sha1:0123abcd…` as `main@0123abcd`; what is no revision stays as it is.
pub fn short_revision(text: &str) -> String {
    match crate::revision::Revision::parse(text) {
        Some(revision) if revision.name.is_empty() => revision.short().to_owned(),
        Some(revision) => format!("{}@{}", revision.name, revision.short()),
        None => text.to_owned(),
    }
}

/// `1 problem`, `3 problems`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let now: Timestamp = "2026-01-10T00:00:00Z".parse().expect("a time");
        for (since, expected) in [
            ("2026-01-10T00:00:05Z", "0s"),
            ("2026-01-09T23:58:01Z", "119s"),
            ("2026-01-09T23:58:00Z", "2m"),
            ("2026-01-09T22:00:00Z", "2h"),
            ("2026-01-01T00:00:00Z", "9d"),
        ] {
            assert_eq!(age(since.parse().expect("a time"), now), expected, "{since}");
        }
    }

    #[test]
    fn revisions_are_short() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(short_revision(&format!("main@sha1:{commit}")), "main@01234567");
        assert_eq!(short_revision(&format!("sha1:{commit}")), "01234567");
        assert_eq!(short_revision("latest"), "latest");
        assert_eq!((count(1, "problem"), count(0, "problem")), ("1 problem".to_owned(), "0 problems".to_owned()));
    }
}
