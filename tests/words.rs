//! Everything that this program can say to a person, in one file, and the phrases that it does not use.
//!
//! `tests/data/words.txt` is read as a whole by reviewers. `SNAPSHOTS=overwrite cargo test --test main words` writes it anew.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::bench::Bench;

/// Phrases that nobody would say across a workbench, as whole words in lower case, and what to write instead.
const PHRASES: [(&str, &str); 17] = [
    ("is no", "say what is wrong: \"invalid ...\", \"not a ...\""),
    ("are no", "the same"),
    ("was no", "the same"),
    ("that is none", "the same"),
    ("is none", "\"there is none\" or \"missing\""),
    ("its unique id is none", "\"its UID is invalid\""),
    ("does not read", "\"cannot be read\" or \"is not valid\""),
    ("do not read", "the same"),
    ("shall", "\"will\" or \"must\""),
    ("which cannot be", "say what was seen"),
    ("whatever it be", "leave it out"),
    ("the one asked for", "\"matches --probe\""),
    ("goes before what", "\"wins\""),
    ("unique id", "\"UID\""),
    ("to go on by", "\"to continue with\""),
    ("passed over", "\"skipped\""),
    ("are none", "\"there are none\" or \"missing\""),
];

/// Sentences in which one of the phrases is right.
const ALLOWED: [&str; 7] =
    ["there is no", "there are no", "there was no", "there is none", "there are none", "is no longer", "are no longer"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder of the project with one of these extensions, in order.
fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            let is_wanted = path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted));
            if path.is_dir() && !path.ends_with("corpus") && !path.ends_with("target") && !path.ends_with("tests") {
                folders.push(path);
            } else if is_wanted {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn name_of(path: &Path) -> String {
    path.strip_prefix(root()).expect("a file of the project").display().to_string().replace('\\', "/")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The string literals of a source file that consist of words, in their order. Unit tests and doc comments are left out.
fn sentences(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(TokenStream::from_str(source).expect("Rust"), &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    // Whether the item that follows is compiled for tests only.
    let mut for_tests = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                // An attribute of the whole file has an exclamation mark.
                tokens.next_if(|next| matches!(next, TokenTree::Punct(mark) if mark.as_char() == '!'));
                if let Some(TokenTree::Group(attribute)) = tokens.next_if(|next| matches!(next, TokenTree::Group(_))) {
                    let text = attribute.stream().to_string();
                    for_tests |= text.replace(' ', "") == "cfg(test)";
                    if !text.starts_with("doc") && !text.starts_with("expect") && !text.starts_with("allow") {
                        collect(attribute.stream(), found);
                    }
                }
            }
            TokenTree::Group(group) => {
                if !for_tests {
                    collect(group.stream(), found);
                }
                for_tests &= group.delimiter() != Delimiter::Brace;
            }
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                    && text.value().trim().contains(' ')
                {
                    found.push(text.value());
                }
            }
            TokenTree::Punct(mark) if mark.as_char() == ';' => for_tests = false,
            _ => {}
        }
    }
}

/// The texts of the page in the browser: the strings of its script that consist of words.
fn script_sentences(source: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), source);
    while let Some(at) = rest.find(['"', '`', '/']) {
        let mark = &rest[at..=at];
        rest = &rest[at + 1..];
        if mark == "/" {
            // A comment ends with its line.
            rest = rest.strip_prefix('/').map_or(rest, |comment| comment.split_once('\n').map_or("", |(_, rest)| rest));
        } else if let Some((text, behind)) = rest.split_once(mark) {
            rest = behind;
            found.extend(Some(text).filter(|text| text.trim().contains(' ')).map(str::to_owned));
        }
    }
    found
}

/// The comments of a source file, doc comments included, each paragraph as one line.
fn comments(source: &str, mark: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in source.lines().map(str::trim) {
        let text = line.strip_prefix(mark).map(|text| text.trim_start_matches(['/', '!', '#']).trim());
        match text {
            Some(text) if !text.is_empty() => {
                let paragraph = paragraphs.last_mut().expect("one at least");
                let _ = write!(paragraph, "{}{text}", if paragraph.is_empty() { "" } else { " " });
            }
            _ if paragraphs.last().is_some_and(|last| !last.is_empty()) => paragraphs.push(String::new()),
            _ => {}
        }
    }
    paragraphs
}

/// Every command, and every command of a command.
fn commands() -> Vec<String> {
    let bench = Bench::new();
    let mut found = vec![String::new()];
    let mut at = 0;
    while at < found.len() {
        let help = bench.m365(&format!("{} --help", found[at])).print();
        let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        for line in list {
            let name = line.split_whitespace().next().unwrap_or_default();
            if line.starts_with("  ") && !line.starts_with("   ") && name != "help" {
                found.push(format!("{} {name}", found[at]).trim().to_owned());
            }
        }
        at += 1;
    }
    found
}

/// The names of all pages of `explain`.
fn topics() -> Vec<String> {
    let list = Bench::new().m365("--json explain").print();
    let line: serde_json::Value = serde_json::from_str(list.lines().last().expect("a result")).expect("JSON");
    let mut names = BTreeSet::new();
    names_in(&line["report"], &mut names);
    names.into_iter().collect()
}

fn names_in(value: &serde_json::Value, names: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| names_in(item, names)),
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("name", serde_json::Value::String(name)) => _ = names.insert(name.clone()),
                    ("code", serde_json::Value::Number(code)) => _ = names.insert(code.to_string()),
                    _ => names_in(value, names),
                }
            }
        }
        _ => {}
    }
}

