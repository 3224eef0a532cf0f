//! Files that are not firmware at all, told by how they begin.

use std::fmt;

use crate::printable::printable;

/// What people have saved in place of firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// What a server sent in place of the file, or the page around a download button.
    WebPage,
    /// What Git leaves in place of a file that it keeps elsewhere.
    LfsPointer,
    /// Text, and how it begins: `404: Not Found`.
    Text(String),
    /// Another kind of file, by its name with article.
    Other(&'static str),
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WebPage => f.write_str("a web page, not firmware"),
            Self::LfsPointer => f.write_str("a Git LFS pointer, not the file that it stands for"),
            Self::Text(begin) => write!(f, "a text file, not firmware: {begin:?}"),
            Self::Other(what) => write!(f, "{what}, not firmware"),
        }
    }
}

/// The longest beginning of a text that is shown.
const LINE: usize = 40;

/// First bytes, and whose they are.
const BEGINNINGS: [(&[u8], &str); 9] = [
    (b"Rar!\x1A\x07", "a RAR archive"),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"),
    (b"\x1F\x8B\x08", "a gzip file"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n\x1A\n", "a picture"),
    (b"\xFF\xD8\xFF", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7FELF", "an ELF file"),
    (b"MZ\x90\x00", "a Windows program"),
];

/// What a file is by its first bytes; none if these do not tell.
pub(super) fn foreign(bytes: &[u8]) -> Option<Foreign> {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let begins =
        |start: &str| text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start.as_bytes()));
    if ["<!doctype", "<html", "<head", "<?xml"].into_iter().any(begins) {
        return Some(Foreign::WebPage);
    }
    // git-lfs, docs/spec.md: the key `version` is always first.
    if begins("version https://git-lfs.github.com/spec/") {
        return Some(Foreign::LfsPointer);
    }
    let found = BEGINNINGS.iter().find(|(begin, _)| bytes.starts_with(begin));
    found.map(|(_, what)| Foreign::Other(what)).or_else(|| beginning(text).map(Foreign::Text))
}

/// The beginning of the first line if all of it is text, which code never is: it begins with the address of the stack.
fn beginning(bytes: &[u8]) -> Option<String> {
    let text = str::from_utf8(bytes).ok()?;
    let is_text = |character: char| !character.is_control() || matches!(character, '\t' | '\n' | '\r');
    if text.is_empty() || !text.chars().all(is_text) {
        return None;
    }
    let line = text.lines().next().unwrap_or_default();
    let mut begin: String = line.chars().take(LINE).collect();
    if line.chars().count() > LINE {
        begin.push('\u{2026}');
    }
    Some(printable(&begin).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_firmware_is_told_by_its_first_bytes() {
        let words = |bytes: &[u8]| foreign(bytes).map(|what| what.to_string());
        for page in ["<!DOCTYPE html>\n<html>", "\u{FEFF}\r\n <html lang=en>", "<?xml version=\"1.0\"?>"] {
            assert_eq!(words(page.as_bytes()).as_deref(), Some("a web page, not firmware"));
        }
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 27316\n";
        assert_eq!(words(pointer).as_deref(), Some("a Git LFS pointer, not the file that it stands for"));
        assert_eq!(words(b"Rar!\x1A\x07\x01\x00").as_deref(), Some("a RAR archive, not firmware"));
        assert_eq!(words(b"\x89PNG\r\n\x1A\n\0").as_deref(), Some("a picture, not firmware"));
        let not_found = "a text file, not firmware: \"404: Not Found\"";
        assert_eq!(words(b"404: Not Found").as_deref(), Some(not_found));
        assert_eq!(words(b"\n404: Not Found\nx\n").as_deref(), Some(not_found));
        let long = words("\u{fc}".repeat(50).as_bytes()).unwrap();
        assert!(long.ends_with("\u{fc}\u{2026}\"") && long.chars().count() < 80, "{long}");
        assert_eq!(words(b"hello\0"), None);
        assert_eq!(words(b""), None);
        assert_eq!(words(&crate::image::sample::Sample::drv(2000).bytes()), None);
    }
}
