"""Reports on behaviour and on the log itself (catalogue F, G and the bursts of A), in plain loops."""
from conventions import *
from logons import episodes_of


def burst(events, p, inputs):
    start, to, threshold = ms(p["from"]), ms(p["to"]), int(p["threshold"])
    window, lookback = duration(p["window"]), duration(p["lookback"])
    log = Log(events, to, p, inputs)

    def destroys(e):
        revokes = p["include_revokes"] == "true" and (is_a(e, 3005, 2) or is_a(e, 3006, 2, 4))
        return successful(e) and (is_a(e, 3001, 6) or is_a(e, 3004, 4) or is_a(e, 3006, 5) or revokes)

    found = [(log.actor(e), e) for e in log.events if destroys(e) and start - lookback <= e["time"]]
    rows = []
    for actor in {a for a, _ in found if a}:
        for episode in episodes_of([e for a, e in found if a == actor], threshold, window):
            trigger = min(e["time"] for e, count in episode if count >= threshold)
            if not start <= trigger:
                continue
            mine = [e for e, _ in episode]
            service = log.user_type(actor) == "Service" and any(e["class_uid"] == 3001 for e in mine)
            rows.append({
                "actor_uid": actor, "actor_label": log.label(actor), "first_time": mine[0]["time"],
                "trigger_time": trigger, "last_time": mine[-1]["time"], "actions": len(mine),
                "max_in_window": max(count for _, count in episode), "targets": len({log.target(e) for e in mine} - {None}),
                "kinds": by_bytes(map(class_of, mine)), "src_ips": by_bytes(map(address, mine)),
                "severity_id": 5 if len(mine) >= 5 * threshold or service else 4,
                "finding_key": finding_key("burst-deletion", actor, trigger),
            })
    return number_equal_keys(ordered(rows, lambda r: (r["trigger_time"], r["actor_uid"].encode())))


# --- C12: the clock

def off_reason(time, p):
    local = datetime.fromtimestamp(time / 1000, timezone.utc).astimezone(ZoneInfo(p["tz"]))
    clock = lambda shown: sum(int(part) * unit for part, unit in zip(shown.split(":"), (3_600_000, 60_000, 1000)))
    now = local.hour * 3_600_000 + local.minute * 60_000 + local.second * 1000 + time % 1000
    day = local.date().isoformat()
    if p["weekend_off"] == "true" and local.isoweekday() in (6, 7):
        return day, "weekend"
    if day in [d.strip() for d in p["holidays"].split(",")]:
        return day, "holiday"
    if now < clock(p["business_start"]):
        return day, "before_start"
    return day, "after_end" if now >= clock(p["business_end"]) else None


def is_exempt_machine(log, e, types):
    actor = log.actor(e)
    if actor is None:
        return False
    return "App" in types if actor.startswith("app:") and not log.has_user_actor(e) else log.user_type(actor) in types


def names_privileged(log, e):
    return any(is_privileged(key[1], key[2], log.p) for ledger, key, _ in facts(log, e)
               if ledger in ("access", "group_privilege"))


def off_hours(events, p, inputs):
    start, to = ms(p["from"]), ms(p["to"])
    exempt = listed(p["exempt"])
    log = Log(events, to, p, inputs)
    types, actions = listed(log.p["exempt_types"]), []
    for e in log.events:
        day, reason = off_reason(e["time"], p)
        if (reason and log.is_admin(e) and (not failed(e) or p["include_failed"] == "true")
                and log.actor(e) not in exempt and not is_exempt_machine(log, e, types)):
            actions.append((log.actor(e), day, reason, e))
    rows = []
    for actor, day in {(a, d) for a, d, _, e in actions if start <= e["time"]}:
        mine = [(reason, e) for a, d, reason, e in actions if (a, d) == (actor, day) and start <= e["time"]]
        first = mine[0][1]["time"]
        changes = sum(names_privileged(log, e) for _, e in mine)
        before = any(a == actor and first - 28 * DAY <= e["time"] < first for a, _, _, e in actions)
        rows.append({
            "actor_uid": actor, "actor_label": log.label(actor), "local_date": day, "reason": mine[0][0],
            "actions": len(mine), "privileged_changes": changes, "first_time": first,
            "last_time": mine[-1][1]["time"],
            "activities": by_bytes(f"{class_of(e)}: {activity_of(e)}" for _, e in mine),
            "src_ips": by_bytes(address(e) for _, e in mine),
            "severity_id": 2 if not changes else 3 if before else 4,
            "finding_key": finding_key("off-hours-admin-activity", actor, day, first),
        })
    return number_equal_keys(ordered(rows, lambda r: (r["local_date"], last(r["actor_uid"]))))


