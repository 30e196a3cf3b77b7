"""Statements asked of us, of DuckDB and of PostgreSQL, and where the answers differ."""

import csv
import io
import json
import math
import os
import re
import subprocess
from pathlib import Path

from statements import CLASS_UID, COLUMNS, Writer, events, statement

NULL = "\u2400"
MARK = "#judge"
# Rules of our optimizer: without one the answers are the same.
RULES = ["counted_distinct", "window_leaves", "rounded_times", "members_of_casts", "named_leaves", "joins_within"]


def plain(value):
    """A value as all three say it."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    text = str(value)
    if re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text) and ("." in text or "e" in text):
        return number(float(text))
    return {"t": "true", "f": "false"}.get(text, text) if text in ("t", "f") else text


def number(value):
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.9g}"


def ours(auditlake, lake, statements, options=()):
    """Rows or None (an error) for each statement."""
    script = "\\pset null " + NULL + "\n"
    for at, sql in enumerate(statements):
        script += f"select '{MARK}{at}' as marker;\n{sql};\n"
    script += f"select '{MARK}{len(statements)}' as marker;\n"
    run = subprocess.run(
        [auditlake, "sql", "--lake", lake, "--format", "csv", "--keep-going", *options, "-f", "-"],
        input=script, capture_output=True, text=True, encoding="utf-8",
    )
    parts = re.split(rf"^marker\n{MARK}\d+\n", run.stdout, flags=re.M)[1:]
    assert len(parts) == len(statements) + 1, f"{len(parts)} parts of {len(statements)}\n{run.stderr[-2000:]}"
    answers = []
    for part in parts[:-1]:
        rows = list(csv.reader(io.StringIO(part)))
        answers.append(None if not rows else [tuple(plain(v) for v in row) for row in rows[1:]])
    return answers, run.stderr


class DuckDb:
    def __init__(self, lake):
        import duckdb

        self.connection = duckdb.connect()
        self.connection.execute("set timezone = 'UTC'")
        for table in CLASS_UID:
            self.connection.execute(f"create view {table} as select * from read_parquet('{lake}/{table}/event_month=*/*.parquet', hive_partitioning = false)")
        self.connection.execute(f"create view event as {' union all '.join(map(self.of_event, CLASS_UID))}")

    @staticmethod
    def of_event(table):
        """What a class gives to `event`."""
        has = {name for name, _, _ in COLUMNS[table]}
        column = lambda name: Writer("duckdb").column("t", table, name) if name in has else f"'{table}'" if name == "class" else "null"
        return f"select {', '.join(f'{column(name)} as {name}' for name, _, _ in COLUMNS['event'])} from {table} t"

    def answer(self, sql):
        try:
            rows = self.connection.execute(sql).fetchall()
        except Exception as error:  # noqa: BLE001 - whatever it says, it is no answer
            return None, str(error).splitlines()[0]
        return [tuple(plain(v) for v in row) for row in rows], None

    def flat(self):
        """The rows of each table with their columns under flat names, for PostgreSQL."""
        for table, columns in COLUMNS.items():
            column = lambda name: Writer("duckdb").column("t", table, name)
            instant = lambda name: f"strftime({column(name)} at time zone 'UTC', '%Y-%m-%d %H:%M:%S.%f+00')"
            items = ", ".join(instant(name) if kind == "time" else column(name) for name, _, kind in columns)
            yield table, self.connection.execute(f"select {items} from {table} t").fetchall()


class Postgres:
    """A server on a socket, of Debian's package, which goes when we do."""

    def __init__(self, folder, flat):
        binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not binaries:
            raise FileNotFoundError("no PostgreSQL")
        self.bin, self.folder = binaries[-1], Path(folder)
        data = self.folder / "pg"
        # The server refuses to be root.
        self.prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        if self.prefix:
            self.folder.chmod(0o755)
            data.mkdir(mode=0o700)
            subprocess.run(["chown", "postgres", str(data)], check=True)
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        subprocess.run([*self.prefix, self.bin / "initdb", "-D", data, "-U", "judge", "--locale=C", "-E", "UTF8", "-A", "trust"], check=True, **quiet)
        subprocess.run(
            [*self.prefix, self.bin / "pg_ctl", "-D", data, "-w", "-o", f"-k {data} -h '' -c timezone=UTC -c fsync=off", "start"],
            check=True, **quiet,
        )
        self.data = data
        types = {"text": "text", "time": "timestamptz", "int": "bigint", "bool": "boolean", "json": "text", "list": "text[]"}
        script = ""
        for table, rows in flat:
            columns = COLUMNS[table]
            script += f"create table {table} ({', '.join(chr(34) + name + chr(34) + ' ' + types[kind] for name, _, kind in columns)});\n"
            for row in rows:
                script += f"insert into {table} values ({', '.join(self.literal(v, kind) for v, (_, _, kind) in zip(row, columns))});\n"
        self.run(script)

    @staticmethod
    def literal(value, kind):
        if value is None:
            return "null"
        quote = lambda text: "'" + str(text).replace("'", "''") + "'"
        if kind == "list":
            return "array[" + ", ".join(quote(v) for v in value) + "]::text[]"
        return quote(value)

    def run(self, script):
        return subprocess.run(
            ["psql", "-h", str(self.data), "-U", "judge", "-d", "postgres", "-q", "--csv", "-P", f"null={NULL}", "-f", "-"],
            input=script, capture_output=True, text=True, encoding="utf-8",
        )

    def answers(self, statements):
        script = "".join(f"\\echo {MARK}{at}\n{sql};\n" for at, sql in enumerate(statements)) + f"\\echo {MARK}{len(statements)}\n"
        out = self.run(script).stdout
        parts = re.split(rf"^{MARK}\d+\n", out, flags=re.M)[1:]
        answers = []
        for part in parts[:-1]:
            rows = list(csv.reader(io.StringIO(part)))
            answers.append(None if not rows else [tuple(plain(v) for v in row) for row in rows[1:]])
        return answers

    def stop(self):
        subprocess.run([*self.prefix, self.bin / "pg_ctl", "-D", self.data, "-m", "immediate", "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


# Files into which the events of the second lake go: more than a scan has streams, fewer than are merged by themselves.
PIECES = 16


def make_lake(auditlake, folder, name, files):
    lake = Path(folder) / name
    for at, lines in enumerate(files):
        file = Path(folder) / f"{name}-{at}.ndjson"
        file.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in lines), encoding="utf-8")
        subprocess.run([auditlake, "ingest", str(file), "--lake", str(lake), "--quiet"], check=True)
    return lake


