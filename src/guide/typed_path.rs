//! Paths as people type them, and as a file arrives that is dropped onto a terminal.

use std::path::{Path, PathBuf};

/// Whether this looks like a path and not like an answer.
pub(super) fn is_path(text: &str) -> bool {
    text.starts_with(['~', '"', '\'']) || text.contains(['/', '\\', '.'])
}

/// The path: without quotes, without the backslashes that a shell needs, `~` for the user's folder, `file://` addresses.
pub(super) fn read(text: &str, home: Option<&Path>) -> PathBuf {
    let text = text.trim();
    let quoted = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    let text = match quoted {
        Some(inner) => inner.to_owned(),
        None if cfg!(windows) => text.to_owned(),
        None => without_backslashes(text),
    };
    if let Some(rest) = text.strip_prefix("file://") {
        let rest = rest.strip_prefix("localhost").unwrap_or(rest);
        let path = decoded(rest);
        // file:///C:/x
        let drive = path.strip_prefix('/').filter(|path| path.as_bytes().get(1) == Some(&b':'));
        return PathBuf::from(drive.unwrap_or(&path));
    }
    match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_owned(),
        (Some(rest), Some(home)) if rest.starts_with(['/', '\\']) => home.join(rest.trim_start_matches(['/', '\\'])),
        _ => PathBuf::from(text),
    }
}

/// `a\ b\(1\)` is `a b(1)`.
fn without_backslashes(text: &str) -> String {
    let mut characters = text.chars();
    let mut plain = String::new();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

/// `a%20b` is `a b`. What is not encoded rightly stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_people_type_and_drop_it() {
        let home = Path::new("/home/me");
        let read = |text| read(text, Some(home));
        for (text, path) in [
            ("a.bin", "a.bin"),
            (" 'my app.bin' ", "my app.bin"),
            ("\"my app.bin\"", "my app.bin"),
            ("~/Downloads/a.zip", "/home/me/Downloads/a.zip"),
            ("~", "/home/me"),
            ("~other/a.zip", "~other/a.zip"),
            ("file:///tmp/my%20app%2B.zip", "/tmp/my app+.zip"),
            ("file://localhost/tmp/a.zip", "/tmp/a.zip"),
            ("file:///C:/a.zip", "C:/a.zip"),
            ("file:///tmp/100%", "/tmp/100%"),
            ("'file:///tmp/a.zip'", "/tmp/a.zip"),
        ] {
            assert_eq!(read(text), Path::new(path), "{text}");
        }
        assert_eq!(super::read("~/a.zip", None), Path::new("~/a.zip"));
        if !cfg!(windows) {
            assert_eq!(read("my\\ app\\(1\\).zip"), Path::new("my app(1).zip"));
        }
    }

    #[test]
    fn an_answer_is_not_taken_for_a_path() {
        assert!(["a.bin", "~/a", "/a", "'a b'", "file:///a"].into_iter().all(is_path));
        assert!(!["1", "keep", "fetch", "file"].into_iter().any(is_path));
    }
}
