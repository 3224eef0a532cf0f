//! Screens on narrow terminals: no line is longer than the terminal is wide.

use crate::bench::Bench;

/// Screens of every kind; `app.bin`, `hole.bin` and `block.bin` are in the folder.
const SCREENS: [&str; 49] = [
    "--help",
    "flash --help",
    "config show",
    "report --help",
    "config --help",
    "batch --help",
    "--simulate=shop:locked,ble --wait=1s batch pro --log log.csv --erase-all",
    "--simulate=open --wait=1s batch pro --log log.txt",
    "data new --help",
    "data edit --help",
    "image check --help",
    "explain --help",
    "scooters",
    "explain",
    "explain wiring",
    "explain safety",
    "explain image",
    "explain data",
    "explain 21",
    "explain 99",
    "flsh",
    "flash M365 Pro",
    "flash por",
    "flash pro --serial 12",
    "flash pro --force all",
    "data new --serial 21886/00012345 --km 1.234 -o k",
    "data show block.bin",
    "data show missing.bin",
    "image show app.bin",
    "image show hole.bin",
    "image show block.bin",
    "image check app.bin hole.bin block.bin missing.bin",
    "image check app.bin --scooter es2 --chip gd32e103",
    "--simulate probes",
    "--simulate=locked info",
    "doctor --help",
    "--simulate=new doctor",
    "--simulate=absent doctor",
    "--simulate=gd32e103 info",
    "--simulate=absent info",
    "--simulate=locked flash pro",
    "-v --simulate=locked flash pro --erase-all",
    "--simulate=locked flash pro --dry-run",
    "--simulate=open flash pro --drv hole.bin",
    "--simulate=open flash es2 --drv app.bin",
    "--simulate=locked verify pro",
    "--simulate=ble flash pro",
    "--simulate=open backup folder/new/board.json",
    "--simulate=locked unlock",
];

/// Width on the screen, without colours. Nothing wide is printed here, so it is the number of characters.
fn width(line: &str) -> usize {
    line.chars().count()
}

/// Whether a line is too long only because of a word or a command that is not broken.
fn is_unbreakable(line: &str, columns: usize) -> bool {
    let longest = line.split(' ').map(width).max().unwrap_or_default();
    line.starts_with("m365-drv ") || longest + 4 > columns
}

#[test]
fn no_line_is_longer_than_the_terminal_is_wide() {
    let bench = Bench::new();
    let app = m365_drv::sim::APP_64;
    let mut hole = app.to_vec();
    hole[0x400..0x1000].fill(0xFF);
    bench.write("app.bin", app).write("hole.bin", hole);
    bench.m365("data new --serial 21886/00012345 -o block.bin").json();
    for columns in [40, 80] {
        for screen in SCREENS {
            let output = bench.m365(screen).env("COLUMNS", &columns.to_string()).command().output().unwrap();
            for stream in [output.stdout, output.stderr] {
                let text = String::from_utf8(stream).unwrap();
                for line in text.lines() {
                    let fits = width(line) <= columns || is_unbreakable(line, columns);
                    assert!(fits, "{screen} on {columns} columns: {} in {line:?}", width(line));
                }
            }
        }
    }
}
