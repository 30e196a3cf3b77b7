"""Asks one lake the same questions through auditlake and through readers that know nothing of it.

The plain glob, the Delta log and our own SQL must agree on every number, for each class and month. Beside that: all
files of a class have one schema whose columns have ids, Delta lists exactly the files on disk, their bytes have the digest
that their `Add` carries, rows are sorted by time, and the digest of the rows of a file, computed from the document that
defines it, is the one that the ledger records. DuckDB reads the plain glob only: its Delta extension is a download.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import deltalake
import duckdb
import polars
import pyarrow
import pyarrow.parquet

from digest import digest

# What is asked of every class and month. Rows of `reject` and `revision` are no events and have neither severity nor
# actor; the digest of a line, sixteen bytes, is compared as hex digits.
EVENT_FIGURES = ("rows", "severity", "actors", "digests", "last_digest", "first_us", "last_us")
FIGURES = {"reject": ("rows", "first_us", "last_us"), "revision": ("rows", "digests", "last_digest", "first_us", "last_us")}
MAX_SHOWN = 20
ENCODED = "encode(_digest, 'hex')"


class Check:
    """Counts comparisons of one reader and keeps what differed."""

    def __init__(self, name):
        self.name, self.count, self.differences = name, 0, []

    def equal(self, what, expected, found):
        self.count += 1
        if expected != found:
            self.differences.append(f"{what}: expected {expected}, found {found}")

    def figures(self, table, expected, found):
        """Compares {month: {figure: number}} of one table."""
        self.equal(f"{table}: months", sorted(expected), sorted(found))
        for month in sorted(expected.keys() & found.keys()):
            for figure, number in expected[month].items():
                self.equal(f"{table} {month}: {figure}", number, found[month][figure])

    def each(self, tables, look):
        """Looks at every table; one that cannot be read is a difference like the others, and hides none of them."""
        for table in tables:
            try:
                look(table)
            except Exception as error:
                self.equal(f"{table}: can be read", True, f"{type(error).__name__}: {str(error)[:200]}")

    def report(self):
        verdict = "agree" if not self.differences else f"{len(self.differences)} DIFFER"
        print(f"{self.name:<34} {self.count:>5} comparisons  {verdict}")
        for difference in self.differences[:MAX_SHOWN]:
            print(f"    {difference}")
        if len(self.differences) > MAX_SHOWN:
            print(f"    and {len(self.differences) - MAX_SHOWN} more")
        return not self.differences


def figures_of(table):
    return FIGURES.get(table, EVENT_FIGURES)


def by_month(table, rows):
    """Rows of (month, figure, ...) as {month: {figure: number}}; an absent sum is None everywhere, not 0 or NaN."""
    return {str(month): dict(zip(figures_of(table), numbers, strict=True)) for month, *numbers in rows}


def aggregates(table, microseconds, hexadecimal):
    """The figures as SQL, given the engine's ways to say microseconds and hex digits."""
    sql = {
        "rows": "count(*)",
        "severity": "CAST(sum(severity_id) AS BIGINT)",
        "actors": "count(DISTINCT actor.user.uid)",
        "digests": "count(DISTINCT _digest)",
        "last_digest": f"max({hexadecimal})",
        "first_us": microseconds.format("min(time)"),
        "last_us": microseconds.format("max(time)"),
    }
    return ", ".join(f"{sql[figure]} AS {figure}" for figure in figures_of(table))


def plain_glob(lake, table):
    return str(lake / table / "event_month=*" / "*.parquet")


def with_auditlake(binary, lake, table):
    sql = (
        f"SELECT event_month AS month, {aggregates(table, 'CAST({} AS BIGINT)', ENCODED)}"
        f" FROM {table} GROUP BY event_month ORDER BY event_month"
    )
    command = [binary, "sql", "--lake", str(lake), "-c", sql, "--format", "json"]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"check: auditlake sql exited with {done.returncode} for: {sql}")
    rows = json_rows(done.stdout.decode())
    return by_month(table, [[row["month"], *(row[figure] for figure in figures_of(table))] for row in rows])


def json_rows(text):
    """One array, or one object a line."""
    text = text.strip()
    if text.startswith("["):
        return json.loads(text)
    return [json.loads(line) for line in text.splitlines()]


