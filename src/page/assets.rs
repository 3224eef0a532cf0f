//! The files of the page, which are part of the program.

use include_dir::{Dir, include_dir};

static ASSETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/page/assets");

/// A file of the page and its type; none has a folder in its name.
pub(super) fn find(name: &str) -> Option<(&'static str, &'static [u8])> {
    let name = if name.is_empty() { "index.html" } else { name };
    let file = ASSETS.files().find(|file| file.path().to_str() == Some(name))?;
    let kind = match file.path().extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    Some((kind, file.contents()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that a browser loads.
    const MOST_BYTES: usize = 150 << 10;

    #[test]
    fn all_files_have_a_type_and_are_small() {
        for file in ASSETS.files() {
            assert!(find(file.path().to_str().unwrap()).is_some(), "{:?}", file.path());
        }
        let bytes: usize = ASSETS.files().map(|file| file.contents().len()).sum();
        assert!((1..MOST_BYTES).contains(&bytes), "{bytes} bytes");
        assert!(ASSETS.dirs().next().is_none());
    }

    #[test]
    fn a_name_is_not_a_path() {
        for name in ["../mod.rs", "..", "/", ".", "./index.html", "index.html/", "a/../index.html", "no.html"] {
            assert!(find(name).is_none(), "{name}");
        }
        assert!(find("").is_some_and(|(kind, _)| kind.starts_with("text/html")));
    }
}
