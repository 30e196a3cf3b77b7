"""What the benchmarks share: a measured run of a program, and a section of RESULTS.md."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
# The same folder as in .ci/run.
CACHE_HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CACHE = Path(os.environ.get("AUDITLAKE_CACHE") or CACHE_HOME / "auditlake")


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(command):
    """Runs a command: (seconds, peak resident bytes of that process alone, stdout)."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            tail = err.read().decode(errors="replace").strip()[-2000:]
            sys.exit(f"bench: `{command[0]} {command[1]}` exited with {process.returncode}:\n{tail}")
        return seconds, usage.ru_maxrss * 1024, out.read().decode()


def build(binary, *targets):
    """The program to measure: the one that is given, or a release build."""
    if binary:
        return Path(binary).resolve()
    say("building the release profile")
    environment = os.environ | {"CARGO_TARGET_DIR": str(CACHE / "target")}
    command = ["cargo", "build", "--release", "--locked", "--bin", "auditlake", *targets]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return CACHE / "target" / "release" / "auditlake"


def profile(binary):
    """Cargo puts a binary into a folder of its profile's name."""
    return binary.parent.name if binary.parent.name in ("release", "debug") else "unknown"


def version(binary):
    return run([binary, "--version"])[2].strip()


def machine():
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{model}, {os.cpu_count()} hardware threads, {memory / 2**30:.0f} GiB of memory"


def today():
    return datetime.now(timezone.utc).date().isoformat()


def spread(values, digits=1):
    """The median, and from where to where."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def table(header, rows):
    """A Markdown table; every column but the first is numbers."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def write_section(path, name, title, text):
    """Replaces what stands between the section's markers; a new section goes to the end. The rest is left as it is."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    section = f"{begin}\n## {title}\n\n{text.strip()}\n{end}"
    old = path.read_text() if path.exists() else "# Measurements\n"
    if begin in old and end in old:
        head, rest = old.split(begin, 1)
        new = head + section + rest.split(end, 1)[1]
    else:
        new = old.rstrip("\n") + "\n\n" + section + "\n"
    path.write_text(new)
    say(f"wrote section `{title}` of {path.name}")


def numbers(text):
    return json.loads(text.strip().splitlines()[-1])
