#!/usr/bin/env python3
"""The catalogue's text in plain loops, as in reference.py: bursts, travel, second factors, off-hours work, one actor's
timeline, and the reports on the log itself.

`reference_events.py [ID ...]` reads <id>.ndjson and <id>.cases.json and writes <id>.expected.json.
"""
import json, math, re, sys
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from reference import (HERE, PRIVILEGED, Log, address, c4, duration, get, is_a, ms, not_failed, outcome, successful,
                       text, uid_of)

DAY = 86_400_000
FOREVER = 1 << 62

ACTIVITIES = {
    3001: ("Account Change", "Create, Enable, Password Change, Password Reset, Disable, Delete, Attach Policy, "
           "Detach Policy, Lock, MFA Factor Enable, MFA Factor Disable, Unlock"),
    3002: ("Authentication", "Logon, Logoff, Authentication Ticket, Service Ticket Request, Service Ticket Renew, "
           "Preauth, Account Switch"),
    3004: ("Entity Management", "Create, Read, Update, Delete, Move, Enroll, Unenroll, Enable, Disable, Activate, "
           "Deactivate, Suspend, Resume"),
    3005: ("User Access Management", "Assign Privileges, Revoke Privileges"),
    3006: ("Group Management", "Assign Privileges, Revoke Privileges, Add User, Remove User, Delete, Create, "
           "Add Subgroup, Remove Subgroup"),
}


def class_of(e):
    return ACTIVITIES[e["class_uid"]][0]


def activity_of(e):
    number, names = e.get("activity_id"), ACTIVITIES[e["class_uid"]][1].split(", ")
    if number is None or number == 0:
        return "Unknown"
    return names[number - 1] if 1 <= number <= len(names) else "Other"


def names_in(values):  # C10: trimmed, no blank ones, once
    found = []
    for value in values or []:
        if text(value) and text(value) not in found:
            found.append(text(value))
    return found


def is_privileged(name, pattern):
    return re.search(pattern, name, re.I) is not None


def entity_key(e):
    return text(get(e, "entity.uid")) or text(get(e, "entity_result.uid")) or text(get(e, "entity.name"))


def group_key(e):
    return text(get(e, "group.uid")) or text(get(e, "group.name"))


def path_of(e):
    return get(e, "http_request.url.path")


def by_bytes(values):
    return sorted({v for v in values if v is not None}, key=str.encode)


# What decides between rows that the catalogue leaves in any order, so that a run gives the same bytes again.
TIES = ("event_uid", "category", "subject_uid", "actor_uid", "target", "path", "action")


def uid_order(uid):
    return (uid is None, (uid or "").encode())


def place(e):  # C9
    def some(location):
        return location and any(location.get(k) is not None for k in ("city", "country", "lat", "long"))
    location = get(e, "src_endpoint.location")
    location = location if some(location) else get(e, "device.location") or {}
    lat, long = location.get("lat"), location.get("long")
    valid = (lat is not None and long is not None and -90 <= lat <= 90 and -180 <= long <= 180
             and not (lat == 0 and long == 0))
    country = text(location.get("country"))
    return country and country.upper(), text(location.get("city")), (lat, long) if valid else None


def mfa_of(e):
    return e["is_mfa"] if e.get("is_mfa") is not None else get(e, "session.is_mfa")


def round1(x):  # half away from zero
    return None if x is None else math.copysign(math.floor(abs(x) * 10 + 0.5) / 10, x)


def closes(e):
    """Activities that narrow access (C7 and the table of effects)."""
    return e.get("activity_id") in {3001: (5, 6, 8, 9, 11), 3004: (4, 7, 9, 11, 12), 3005: (2,), 3006: (2, 4, 5, 8)}.get(
        e["class_uid"], ())


def effective(e):
    return successful(e) if closes(e) else not_failed(e)


def episodes_of(events, threshold, window):
    """Episodes of brute-force-by-user, over the events of one key: lists of (event, n)."""
    n = [sum(e["time"] - window < f["time"] <= e["time"] for f in events) for e in events]
    covered = [(f, n[i]) for i, f in enumerate(events)
               if any(n[j] >= threshold and e["time"] - window < f["time"] <= e["time"] for j, e in enumerate(events))]
    episodes = []
    for f, count in covered:
        if not episodes or f["time"] - episodes[-1][-1][0]["time"] >= window:
            episodes.append([])
        episodes[-1].append((f, count))
    return episodes