def with_duckdb(lake, table):
    sql = (
        f"SELECT event_month, {aggregates(table, 'epoch_us({})', 'lower(hex(_digest))')}"
        " FROM read_parquet($glob, hive_partitioning = true) GROUP BY ALL ORDER BY ALL"
    )
    return by_month(table, duckdb.execute(sql, {"glob": plain_glob(lake, table)}).fetchall())


def with_polars(table, frame):
    column = polars.col
    figures = {
        "rows": polars.len(),
        "severity": column("severity_id").sum(),
        # SQL's count(DISTINCT) leaves null out, polars counts it as a value.
        "actors": column("actor").struct.field("user").struct.field("uid").drop_nulls().n_unique(),
        "digests": column("_digest").n_unique(),
        "last_digest": column("_digest").bin.encode("hex").max(),
        "first_us": column("time").min().dt.epoch("us"),
        "last_us": column("time").max().dt.epoch("us"),
    }
    wanted = [figures[figure].alias(figure) for figure in figures_of(table)]
    return by_month(table, frame.group_by("event_month").agg(wanted).collect().rows())


def polars_glob(lake, table):
    return polars.scan_parquet(plain_glob(lake, table), hive_partitioning=True)


def polars_delta(lake, table):
    return polars.scan_delta(str(lake / table))


def with_pandas(lake, table):
    frame = deltalake.DeltaTable(str(lake / table)).to_pandas()
    if "actors" in figures_of(table):
        frame["actor_uid"] = frame["actor"].map(lambda actor: ((actor or {}).get("user") or {}).get("uid"))
    rows = []
    for month, group in frame.groupby("event_month", observed=True):
        times = group["time"].dt.as_unit("us").astype("int64")
        figures = {"rows": len(group), "first_us": int(times.min()), "last_us": int(times.max())}
        if "digests" in figures_of(table):
            figures |= {"digests": int(group["_digest"].nunique()), "last_digest": group["_digest"].map(bytes.hex).max()}
        if "actors" in figures_of(table):
            figures |= {"severity": int(group["severity_id"].sum()), "actors": int(group["actor_uid"].nunique())}
        rows.append([month, *(figures[figure] for figure in figures_of(table))])
    return by_month(table, rows)


def files_on_disk(lake, table):
    return sorted(path.relative_to(lake / table).as_posix() for path in (lake / table).glob("event_month=*/*.parquet"))


def check_schemas(check, lake, table):
    """Readers silently drop columns and struct members that the first file lacks."""
    first, *others = files_on_disk(lake, table)
    expected = pyarrow.parquet.read_schema(lake / table / first)
    for path in others:
        found = pyarrow.parquet.read_schema(lake / table / path)
        check.equal(f"{table}/{path}: columns", expected.names, found.names)
        common = [name for name in expected.names if name in found.names]
        differing = [name for name in common if expected.field(name) != found.field(name)]
        check.equal(f"{table}/{path}: columns of another type", [], differing)


def adds_of(log):
    """The `Add` actions in force, by path, from the JSON commits alone."""
    adds = {}
    for commit in sorted(log.glob("*.json")):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                adds[unquote(action["add"]["path"])] = action["add"]
            if "remove" in action:
                adds.pop(unquote(action["remove"]["path"]), None)
    return adds


def check_files(check, lake, table):
    on_disk = files_on_disk(lake, table)
    root = (lake / table).as_posix() + "/"
    uris = deltalake.DeltaTable(str(lake / table)).file_uris()
    listed = sorted(unquote(uri).removeprefix("file://").removeprefix(root) for uri in uris)
    check.equal(f"{table}: files that Delta lists", on_disk, listed)
    adds = adds_of(lake / table / "_delta_log")
    check.equal(f"{table}: files in the log's JSON", on_disk, sorted(adds))
    for path in on_disk:
        add, content = adds.get(path), (lake / table / path).read_bytes()
        if add is None:
            continue
        tags, digest = add.get("tags") or {}, hashlib.sha256(content).hexdigest()
        check.equal(f"{table}/{path}: sha256", tags.get("sha256"), digest)
        check.equal(f"{table}/{path}: size", add["size"], len(content))
        rows = pyarrow.parquet.read_metadata(lake / table / path).num_rows
        check.equal(f"{table}/{path}: numRecords", json.loads(add["stats"])["numRecords"], rows)


