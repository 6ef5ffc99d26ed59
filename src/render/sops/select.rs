//! Which values of a file are encrypted.

use regex::Regex;

/// Which values are encrypted.
#[derive(Debug)]
pub enum Selection {
    /// All but those below a key that ends so.
    ButSuffix(String),
    /// Those below a key that ends so.
    Suffix(String),
    /// All but those below a key that matches.
    ButKey(Regex),
    /// Those below a key that matches.
    Key(Regex),
    /// What a comment says. Comments are in no MAC: who can change a value can change them too, so
    /// their word is not asked for, and the form of a value tells.
    Comment,
}

/// The fields of SOPS' own data that select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `unencrypted_suffix`
    ButSuffix,
    /// `encrypted_suffix`
    Suffix,
    /// `unencrypted_regex`
    ButKey,
    /// `encrypted_regex`
    Key,
    /// `encrypted_comment_regex`, `unencrypted_comment_regex`
    Comment,
}

impl Rule {
    /// The fields by name; at most one of them may be set.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("unencrypted_suffix", Self::ButSuffix),
        ("encrypted_suffix", Self::Suffix),
        ("unencrypted_regex", Self::ButKey),
        ("encrypted_regex", Self::Key),
        ("unencrypted_comment_regex", Self::Comment),
        ("encrypted_comment_regex", Self::Comment),
    ];
}

impl Default for Selection {
    /// What holds where nothing is said.
    fn default() -> Self {
        Self::ButSuffix("_unencrypted".to_owned())
    }
}

impl Selection {
    /// What a field of SOPS' own data says.
    pub fn new(rule: Rule, text: &str) -> Result<Self, String> {
        let regex = || Regex::new(text).map_err(|_| "it is no regular expression".to_owned());
        Ok(match rule {
            Rule::ButSuffix => Self::ButSuffix(text.to_owned()),
            Rule::Suffix => Self::Suffix(text.to_owned()),
            Rule::ButKey => Self::ButKey(regex()?),
            Rule::Key => Self::Key(regex()?),
            Rule::Comment => Self::Comment,
        })
    }

    /// Whether the value at a path is encrypted. `sealed`: whether it has the form of one that is.
    pub fn covers(&self, path: &[&str], sealed: impl FnOnce() -> bool) -> bool {
        let any = |holds: &dyn Fn(&str) -> bool| path.iter().any(|key| holds(key));
        match self {
            Self::ButSuffix(end) => !any(&|key| key.ends_with(end.as_str())),
            Self::Suffix(end) => any(&|key| key.ends_with(end.as_str())),
            Self::ButKey(regex) => !any(&|key| regex.is_match(key)),
            Self::Key(regex) => any(&|key| regex.is_match(key)),
            Self::Comment => sealed(),
        }
    }
}
