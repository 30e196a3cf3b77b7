"""The other engines over Parquet files of a lake, one a process: what auditlake answers, asked of them.

usage: query_engines.py duckdb|chdb|polars FOLDER QUERIES REPEAT   runs QUERIES (JSON: [{name, sql}]) over the tables below
                                                                   FOLDER; a line of JSON for each: seconds, rows, or error
       query_engines.py rewrite LAKE FOLDER                        DuckDB writes the lake's tables anew, its own way
       query_engines.py version ENGINE

Every engine gets the tables as views or scans over the same globs, is started once, and is timed from the text of a
query to its last row. The best of REPEAT runs counts; caches of its own are filled by then.
"""

import importlib
import json
import sys
import time
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

TABLES = ["account_change", "authentication", "entity_management", "group_management", "user_access"]


def pattern(folder, table):
    # `**` would also match Delta's checkpoints.
    return f"{folder}/{table}/event_month=*/*.parquet"


def plain(value):
    """A value as all engines would write it: instants in whole microseconds since the epoch."""
    if isinstance(value, datetime):
        # Without a zone it is UTC: every session here is.
        value = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value
        return round(value.timestamp() * 1_000_000)
    if isinstance(value, date):
        # A month is an instant to some and a day to others.
        return plain(datetime(value.year, value.month, value.day))
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    if isinstance(value, float):
        return int(value) if value == int(value) else round(value, 6)
    return value


class Duckdb:
    def __init__(self, folder):
        self.connection = importlib.import_module("duckdb").connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        for table in TABLES:
            self.connection.execute(
                f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{pattern(folder, table)}', hive_partitioning = true)"
            )

    def run(self, query):
        # Arrow is the fastest way out, and needs no package for time zones.
        return self.connection.execute(query["sql"]).to_arrow_table()

    @staticmethod
    def rows(table):
        return [list(row.values()) for row in table.to_pylist()]


class Chdb:
    def __init__(self, folder):
        self.session = importlib.import_module("chdb.session").Session()
        # Standard SQL where ClickHouse has a switch for it, so that the text can be the same.
        for setting in ["session_timezone = 'UTC'", "join_use_nulls = 1", "enable_analyzer = 1", "union_default_mode = 'ALL'",
                        "aggregate_functions_null_for_empty = 1", "transform_null_in = 0", "cast_keep_nullable = 1"]:
            self.session.query(f"SET {setting}")
        for table in TABLES:
            self.session.query(f"CREATE VIEW {table} AS SELECT * FROM file('{pattern(folder, table)}', 'Parquet')")

    def run(self, query):
        return self.session.query(query["sql"], "JSONCompactEachRowWithNamesAndTypes")

    def rows(self, answer):
        lines = [json.loads(line) for line in str(answer).splitlines()]
        types = lines[1] if len(lines) > 1 else []
        return [[self.value(value, kind) for value, kind in zip(row, types)] for row in lines[2:]]

    @staticmethod
    def value(value, kind):
        if value is None:
            return None
        if "DateTime" in kind:
            return datetime.fromisoformat(value)
        if "Date" in kind:
            return date.fromisoformat(value)
        if "Int" in kind:
            return int(value)
        return value


class Polars:
    def __init__(self, folder):
        self.polars = importlib.import_module("polars")
        scan = self.polars.scan_parquet
        self.tables = {table: scan(pattern(folder, table), hive_partitioning=True) for table in TABLES}
        self.context = self.polars.SQLContext(self.tables)

    def run(self, query):
        if query["name"] in POLARS:
            return POLARS[query["name"]](self.polars, self.tables, query["needles"]).collect()
        return self.context.execute(query["sql"], eager=True)

    @staticmethod
    def rows(frame):
        return frame.rows()


def every(polars, tables):
    """The fragment of that name."""
    who = polars.col("actor").struct.field("user").struct.field("uid").alias("who")
    ip = polars.col("src_endpoint").struct.field("ip").alias("ip")
    columns = ["time", "class_uid", "activity_id", "status_id", who, ip, "_event_uid", "message"]
    return polars.concat([tables[table].select(columns) for table in TABLES])


def between(polars, needles):
    day, next_day = (datetime.fromisoformat(needles[name]).replace(tzinfo=timezone.utc) for name in ("day", "next_day"))
    return (polars.col("time") >= day) & (polars.col("time") < next_day)


def needle(column, name, columns):
    """The first hundred rows whose column is what was looked for."""
    return lambda pl, t, n: (
        every(pl, t).filter(pl.col(column) == n[name]).sort("time", "_event_uid").select(columns).head(100)
    )


