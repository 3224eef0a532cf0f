//! Text from files and from the command line, made harmless for a terminal.

use std::{borrow::Cow, fmt::Display, path::Path};

/// The text with every character escaped that a terminal obeys instead of showing: control characters, and those that
/// turn the direction of writing.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown.into()
}

/// The same for whole lines as they go to a terminal: line breaks and colours (SGR, ECMA-48 8.3.117) stay.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = if c == '\n' { 1 } else { colour(rest).unwrap_or(0) };
        if end > 0 {
            shown.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        if is_obeyed(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    shown.into()
}

/// The length of what sets a colour at the beginning of this text.
fn colour(text: &str) -> Option<usize> {
    let codes = text.strip_prefix("\u{1b}[")?;
    let end = codes.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    codes[end..].starts_with('m').then_some(text.len() - codes.len() + end + 1)
}

/// A file or folder as every message names it: in quotes, as it was typed, and harmless for a terminal.
pub fn quoted_path(path: &Path) -> String {
    quoted(path.display())
}

/// A value as every message repeats it: in quotes, as it was typed, and harmless for a terminal.
pub fn quoted(value: impl Display) -> String {
    format!("\"{}\"", printable(&value.to_string()))
}

fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_the_rest_stays() {
        assert_eq!(printable("Pro 2 für 25 km/h"), "Pro 2 für 25 km/h");
        assert_eq!(printable("a\u{1b}[31mb\r\n"), r"a\u{1b}[31mb\u{d}\u{a}");
        assert_eq!(quoted("C:\\dumps\\a\u{7}.bin"), r#""C:\dumps\a\u{7}.bin""#);
        assert_eq!(quoted_path(Path::new("Mi 3.bin")), r#""Mi 3.bin""#);
        assert_eq!(printable_lines("\u{1b}[1;31merror:\u{1b}[0m a\nb"), "\u{1b}[1;31merror:\u{1b}[0m a\nb");
        assert_eq!(printable_lines("\u{1b}[31m\u{1b}[2J\u{1b}[1\r\n"), "\u{1b}[31m\\u{1b}[2J\\u{1b}[1\\u{d}\n");
        assert_eq!(printable("gpj.\u{202e}exe\u{9b}2J"), r"gpj.\u{202e}exe\u{9b}2J");
    }
}
