"""Packages of other systems, made from the files of the archives: Debian package, Homebrew formula, winget manifest."""

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CONTROL = """\
Package: m365-drv
Version: {version}-1
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {size}
Section: electronics
Priority: optional
Homepage: {homepage}
Description: repairs the motor controller of Xiaomi M365-family scooters
 One program that unlocks, flashes and verifies the controller over SWD with
 an ST-Link, a J-Link or a CMSIS-DAP probe, without OpenOCD. The package also
 has the udev rule that lets ordinary users open these probes.
"""

# udevd is not running in a chroot or a container.
RELOAD = """\
#!/bin/sh
set -e
if [ -e /run/udev/control ]; then
    udevadm control --reload || true
    udevadm trigger --subsystem-match=usb --subsystem-match=hidraw || true
fi
"""


def deb(out, architecture, package, program, files, when):
    """Program, manual, completions, licences and the udev rule at Debian's places."""
    data = {"usr/bin/m365-drv": (program.read_bytes(), 0o755)}
    places = {
        "completions/m365-drv.bash": "usr/share/bash-completion/completions/m365-drv",
        "completions/_m365-drv": "usr/share/zsh/vendor-completions/_m365-drv",
        "completions/m365-drv.fish": "usr/share/fish/vendor_completions.d/m365-drv.fish",
        "70-m365-drv.rules": "usr/lib/udev/rules.d/70-m365-drv.rules",
        "LICENSES.txt": "usr/share/doc/m365-drv/copyright",
    }
    for name, place in places.items():
        data[place] = files[name]
    squeezed = lambda text: gzip.compress(text, 9, mtime=0)
    data["usr/share/doc/m365-drv/changelog.gz"] = (squeezed(files["CHANGELOG.md"][0]), 0o644)
    for name in filter(lambda name: name.startswith("man/"), files):
        data[f"usr/share/man/man1/{name.removeprefix('man/')}.gz"] = (squeezed(files[name][0]), 0o644)
    control = CONTROL.format(
        version=package["version"], architecture=architecture, homepage=package["repository"],
        maintainer=f"m365-drv <{package['repository']}>", size=sum(len(bytes_) for bytes_, _ in data.values()) // 1024,
    )
    data["DEBIAN/control"] = (control.encode(), 0o644)
    for script in ["postinst", "postrm"]:
        data[f"DEBIAN/{script}"] = (RELOAD.encode(), 0o755)
    with tempfile.TemporaryDirectory() as folder:
        for place, (bytes_, mode) in data.items():
            path = Path(folder, place)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes_)
            path.chmod(mode)
        for path in [Path(folder), *filter(Path.is_dir, Path(folder).rglob("*"))]:
            path.chmod(0o755)
        file = out / f"m365-drv_{package['version']}-1_{architecture}.deb"
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", folder, str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, SOURCE_DATE_EPOCH=str(when)))


def fill(root, out, template, names, values):
    """Fills a template if all archives that it names have been made."""
    archives = {key: out / name for key, name in names.items()}
    if not all(path.exists() for path in archives.values()):
        return
    text = (root / "release" / template).read_text()
    for key, path in archives.items():
        values[f"{key}_FILE"] = path.name
        values[f"{key}_SHA256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    (out / template.removesuffix(".in")).write_text(text)


def homebrew(root, out, version, repository):
    triples = {"MAC_ARM": "aarch64-apple-darwin", "MAC_INTEL": "x86_64-apple-darwin", "LINUX_ARM": "aarch64-unknown-linux-musl", "LINUX_INTEL": "x86_64-unknown-linux-musl"}
    names = {key: f"m365-drv-{version}-{triple}.tar.gz" for key, triple in triples.items()}
    fill(root, out, "m365-drv.rb.in", names, {"VERSION": version, "REPOSITORY": repository})


def winget(root, out, version, repository):
    names = {"ZIP": f"m365-drv-{version}-x86_64-pc-windows-gnu.zip"}
    for part in ["", ".installer", ".locale.en-US"]:
        fill(root, out, f"winget{part}.yaml.in", names, {"VERSION": version, "REPOSITORY": repository, "FOLDER": names["ZIP"].removesuffix(".zip")})
