"""Runs the lines that `auditlake connect` prints, in every library that they are for, over every table and `event`.

Each library counts the rows that it sees, and must see as many as auditlake: in tables with rows, in one without, and in
a lake whose path holds characters that the Delta readers cannot read. Spark itself needs Java; its lines are compiled, and
what they ask of Spark is what Sail is asked. `event` is asked again when its facts were removed, and when the lake is gone,
which must be an error and no table. Every column has a comment, as delta-rs and pyarrow show it.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deltalake import DeltaTable

COUNT = {
    "polars": "events.select(pl.len()).collect().item()",
    "pandas": "events.to_table().num_rows if hasattr(events, 'to_table') else events.num_rows",
    "pyarrow": "events.count_rows() if hasattr(events, 'count_rows') else events.num_rows",
    "duckdb": "duckdb.sql('SELECT count(*) FROM events').fetchall()[0][0]",
    "datafusion": "context.sql('SELECT count(*) AS n FROM events').to_pydict()['n'][0]",
    "sail": "events.count()",
}


def lines(binary, lake, library, table):
    command = [binary, "connect", "--for", library, "--table", table, "--lake", str(lake)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def rows(binary, lake, table):
    command = [binary, "sql", "--lake", str(lake), "--format", "json", "-c", f"SELECT count(*) AS n FROM {table}"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.strip("[] \n"))["n"]


def seen(text, library):
    """How many rows a library sees; what the lines print is thrown away."""
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, f"connect --for {library}", "exec"), names)
    found = eval(COUNT[library], names)
    if "server" in names:
        names["spark"].stop()
        names["server"].stop()
    return found


def without_comment(fields, path=""):
    """The paths of columns and members of structs, as the Delta schema has them, that have no comment."""
    for field in fields:
        here = f"{path}{field['name']}"
        if not field["metadata"].get("comment"):
            yield here
        inner = field["type"]
        if isinstance(inner, dict) and inner["type"] == "array":
            inner = inner["elementType"]
        if isinstance(inner, dict) and inner["type"] == "struct":
            yield from without_comment(inner["fields"], f"{here}.")


def comments(lake, tables):
    """What is wrong with the comments of the tables."""
    for table in tables:
        delta = DeltaTable(str(lake / table))
        yield from (f"{table}.{path} has no comment" for path in without_comment(json.loads(delta.schema().to_json())["fields"]))
        time = delta.to_pyarrow_dataset().schema.field("time")
        if not (time.metadata or {}).get(b"comment", b"").strip():
            yield f"pyarrow shows no comment on {table}.time"


def when_it_goes_wrong(binary, lake, expected):
    """Facts that were removed are made anew; a lake that is gone is an error."""
    text = lines(binary, lake, "pyarrow", "event")
    seen(text, "pyarrow")
    shutil.rmtree(lake / "_facts")
    found = seen(text, "pyarrow")
    if found != expected:
        yield f"without facts: expected {expected} rows of event, found {found}"
    lake.rename(lake.with_name("elsewhere"))
    try:
        yield f"without a lake: found {seen(text, 'pyarrow')} rows of event"
    except subprocess.CalledProcessError:
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--auditlake", required=True, help="the program")
    parser.add_argument("--lake", required=True, type=Path)
    arguments = parser.parse_args()
    binary, lake = os.path.abspath(arguments.auditlake), arguments.lake.resolve()
    os.environ["PATH"] = f"{os.path.dirname(binary)}{os.pathsep}{os.environ['PATH']}"

    tables = sorted(log.parent.name for log in lake.glob("*/_delta_log"))
    expected = {table: rows(binary, lake, table) for table in [*tables, "event"]}
    if 0 not in expected.values():
        sys.exit("notebooks: no table of the lake is without rows")
    differences = count = 0
    with tempfile.TemporaryDirectory() as folder:
        odd = Path(folder) / "a lake, 100%25 'odd'"
        shutil.copytree(lake, odd)
        for library in COUNT:
            # Sail starts a server for each.
            some = ["authentication", min(expected, key=expected.get), "event"] if library == "sail" else expected
            asked = [(lake, table) for table in some] + [(odd, "authentication")]
            for where, table in asked:
                count += 1
                try:
                    found = seen(lines(binary, where, library, table), library)
                except Exception as error:
                    found = f"{type(error).__name__}: {error}"
                if found != expected[table]:
                    differences += 1
                    print(f"    {library}, {table} in {where}: expected {expected[table]} rows, found {found}")
        for table in ["authentication", "event"]:
            compile(lines(binary, lake, "spark", table), f"connect --for spark, {table}", "exec")
        wrong = [*comments(lake, tables), *when_it_goes_wrong(binary, odd, expected["event"])]
        count += len(tables) + 2
        differences += len(wrong)
        for text in wrong:
            print(f"    {text}")
    print(f"{'notebook lines':<34} {count:>5} comparisons  {f'{differences} DIFFER' if differences else 'agree'}")
    sys.exit(differences > 0)


if __name__ == "__main__":
    main()
