//! Lists of patterns (ssh_config(5), PATTERNS): `*` and `?`, and `!` for what is left out.

use std::fmt;

/// A list of patterns, with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patterns {
    written: String,
}

impl Patterns {
    /// From how it is written.
    pub fn new(written: impl Into<String>) -> Self {
        Self { written: written.into() }
    }

    /// Whether a name is of the list: one pattern fits, and none that begins with `!`.
    pub fn matches(&self, name: &str) -> bool {
        let mut found = false;
        for pattern in self.written.split(',').map(str::trim) {
            match pattern.strip_prefix('!') {
                Some(pattern) if fits(pattern, name) => return false,
                None if fits(pattern, name) => found = true,
                _ => {}
            }
        }
        found
    }
}

impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Whether a pattern fits a whole name. Goes back to the last `*` alone, so its work is bounded by the product of both
/// lengths.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, from)) => {
                    *from += 1;
                    (p, n) = (*at + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_openssh_has_them() {
        for (patterns, name, expected) in [
            ("*", "alice@example.com", true),
            ("*@example.com", "alice@example.com", true),
            ("*@example.com", "alice@example.com.evil", false),
            ("alice?", "alice1", true),
            ("alice?", "alice", false),
            ("*@example.com,!eve@example.com", "eve@example.com", false),
            ("!eve@example.com,*@example.com", "eve@example.com", false),
            ("!eve@example.com", "alice@example.com", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("", "", true),
            ("", "alice", false),
        ] {
            assert_eq!(Patterns::new(patterns).matches(name), expected, "{patterns} {name}");
        }
    }

    #[test]
    fn stars_take_no_long_time() {
        assert!(!fits(&"*a".repeat(50), &"a".repeat(49)));
        assert!(fits("**", ""));
        assert!(fits("a*c*", "abcd"));
    }
}
