//! A workbench: the shipped binary, a folder of its own, and exact expectations.
//!
//! What is not said is expected empty: `bench.m365("scooters").check()` fails when anything is printed.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use jsonschema::Validator;
use serde_json::Value;

/// What every line of `--json` is checked against.
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../src/cli/schema.json")).expect("the schema is JSON");
    jsonschema::validator_for(&schema).expect("the schema is a schema")
});

/// A folder in which the program runs, command after command.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Where a file of the bench is.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file on the bench.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), bytes).expect("the bench can be written");
        self
    }

    /// The bytes of a file on the bench.
    pub(crate) fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The names of all files and folders on the bench, in order.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the bench can be read");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// A command line, split at spaces.
    pub(crate) fn m365(&self, line: &str) -> Trial<'_> {
        Trial::new(self).args(line.split_whitespace())
    }
}

/// One run of the program, with what is expected of it.
#[must_use = "nothing runs before `check` or `json`"]
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

    /// More words of the command line.
    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    /// Expected on stdout; `[..]` stands for anything within a line, a line `...` for any lines.
    pub(crate) fn stdout(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdout);
        self
    }

    /// Expected on stderr, as [`Trial::stdout`].
    pub(crate) fn stderr(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stderr);
        self
    }

    /// The expected exit code.
    pub(crate) fn exit(mut self, code: i32) -> Self {
        self.exit = code;
        self
    }

    /// Runs, and compares everything.
    pub(crate) fn check(self) {
        let output = self.run();
        snapbox::assert_data_eq!(text(&output.stderr), self.stderr.as_str());
        snapbox::assert_data_eq!(text(&output.stdout), self.stdout.as_str());
        assert_eq!(output.status.code(), Some(self.exit), "{:?}", self.args);
    }

    /// Runs with `--json`, and checks what holds for every run: each line fits the schema, `seq` has no gap, the first
    /// line is hello, the one result is the last, its `exit` is the process's.
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
        let lines = Lines { lines, stderr: text(&output.stderr) };
        let exit = &lines.result()["exit"];
        assert_eq!(output.status.code().map(Value::from).as_ref(), Some(exit), "{}\n{}", lines.result(), lines.stderr);
        assert_eq!(*exit, self.exit, "{}\n{}", lines.result(), lines.stderr);
        lines
    }

    /// Runs in the bench's folder, without anything of the user's environment that changes the output.
    fn run(&self) -> Output {
        self.command().output().expect("the program starts")
    }

    /// The run, to be started in another way than [`Trial::check`] and [`Trial::json`] do.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_m365-drv"));
        command.args(&self.args).current_dir(self.bench.folder.path());
        for name in ["M365_DRV_PROBE", "M365_DRV_SPEED", "M365_DRV_FIRMWARE", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS"] {
            command.env_remove(name);
        }
        for name in ["HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA"] {
            command.env(name, self.bench.path("home"));
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// The lines of a run with `--json`.
pub(crate) struct Lines {
    lines: Vec<Value>,
    pub(crate) stderr: String,
}

impl Lines {
    /// The last line.
    pub(crate) fn result(&self) -> &Value {
        self.lines.last().unwrap_or_else(|| panic!("no line at all; stderr: {}", self.stderr))
    }

    /// The report of the last line.
    pub(crate) fn report(&self) -> &Value {
        &self.result()["report"]
    }

    /// The message of the error.
    pub(crate) fn message(&self) -> &str {
        self.result()["error"]["message"].as_str().unwrap_or_default()
    }

    /// All lines of this event.
    pub(crate) fn events(&self, event: &str) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(move |line| line["event"] == event)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program prints UTF-8")
}
