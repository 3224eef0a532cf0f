"""The crates that are linked into the program: their licences in one text, and the bill of materials (CycloneDX)."""

import json
import re
import subprocess
import uuid
from datetime import datetime, timezone
from pathlib import Path

IS_LICENCE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.I)
# Licences that are alternatives to others and are not the ones chosen need no text of their own, but it does no harm.
STANDARD = {"MIT": "LICENSE-MIT", "Apache-2.0": "LICENSE-APACHE"}


def crates(root, triple):
    """Name, version, licence, checksum and folder of each linked crate: no build script, no procedural macro, no test."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", triple]
    metadata = json.loads(subprocess.run(command, check=True, cwd=root, stdout=subprocess.PIPE).stdout)
    known = {(package["name"], package["version"]): package for package in metadata["packages"]}
    command = ["cargo", "tree", "--locked", "--target", triple, "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}"]
    tree = subprocess.run(command, check=True, cwd=root, stdout=subprocess.PIPE).stdout.decode()
    lines = {tuple(line.split()[:2]) for line in tree.splitlines() if line.strip()}
    lock = re.findall(r'name = "(.+)"\nversion = "(.+)"\nsource = ".+"\nchecksum = "(.+)"', (root / "Cargo.lock").read_text())
    sums = {(name, version): digest for name, version, digest in lock}
    found = []
    for name, version in sorted(lines):
        package = known[name, version.removeprefix("v")]
        if not name.startswith("m365-drv"):
            found.append(dict(package, checksum=sums.get((name, package["version"])), folder=Path(package["manifest_path"]).parent))
    return found


def texts(crate, root):
    """The licence texts that a crate brings; for one that brings none, the standard text of the licence that it names."""
    files = sorted(path for path in crate["folder"].iterdir() if path.is_file() and IS_LICENCE.match(path.name))
    files += sorted(path for path in crate["folder"].glob("licenses/*") if path.is_file())
    files += sorted(path for path in crate["folder"].glob("LICENSES/*") if path.is_file())
    files = [path for path in files if path.suffix not in (".rs", ".html")]
    if files:
        return [path.read_text(errors="replace").replace("\r\n", "\n").strip() for path in files]
    for name, file in STANDARD.items():
        if name in crate["license"]:
            text = (root / file).read_text().strip()
            return [text if name != "MIT" else re.sub(r"^Copyright.*$", f"Copyright (c) {authors(crate)}", text, flags=re.M)]
    raise SystemExit(f"{crate['name']} {crate['version']} ({crate['license']}) has no licence text")


def authors(crate):
    return ", ".join(crate["authors"]) or f"the authors of {crate['name']}"


def licences(found, triple):
    """One text for all: which crates there are, and each licence text once, with the crates that have it."""
    root = Path(__file__).resolve().parent.parent
    parts = ["m365-drv is licensed under MIT or Apache-2.0, at your choice (LICENSE-MIT, LICENSE-APACHE). It contains the crates",
             "listed here; their sources are on https://crates.io. Crates under MPL-2.0 are used unchanged.", ""]
    parts += [f"{crate['name']} {crate['version']}: {crate['license']}" for crate in found]
    by_text, layouts = {}, {}
    for crate in found:
        for text in texts(crate, root):
            # Some copies differ only in how they are laid out.
            text = layouts.setdefault(" ".join(text.split()), text)
            by_text.setdefault(text, []).append(f"{crate['name']} {crate['version']}")
    for path in sorted((root / "release" / "licences").iterdir()):
        if path.stem == "rust" or path.stem == "musl" and "musl" in triple or path.stem == "mingw" and "windows-gnu" in triple:
            by_text.setdefault(path.read_text().strip(), []).append({"rust": "the Rust standard library", "musl": "musl libc", "mingw": "the mingw-w64 runtime"}[path.stem])
    for text, names in by_text.items():
        parts += ["", "=" * 78, *wrapped(names), "-" * 78, "", text]
    return "\n".join(parts) + "\n"


def wrapped(names):
    lines = [""]
    for name in names:
        if lines[-1] and len(lines[-1]) + len(name) > 74:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + name
    return lines


def bill_of_materials(found, package, triple, when):
    """The linked crates as CycloneDX 1.5."""
    component = lambda crate: {
        "type": "library", "bom-ref": f"pkg:cargo/{crate['name']}@{crate['version']}", "name": crate["name"], "version": crate["version"],
        "purl": f"pkg:cargo/{crate['name']}@{crate['version']}",
        "licenses": [{"expression": crate["license"].replace("/", " OR ")}],
        "hashes": [{"alg": "SHA-256", "content": crate["checksum"]}] if crate["checksum"] else [],
    }
    name = f"pkg:cargo/{package['name']}@{package['version']}"
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name + '?target=' + triple)}",
        "metadata": {
            "timestamp": datetime.fromtimestamp(when, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": name, "name": package["name"], "version": package["version"], "purl": name},
        },
        "components": [component(crate) for crate in found],
    }
