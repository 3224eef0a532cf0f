//! Words as a shell takes them back.

/// Quotes a word if a shell of this system would split or change it.
pub(crate) fn quoted(word: &str) -> String {
    if cfg!(windows) { quote_for_windows(word) } else { quote_for_posix(word) }
}

fn quote_for_posix(word: &str) -> String {
    if is_plain(word) && !word.contains('\\') { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// As programs on Windows read it: a backslash escapes only if a quotation mark follows it, after other backslashes or
/// directly (Microsoft, "Parsing C command-line arguments").
fn quote_for_windows(word: &str) -> String {
    if is_plain(word) {
        return word.to_owned();
    }
    let (mut quoted, mut backslashes) = ("\"".to_owned(), 0);
    for c in word.chars() {
        if c == '"' {
            quoted += &"\\".repeat(backslashes + 1);
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        quoted.push(c);
    }
    quoted + &"\\".repeat(backslashes) + "\""
}

/// Whether a word has nothing that a shell reads as more than itself; a backslash is plain on Windows only.
fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./:=,+@%\\".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_as_its_system_reads_it() {
        for (word, posix, windows) in [
            ("a.bin", "a.bin", "a.bin"),
            ("", "''", "\"\""),
            ("my file", "'my file'", "\"my file\""),
            (r"C:\b", r"'C:\b'", r"C:\b"),
            (r"C:\my boards\", r"'C:\my boards\'", r#""C:\my boards\\""#),
            (r#"a "b""#, r#"'a "b"'"#, r#""a \"b\"""#),
            (r#"a\" b"#, r#"'a\" b'"#, r#""a\\\" b""#),
        ] {
            assert_eq!((quote_for_posix(word), quote_for_windows(word)), (posix.to_owned(), windows.to_owned()));
        }
    }
}
