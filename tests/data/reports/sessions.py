"""Reports on sessions, switches of accounts and take-overs (catalogue D of tier 3), in plain loops."""
from conventions import *
from logons import episodes_of


def switches(events, p, inputs):
    start, window = ms(p["from"]), duration(p["window"])
    log = Log(events, ms(p["to"]), p, inputs)
    rows = []
    for e in log.events:
        if not is_a(e, 3002, 7) or e["time"] < start:
            continue
        t, actor, target = e["time"], log.actor(e), log.subject(e)
        kind = {None: "unknown", 0: "unknown", 1: "substitute_user", 2: "impersonate"}.get(
            e.get("account_switch_type_id"), "other")
        after = [x for x in log.events if target is not None and c4(x) > c4(e) and x["time"] <= t + window]
        ends = [x for x in after if is_a(x, 3002, 2, 7) and log.subject(x) == target]
        during = sum(log.actor(x) == target and not failed(x) and (not ends or c4(x) < c4(ends[0])) for x in after)
        privileged = target is not None and log.holds_privileged(target, t)
        if not failed(e) and privileged:
            severity = 4
        elif not failed(e) and kind == "impersonate":
            severity = 3
        else:
            severity = 2 if failed(e) or kind == "unknown" else 1
        rows.append({
            "time": t, "outcome": outcome(e), "switch_type": kind, "actor_uid": actor, "actor_label": log.label(actor),
            "subject_uid": target, "subject_label": log.label(target), "target_privileged": privileged,
            "src_ip": address(e), "actions_during": during, "event_uid": uid_of(e), "severity_id": severity,
        })
    return ordered(rows, lambda r: (r["time"], last(r["event_uid"])))


def takeover(events, p, inputs):
    start, window = ms(p["from"]), duration(p["window"])
    log = Log(events, ms(p["to"]), p, inputs)
    logons = [(log.subject(e), e) for e in log.events if is_logon(e)]
    rows = []
    for subject, b in logons:
        t, ip = b["time"], address(b)
        if not (subject and successful(b) and ip):
            continue
        if any(s == subject and successful(e) and address(e) == ip and t - 90 * DAY <= e["time"] < t for s, e in logons):
            continue
        stage_a = [(e["time"], (uid_of(e) or "").encode(), f"{class_of(e)}: {activity_of(e)}", e) for e in log.events
                   if is_a(e, 3001, 3, 4, 11) and not failed(e) and log.subject(e) == subject]
        bad = [e for s, e in logons if s == subject and failed(e) and start - window - DAY <= e["time"]]
        for episode in episodes_of(bad, 5, 900_000):
            stage_a.append((min(e["time"] for e, n in episode if n >= 5), b"", "Brute force", None))
        stage_a = [a for a in stage_a if a[0] <= t]
        a = max(stage_a, key=lambda a: a[:3]) if stage_a else None
        if a is None or t - a[0] > window:
            continue
        stage_c = [e for e in log.events if e["time"] >= t and not failed(e) and log.actor(e) == subject and (
            is_a(e, 3005, 1) or is_a(e, 3006, 1, 3) or is_key_event(e, log.p) and is_a(e, 3004, 1) or is_a(e, 3001, 1)
            or is_a(e, 3001, 10) and log.subject(e) == subject)]
        c = stage_c[0] if stage_c and stage_c[0]["time"] - a[0] <= window else None
        stages = 3 if c else 2
        if stages < int(p["min_stages"]) or (c or b)["time"] < start:
            continue
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "stages": stages, "credential_event": a[2],
            "credential_time": a[0], "logon_time": t, "logon_ip": ip, "country": place(b)[0],
            "escalation_event": c and f"{class_of(c)}: {activity_of(c)}", "escalation_time": c and c["time"],
            "event_uids": by_bytes(uid_of(e) for e in (a[3], b, c) if e),
            "severity_id": 5 if c else 2 if mfa_of(b) is True else 3,
            "finding_key": finding_key("account-takeover-sequence", subject, uid_of(b), t),
        })
    return number_equal_keys(ordered(rows, lambda r: (r["logon_time"], r["subject_uid"].encode())))


