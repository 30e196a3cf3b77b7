"""Reports on access, groups and API keys (catalogue B, C, E), in plain loops."""
from conventions import *


def privileged_grants(events, p, inputs):
    start, to = ms(p["from"]), ms(p["to"])
    log = Log(events, to, p, inputs)
    ledgers = log.ledgers()
    rows = []
    for e in log.events:
        if e["time"] < start:
            continue
        for ledger, key, effect in facts(log, e):
            subject = group = privilege = resource = within = None
            if ledger == "access":
                subject, privilege, resource, source = key
                change = {("direct", "open"): "grant", ("direct", "close"): "revoke",
                          ("policy", "open"): "policy_attach", ("policy", "close"): "policy_detach"}[source, effect]
            elif ledger == "group_privilege":
                group, privilege, resource = key
                change = "group_grant" if effect == "open" else "group_revoke"
            elif ledger == "member" and log.is_privileged_group_of(e):
                group, subject = key
                change = "group_join" if effect == "open" else "group_leave"
            else:
                continue
            if privilege is not None:
                if not matches(log.p["privileged_pattern"], privilege):
                    continue
                within = scope(privilege, resource)
            actor = log.actor(e)
            own = subject is not None and subject == actor
            opening = effect == "open" and not failed(e)
            closing = min((x[0] for x in ledgers[ledger].get(key, ()) if x[2] == "close" and x[0] > e["time"]),
                          default=None) if opening else None
            if effect == "close":
                severity = 1
            elif within == "resource":
                severity = 2
            elif opening:
                severity = 4 if own else 3
            else:
                severity = 2
            rows.append({
                "time": e["time"], "change": change, "outcome": outcome(e), "subject_uid": subject,
                "subject_label": log.label(subject), "group_uid": group, "privilege": privilege, "resource_uid": resource,
                "scope": within, "actor_uid": actor, "actor_label": log.label(actor), "self_grant": own,
                "src_ip": address(e), "closed_time": closing,
                "held_minutes": ((to if closing is None else closing) - e["time"]) / 60000 if opening else None,
                "still_held": closing is None if opening else None, "event_uid": uid_of(e), "severity_id": severity,
            })
    return ordered(rows, lambda r: (r["time"], *map(last, (r["event_uid"], r["privilege"], r["resource_uid"],
                                                           r["subject_uid"]))))


def review(events, p, inputs):
    as_of = as_of_ms(p["as_of"])
    log = Log(events, as_of + 1, p, inputs)
    rows = []
    for (subject, privilege, resource, source), h in log.open_keys("access").items():
        now = log.state(subject)[0]
        privileged = is_privileged(privilege, resource, log.p)
        weak = now in ("disabled", "locked")
        if now == "deleted":
            severity = 5
        elif privileged and (weak or h["by"] == subject):
            severity = 4
        elif privileged:
            severity = 3
        elif h["ambiguous"] or weak or matches(log.p["privileged_pattern"], privilege):
            severity = 2
        else:
            severity = 1
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "account_state": now, "privilege": privilege,
            "resource_uid": resource, "privilege_source": source, "scope": scope(privilege, resource),
            "is_privileged": privileged, "granted_time": h["opened"], "granted_by": h["by"], "grant_event_uid": h["uid"],
            "grant_events": h["opens"], "held_days": (as_of - h["opened"]) // DAY, "ambiguous": h["ambiguous"],
            "severity_id": severity,
        })
    return ordered(rows, lambda r: [r[c].encode() for c in ("subject_uid", "privilege", "resource_uid", "privilege_source")])


