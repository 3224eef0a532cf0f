//! Runs the shipped binary in a temporary folder and compares its output exactly.
//!
//! Output that a test does not specify must be empty: `bench.m365("scooters").check()` fails if anything is printed.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use jsonschema::Validator;
use serde_json::Value;

/// The schema that every line of `--json` must match.
static SCHEMA: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema()).expect("a valid JSON schema"));

fn schema() -> Value {
    serde_json::from_str(include_str!("../src/cli/schema.json")).expect("valid JSON")
}

/// Checks a report against the definition of its command. A failure may have what was known by then, or nothing.
fn check_report(command: &Value, result: &Value) {
    let report = &result["report"];
    let failed = result["exit"] != 0;
    if failed && report.is_null() {
        return;
    }
    let own = command.as_str().map(|command| format!("report-{}", command.replace(' ', "-")));
    let other = if failed { "report-known" } else { "report-help" };
    let names = own.into_iter().chain([other.to_owned()]);
    // A command without a definition, such as `data`, has nothing but help to report.
    let wrong: Vec<_> = names
        .filter(|name| schema()["$defs"][name].is_object())
        .map(|name| {
            let mut definition = schema();
            definition.as_object_mut().expect("an object").remove("oneOf");
            definition["$ref"] = Value::from(format!("#/$defs/{name}"));
            let definition = jsonschema::validator_for(&definition).expect("a valid JSON schema");
            (name, definition.iter_errors(report).map(|error| error.to_string()).collect::<Vec<_>>())
        })
        .collect();
    assert!(wrong.iter().any(|(_, errors)| errors.is_empty()), "{report}\n{wrong:#?}");
}

/// A temporary folder in which a test runs the program.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// The path of a file in the folder.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file to the folder.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), bytes).expect("the folder is writable");
        self
    }

    /// Reads a file in the folder.
    pub(crate) fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The names of all files and folders in the folder, sorted, without the user's own folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder is readable");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.retain(|name| name != "home");
        names.sort();
        names
    }

    /// Prepares a run with a command line, split at spaces.
    pub(crate) fn m365(&self, line: &str) -> Trial<'_> {
        Trial::new(self).args(line.split_whitespace())
    }
}

/// One run of the program and its expected output.
#[must_use = "the program runs only on `check` or `json`"]
pub(crate) struct Trial<'a> {
    bench: &'a Bench,
    args: Vec<OsString>,
    env: Vec<(&'static str, String)>,
    stdout: String,
    stderr: String,
    exit: i32,
}

impl<'a> Trial<'a> {
    fn new(bench: &'a Bench) -> Self {
        let (stdout, stderr) = (String::new(), String::new());
        Self { bench, args: Vec::new(), env: Vec::new(), stdout, stderr, exit: 0 }
    }

    /// Adds arguments to the command line.
    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    /// Sets the expected stdout; `[..]` matches anything within a line, a line `...` matches any lines.
    pub(crate) fn stdout(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdout);
        self
    }

    /// Sets the expected stderr, with the same wildcards as [`Trial::stdout`].
    pub(crate) fn stderr(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stderr);
        self
    }

    /// Sets the expected exit code.
    pub(crate) fn exit(mut self, code: i32) -> Self {
        self.exit = code;
        self
    }

    /// Runs the program and compares stdout, stderr and the exit code.
    pub(crate) fn check(self) {
        let output = self.run();
        snapbox::assert_data_eq!(text(&output.stderr), self.stderr.as_str());
        snapbox::assert_data_eq!(text(&output.stdout), self.stdout.as_str());
        assert_eq!(output.status.code(), Some(self.exit), "{:?}", self.args);
    }

    /// Runs the program with `--json` and checks the rules for every run: each line matches the schema, `seq` has no
    /// gap, the first line is hello, the only result is the last line, and its `exit` is the exit code of the process.
    pub(crate) fn json(mut self) -> Lines {
        self.args.insert(0, "--json".into());
        let output = self.run();
        let lines = text(&output.stdout);
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        for (seq, line) in lines.iter().enumerate() {
            let wrong: Vec<_> = SCHEMA.iter_errors(line).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{line}\n{wrong:#?}");
            assert_eq!(line["seq"], seq, "{line}");
            assert_eq!(line["event"] == "hello", seq == 0, "{line}");
            assert_eq!(line["event"] == "result", seq + 1 == lines.len(), "{line}");
        }
        check_report(&lines[0]["command"], &lines[lines.len() - 1]);
        let lines = Lines { lines, stderr: text(&output.stderr) };
        let exit = &lines.result()["exit"];
        assert_eq!(output.status.code().map(Value::from).as_ref(), Some(exit), "{}\n{}", lines.result(), lines.stderr);
        assert_eq!(*exit, self.exit, "{}\n{}", lines.result(), lines.stderr);
        lines
    }

    /// Runs the program and returns what it prints on stdout.
    pub(crate) fn print(self) -> String {
        text(&self.run().stdout)
    }

    /// Runs the program in the folder, without environment variables of the user that change the output.
    fn run(&self) -> Output {
        self.command().output().expect("the program starts")
    }

    /// The command to run, for tests that do not use [`Trial::check`] or [`Trial::json`].
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_m365-drv"));
        command.args(&self.args).current_dir(self.bench.folder.path());
        for name in ["M365_DRV_PROBE", "M365_DRV_SPEED", "M365_DRV_FIRMWARE", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS"] {
            command.env_remove(name);
        }
        for name in ["M365_DRV_MIRROR", "SSL_CERT_FILE", "ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA"] {
            command.env(name, self.bench.path("home"));
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// The output lines of a run with `--json`.
pub(crate) struct Lines {
    lines: Vec<Value>,
    pub(crate) stderr: String,
}

impl Lines {
    /// The result, which is the last line.
    pub(crate) fn result(&self) -> &Value {
        self.lines.last().unwrap_or_else(|| panic!("no output; stderr: {}", self.stderr))
    }

    /// The report in the result.
    pub(crate) fn report(&self) -> &Value {
        &self.result()["report"]
    }

    /// The error message in the result.
    pub(crate) fn message(&self) -> &str {
        self.result()["error"]["message"].as_str().unwrap_or_default()
    }

    /// All lines.
    pub(crate) fn all(&self) -> &[Value] {
        &self.lines
    }

    /// All lines of the given event.
    pub(crate) fn events(&self, event: &str) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(move |line| line["event"] == event)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program prints UTF-8")
}
