//! How a scalar may be written.

use super::{Scalar, Style};
use crate::object::yaml;

/// What a scalar was when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The types of YAML.
pub enum Type {
    /// Nothing says.
    Open,
    Text,
    Null,
    Boolean,
    Whole,
    Number,
    Time,
    Merge,
}

impl Type {
    /// What a text without quotes reads as.
    pub fn of(text: &str) -> Self {
        use yaml::Written;
        match yaml::written(text) {
            Written::Text => Self::Text,
            Written::Null => Self::Null,
            Written::Boolean => Self::Boolean,
            Written::Whole => Self::Whole,
            Written::Number => Self::Number,
            Written::Time => Self::Time,
        }
    }

    fn tag(self) -> &'static str {
        match self {
            Self::Open | Self::Text => "!!str",
            Self::Null => "!!null",
            Self::Boolean => "!!bool",
            Self::Whole => "!!int",
            Self::Number => "!!float",
            Self::Time => "!!timestamp",
            Self::Merge => "!!merge",
        }
    }
}

/// Where a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A value on lines of its own.
    Block,
    /// A value in brackets.
    Flow,
    /// The key of a mapping.
    Key,
    /// The key of a mapping in brackets.
    FlowKey,
}

/// The style that a scalar is written in, and its tag where it needs one.
pub fn styled(scalar: &Scalar, spot: Spot) -> (Style, Option<&'static str>) {
    let mut tag = None;
    let mut style = scalar.style;
    if style == Style::Plain && scalar.kind != Type::Open {
        let reads = Type::of(&scalar.text);
        if reads != scalar.kind && scalar.kind == Type::Text {
            style = Style::Double;
        } else if reads != scalar.kind {
            tag = Some(scalar.kind.tag());
        }
    }
    if scalar.style == Style::Plain && scalar.text.contains('\n') {
        style = Style::Literal;
    }
    let allowed = Allowed::of(&scalar.text);
    let (in_flow, is_key) = (matches!(spot, Spot::Flow | Spot::FlowKey), matches!(spot, Spot::Key | Spot::FlowKey));
    if is_key && allowed.has_breaks {
        style = Style::Double;
    }
    if style == Style::Plain {
        let plain = if in_flow { allowed.plain_in_flow } else { allowed.plain };
        if !plain || (scalar.text.is_empty() && (in_flow || is_key)) {
            style = Style::Single;
        }
    }
    if style == Style::Single && !allowed.single {
        style = Style::Double;
    }
    if matches!(style, Style::Literal | Style::Folded) && (!allowed.block || in_flow || is_key) {
        style = Style::Double;
    }
    (style, tag)
}

/// Which styles can say a text.
struct Allowed {
    has_breaks: bool,
    plain: bool,
    plain_in_flow: bool,
    single: bool,
    block: bool,
}

impl Allowed {
    fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let (Some(first), Some(last)) = (chars.first().copied(), chars.last().copied()) else {
            return Self { has_breaks: false, plain: true, plain_in_flow: false, single: true, block: false };
        };
        let blank_at = |at: usize| chars.get(at).is_none_or(|c| *c == ' ' || *c == '\t' || is_break(*c));
        let marks_document = text.starts_with("---") || text.starts_with("...");
        let (mut indicators, mut flow_indicators) = (marks_document, marks_document);
        let (mut tabs, mut special, mut break_space, mut space_break) = (false, false, false, false);
        let mut has_breaks = false;
        let mut before: Option<char> = None;
        for (at, c) in chars.iter().copied().enumerate() {
            let ends = blank_at(at + 1);
            match c {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`'
                    if at == 0 =>
                {
                    (indicators, flow_indicators) = (true, true);
                }
                '-' if at == 0 && ends => (indicators, flow_indicators) = (true, true),
                ',' | '?' | '[' | ']' | '{' | '}' | ':' => {
                    flow_indicators = true;
                    indicators |= ends && (c == ':' || (at == 0 && c == '?'));
                }
                '#' if before.is_some_and(|c| c == ' ' || c == '\t' || is_break(c)) => {
                    (indicators, flow_indicators) = (true, true);
                }
                _ => {}
            }
            tabs |= c == '\t';
            special |= c != '\t' && !is_printable(c);
            if c == ' ' {
                break_space |= before.is_some_and(is_break);
            } else if is_break(c) {
                has_breaks = true;
                space_break |= before == Some(' ');
            }
            before = Some(c);
        }
        let edge = |c: char| c == ' ' || is_break(c);
        let plain = !edge(first) && !edge(last) && !break_space && !space_break && !tabs && !special && !has_breaks;
        Self {
            has_breaks,
            plain: plain && !indicators,
            plain_in_flow: plain && !flow_indicators,
            single: !break_space && !space_break && !tabs && !special,
            block: last != ' ' && !space_break && !special,
        }
    }
}

/// What YAML takes for the end of a line.
pub fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What stands in a text as it is.
pub fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}