def review_diff(events, p, inputs):
    start, to = ms(p["from"]), ms(p["to"])
    log = Log(events, to + 1, p, inputs)
    rows = []
    for (subject, privilege, resource, source), entries in log.ledgers()["access"].items():
        a, b = held_at(entries, start), held_at(entries, to)
        if not a and not b:
            continue
        change = "added" if not a else "removed" if not b else "regranted" if a["opened"] != b["opened"] else "unchanged"
        if change == "unchanged" and p["include_unchanged"] != "true":
            continue
        privileged = is_privileged(privilege, resource, log.p)
        end = next(i for i in islands(entries) if i["opened"] == a["opened"]) if change == "removed" else None
        rows.append({
            "change": change, "subject_uid": subject, "subject_label": log.label(subject), "privilege": privilege,
            "resource_uid": resource, "privilege_source": source, "is_privileged": privileged,
            "granted_time": (b or a)["opened"], "granted_by": (b or a)["by"],
            "closed_time": end and end["closed"], "closed_by": end and end["closed_by"],
            "severity_id": 3 if privileged and change in ("added", "regranted") else 1,
        })
    return ordered(rows, lambda r: [r[c].encode() for c in
                             ("change", "subject_uid", "privilege", "resource_uid", "privilege_source")])


def sod(events, p, inputs):
    start, to, window = ms(p["from"]), ms(p["to"]), duration(p["window"])
    log = Log(events, to, p, inputs)
    automation = listed(p["automation_actors"])

    def created(subject, actor, time):
        made = [e for e in log.events if is_a(e, 3001, 1) and not failed(e) and log.subject(e) == subject
                and log.actor(e) == actor and e["time"] <= time]
        made = max(made, key=c4) if made else None
        return made if made and time - made["time"] <= window else None

    found = {}

    def violation(pattern, e, subject, item, privileged, create):
        row = found.setdefault((pattern, log.actor(e), subject, e["time"]),
                               {"items": [], "events": [], "privileged": False, "create": create})
        row["items"].append(item)
        row["events"] += [e, create] if create else [e]
        row["privileged"] |= privileged

    for e in log.events:
        actor = log.actor(e)
        if e["time"] < start or actor is None or failed(e):
            continue
        for ledger, key, effect in facts(log, e):
            subject = log.subject(e)
            if effect != "open" or ledger not in ("access", "member") or subject is None:
                continue
            if ledger == "access":
                item, privileged = key[1], is_privileged(key[1], key[2], log.p)
            else:
                item, privileged = key[0] and "group:" + key[0], log.is_privileged_group_of(e)
            create = created(subject, actor, e["time"])
            if privileged and create and actor not in automation:
                violation("create_and_grant", e, subject, item, True, create)
            if subject == actor and (privileged or p["any_privilege"] == "true"):
                violation("self_grant", e, subject, item, privileged, None)
        if is_key_event(e, log.p) and is_a(e, 3004, 1):
            owner = log.named_owner(e) or actor
            create = created(owner, actor, e["time"])
            if log.user_type(owner) == "Service" and create and actor not in automation:
                violation("create_and_key", e, owner, log.key_of(e), True, create)
    rows = []
    for (pattern, actor, subject, time), row in found.items():
        create = row["create"] and row["create"]["time"]
        if pattern == "self_grant" and row["privileged"] and log.user_type(actor) != "Admin":
            severity = 5
        elif pattern == "create_and_key" or not row["privileged"]:
            severity = 3
        else:
            severity = 4
        rows.append({
            "pattern": pattern, "actor_uid": actor, "actor_label": log.label(actor), "subject_uid": subject,
            "subject_label": log.label(subject), "create_time": create, "grant_time": time,
            "gap_minutes": None if create is None else (time - create) / 60000, "items": by_bytes(row["items"]),
            "src_ips": by_bytes(address(e) for e in row["events"]), "event_uids": by_bytes(uid_of(e) for e in row["events"]),
            "severity_id": severity, "finding_key": finding_key("sod-violations", pattern, actor, subject, time),
        })
    return number_equal_keys(ordered(rows, lambda r: (
        -r["severity_id"], r["grant_time"], r["subject_uid"].encode(), r["actor_uid"].encode(), r["pattern"])))


