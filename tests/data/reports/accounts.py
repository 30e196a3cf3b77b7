"""Reports on accounts (catalogue A and the second factors of D), in plain loops."""
from conventions import *


def provisioning(events, p, inputs):
    start, to, early = ms(p["from"]), ms(p["to"]), duration(p["early_window"])
    automation = listed(p["automation_actors"])
    log = Log(events, to, p, inputs)
    rows = []
    for e in log.events:
        if not (is_a(e, 3001, 1) and start <= e["time"]):
            continue
        subject, actor, created = log.subject(e), log.actor(e), e["time"]
        mine = [x for x in log.events if subject and log.subject(x) == subject]
        deleted = min((x["time"] for x in mine if is_a(x, 3001, 6) and successful(x) and x["time"] > created), default=None)
        given = []  # (time, name, is privileged)
        for x in mine:
            if failed(x) or x["time"] < created or deleted is not None and x["time"] >= deleted:
                continue
            for ledger, key, effect in facts(log, x):
                if effect == "open" and ledger == "access":
                    given.append((x["time"], key[1], is_privileged(key[1], key[2], log.p)))
                elif effect == "open" and ledger == "member" and key[0] is not None:
                    given.append((x["time"], "group:" + key[0], False))
        first = min((time for time, _, _ in given), default=None)
        within = any(privileged and time < created + early for time, _, privileged in given)
        mfa = min((x["time"] for x in mine if is_a(x, 3001, 10) and not failed(x) and x["time"] >= created), default=None)
        severity = 1
        if not failed(e):
            if actor is None or within:
                severity = 3
            elif automation and actor not in automation:
                severity = 2
        rows.append({
            "time": created, "outcome": outcome(e), "subject_uid": subject, "subject_label": log.label(subject),
            "user_type": log.user_type(subject) if subject else "Unknown",
            "actor_uid": actor, "actor_label": log.label(actor), "src_ip": address(e),
            "first_grant_time": first,
            "first_grant": None if first is None else by_bytes(name for time, name, _ in given if time == first),
            "minutes_to_first_grant": None if first is None else (first - created) / 60000,
            "privileged_within": within, "mfa_enabled_time": mfa, "event_uid": uid_of(e), "severity_id": severity,
        })
    return ordered(rows, lambda r: (r["time"], last(r["event_uid"])))


def deprovisioning(events, p, inputs):
    start, to, max_lag = ms(p["from"]), ms(p["to"]), duration(p["max_lag"])
    log = Log(events, to, p, inputs)
    ledgers = log.ledgers()
    leavers = []
    for row in inputs.get("leavers", ()):
        if text(row["email"]) and row["left_time"] is not None:
            email = text(row["email"]).lower()
            leavers.append((log.resolve({"email_addr": email}), email, row["left_time"]))
    leavers = distinct(leavers)

    def held(subject, time):
        grants = [k for k, v in ledgers["access"].items() if k[0] == subject and held_at(v, time)]
        groups = [k for k, v in ledgers["member"].items() if k[1] == subject and held_at(v, time)]
        return {"open_grants": len(grants), "open_groups": len(groups), "open_api_keys": len(log.open_api_keys(subject, time))}

    rows, free = [], list(leavers)
    for e in log.events:
        if not (is_a(e, 3001, 5, 6) and start <= e["time"]):
            continue
        subject, actor, time = log.subject(e), log.actor(e), e["time"]
        active = [x["time"] for x in log.events if x["time"] < time and subject is not None and (
            log.actor(x) == subject and not failed(x) or is_logon(x) and successful(x) and log.subject(x) == subject)]
        later = [x for x in log.events if x["class_uid"] == 3001 and subject is not None and log.subject(x) == subject
                 and c4(x) > c4(e)]
        enabled = [x["time"] for x in later if x.get("activity_id") in (1, 2) and not failed(x)]
        closed = [x for x in later if x.get("activity_id") in (5, 6) and successful(x)]
        left = None
        if successful(e):
            near = [x for x in free if x[0] == subject and x[2] <= time + DAY]
            if near:
                taken = min(near, key=lambda x: (abs(time - x[2]), x[2], x[1].encode()))
                free.remove(taken)
                left = taken[2]
        lag = None if left is None else time - left
        last_active = max(active, default=None)
        severity = 1
        if lag is not None and lag > 7 * max_lag:
            severity = 4
        elif lag is not None and (lag > max_lag or last_active is not None and last_active > left):
            severity = 3
        elif failed(e) and not closed:
            severity = 2
        rows.append({
            "time": time, "action": {5: "disable", 6: "delete"}[e["activity_id"]], "outcome": outcome(e),
            "subject_uid": subject, "subject_label": log.label(subject), "actor_uid": actor,
            "actor_label": log.label(actor), "last_activity_time": last_active, **held(subject, time - 1),
            "reenabled_time": min(enabled, default=None), "left_time": left,
            "lag_hours": None if lag is None else lag / 3_600_000, "event_uid": uid_of(e), "severity_id": severity,
        })
    for subject, email, left in free:
        if left < to and log.state(subject)[0] not in ("disabled", "deleted"):
            label = log.label(subject)
            rows.append({
                "time": None, "action": "missing", "outcome": None, "subject_uid": subject,
                "subject_label": email if label == subject else label, "actor_uid": None, "actor_label": None,
                "last_activity_time": None, **held(subject, to), "reenabled_time": None, "left_time": left,
                "lag_hours": (to - left) / 3_600_000, "event_uid": None, "severity_id": 4,
            })
    return ordered(rows, lambda r: (r["time"] is None, r["time"] or 0, last(r["subject_uid"]), last(r["event_uid"]),
                                    r["left_time"] is None, r["left_time"] or 0))


