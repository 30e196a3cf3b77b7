"""Contradictions in the ledgers (catalogue B, tier 3), in plain loops."""
from conventions import *

LEDGER_EVENTS = {3005: (1, 2), 3001: (6, 7, 8), 3006: range(1, 9)}


def anomalies(events, p, inputs):
    start, warmup = ms(p["from"]), duration(p["warmup"])
    log = Log(events, ms(p["to"]), p, inputs)
    ledgers, rows = log.ledgers(), []
    first_of = {}
    for e in log.events:
        first_of.setdefault(e["class_uid"], e["time"])

    def row(anomaly, time, subject, item, resource, actor, uid, severity):
        if start <= time:
            rows.append({"anomaly": anomaly, "time": time, "subject_uid": subject, "subject_label": log.label(subject),
                         "item": item, "resource_uid": resource, "actor_uid": actor, "event_uid": uid,
                         "severity_id": severity})

    def last_life(test, e, rank):
        """The activity that stands last at or before the time of `e`."""
        found = [(x["time"], rank(x), c4(x), x["activity_id"]) for x in log.events if test(x) and x["time"] <= e["time"]]
        return max(found)[3] if found else None

    def look(e, ledger, key, effect, entries, others):
        """`entries` are all of the key; `others` those of the same privilege on other resources."""
        t, uid, actor = e["time"], uid_of(e), log.actor(e)
        mine = (t, effect, (uid or "").encode())
        before = [x for x in entries if (x[0], x[2], x[1].encode()) < mine]
        held = bool(before) and before[-1][2] == "open"
        subject = {"access": key[0], "member": key[1] if ledger == "member" else None}.get(ledger)
        group = None if ledger in ("access", "api_key") else "group:" + key[0]
        item = {"access": lambda: key[1], "api_key": lambda: key[0], "member": lambda: group}.get(
            ledger, lambda: f"{group}: {key[1]}")()
        resource = key[2] if ledger in ("access", "group_privilege") else None
        tell = lambda anomaly, severity: row(anomaly, t, subject, item, resource, actor, uid, severity)
        if effect == "close" and not held:
            is_star = resource == "*"
            if any((other == "*") != is_star and held_at(x, t) for other, x in others):
                tell("wildcard_mismatch", 2)
            else:
                tell("close_without_open", 1 if t < first_of[e["class_uid"]] + warmup else 2)
        if effect == "open":
            if held:
                tell("grant_while_held", 1)
            if any(x[0] == t and x[2] == "close" for x in entries):
                tell("same_ms_conflict", 3)
            if subject is not None:
                of = lambda x: is_a(x, 3001, 1, 2, 5, 6) and effective(x) and log.subject(x) == subject
                if last_life(of, e, lambda x: {6: 0, 5: 1}.get(x["activity_id"], 2)) == 6:
                    tell("grant_to_deleted", 3)
                made = [x["time"] for x in log.events if of(x) and x["activity_id"] == 1]
                if made and t < made[0]:
                    tell("grant_before_create", 1)
            if ledger == "member":
                of = lambda x: is_a(x, 3006, 5, 6) and effective(x) and group_key(x) == key[0]
                if last_life(of, e, lambda x: x["activity_id"] == 6) == 5:
                    tell("join_deleted_group", 1)

    key_entries = {}
    for e in log.events:
        if is_key_event(e, log.p) and is_a(e, 3004, 1, 4) and effective(e) and log.key_of(e):
            effect = "open" if e["activity_id"] == 1 else "close"
            key_entries.setdefault(log.key_of(e), []).append((e["time"], uid_of(e) or "", effect, None))
    for entries in key_entries.values():
        entries.sort(key=lambda x: (x[0], x[2], x[1].encode()))
    since = max((r["taken_at"] for r in log.snapshot), default=0)
    for e in log.events:
        for ledger, key, effect in facts(log, e):
            is_early = ledger in ("access", "member") and e["time"] < since
            if (not failed(e) if effect == "open" else successful(e)) and None not in key and not is_early:
                others = [(k[2], x) for k, x in ledgers[ledger].items() if ledger in ("access", "group_privilege")
                          and k[:2] + k[3:] == key[:2] + key[3:] and k[2] != key[2]]
                look(e, ledger, key, effect, ledgers[ledger][key], others)
        is_key = is_key_event(e, log.p) and is_a(e, 3004, 1, 4)
        if is_key and effective(e) and log.key_of(e):
            key = log.key_of(e)
            look(e, "api_key", (key,), "open" if e["activity_id"] == 1 else "close", key_entries[key], ())
        subject, actor, uid, t = log.subject(e), log.actor(e), uid_of(e), e["time"]
        if is_a(e, 3001, 6) and successful(e) and subject is not None and not any(
                x["time"] < t and subject in (log.subject(x), log.actor(x)) for x in log.events):
            row("delete_unknown_account", t, subject, None, None, actor, uid, 1)
        if is_key or is_a(e, e["class_uid"], *LEDGER_EVENTS.get(e["class_uid"], ())):
            item = "group:" + group_key(e) if group_key(e) else entity_key(e)
            if status(e) not in (1, 2):
                row("outcome_unknown", t, subject, item, None, actor, uid, 2)
            if subject is None and not failed(e) and (is_a(e, 3005, 1, 2) or is_a(e, 3001, 7, 8) or is_a(e, 3006, 3, 4)):
                row("subject_unknown", t, None, item, None, actor, uid, 2)
    edges = log.open_keys("subgroup")
    for (group, subgroup), h in edges.items():
        reached = [group]
        for low in reached:
            reached += [high for high, sub in edges if sub == low and high not in reached]
        if subgroup in reached[1:] or subgroup == group:
            row("subgroup_cycle", h["opened"], None, f"group:{group}: {subgroup}", None, h["by"], h["uid"], 3)
    return ordered(rows, lambda r: (r["time"], last(r["event_uid"]), r["anomaly"]))


REPORTS = {
    "access-ledger-anomalies": (anomalies, {"warmup": "P30D"}),
}
