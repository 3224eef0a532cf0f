#!/usr/bin/env python3
"""The kinds of faults of tests/faults, on an emulated rig: another model of probe, wires and chip, at USB level.

M365_DRV_RIG names the rig's `run`, M365_DRV the program to test (by default target/release/m365-drv), IMAGES a folder that both
the rig and this computer see, with boot.bin and drv.bin for a Pro. It is not part of `cargo test` and takes hours.

    M365_DRV_RIG=~/rig/run IMAGES=/tmp/fw tests/rig/campaign.py [--points N] [--only WORD]

For each procedure, probe, chip and fault it injects the fault at some of the probe's commands, runs the same command again
without it, and prints a table. A false success is an exit code 0 with a flash that is not right: there must be none.
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

RUN = os.environ.get("M365_DRV_RIG")
PROGRAM = os.path.abspath(os.environ.get("M365_DRV", "target/release/m365-drv"))
IMAGES = pathlib.Path(os.environ.get("IMAGES", "/tmp/fw"))

FLASH = f"flash pro --boot {IMAGES}/boot.bin --drv {IMAGES}/drv.bin --serial 21886/00012345 --km 1234 --erase-all --no-run"
# The procedure, the board that it begins with, and whether its flash is known afterwards.
PROCEDURES = {
    "flash": (FLASH, "rdp", True),
    "unlock": ("unlock --erase-all", "rdp", False),
    "lock": ("lock", "used", False),
    "backup": ("backup b.json", "used", False),
}
PROBES = {"st-link": [], "cmsis-dap": ["cmsis_dap"], "j-link": ["jlink"]}
CHIPS = {"stm32f103": {}, "gd32f103": {"chip": "gd32f103"}}
FAULTS = {
    "contact lost for 4 transfers": {"do": "swd_loss", "count": 4},
    "contact lost for 50 ms": {"do": "swd_loss", "ms": 50},
    "power lost for 300 ms": {"do": "power_loss", "ms": 300},
    "power lost": {"do": "power_loss"},
    "probe unplugged": {"do": "usb_disconnect"},
}


def run(folder, procedure, probe, chip, events):
    """Runs the command with these faults and once more without; returns both exit codes and the number of commands."""
    line, board, _ = PROCEDURES[procedure]
    command = [RUN, "--keep", "--timeout", "120", "--out", str(folder), "--scenario", board]
    for name in PROBES[probe]:
        command += ["--scenario", name]
    for key, value in {**CHIPS[chip], "events": events}.items():
        command += ["--set", f"{key}={json.dumps(value)}"]
    script = f"export HOME={folder} XDG_DATA_HOME={folder}/data; cd {folder}; {PROGRAM} --no-input {line}; echo first $?; "
    script += f"rm -f b.json; {PROGRAM} --no-input --wait=20 {line}; echo second $?"
    done = subprocess.run(command + ["--", "sh", "-c", script], capture_output=True, text=True, check=False)
    codes = dict(words for words in (line.split() for line in done.stdout.splitlines()) if len(words) == 2)
    try:
        commands = json.loads((folder / "stats.json").read_text())["probes"][0]["usb_commands"]
    except (OSError, ValueError, KeyError, IndexError):
        commands = 0
    return codes.get("first"), codes.get("second"), commands


def is_right(folder):
    """Whether flash holds both images, as the client has left it."""
    try:
        flash = (folder / "client_flash0.bin").read_bytes()
    except OSError:
        return False
    boot, drv = (IMAGES / "boot.bin").read_bytes(), (IMAGES / "drv.bin").read_bytes()
    return flash[: len(boot)] == boot and flash[0x1000 : 0x1000 + len(drv)] == drv


def main():
    if not RUN:
        sys.exit("M365_DRV_RIG is not set: there is no rig to run on")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=5, help="commands of each run at which the fault is injected")
    parser.add_argument("--only", default="", help="only the rows that contain this word")
    options = parser.parse_args()
    wrong = 0
    print("| procedure | probe | chip | fault | tried | ended well | again | false successes |\n|---|---|---|---|---|---|---|---|")
    for procedure, (_, _, has_flash) in PROCEDURES.items():
        for probe in PROBES:
            for chip in CHIPS:
                commands = None
                for name, fault in FAULTS.items():
                    row = f"{procedure} {probe} {chip} {name}"
                    if options.only not in row:
                        continue
                    if commands is None:
                        with tempfile.TemporaryDirectory(prefix="m365-rig-") as clean:
                            commands = run(pathlib.Path(clean), procedure, probe, chip, [])[2] // 2
                    counts = collections.Counter()
                    for point in range(1, options.points + 1):
                        event = {"at_cmd": max(1, commands * point // (options.points + 1)), **fault}
                        with tempfile.TemporaryDirectory(prefix="m365-rig-") as folder:
                            first, second, _ = run(pathlib.Path(folder), procedure, probe, chip, [event])
                            false = second == "0" and has_flash and not is_right(pathlib.Path(folder))
                        counts.update(tried=1, well=first == "0", again=second == "0", false=false)
                    wrong += counts["false"]
                    cells = [procedure, probe, chip, name, *(str(counts[key]) for key in ("tried", "well", "again", "false"))]
                    print("| " + " | ".join(cells) + " |", flush=True)
    subprocess.run([RUN, "--stop"], check=False)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
