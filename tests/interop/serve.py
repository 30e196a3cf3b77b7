#!/usr/bin/env python3
"""Is the vendor's own SDK satisfied with `auditlake serve`, and does every answer keep to our OpenAPI document?

Starts the program over a lake, with the rate limit off, and runs the contract's `sdk_check.py` in every mode that its
README names; then schemathesis against `/openapi.json`. A second and a third server have the wrong tier and a rate
limit of one, for the refusals that depend on them. What the SDK read is compared with what `auditlake export` gives.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SDK_CHECK = ROOT.parent / "shared" / "audit-log-api" / "sdk_check.py"
# All that schemathesis has, but for the check that data which the document allows is accepted: a cursor is any string
# to the document, and only ours are accepted.
CHECKS_LEFT_OUT = "positive_data_acceptance"
EXAMPLES = 25


def fail(text):
    sys.exit(f"serve: {text}")


class Server:
    """The program serving a lake, on a free port, until the block ends; it must then stop on SIGTERM with status 0."""

    def __init__(self, auditlake, lake, work, **options):
        self.config = Path(tempfile.mkstemp(suffix=".toml", dir=work)[1])
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items())
        self.config.write_text(f"[serve]\n{lines}")
        self.command = [auditlake, "serve", "--lake", lake, "--listen", "127.0.0.1:0", "--config", self.config]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline().strip()
        if not line.startswith("http://"):
            fail(f"the server said {line!r} instead of its address")
        return line.removesuffix("/v1/workspace/audit-logs")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=30) != 0:
            fail(f"the server stopped with status {self.process.returncode}")


def output(*command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        fail(f"`{' '.join(map(str, command))}` exited with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


def key(auditlake, lake, user, *options):
    return output(auditlake, "key", "create", "--lake", lake, "--user", user, "--quiet", *options).strip()


def sdk(base, name, *options):
    """One run of the check: its verdict and the last line that it printed."""
    # The key of whoever runs us must not be sent in the place of none.
    environment = {name: value for name, value in os.environ.items() if name != "ELEVENLABS_API_KEY"}
    command = [sys.executable, str(SDK_CHECK), base, *[str(option) for option in options]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    if done.returncode != 0:
        fail(f"sdk_check, {name}: {done.stderr.strip()[-2000:]}")
    return name, done.stdout.splitlines()


def exported(auditlake, lake):
    """Ids of all entries of the five classes."""
    tables = ["account_change", "authentication", "entity_management", "user_access", "group_management"]
    return {json.loads(line)["id"] for line in output(auditlake, "export", "--lake", lake, "--quiet", *tables).splitlines()}


def check_sdk(base, auditlake, lake, keys, more):
    ids = exported(auditlake, lake)
    good = ("--api-key", keys["reader"])
    runs = [
        ("the whole log", base, *good, "--limit", 100, "--order", "desc", "--count", len(ids)),
        ("default limit", base, *good, "--order", "desc", "--class-name", "Account Change"),
        ("401 without a key", base, "--expect-status", 401),
        ("401 with a wrong key", base, "--api-key", "sk_wrong", "--expect-status", 401),
        ("403, permission", base, "--api-key", keys["other"], "--expect-status", 403),
        ("403, tier", more["tier"], *good, "--expect-status", 403),
        ("422", base, *good, "--limit", 101, "--expect-status", 422),
        ("429", more["rate"], *good, "--limit", 1, "--max-retries", 0, "--expect-status", 429),
    ]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for name, lines in pool.map(lambda run: sdk(run[1], run[0], *run[2:]), runs):
            if name == "the whole log":
                read = {json.loads(line)["id"] for line in lines[:-1]}
                if read != ids:
                    fail(f"the SDK read {len(read)} entries, {len(read ^ ids)} of them other than the lake has")
            print(f"sdk_check, {name:<24} as it must be")


def check_document(base, reader):
    command = [
        Path(sys.executable).parent / "schemathesis", "run", f"{base}/openapi.json", "--url", base,
        "-H", f"xi-api-key: {reader}", "--phases", "coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", 1,
        "--exclude-checks", CHECKS_LEFT_OUT, "--continue-on-failure", "--no-color", "--request-timeout", 30,
    ]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [str(part) for part in command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    if done.returncode != 0:
        fail(f"schemathesis:\n{done.stdout[-6000:]}")
    summary = [line.strip() for line in done.stdout.splitlines() if "generated" in line]
    print(f"schemathesis: {summary[0] if summary else 'passed'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--auditlake", required=True, type=Path, help="the program")
    parser.add_argument("--lake", required=True, type=Path)
    arguments = parser.parse_args()
    auditlake, lake = arguments.auditlake.resolve(), arguments.lake.resolve()

    begin = time.monotonic()
    keys = {
        "reader": key(auditlake, lake, "reader", "--permission", "audit_log_read"),
        "other": key(auditlake, lake, "other", "--service-account"),
    }
    with tempfile.TemporaryDirectory() as work:
        with Server(auditlake, lake, work, rate_per_minute=0) as base:
            if SDK_CHECK.exists():
                tier = Server(auditlake, lake, work, rate_per_minute=0, tier="creator")
                rate = Server(auditlake, lake, work, rate_per_minute=1)
                with tier as tier, rate as rate:
                    check_sdk(base, auditlake, lake, keys, {"tier": tier, "rate": rate})
            else:
                print(f"SKIPPED sdk_check: {SDK_CHECK} is not there; the vendor's SDK was not tried")
            check_document(base, keys["reader"])
    reads = output(
        auditlake, "sql", "--lake", lake, "--format", "csv", "-t", "-c",
        "select count(*) from api_activity where actor.user.uid = 'reader' and status_id = 1",
    )
    if int(reads) == 0:
        fail("the reads are not in api_activity")
    print(f"api_activity holds {int(reads)} reads; {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