def burst(events, p):
    start, to, threshold = ms(p["from"]), ms(p["to"]), int(p["threshold"])
    window, lookback, revokes = duration(p["window"]), duration(p["lookback"]), p["include_revokes"] == "true"
    log = Log(events, to)

    def destroys(e):
        kinds = [(3001, 6), (3004, 4), (3006, 5)] + ([(3005, 2), (3006, 2), (3006, 4)] if revokes else [])
        return successful(e) and any(is_a(e, *kind) for kind in kinds)

    found = [(log.actor(e), e) for e in log.events if destroys(e) and start - lookback <= e["time"] < to]
    rows = []
    for actor in {a for a, _ in found if a}:
        for episode in episodes_of([e for a, e in found if a == actor], threshold, window):
            trigger = min(e["time"] for e, count in episode if count >= threshold)
            if not start <= trigger < to:
                continue
            mine = [e for e, _ in episode]
            service = log.user_type(actor) == "Service"
            targets = {log.subject(e) or entity_key(e) or group_key(e) or path_of(e) for e in mine} - {None}
            severe = len(mine) >= 5 * threshold or (service and any(e["class_uid"] == 3001 for e in mine))
            rows.append({
                "actor_uid": actor, "actor_label": log.label(actor), "first_time": mine[0]["time"],
                "trigger_time": trigger, "last_time": mine[-1]["time"], "actions": len(mine),
                "max_in_window": max(count for _, count in episode), "targets": len(targets),
                "kinds": by_bytes(map(class_of, mine)), "src_ips": by_bytes(map(address, mine)),
                "severity_id": 5 if severe else 4, "finding_key": f"burst-deletion|{actor}|{trigger}",
            })
    rows.sort(key=lambda r: (r["trigger_time"], r["actor_uid"].encode()))
    return rows


def travel(events, p):
    start, to, lookback = ms(p["from"]), ms(p["to"]), duration(p["lookback"])
    fastest, nearest = float(p["max_speed_kmh"]), float(p["min_distance_km"])
    log = Log(events, to)
    last, rows = {}, []
    for e in log.events:
        subject, (country, city, position) = log.subject(e), place(e)
        if not (is_a(e, 3002, 1) and successful(e) and subject and position) or get(e, "session.is_vpn") is True:
            continue
        if e["time"] < start - lookback:
            continue
        prev, last[subject] = last.get(subject), e
        if prev is None or e["time"] < start:
            continue
        prev_country, prev_city, (lat1, long1) = place(prev)
        lat2, long2 = position
        half = (math.sin(math.radians(lat2 - lat1) / 2) ** 2 + math.cos(math.radians(lat1))
                * math.cos(math.radians(lat2)) * math.sin(math.radians(long2 - long1) / 2) ** 2)
        distance = 2 * 6371.0088 * math.asin(min(1, math.sqrt(half)))
        gap = e["time"] - prev["time"]
        speed = distance / (gap / 3_600_000) if gap else None
        same = address(e) is not None and address(e) == address(prev)
        if distance < nearest or same or not (gap == 0 or speed > fastest):
            continue
        mfa = mfa_of(e)
        differ = country is not None and prev_country is not None and country != prev_country
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "prev_time": prev["time"], "time": e["time"],
            "prev_ip": address(prev), "ip": address(e), "prev_country": prev_country, "country": country,
            "prev_city": prev_city, "city": city, "distance_km": round1(distance), "gap_seconds": gap / 1000,
            "speed_kmh": round1(speed), "simultaneous": gap == 0, "is_mfa": mfa, "prev_event_uid": uid_of(prev),
            "event_uid": uid_of(e), "severity_id": 4 if differ and mfa is not True else 3,
            "finding_key": f"impossible-travel|{subject}|{uid_of(prev) or ''}|{uid_of(e) or ''}",
        })
    rows.sort(key=lambda r: (r["time"], r["subject_uid"].encode(), uid_order(r["event_uid"])))
    return rows


def keys_of(e):
    """(privilege, resource, source) that a grant or revocation names (C14, steps 2 and 3 of access-review-as-of)."""
    if e["class_uid"] == 3005 and e.get("activity_id") in (1, 2):
        resources = names_in([text(r.get("uid")) or r.get("name") for r in e.get("resources") or []])
        if not resources:
            old = e.get("resource") or {}
            resources = [text(old.get("uid")) or text(old.get("name")) or "*"]
        return [(name, r, "direct") for name in names_in(e.get("privileges")) for r in resources]
    if e["class_uid"] == 3001 and e.get("activity_id") in (7, 8):
        policies = e.get("policies") or [e.get("policy") or {}]
        return [(name, "*", "policy") for name in names_in([text(p.get("name")) or p.get("uid") for p in policies])]
    return []


def holds_privileged(log, subject, at, pattern):
    """Whether the subject has a privileged key open as of `at` (inclusive): C14 replayed."""
    entries = []
    for e in log.events:
        if e["time"] > at or log.subject(e) != subject or not effective(e):
            continue
        if is_a(e, 3001, 6):
            entries.append((e["time"], 0, uid_of(e) or "", None))
        for key in keys_of(e):
            opens = is_a(e, 3005, 1) or is_a(e, 3001, 7)
            entries.append((e["time"], 1 if opens else 0, uid_of(e) or "", key))
    held = set()
    for _, opens, _, key in sorted(entries, key=lambda x: (x[0], x[1], x[2].encode())):
        if opens:
            held.add(key)
        elif key is None:
            held.clear()
        else:
            held.discard(key)
    return any(is_privileged(name, pattern) for name, _, _ in held)