/// All texts: first as they are printed where that needs no board, then as they stand in the source.
fn everything() -> String {
    let mut text = String::new();
    let bench = Bench::new();
    for command in commands() {
        let line = format!("{command} --help");
        let _ = write!(text, "==== m365-drv {}\n\n{}\n", line.trim(), bench.m365(&line).print());
    }
    for topic in topics() {
        let _ = write!(text, "==== m365-drv explain {topic}\n\n{}\n", bench.m365("explain").args([&topic]).print());
    }
    for path in files("src", &["rs"]) {
        let found = sentences(&read(&path));
        if !found.is_empty() {
            let _ = write!(text, "==== {}\n\n{}\n\n", name_of(&path), found.join("\n"));
        }
    }
    for path in files("src", &["js"]).into_iter().filter(|path| path.ends_with("words.js")) {
        let _ = write!(text, "==== {}\n\n{}\n\n", name_of(&path), script_sentences(&read(&path)).join("\n"));
    }
    text
}

#[test]
fn all_texts_stand_in_one_file_to_be_read_as_a_whole() {
    let expected = snapbox::Data::read_from(&root().join("tests/data/words.txt"), None).raw();
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(everything(), expected);
}

#[test]
fn every_topic_that_a_text_points_to_can_be_explained() {
    let texts = everything();
    let behind = texts.split("m365-drv explain ").skip(1);
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect::<String>();
    let pointed_to: BTreeSet<String> = behind.map(word).filter(|word| !word.is_empty() && word != "--help").collect();
    assert!(["wiring", "consent", "watchdog"].iter().all(|topic| pointed_to.contains(*topic)), "{pointed_to:?}");
    for topic in pointed_to {
        Bench::new().m365("explain").args([&topic]).print();
    }
}

/// Where a text has one of the phrases.
fn faults(place: &str, text: &str) -> Vec<String> {
    let plain = text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), " ");
    let mut words = format!(" {} ", plain.split_whitespace().collect::<Vec<_>>().join(" "));
    for allowed in ALLOWED {
        words = words.replace(&format!(" {allowed} "), " ");
    }
    let has = |phrase: &str| words.contains(&format!(" {phrase} "));
    let found = PHRASES.iter().filter(|(phrase, _)| has(phrase));
    found.map(|(phrase, better)| format!("{place}: \"{phrase}\" ({better}): {words}")).collect()
}

#[test]
fn nobody_reads_a_phrase_that_nobody_says() {
    let mut found = Vec::new();
    for path in ["src", "tests", "targets", "firmware"].into_iter().flat_map(|folder| files(folder, &["rs"])) {
        // The phrases themselves stand here.
        if path.ends_with("words.rs") {
            continue;
        }
        let source = read(&path);
        let texts = comments(&source, "//").into_iter().chain(sentences(&source));
        found.extend(texts.flat_map(|text| faults(&name_of(&path), &text)));
    }
    for path in files("src", &["js"]) {
        let source = read(&path);
        let texts = comments(&source, "//").into_iter().chain(script_sentences(&source));
        found.extend(texts.flat_map(|text| faults(&name_of(&path), &text)));
    }
    for path in ["targets", "firmware"].into_iter().flat_map(|folder| files(folder, &["yaml"])) {
        let source = read(&path);
        found.extend(comments(&source, "#").iter().flat_map(|text| faults(&name_of(&path), text)));
        found.extend(
            source.lines().filter(|line| !line.trim().starts_with('#')).flat_map(|line| faults(&name_of(&path), line)),
        );
    }
    let pages = files("docs", &["md"]).into_iter().map(|path| name_of(&path));
    let others = ["README.md", "CHANGELOG.md", "firmware/README.md", "firmware/rehearsal/README.md"].map(str::to_owned);
    for name in others.into_iter().chain(pages) {
        let text = read(&root().join(&name));
        found.extend(text.split("\n\n").flat_map(|paragraph| faults(&name, paragraph)));
    }
    assert!(found.is_empty(), "{} phrases:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_phrase_is_found_as_whole_words_and_not_where_it_is_right() {
    assert_eq!(faults("x", "this\n  is No probe").len(), 1);
    assert_eq!(faults("x", "there is no probe, this is nothing, it was not"), [""; 0]);
    assert_eq!(faults("x", "what there shall be").len(), 1);
    assert_eq!(faults("x", "marshalled"), [""; 0]);
}

#[test]
fn the_sentences_of_a_script_are_its_strings() {
    let source =
        "// A \"comment\" here.\nconst A = \"two words\", B = `of ${count} bytes`; // \"not this\"\nf(\"word\");";
    assert_eq!(script_sentences(source), ["two words", "of ${count} bytes"]);
}

#[test]
fn the_sentences_of_a_source_are_its_literals_without_tests_and_docs() {
    let source = r##"
        //! A doc comment of the file.
        /// A doc comment.
        #[error("one fact, {value}")]
        #[expect(clippy::all, reason = "not for users")]
        struct A;
        fn f() { say("two words", "word", r#"and "quoted" ones"#); }
        #[cfg(test)]
        mod tests { fn g() { say("not this one"); } }
        const LAST: &str = "still read";
    "##;
    assert_eq!(sentences(source), ["one fact, {value}", "two words", r#"and "quoted" ones"#, "still read"]);
}
