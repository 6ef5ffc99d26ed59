//! Regular expressions of selectors and images. Most of them are plain names, and those are compared
//! without compiling anything.

use regex::Regex;

/// A pattern that has to match the whole of a text, or its head.
#[derive(Debug)]
pub enum Pattern {
    /// Nothing in it has a meaning but `.`, which takes any character.
    Name(String),
    /// Any other.
    Regex(Regex),
}

impl Pattern {
    /// A pattern for whole texts. `None` where it is no regular expression.
    pub fn whole(pattern: &str) -> Option<Self> {
        if is_name(pattern) {
            return Some(Self::Name(pattern.to_owned()));
        }
        Regex::new(&format!("^(?:{pattern})$")).ok().map(Self::Regex)
    }

    /// Whether a text matches.
    pub fn fits(&self, text: &str) -> bool {
        match self {
            Self::Name(name) => behind(name, text) == Some(""),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// Whether a pattern is a plain name, `.` aside.
pub fn is_name(pattern: &str) -> bool {
    pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'.' | b':'))
}

/// What of a text stands behind a name that is a pattern.
pub fn behind<'t>(name: &str, text: &'t str) -> Option<&'t str> {
    if let Some(rest) = text.strip_prefix(name) {
        return Some(rest);
    }
    let mut rest = text.chars();
    for wanted in name.chars() {
        let found = rest.next()?;
        let takes = if wanted == '.' { found != '\n' } else { found == wanted };
        if !takes {
            return None;
        }
    }
    Some(rest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_their_regular_expressions_do() {
        for pattern in ["web", "a.b", "..", ".", "", "a:b/c-d_e", "é.", "a|b", "a*"] {
            let pattern_of = |text: &str| Pattern::whole(text).expect("a pattern");
            let regex = Regex::new(&format!("^(?:{pattern})$")).expect("compiles");
            for text in
                ["web", "a.b", "axb", "aéb", "a\nb", "ab", "", "x", "webs", "a:b/c-d_e", "éx", "a", "b", "\n", "aa"]
            {
                assert_eq!(pattern_of(pattern).fits(text), regex.is_match(text), "{pattern:?} {text:?}");
            }
        }
        assert!(Pattern::whole("(").is_none());
    }
}