def population(log, is_seen):
    """subject -> first time, for events of 3001, 3005, 3006 that `is_seen`, successful logons and user actors."""
    found = {}
    for e in log.events:
        people = []
        if is_logon(e) and successful(e) or e["class_uid"] in (3001, 3005, 3006) and is_seen(e):
            people.append(log.subject(e))
        if not failed(e) and log.has_user_actor(e):
            people.append(log.actor(e))
        for person in people:
            if person:
                found[person] = min(found.get(person, e["time"]), e["time"])
    return found


def roster(events, p, inputs):
    as_of = as_of_ms(p["as_of"])
    log = Log(events, as_of + 1, p, inputs)
    grants, members = log.open_keys("access"), log.open_keys("member")
    people = [s for s in population(log, effective) if p["include_deleted"] == "true" or log.state(s)[0] != "deleted"]
    rows = []
    for subject in sorted(people, key=str.encode):
        now, since, created, by = log.state(subject)
        said, switch = [], []
        for e in log.events:
            if e["class_uid"] == 3001 and log.subject(e) == subject:
                has = get(e, "user_result.has_mfa")
                has = get(e, "user.has_mfa") if has is None else has
                if has is not None:
                    said.append((e["time"], not has))
                if is_a(e, 3001, 10, 11) and not failed(e):
                    switch.append((e["time"], is_a(e, 3001, 11)))
        found = said or switch
        mfa = ("disabled" if max(found)[1] else "enabled") if found else "unknown"
        mine = [k for k in grants if k[0] == subject]
        privileged = [k for k in mine if is_privileged(k[1], k[2], log.p)]
        email = log.latest_email(subject)
        severity = 1
        if privileged and mfa == "disabled":
            severity = 4
        elif now == "unknown" and mine or email and sum(log.latest_email(s) == email for s in people) > 1:
            severity = 3
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "user_type": log.user_type(subject),
            "account_state": now, "state_since": since, "created_time": created, "created_by": by, "mfa_state": mfa,
            "last_logon_time": max((e["time"] for e in log.events if is_logon(e) and successful(e)
                                    and log.subject(e) == subject), default=None),
            "open_grants": len(mine), "open_privileged_grants": len(privileged),
            "open_groups": sum(k[1] == subject for k in members),
            "open_api_keys": len(log.open_api_keys(subject, as_of)), "severity_id": severity,
        })
    return rows


def residual(events, p, inputs):
    as_of, grace = as_of_ms(p["as_of"]), duration(p["grace"])
    log = Log(events, as_of + 1, p, inputs)
    rows = []
    for subject in {log.subject(e) for e in log.events if e["class_uid"] == 3001} - {None}:
        now, since, _, _ = log.state(subject)
        if now not in ("disabled", "deleted") or since > as_of - grace:
            continue
        items = [("privilege", k[1], k[2], k[3], is_privileged(k[1], k[2], log.p), v["opened"])
                 for k, v in log.open_keys("access").items() if k[0] == subject]
        items += [("group", k[0], None, None, log.is_privileged_group(k[0], log.group_name(k[0]), lambda x: True), v["opened"])
                  for k, v in log.open_keys("member").items() if k[1] == subject]
        items += [("api_key", k["key"], None, None, False, k["created"]) for k in log.open_api_keys(subject, as_of)]
        for kind, item, resource, source, privileged, opened in items:
            after = opened > since
            rows.append({
                "subject_uid": subject, "subject_label": log.label(subject), "account_state": now, "state_since": since,
                "residual_type": kind, "item": item, "resource_uid": resource, "privilege_source": source,
                "is_privileged": privileged, "opened_time": opened, "opened_after": after,
                "days_residual": (as_of - max(opened, since)) // DAY,
                "severity_id": 5 if after else 4 if kind == "api_key" or privileged else 3,
                "finding_key": finding_key("leaver-residual-access", subject, kind, item, resource, source, opened),
            })
    return number_equal_keys(ordered(rows, lambda r: (
        -r["severity_id"], r["subject_uid"].encode(), r["residual_type"], r["item"].encode(), last(r["resource_uid"]),
        last(r["privilege_source"]), r["opened_time"])))


