//! The files around the program: what the release is made with, and what runs on other people's computers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The workflows, by their names.
fn workflows() -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(root().join(".github/workflows")).expect("the workflows");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.map(|path| (path.clone(), fs::read_to_string(path).expect("a workflow"))).collect()
}

/// What the lines with this key have as their value.
fn values<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    let value = |line: &'t str| line.trim_start().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(": ");
    text.lines().filter_map(value).collect()
}

#[test]
fn every_action_is_pinned_by_its_full_hash_and_tells_its_version() {
    let workflows = workflows();
    assert_eq!(workflows.len(), 4);
    for (path, text) in workflows {
        for action in values(&text, "uses") {
            let (name, version) = action.split_once(" # ").unwrap_or_else(|| panic!("{}: {action}", path.display()));
            let (_, hash) = name.split_once('@').expect("a hash");
            let is_hash = hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_hash && version.starts_with('v'), "{}: {action}", path.display());
        }
    }
}

#[test]
fn every_step_of_a_workflow_is_a_script_that_runs_here_too() {
    for (path, text) in workflows() {
        let steps = values(&text, "run");
        assert!(!steps.is_empty(), "{}", path.display());
        for step in steps {
            let script = step.split(' ').next().unwrap_or_default();
            let first = fs::read_to_string(root().join(script)).unwrap_or_else(|error| panic!("{script}: {error}"));
            assert!(first.starts_with("#!/usr/bin/env "), "{script}");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = fs::metadata(root().join(script)).unwrap().permissions().mode();
                assert!(mode & 0o111 == 0o111, "{script} is not executable");
            }
        }
    }
}

#[test]
fn the_published_crate_has_neither_the_corpus_of_the_fuzzer_nor_the_release_scripts() {
    let mut command = Command::new(env!("CARGO"));
    let output =
        command.args(["package", "--list", "--allow-dirty", "--offline"]).current_dir(root()).output().unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(list.lines().any(|file| file == "src/main.rs") && list.lines().any(|file| file == "README.md"));
    for outside in ["tests/fuzz", "release/", ".ci/", ".github/", "windows/"] {
        assert!(!list.lines().any(|file| file.starts_with(outside)), "{outside}");
    }
}

#[test]
#[cfg(unix)]
fn a_tag_that_is_not_the_version_becomes_no_release() {
    let check = |tag: &str| Command::new(root().join("release/check")).arg(tag).output().unwrap();
    let refused = check("v99.0.0");
    assert!(!refused.status.success());
    let message = String::from_utf8(refused.stderr).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(message, format!("release/check: tag v99.0.0, but Cargo.toml has version {version}\n"));
}

#[test]
fn the_archives_of_a_release_are_where_cargo_binstall_looks_for_them() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let make = fs::read_to_string(root().join("release/make")).unwrap();
    assert!(make.contains(r#"name = f"m365-drv-{version}-{triple}""#));
    let built = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "x86_64-pc-windows-gnu"];
    for triple in built {
        assert!(make.contains(&format!("\"{triple}\"")) && manifest.contains(&format!("-{triple}.")), "{triple}");
    }
    assert!(manifest.contains("{ repo }/releases/download/v{ version }/{ name }-{ version }-{ target }.tar.gz"));
}