def in_pieces(files):
    """The same events in many small files whose times overlap."""
    lines = [event for file in files for event in file]
    return [lines[at::PIECES] for at in range(PIECES)]


def is_same(sql, mine, known):
    """Rows in one order where the statement has one, else as sets with copies."""
    is_ordered = re.search(r" order by [^()]*$", sql)
    return mine == known if is_ordered else sorted(mine) == sorted(known)


class Verdict:
    def __init__(self):
        self.differences = []  # seed, statement, ours, theirs
        self.alone = []  # seed, statement, our error: only the others answer
        self.changed = []  # rule, seed, statement, with it, without it
        self.moved = []  # seed, statement, ours, ours over many small files
        self.asked = self.compared = self.peers = self.split = 0


def judge(auditlake, folder, seeds, data_seed=1, without=0, again=0, say=print):
    """
    Asks all the statements; the first `without` also with each rule of our optimizer switched off, and all of them `again`
    so many times over the same events in many small files: which stream of a scan comes first must not matter.
    """
    lake = make_lake(auditlake, folder, "lake", events(data_seed))
    pieces = make_lake(auditlake, folder, "pieces", in_pieces(events(data_seed))) if again else None
    duckdb = DuckDb(lake)
    postgres = None
    try:
        postgres = Postgres(folder, duckdb.flat())
    except FileNotFoundError:
        say("there is no PostgreSQL on this machine: DuckDB judges alone")
    verdict = Verdict()
    try:
        seeds = list(seeds)
        for begin in range(0, len(seeds), 100):
            chunk = seeds[begin : begin + 100]
            statements = [statement(seed, "ours") for seed in chunk]
            mine, errors = ours(auditlake, str(lake), statements)
            third = postgres.answers([statement(seed, "postgres") for seed in chunk]) if postgres else [None] * len(chunk)
            said = iter(re.findall(r"^error: (.*)$", errors, flags=re.M))
            verdict.asked += len(chunk)
            for at, seed in enumerate(chunk):
                theirs, _ = duckdb.answer(statement(seed, "duckdb"))
                known = [answer for answer in (theirs, third[at]) if answer is not None]
                verdict.peers += len(known)
                sql = statements[at]
                if mine[at] is None:
                    error = next(said, "?")
                    if known:
                        verdict.alone.append((seed, sql, error))
                    continue
                if not known:
                    continue
                verdict.compared += 1
                verdict.split += len(known) == 2 and not is_same(sql, *known)
                # Where the others differ from one another, agreeing with one of them is enough.
                if not any(is_same(sql, mine[at], answer) for answer in known):
                    verdict.differences.append((seed, sql, mine[at], known))
            for _ in range(again):
                others, _ = ours(auditlake, str(pieces), statements)
                for seed, sql, one, other in zip(chunk, statements, mine, others):
                    if (one is None) != (other is None) or (one is not None and not is_same(sql, one, other)):
                        verdict.moved.append((seed, sql, one, other))
            few = statements[: max(0, without - begin)]
            for rule in RULES if few else []:
                other, _ = ours(auditlake, str(lake), few, ["--without-rule", rule])
                for at, sql in enumerate(few):
                    if (mine[at] is None) != (other[at] is None) or (mine[at] is not None and not is_same(sql, mine[at], other[at])):
                        verdict.changed.append((rule, chunk[at], sql, mine[at], other[at]))
    finally:
        if postgres:
            postgres.stop()
    return verdict
