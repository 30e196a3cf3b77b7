"""Reports on what is done for the first time, or more than usual (catalogue E, F of tiers 2 and 3), in plain loops."""
from conventions import *
from logons import median


def path_kind(e):
    """The segment of the path after the version."""
    found = re.search("/v[0-9]+/([^/?#]+)", path_of(e) or "")
    return found and kind_of(found.group(1))


def path_id(e):
    """The last segment behind that one that has a digit."""
    found = re.search("/v[0-9]+/[^/?#]+([^?#]*)", path_of(e) or "")
    segments = [s for s in found.group(1).split("/") if re.search("[0-9]", s)] if found else []
    return segments[-1] if segments else None


def entity_changes(events, p, inputs):
    start, critical = ms(p["from"]), listed(p["critical_kinds"])
    log = Log(events, ms(p["to"]), p, inputs)
    rows = []
    for e in log.events:
        if e["class_uid"] != 3004 or e["time"] < start or is_a(e, 3004, 2) and p["include_reads"] != "true":
            continue
        kind = kind_of(name_of(e.get("entity"), "type"))
        kind = kind or ("api_key" if is_key_event(e, log.p) else path_kind(e))
        comment, reference = text(e.get("comment")), None
        for said in (comment, e.get("message")):
            found = re.search(p["ref_pattern"], said or "")
            reference = reference or (found and found.group(0))
        severity = 1
        if is_a(e, 3004, 4) and successful(e) and kind in critical and not reference:
            severity = 3
        elif p["require_ref"] == "true" and effective(e) and not is_a(e, 3004, 2) and not reference:
            severity = 2
        actor = log.actor(e)
        rows.append({
            "time": e["time"], "activity": activity_of(e), "outcome": outcome(e), "entity_kind": kind,
            "entity_uid": entity_key(e) or path_id(e), "before_name": name_of(e.get("entity"), "name"),
            "after_name": name_of(e.get("entity_result"), "name"), "actor_uid": actor, "actor_label": log.label(actor),
            "src_ip": address(e), "http_method": text(get(e, "http_request.http_method")), "path": path_of(e),
            "comment": comment, "change_ref": reference, "event_uid": uid_of(e), "severity_id": severity,
        })
    return ordered(rows, lambda r: (r["time"], last(r["event_uid"])))


def first_seen(events, p, inputs):
    start, baseline = ms(p["from"]), duration(p["baseline"])
    log = Log(events, ms(p["to"]), p, inputs)
    rows = []

    def key(e):
        kind = kind_of(name_of(e.get("entity"), "type")) if e["class_uid"] == 3004 else None
        return e["class_uid"] * 100 + (e.get("activity_id") or 0), kind

    known = [(log.actor(e), key(e), e) for e in log.events if log.actor(e) and not failed(e) and e["class_uid"] in ACTIVITIES]
    done = set()
    for actor, number, e in known:
        t = e["time"]
        before = [x for x in known if t - baseline <= x[2]["time"] < t and x[1] == number]
        history = t - log.events[0]["time"]
        if t < start or (actor, number) in done or any(x[0] == actor for x in before) or history < baseline / 2:
            continue
        done.add((actor, number))
        peers = len({x[0] for x in before})
        severity = 2
        if log.is_admin(e):
            severity = 4 if peers == 0 and not log.is_administrator(e) else 3
        rows.append({
            "actor_uid": actor, "actor_label": log.label(actor),
            "user_type": log.user_type(actor),
            "time": t, "action_key": number[0], "action": f"{class_of(e)}: {activity_of(e)}", "entity_kind": number[1],
            "new_actor": not any(log.actor(x) == actor and t - baseline <= x["time"] < t for x in log.events),
            "peers": peers, "history_days": history // DAY,
            "count_in_period": sum(x[0] == actor and x[1] == number and start <= x[2]["time"] for x in known),
            "src_ip": address(e), "event_uid": uid_of(e), "severity_id": severity,
            "finding_key": finding_key("first-seen-actor-action", actor, number[0], number[1], uid_of(e), t),
        })
    return number_equal_keys(ordered(rows, lambda r: (r["time"], last(r["event_uid"]))))


def volume(events, p, inputs):
    zone, history, enough = ZoneInfo(p["tz"]), int(p["history"]), int(p["min_events"])
    log = Log(events, ms(p["to"]), p, inputs)
    local = lambda time: datetime.fromtimestamp(time / 1000, timezone.utc).astimezone(zone).date()
    first_asked, last_asked = local(ms(p["from"])), local(ms(p["to"]) - 1)
    rows = []
    for actor in {log.actor(e) for e in log.events} - {None}:
        by_day = {}
        for e in log.events:
            if log.actor(e) == actor:
                by_day.setdefault(local(e["time"]), []).append(e)
        for day, mine in by_day.items():
            past = [day - timedelta(days=n) for n in range(1, history + 1)]
            counts = [len(by_day.get(d, ())) for d in past if d >= min(by_day)]
            if not first_asked <= day <= last_asked or len(mine) < enough or len(counts) < int(p["min_days"]):
                continue
            usual = median(counts)
            mad = median([abs(n - usual) for n in counts])
            z = 0.6745 * (len(mine) - usual) / mad if mad else None
            ratio = len(mine) / max(usual, 1.0)
            if not (z >= float(p["min_z"]) if z is not None else ratio >= 5):
                continue
            said = [f"{class_of(e)}: {activity_of(e)}" for e in mine]
            rows.append({
                "actor_uid": actor, "actor_label": log.label(actor), "day": day.isoformat(), "events": len(mine),
                "median": usual, "mad": mad, "robust_z": z, "ratio": ratio,
                "top_actions": sorted(set(said), key=lambda s: (-said.count(s), s.encode()))[:3],
                "failed": sum(map(failed, mine)),
                "severity_id": 3 if z is not None and z >= 2 * float(p["min_z"]) or ratio >= 20 else 2,
                "finding_key": finding_key("activity-volume-anomaly", actor, day.isoformat()),
            })
    return number_equal_keys(ordered(rows, lambda r: (r["day"], r["actor_uid"].encode())))


REPORTS = {
    "activity-volume-anomaly": (volume, {"tz": "UTC", "history": "28", "min_days": "14", "min_events": "20",
                                         "min_z": "3.5"}),
    "entity-change-log": (entity_changes, {"include_reads": "false", "critical_kinds": "", "require_ref": "false",
                                           "ref_pattern": "[A-Z][A-Z0-9]+-[0-9]+"}),
    "first-seen-actor-action": (first_seen, {"baseline": "P90D"}),
}
