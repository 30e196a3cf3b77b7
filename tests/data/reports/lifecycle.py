"""Reports on what becomes of accounts (catalogue A, D, E of tiers 2 and 3), in plain loops."""
from conventions import *


def credentials(events, p, inputs):
    start, to, follow = ms(p["from"]), ms(p["to"]), duration(p["follow_window"])
    log = Log(events, to, p, inputs)
    rows = []
    for e in log.events:
        if not is_a(e, 3001, 3, 4) or e["time"] < start:
            continue
        subject, actor, t = log.subject(e), log.actor(e), e["time"]
        logons = [x for x in log.events if is_logon(x) and successful(x) and subject and log.subject(x) == subject]
        later = [x for x in logons if c4(x) > c4(e) and x["time"] <= t + follow]
        after = later[0] if later else None
        ip = address(after) if after else None
        new = None if ip is None else not any(address(x) == ip and t - 90 * DAY <= x["time"] < t for x in logons)
        resets = sum(is_a(x, 3001, 4) and not failed(x) and subject is not None and log.subject(x) == subject
                     and t - 7 * DAY < x["time"] <= t for x in log.events)
        action = "change" if e["activity_id"] == 3 else "reset"
        by = "unknown" if actor is None else "self" if actor == subject else "other"
        if action == "reset" and not failed(e) and by == "other" and new:
            severity = 4
        elif resets >= 3:
            severity = 3
        else:
            severity = 2 if by == "other" or action == "change" and failed(e) else 1
        rows.append({
            "time": t, "action": action, "outcome": outcome(e), "by": by, "subject_uid": subject,
            "subject_label": log.label(subject), "actor_uid": actor, "actor_label": log.label(actor), "src_ip": address(e),
            "resets_7d": resets, "next_logon_time": after and after["time"], "next_logon_ip": ip, "next_ip_new": new,
            "event_uid": uid_of(e), "severity_id": severity,
        })
    return ordered(rows, lambda r: (r["time"], last(r["event_uid"])))


def life_line(log, subject):
    """On and off entries of a subject in order: (time, is on, C4, event); at one ms off stands before on."""
    line = [(e["time"], e["activity_id"] in (1, 2), c4(e), e) for e in log.events
            if is_a(e, 3001, 1, 2, 5, 6) and effective(e) and log.subject(e) == subject]
    return sorted(line, key=lambda x: x[:3])


def after_closing(events, p, inputs):
    start, to, grace, least = ms(p["from"]), ms(p["to"]), duration(p["grace"]), int(p["min_failed"])
    log = Log(events, to, p, inputs)
    rows = []

    def row(kind, subject, off, found, actor, severity):
        first = found[0]["time"]
        rows.append({
            "finding_type": kind, "subject_uid": subject, "subject_label": log.label(subject), "off_time": off["time"],
            "off_action": {5: "disable", 6: "delete"}[off["activity_id"]], "first_time": first,
            "last_time": found[-1]["time"], "events": len(found), "src_ips": by_bytes(map(address, found)),
            "activities": by_bytes(f"{class_of(e)}: {activity_of(e)}" for e in found), "actor_uid": actor,
            "days_off": (first - off["time"]) // DAY, "severity_id": severity,
            "finding_key": finding_key("post-deprovision-activity", kind, subject, off["time"], first),
        })

    for subject in {log.subject(e) for e in log.events} - {None}:
        line = life_line(log, subject)
        groups = {}
        for e in log.events:
            t = e["time"]
            then = [x for x in line if x[0] <= t - grace]
            now = [x for x in line if x[0] <= t]
            # Off at `time - grace`, and not switched on again since.
            if t < start or not then or then[-1][1] or any(x[1] for x in now[len(then):]):
                continue
            if not failed(e) and (log.actor(e) == subject or is_logon(e) and log.subject(e) == subject):
                groups.setdefault(("activity", line.index(then[-1])), []).append(e)
            if failed(e) and is_logon(e) and log.subject(e) == subject:
                groups.setdefault(("logon_attempt", line.index(then[-1])), []).append(e)
        for (kind, position), found in groups.items():
            off = line[position][3]
            if kind == "activity":
                row(kind, subject, off, found, subject, 5 if off["activity_id"] == 6 else 4)
            elif len(found) >= least:
                row(kind, subject, off, found, None, 2)
        for before, x in zip(line, line[1:]):
            if x[1] and not before[1] and start <= x[0]:
                actor, by = log.actor(x[3]), log.actor(before[3])
                row("reactivated", subject, before[3], [x[3]], actor, 3 if actor == subject or actor != by else 2)
    return number_equal_keys(ordered(rows, lambda r: (-r["severity_id"], r["first_time"], r["subject_uid"].encode())))