def session_findings(events, p, inputs):
    start, to = ms(p["from"]), ms(p["to"])
    most_ips, longest, most = int(p["max_ips"]), duration(p["max_age"]), int(p["max_parallel"])
    log = Log(events, to, p, inputs)
    rows, used = [], {}
    for e in log.events:
        uid = text(get(e, "session.uid")) if e["class_uid"] == 3002 else None
        uid = uid or text(get(e, "actor.session.uid"))
        if uid:
            used.setdefault(uid, []).append(e)
    who = lambda e: log.subject(e) if e["class_uid"] == 3002 else log.actor(e)
    lists = lambda mine: {"src_ips": by_bytes(map(address, mine)),
                          "user_agents": by_bytes(text(get(e, "http_request.user_agent")) for e in mine)}

    def row(kind, became, subject, uid, begin, end, value, found, severity):
        if start <= became < to:
            rows.append({
                "finding_type": kind, "subject_uid": subject, "subject_label": log.label(subject), "session_uid": uid,
                "start_time": begin, "end_time": end, "value": None if value is None else float(value), **lists(found),
                "severity_id": severity, "finding_key": finding_key("session-anomalies", kind, subject, uid, begin),
            })

    spans = []
    for uid, mine in used.items():
        begin, subject = mine[0]["time"], next((who(e) for e in mine if who(e)), None)
        offs = [e["time"] for e in mine if is_a(e, 3002, 2) and not failed(e)]
        limits = [limit for e in mine for limit in [
            (get(e, "session.expiration_time") if e["class_uid"] == 3002 else None) or get(e, "actor.session.expiration_time")]
            if limit is not None]
        limit = limits[-1] if limits else None
        end = offs[0] if offs else limit if limit is not None else mine[-1]["time"]
        spans.append((subject, begin, end, mine))
        ips = distinct(map(address, mine))
        if len(ips) > most_ips:
            became = next(e["time"] for i, e in enumerate(mine) if len(distinct(map(address, mine[:i + 1]))) > most_ips)
            countries = {place(e)[0] for e in mine} - {None}
            row("multi_ip", became, subject, uid, begin, end, len(ips), mine, 3 if len(countries) > 1 else 2)
        people = distinct(map(who, mine))
        if len(people) > 1:
            became = next(e["time"] for i, e in enumerate(mine) if len(distinct(map(who, mine[:i + 1]))) > 1)
            row("multi_user", became, subject, uid, begin, end, len(people), mine, 4)
        if end - begin > longest:
            row("too_long", begin + longest, subject, uid, begin, end, (end - begin) / 3_600_000, mine, 2)
        late = [e["time"] for e in mine if limit is not None and e["time"] > limit]
        if late:
            row("after_expiry", late[0], subject, uid, begin, end, len(late), mine, 4)
        if not any(map(is_logon, mine)) and begin >= log.events[0]["time"] + DAY:
            row("no_logon", begin, subject, uid, begin, end, None, mine, 2)
    for subject in {s[0] for s in spans} - {None}:
        mine = [s for s in spans if s[0] == subject and s[2] > s[1]]
        begun = None
        for at in sorted({t for s in mine for t in s[1:3]}):
            count = sum(b <= at < e for _, b, e, _ in mine)
            if count > most:
                begun = begun or [at, 0]
                begun[1] = max(begun[1], count)
            elif begun:
                inside = [e for s in mine if s[1] < at and s[2] > begun[0] for e in s[3]]
                row("concurrent", begun[0], subject, None, begun[0], at, begun[1], inside, 3)
                begun = None
    return number_equal_keys(ordered(rows, lambda r: (r["start_time"], last(r["subject_uid"]), r["finding_type"])))


REPORTS = {
    "account-takeover-sequence": (takeover, {"window": "P1D", "min_stages": "2"}),
    "session-anomalies": (session_findings, {"max_ips": "1", "max_age": "PT24H", "max_parallel": "3"}),
    "account-switch-log": (switches, {"window": "PT8H"}),
}