def failed_admin(events, p, inputs):
    start, to, least, window = ms(p["from"]), ms(p["to"]), int(p["min_failures"]), duration(p["window"])
    log = Log(events, to, p, inputs)
    codes, groups, rows = listed(log.p["refusal_codes"]), {}, []
    for e in log.events:
        if log.is_admin(e) and start <= e["time"]:
            groups.setdefault((log.actor(e), e["class_uid"], e.get("activity_id")), []).append(e)
    for (actor, number, activity), group in groups.items():
        refused = [e for e in group if is_refused(e, codes)]
        later = min((e["time"] for e in group if effective(e) and log.target(e) is not None and any(
            log.target(r) == log.target(e) and r["time"] <= e["time"] <= r["time"] + window for r in refused)), default=None)
        if not refused or len(refused) < least and later is None:
            continue
        action = number * 100 + {"Unknown": 0, "Other": 99}.get(activity_of(refused[0]), activity)
        rows.append({
            "actor_uid": actor, "actor_label": log.label(actor),
            "action": f"{class_of(refused[0])}: {activity_of(refused[0])}", "failures": len(refused),
            "targets": len({log.target(e) for e in refused} - {None}),
            "first_time": refused[0]["time"], "last_time": refused[-1]["time"], "later_success": later,
            "status_details": by_bytes(text(e.get("status_detail")) for e in refused),
            "src_ips": by_bytes(map(address, refused)),
            "severity_id": 4 if number in (3005, 3006) and later is not None else 3 if len(refused) >= 3 * least else 2,
            "finding_key": finding_key("failed-admin-actions", actor, action, refused[0]["time"]),
        })
    return number_equal_keys(ordered(rows, lambda r: (r["last_time"], last(r["actor_uid"]), r["action"])))


def timeline(events, p, inputs):
    start, to, gap = ms(p["from"]), ms(p["to"]), duration(p["burst_gap"])
    wanted = {k: p[k].strip() for k in ("subject", "ip", "session", "entity")}
    log, zone = Log(events, to, p, inputs), ZoneInfo(p["tz"])
    people = {wanted["subject"]}
    for o in log.objects:
        if somebody(o.get("uid")) == wanted["subject"] or wanted["subject"].lower() in (
                (log.email(o) or "").lower(), log.qualified(o)):
            people.add(log.resolve(o))

    def session_of(e):
        own = text(get(e, "session.uid")) if e["class_uid"] == 3002 else None
        return own or text(get(e, "actor.session.uid"))

    def matches_all(e):
        entity = wanted["entity"]
        things = [text(get(e, x)) for x in ("entity.uid", "entity_result.uid", "entity.name")] if e["class_uid"] == 3004 else []
        things += [group_key(e), name_of(e.get("group"), "name"), name_of(e.get("subgroup"), "uid", "name")]
        return ((not wanted["subject"] or log.actor(e) in people or log.subject(e) in people)
                and (not wanted["ip"] or address(e) == wanted["ip"])
                and (not wanted["session"] or session_of(e) == wanted["session"])
                and (not entity or entity in things or entity in (path_of(e) or "").split("/")))

    rows, seen, previous, burst_id = [], set(), None, 1
    for e in log.events:
        t, ip = e["time"], address(e)
        if t < start - 90 * DAY or not matches_all(e):
            continue
        is_new = ip is not None and ip not in seen
        seen.add(ip)
        if t < start:
            continue
        if previous is not None and t - previous > gap:
            burst_id += 1
        actor, subject = log.actor(e), log.subject(e)
        role = None
        if wanted["subject"]:
            acts, suffers = actor in people, subject in people
            role = "both" if acts and suffers else "actor" if acts else "subject"
        parts = names_in(e.get("privileges")) + [name_of(e.get("group"), "name") or group_key(e)]
        parts += [(name_of(e.get("entity"), "name") or entity_key(e)) if e["class_uid"] == 3004 else None]
        parts += policies_of(e) if e["class_uid"] == 3001 else []
        local = datetime.fromtimestamp(t / 1000, timezone.utc).astimezone(zone)
        rows.append({
            "seq": len(rows) + 1, "time": t, "local_time": local.isoformat(timespec="milliseconds"),
            "gap_seconds": None if previous is None else (t - previous) / 1000, "burst_id": burst_id, "role": role,
            "class": class_of(e), "activity": activity_of(e), "outcome": outcome(e),
            "actor_uid": actor, "actor_label": log.label(actor),
            "subject_uid": subject, "subject_label": log.label(subject),
            "detail": ", ".join(x for x in parts if x) or None, "src_ip": ip, "country": place(e)[0], "ip_new": is_new,
            "user_agent": text(get(e, "http_request.user_agent")),
            "http_method": text(get(e, "http_request.http_method")), "path": path_of(e), "session_uid": session_of(e),
            "event_uid": uid_of(e), "raw": None, "severity_id": e.get("severity_id") or 0,
        })
        previous = t
    return rows