def movers(events, p, inputs):
    start, to = ms(p["from"]), ms(p["to"])
    log = Log(events, to, p, inputs)
    early = Log(events, to, p, inputs)  # people as known at the end, states of the beginning
    early.events = [e for e in log.events if e["time"] < start]
    rows = []
    for subject in {log.subject(e) for e in log.events} - {None}:
        mine = [e for e in log.events if start <= e["time"] and effective(e) and log.subject(e) == subject
                and (e["class_uid"] in (3001, 3005) or is_a(e, 3006, 3, 4))]
        if not mine:
            continue
        a, b = early.state(subject)[0], log.state(subject)[0]
        keys = lambda ledger, place, time: {k for k in log.open_keys(ledger, time) if k[place] == subject}
        grants_a, grants_b = keys("access", 0, start - 1), keys("access", 0, to - 1)
        groups_a, groups_b = keys("member", 1, start - 1), keys("member", 1, to - 1)
        added, removed = grants_b - grants_a, grants_a - grants_b
        joined, left = groups_b - groups_a, groups_a - groups_b
        created, gone = any(is_a(e, 3001, 1) for e in mine), b in ("disabled", "deleted")
        if created:
            category = "joiner_leaver" if gone else "joiner"
        elif a in ("disabled", "deleted") and b == "active":
            category = "rejoiner"
        elif a in ("active", "active (seen)", "locked", "unknown") and gone:
            category = "leaver"
        else:
            category = "mover" if added or removed or joined or left else "churn"
        accumulating = category == "mover" and bool(added or joined) and not (removed or left)
        privileged = sum(is_privileged(k[1], k[2], log.p) for k in added)
        severity = 1
        if category == "leaver" and grants_b or accumulating and privileged:
            severity = 3
        elif accumulating:
            severity = 2
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "category": category, "state_from": a,
            "state_to": b, "grants_added": len(added), "grants_removed": len(removed), "groups_added": len(joined),
            "groups_removed": len(left), "privileged_added": privileged, "accumulating": accumulating,
            "changed_by": by_bytes(map(log.actor, mine)), "first_change": mine[0]["time"], "last_change": mine[-1]["time"],
            "severity_id": severity,
        })
    return ordered(rows, lambda r: (r["category"], r["subject_uid"].encode()))


def services(events, p, inputs):
    as_of = as_of_ms(p["as_of"])
    start = ms(p["from"]) if "from" in p else as_of - 90 * DAY
    log = Log(events, as_of + 1, p, inputs)
    people = {uid for o in log.objects for uid in [log.resolve(o)] if uid and log.user_type(uid) == "Service"}
    people |= set(listed(p["service_accounts"]))
    people |= {segment(e, "/service-accounts") for e in log.events if is_key_event(e, log.p) and not failed(e)} - {None}
    rows = []
    for subject in people:
        now, _, created, by = log.state(subject)
        grants = [k for k in log.open_keys("access") if k[0] == subject]
        privileged = by_bytes(k[1] for k in grants if is_privileged(k[1], k[2], log.p))
        keys = log.open_api_keys(subject, as_of)
        logons = [e["time"] for e in log.events if is_logon(e) and successful(e) and log.subject(e) == subject]
        acts = [e["time"] for e in log.events if not failed(e) and log.has_user_actor(e) and log.actor(e) == subject]
        active = max((t for t in [max(logons, default=None), max(acts, default=None)]
                      if t is not None and (created is None or t >= created)), default=None)
        interactive = sum(start <= t for t in logons)
        severity = 1
        if interactive:
            severity = 4
        elif privileged or len(keys) > 2:
            severity = 3
        elif active is None or active < start:
            severity = 2
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "account_state": now, "created_time": created,
            "created_by": by, "open_grants": len(grants), "privileged_grants": privileged,
            "groups": by_bytes(k[0] for k in log.open_keys("member") if k[1] == subject), "api_keys": len(keys),
            "oldest_key_days": max(((as_of - k["created"]) // DAY for k in keys), default=None),
            "interactive_logons": interactive,
            "admin_actions": sum(start <= e["time"] and log.actor(e) == subject and log.is_admin(e) for e in log.events),
            "last_activity_time": active, "severity_id": severity,
        })
    return ordered(rows, lambda r: r["subject_uid"].encode())


