//! Patterns of paths in files that people review, as `.gitignore` has them.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// What patterns fit, from the root of the repository. Those that take out again, and comments, are none: of a list that
/// says who answers for what, or what is frozen, each line must mean what it looks like.
///
/// # Errors
/// One cannot be meant so; in words that name it.
pub fn patterns(written: &[String]) -> Result<Gitignore, String> {
    let mut builder = GitignoreBuilder::new("");
    for pattern in written {
        let bad = |why: &str| format!("the pattern \"{}\" {why}", pattern.escape_debug());
        if pattern.trim().is_empty() || pattern.starts_with(['!', '#']) {
            return Err(bad("is none"));
        }
        builder.add_line(None, pattern).map_err(|_| bad("cannot be read"))?;
    }
    builder.build().map_err(|_| "the patterns cannot be read".to_owned())
}