# Polars' SQL has no path of three names; what is simple is said in its own language instead.
POLARS = {
    "one-actor": needle("who", "actor", ["time", "class_uid", "activity_id", "message"]),
    "one-address": needle("ip", "address", ["time", "class_uid", "who", "message"]),
    "one-event": needle("_event_uid", "event", ["time", "class_uid", "who", "message"]),
    "one-session": lambda pl, t, n: (
        t["entity_management"]
        .filter(pl.col("actor").struct.field("session").struct.field("uid") == n["session"])
        .sort("time", "_event_uid").select("time", "activity_id", "message").head(100)
    ),
    "one-day": lambda pl, t, n: (
        every(pl, t).filter(between(pl, n)).group_by("class_uid", "activity_id").agg(n=pl.len())
        .sort("class_uid", "activity_id")
    ),
    "one-actor-one-day": lambda pl, t, n: (
        t["entity_management"]
        .filter((pl.col("actor").struct.field("user").struct.field("uid") == n["actor"]) & between(pl, n))
        .sort("time", "_event_uid")
        .select("time", "activity_id", pl.col("entity").struct.field("uid").alias("entity"), "message")
    ),
    "failures-per-user": lambda pl, t, n: (
        t["authentication"].filter(pl.col("status_id") == 2)
        .group_by(pl.col("user").struct.field("uid")).agg(n=pl.len())
        .sort(["n", "uid"], descending=[True, False], nulls_last=True).head(20)
    ),
    "outcomes-per-hour": lambda pl, t, n: (
        every(pl, t).group_by(pl.col("time").dt.truncate("1h").alias("hour"), "status_id").agg(n=pl.len())
        .sort("hour", "status_id", nulls_last=True).head(1000)
    ),
    "addresses-per-user": lambda pl, t, n: (
        every(pl, t).filter(pl.col("who").is_not_null()).group_by("who")
        .agg(addresses=pl.col("ip").drop_nulls().n_unique(), n=pl.len())
        .sort(["addresses", "who"], descending=[True, False]).head(20)
    ),
    "text-in-message": lambda pl, t, n: (
        every(pl, t).filter(pl.col("message").str.contains("locator", literal=True))
        .group_by("class_uid").agg(n=pl.len()).sort("class_uid")
    ),
    # Its SQL has no operator for JSON.
    "key-in-unmapped": lambda pl, t, n: (
        t["entity_management"].group_by(pl.col("unmapped").str.json_path_match("$.region").alias("region"))
        .agg(n=pl.len()).sort(["n", "region"], descending=[True, False], nulls_last=True).head(10)
    ),
    "all-events": lambda pl, t, n: (
        every(pl, t).select(n=pl.len(), first=pl.col("time").min(), last=pl.col("time").max())
    ),
    "latest-events": lambda pl, t, n: (
        every(pl, t).sort(["time", "_event_uid"], descending=[True, False]).head(50)
        .select("time", "class_uid", "who", "message")
    ),
    "first-seen": lambda pl, t, n: (
        every(pl, t).drop_nulls(["who", "ip"]).group_by("who", "ip").agg(first=pl.col("time").min())
        .group_by(pl.col("first").dt.truncate("1mo").alias("month")).agg(n=pl.len()).sort("month")
    ),
}


ENGINES = {"duckdb": Duckdb, "chdb": Chdb, "polars": Polars}


def measure(engine, query, repeat):
    query["sql"] = query["sql"].rstrip().rstrip(";")
    best, answer = None, None
    for _ in range(repeat):
        begin = time.perf_counter()
        answer = engine.run(query)
        seconds = time.perf_counter() - begin
        best = seconds if best is None else min(best, seconds)
    return {"name": query["name"], "seconds": best, "rows": [[plain(value) for value in row] for row in engine.rows(answer)]}


def run(name, folder, queries, repeat):
    engine = ENGINES[name](folder)
    for query in json.loads(Path(queries).read_text()):
        try:
            answer = measure(engine, query, repeat)
        # Whatever an engine cannot do is part of the result.
        except Exception as error:
            answer = {"name": query["name"], "error": str(error).strip().splitlines()[0][:200]}
        print(json.dumps(answer), flush=True)


def rewrite(lake, folder):
    duckdb = Duckdb(lake)
    for table in TABLES:
        Path(folder, table).mkdir(parents=True, exist_ok=True)
        duckdb.connection.execute(
            f"COPY (SELECT * FROM {table} ORDER BY time) TO '{folder}/{table}' "
            "(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (event_month), OVERWRITE_OR_IGNORE)"
        )


def main(arguments):
    match arguments:
        case ["version", engine]:
            print(importlib.import_module(engine).__version__)
        case ["rewrite", lake, folder]:
            rewrite(lake, folder)
        case [engine, folder, queries, repeat] if engine in ENGINES:
            run(engine, folder, queries, int(repeat))
        case _:
            sys.exit(__doc__.split("\n\n")[1])


if __name__ == "__main__":
    main(sys.argv[1:])
