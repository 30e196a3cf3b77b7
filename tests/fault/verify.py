"""The oracle of the fault tests: reads a lake with nothing of ours but `auditlake export`, and says what is wrong.

    verify.py LAKE EVENTS.ndjson...  [--binary PATH] [--config FILE]

A lake is right when
* the ledger's entries are numbered from 0 without a hole, and each names the SHA-256 of the one before;
* each entry accounts for every line: read = accepted + duplicate + revised + rejected + blank, accepted = rows of its files;
* every file of the ledger is in place with the ledger's size and SHA-256, and no other Parquet file is;
* the Delta logs name exactly the ledger's files, each once, and the last transaction is the last entry;
* `_staging` is empty;
* `auditlake export` gives exactly the expected events, each once, equal as JSON values.

`after_crash` is the weaker form for a lake that nobody repaired yet, `acknowledged` says what must stand even there.
"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path


class Broken(Exception):
    """The lake is not what it promises to be."""


def demand(is_so, message):
    if not is_so:
        raise Broken(message)


def fingerprint(line):
    """The identity of an event and the hash of its value: what DESIGN leaves out of scope aside (`plain`)."""
    event = json.loads(line)
    uid = (event.get("metadata") or {}).get("uid") or event.get("id")
    text = json.dumps(plain(event), sort_keys=True, separators=(",", ":"))
    return uid, hashlib.sha256(text.encode()).hexdigest()


def plain(value):
    """Without explicit nulls and the spelling of numbers; the order of keys goes when it is printed."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def events(lines):
    """uid -> hash of the value."""
    told = dict(map(fingerprint, lines))
    demand(None not in told, "an event of the input has no uid: such input cannot be judged")
    return told


def ledger(lake):
    """The entries, after their numbers, their chain and their counts were checked."""
    names = sorted(path.name for path in (Path(lake) / "_ledger").glob("*.json") if path.name[0].isdigit())
    entries, before = [], None
    for sequence, name in enumerate(names):
        demand(name == f"{sequence:020}.json", f"the ledger has a hole: {name} where entry {sequence} should be")
        raw = (Path(lake) / "_ledger" / name).read_bytes()
        try:
            entry = json.loads(raw)
        except ValueError as error:
            raise Broken(f"entry {sequence} is not JSON ({len(raw)} bytes): {error}") from None
        demand(entry["sequence"] == sequence, f"{name} says it is entry {entry['sequence']}")
        demand(entry.get("previous") == before, f"the chain is broken before entry {sequence}")
        before = hashlib.sha256(raw).hexdigest()
        if entry["kind"] == "ingest":
            account(entry)
        entries.append(entry)
    return entries


def account(entry):
    counts, sequence = entry["counts"], entry["sequence"]
    parts = sum(counts[name] for name in ("accepted", "duplicate", "revised", "rejected", "blank"))
    demand(counts["read"] == parts, f"entry {sequence} does not account for every line: {counts}")
    rows = {"accepted": 0, "rejected": 0, "revised": 0}
    kinds = {"reject": "rejected", "revision": "revised"}
    for file in entry["files"]:
        rows[kinds.get(file["table"], "accepted")] += file["rows"]
    for kind, number in rows.items():
        demand(number == counts[kind], f"entry {sequence}: {counts[kind]} {kind}, but {number} rows in its files")


def files_of(entries):
    """(table, path) -> the ledger's words about the file."""
    told = {}
    for entry in entries:
        for file in entry.get("files", []):
            place = (file["table"], file["path"])
            demand(place not in told, f"two entries name the file {place}")
            told[place] = file
    return told


def is_intact(place, file):
    if not place.is_file():
        return False
    raw = place.read_bytes()
    return len(raw) == file["bytes"] and hashlib.sha256(raw).hexdigest() == file["sha256"]


def no_stranger(lake, told):
    """No Parquet file where readers look that the ledger does not name."""
    for place in Path(lake).glob("*/event_*=*/*.parquet"):
        table, *rest = place.relative_to(lake).parts
        demand((table, "/".join(rest)) in told, f"{place} is in place, but no ledger entry names it")


def delta(lake):
    """(table, path) -> size, and table -> last transaction, as the Delta logs have them."""
    added, last = {}, {}
    for log in sorted(Path(lake).glob("*/_delta_log")):
        table = log.parent.name
        versions = sorted(path for path in log.glob("*.json") if re.fullmatch(r"\d{20}\.json", path.name))
        for number, path in enumerate(versions):
            demand(path.name == f"{number:020}.json", f"the Delta log of {table} has a hole before {path.name}")
            for line in path.read_text().splitlines():
                try:
                    action = json.loads(line)
                except ValueError:
                    raise Broken(f"{path} is not JSON lines") from None
                if add := action.get("add"):
                    place = (table, add["path"])
                    demand(place not in added, f"the Delta log of {table} adds {add['path']} twice")
                    added[place] = add["size"]
                if remove := action.get("remove"):
                    del added[table, remove["path"]]
                if txn := action.get("txn"):
                    demand(txn["version"] > last.get(table, 0), f"{path}: transaction {txn['version']} again")
                    last[table] = txn["version"]
    return added, last


