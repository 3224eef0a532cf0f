//! Text on the screen: headings, aligned rows and paragraphs, readable from 40 columns up.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use m365_drv::image::printable;

/// How a value is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Remark,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Remark => AnsiColor::Yellow.on_default(),
        }
    }
}

/// How many columns there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Width {
    /// For rows: `None` never breaks a value, which is right for a pipe.
    rows: Option<usize>,
    prose: usize,
}

impl Width {
    const PROSE: usize = 80;

    /// No lines to fit: nothing but prose is broken.
    #[cfg(test)]
    pub(crate) fn of_a_pipe() -> Self {
        Self { rows: None, prose: Self::PROSE }
    }

    /// The terminal's width, or what `COLUMNS` says; a pipe gets unbroken rows.
    pub(crate) fn of_stdout() -> Self {
        let columns = terminal_size::terminal_size_of(std::io::stdout())
            .map(|(terminal_size::Width(columns), _)| usize::from(columns))
            .or_else(|| std::env::var("COLUMNS").ok()?.parse().ok())
            .filter(|columns| *columns >= 20);
        Self { rows: columns, prose: columns.unwrap_or(Self::PROSE).min(Self::PROSE) }
    }
}

enum Item {
    Heading(String),
    Row { label: String, value: String, tone: Tone },
    Line(String),
    Paragraph(String),
    Blank,
}

/// A page of text under construction.
#[derive(Default)]
pub(crate) struct Page {
    items: Vec<Item>,
}

impl Page {
    /// A line that names what follows.
    pub(crate) fn heading(&mut self, text: impl Into<String>) -> &mut Self {
        self.push(Item::Heading(printable(&text.into()).into_owned()))
    }

    /// A label and its value; the rows that stand together are aligned.
    pub(crate) fn row(&mut self, label: impl Into<String>, value: impl ToString) -> &mut Self {
        self.toned(label, value, Tone::Plain)
    }

    /// As [`Page::row`], the value coloured by what it means.
    #[expect(clippy::needless_pass_by_value, reason = "numbers, texts and formatted values are handed over alike")]
    pub(crate) fn toned(&mut self, label: impl Into<String>, value: impl ToString, tone: Tone) -> &mut Self {
        let (label, value) = (printable(&label.into()).into_owned(), printable(&value.to_string()).into_owned());
        self.push(Item::Row { label, value, tone })
    }

    /// A line that is printed as it is.
    pub(crate) fn line(&mut self, text: impl Into<String>) -> &mut Self {
        self.push(Item::Line(text.into()))
    }

    /// Sentences, broken to the width of the screen.
    pub(crate) fn paragraph(&mut self, text: impl Into<String>) -> &mut Self {
        self.push(Item::Paragraph(text.into()))
    }

    /// An empty line.
    pub(crate) fn blank(&mut self) -> &mut Self {
        self.push(Item::Blank)
    }

    fn push(&mut self, item: Item) -> &mut Self {
        self.items.push(item);
        self
    }

    /// The page as text with ANSI styles; whoever prints it strips them where they are not wanted.
    pub(crate) fn render(&self, width: Width) -> String {
        let mut text = String::new();
        for (index, item) in self.items.iter().enumerate() {
            match item {
                Item::Heading(heading) => {
                    let bold = Style::new().bold();
                    push_line(&mut text, &format!("{bold}{heading}{bold:#}"));
                }
                Item::Row { label, value, tone } => self.render_row(index, label, value, *tone, width, &mut text),
                Item::Line(line) => push_line(&mut text, line),
                Item::Paragraph(prose) => wrap(prose, width.prose).iter().for_each(|line| push_line(&mut text, line)),
                Item::Blank => text.push('\n'),
            }
        }
        text
    }

    fn render_row(&self, index: usize, label: &str, value: &str, tone: Tone, width: Width, text: &mut String) {
        let column = self.column(index);
        let style = tone.style();
        let lines = match width.rows {
            Some(columns) => wrap(value, columns.saturating_sub(column).max(16)),
            None => vec![value.to_owned()],
        };
        for (number, line) in lines.iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            push_line(text, &format!("{label:column$}{style}{line}{style:#}"));
        }
    }

    /// Where the values of the rows around `index` begin.
    fn column(&self, index: usize) -> usize {
        let label = |item: &Item| match item {
            Item::Row { label, .. } => Some(label.chars().count()),
            _ => None,
        };
        let (before, after) = self.items.split_at(index);
        let longest = before.iter().rev().map_while(label).chain(after.iter().map_while(label)).max();
        longest.unwrap_or(0) + 2
    }
}

fn push_line(text: &mut String, line: &str) {
    let _ = writeln!(text, "{}", line.trim_end());
}

/// Breaks at spaces; a word that is longer than a line stays whole, so that it can be copied.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > columns {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn width(columns: usize) -> Width {
        Width { rows: Some(columns), prose: columns }
    }

    fn plain(page: &Page, width: Width) -> String {
        anstream::adapter::strip_str(&page.render(width)).to_string()
    }

    #[test]
    fn rows_that_stand_together_share_a_column() {
        let mut page = Page::default();
        page.row("chip", "STM32F103").row("protection", "none").blank().row("a", "b");
        assert_eq!(plain(&page, width(40)), "chip        STM32F103\nprotection  none\n\na  b\n");
    }

    #[test]
    fn a_value_cannot_write_to_the_terminal() {
        let mut page = Page::default();
        page.row("title", "\u{1b}]0;owned\u{7}\u{1b}[2J");
        let text = page.render(Width::of_a_pipe());
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), "title  \\u{1b}]0;owned\\u{7}\\u{1b}[2J\n");
    }

    #[test]
    fn a_long_value_goes_on_under_its_column() {
        let mut page = Page::default();
        page.row("problem", "the node may not be opened by this user");
        assert_eq!(plain(&page, width(32)), "problem  the node may not be\n         opened by this user\n");
    }

    #[test]
    fn a_pipe_gets_unbroken_rows_and_prose_of_80_columns() {
        let mut page = Page::default();
        page.row("x", "word ".repeat(40).trim()).paragraph("word ".repeat(40));
        let text = plain(&page, Width { rows: None, prose: 80 });
        assert!(text.lines().next().unwrap().len() > 190);
        assert!(text.lines().skip(1).all(|line| line.len() <= 80));
    }

    #[test]
    fn a_word_longer_than_the_line_stays_whole() {
        assert_eq!(wrap("see 7f5574cb1233653db95e8cc4baf2b99f", 10), ["see", "7f5574cb1233653db95e8cc4baf2b99f"]);
    }
}
