//! The paths in a Rust file, as far as a check of imports needs them. Comments, strings and unit tests are left out.

use std::{collections::BTreeMap, str::FromStr as _};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The paths of one file.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// Each path of two or more segments, including each path of a `use` list.
    pub(super) all: Vec<Vec<String>>,
    /// What each name that a `use` brings into the file stands for.
    pub(super) names: BTreeMap<String, Vec<String>>,
}

impl Paths {
    pub(super) fn of(source: &str) -> Self {
        let mut paths = Self::default();
        paths.collect(TokenStream::from_str(source).expect("Rust"));
        paths
    }

    fn collect(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' && is_test(tokens.get(at + 1)) => {
                    at = end_of_item(&tokens, at);
                }
                TokenTree::Ident(word) if word == "use" => at = self.used(&tokens, at + 1, &[]),
                // The group of `pub(in path)` or `pub(super)` imports nothing.
                TokenTree::Ident(word) if word == "pub" && is_group(tokens.get(at + 1), Delimiter::Parenthesis) => {
                    at += 2;
                }
                TokenTree::Ident(_) => {
                    let (path, end) = path_at(&tokens, at);
                    if path.len() > 1 {
                        self.all.push(path);
                    }
                    at = end;
                }
                TokenTree::Group(group) => {
                    self.collect(group.stream());
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }

    /// Reads the tree of a `use` from `at`, and returns where it ends.
    fn used(&mut self, tokens: &[TokenTree], at: usize, prefix: &[String]) -> usize {
        let (path, mut end) = path_at(tokens, at);
        let mut path = [prefix, &path].concat();
        match tokens.get(end) {
            Some(TokenTree::Group(list)) => {
                let list: Vec<_> = list.stream().into_iter().collect();
                let items = list.split(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ','));
                items.filter(|item| !item.is_empty()).for_each(|item| _ = self.used(item, 0, &path));
                return end + 1;
            }
            Some(TokenTree::Punct(mark)) if mark.as_char() == '*' => {
                self.all.push(path);
                return end + 1;
            }
            _ => {}
        }
        path.pop_if(|last| last == "self");
        let mut name = path.last().cloned();
        if let (Some(TokenTree::Ident(word)), Some(alias)) = (tokens.get(end), tokens.get(end + 1))
            && word == "as"
        {
            name = Some(alias.to_string());
            end += 2;
        }
        if let Some(name) = name {
            self.names.insert(name, path.clone());
            self.all.push(path);
        }
        end
    }
}

/// The path that begins at `at`, and where it ends: behind its last segment, or behind the `::` before a `{`, `*` or `<`.
fn path_at(tokens: &[TokenTree], at: usize) -> (Vec<String>, usize) {
    let is_colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    let (mut path, mut end) = (Vec::new(), at);
    while let Some(TokenTree::Ident(word)) = tokens.get(end) {
        path.push(word.to_string());
        end += 1;
        if !is_colon(end) || !is_colon(end + 1) {
            break;
        }
        end += 2;
    }
    (path, end)
}

fn is_group(token: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == delimiter)
}

fn is_test(attribute: Option<&TokenTree>) -> bool {
    attribute.is_some_and(|attribute| attribute.to_string().replace(' ', "") == "[cfg(test)]")
}

/// Where the item ends that has an attribute at `at`: behind its `;` or its braces.
fn end_of_item(tokens: &[TokenTree], at: usize) -> usize {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Punct(mark) => mark.as_char() == ';',
        token => is_group(Some(token), Delimiter::Brace),
    };
    tokens[at..].iter().position(is_end).map_or(tokens.len(), |length| at + length + 1)
}

#[test]
fn each_path_of_a_list_is_read() {
    let source = "use crate::{board::{Board as B, chip, self,}, clock::*};\nlet x = crate::sim::make::<a::B>();\n\
                  #[cfg(test)] mod tests { use crate::ops::X; } // crate::cli::a\npub(in crate::ops::b) fn f() { super::g() }";
    let paths = Paths::of(source);
    let all: Vec<_> = paths.all.iter().map(|path| path.join("::")).collect();
    let expected = [
        "crate::board::Board",
        "crate::board::chip",
        "crate::board",
        "crate::clock",
        "crate::sim::make",
        "a::B",
        "super::g",
    ];
    assert_eq!(all, expected);
    assert_eq!(paths.names.keys().collect::<Vec<_>>(), ["B", "board", "chip"]);
}