def factors(events, p):
    start, to, window = ms(p["from"]), ms(p["to"]), duration(p["reenable_window"])
    log = Log(events, to)
    rows = []
    for e in log.events:
        if not (is_a(e, 3001, 10) or is_a(e, 3001, 11)) or not start <= e["time"] < to:
            continue
        subject, actor, t = log.subject(e), log.actor(e), e["time"]
        action = "enable" if e["activity_id"] == 10 else "disable"
        lost = action == "disable" and successful(e)
        again = [x["time"] for x in log.events if is_a(x, 3001, 10) and not_failed(x) and subject
                 and log.subject(x) == subject and t < x["time"] <= t + window and x["time"] < to]
        restored = min(again, default=None) if lost else None
        state = None
        if lost:
            state = "restored" if restored is not None else "pending" if t + window > to else "open"
        by_other = actor is not None and actor != subject
        privileged = subject is not None and holds_privileged(log, subject, t, p["privileged_pattern"])
        if action == "enable":
            severity = 1
        elif state == "open" and privileged:
            severity = 5
        elif state == "open" or (lost and by_other and privileged):
            severity = 4
        else:
            severity = 3 if state == "pending" else 2
        rows.append({
            "time": t, "action": action, "outcome": outcome(e), "subject_uid": subject,
            "subject_label": subject and log.label(subject), "actor_uid": actor,
            "actor_label": actor and log.label(actor), "by_other": by_other, "src_ip": address(e), "state": state,
            "reenabled_time": restored, "privileged": privileged, "event_uid": uid_of(e), "severity_id": severity,
            "finding_key": f"mfa-factor-changes|{action}|{subject or ''}|{t}",
        })
    rows.sort(key=lambda r: [r["time"]] + [uid_order(r[k]) for k in TIES if k in r])
    return rows


def is_admin(log, e):  # C12
    if e["class_uid"] == 3002 or is_a(e, 3004, 2):
        return False
    subject, actor = log.subject(e), log.actor(e)
    own = subject is not None and subject == actor
    return not (e["class_uid"] == 3001 and e.get("activity_id") in (3, 4, 10, 11) and own)


def off_reason(time, p):
    local = datetime.fromtimestamp(time / 1000, timezone.utc).astimezone(ZoneInfo(p["tz"]))
    minutes = lambda text: int(text.split(":")[0]) * 60 + int(text.split(":")[1])
    now = (local.hour * 3_600_000 + local.minute * 60_000 + local.second * 1000 + time % 1000)
    day = local.date().isoformat()
    if p["weekend_off"] == "true" and local.isoweekday() in (6, 7):
        return day, "weekend"
    if day in [d.strip() for d in p["holidays"].split(",")]:
        return day, "holiday"
    if now < minutes(p["business_start"]) * 60_000:
        return day, "before_start"
    return day, "after_end" if now >= minutes(p["business_end"]) * 60_000 else None


def off_hours(events, p):
    start, to = ms(p["from"]), ms(p["to"])
    exempt = [a for a in p["exempt"].split(",") if a]
    log = Log(events, to)
    actions = []
    for e in log.events:
        day, reason = off_reason(e["time"], p)
        if reason and is_admin(log, e) and (not_failed(e) or p["include_failed"] == "true") and log.actor(e) not in exempt:
            actions.append((log.actor(e), day, reason, e))
    rows = []
    for actor, day in {(a, d) for a, d, _, e in actions if start <= e["time"] < to}:
        mine = [(reason, e) for a, d, reason, e in actions if (a, d) == (actor, day) and start <= e["time"] < to]
        first = mine[0][1]["time"]
        changes = sum(e["class_uid"] == 3005 and any(is_privileged(n, p["privileged_pattern"])
                                                     for n in names_in(e.get("privileges"))) for _, e in mine)
        before = any(a == actor and first - 28 * DAY <= e["time"] < first for a, _, _, e in actions)
        rows.append({
            "actor_uid": actor, "actor_label": actor and log.label(actor), "local_date": day, "reason": mine[0][0],
            "actions": len(mine), "privileged_changes": changes, "first_time": first,
            "last_time": mine[-1][1]["time"],
            "activities": by_bytes(f"{class_of(e)}: {activity_of(e)}" for _, e in mine),
            "src_ips": by_bytes(address(e) for _, e in mine),
            "severity_id": 2 if not changes else 3 if before else 4,
            "finding_key": f"off-hours-admin-activity|{actor or ''}|{day}|{first}",
        })
    rows.sort(key=lambda r: (r["local_date"], uid_order(r["actor_uid"])))
    return rows


