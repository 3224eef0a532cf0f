//! The name to call the program by: a shell does not look into the working folder, so a program that was just unpacked there is
//! `./m365-drv`, and `.\m365-drv` in PowerShell.

use std::{env, path::Path};

const NAME: &str = "m365-drv";

/// The commands of a hint, by the name that the shell takes.
pub(crate) fn as_called(hint: &str) -> String {
    with_name(hint, &name())
}

fn with_name(hint: &str, name: &str) -> String {
    let mut before = "then";
    let words = hint.split(' ').map(|word| {
        let is_command = word == NAME && before == "then";
        before = word;
        if is_command { name } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn name() -> String {
    if cfg!(windows) {
        // PowerShell passes the whole path, however the program was called.
        let program = env::current_exe().unwrap_or_default();
        let path = env::var_os("PATH").unwrap_or_default();
        let searched: Vec<_> = env::split_paths(&path).collect();
        on_windows(&program, &env::current_dir().unwrap_or_default(), &searched)
    } else {
        on_unix(&env::args_os().next().unwrap_or_default().to_string_lossy())
    }
}

fn on_windows(program: &Path, working: &Path, searched: &[impl AsRef<Path>]) -> String {
    let folder = program.parent();
    let is_found = searched.iter().any(|path| Some(path.as_ref()) == folder);
    if folder == Some(working) && !is_found { format!(r".\{NAME}") } else { NAME.into() }
}

fn on_unix(first: &str) -> String {
    let is_here = first.strip_prefix("./").is_some_and(|name| name == NAME);
    if is_here { first.into() } else { NAME.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_in_the_working_folder_is_called_as_its_shell_wants_it() {
        assert_eq!(on_unix("./m365-drv"), "./m365-drv");
        for elsewhere in ["m365-drv", "/usr/bin/m365-drv", "target/debug/m365-drv", "../m365-drv", ""] {
            assert_eq!(on_unix(elsewhere), "m365-drv");
        }
        let on = |program, working, searched: &[&str]| on_windows(Path::new(program), Path::new(working), searched);
        assert_eq!(on("/new/m365-drv.exe", "/new", &["/bin"]), r".\m365-drv");
        assert_eq!(on("/new/m365-drv.exe", "/new", &["/bin", "/new"]), "m365-drv");
        assert_eq!(on("/bin/m365-drv.exe", "/new", &["/bin"]), "m365-drv");
    }

    #[test]
    fn every_command_of_a_hint_gets_the_name_and_nothing_else() {
        let hint = "m365-drv firmware get pro, then m365-drv flash pro --backup m365-drv";
        let expected = "./m365-drv firmware get pro, then ./m365-drv flash pro --backup m365-drv";
        assert_eq!(with_name(hint, "./m365-drv"), expected);
        assert_eq!(with_name(hint, NAME), hint);
        assert_eq!(with_name("download the file again", "./m365-drv"), "download the file again");
    }
}
