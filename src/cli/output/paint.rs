//! Colours, or none.

use clap::builder::styling::{AnsiColor, Style};

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// With the terminal's sixteen colours.
    Colours,
}

/// What a piece of text says besides its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    Calm,
    /// What is well, or is added.
    Good,
    /// What is wrong, or is taken away.
    Bad,
    /// What is on its way, or changes.
    Fair,
    /// What leads the eye.
    Accent,
    /// A heading.
    Strong,
    /// What matters least.
    Faint,
}

impl Paint {
    /// The text in its tone.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        let style = match tone {
            Tone::Calm => return text.to_owned(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Fair => AnsiColor::Yellow.on_default(),
            Tone::Accent => AnsiColor::Cyan.on_default(),
            Tone::Strong => Style::new().bold(),
            Tone::Faint => Style::new().dimmed(),
        };
        match self {
            Paint::Plain => text.to_owned(),
            Paint::Colours => format!("{style}{text}{style:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_escapes_and_coloured_text_ends_them() {
        assert_eq!(Paint::Plain.tone(Tone::Bad, "no"), "no");
        assert_eq!(Paint::Colours.tone(Tone::Bad, "no"), "\u{1b}[31mno\u{1b}[0m");
        assert_eq!(Paint::Colours.tone(Tone::Calm, "no"), "no");
    }
}
