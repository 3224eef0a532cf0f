//! Text on the screen: headings, aligned rows and paragraphs, readable from 40 columns up.

use std::{fmt::Write as _, io};

use anstyle::{AnsiColor, Style};
use m365_drv::printable::printable;
use serde::Serialize;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm, core::display_width};

/// How a value is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
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
pub(crate) struct Columns {
    /// For rows and messages: `None` never breaks them, which is right for a pipe.
    rows: Option<usize>,
    prose: usize,
}

impl Columns {
    const PROSE: usize = 80;

    /// Nothing but prose is broken.
    #[cfg(test)]
    pub(crate) fn of_a_pipe() -> Self {
        Self::new(None)
    }

    /// A terminal this wide.
    #[cfg(test)]
    pub(crate) fn of(columns: usize) -> Self {
        Self::new(Some(columns))
    }

    /// The width of stdout's terminal.
    pub(crate) fn of_stdout() -> Self {
        Self::new(columns_of(terminal_size::terminal_size_of(io::stdout())))
    }

    /// The width of stderr's terminal.
    pub(crate) fn of_stderr() -> Self {
        Self::new(columns_of(terminal_size::terminal_size_of(io::stderr())))
    }

    fn new(columns: Option<usize>) -> Self {
        Self { rows: columns, prose: columns.unwrap_or(Self::PROSE).min(Self::PROSE) }
    }

    /// Breaks a message at words; the lines after its first begin with `hang`. A pipe gets one line.
    pub(crate) fn message(self, text: &str, hang: &str) -> String {
        let broken = |line: &str| wrap(line, self.rows.unwrap_or(usize::MAX).max(16), hang).join("\n");
        text.split('\n').map(broken).collect::<Vec<_>>().join("\n")
    }

    /// Breaks the usage line of a help page; clap breaks the rest of it.
    pub(crate) fn help(self, text: &str) -> String {
        let is_usage = |line: &str| anstream::adapter::strip_str(line).to_string().starts_with("Usage:");
        let broken = |line: &str| if is_usage(line) { self.message(line, "  ") } else { line.to_owned() };
        text.split('\n').map(broken).collect::<Vec<_>>().join("\n")
    }

    /// Whether this fits on one line.
    pub(crate) fn fits(self, text: &str) -> bool {
        self.rows.is_none_or(|columns| display_width(text) <= columns)
    }
}

/// The terminal's width, or what `COLUMNS` says; `None` for a pipe.
fn columns_of(terminal: Option<(terminal_size::Width, terminal_size::Height)>) -> Option<usize> {
    terminal
        .map(|(terminal_size::Width(columns), _)| usize::from(columns))
        .or_else(|| std::env::var("COLUMNS").ok()?.parse().ok())
        .filter(|columns| *columns >= 20)
}

/// The least room for a value beside its label, and where it stands if there is less.
const NARROW: usize = 12;
const INDENT: usize = 4;

/// A part of a page; a browser gets them as JSON.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Item {
    Heading(String),
    Row {
        label: String,
        value: String,
        tone: Tone,
    },
    Line(String),
    Paragraph(String),
    /// One of several sentences that stand below each other.
    #[serde(rename = "item")]
    Point(String),
    Blank,
}

/// A page of text under construction.
#[derive(Default, Serialize)]
#[serde(transparent)]
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

    /// One of several sentences, with a mark before it.
    pub(crate) fn item(&mut self, text: impl Into<String>) -> &mut Self {
        self.push(Item::Point(text.into()))
    }

    /// An empty line.
    pub(crate) fn blank(&mut self) -> &mut Self {
        self.push(Item::Blank)
    }

    fn push(&mut self, item: Item) -> &mut Self {
        self.items.push(item);
        self
    }

    /// The page as text with ANSI styles; the stream strips them if they are not wanted.
    pub(crate) fn render(&self, width: Columns) -> String {
        let mut text = String::new();
        for (index, item) in self.items.iter().enumerate() {
            match item {
                Item::Heading(heading) => {
                    let bold = Style::new().bold();
                    for line in wrap(heading, width.rows.unwrap_or(usize::MAX), "") {
                        push_line(&mut text, &format!("{bold}{line}{bold:#}"));
                    }
                }
                Item::Row { label, value, tone } => self.render_row(index, label, value, *tone, width, &mut text),
                Item::Line(line) => push_line(&mut text, line),
                Item::Paragraph(prose) => push_prose(&mut text, prose, width, ""),
                Item::Point(prose) => push_prose(&mut text, &format!("* {prose}"), width, "  "),
                Item::Blank => text.push('\n'),
            }
        }
        text
    }

    fn render_row(&self, index: usize, label: &str, value: &str, tone: Tone, width: Columns, text: &mut String) {
        let (mut column, mut label) = (self.column(index), label);
        let style = tone.style();
        let mut lines = vec![value.to_owned()];
        if let Some(columns) = width.rows {
            let longest = value.split(' ').map(display_width).max().unwrap_or_default();
            let room = columns.saturating_sub(column);
            // A narrow column, or a word that fits only without the label: the value goes below it.
            if room < NARROW || (longest > room && longest + INDENT <= columns) {
                column = INDENT;
                push_line(text, label);
                label = "";
            }
            lines = wrap(value, columns.saturating_sub(column), "");
        }
        for (number, line) in lines.iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            let gap = " ".repeat(column.saturating_sub(display_width(label)));
            push_line(text, &format!("{label}{gap}{style}{line}{style:#}"));
        }
    }

    /// Where the values of the rows around `index` begin.
    fn column(&self, index: usize) -> usize {
        let label = |item: &Item| match item {
            Item::Row { label, .. } => Some(display_width(label)),
            _ => None,
        };
        let (before, after) = self.items.split_at(index);
        let longest = before.iter().rev().map_while(label).chain(after.iter().map_while(label)).max();
        longest.unwrap_or(0) + 2
    }
}