def after_crash(lake):
    """What must hold at any instant: every entry complete, and nothing visible that is in no entry."""
    entries = ledger(lake)
    told = files_of(entries)
    for (table, path), file in told.items():
        staged = Path(lake) / "_staging" / f"{table}-{path.rsplit('/', 1)[-1]}"
        whole = is_intact(Path(lake) / table / path, file) or is_intact(staged, file)
        demand(whole, f"the ledger names {table}/{path}, but it is neither in place nor staged as it was written")
    no_stranger(lake, told)
    for place in delta(lake)[0]:
        demand(place in told, f"the Delta log names {place}, but no ledger entry does")
    return entries


def acknowledged(lake, sources):
    """Before any repair: each source (path) that a finished run took in is in the ledger, in place and in Delta."""
    entries = after_crash(lake)
    added, _ = delta(lake)
    reached = {}
    for entry in entries:
        for source in entry.get("sources", []):
            reached.setdefault(source["name"], []).append((source["to"]["offset"], entry))
    for source in sources:
        ranges = reached.get(str(source), [])
        end = max((offset for offset, _ in ranges), default=0)
        size = Path(source).stat().st_size
        demand(end == size, f"acknowledged, but lost: {source} is in the ledger up to byte {end} of {size}")
        for _, entry in ranges:
            for file in entry["files"]:
                where = f"{file['table']}/{file['path']} of entry {entry['sequence']}"
                place = Path(lake) / file["table"] / file["path"]
                demand(is_intact(place, file), f"acknowledged, but not in place: {where}")
                demand((file["table"], file["path"]) in added, f"acknowledged, but not in the Delta log: {where}")


def whole(lake):
    """A lake at rest, export aside; gives the entries."""
    entries = ledger(lake)
    demand(entries, "there is no ledger")
    told = files_of(entries)
    for (table, path), file in told.items():
        place = Path(lake) / table / path
        demand(place.exists(), f"{table}/{path} is in the ledger, but not in place")
        demand(is_intact(place, file), f"{table}/{path} is not what the ledger says it is")
    no_stranger(lake, told)
    added, last = delta(lake)
    sizes = {place: file["bytes"] for place, file in told.items()}
    differ = sorted(set(sizes.items()) ^ set(added.items()))
    demand(not differ, f"the Delta logs and the ledger differ: {differ[:3]}")
    for entry in entries:
        for file in entry.get("files", []):
            taken = last[file["table"]]
            demand(taken >= entry["sequence"], f"{file['table']} has taken in entry {taken}, not {entry['sequence']}")
    staged = list((Path(lake) / "_staging").glob("*"))
    demand(not staged, f"`_staging` is not empty: {[path.name for path in staged][:3]}")
    return entries


def check(lake, expected, export):
    """The whole oracle. `expected` is what `events` gave, `export` a command that writes the events to stdout."""
    entries = whole(lake)
    ran = subprocess.run(export, capture_output=True, text=True)
    demand(ran.returncode == 0, f"export ends with {ran.returncode}: {ran.stderr.strip()}")
    seen = {}
    for line in ran.stdout.splitlines():
        uid, value = fingerprint(line)
        demand(uid not in seen, f"doubled: event {uid}")
        seen[uid] = value
    lost, extra = expected.keys() - seen.keys(), seen.keys() - expected.keys()
    demand(not lost, f"lost: {len(lost)} of {len(expected)} events, among them {sorted(lost)[:3]}")
    demand(not extra, f"{len(extra)} events that nobody sent, among them {sorted(extra)[:3]}")
    changed = [uid for uid in seen if seen[uid] != expected[uid]]
    demand(not changed, f"{len(changed)} events are not what came in, among them {changed[:3]}")
    accepted = sum(entry["counts"]["accepted"] for entry in entries if entry["kind"] == "ingest")
    demand(accepted == len(expected), f"the ledger counts {accepted} accepted events, {len(expected)} are there")
    return entries


def main():
    import argparse
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("lake", type=Path)
    options.add_argument("events", type=Path, nargs="+")
    options.add_argument("--binary", default="auditlake")
    options.add_argument("--config")
    args = options.parse_args()
    config = ["--config", args.config] if args.config else []
    expected = events(line for path in args.events for line in path.read_text().splitlines())
    try:
        entries = check(args.lake, expected, [args.binary, "export", "-q", "--lake", args.lake, *config])
    except Broken as error:
        sys.exit(f"broken: {error}")
    print(f"{len(expected)} events, {len(entries)} ledger entries: all as it should be")


if __name__ == "__main__":
    main()
