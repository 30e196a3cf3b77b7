"""What the fault tests share: the program under test, its input, faults through LD_PRELOAD, file systems in files."""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

# Small batches, and events stored as they came: the oracle compares values.
CONFIG = "[ingest]\nbatch = \"1MiB\"\n\n[redact]\nenabled = false\n"

# One cause often fails in a hundred places.
SHOWN = 25


def options(about):
    """The options that every script has."""
    parser = argparse.ArgumentParser(description=about.strip(), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, help="the program to test; default: what `cargo build --locked` makes")
    parser.add_argument("--work", type=Path, help="where lakes are made; default: the system's temporary directory")
    parser.add_argument("--keep", type=Path, help="a directory that receives a copy of each lake that is not right")
    parser.add_argument("--seed", type=int, default=1, help="for the random moments and the input")
    return parser


def skip(reason):
    """Ends the script: nothing was tested, and that is no failure."""
    print(f"skipped: {reason}")
    sys.exit(0)


def need(tools, is_root=False):
    """Skips unless all of `tools` (program -> Debian package) are there."""
    if is_root and os.geteuid() != 0:
        skip("needs root, for mounts")
    for tool, package in tools.items():
        if not shutil.which(tool) and not shutil.which(tool, path="/usr/sbin:/sbin"):
            skip(f"`{tool}` is not there (Debian: apt install {package})")


def run(*command, **more):
    """Runs a tool that must succeed; gives its stdout."""
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if ran.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ends with {ran.returncode}: {ran.stderr.strip()}")
    return ran.stdout


class Rig:
    """One test: a working directory, the program, and what was found."""

    def __init__(self, args, stack):
        self.started = time.monotonic()
        self.work = Path(tempfile.mkdtemp(prefix="fault-", dir=args.work))
        stack.callback(shutil.rmtree, self.work, ignore_errors=True)
        self.work.chmod(0o755)
        # A copy: a build that runs meanwhile must not change what is tested.
        self.binary = Path(shutil.copy(args.binary or build(), self.work / "auditlake"))
        self.config = self.work / "auditlake.toml"
        self.config.write_text(CONFIG)
        self.keep = args.keep
        self.found = []

    def command(self, *words, lake=None):
        place = ["--lake", str(lake)] if lake else []
        return [str(self.binary), *map(str, words), *place, "--config", str(self.config)]

    def ingest(self, lake, files, before=(), env=None, **more):
        """Runs `auditlake ingest` to its end."""
        command = [*before, *self.command("ingest", *files, lake=lake)]
        more = {"capture_output": True, "text": True, "timeout": 600} | more
        return subprocess.run(command, env=os.environ | (env or {}), **more)

    def export(self, lake):
        return self.command("export", "-q", lake=lake)

    def events(self, count, seed, days=31):
        """Lines of synthetic events with distinct uids."""
        return run(self.binary, "gen", count, "--quiet", "--seed", seed, "--days", days).splitlines()

    def write(self, name, lines):
        path = self.work / name
        path.write_text("".join(line + "\n" for line in lines))
        return path

    def preload(self):
        """The environment that puts fault.c before the C library."""
        library = self.work / "fault.so"
        if not library.exists():
            need({"gcc": "gcc libc6-dev"})
            run("gcc", "-O1", "-shared", "-fPIC", "-o", library, HERE / "fault.c", "-ldl")
        return {"LD_PRELOAD": str(library)}

    def failed(self, message, lake=None):
        """Notes a failure; the lake that shows it is kept when that was asked for."""
        self.found.append(message)
        if self.keep and lake and lake.exists():
            shutil.copytree(lake, self.keep / f"failure-{len(self.found)}", dirs_exist_ok=True)
        if len(self.found) <= SHOWN:
            print(f"FAILED: {message[:600]}", flush=True)

    def end(self, summary):
        """Prints the verdict and ends the script."""
        print(f"{summary}; {time.monotonic() - self.started:.0f} s")
        if self.found:
            print(f"{len(self.found)} failures; at most {SHOWN} are shown above")
        sys.exit(1 if self.found else 0)


def build():
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("AUDITLAKE_CACHE") or base / "auditlake")
    env = os.environ | {"CARGO_TARGET_DIR": str(cache / "target")}
    subprocess.run(["cargo", "build", "--locked", "--bin", "auditlake"], cwd=REPOSITORY, env=env, check=True)
    return cache / "target/debug/auditlake"


@contextlib.contextmanager
def loop(file, is_direct=False):
    """A loop device over a file; `is_direct`: what it was given is in the file and in no page cache beside it."""
    try:
        device = run("losetup", "--find", "--show", *["--direct-io=on"] * is_direct, file).strip()
    except RuntimeError:
        # Not every file system has it. The file's page cache is part of a copy of the file all the same.
        device = run("losetup", "--find", "--show", file).strip()
    try:
        yield device
    finally:
        run("losetup", "--detach", device)


@contextlib.contextmanager
def mounted(what, where, *flags):
    """A mounted file system."""
    where.mkdir(exist_ok=True)
    run("mount", *flags, what, where)
    try:
        yield where
    finally:
        for _ in range(20):
            ran = subprocess.run(["umount", str(where)], capture_output=True, text=True)
            if ran.returncode == 0:
                break
            time.sleep(0.25)
        else:
            raise RuntimeError(f"cannot unmount {where}: {ran.stderr.strip()}")


def may_mount(work):
    """Skips unless this machine lets us use loop devices and mount."""
    if not Path("/dev/loop-control").exists():
        skip("no loop devices (/dev/loop-control is not there)")
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        image = Path(scratch, "image")
        image.touch()
        os.truncate(image, 16 << 20)
        try:
            run("mkfs.ext4", "-q", image)
            with loop(image) as device, mounted(device, Path(scratch, "mount")):
                pass
        except RuntimeError as error:
            skip(f"may not mount: {error}")
