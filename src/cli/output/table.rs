//! Columns, as wide as what stands in them.

use super::{Paint, Tone};

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A calm cell; what is empty is shown as `-`.
    pub fn new(text: impl Into<String>) -> Self {
        Self::toned(Tone::Calm, text)
    }

    /// A cell with a tone. Line breaks become spaces: one row is one line.
    pub fn toned(tone: Tone, text: impl Into<String>) -> Self {
        let text: String = text.into();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { text: if text.is_empty() { "-".to_owned() } else { text }, tone }
    }
}

/// The rows under their header. The last column may be as long as it likes.
pub fn table(header: &[&str], rows: &[Vec<Cell>], paint: Paint) -> String {
    let header: Vec<Cell> = header.iter().map(|name| Cell::toned(Tone::Strong, *name)).collect();
    let all = || std::iter::once(&header).chain(rows);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count()).max();
    let widths: Vec<usize> = (0..header.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in all() {
        for (at, cell) in row.iter().enumerate() {
            text.push_str(&paint.tone(cell.tone, &cell.text));
            if at + 1 < row.len() {
                text.push_str(&" ".repeat(widths[at] + 3 - cell.text.chars().count()));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_in_colour_and_without() {
        let rows = [
            vec![Cell::new("shop"), Cell::toned(Tone::Good, "True"), Cell::new("all\nis well")],
            vec![Cell::new("warehouse"), Cell::toned(Tone::Bad, "False"), Cell::new("")],
        ];
        insta::assert_snapshot!(table(&["NAME", "READY", "STATUS"], &rows, Paint::Plain), @r"
        NAME        READY   STATUS
        shop        True    all is well
        warehouse   False   -
        ");
        let plain_again = table(&["NAME", "READY", "STATUS"], &rows, Paint::Colours)
            .replace("\u{1b}[0m", "")
            .replace("\u{1b}[1m", "")
            .replace("\u{1b}[31m", "")
            .replace("\u{1b}[32m", "");
        assert_eq!(plain_again, table(&["NAME", "READY", "STATUS"], &rows, Paint::Plain));
    }
}
