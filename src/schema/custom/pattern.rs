//! Patterns, which the API server reads as Go does.

use std::sync::OnceLock;

use regex::Regex;

/// A regular expression of Go's, compiled when it is first needed.
#[derive(Debug)]
pub struct Pattern {
    written: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub fn new(written: &str) -> Self {
        Self { written: written.to_owned(), compiled: OnceLock::new() }
    }

    /// As the definition has it.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Whether it is found in the text. One that cannot be compiled says nothing: the API server
    /// refuses its definition.
    pub fn matches(&self, text: &str) -> bool {
        let compile = || crate::cel::pattern(&self.written).ok();
        self.compiled.get_or_init(compile).as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_go_says() {
        for (pattern, text, matches) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^[\w.-]+$", "a_b.c-d", true),
            (r"^[\w.-]+$", "ä", false),
            (r"^[[:alpha:]]+$", "abc", true),
            (r"^[[:alpha:]]+$", "ab1", false),
            (r"^[a[]$", "[", true),
            (r"^[]a]+$", "]a", true),
            (r"^[^]a]+$", "b", true),
            (r"^[a&&b]$", "&", true),
            (r"^[!--]$", "-", true),
            (r"^(([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$", "1h30m", true),
            (r"^(([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$", "1d", false),
            (r"^\S+$", "a b", false),
            (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "web-1", true),
            (r"^\/(.*)$", "/x", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), matches, "{pattern} {text}");
            assert!(crate::cel::pattern(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn what_cannot_be_compiled_says_nothing() {
        assert!(Pattern::new("(").matches("x"));
        assert!(Pattern::new("((a{100}){100}){100}").matches("x"));
    }
}
