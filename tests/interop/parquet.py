"""Parquet that others wrote becomes the events that were put into it.

Writes the same events with pyarrow and with DuckDB, in the layouts of Amazon Security Lake (source version 1.0: gzip,
times as integers, or as Spark writes them; 2.0: zstd, with `time_dt`) and with every codec, then lets auditlake ingest
the folder and compares its export with the events, as JSON values.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet

CODECS = ("none", "snappy", "gzip", "zstd", "brotli", "lz4")
START_MS = 1_767_225_600_123


def event(number):
    """One event as JSON has it: what is absent is left out."""
    time_ms = START_MS + number * 1000
    found = {
        "metadata": {
            "uid": f"e{number}",
            "version": "1.1.0",
            "product": {"name": "CloudTrail", "vendor_name": "AWS", "feature": {"name": "Management"}},
            "profiles": ["cloud", "datetime"],
        },
        "class_uid": 3002 if number % 2 else 6003,
        "category_uid": 3 if number % 2 else 6,
        "activity_id": 1,
        "severity_id": 1,
        "time": time_ms,
        "time_dt": datetime.fromtimestamp(time_ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "cloud": {"provider": "AWS", "region": "eu-central-1"},
        "actor": {"user": {"uid": f"user-{number % 7}", "type": "IAMUser"}},
        "is_mfa": number % 3 == 0,
        "unmapped": {"eventType": "AwsApiCall", "requestParameters.name": f"a\"b\n{number}"},
        "observables": [{"name": "src_endpoint.ip", "type_id": 2, "value": f"192.0.2.{number % 250}"}],
    }
    if number % 5 == 0:
        del found["actor"]
        found["unmapped"] = {}
    return found


def schema(version):
    text, user = pyarrow.string(), [("uid", pyarrow.string()), ("type", pyarrow.string()), ("name", pyarrow.string())]
    feature = pyarrow.struct([("name", text)])
    product = pyarrow.struct([("name", text), ("vendor_name", text), ("feature", feature)])
    profiles = pyarrow.list_(text)
    metadata = [("uid", text), ("version", text), ("product", product), ("profiles", profiles), ("logged_time", pyarrow.int64())]
    observable = pyarrow.struct([("name", text), ("type_id", pyarrow.int32()), ("value", text)])
    fields = [
        ("metadata", pyarrow.struct(metadata)),
        ("class_uid", pyarrow.int32()),
        ("category_uid", pyarrow.int32()),
        ("activity_id", pyarrow.int32()),
        ("severity_id", pyarrow.int32()),
        ("time", pyarrow.int64() if version == "2.0" else pyarrow.timestamp("us")),
        ("cloud", pyarrow.struct([("provider", text), ("region", text)])),
        ("actor", pyarrow.struct([("user", pyarrow.struct(user))])),
        ("is_mfa", pyarrow.bool_()),
        ("unmapped", pyarrow.map_(text, text)),
        ("observables", pyarrow.list_(observable)),
        ("message", text),
    ]
    if version == "2.0":
        fields.insert(6, ("time_dt", pyarrow.timestamp("ms", tz="UTC")))
    return pyarrow.schema(fields)


def as_row(found, version):
    row = dict(found, unmapped=list(found["unmapped"].items()))
    if version == "2.0":
        row["time_dt"] = found["time"]
    else:
        row["time"] = found["time"] * 1000
        del row["time_dt"]
    return row


def write_pyarrow(path, events, version, **options):
    rows = [as_row(found, version) for found in events]
    table = pyarrow.Table.from_pylist(rows, schema=schema(version))
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, path, **options)


def write_duckdb(path, events, codec):
    """As DuckDB reads the JSON: a map as a struct of JSON, times as integers."""
    source = path.with_suffix(".tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    source.write_text("".join(json.dumps(found) + "\n" for found in events))
    columns = {
        "metadata": "STRUCT(uid VARCHAR, version VARCHAR, product JSON, profiles VARCHAR[])",
        "class_uid": "INTEGER",
        "category_uid": "INTEGER",
        "activity_id": "UTINYINT",
        "severity_id": "SMALLINT",
        "time": "BIGINT",
        "time_dt": "VARCHAR",
        "cloud": "STRUCT(provider VARCHAR, region VARCHAR)",
        "actor": 'STRUCT("user" STRUCT(uid VARCHAR, type VARCHAR, name VARCHAR))',
        "is_mfa": "BOOLEAN",
        "unmapped": "MAP(VARCHAR, VARCHAR)",
        "observables": "STRUCT(name VARCHAR, type_id BIGINT, value VARCHAR)[]",
    }
    shown = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    duckdb.sql(
        f"COPY (SELECT * REPLACE (make_timestamp(time * 1000) AS time) FROM read_json('{source}', format='newline_delimited', "
        f"columns={{{shown}}})) TO '{path}' (FORMAT parquet, COMPRESSION {codec})"
    )
    source.unlink()


def run(auditlake, *arguments):
    return subprocess.run([auditlake, *map(str, arguments)], capture_output=True, text=True)


def compare(auditlake, name, write, with_text_of_time, count):
    """Whether the events come back from what `write` makes of them in a folder."""
    events = [event(number) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write(folder / "in", events)
        began = time.monotonic()
        told = run(auditlake, "ingest", folder / "in", "--lake", folder / "lake", "--summary-json", "-")
        took = time.monotonic() - began
        found = [json.loads(line) for line in run(auditlake, "export", "--lake", folder / "lake").stdout.splitlines()]
    expected = []
    for original in events:
        original = dict(original)
        if not with_text_of_time:
            del original["time_dt"]
        expected.append(original)
    key = lambda each: each["metadata"]["uid"]
    is_same = told.returncode == 0 and sorted(found, key=key) == sorted(expected, key=key)
    print(f"{name:<44} {count:>7} events  {count / took:>9.0f}/s  {'agree' if is_same else 'DIFFER'}")
    if not is_same:
        print(told.stderr)
        for one, other in zip(sorted(expected, key=key), sorted(found, key=key)):
            if one != other:
                print(f"    expected {json.dumps(one)}\n    found    {json.dumps(other)}")
                break
    return is_same


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--auditlake", required=True)
    parser.add_argument("--events", type=int, default=5000)
    arguments = parser.parse_args()

    place = "region=eu-central-1/accountId=123456789012/eventDay=20260101"
    halves = lambda events: (events[: len(events) // 2], events[len(events) // 2 :])

    def source_version_1(folder, events):
        for number, half in enumerate(halves(events)):
            path = folder / f"aws/CLOUD_TRAIL_MGMT/1.0/{place}/part-{number}.gz.parquet"
            write_pyarrow(path, half, "1.0", compression="gzip")

    def source_version_1_spark(folder, events):
        path = folder / f"ext/OKTA/1.0/{place}/part-0.snappy.parquet"
        write_pyarrow(path, events, "1.0", compression="snappy", use_deprecated_int96_timestamps=True)

    def source_version_2(folder, events):
        for number, half in enumerate(halves(events)):
            path = folder / f"aws/CLOUD_TRAIL_MGMT/2.0/{place}/part-{number}.zstd.parquet"
            write_pyarrow(path, half, "2.0", compression="zstd", data_page_version="2.0", row_group_size=700)

    checks = [
        ("Security Lake 1.0, pyarrow, gzip", source_version_1, False),
        ("Security Lake 1.0, INT96, snappy", source_version_1_spark, False),
        ("Security Lake 2.0, pyarrow, zstd", source_version_2, True),
    ]
    for codec in CODECS:
        pages = lambda folder, events, codec=codec: write_pyarrow(folder / "a.parquet", events, "2.0", compression=codec)
        checks.append((f"pyarrow, {codec}", pages, True))
        if codec != "none":
            name = "lz4_raw" if codec == "lz4" else codec
            copy = lambda folder, events, name=name: write_duckdb(folder / "a.parquet", events, name)
            checks.append((f"DuckDB, {name}", copy, True))
    verdicts = [compare(arguments.auditlake, *check, arguments.events) for check in checks]
    sys.exit(0 if all(verdicts) else 1)


main()
