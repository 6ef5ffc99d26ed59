//! From the text of the file to whose approval a path needs. What its forge passes over with a warning, or reads otherwise
//! than it looks, is refused by its line: a path would be nobody's without anybody saying so.

use std::collections::BTreeSet;

use super::pattern::Pattern;
use super::{CodeOwners, Dialect, Entry, Owner, Section};
use crate::object::Problem;

/// What is wrong with a line that cannot be meant so.
const RULE: &str = "InvalidCodeOwners";
/// Lines with a pattern.
const ENTRIES: usize = 10_000;

pub(super) fn code_owners(dialect: Dialect, file: &str, bytes: &[u8]) -> Result<CodeOwners, Vec<Problem>> {
    let wrong = |line: Option<u32>, why: String| Problem::new(RULE, why).in_file(file.to_owned(), line);
    let Ok(text) = std::str::from_utf8(bytes) else { return Err(vec![wrong(None, "it is no UTF-8".to_owned())]) };
    let mut reading = Reading { dialect, sections: Vec::new(), at: 0, usual: BTreeSet::new(), entries: 0 };
    let mut problems = Vec::new();
    for (number, line) in (1_u32..).zip(text.trim_start_matches('\u{feff}').lines()) {
        if let Err(why) = reading.line(number, line) {
            problems.push(wrong(Some(number), why));
        }
        if reading.entries > ENTRIES {
            return Err(vec![wrong(None, format!("it has more than {ENTRIES} lines with a pattern"))]);
        }
    }
    let read = CodeOwners { dialect, file: file.to_owned(), sections: reading.sections };
    if problems.is_empty() && !read.everybody().iter().any(|owner| matches!(owner, Owner::Login(_))) {
        let problem = wrong(None, "it names nobody whose approval counts: teams and addresses do not".to_owned());
        problems.push(problem.hint("name people by their logins: @dana"));
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

struct Reading {
    dialect: Dialect,
    sections: Vec<Section>,
    /// The section that lines belong to.
    at: usize,
    /// Owners of lines of it that name none.
    usual: BTreeSet<Owner>,
    entries: usize,
}

impl Reading {
    fn line(&mut self, number: u32, line: &str) -> Result<(), String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.starts_with('[') || line.starts_with("^[") {
            return match self.dialect {
                Dialect::GitLab => self.heading(line),
                Dialect::GitHub => Err("sections are GitLab's alone".to_owned()),
                Dialect::Gitea => self.entry(number, line),
            };
        }
        self.entry(number, line)
    }

    /// `[Name]`, `^[Name]`, `[Name][2] @owner`.
    fn heading(&mut self, line: &str) -> Result<(), String> {
        let optional = line.starts_with('^');
        let unread = || format!("\"{}\" is no heading of a section", line.escape_debug());
        let rest = line.trim_start_matches('^').strip_prefix('[').ok_or_else(unread)?;
        let (name, rest) = rest.split_once(']').ok_or_else(unread)?;
        let (count, rest) = match rest.strip_prefix('[') {
            None => (1, rest),
            Some(rest) => {
                let (count, rest) = rest.split_once(']').ok_or_else(unread)?;
                let count = count.parse().ok().filter(|count| (1..=100).contains(count));
                (count.ok_or_else(|| format!("{}: of how many?", unread()))?, rest)
            }
        };
        if name.trim().is_empty() || !(rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            return Err(unread());
        }
        let (name, count) = (name.trim().to_lowercase(), if optional { 0 } else { count });
        self.usual = owners(self.dialect, &tokens(self.dialect, rest)?)?;
        match self.sections.iter().position(|section| section.name == name) {
            Some(known) if self.sections[known].count != count => {
                Err(format!("the section {} stands twice and asks for different approvals", name.escape_debug()))
            }
            Some(known) => {
                self.at = known;
                Ok(())
            }
            None => {
                self.at = self.sections.len();
                self.sections.push(Section { name, count, entries: Vec::new() });
                Ok(())
            }
        }
    }

    fn entry(&mut self, number: u32, line: &str) -> Result<(), String> {
        let tokens = tokens(self.dialect, line)?;
        let Some((written, named)) = tokens.split_first() else { return Ok(()) };
        let mut owners = owners(self.dialect, named)?;
        let pattern = Pattern::read(self.dialect, written)?;
        if owners.is_empty() {
            owners.clone_from(&self.usual);
        }
        if self.sections.is_empty() || self.dialect == Dialect::Gitea {
            // Each line of Gitea counts for itself.
            self.at = self.sections.len();
            self.sections.push(Section { name: String::new(), count: 1, entries: Vec::new() });
        }
        self.entries += 1;
        self.sections[self.at].entries.push(Entry { line: number, pattern, owners });
        Ok(())
    }
}

/// The pattern of a line, and its owners. A backslash stays before what it escapes, save on Gitea, which takes it away.
fn tokens(dialect: Dialect, line: &str) -> Result<Vec<String>, String> {
    let mut tokens: Vec<String> = Vec::new();
    let (mut token, mut escaped) = (String::new(), false);
    for c in line.chars() {
        match c {
            _ if escaped => {
                token.push(c);
                escaped = false;
            }
            '\\' => {
                escaped = true;
                if dialect != Dialect::Gitea {
                    token.push(c);
                }
            }
            '#' if dialect == Dialect::Gitea || dialect == Dialect::GitHub && token.is_empty() => break,
            '#' if token.is_empty() && !tokens.is_empty() => {
                return Err("GitLab knows no comments at the end of a line".to_owned());
            }
            c if c.is_whitespace() => {
                if !token.is_empty() {
                    tokens.push(std::mem::take(&mut token));
                }
            }
            c => token.push(c),
        }
    }
    if escaped {
        return Err("it ends with a backslash".to_owned());
    }
    if !token.is_empty() {
        tokens.push(token);
    }
    Ok(tokens)
}

fn owners(dialect: Dialect, named: &[String]) -> Result<BTreeSet<Owner>, String> {
    let read = |written: &String| {
        let bare = match written.strip_prefix('@') {
            Some(rest) => rest,
            None if dialect == Dialect::Gitea => written,
            None if written.contains('@') => return Ok(Owner::Email(written.clone())),
            None => return Err(format!("\"{}\" is no owner: @login", written.escape_debug())),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match bare {
            _ if bare.starts_with('@') || bare.contains('/') => Ok(Owner::Team(written.clone())),
            _ if bare.contains('@') => Ok(Owner::Email(written.clone())),
            _ if !bare.is_empty() && bare.chars().all(plain) => Ok(Owner::Login(bare.to_ascii_lowercase())),
            _ => Err(format!("\"{}\" is no owner: @login", written.escape_debug())),
        }
    };
    named.iter().map(read).collect()
}
