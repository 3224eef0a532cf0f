#!/usr/bin/env python3
"""How long the whole job takes on an emulated rig, for each probe, clock and round trip, beside OpenOCD's in the same run.

M365_DRV_RIG names the rig's `run`, M365_DRV the program to measure (by default target/release/m365-drv), IMAGES a folder that
both the rig and this computer see, with boot.bin and DRV155.bin for a Pro. It is not part of `cargo test`.

    M365_DRV_RIG=~/rig/run IMAGES=/tmp/fw tests/rig/speed.py [--only WORD] [--openocd 'python3 ~/rig/jobs/openocd_job.py']

Every row begins with a locked board and ends when the last byte is verified, before the firmware runs. `s` is the time on the
emulated clock; `without gaps` leaves out what the program computes and how long it sleeps while the chip programs, so that it says
little but shows how busy the computer was. The floor is what the flash itself takes: 52.5 us a half-word, a mass erase of 20 ms and an erase of the option area of 20 ms.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

RUN = os.environ.get("M365_DRV_RIG")
PROGRAM = os.path.abspath(os.environ.get("M365_DRV", "target/release/m365-drv"))
IMAGES = pathlib.Path(os.environ.get("IMAGES", "/tmp/fw"))
LINE = f"flash pro --boot {IMAGES}/boot.bin --drv {IMAGES}/DRV155.bin --serial 21886/00012345 --km 1234 --erase-all --no-run --force other-scooter --json"
SLOW = {"time.usb_in_ms": 8.0, "time.usb_out_ms": 4.0}
# The row, the clock in kHz, the probe's kind, other settings, and what has been done before.
ROWS = [
    ("ST-Link V2, 4 MHz", 4000, "stlink", {}, ""),
    ("ST-Link V2, 1.8 MHz", 1800, "stlink", {}, ""),
    ("ST-Link V2, 950 kHz", 950, "stlink", {}, ""),
    ("ST-Link V2, 480 kHz", 480, "stlink", {}, ""),
    ("ST-Link V2, 100 kHz", 100, "stlink", {}, ""),
    ("ST-Link V2, 4 MHz, 8 ms round trips", 4000, "stlink", SLOW, ""),
    ("ST-Link V2, 950 kHz, 8 ms round trips", 950, "stlink", SLOW, ""),
    ("J-Link, 4 MHz", 4000, "jlink", {}, ""),
    ("CMSIS-DAP v2, 4 MHz", 4000, "cmsis-dap-v2", {}, ""),
    ("CMSIS-DAP v1 (HID), 4 MHz", 4000, "cmsis-dap-v1", {}, ""),
    ("ST-Link V2, 4 MHz, 100 earlier backups", 4000, "stlink", {}, "backups"),
    ("ST-Link V2, 4 MHz, second run", 4000, "stlink", {}, "again"),
    ("ST-Link V2, 100 kHz, second run", 100, "stlink", {}, "again"),
    ("CMSIS-DAP v1 (HID), 4 MHz, second run", 4000, "cmsis-dap-v1", {}, "again"),
]
INTERFACES = {"stlink": "stlink", "jlink": "jlink", "cmsis-dap-v2": "cmsis-dap", "cmsis-dap-v1": "cmsis-dap"}
OPTION_ERASE_S = 0.020


def rig(folder, kind, settings, script, board="rdp"):
    """Runs a script in the rig's guest; returns its output and the statistics of the emulated probe."""
    command = [RUN, "--keep", "--timeout", "300", "--out", str(folder), "--scenario", board]
    for key, value in {"probe_kind": kind, **settings}.items():
        command += ["--set", f"{key}={json.dumps(value)}"]
    done = subprocess.run(command + ["--", "sh", "-c", script], capture_output=True, text=True, check=False)
    (folder / "output").write_text(done.stdout + done.stderr)
    return done.stdout, json.loads((folder / "stats.json").read_text())["probes"][0]


def cost(stats):
    """The time, that without the client's own, the commands, and the time of the flash."""
    floor = stats["physical_flash_limit_s"] + OPTION_ERASE_S
    return [stats["virtual_s"], stats["virtual_without_gaps_s"], stats["usb_commands"], floor]


def measure(folder, khz, kind, settings, before):
    """Ours, on a board that is prepared as the row wants it."""
    home = f"export HOME={folder} XDG_DATA_HOME={folder}/data; cd {folder}; "
    line = f"{PROGRAM} --no-input {LINE} --speed {khz}"
    if before == "again":
        first = f"{line} > first.json; "
        _, one = rig(folder, kind, settings, home + first)
        out, two = rig(folder, kind, settings, home + first + f"{line}; echo code $?")
        both, alone = cost(two), cost(one)
        return out, [*(b - a for b, a in zip(both[:3], alone[:3])), 0.0], two
    if before == "backups":
        seed(folder)
    out, stats = rig(folder, kind, settings, home + f"{line}; echo code $?")
    return out, cost(stats), stats


def seed(folder):
    """A hundred backups of 64 KiB, of the board that is measured."""
    out = f"export HOME={folder} XDG_DATA_HOME={folder}/data; cd {folder}; {PROGRAM} --no-input backup seed.json --speed 4000"
    rig(folder, "stlink", {}, out, board="used")
    saved = json.loads((folder / "seed.json").read_text())
    store = folder / "data" / "m365-drv" / "backups"
    store.mkdir(parents=True)
    uid = saved["uid"]
    for number in range(100):
        name = f"{uid}-20250101T0000{number // 60:02}.{number:06}Z.json"
        (store / name).write_text((folder / "seed.json").read_text())


def is_right(folder):
    """Whether flash holds both images."""
    flash = (folder / "client_flash0.bin").read_bytes()
    boot, drv = (IMAGES / "boot.bin").read_bytes(), (IMAGES / "DRV155.bin").read_bytes()
    return flash[: len(boot)] == boot and flash[0x1000 : 0x1000 + len(drv)] == drv


def main():
    if not RUN:
        sys.exit("M365_DRV_RIG is not set: there is no rig to run on")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only the rows that contain this word")
    parser.add_argument("--openocd", default="", help="the command of OpenOCD's job, to which the clock and the interface are added")
    options = parser.parse_args()
    print("| row | s | without gaps | commands | floor | ratio | verified by | OpenOCD | it verifies |")
    print("|---|---|---|---|---|---|---|---|---|")
    wrong = 0
    for name, khz, kind, settings, before in ROWS:
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory(prefix="m365-speed-", dir="/tmp") as text:
            folder = pathlib.Path(text)
            out, (total, without, commands, floor), _ = measure(folder, khz, kind, settings, before)
            report = json.loads([row for row in out.splitlines() if row.startswith("{")][-1])
            is_good = "code 0" in out and is_right(folder)
        wrong += not is_good
        peer = ""
        if options.openocd and not before:
            with tempfile.TemporaryDirectory(prefix="m365-speed-", dir="/tmp") as text:
                folder = pathlib.Path(text)
                line = f"{options.openocd} {khz} --interface={INTERFACES[kind]}"
                _, stats = rig(folder, kind, settings, line)
                peer = f"{stats['virtual_s']:.3f}" + ("" if is_right(folder) else " (wrong)")
        by = report.get("verified_by", "read") if is_good else "WRONG"
        ratio = f"{total / floor:.2f}" if floor else ""
        cells = [name, f"{total:.3f}", f"{without:.3f}", str(commands), f"{floor:.3f}", ratio, by, peer, "its own read-back" if peer else ""]
        print("| " + " | ".join(cells) + " |", flush=True)
    subprocess.run([RUN, "--stop"], check=False)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