# The words of step 2, loosely: one other character may stand between two words.
CATEGORIES = {
    "log_access": r"audit[^a-z0-9]?logs?([^a-z]|$)",
    "log_config": r"audit[^a-z0-9]?logs?([^a-z]|$)|webhook|export|retention",
    "auth_config": r"(^|[^a-z])(sso|saml|scim)([^a-z]|$)|auth[^a-z0-9]?connection|domain[^a-z0-9]?verification|"
                   r"verif(y|ied)[^a-z0-9]?domain|(mfa|password)[^a-z0-9]?polic",
    "network_config": r"ip[^a-z0-9]?(allow|white)[^a-z0-9]?list",
    "key_policy": r"third[^a-z0-9]?party[^a-z0-9]?disabling|key[^a-z0-9]?polic",
    "privacy_config": r"conversation[^a-z0-9]?privacy|data[^a-z0-9]?residency",
}


def category(e, patterns):
    words = [text(get(e, "entity.type")), text(get(e, "entity.name")), path_of(e), text(e.get("activity_name"))]
    line = " ".join(w or "" for w in words).lower()
    for name, pattern in patterns.items():
        reads = is_a(e, 3004, 2) or (text(get(e, "http_request.http_method")) or "").upper() == "GET"
        if re.search(pattern, line) and (name != "log_access" or reads):
            return name
    return None