fn push_prose(text: &mut String, prose: &str, width: Columns, hang: &str) {
    for line in wrap(prose, width.prose, hang) {
        push_line(text, &line);
    }
}

fn push_line(text: &mut String, line: &str) {
    let _ = writeln!(text, "{}", line.trim_end());
}

/// What is not separated from the number before it.
const UNITS: [&str; 9] = ["s", "ms", "m", "km", "km/h", "V", "kHz", "KiB", "KiB/s"];

/// Stands for a space at which nothing is broken.
const FIRM: &str = "\u{e000}";

/// Breaks at spaces, by the width on the screen. What stands between backticks is a command to be copied: it stays whole, as
/// does a word that is longer than a line.
fn wrap(text: &str, columns: usize, hang: &str) -> Vec<String> {
    let mut firm = String::new();
    let backticks = text.matches('`').count();
    for (index, part) in text.split('`').enumerate() {
        let is_command = index % 2 == 1 && index < backticks;
        firm += if index > 0 { "`" } else { "" };
        firm += &if is_command { part.replace(' ', FIRM) } else { with_firm_units(part) };
    }
    let options = Options::new(columns)
        .subsequent_indent(hang)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(&firm, options).iter().map(|line| line.replace(FIRM, " ")).collect()
}

/// Keeps a number and its unit on one line.
fn with_firm_units(text: &str) -> String {
    let mut firm = String::new();
    for (index, word) in text.split(' ').enumerate() {
        let is_unit = UNITS.contains(&word.trim_end_matches([',', '.', ';', ':', ')']));
        let gap = if is_unit && firm.ends_with(|c: char| c.is_ascii_digit()) { FIRM } else { " " };
        firm += if index > 0 { gap } else { "" };
        firm += word;
    }
    firm
}

#[cfg(test)]
mod tests {
    use super::*;

    fn width(columns: usize) -> Columns {
        Columns { rows: Some(columns), prose: columns }
    }

    fn plain(page: &Page, width: Columns) -> String {
        anstream::adapter::strip_str(&page.render(width)).to_string()
    }

    #[test]
    fn rows_that_stand_together_share_a_column() {
        let mut page = Page::default();
        page.row("chip", "STM32F103").row("protection", "none").blank().row("a", "b");
        assert_eq!(plain(&page, width(40)), "chip        STM32F103\nprotection  none\n\na  b\n");
    }

    #[test]
    fn a_value_that_does_not_fit_beside_its_label_stands_below() {
        let mut page = Page::default();
        page.row("option bytes", "a55aff00ff00ff00ff00ff00ff00ff00").row("uid", "1-2-3");
        let expected = "option bytes\n    a55aff00ff00ff00ff00ff00ff00ff00\nuid           1-2-3\n";
        assert_eq!(plain(&page, width(40)), expected);
        let mut page = Page::default();
        page.row("  FAIL  a-gate-with-a-name", "it is too small");
        assert_eq!(plain(&page, width(36)), "  FAIL  a-gate-with-a-name\n    it is too small\n");
    }

    #[test]
    fn a_number_and_its_unit_stay_on_one_line() {
        assert_eq!(wrap("took 1.8 s, wires 1.7 s", 11, ""), ["took 1.8 s,", "wires 1.7 s"]);
        assert_eq!(wrap("wires for 1.7 s", 14, ""), ["wires for", "1.7 s"]);
    }

    #[test]
    fn a_value_cannot_write_to_the_terminal() {
        let mut page = Page::default();
        page.row("title", "\u{1b}]0;owned\u{7}\u{1b}[2J");
        let text = page.render(Columns::of_a_pipe());
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
        let text = plain(&page, Columns::of_a_pipe());
        assert!(text.lines().next().unwrap().len() > 190);
        assert!(text.lines().skip(1).all(|line| line.len() <= 80));
    }

    #[test]
    fn a_word_longer_than_the_line_stays_whole() {
        assert_eq!(wrap("see 7f5574cb1233653db95e8cc4baf2b99f", 10, ""), ["see", "7f5574cb1233653db95e8cc4baf2b99f"]);
    }

    #[test]
    fn a_command_between_backticks_is_not_broken() {
        assert_eq!(wrap("see `m365-drv explain wiring` first", 12, ""), ["see", "`m365-drv explain wiring`", "first"]);
        assert_eq!(
            wrap("one `backtick alone is no command", 12, "  "),
            ["one", "  `backtick", "  alone is", "  no command"]
        );
    }

    #[test]
    fn width_is_counted_as_the_screen_shows_it() {
        assert_eq!(wrap("電動 滑板 車", 10, ""), ["電動 滑板", "車"]);
        assert_eq!(wrap("\u{1b}[1mone\u{1b}[0m two", 7, ""), ["\u{1b}[1mone\u{1b}[0m two"]);
    }

    #[test]
    fn a_message_goes_on_indented_and_a_pipe_gets_it_whole() {
        let message = "error: the serial number is unknown";
        assert_eq!(width(24).message(message, "  "), "error: the serial number\n  is unknown");
        assert_eq!(Columns::of_a_pipe().message(message, "  "), message);
    }
}
