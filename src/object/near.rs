//! Did you mean.

/// The candidate that a mistyped word is nearest to: the same but for its case, or at most two
/// letters away where that is less than half of it.
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    if let Some(same) = candidates.iter().find(|candidate| candidate.eq_ignore_ascii_case(word)) {
        return Some(same);
    }
    // Names are short; what is not was no slip of the finger.
    if word.len() > 100 {
        return None;
    }
    candidates
        .iter()
        .filter(|candidate| candidate.len() <= 100)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .filter(|(away, candidate)| *away <= 2 && away * 2 < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// The question as advice asks it.
pub fn question(meant: &str) -> String {
    format!("did you mean `{meant}`?")
}

/// What advice takes to have been meant, where it asks.
pub fn meant(hint: &str) -> Option<&str> {
    hint.strip_prefix("did you mean `")?.strip_suffix("`?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_back() {
        assert_eq!(meant(&question("replicas")), Some("replicas"));
        assert_eq!((meant("use Ingress of networking.k8s.io/v1"), meant("did you mean it?")), (None, None));
    }

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        for (word, expected) in [
            ("apiversion", Some("apiVersion")),
            ("apiVerison", Some("apiVersion")),
            ("apVersion", Some("apiVersion")),
            ("Kind", Some("kind")),
            ("knid", Some("kind")),
            ("metdata", Some("metadata")),
            ("spec", None),
            ("", None),
            ("version", None),
            ("image", None),
        ] {
            assert_eq!(nearest(word, &["apiVersion", "kind", "metadata"]), expected, "{word}");
        }
    }
}