def group_changes(events, p, inputs):
    start, to = ms(p["from"]), ms(p["to"])
    log = Log(events, to, p, inputs)
    rows = []
    for e in log.events:
        if e["class_uid"] != 3006 or e["time"] < start:
            continue
        group, subject, actor = group_key(e), log.subject(e), log.actor(e)
        members = sum(key[0] == group and held_after([x for x in entries if (x[0], x[1].encode()) <= c4(e)]) is not None
                      for key, entries in log.ledgers()["member"].items())
        privileged = log.is_privileged_group_of(e)
        severity = 1
        if privileged and effective(e):
            severity = 2
            if is_a(e, 3006, 3) and subject is not None and subject == actor:
                severity = 4
            elif is_a(e, 3006, 1, 3, 7):
                severity = 3
        rows.append({
            "time": e["time"], "activity": activity_of(e), "activity_name": text(e.get("activity_name")),
            "outcome": outcome(e), "group_uid": group, "group_name": name_of(e.get("group"), "name"),
            "subject_uid": subject, "subject_label": log.label(subject),
            "subgroup_uid": name_of(e.get("subgroup"), "uid", "name"), "privileges": by_bytes(names_in(e.get("privileges"))),
            "actor_uid": actor, "actor_label": log.label(actor), "src_ip": address(e), "privileged_group": privileged,
            "members_after": members if group is not None else None, "event_uid": uid_of(e), "severity_id": severity,
        })
    return ordered(rows, lambda r: (r["time"], last(r["event_uid"]), last(r["group_uid"]), r["activity"],
                                    last(r["subject_uid"])))


def key_lifecycle(events, p, inputs):
    as_of = as_of_ms(p["as_of"])
    start = ms(p["from"]) if "from" in p else as_of - 90 * DAY
    log = Log(events, as_of + 1, p, inputs)
    overlap, max_age = duration(p["overlap"]), int(p["max_age_days"])
    lives = log.key_lives()
    rows = []
    for k in lives:
        if k["deleted"] is not None:
            if k["deleted"] < start:
                continue
            now = "deleted"
        else:
            now = "unknown_origin" if k["created"] is None else "disabled" if k["disabled"] is not None else "active"
        owner_state = log.state(k["owner"])[0] if k["owner"] else None
        before = [o for o in lives if o["key"] != k["key"] and o["owner"] is not None and o["owner"] == k["owner"]
                  and o["deleted"] is not None and k["created"] is not None
                  and k["created"] <= o["deleted"] <= k["created"] + overlap]
        age = ((as_of if k["deleted"] is None else k["deleted"]) - (k["seen"] if k["created"] is None else k["created"])) // DAY
        overdue = now == "active" and age > max_age
        if k["leaked"] and now != "deleted":
            severity = 5
        elif now == "active" and owner_state in ("disabled", "deleted"):
            severity = 4
        elif overdue or k["leaked"]:
            severity = 3
        else:
            severity = 2 if now == "unknown_origin" else 1
        rows.append({
            "key_uid": k["key"], "key_name": k["name"], "owner_uid": k["owner"], "owner_label": log.label(k["owner"]),
            "owner_state": owner_state, "state": now, "created_time": k["created"], "created_by": k["by"],
            "last_change_time": k["changed"], "updates": k["updates"], "disabled_time": k["disabled"],
            "deleted_time": k["deleted"], "deleted_by": k["deleted_by"], "age_days": age, "overdue": overdue,
            "rotated_from": max(before, key=lambda o: (o["deleted"], o["end"], o["key"].encode()))["key"] if before else None,
            "leaked": k["leaked"], "severity_id": severity, "_": k["number"],
        })
    rows.sort(key=lambda r: (r["state"], r["created_time"] is not None, r["created_time"] or 0, r["key_uid"].encode(), r["_"]))
    for r in rows:
        del r["_"]
    return rows


REPORTS = {
    "privileged-grants-log": (privileged_grants, {}),
    "access-review-as-of": (review, {}),
    "access-review-diff": (review_diff, {"include_unchanged": "false"}),
    "sod-violations": (sod, {"window": "P1D", "any_privilege": "false", "automation_actors": ""}),
    "group-membership-changes": (group_changes, {}),
    "api-key-lifecycle": (key_lifecycle, {"max_age_days": "90", "overlap": "P7D"}),
}