# --- G The log itself. Words loosely: one other character may stand between two of them.

CATEGORIES = {
    "log_access": r"audit[^a-z0-9]?logs?([^a-z]|$)",
    "log_config": r"audit[^a-z0-9]?logs?([^a-z]|$)|audit[^a-z0-9]?events?([^a-z]|$)|(^|[^a-z])logs?[^a-z0-9]?"
                  r"(export|forward|stream|retention|sink|drain|delivery)|(^|[^a-z])siem([^a-z]|$)",
    "auth_config": r"(^|[^a-z])(sso|saml|scim)([^a-z]|$)|auth[^a-z0-9]?connection|domain[^a-z0-9]?verification|"
                   r"verif(y|ied)[^a-z0-9]?domain|(mfa|password)[^a-z0-9]?polic",
    "network_config": r"ip[^a-z0-9]?(allow|white)[^a-z0-9]?list",
    "key_policy": r"third[^a-z0-9]?party[^a-z0-9]?disabling|key[^a-z0-9]?polic",
    "privacy_config": r"conversation[^a-z0-9]?privacy|data[^a-z0-9]?residency",
    "webhook_config": r"webhook",
}


def category(e, patterns):
    path = re.sub(r"/scim/v[0-9]+/(users|groups)[^ ]*", "", path_of(e) or "", flags=re.I)
    entity = e.get("entity") if e["class_uid"] == 3004 else None
    words = [name_of(entity, "type"), name_of(entity, "name"), path, text(e.get("activity_name"))]
    line = " ".join(w or "" for w in words).lower()
    reads = is_a(e, 3004, 2) or (text(get(e, "http_request.http_method")) or "").upper() == "GET"
    if reads:
        return "log_access" if re.search(patterns["log_access"], line) else None
    if e["class_uid"] not in (3001, 3004, 3005, 3006):
        return None
    return next((name for name in CATEGORIES if name != "log_access" and re.search(patterns[name], line)), None)