def check_order(check, lake, table):
    for path in files_on_disk(lake, table):
        file = pyarrow.parquet.ParquetFile(lake / table / path)
        last = None
        for group in range(file.num_row_groups):
            times = file.read_row_group(group, columns=["time"])["time"].combine_chunks().cast("int64").to_pylist()
            check.equal(f"{table}/{path}: row group {group} is sorted", True, times == sorted(times))
            check.equal(f"{table}/{path}: row group {group} follows", True, last is None or last <= times[0])
            last = times[-1]


def check_sizes(check, expected, arguments):
    rows = {table: sum(month["rows"] for month in months.values()) for table, months in expected.items()}
    check.equal("rows of all events", arguments.rows, sum(rows[table] for table in rows if table not in FIGURES))
    check.equal("rejects", arguments.rejects, rows.get("reject", 0))
    check.equal("revisions", arguments.revisions, rows.get("revision", 0))


def check_ledger(check, lake, table):
    """What the entries say of each file of a table."""
    told = 0
    for entry in sorted((lake / "_ledger").glob("[0-9]*.json")):
        for file in json.loads(entry.read_text()).get("files", []):
            if file["table"] != table:
                continue
            told += 1
            path = lake / table / file["path"]
            footer = path.read_bytes()[-file["footer"]["bytes"] :]
            check.equal(f"{path.name}: footer", file["footer"]["sha256"], hashlib.sha256(footer).hexdigest())
            rows = pyarrow.parquet.ParquetFile(path).read()
            check.equal(f"{path.name}: digest of its rows", file["digest"], digest(rows))
            ids = [field.metadata.get(b"PARQUET:field_id") for field in rows.schema if field.metadata]
            check.equal(f"{path.name}: columns with an id of their own", len(rows.schema), len(set(ids) - {None}))
    check.equal(f"{table}: files that the ledger tells", len(files_on_disk(lake, table)), told)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--auditlake", required=True, help="the program")
    parser.add_argument("--lake", required=True, type=Path)
    parser.add_argument("--rows", required=True, type=int, help="events that the lake must hold")
    parser.add_argument("--rejects", required=True, type=int, help="rejects that the lake must hold")
    parser.add_argument("--revisions", required=True, type=int, help="later versions that the lake must hold")
    arguments = parser.parse_args()

    lake = arguments.lake.resolve()
    # A table that nothing was written to has no files, and a glob without files is an error to every reader.
    tables = sorted(log.parent.name for log in lake.glob("*/_delta_log") if files_on_disk(lake, log.parent.name))
    expected = {table: with_auditlake(arguments.auditlake, lake, table) for table in tables}
    months = sum(len(months) for months in expected.values())
    files = sum(len(files_on_disk(lake, table)) for table in tables)
    print(f"{len(tables)} tables, {months} partitions, {files} files: {', '.join(tables)}")

    readers = {
        "duckdb, plain glob": with_duckdb,
        "polars, plain glob": lambda lake, table: with_polars(table, polars_glob(lake, table)),
        "polars, delta": lambda lake, table: with_polars(table, polars_delta(lake, table)),
        "pandas through deltalake": with_pandas,
    }
    checks = [Check("auditlake, number of rows")]
    check_sizes(checks[0], expected, arguments)
    for name, reader in readers.items():
        check = Check(name)
        check.each(tables, lambda table: check.figures(table, expected[table], reader(lake, table)))
        checks.append(check)
    properties = {
        "one schema a class": check_schemas,
        "delta's files, sizes, digests": check_files,
        "rows sorted by time": check_order,
        "digests of rows, footers, ids": check_ledger,
    }
    for name, look in properties.items():
        check = Check(name)
        check.each(tables, lambda table: look(check, lake, table))
        checks.append(check)
    # All of them, so that one run shows everything that differs; and a check that compared nothing proves nothing.
    are_fine = [check.report() and check.count > 0 for check in checks]
    return 0 if all(are_fine) else 1


if __name__ == "__main__":
    sys.exit(main())
