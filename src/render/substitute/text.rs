//! One text, taken apart into what stays and what is a variable.

use super::variables::is_name;

/// Part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// It stays as it is.
    Text(&'a str),
    /// A variable.
    Variable(Expression<'a>),
    /// A form of the shell, or a slip: it is not substituted, and does not pass for text.
    Strange {
        /// As it is written, shortened.
        written: &'a str,
        /// What is wrong, and what to do.
        why: Why,
    },
}

/// `${NAME}`, or `${NAME:=default}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expression<'a> {
    /// Which variable.
    pub name: &'a str,
    /// What is put in its place where it has no value, or an empty one.
    pub default: Option<&'a str>,
    /// The whole expression, as it is written.
    pub written: &'a str,
}

/// Why something is no variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Why {
    /// What is wrong.
    pub message: &'static str,
    /// What was probably meant.
    pub hint: Option<&'static str>,
    /// The name at its head, where it has one.
    pub keeps: bool,
}

/// What begins an expression.
const OPEN: &str = "${";

/// Whether a text has anything in it that is to be looked at.
pub fn concerns(text: &str) -> bool {
    text.contains(OPEN)
}

/// Whether a text has a variable in it.
pub fn has_variable(text: &str) -> bool {
    pieces(text).iter().any(|piece| matches!(piece, Piece::Variable(_)))
}

/// The parts of a text, in order. `$${` stands for the text `${`; every other `$` is text.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        if rest[..at].ends_with('$') {
            // The first dollar of `$${` is left out.
            push(&mut pieces, &rest[..at - 1]);
            push(&mut pieces, OPEN);
            rest = &rest[at + OPEN.len()..];
            continue;
        }
        push(&mut pieces, &rest[..at]);
        let (piece, after) = expression(&rest[at..]);
        pieces.push(piece);
        rest = after;
    }
    push(&mut pieces, rest);
    pieces
}

fn push<'a>(pieces: &mut Vec<Piece<'a>>, text: &'a str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
}

/// The expression that a text begins with, and what follows it.
fn expression(text: &str) -> (Piece<'_>, &str) {
    let inner = &text[OPEN.len()..];
    let Some(end) = inner.find('}') else {
        let why = Why { message: "is not closed by a }", hint: None, keeps: false };
        return (Piece::Strange { written: short(text), why }, "");
    };
    let (inner, after) = (&inner[..end], &inner[end + 1..]);
    let written = &text[..OPEN.len() + end + 1];
    let name_ends = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, form) = inner.split_at(name_ends);
    let default = form.strip_prefix(":=").or_else(|| form.strip_prefix(":-"));
    let piece = match (is_name(name), form, default) {
        (true, "", _) => Piece::Variable(Expression { name, default: None, written }),
        (true, _, Some(default)) if !default.contains(['{', '$']) => {
            Piece::Variable(Expression { name, default: Some(default), written })
        }
        (true, ..) => Piece::Strange { written: short(written), why: strange_form(form) },
        (false, ..) => Piece::Strange { written: short(written), why: no_name(inner) },
    };
    (piece, after)
}

/// What a form after the name does in a shell.
fn strange_form(form: &str) -> Why {
    let why = |message, hint| Why { message, hint, keeps: true };
    match form.as_bytes() {
        [b':', b'=' | b'-', ..] => why(
            "has a default with a variable or a brace in it, and defaults are plain texts",
            Some("set the variable in spec.substitute.vars in place of a default"),
        ),
        [b':', b'?' | b'+', ..] | [b'?' | b'+', ..] => why("is a condition of the shell", None),
        [b'=' | b'-', ..] => why(
            "is no name of a variable, and a default without a colon",
            Some("a default is written ${NAME:=default}; a name has letters, digits and _"),
        ),
        [b':', ..] => why("takes a part out of a value, which only a shell does", None),
        [b'/', ..] => why("replaces text within a value, which only a shell does", None),
        [b'#' | b'%', ..] => why("takes an end off a value, which only a shell does", None),
        [b'^' | b',', ..] => why("changes the case of a value, which only a shell does", None),
        [b'[', ..] => why("is a list of the shell", None),
        [b'@', ..] => why("transforms a value, which only a shell does", None),
        _ => why("is no name of a variable", Some("a name has letters, digits and _")),
    }
}

/// What stands where the name should be.
fn no_name(inner: &str) -> Why {
    let why = |message| Why { message, hint: None, keeps: false };
    match inner.as_bytes() {
        [] => why("names no variable"),
        [b'#', _, ..] => why("is the length of a value, which only a shell knows"),
        [b'!', ..] => why("names a variable by another, which only a shell does"),
        [b'0'..=b'9', ..] => why("is a parameter of the shell"),
        _ => why("is no name of a variable: those have letters, digits and _"),
    }
}

/// The first line, at most 60 characters of it.
fn short(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.char_indices().nth(60).map_or(line, |(at, _)| &line[..at])
}

/// Names that stand as `$NAME`, without braces. They are text.
pub fn bare_names(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('$').filter_map(|(at, _)| {
        let rest = &text[at + 1..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        (is_name(&rest[..end]) && !text[..at].ends_with('$')).then_some(&rest[..end])
    })
}

/// The text that [`pieces`] reads as this one, without a variable.
#[cfg(test)]
pub fn escaped(text: &str) -> String {
    text.replace(OPEN, "$${")
}
