"""The other engines' way from NDJSON to partitioned zstd Parquet, one a process, so that peak memory is theirs alone.

usage: rivals.py duckdb|chdb|polars FILE FOLDER   does it; prints {"seconds": ...}, without the start of Python
       rivals.py version ENGINE                   prints the engine's version
       rivals.py count FOLDER                     prints {"rows": ..., "files": ..., "bytes": ...} of the Parquet below

All three learn the schema from the same number of lines and partition by class and month, as auditlake does. None of
them removes duplicates, redacts, digests, sorts or fsyncs.
"""

import importlib
import json
import sys
import time
from pathlib import Path

# DuckDB's default. More lines cost all of them a second pass; polars' default of 100 would drop columns.
SAMPLE_LINES = 20_480


def with_duckdb(duckdb, source, folder):
    # No order is promised by the others either; keeping it costs DuckDB time and memory.
    duckdb.execute("SET preserve_insertion_order = false")
    duckdb.execute(f"""
        COPY (
            SELECT *, class_uid AS class, strftime(make_timestamp_ms("time"), '%Y-%m') AS event_month
            FROM read_json('{source}', format = 'newline_delimited', sample_size = {SAMPLE_LINES})
        ) TO '{folder}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (class, event_month))
    """)


def with_chdb(chdb, source, folder):
    month = "formatDateTime(fromUnixTimestamp64Milli(time, 'UTC'), '%Y-%m')"
    chdb.query(f"""
        INSERT INTO FUNCTION file('{folder}/{{_partition_id}}.parquet', 'Parquet')
        PARTITION BY concat('class=', toString(class_uid), '/event_month=', {month}, '/part')
        SELECT * FROM file('{source}', 'JSONEachRow')
        SETTINGS output_format_parquet_compression_method = 'zstd',
                 input_format_max_rows_to_read_for_schema_inference = {SAMPLE_LINES}
    """)


def with_polars(polars, source, folder):
    month = polars.from_epoch("time", "ms").dt.strftime("%Y-%m").alias("event_month")
    lines = polars.scan_ndjson(source, infer_schema_length=SAMPLE_LINES)
    lines.with_columns(polars.col("class_uid").alias("class"), month).sink_parquet(
        polars.PartitionBy(folder, key=["class", "event_month"], include_key=False), compression="zstd", mkdir=True
    )


ENGINES = {"duckdb": with_duckdb, "chdb": with_chdb, "polars": with_polars}


def count(folder):
    parquet = importlib.import_module("pyarrow.parquet")
    # Delta's checkpoints are Parquet too, rejects are no rows.
    files = [path for path in Path(folder).rglob("*.parquet") if not {"_delta_log", "reject"} & set(path.parts)]
    rows = sum(parquet.read_metadata(path).num_rows for path in files)
    return {"rows": rows, "files": len(files), "bytes": sum(path.stat().st_size for path in files)}


def main(arguments):
    match arguments:
        case ["count", folder]:
            print(json.dumps(count(folder)))
        case ["version", engine]:
            print(importlib.import_module(engine).__version__)
        case [engine, source, folder] if engine in ENGINES:
            module = importlib.import_module(engine)
            begin = time.perf_counter()
            ENGINES[engine](module, source, folder)
            print(json.dumps({"seconds": time.perf_counter() - begin}))
        case _:
            sys.exit(__doc__.split("\n\n")[1])


if __name__ == "__main__":
    main(sys.argv[1:])