def lockouts(events, p, inputs):
    start, window, least = ms(p["from"]), duration(p["failure_window"]), duration(p["min_lock"])
    log = Log(events, ms(p["to"]), p, inputs)
    locks = [e for e in log.events if is_a(e, 3001, 9) and successful(e)]
    rows = []
    for e in locks:
        if e["time"] < start:
            continue
        subject, t = log.subject(e), e["time"]
        of = lambda x: subject is not None and log.subject(x) == subject
        next_lock = min((x["time"] for x in locks if log.subject(x) == subject and x["time"] > t), default=FOREVER)
        opened = [x for x in log.events if is_a(x, 3001, 12, 1) and not failed(x) and of(x) and t <= x["time"] < next_lock]
        freed, by = (opened[0]["time"], log.actor(opened[0])) if opened else (None, None)
        failures = sum(is_logon(x) and failed(x) and of(x) and t - window < x["time"] <= t for x in log.events)
        repeated = sum(of(x) and t - DAY < x["time"] <= t for x in locks)
        severity = 3 if repeated >= 3 or not failures else 2 if freed is not None and freed - t < least and by is None else 1
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "lock_time": t, "unlock_time": freed,
            "locked_minutes": None if freed is None else (freed - t) / 60000, "unlocked_by": by,
            "manual": None if freed is None else by is not None and by != subject, "failures_before": failures,
            "locks_24h": repeated, "severity_id": severity, "event_uid": uid_of(e),
        })
    return ordered(rows, lambda r: (r["lock_time"], last(r["event_uid"])))


def ephemeral(events, p, inputs):
    start, longest = ms(p["from"]), duration(p["max_life"])
    log = Log(events, ms(p["to"]), p, inputs)
    rows = []
    for subject in {log.subject(e) for e in log.events} - {None}:
        line = sorted([(e["time"], e["activity_id"], c4(e), e) for e in log.events
                       if is_a(e, 3001, 1, 6) and effective(e) and log.subject(e) == subject], key=lambda x: x[:3])
        for (born, first, _, create), (gone, then, _, delete) in zip(line, line[1:]):
            if (first, then) != (1, 6) or gone - born > longest or gone < start:
                continue
            during = [e for e in log.events if born <= e["time"] <= gone]
            grants = [key for e in during for ledger, key, effect in facts(log, e)
                      if not failed(e) and ledger == "access" and effect == "open" and key[0] == subject]
            keys = {log.key_of(e) for e in during if is_key_event(e, log.p) and is_a(e, 3004, 1) and not failed(e)
                    and subject in (log.named_owner(e), log.actor(e))} - {None}
            actions = sum(log.actor(e) == subject and not failed(e) for e in during)
            privileged = any(is_privileged(key[1], key[2], log.p) for key in grants)
            made, ended = log.actor(create), log.actor(delete)
            same = made is not None and made == ended
            rows.append({
                "subject_uid": subject, "subject_label": log.label(subject), "created_time": born, "created_by": made,
                "deleted_time": gone, "deleted_by": ended, "life_minutes": (gone - born) / 60000, "actions": actions,
                "grants": len(grants), "privileged": privileged, "api_keys": len(keys),
                "severity_id": 4 if privileged or keys else 3 if actions or same else 2,
                "finding_key": finding_key("ephemeral-accounts", subject, born, gone),
            })
    return number_equal_keys(ordered(rows, lambda r: (r["deleted_time"], r["subject_uid"].encode())))


REPORTS = {
    "account-lockouts": (lockouts, {"failure_window": "PT30M", "min_lock": "PT30M"}),
    "ephemeral-accounts": (ephemeral, {"max_life": "P1D"}),
    "post-deprovision-activity": (after_closing, {"grace": "PT5M", "min_failed": "1"}),
    "joiner-mover-leaver": (movers, {}),
    "service-account-review": (services, {"service_accounts": ""}),
    "credential-change-log": (credentials, {"follow_window": "P1D"}),
}
