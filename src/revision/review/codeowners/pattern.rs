//! What a pattern fits, as its forge reads it. It is `.gitignore`'s on none of them: `docs/*` fits no file of a folder in
//! `docs` on GitHub, `/docs` none at all on GitLab, and on Gitea it is a regular expression.

use globset::{GlobBuilder, GlobMatcher};
use regex::{Regex, RegexBuilder};

use super::Dialect;

/// Bytes of one compiled regular expression.
const COMPILED: usize = 1 << 20;

/// Which paths a line is of.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// Those that one of these fits.
    Globs(Vec<GlobMatcher>),
    /// Those that this fits.
    Expression(Regex),
    /// Those that this does not fit.
    AllBut(Regex),
}

impl Pattern {
    /// Reads what is written.
    ///
    /// # Errors
    /// In words, where it means nothing, or something else than it looks.
    pub(super) fn read(dialect: Dialect, written: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("the pattern \"{}\" {why}", written.escape_debug());
        let globs = match dialect {
            Dialect::Gitea => return expression(written).ok_or_else(|| bad("cannot be read")),
            _ if written.starts_with('!') => return Err(bad("takes out again, which is not understood")),
            _ if written.contains(['[', ']']) => return Err(bad("has a range, which is not understood")),
            _ if written == "/" || written.contains("//") => return Err(bad("fits nothing")),
            _ if written.split('/').any(|part| part.contains("**") && part != "**") => {
                return Err(bad("has two stars beside something else"));
            }
            Dialect::GitLab if written.ends_with("**") => {
                return Err(bad("ends with two stars, which are as one on GitLab: **/* is all below"));
            }
            Dialect::GitHub => github(&literal(written)),
            Dialect::GitLab => gitlab(&literal(written)),
        };
        let built =
            globs.iter().map(|glob| GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build());
        let built: Result<Vec<_>, _> = built.map(|glob| glob.map(|glob| glob.compile_matcher())).collect();
        built.map(Self::Globs).map_err(|_| bad("cannot be read"))
    }

    /// Whether it is of a path.
    pub(super) fn fits(&self, path: &str) -> bool {
        match self {
            Self::Globs(globs) => globs.iter().any(|glob| glob.is_match(path)),
            Self::Expression(expression) => expression.is_match(path),
            Self::AllBut(expression) => !expression.is_match(path),
        }
    }
}

/// As Gitea puts it together, without a group.
fn expression(written: &str) -> Option<Pattern> {
    let bare = written.strip_prefix('!');
    let whole = bare.unwrap_or(written);
    let whole = format!("^{}$", whole.strip_prefix('/').unwrap_or(whole));
    // A name may hold a line feed: it is one more character and no way around a pattern.
    let built = RegexBuilder::new(&whole).dot_matches_new_line(true).size_limit(COMPILED).build().ok()?;
    Some(if bare.is_some() { Pattern::AllBut(built) } else { Pattern::Expression(built) })
}

/// Without alternatives, which no forge has.
fn literal(written: &str) -> String {
    let (mut text, mut escaped) = (String::new(), false);
    for c in written.chars() {
        if !escaped && matches!(c, '{' | '}') {
            text.push('\\');
        }
        escaped = c == '\\' && !escaped;
        text.push(c);
    }
    text
}

fn github(written: &str) -> Vec<String> {
    let rooted = written.starts_with('/');
    let rest = written.strip_prefix('/').unwrap_or(written);
    let bare = rest.strip_suffix('/').unwrap_or(rest);
    // A single name fits wherever it stands.
    let base = if rooted || bare.contains('/') || bare == "**" { bare.to_owned() } else { format!("**/{bare}") };
    match base.rsplit('/').next() {
        Some("**") => vec![base],
        _ if rest.ends_with('/') => vec![format!("{base}/**")],
        Some("*") if bare != "*" || rooted => vec![base],
        // A folder is all that is in it.
        _ => vec![format!("{base}/**"), base],
    }
}

fn gitlab(written: &str) -> Vec<String> {
    let bare = written.trim_matches('/');
    let anywhere = if written.starts_with('/') || bare.starts_with("**/") { "" } else { "**/" };
    let all = if written.ends_with('/') { "/**/*" } else { "" };
    vec![format!("{anywhere}{bare}{all}")]
}
