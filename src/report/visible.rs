//! What others wrote, so that nothing of it hides or runs backwards.

use std::fmt::Write;

/// The text with characters that a reader would not see, or that let text run backwards, shown by their numbers.
pub fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if is_hidden(c) {
            let _ = write!(shown, "\\u{{{:04x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
        shown
    })
}

/// Control characters, those that set the direction of text, those without width, and breaks of lines that are no line
/// feed.
pub fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(
            c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn nothing_hides_or_runs_backwards() {
        for (text, expected) in [
            ("replicas: 3", "replicas: 3"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{2066}b\u{2069}", "a\\u{2066}b\\u{2069}"),
            ("a\u{1b}[8mb", "a\\u{001b}[8mb"),
            ("a\rb", "a\\u{000d}b"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("Grüße, 世界", "Grüße, 世界"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }
}
