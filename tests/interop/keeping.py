"""Keeps a lake as for years, and asks polars and DuckDB what is in it, by the lines that `auditlake connect` prints.

Many small batches are taken in, merged, checked at level 3, thinned by retention under a hold, cleared of a person, and
backed up. After each step both libraries must see as many rows as there should be, in each table. At last pyarrow reads
what `export` writes as Parquet, and what `tar` unpacks of an archive.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet

from notebooks import seen

DAY_MS = 86_400_000
LIBRARIES = ("polars", "duckdb")
CLASSES = {"account_change": 3001, "authentication": 3002, "entity_management": 3004}
# Days ago, of the oldest event; what is older than this is removed.
OLDEST, KEPT = 90, 60


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--auditlake", required=True, help="the program")
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--events", type=int, default=20, help="of each batch")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        check = Check(os.path.abspath(args.auditlake), Path(folder))
        check.run_all(args.batches, args.events)
    print(f"keeping: {args.batches} batches, {check.compared} counts of {', '.join(LIBRARIES)} and pyarrow compared, all equal")


class Check:
    def __init__(self, binary, work):
        self.binary, self.work, self.lake = binary, work, work / "lake"
        self.events, self.compared = {}, 0
        os.environ["PATH"] = f"{os.path.dirname(binary)}{os.pathsep}{os.environ['PATH']}"
        self.config = work / "auditlake.toml"
        self.config.write_text(f'[compact]\nautomatic = false\n\n[retain]\nkeep = "{KEPT}d"\n')

    def program(self, *words, lake=None):
        command = [self.binary, *map(str, words), "--lake", str(lake or self.lake), "--config", str(self.config), "-q"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.work)
        if done.returncode != 0:
            sys.exit(f"keeping: `{' '.join(command[1:])}` exited with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def run_all(self, batches, events):
        now_ms = int(time.time() * 1000) // DAY_MS * DAY_MS
        number = 0
        for batch in range(batches):
            lines = []
            for _ in range(events):
                name = list(CLASSES)[number % len(CLASSES)]
                # A whole day from the limit, whatever the time of the day is.
                days = OLDEST - number * (OLDEST - 1) // (batches * events)
                if days == KEPT:
                    days += 1
                actor = ["usr-held", "usr-erased@corp.example", "usr-other"][number // len(CLASSES) % 3]
                event = {
                    "metadata": {"uid": f"u{number}"}, "class_uid": CLASSES[name], "time": now_ms - days * DAY_MS + number,
                    "activity_id": 1, "actor": {"user": {"uid": actor}}, "message": f"by {actor}",
                }
                self.events[number] = (name, days, actor)
                lines.append(json.dumps(event))
                number += 1
            source = self.work / f"batch-{batch}.ndjson"
            source.write_text("\n".join(lines) + "\n")
            self.program("ingest", source)
        self.compare("taken in", lambda days, actor: True)
        before = self.data_files()
        self.program("compact")
        if self.data_files() * 5 > before:
            sys.exit(f"keeping: {self.data_files()} files are left of {before}")
        self.compare("merged", lambda days, actor: True)
        self.program("verify", "--level", 3)
        self.program("hold", "add", "case-1", "--reason", "a case", "--owner", "legal", "--actor", "usr-held")
        self.program("retain")
        self.compare("retained", lambda days, actor: days <= KEPT or actor == "usr-held")
        self.program("hold", "release", "case-1", "--reason", "settled", "--owner", "legal")
        self.program("retain")
        self.compare("retained without the hold", lambda days, actor: days <= KEPT)
        self.program("erase", "--subject", "usr-erased@corp.example", "--reason", "request 1")
        found = self.program("sql", "--format", "csv", "-c", "select count(*) as n from event where actor_uid like '%corp%'")
        if found.split() != ["n", "0"]:
            sys.exit(f"keeping: the person is there after the erasure: {found}")
        self.compare("erased", lambda days, actor: days <= KEPT)
        self.program("verify", "--level", 3)
        self.program("backup", self.work / "copy")
        self.compare("backed up", lambda days, actor: days <= KEPT, self.work / "copy")
        self.exported()
        self.archived()

    def exported(self):
        """Each file has the columns of the lake's files, with their types and ids, and all rows."""
        folder = self.work / "exported"
        self.program("export", "--format", "parquet", "--output", folder)
        for table in CLASSES:
            files = sorted(self.lake.glob(f"{table}/event_month=*/*.parquet"))
            found = pyarrow.parquet.read_table(folder / f"{table}.parquet", partitioning=None)
            ours = [pyarrow.parquet.read_table(file, partitioning=None) for file in files]
            if any(not found.schema.equals(one.schema, check_metadata=True) for one in ours):
                sys.exit(f"keeping: {table} was exported with other columns than the lake has")
            self.equal(f"rows of {table} that were exported", found.num_rows, sum(one.num_rows for one in ours))

    def archived(self):
        """The rows of the first whole month that is over, by the files of an archive and by a query."""
        months = sorted({path.parent.name for path in self.lake.glob("*/event_month=*/*.parquet")})
        since = months[0].removeprefix("event_month=") + "-01"
        year, month = int(since[:4]), int(since[5:7])
        until = f"{year + month // 12:04}-{month % 12 + 1:02}-01"
        if until > time.strftime("%Y-%m-%d", time.gmtime()):
            sys.exit("keeping: no month of the lake is over: there is nothing to archive")
        archive = self.work / "month.tar"
        self.program("archive", "--since", since, "--until", until, "--output", archive)
        self.program("verify", archive, "--level", 3)
        subprocess.run(["tar", "-xf", archive, "-C", self.work], check=True)
        unpacked = self.work / f"auditlake-{since}-{until}"
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=unpacked, check=True)
        for table in CLASSES:
            sql = f"select count(*) as n from {table} where time >= '{since}' and time < '{until}'"
            expected = int(self.program("sql", "--format", "csv", "-c", sql).split()[1])
            files = unpacked.glob(f"{table}/event_month=*/*.parquet")
            found = sum(pyarrow.parquet.read_table(file, partitioning=None).num_rows for file in files)
            self.equal(f"rows of {table} in the archive of {since}", found, expected)

    def equal(self, what, found, expected):
        self.compared += 1
        if found != expected:
            sys.exit(f"keeping: {what}: {found}, and there should be {expected}")

    def data_files(self):
        return len(list(self.lake.glob("*/event_month=*/*.parquet")))

    def compare(self, when, is_left, lake=None):
        lake = lake or self.lake
        for table in CLASSES:
            expected = sum(name == table and is_left(days, actor) for name, days, actor in self.events.values())
            for library in LIBRARIES:
                text = self.program("connect", "--for", library, "--table", table, lake=lake)
                found = seen(text, library)
                self.compared += 1
                if found != expected:
                    sys.exit(f"keeping: {when}: {library} sees {found} rows of {table}, and there should be {expected}")


if __name__ == "__main__":
    main()