def dormant(events, p, inputs):
    as_of, days = as_of_ms(p["as_of"]), int(p["inactive_days"])
    log = Log(events, as_of + 1, p, inputs)
    grants = log.open_keys("access")
    rows = []
    for subject, first in population(log, lambda e: not failed(e)).items():
        now, _, created, _ = log.state(subject)
        if now == "deleted" or now == "disabled" and p["include_disabled"] != "true" or log.user_type(subject) == "System":
            continue
        logons = [e["time"] for e in log.events if is_logon(e) and successful(e) and log.subject(e) == subject]
        acts = [e["time"] for e in log.events if not failed(e) and log.has_user_actor(e) and log.actor(e) == subject]
        last_logon, last_act = max(logons, default=None), max(acts, default=None)
        counted = [t for t in (last_logon, last_act) if t is not None and (created is None or t >= created)]
        if counted:
            basis, reference = "activity", max(counted)
        elif created is not None:
            basis, reference = "created", created
        else:
            basis, reference = "first_seen", first
        if as_of - reference < days * DAY:
            continue
        mine = [k for k in grants if k[0] == subject]
        privileged = [k for k in mine if is_privileged(k[1], k[2], log.p)]
        inactive = (as_of - reference) // DAY
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "user_type": log.user_type(subject),
            "account_state": now, "created_time": created, "last_logon_time": last_logon, "last_actor_time": last_act,
            "last_activity_time": max(counted, default=None), "basis": basis, "days_inactive": inactive,
            "open_grants": len(mine), "open_privileged_grants": len(privileged),
            "severity_id": 4 if privileged else 3 if inactive >= 2 * days or mine else 2,
            "finding_key": finding_key("dormant-accounts", subject, reference),
        })
    return number_equal_keys(ordered(rows, lambda r: (-r["days_inactive"], r["subject_uid"].encode())))


def factors(events, p, inputs):
    start, to, window = ms(p["from"]), ms(p["to"]), duration(p["reenable_window"])
    log = Log(events, to, p, inputs)
    rows = []
    for e in log.events:
        if not is_a(e, 3001, 10, 11) or e["time"] < start:
            continue
        subject, actor, t = log.subject(e), log.actor(e), e["time"]
        action = "enable" if e["activity_id"] == 10 else "disable"
        lost = action == "disable" and not failed(e)
        again = [x["time"] for x in log.events if is_a(x, 3001, 10) and not failed(x) and subject
                 and log.subject(x) == subject and t < x["time"] <= t + window]
        restored = min(again, default=None) if lost else None
        state = None
        if lost:
            state = "restored" if restored is not None else "pending" if t + window > to else "open"
        by_other = actor is not None and actor != subject
        privileged = subject is not None and log.holds_privileged(subject, t)
        if action == "enable":
            severity = 1
        elif state == "open" and privileged:
            severity = 5
        elif state == "open" or lost and by_other and privileged:
            severity = 4
        else:
            severity = 3 if state == "pending" else 2
        rows.append({
            "time": t, "action": action, "outcome": outcome(e), "subject_uid": subject,
            "subject_label": log.label(subject), "actor_uid": actor, "actor_label": log.label(actor),
            "by_other": by_other, "src_ip": address(e), "state": state, "reenabled_time": restored,
            "privileged": privileged, "event_uid": uid_of(e), "severity_id": severity,
            "finding_key": finding_key("mfa-factor-changes", action, subject, uid_of(e), t),
        })
    return number_equal_keys(ordered(rows, lambda r: [
        r["time"], *map(last, (r["event_uid"], r["subject_uid"], r["actor_uid"], r["action"]))]))


REPORTS = {
    "user-provisioning-log": (provisioning, {"early_window": "P1D", "automation_actors": ""}),
    "user-deprovisioning-log": (deprovisioning, {"max_lag": "P1D"}),
    "account-roster-as-of": (roster, {"include_deleted": "false"}),
    "leaver-residual-access": (residual, {"grace": "P1D"}),
    "dormant-accounts": (dormant, {"inactive_days": "90", "include_disabled": "false"}),
    "mfa-factor-changes": (factors, {"reenable_window": "PT12H"}),
}