def audit_config(events, p):
    start, to = ms(p["from"]), ms(p["to"])
    patterns = {**CATEGORIES, **json.loads(p["patterns"])}
    readers = [a for a in p["approved_readers"].split(",") if a]
    log = Log(events, to)
    rows, read = [], {}
    for e in log.events:
        kind = category(e, patterns)
        if kind is None or not start <= e["time"] < to:
            continue
        actor = log.actor(e)
        approved = kind == "log_access" and actor in readers
        if approved and (actor, e["time"] // DAY) in read:
            read[actor, e["time"] // DAY]["events"] += 1
            continue
        removes = is_a(e, 3001, 5) or is_a(e, 3001, 6) or is_a(e, 3006, 5) or (
            e["class_uid"] == 3004 and e.get("activity_id") in (4, 9, 11, 12))
        changes = is_a(e, 3001, 1) or is_a(e, 3004, 1) or is_a(e, 3004, 3) or is_a(e, 3006, 6)
        if removes and successful(e):
            severity = 5 if kind == "log_config" else 4
        elif kind == "log_access" and not approved:
            severity = 4
        elif changes and not_failed(e):
            severity = 3
        else:
            severity = 2 if e.get("status_id") == 2 else 1
        target = (text(get(e, "entity.name")) or text(get(e, "entity.uid")) or text(get(e, "group.name"))
                  or group_key(e) or log.subject(e) or path_of(e))
        row = {
            "time": e["time"], "category": kind, "activity": activity_of(e), "outcome": outcome(e), "target": target,
            "actor_uid": actor, "actor_label": actor and log.label(actor), "src_ip": address(e),
            "http_method": text(get(e, "http_request.http_method")), "path": path_of(e), "events": 1,
            "event_uid": uid_of(e), "severity_id": severity,
            "finding_key": f"audit-log-config-changes|{kind}|{actor or ''}|{e['time']}",
        }
        if approved:
            read[actor, e["time"] // DAY] = row
        rows.append(row)
    rows.sort(key=lambda r: [r["time"]] + [uid_order(r[k]) for k in TIES if k in r])
    return rows


def gaps_of(events, start, to, longest, stream_by):
    log = Log(events, FOREVER)  # this report alone sees everything
    rows = []
    for stream in ["all"] if stream_by == "all" else [3001, 3002, 3004, 3005, 3006]:
        mine = [e for e in log.events if stream == "all" or e["class_uid"] == stream]
        points = sorted({e["time"] for e in mine if start <= e["time"] < to})
        before = max((e["time"] for e in mine if e["time"] < start), default=None)
        after = min((e["time"] for e in mine if e["time"] >= to), default=None)
        if not points:
            gaps = [("empty", start, to)]
        else:
            gaps = [("leading", start, points[0])] if before is None else [("inner", before, points[0])]
            gaps += [("inner", a, b) for a, b in zip(points, points[1:])]
            gaps += [("trailing", points[-1], to)] if after is None else [("inner", points[-1], after)]
        for kind, a, b in gaps:
            overlap = min(b, to) - max(a, start)
            if kind != "empty" and not (b - a > longest and overlap > 0):
                continue
            uids = lambda time: [uid_of(e) for e in mine if e["time"] == time and uid_of(e) is not None]
            known = kind != "empty"
            rows.append({
                "stream": str(stream), "gap_type": kind, "gap_start": a, "gap_end": b,
                "gap_seconds": (b - a) / 1000, "overlap_seconds": overlap / 1000,
                "prev_event_uid": max(uids(a), key=str.encode, default=None) if known and kind != "leading" else None,
                "next_event_uid": min(uids(b), key=str.encode, default=None) if known and kind != "trailing" else None,
                "severity_id": 5 if kind == "empty" else 4 if b - a > 4 * longest else 3 if b - a > 2 * longest else 2,
            })
    return sorted(rows, key=lambda r: (r["stream"], r["gap_start"]))


def gaps(events, p):
    return gaps_of(events, ms(p["from"]), ms(p["to"]), duration(p["max_gap"]), p["stream_by"])


def elements(log, e):
    """What the record tells; None where it is not asked for."""
    found = {
        "who": log.actor(e) is not None,
        "subject": bool(log.subject(e) or entity_key(e) or group_key(e)),
        "what": e.get("type_uid") is not None and e.get("activity_id") not in (None, 0)
                and e["type_uid"] == e["class_uid"] * 100 + e["activity_id"],
        "when": text(e.get("time_dt")) is not None,
        "outcome": e.get("status_id") in (1, 2),
        "origin": address(e) is not None,
        "object": {3004: lambda: entity_key(e) is not None, 3005: lambda: bool(names_in(e.get("privileges"))),
                   3006: lambda: group_key(e) is not None}.get(e["class_uid"], lambda: None)(),
        "event_id": uid_of(e) is not None,
        "product": text(get(e, "metadata.product.name")) is not None,
        "version": text(get(e, "metadata.version")) == "1.6.0",
    }
    if e["class_uid"] == 3002 and found["who"]:
        found["subject"] = None
    return found


def completeness(events, p):
    start, to, most = ms(p["from"]), ms(p["to"]), float(p["max_share"])
    log = Log(events, to)
    asked = {}
    for e in log.events:
        if start <= e["time"] < to:
            for element, there in elements(log, e).items():
                if there is not None:
                    asked.setdefault((class_of(e), element), []).append((there, uid_of(e)))
    rows = []
    for (name, element), found in asked.items():
        lacking = [uid for there, uid in found if not there]
        share = len(lacking) / len(found)
        severe = element in ("who", "what", "when", "outcome") and share > 0.5
        rows.append({
            "class": name, "element": element, "events": len(found), "missing": len(lacking), "share": share,
            "example_event_uid": min((u for u in lacking if u is not None), key=str.encode, default=None),
            "severity_id": 4 if severe else 3 if share > most else 1,
        })
    return sorted(rows, key=lambda r: (r["class"], r["element"]))


def failed_admin(events, p):
    start, to, least = ms(p["from"]), ms(p["to"]), int(p["min_failures"])
    log, groups, rows = Log(events, to), {}, []
    for e in log.events:
        if is_admin(log, e) and start <= e["time"] < to:
            groups.setdefault((log.actor(e), e["class_uid"], e.get("activity_id")), []).append(e)
    for (actor, cls, act), group in groups.items():
        bad = [e for e in group if e.get("status_id") == 2]
        if not bad:
            continue
        first = bad[0]["time"]
        later = min((e["time"] for e in group if effective(e) and e["time"] >= first), default=None)
        if len(bad) < least and later is None:
            continue
        number = {"Unknown": 0, "Other": 99}.get(activity_of(bad[0]), act)
        rows.append({
            "actor_uid": actor, "actor_label": actor and log.label(actor),
            "action": f"{class_of(bad[0])}: {activity_of(bad[0])}", "failures": len(bad),
            "targets": len({log.subject(e) or entity_key(e) or group_key(e) for e in bad} - {None}),
            "first_time": first, "last_time": bad[-1]["time"], "later_success": later,
            "status_details": by_bytes(text(e.get("status_detail")) for e in bad),
            "src_ips": by_bytes(map(address, bad)),
            "severity_id": 4 if cls in (3005, 3006) and later is not None else 3 if len(bad) >= 3 * least else 2,
            "finding_key": f"failed-admin-actions|{actor or ''}|{cls * 100 + number}|{first}",
        })
    rows.sort(key=lambda r: (r["last_time"], uid_order(r["actor_uid"]), r["action"]))
    return rows


def after_failures(events, p):
    start, to, threshold, window = ms(p["from"]), ms(p["to"]), int(p["threshold"]), duration(p["window"])
    log = Log(events, to)
    logons, rows = [(log.subject(e), e) for e in log.events if is_a(e, 3002, 1)], []
    for subject, s in logons:
        if not (subject and successful(s) and start <= s["time"] < to):
            continue
        mine = [e for other, e in logons if other == subject]
        before = mine[:next(i for i, e in enumerate(mine) if e is s)]
        last = max((i for i, e in enumerate(before) if successful(e)), default=-1)
        bad = [e for e in before[last + 1:] if e.get("status_id") == 2 and s["time"] - window <= e["time"] < s["time"]]
        if len(bad) < threshold:
            continue
        ip, t, mfa = address(s), s["time"], mfa_of(s)
        ips = by_bytes(map(address, bad))
        new = ip is not None and not any(successful(e) and address(e) == ip and t - 90 * DAY <= e["time"] < t
                                         for e in mine)
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "success_time": t, "failures": len(bad),
            "first_failure": bad[0]["time"], "success_ip": ip, "failure_ips": ips, "same_ip": ip in ips,
            "new_ip": new, "is_mfa": mfa, "event_uid": uid_of(s),
            "severity_id": 4 if new and mfa is not True else 3 if ip in ips or new else 2,
            "finding_key": f"success-after-failures|{subject}|{t}",
        })
    rows.sort(key=lambda r: (r["success_time"], r["subject_uid"].encode(), uid_order(r["event_uid"])))
    return rows


KEY_KINDS = ("api_key,apikey,access_key,service_account_api_key,workspace_api_key,user_api_key,personal_access_token,"
             "token")


def is_api_key(e, kinds):  # C11; third-party-disabling is a setting
    if e["class_uid"] != 3004:
        return False
    kind, path = text(get(e, "entity.type")), path_of(e) or ""
    if kind:
        return re.sub(r"[^a-z0-9]+", "_", kind.lower()) in kinds
    return bool(re.search(r"/api-keys(/|$)", path)) and not re.search(r"/api-keys/third-party-disabling(/|$)", path)


def timeline(events, p):
    start, to, gap = ms(p["from"]), ms(p["to"]), duration(p["burst_gap"])
    wanted = {k: p[k].strip() for k in ("subject", "ip", "session", "entity")}
    log, zone = Log(events, to), ZoneInfo(p["tz"])
    people = {wanted["subject"]}
    for o in log.objects:
        if text(o.get("uid")) == wanted["subject"] or (log.email(o) or "").lower() == wanted["subject"].lower():
            people.add(log.resolve(o))

    def session_of(e):
        own = text(get(e, "session.uid")) if e["class_uid"] == 3002 else None
        return own or text(get(e, "actor.session.uid"))

    def matches(e):
        entity = wanted["entity"]
        things = [text(get(e, x)) for x in ("entity.uid", "entity_result.uid", "entity.name", "group.name")]
        things += [group_key(e), text(get(e, "subgroup.uid")) or text(get(e, "subgroup.name"))]
        return ((not wanted["subject"] or log.actor(e) in people or log.subject(e) in people)
                and (not wanted["ip"] or address(e) == wanted["ip"])
                and (not wanted["session"] or session_of(e) == wanted["session"])
                and (not entity or entity in things or entity in (path_of(e) or "").split("/")))

    rows, seen, last, burst_id = [], set(), None, 1
    for e in log.events:
        t, ip = e["time"], address(e)
        if not start - 90 * DAY <= t < to or not matches(e):
            continue
        is_new = ip is not None and ip not in seen
        seen.add(ip)
        if t < start:
            continue
        if last is not None and t - last > gap:
            burst_id += 1
        actor, subject = log.actor(e), log.subject(e)
        role = None
        if wanted["subject"]:
            acts, suffers = actor in people, subject in people
            role = "both" if acts and suffers else "actor" if acts else "subject"
        policies = [text(x.get("name")) or text(x.get("uid")) for x in e.get("policies") or [e.get("policy") or {}]]
        if e["class_uid"] != 3001:
            policies = []
        parts = names_in(e.get("privileges")) + [text(get(e, "group.name")) or group_key(e)]
        parts += [text(get(e, "entity.name")) or text(get(e, "entity.uid")) or text(get(e, "entity_result.uid"))]
        parts += names_in(policies)
        local = datetime.fromtimestamp(t / 1000, timezone.utc).astimezone(zone)
        uid = uid_of(e)
        rows.append({
            "seq": len(rows) + 1, "time": t, "local_time": local.isoformat(timespec="milliseconds"),
            "gap_seconds": None if last is None else (t - last) / 1000, "burst_id": burst_id, "role": role,
            "class": class_of(e), "activity": activity_of(e), "outcome": outcome(e),
            "actor_uid": actor, "actor_label": actor and log.label(actor),
            "subject_uid": subject, "subject_label": subject and log.label(subject),
            "detail": ", ".join(x for x in parts if x) or None, "src_ip": ip, "country": place(e)[0], "ip_new": is_new,
            "user_agent": text(get(e, "http_request.user_agent")),
            "http_method": text(get(e, "http_request.http_method")), "path": path_of(e), "session_uid": session_of(e),
            "dup_count": 1 if uid is None else sum(uid_of(x) == uid and x.get("time") is not None and x["time"] < to
                                                   for x in events),
            "event_uid": uid, "raw": None, "severity_id": e.get("severity_id") or 0,
        })
        last = t
    return rows


REQUIREMENTS = [
    ("10.2.1.1", "individual access to data"), ("10.2.1.2", "actions of administrators"),
    ("10.2.1.3", "access to audit logs"), ("10.2.1.4", "invalid access attempts"),
    ("10.2.1.5", "changes to identities and credentials"), ("10.2.1.6", "start, stop and pause of audit logs"),
    ("10.2.1.7", "creation and deletion of system-level objects"),
]


def pci(events, p):
    start, to, kinds = ms(p["from"]), ms(p["to"]), p["api_key_kinds"].split(",")
    log = Log(events, to)

    def requirement(e, number):
        c, a, kind = e["class_uid"], e.get("activity_id"), category(e, CATEGORIES)
        if number == "10.2.1.1":
            return (c, a) == (3004, 2)
        if number == "10.2.1.2":
            actor = log.actor(e)
            return (get(e, "actor.user.type_id") == 2 or is_admin(log, e)
                    or (actor is not None and holds_privileged(log, actor, e["time"], p["privileged_pattern"])))
        if number == "10.2.1.3":
            return kind == "log_access"
        if number == "10.2.1.4":
            return e.get("status_id") == 2 and (c != 3002 or a == 1)
        if number == "10.2.1.5":
            return (c == 3001 and a in range(1, 13)) or (c == 3005 and a in (1, 2)) or is_api_key(e, kinds)
        if number == "10.2.1.6":
            return kind == "log_config"
        return (c, a) in ((3004, 1), (3004, 4), (3006, 5), (3006, 6))

    def complete(e):
        found = elements(log, e)
        return all(found[x] is not False for x in ("who", "what", "when", "outcome", "origin", "object"))

    rows = []
    for number, topic in REQUIREMENTS + [("10.2.2", "content of the records")]:
        asked = [number] if number != "10.2.2" else [r for r, _ in REQUIREMENTS]
        mine = [e for e in log.events if any(requirement(e, r) for r in asked)]
        old = [e for e in mine if start - 90 * DAY <= e["time"] < start]
        mine = [e for e in mine if start <= e["time"] < to]
        times = [e["time"] for e in mine]
        if number == "10.2.1.6":
            times += [max(g["gap_start"], start) for g in gaps_of(events, start, to, DAY, "all")]
        share = sum(map(complete, mine)) / len(mine) if mine else None
        status = "evidenced" if times else "silent" if old else "not_in_source"
        lacking = status == "silent" or (share is not None and share < 0.95)
        severity = 3 if status == "not_in_source" else 2 if lacking else 1
        rows.append({
            "requirement": number, "topic": topic, "events": len(times),
            "actors": len({log.actor(e) for e in mine} - {None}),
            "failures": sum(e.get("status_id") == 2 for e in mine),
            "first_time": min(times, default=None), "last_time": max(times, default=None), "complete_share": share,
            "status": status, "example_event_uids": by_bytes(map(uid_of, mine))[:3], "severity_id": severity,
        })
    return rows


def state_of(log, subject):  # C13
    mine = [e for e in log.events if log.subject(e) == subject and e["class_uid"] == 3001 and effective(e)]
    rank = {6: 0, 5: 1, 1: 2, 2: 2}
    life = max((e for e in mine if e.get("activity_id") in rank),
               key=lambda e: (e["time"], rank[e["activity_id"]]), default=None)
    created = max((e["time"] for e in mine if is_a(e, 3001, 1)), default=0)
    lock = max((e for e in mine if e.get("activity_id") in (9, 12) and e["time"] >= created),
               key=lambda e: (e["time"], e["activity_id"] == 12), default=None)
    if life and life["activity_id"] in (5, 6):
        return "disabled" if life["activity_id"] == 5 else "deleted"
    if lock and lock["activity_id"] == 9:
        return "locked"
    return "active" if life or lock else "unknown"


METRICS = ("events_total active_actors accounts_created accounts_deactivated accounts_active_end privileged_grants "
           "privileged_revokes privileged_holders_end logon_success logon_failure logon_failure_rate logon_mfa_share "
           "mfa_factors_disabled password_resets api_keys_created api_keys_deleted destructive_actions "
           "failed_admin_actions off_hours_admin_actions brute_force_episodes log_gap_seconds unattributed_events").split()


def month_of(events, p, begin, end):
    from reference import brute_force
    log, kinds, pattern = Log(events, end), p["api_key_kinds"].split(","), p["privileged_pattern"]
    here = [e for e in log.events if begin <= e["time"] < end]
    count = lambda test: sum(1 for e in here if test(e))
    names = lambda test: sum(is_privileged(n, pattern) for e in here if test(e) for n in names_in(e.get("privileges")))
    subjects = {log.subject(e) for e in log.events} - {None}
    good = [e for e in here if is_a(e, 3002, 1) and successful(e)]
    bad = count(lambda e: is_a(e, 3002, 1) and e.get("status_id") == 2)
    iso = lambda t: datetime.fromtimestamp(t / 1000, timezone.utc).isoformat()
    off = {**p, "weekend_off": "true", "holidays": ""}
    period = {"from": iso(begin), "to": iso(end), "threshold": p["bf_threshold"], "window": p["bf_window"],
              "lookback": "P1D", "success_window": "PT1H"}
    return [float(v) if v is not None else None for v in (
        len(here), len({log.actor(e) for e in here} - {None}),
        count(lambda e: is_a(e, 3001, 1) and not_failed(e)),
        count(lambda e: (is_a(e, 3001, 5) or is_a(e, 3001, 6)) and successful(e)),
        sum(state_of(log, s) == "active" for s in subjects),
        names(lambda e: is_a(e, 3005, 1) and not_failed(e)), names(lambda e: is_a(e, 3005, 2) and successful(e)),
        sum(holds_privileged(log, s, FOREVER, pattern) and state_of(log, s) != "deleted" for s in subjects),
        len(good), bad, bad / (bad + len(good)) if bad + len(good) else None,
        sum(mfa_of(e) is True for e in good) / len(good) if good else None,
        count(lambda e: is_a(e, 3001, 11) and successful(e)), count(lambda e: is_a(e, 3001, 4) and successful(e)),
        count(lambda e: is_a(e, 3004, 1) and is_api_key(e, kinds) and not_failed(e)),
        count(lambda e: is_a(e, 3004, 4) and is_api_key(e, kinds) and successful(e)),
        count(lambda e: (is_a(e, 3001, 6) or is_a(e, 3004, 4) or is_a(e, 3006, 5)) and successful(e)),
        count(lambda e: is_admin(log, e) and e.get("status_id") == 2),
        count(lambda e: is_admin(log, e) and not_failed(e) and off_reason(e["time"], off)[1] is not None),
        len(brute_force(events, period)),
        sum(round(g["overlap_seconds"] * 1000) for g in gaps_of(events, begin, end, duration(p["max_gap"]), "all")) / 1000,
        count(lambda e: log.actor(e) is None and log.subject(e) is None),
    )]


def monthly(events, p):
    year, month = map(int, p["month"].split("-"))
    def first(months):
        y, m = divmod(year * 12 + month - 1 + months, 12)
        return round(datetime(y, m + 1, 1, tzinfo=ZoneInfo(p["tz"])).timestamp() * 1000)
    values = month_of(events, p, first(0), first(1))
    before = month_of(events, p, first(-1), first(0))
    rows = []
    for order, (name, value, previous) in enumerate(zip(METRICS, values, before), 1):
        delta = None if value is None or previous is None else value - previous
        rows.append({"metric_order": order, "metric": name, "value": value, "previous": previous, "delta": delta,
                     "delta_pct": None if delta is None or previous == 0 else round1(100 * delta / previous)})
    return rows


REPORTS = {
    "burst-deletion": (burst, {"threshold": "10", "window": "PT10M", "lookback": "P1D", "include_revokes": "false"}),
    "impossible-travel": (travel, {"max_speed_kmh": "900", "min_distance_km": "100", "lookback": "P1D"}),
    "mfa-factor-changes": (factors, {"reenable_window": "PT12H", "privileged_pattern": PRIVILEGED}),
    "off-hours-admin-activity": (off_hours, {
        "tz": "UTC", "business_start": "08:00", "business_end": "18:00", "weekend_off": "true", "holidays": "",
        "exempt": "", "include_failed": "false", "privileged_pattern": PRIVILEGED}),
    "audit-log-config-changes": (audit_config, {"approved_readers": "", "patterns": "{}"}),
    "log-gaps": (gaps, {"max_gap": "PT24H", "stream_by": "all"}),
    "mandatory-field-completeness": (completeness, {"max_share": "0.01"}),
    "failed-admin-actions": (failed_admin, {"min_failures": "3"}),
    "success-after-failures": (after_failures, {"threshold": "5", "window": "PT30M"}),
    "actor-timeline": (timeline, {"subject": "", "ip": "", "session": "", "entity": "", "tz": "UTC",
                                  "burst_gap": "PT30M", "include_raw": "false"}),
    "pci-10-2-1-coverage-matrix": (pci, {"privileged_pattern": PRIVILEGED, "api_key_kinds": KEY_KINDS}),
    "monthly-executive-summary": (monthly, {
        "tz": "UTC", "business_start": "08:00", "business_end": "18:00", "max_gap": "P1D", "bf_threshold": "5",
        "bf_window": "PT15M", "privileged_pattern": PRIVILEGED, "api_key_kinds": KEY_KINDS}),
}


def write(name):
    report, defaults = REPORTS[name]
    events = [json.loads(line) for line in open(f"{HERE}/{name}.ndjson")]
    out = [(case, report(events, {**defaults, **case})) for case in json.load(open(f"{HERE}/{name}.cases.json"))]
    lines = []
    for case, rows in out:
        found = ",\n".join("    " + json.dumps(row) for row in rows)
        lines.append(f'  {{"parameters": {json.dumps(case)}, "rows": [\n{found}\n  ]}}')
    with open(f"{HERE}/{name}.expected.json", "w") as file:
        file.write("[\n" + ",\n".join(lines) + "\n]\n")
    print(name, len(events), "events", [len(rows) for _, rows in out], "rows")


if __name__ == "__main__":
    for name in sys.argv[1:] or REPORTS:
        write(name)
