//! Checks that the files of a room do not import each other in circles: each file can then be read after those that it
//! imports, and the first of them alone.
//!
//! A file imports the file that defines what a path in it leads to. `super::`, `self::`, `crate::room::` and the names of
//! child modules are followed, and so is every `use` on the way. What a `mod.rs` only re-exports therefore counts as an
//! import of the file behind it, not of `mod.rs`.
//!
//! * `mod.rs` imports a child if it names something in the child. The declaration `mod child;` alone is not an import.
//! * What `mod.rs` itself defines is the room's own, and its children may use it: imports between a `mod.rs` and the files
//!   below it count only in the rooms of [`STRICT`].
//! * Methods that a file adds to a type of another file are called without a path, so the call does not count. The file
//!   that adds them imports the type.
//! * Unit tests do not count.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::{paths::Paths, src};

/// The rooms in which a child does not import what its `mod.rs` defines, if `mod.rs` imports the child.
const STRICT: [&str; 3] = ["block", "ops", "sim"];

/// The rooms in which files still import each other in circles, and all of these files. This list may only become shorter:
/// the test fails if a file is in no circle any more, or if another one is.
const EXCEPTIONS: [(&str, &str); 0] = [];

/// The folders of the command line, and which of the others each imports: what is run imports what is typed and what is
/// shown, never the other way round.
const FLOORS: [(&str, &[&str]); 3] = [("verbs", &["args", "screen"]), ("screen", &["args"]), ("args", &[])];

/// A module as its path inside the room; empty for the room's `mod.rs`.
type Module = Vec<String>;

/// The files of a room by module, each with its paths.
struct Room(BTreeMap<Module, (String, Paths)>);

impl Room {
    fn of(folder: &Path) -> Self {
        let mut room = Self(BTreeMap::new());
        room.read(folder, folder);
        room
    }

    fn read(&mut self, room: &Path, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                self.read(room, &path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name =
                    path.strip_prefix(room).expect("a file of the room").display().to_string().replace('\\', "/");
                self.insert(name, &fs::read_to_string(&path).expect("a source file"));
            }
        }
    }

    fn insert(&mut self, name: String, source: &str) {
        let module = name.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").map(String::from);
        self.0.insert(module.collect(), (name, Paths::of(source)));
    }

    /// The module that defines what `path` leads to; `None` if that is outside the room.
    fn follow(&self, room: &str, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (mut module, mut rest) = (from.clone(), path);
        match path.first()?.as_str() {
            "crate" if path.get(1)? == room => (module, rest) = (Module::new(), &path[2..]),
            "crate" => return None,
            "self" => rest = &path[1..],
            "super" => {
                while let Some(("super", behind)) = rest.split_first().map(|(first, behind)| (first.as_str(), behind)) {
                    module.pop()?;
                    rest = behind;
                }
            }
            first if self.0.contains_key(&[from.as_slice(), &[first.into()]].concat()) => {}
            _ => return None,
        }
        while let Some((first, behind)) = rest.split_first() {
            let child = [module.as_slice(), std::slice::from_ref(first)].concat();
            if self.0.contains_key(&child) {
                (module, rest) = (child, behind);
            } else if let Some(target) = self.0.get(&module)?.1.names.get(first).filter(|_| depth < 8) {
                return self.follow(room, &module, target, depth + 1);
            } else {
                break;
            }
        }
        Some(module)
    }

    /// The modules that a module imports.
    fn imports(&self, room: &str, module: &Module) -> BTreeSet<Module> {
        let paths = &self.0[module].1.all;
        paths.iter().filter_map(|path| self.follow(room, module, path, 0)).filter(|to| to != module).collect()
    }

    /// The files that are in circles: those that a file reaches which they reach.
    fn circles(&self, room: &str) -> BTreeSet<&str> {
        let counts =
            |from: &Module, to: &Module| STRICT.contains(&room) || !from.starts_with(to) && !to.starts_with(from);
        let imports = self.0.keys().map(|module| {
            (module, self.imports(room, module).into_iter().filter(|to| counts(module, to)).collect::<BTreeSet<_>>())
        });
        let imports: BTreeMap<_, _> = imports.collect();
        let returns = |module: &&Module| {
            let (mut seen, mut next) = (BTreeSet::new(), imports[module].iter().collect::<Vec<_>>());
            while let Some(module) = next.pop() {
                if seen.insert(module) {
                    next.extend(&imports[module]);
                }
            }
            seen.contains(*module)
        };
        self.0.keys().filter(returns).map(|module| self.0[module].0.as_str()).collect()
    }
}

#[test]
fn files_of_a_room_do_not_import_each_other_in_circles() {
    let mut wrong = Vec::new();
    for entry in fs::read_dir(src()).expect("src") {
        let folder = entry.expect("an entry").path();
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let room = Room::of(&folder);
        let found = room.circles(&name);
        let excepted = EXCEPTIONS.iter().find(|(room, _)| *room == name).map_or("", |(_, files)| files);
        if found != excepted.split_whitespace().collect() {
            wrong.push(format!("(\"{name}\", {:?}),", Vec::from_iter(found).join(" ")));
        }
    }
    assert!(wrong.is_empty(), "files in circles differ from EXCEPTIONS:\n{}", wrong.join("\n"));
}

/// The imports between folders that [`FLOORS`] does not have, and those between commands.
fn imports_against_floors(room: &Room) -> Vec<String> {
    let floor = |module: &Module| FLOORS.iter().find(|(floor, _)| module.first().is_some_and(|first| first == floor));
    let mut wrong = Vec::new();
    for (module, (name, _)) in &room.0 {
        for to in room.imports("cli", module) {
            let fine = match (floor(module), floor(&to)) {
                (_, None) => true,
                // `mod.rs` lists the commands.
                (None, Some((to, _))) => module.is_empty() || *to != "verbs",
                (Some((from, _)), Some(("verbs", _))) => *from == "verbs" && module.get(1) == to.get(1),
                (Some((from, may)), Some((to, _))) => from == to || may.contains(to),
            };
            if !fine {
                wrong.push(format!("{name} imports {}", to.join("/")));
            }
        }
    }
    wrong
}

#[test]
fn the_folders_of_the_command_line_import_each_other_one_way_and_no_command_another() {
    assert_eq!(imports_against_floors(&Room::of(&src().join("cli"))), [""; 0]);
    let mut room = Room(BTreeMap::new());
    for (name, source) in [
        ("mod.rs", "mod verbs; mod args; use self::verbs::a::run;"),
        ("verbs/mod.rs", "mod a; mod b;"),
        ("verbs/a.rs", "use crate::cli::{args::X, verbs::b::Y};"),
        ("verbs/b.rs", ""),
        ("args/mod.rs", "use super::verbs::a;"),
        ("hints.rs", "fn f() { super::verbs::a::run() }"),
    ] {
        room.insert(name.into(), source);
    }
    let expected = ["args/mod.rs imports verbs/a", "hints.rs imports verbs/a", "verbs/a.rs imports verbs/b"];
    assert_eq!(imports_against_floors(&room), expected);
}

#[test]
fn a_circle_through_a_re_export_is_found() {
    let mut room = Room(BTreeMap::new());
    let head = "mod a; mod b; mod c; pub use self::{a::A, b::B}; fn f() { c::g() }";
    for (name, source) in
        [("mod.rs", head), ("a.rs", "use super::{B, c};"), ("b.rs", "use crate::room::A;"), ("c.rs", "")]
    {
        room.insert(name.into(), source);
    }
    assert_eq!(room.circles("room"), BTreeSet::from(["a.rs", "b.rs"]));
}
