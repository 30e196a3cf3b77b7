"""Reports on the log as a record: delay, conformance, retention, completeness (catalogue C, G of tier 2), in plain loops."""
from conventions import *

def local_day(time, zone):
    return datetime.fromtimestamp(time / 1000, timezone.utc).astimezone(zone).date()


def at_share(values, percent):
    """The value at a share of the sorted values, between two of them by their distance; milliseconds to seconds."""
    values = sorted(values)
    low, rest = divmod(percent * (len(values) - 1), 100)
    step = values[min(low + 1, len(values) - 1)] - values[low]
    return (values[low] * 100 + step * rest) / 100000


def latency(events, p, inputs):
    start, zone = ms(p["from"]), ZoneInfo(p["tz"])
    tolerance, reorder, most = duration(p["tolerance"]), duration(p["reorder_tolerance"]), duration(p["max_p95"])
    log = Log(events, ms(p["to"]), p, inputs)
    here = [e for e in log.events if start <= e["time"]]
    groups = {}
    for e in here:
        groups.setdefault((local_day(e["time"], zone).isoformat(), class_of(e)), []).append(e)

    def arrival(e):
        return next((get(e, "metadata." + k) for k in ("logged_time", "processed_time")
                     if get(e, "metadata." + k) is not None), None)

    def is_other(time, said):
        there = datetime.fromisoformat(said.replace("Z", "+00:00"))
        return abs(there - datetime.fromtimestamp(time // 1000, timezone.utc) - timedelta(milliseconds=time % 1000)) >= timedelta(
            seconds=1)

    def is_late(e):
        came = arrival(e)
        before = [x["time"] for x in here if arrival(x) is not None and came is not None and arrival(x) < came]
        return bool(before) and max(before) - e["time"] > reorder

    rows = []
    for (day, name), found in groups.items():
        delays = [arrival(e) - e["time"] for e in found if arrival(e) is not None]
        future = sum(arrival(e) is not None and e["time"] > arrival(e) + tolerance for e in found)
        spoken = [(e["time"], text(e.get("time_dt"))) for e in found]
        mismatch = sum(said is not None and is_other(time, said) for time, said in spoken)
        p95 = at_share(delays, 95) if delays else None
        unknown = len(found) - len(delays)
        severity = 4 if future or mismatch else 3 if p95 is not None and p95 * 1000 > most else 2 if unknown else 1
        rows.append({
            "day": day, "class": name, "events": len(found), "no_arrival": unknown,
            "min_delay_s": min(delays) / 1000 if delays else None, "median_delay_s": at_share(delays, 50) if delays else None,
            "p95_delay_s": p95, "max_delay_s": max(delays) / 1000 if delays else None, "future": future,
            "dt_mismatch": mismatch, "out_of_order": sum(map(is_late, found)), "severity_id": severity,
        })
    return ordered(rows, lambda r: (r["day"], r["class"]))


def retention(events, p, inputs):
    zone = ZoneInfo(p["tz"])
    as_of, grace, most = as_of_ms(p["as_of"], p["tz"]), duration(p["grace"]), int(p["max_empty_days"])
    horizon, online = duration(p["horizon"]), duration(p["online"])
    log = Log(events, as_of + 1, p, inputs)

    def days_back(length):
        day, last_day = local_day(as_of - length + 1, zone), local_day(as_of, zone)
        return [day + timedelta(days=n) for n in range((last_day - day).days + 1)]

    def longest_run(days, found):
        longest = run = 0
        for day in days:
            run = 0 if day in found else run + 1
            longest = max(longest, run)
        return longest

    def row(month, days, found, meets, severity):
        full = {local_day(e["time"], zone) for e in found}
        times = [e["time"] for e in found]
        empty = longest_run(days, full)
        return {
            "month": month, "days": len(days), "days_with_events": len(full), "events": len(found),
            "first_time": min(times, default=None), "last_time": max(times, default=None), "longest_empty_days": empty,
            "meets_horizon": meets, "severity_id": severity or (3 if empty > most else 1),
        }

    inside = [e for e in log.events if e["time"] > as_of - horizon]
    months = {}
    for day in days_back(horizon):
        months.setdefault(day.isoformat()[:7], []).append(day)
    earliest = log.events[0]["time"] if log.events else None
    meets = earliest is not None and earliest <= as_of - horizon + grace
    recent = {local_day(e["time"], zone) for e in log.events if e["time"] > as_of - online}
    at_hand = longest_run(days_back(online), recent) <= most
    summary = row(None, days_back(horizon), inside, meets, 4 if not meets else None if at_hand else 3)
    summary["first_time"] = earliest
    return [summary] + [
        row(month, days, [e for e in inside if local_day(e["time"], zone) in days], None, None)
        for month, days in sorted(months.items())]


def source_counts(events, p, inputs):
    start, to, size, settle = ms(p["from"]), ms(p["to"]), duration(p["bucket"]), duration(p["settle"])
    log = Log(events, to, p, inputs)
    tables = {3001: "account_change", 3002: "authentication", 3004: "entity_management", 3005: "user_access",
              3006: "group_management"}
    rows = []

    def ours(begin, end, is_asked):
        here = [e for e in log.events if begin <= e["time"] < end and is_asked(e)]
        return {uid_of(e) for e in here} - {None}, sum(uid_of(e) is None for e in here)

    def row(begin, end, name, theirs, mine, missing, extra):
        status = "equal"
        if end > to - settle:
            status = "open"
        elif mine < theirs or missing:
            status = "missing"
        elif mine > theirs or extra:
            status = "extra"
        rows.append({
            "bucket_start": begin, "bucket_end": end, "class": name, "source_events": theirs, "our_events": mine,
            "difference": mine - theirs, "missing_ids": missing, "extra_ids": extra, "status": status,
            "severity_id": {"missing": 4, "extra": 3}.get(status, 1),
        })

    asked = {}
    for given in inputs.get("source_counts", ()):
        if start <= given["bucket_start"] and given["bucket_end"] <= to:
            key, name = (given["bucket_start"], given["bucket_end"]), text(given["class_name"])
            asked.setdefault(key, {})
            asked[key][name] = asked[key].get(name, 0) + given["events"]
    for (begin, end), by_class in asked.items():
        is_of = lambda e, name: name.lower() in (class_of(e).lower(), tables[e["class_uid"]])
        for name, count in by_class.items():
            uids, nameless = ours(begin, end, lambda e: name is None or is_of(e, name))
            row(begin, end, name, count, len(uids) + nameless, None, None)
        for caption in {class_of(e) for e in log.events}:
            uids, nameless = ours(begin, end, lambda e: class_of(e) == caption and None not in by_class
                                  and not any(is_of(e, name) for name in by_class))
            if uids or nameless:
                row(begin, end, caption, 0, len(uids) + nameless, None, None)
    ids = inputs.get("source_ids", ())
    for begin in range(start, to, size) if ids else ():
        end = min(begin + size, to)
        theirs = {text(x["event_uid"]) for x in ids if begin <= x["time"] < end} - {None}
        uids, nameless = ours(begin, end, lambda e: True)
        if theirs or uids or nameless:
            row(begin, end, None, len(theirs), len(uids) + nameless, len(theirs - uids), len(uids - theirs))
    return ordered(rows, lambda r: (r["bucket_start"], last(r["class"])))


STATUS = {0: "Unknown", 1: "Success", 2: "Failure", 99: "Other"}
SEVERITY = {0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical", 6: "Fatal", 99: "Other"}
RULES = {3: ("class_unknown", "type_uid_wrong", "table_mismatch"), 2: ("activity_unknown", "required_missing", "constraint")}
OUTSIDE = (9001, 3009)  # classes of the fixture that OCSF does not have


def conformance(events, p, inputs):
    start, found = ms(p["from"]), {}
    log = Log([e for e in events if e.get("time") is not None], ms(p["to"]), p, inputs)
    for e in log.events:
        if e["time"] < start:
            continue
        number, activity = e["class_uid"], e.get("activity_id")
        # An event whose category or class name contradicts its class is of another era, and in no table of a class.
        known = number in ACTIVITIES and e.get("category_uid") in (None, 3) and (
            text(e.get("class_name")) or ACTIVITIES[number][0]).lower() == ACTIVITIES[number][0].lower()
        name = ACTIVITIES[number][0] if number in ACTIVITIES else text(e.get("class_name")) or str(number)
        broken = []
        if number in OUTSIDE:
            broken.append(("class_unknown", number))
        if number in ACTIVITIES and not known:
            broken.append(("table_mismatch", number))
        activities = dict(enumerate(ACTIVITIES[number][1].split(", "), 1)) | {0: "Unknown", 99: "Other"} if known else {}
        if known and activity is not None and activity not in activities:
            broken.append(("activity_unknown", activity))
        if e.get("type_uid") is not None and e["type_uid"] != number * 100 + (activity or 0):
            broken.append(("type_uid_wrong", e["type_uid"]))
        if e.get("category_uid") not in (None, number // 1000):
            broken.append(("category_wrong", e["category_uid"]))
        if e.get("status_id") is not None and e["status_id"] not in STATUS:
            broken.append(("status_unknown", e["status_id"]))
        if e.get("severity_id") is not None and e["severity_id"] not in SEVERITY:
            broken.append(("severity_unknown", e["severity_id"]))
        version = text(get(e, "metadata.version"))
        if version not in (None, "1.6.0"):
            broken.append(("version_other", version))
        required = ["metadata", "severity_id"] + ({3001: ["user"], 3002: ["user"], 3004: ["entity"], 3005: ["user", "privileges"],
                                                   3006: ["group"]}.get(number, []) if known else [])
        broken += [("required_missing", attribute) for attribute in required if e.get(attribute) is None]
        if known and number == 3002 and e.get("service") is None and e.get("dst_endpoint") is None:
            broken.append(("constraint", "service or dst_endpoint"))
        for thing, ways in (("user", ["account", "name", "uid"]), ("actor", ["process", "user", "invoked_by", "session",
                                                                            "app_name", "app_uid"])):
            if known and e.get(thing) is not None and all(e[thing].get(way) is None for way in ways):
                broken.append(("constraint", f"{thing}: {', '.join(ways[:-1])} or {ways[-1]}"))
        spoken = [("class_name", number, {number: name} if number in ACTIVITIES else {}), ("category_name", e.get("category_uid"), {
                  3: "Identity & Access Management"} if known else {}),
                  ("type_name", e.get("type_uid"), {number * 100 + n: f"{name}: {a}" for n, a in activities.items() if n != 99})]
        spoken += [("severity", e.get("severity_id"), SEVERITY), ("status", e.get("status_id"), STATUS)]
        for attribute, n, captions in spoken:
            said = text(e.get(attribute))
            if said and n in captions and n != 99 and said.lower() != captions[n].lower():
                broken.append(("caption_mismatch", f"{attribute} {n}: {said}"))
        for rule, value in broken:
            found.setdefault((rule, name, str(value)), []).append(e)
    rows = [{
        "rule": rule, "class": name, "value": value, "events": len(mine), "first_time": mine[0]["time"],
        "last_time": mine[-1]["time"], "example_event_uid": (by_bytes(map(uid_of, mine)) or [None])[0],
        "severity_id": next((s for s, rules in RULES.items() if rule in rules), 1),
    } for (rule, name, value), mine in found.items()]
    return ordered(rows, lambda r: (r["rule"], r["class"].encode(), r["value"].encode()))


def duplicates(events, p, inputs):
    start, to = ms(p["from"]), ms(p["to"])
    log = Log(events, to, p, inputs)
    arrived = {row["sequence"]: row["time"] for row in inputs.get("ingest_log", ())}
    rows = []

    def row(kind, source, uid, name, copies, first, latest, paths=()):
        rows.append({
            "kind": kind, "source": source, "event_uid": uid, "class": name, "copies": copies, "first_time": first,
            "last_time": latest, "changed_paths": by_bytes(paths),
            "severity_id": {"revision": 4, "duplicate": 1}.get(kind, 2),
        })

    days, versions, carriers, alike = {}, {}, {}, {}
    for entry in inputs.get("ingest_log", ()):
        if entry.get("duplicate") and start <= entry["time"] < to:
            days.setdefault((entry["source"], entry["time"] // DAY), []).append(entry)
    for (source, _), entries in days.items():
        times = [entry["time"] for entry in entries]
        row("duplicate", source, None, None, sum(x["duplicate"] for x in entries), min(times), max(times))
    system = ("product_vendor_name", "product_name", "product_uid", "log_name", "log_provider", "tenant_uid", "device")
    for version in inputs.get("revision", ()):
        if start <= version["time"] < to:
            key = tuple(version.get(k) for k in ("class_uid", "time", "_event_uid", *system))
            versions.setdefault(key, []).append(version)
    for (number, _, uid, *_), found in versions.items():
        found.sort(key=lambda v: (v["_batch"], v["_source"], v["line"]))
        times = [arrived[v["_batch"]] for v in found if v["_batch"] in arrived]
        paths = [path for v in found for path in v["changed"]]
        row("revision", found[-1]["_source"], uid, ACTIVITIES[number][0], len(found) + 1, min(times, default=None),
            max(times, default=None), paths)
    for e in log.events:
        if uid_of(e) is not None:
            carriers.setdefault(uid_of(e), []).append(e)
        elif start <= e["time"]:
            key = (e["class_uid"], e.get("activity_id"), e["time"], log.actor(e), log.subject(e), e.get("message"))
            alike.setdefault(key, []).append(e)
    for uid, found in carriers.items():
        if len(found) > 1 and start <= found[0]["time"]:
            row("shared_uid", None, uid, ", ".join(by_bytes(map(class_of, found))), len(found), found[0]["time"],
                found[-1]["time"])
    for (_, _, time, *_), found in alike.items():
        if len(found) > 1:
            row("suspected", None, None, class_of(found[0]), len(found), time, time)
    return ordered(rows, lambda r: (r["first_time"] is None, r["first_time"] or 0, r["kind"], last(r["event_uid"]),
                                    last(r["source"])))


REPORTS = {
    "schema-conformance": (conformance, {}),
    "duplicate-events": (duplicates, {}),
    "event-latency-and-clock-skew": (latency, {"tz": "UTC", "tolerance": "PT1M", "reorder_tolerance": "PT10M",
                                               "max_p95": "PT1H"}),
    "retention-coverage": (retention, {"tz": "UTC", "horizon": "P365D", "online": "P90D", "grace": "P3D",
                                       "max_empty_days": "3"}),
    "source-reconciliation": (source_counts, {"bucket": "PT1H", "settle": "PT24H"}),
}