def audit_config(events, p, inputs):
    start, to = ms(p["from"]), ms(p["to"])
    patterns = {**CATEGORIES, **json.loads(p["patterns"])}
    readers = listed(p["approved_readers"])
    log = Log(events, to, p, inputs)
    rows, read = [], {}
    for e in log.events:
        kind = category(e, patterns)
        if kind is None or e["time"] < start:
            continue
        actor, day = log.actor(e), datetime.fromtimestamp(e["time"] // 1000, timezone.utc).date().isoformat()
        approved = kind == "log_access" and actor in readers
        if approved and (actor, day) in read:
            read[actor, day]["events"] += 1
            continue
        removes = is_a(e, 3001, 5, 6) or is_a(e, 3004, 4, 9, 11, 12) or is_a(e, 3006, 5)
        if kind == "log_access":
            severity = 1 if approved else 4
        elif kind == "webhook_config":
            severity = 2
        elif removes and effective(e):
            severity = 5 if kind == "log_config" else 4
        else:
            severity = 3 if effective(e) else 2
        target = (name_of(e.get("entity"), "name", "uid") if e["class_uid"] == 3004 else None)
        target = target or name_of(e.get("group"), "name") or group_key(e) or log.subject(e) or path_of(e)
        key = ("log_access", actor, day) if approved else (kind, uid_of(e), e["time"])
        row = {
            "time": e["time"], "category": kind, "activity": activity_of(e), "outcome": outcome(e), "target": target,
            "actor_uid": actor, "actor_label": log.label(actor), "src_ip": address(e),
            "http_method": text(get(e, "http_request.http_method")), "path": path_of(e), "events": 1,
            "event_uid": uid_of(e), "severity_id": severity, "finding_key": finding_key("audit-log-config-changes", *key),
        }
        if approved:
            read[actor, day] = row
        rows.append(row)
    return number_equal_keys(ordered(rows, lambda r: [
        r["time"], *(last(r[k]) for k in ("event_uid", "category", "actor_uid", "target", "path"))]))


def walked(inputs):
    """Stretches that the collector's coverage ledger calls covered, less its holes; touching ones are one."""
    spans = [(r["from_time"] if r["from_time"] is not None else -FOREVER, r["to_time"], r["state"])
             for r in inputs.get("coverage", ())]
    edges = sorted({t for a, b, _ in spans for t in (a, b)})
    found = []
    for a, b in zip(edges, edges[1:]):
        states = [s for x, y, s in spans if x <= a and b <= y]
        if "covered" in states and "hole" not in states:
            if found and found[-1][1] == a:
                found[-1] = (found[-1][0], b)
            else:
                found.append((a, b))
    return found


def is_covered(a, b, windows, longest):
    """[a, b) lies inside the windows but for pieces of at most `longest`."""
    pieces, at = [], a
    for x, y in windows:
        if y <= a or x >= b:
            continue
        pieces.append(max(x, a) - at)
        at = max(at, min(y, b))
    pieces.append(b - at)
    return len(pieces) > 1 and max(pieces) <= longest


def gaps_of(events, start, to, longest, stream_by, inputs):
    log, windows = Log(events, FOREVER), walked(inputs)  # this report alone sees everything
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
            covered = (kind != "leading" and not (kind == "empty" and before is None)
                       and is_covered(max(a, start), min(b, to), windows, longest))
            rows.append({
                "stream": str(stream), "gap_type": kind, "gap_start": a, "gap_end": b,
                "gap_seconds": (b - a) / 1000, "overlap_seconds": overlap / 1000, "covered": covered,
                "prev_event_uid": max(uids(a), key=str.encode, default=None) if kind in ("inner", "trailing") else None,
                "next_event_uid": min(uids(b), key=str.encode, default=None) if kind in ("inner", "leading") else None,
                "severity_id": 1 if covered else 5 if kind == "empty" else 4 if b - a > 4 * longest
                else 3 if b - a > 2 * longest else 2,
            })
    return ordered(rows, lambda r: (r["stream"], r["gap_start"]))


def gaps(events, p, inputs):
    return gaps_of(events, ms(p["from"]), ms(p["to"]), duration(p["max_gap"]), p["stream_by"], inputs)


def elements(log, e):
    """What the record tells; None where it is not asked for."""
    c = e["class_uid"]
    has_path = path_of(e) is not None
    thing = {3004: entity_key(e) is not None or has_path, 3006: group_key(e) is not None or has_path}.get(c)
    found = {
        "who": log.actor(e) is not None,
        "subject": bool(log.subject(e)) or c in (3004, 3006) and thing,
        "what": e.get("type_uid") is not None and e.get("activity_id") not in (None, 0)
                and e["type_uid"] == c * 100 + e["activity_id"],
        "when": text(e.get("time_dt")) is not None,
        "outcome": status(e) in (1, 2),
        "origin": address(e) is not None,
        "object": bool(names_in(e.get("privileges"))) if c == 3005 else thing,
        "event_id": uid_of(e) is not None,
        "product": text(get(e, "metadata.product.name")) is not None,
        "version": text(get(e, "metadata.version")) == "1.6.0",
    }
    if c == 3002 and found["who"]:
        found["subject"] = None
    return found


def completeness(events, p, inputs):
    start, to, most = ms(p["from"]), ms(p["to"]), float(p["max_share"])
    log = Log(events, to, p, inputs)
    asked = {}
    for e in log.events:
        if start <= e["time"]:
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
    return ordered(rows, lambda r: (r["class"], r["element"]))


REPORTS = {
    "burst-deletion": (burst, {"threshold": "10", "window": "PT10M", "lookback": "P1D", "include_revokes": "false"}),
    "off-hours-admin-activity": (off_hours, {
        "tz": "UTC", "business_start": "08:00", "business_end": "18:00", "weekend_off": "true", "holidays": "",
        "exempt": "", "include_failed": "false"}),
    "failed-admin-actions": (failed_admin, {"min_failures": "3", "window": "P1D"}),
    "actor-timeline": (timeline, {"subject": "", "ip": "", "session": "", "entity": "", "tz": "UTC",
                                  "burst_gap": "PT30M", "include_raw": "false"}),
    "audit-log-config-changes": (audit_config, {"approved_readers": "", "patterns": "{}"}),
    "log-gaps": (gaps, {"max_gap": "PT24H", "stream_by": "all"}),
    "mandatory-field-completeness": (completeness, {"max_share": "0.01"}),
}
