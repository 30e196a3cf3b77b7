#!/usr/bin/env python3
"""Accounts, access, groups and API keys: the catalogue's text in plain loops, like reference.py, whose words it uses.

State is found by walking: all entries of a key in order, one flag. `access.py [id ...]` writes <id>.expected.json.
"""
import json, sys
from reference import (HERE, PRIVILEGED, Log, actor_is_user, address, c4, duration, get, is_a, ms, not_failed, outcome,
                       re, successful, text, uid_of)

DAY = 86_400_000
GROUP_PATTERN = r"(^|[^a-z])(admin|owner)s?([^a-z]|$)"
KINDS = "api_key,apikey,access_key,service_account_api_key,workspace_api_key,user_api_key,personal_access_token,token"
LEAK = "exposed_publicly|secret.?scanning"
DEFAULTS = {
    "user-deprovisioning-log": {"max_lag": "P1D"},
    "account-roster-as-of": {"include_deleted": "false"},
    "leaver-residual-access": {"grace": "P1D"},
    "dormant-accounts": {"inactive_days": "90", "include_disabled": "false"},
    "privileged-grants-log": {},
    "access-review-as-of": {},
    "access-review-diff": {"include_unchanged": "false"},
    "sod-violations": {"window": "P1D", "any_privilege": "false", "automation_actors": ""},
    "group-membership-changes": {},
    "api-key-lifecycle": {"max_age_days": "90", "overlap": "P7D", "leak_pattern": LEAK},
}
SHARED = {"privileged_pattern": PRIVILEGED, "privileged_group_pattern": GROUP_PATTERN, "api_key_kinds": KINDS,
          "leak_pattern": LEAK}


def last(value):
    """Null sorts last, text bytewise."""
    return (value is None, (value or "").encode())


def matches(pattern, name):
    return name is not None and re.search(pattern, name, re.I) is not None


def uids(values):
    return sorted({v for v in values if v is not None}, key=str.encode)


def snapshot_of(inputs, to):  # C17, C3
    return [row for row in inputs.get("snapshot_access", ()) if row["taken_at"] < to]


# --- C13

def state(log, subject):
    """(state, since, created, created by)"""
    life, lock = [], []
    for e in log.events:
        if e["class_uid"] != 3001 or log.subject(e) != subject:
            continue
        activity = e.get("activity_id")
        if activity in (1, 2) and not_failed(e):
            life.append((e["time"], 2, c4(e), "active", e))
        if activity == 5 and successful(e):
            life.append((e["time"], 1, c4(e), "disabled", e))
        if activity == 6 and successful(e):
            life.append((e["time"], 0, c4(e), "deleted", e))
    creates = [x for x in life if x[4]["activity_id"] == 1]
    created = max(creates, key=lambda x: x[2]) if creates else None
    for e in log.events:
        if e["class_uid"] != 3001 or log.subject(e) != subject or created and e["time"] < created[0]:
            continue
        if is_a(e, 3001, 9) and successful(e):
            lock.append((e["time"], 0, "locked"))
        if is_a(e, 3001, 12) and not_failed(e):
            lock.append((e["time"], 1, "unlocked"))
    now = max(life, key=lambda x: x[:3])[3] if life else None
    held = max(lock)[2] if lock else None
    made = (created[0], log.actor(created[4])) if created else (None, None)
    if now in ("deleted", "disabled"):
        return (now, max(x[0] for x in life), *made)
    if held == "locked":
        return ("locked", max(x[0] for x in lock), *made)
    if now == "active" or held == "unlocked":
        return ("active", max(x[0] for x in life + lock), *made)
    return ("unknown", None, *made)


# --- C14, C15: entries are (time, event uid, effect, actor)

def names(values):
    out = []
    for v in values:
        if v and v not in out:
            out.append(v)
    return out


def name_of(thing, *members):
    for m in members:
        if text((thing or {}).get(m)):
            return text(thing[m])
    return None


def group_key(e):
    return name_of(e.get("group"), "uid", "name")


def facts(log, e):
    """(ledger, key, effect) of an event, effective or not; one for each privilege and resource."""
    found = []
    privileges = names(text(n) for n in e.get("privileges") or [])
    if e["class_uid"] == 3005 and e.get("activity_id") in (1, 2):
        resources = names(name_of(r, "uid", "name") for r in e.get("resources") or [])
        resources = resources or [name_of(e.get("resource"), "uid", "name") or "*"]
        for p in privileges:
            for r in resources:
                found.append(("access", (log.subject(e), p, r, "direct"), "open" if e["activity_id"] == 1 else "close"))
    if e["class_uid"] == 3001 and e.get("activity_id") in (7, 8):
        policies = names(name_of(p, "name", "uid") for p in e.get("policies") or [])
        policies = policies or names([name_of(e.get("policy"), "name", "uid")])
        for p in policies:
            found.append(("access", (log.subject(e), p, "*", "policy"), "open" if e["activity_id"] == 7 else "close"))
    if e["class_uid"] == 3006:
        activity, group = e.get("activity_id"), group_key(e)
        if activity in (3, 4):
            found.append(("member", (group, log.subject(e)), "open" if activity == 3 else "close"))
        if activity in (7, 8):
            found.append(("subgroup", (group, name_of(e.get("subgroup"), "uid", "name")), "open" if activity == 7 else "close"))
        if activity in (1, 2):
            for p in privileges:
                resource = name_of(e.get("resource"), "uid", "name") or "*"
                found.append(("group_privilege", (group, p, resource), "open" if activity == 1 else "close"))
    return found


def effective(e, effect):
    return not_failed(e) if effect == "open" else successful(e)


def ledgers(log, snapshot=()):
    """ledger -> key -> entries in the order of C14."""
    found = {"access": {}, "member": {}, "subgroup": {}, "group_privilege": {}}
    start = max((row["taken_at"] for row in snapshot), default=None)
    for row in snapshot:
        kind = {"privilege": "access", "group": "member"}.get(row["item_type"])
        if kind and row["taken_at"] == start:
            key = ((row["subject_uid"], row["item"], row.get("resource_uid") or "*", "direct") if kind == "access"
                   else (row["item"], row["subject_uid"]))
            found[kind].setdefault(key, []).append((start, "snapshot", "open", None))
    for e in log.events:
        for ledger, key, effect in facts(log, e):
            unknown = key[0] is None or key[1] is None
            early = start is not None and e["time"] < start and ledger in ("access", "member")
            if effective(e, effect) and not unknown and not early:
                found[ledger].setdefault(key, []).append((e["time"], uid_of(e) or "", effect, log.actor(e)))
    for e in log.events:
        if not successful(e):
            continue
        for ledger, keys in found.items():
            for key, entries in keys.items():
                account = {"access": key[0], "member": key[1]}.get(ledger)
                groups = {"member": key[:1], "group_privilege": key[:1], "subgroup": key}.get(ledger, ())
                if (is_a(e, 3001, 6) and account is not None and log.subject(e) == account
                        or is_a(e, 3006, 5) and group_key(e) is not None and group_key(e) in groups):
                    entries.append((e["time"], uid_of(e) or "", "close", log.actor(e)))
    for keys in found.values():
        for entries in keys.values():
            entries.sort(key=lambda x: (x[0], x[2], x[1].encode()))
    return found


def islands(entries):
    """The times in which a key was held."""
    found, held, closes = [], None, []
    for time, uid, effect, actor in entries:
        if effect == "close":
            closes.append(time)
            if held:
                held.update(closed=time, closed_by=actor)
            held = None
        elif held:
            held["opens"] += 1
        else:
            held = {"opened": time, "by": actor, "uid": uid or None, "opens": 1, "closed": None, "closed_by": None}
            found.append(held)
    for island in found:
        island["ambiguous"] = island["opened"] in closes
    return found


def held_at(entries, time):
    """The island of what stands at `time`, inclusive."""
    found = islands([x for x in entries if x[0] <= time])
    return found[-1] if found and found[-1]["closed"] is None else None


def open_keys(log, ledger, time, snapshot=()):
    return {key: held_at(entries, time) for key, entries in ledgers(log, snapshot)[ledger].items() if held_at(entries, time)}


# --- C11, C16

def segment(e, after):
    found = re.search(after + r"/([^/?#]+)", get(e, "http_request.url.path") or "")
    return found and found.group(1)


def is_key_event(e, kinds):
    if e["class_uid"] != 3004:
        return False
    kind = text(get(e, "entity.type"))
    if kind:
        return re.sub("[^a-z0-9]+", "_", kind.lower()) in kinds.split(",")
    path = get(e, "http_request.url.path") or ""
    return bool(re.search("/api-keys(/|$)", path)) and segment(e, "/api-keys") != "third-party-disabling"


def key_of(e):
    return (text(get(e, "entity.uid")) or text(get(e, "entity_result.uid")) or text(get(e, "entity.name"))
            or segment(e, "/api-keys"))


def named_owner(log, e):
    return log.resolve(get(e, "entity.user")) or segment(e, "/service-accounts")


def key_lives(log, p, snapshot=()):
    by_key = {}
    start = max((row["taken_at"] for row in snapshot), default=None)
    for row in snapshot:
        if row["item_type"] == "api_key" and row["taken_at"] == start:
            event = {"class_uid": 3004, "activity_id": 1, "time": start, "metadata": {"uid": "snapshot"},
                     "entity": {"uid": row["item"], "user": {"uid": row["subject_uid"]}}}
            by_key.setdefault(row["item"], []).append(event)
    for e in log.events:
        if is_key_event(e, p["api_key_kinds"]) and key_of(e) and not (start is not None and e["time"] < start):
            by_key.setdefault(key_of(e), []).append(e)
    lives = []
    for key, events in by_key.items():
        events.sort(key=lambda e: (e["time"], {1: 2, 4: 1}.get(e.get("activity_id"), 0), c4(e)))
        cut = [[]]
        for e in events:
            cut[-1].append(e)
            if is_a(e, 3004, 4) and successful(e):
                cut.append([])
        for number, life in enumerate(cut):
            life = sorted(life, key=c4)
            alive = [e for e in life if not_failed(e)]
            if not [e for e in alive if number == 0 or not is_a(e, 3004, 4)]:
                continue
            creates = [e for e in alive if is_a(e, 3004, 1)]
            ends = [e for e in life if is_a(e, 3004, 4) and successful(e)]
            switches = [(e["time"], 1, e) for e in alive if e.get("activity_id") in (8, 10, 13)]
            switches += [(e["time"], 0, e) for e in life if e.get("activity_id") in (9, 11, 12) and successful(e)]
            off = bool(switches) and max(switches, key=lambda x: x[:2])[1] == 0
            created_by = log.actor(creates[0]) if creates else None
            owners = [o for o in (named_owner(log, e) for e in alive) if o]
            notes = [note for e in life if e.get("activity_id") in (9, 11, 12)
                     for note in (e.get("message"), e.get("unmapped") and json.dumps(e["unmapped"]))]
            changes = [e["time"] for e in alive if e.get("activity_id") != 2]
            lives.append({
                "key": key, "number": number,
                "name": next((text(get(e, "entity.name")) for e in reversed(alive) if text(get(e, "entity.name"))), None),
                "owner": owners[0] if owners else created_by,
                "created": creates[0]["time"] if creates else None, "by": created_by,
                "seen": min(e["time"] for e in alive), "changed": max(changes, default=None),
                "updates": sum(is_a(e, 3004, 3) for e in alive),
                "disabled": max(x[0] for x in switches if x[1] == 0) if off else None,
                "deleted": ends[0]["time"] if ends else None, "deleted_by": log.actor(ends[0]) if ends else None,
                "end": c4(ends[0]) if ends else None,
                "leaked": any(matches(p["leak_pattern"], note) for note in notes),
            })
    return lives


def open_api_keys(lives, subject, time):
    return [k for k in lives if k["owner"] == subject and k["created"] is not None and k["created"] <= time
            and (k["deleted"] is None or k["deleted"] > time)]


# --- A Accounts

def opens_or_closes(e):
    """C7 for an event as a whole."""
    closing = {3001: (5, 6, 8, 9, 11), 3005: (2,), 3006: (2, 4, 5, 8)}.get(e["class_uid"], ())
    return successful(e) if e.get("activity_id") in closing else not_failed(e)


def is_logon(e):
    return is_a(e, 3002, 1) and successful(e)


def population(log, is_seen):
    """subject -> first time, for events of 3001, 3005, 3006 that `is_seen`, logons and actors."""
    found = {}
    for e in log.events:
        people = []
        if is_logon(e) or e["class_uid"] in (3001, 3005, 3006) and is_seen(e):
            people.append(log.subject(e))
        if not_failed(e) and actor_is_user(log, e):
            people.append(log.actor(e))
        for person in people:
            if person:
                found[person] = min(found.get(person, e["time"]), e["time"])
    return found


def latest_email(log, uid):
    found = None
    for o in log.objects:
        if log.resolve(o) == uid:
            found = log.email(o) or found
    return found and found.lower()


def deprovisioning(events, p, inputs):
    start, to, max_lag = ms(p["from"]), ms(p["to"]), duration(p["max_lag"])
    log, snapshot = Log(events, to), snapshot_of(inputs, to)
    all_ledgers, lives = ledgers(log, snapshot), key_lives(log, {**SHARED, **p}, snapshot)
    leavers = []
    for row in inputs.get("leavers", ()):
        if text(row["email"]) and row["left_time"] is not None:
            email = text(row["email"]).lower()
            leaver = (log.resolve({"email_addr": email}), email, row["left_time"])
            if leaver not in leavers:
                leavers.append(leaver)
    rows, matched = [], set()
    for e in log.events:
        if not (e["class_uid"] == 3001 and e.get("activity_id") in (5, 6) and start <= e["time"] < to):
            continue
        subject, actor, time = log.subject(e), log.actor(e), e["time"]
        active = [x["time"] for x in log.events if x["time"] < time and subject is not None and (
            log.actor(x) == subject and not_failed(x) or is_logon(x) and log.subject(x) == subject)]
        grants = [k for k, v in all_ledgers["access"].items() if k[0] == subject and held_at(v, time - 1)]
        groups = [k for k, v in all_ledgers["member"].items() if k[1] == subject and held_at(v, time - 1)]
        later = [x for x in log.events if x["class_uid"] == 3001 and subject is not None and log.subject(x) == subject
                 and c4(x) > c4(e)]
        enabled = [x["time"] for x in later if x.get("activity_id") in (1, 2) and not_failed(x)]
        closed = [x for x in later if x.get("activity_id") in (5, 6) and successful(x)]
        left = None
        if successful(e):
            near = [x for x in leavers if x[0] == subject and x[2] <= time + DAY]
            if near:
                left = min(near, key=lambda x: (abs(time - x[2]), x[2]))[2]
                matched.add((subject, left))
        lag = None if left is None else time - left
        last_active = max(active, default=None)
        severity = 1
        if lag is not None and lag > 7 * max_lag:
            severity = 4
        elif lag is not None and (lag > max_lag or last_active is not None and last_active > left):
            severity = 3
        elif outcome(e) == "failure" and not closed:
            severity = 2
        rows.append({
            "time": time, "action": {5: "disable", 6: "delete"}[e["activity_id"]], "outcome": outcome(e),
            "subject_uid": subject, "subject_label": subject and log.label(subject),
            "actor_uid": actor, "actor_label": actor and log.label(actor), "last_activity_time": last_active,
            "open_grants": len(grants), "open_groups": len(groups),
            "open_api_keys": len(open_api_keys(lives, subject, time - 1)) if subject is not None else 0,
            "reenabled_time": min(enabled, default=None), "left_time": left,
            "lag_hours": None if lag is None else lag / 3_600_000, "event_uid": uid_of(e), "severity_id": severity,
        })
    for subject, email, left in leavers:
        if (subject, left) not in matched and left < to:
            label = log.label(subject)
            rows.append(dict.fromkeys(rows[0] if rows else []) | {
                "action": "missing", "subject_uid": subject, "subject_label": email if label == subject else label,
                "left_time": left, "lag_hours": (to - left) / 3_600_000, "severity_id": 4})
    rows.sort(key=lambda r: (r["time"] is None, r["time"] or 0, last(r["subject_uid"]), last(r["event_uid"]),
                             r["left_time"] or 0))
    return rows


def roster(events, p, inputs):
    as_of, p = ms(p["as_of"]), {**SHARED, **p}
    log, snapshot = Log(events, as_of + 1), snapshot_of(inputs, as_of + 1)
    grants, members = (open_keys(log, name, as_of, snapshot) for name in ("access", "member"))
    lives = key_lives(log, p, snapshot)
    people = [s for s in population(log, opens_or_closes)
              if p["include_deleted"] == "true" or state(log, s)[0] != "deleted"]
    rows = []
    for subject in sorted(people, key=str.encode):
        now, since, created, by = state(log, subject)
        said, switch = [], []
        for e in log.events:
            if e["class_uid"] == 3001 and log.subject(e) == subject:
                has = get(e, "user_result.has_mfa")
                has = get(e, "user.has_mfa") if has is None else has
                if has is not None:
                    said.append((e["time"], not has))
                if is_a(e, 3001, 10) and not_failed(e):
                    switch.append((e["time"], False))
                if is_a(e, 3001, 11) and successful(e):
                    switch.append((e["time"], True))
        found = said or switch
        mfa = ("disabled" if max(found)[1] else "enabled") if found else "unknown"
        mine = [k for k in grants if k[0] == subject]
        privileged = [k for k in mine if matches(p["privileged_pattern"], k[1])]
        email = latest_email(log, subject)
        severity = 1
        if privileged and mfa == "disabled":
            severity = 4
        elif now == "unknown" and mine or email and sum(latest_email(log, s) == email for s in people) > 1:
            severity = 3
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "user_type": log.user_type(subject),
            "account_state": now, "state_since": since, "created_time": created, "created_by": by, "mfa_state": mfa,
            "last_logon_time": max((e["time"] for e in log.events if is_logon(e) and log.subject(e) == subject), default=None),
            "open_grants": len(mine), "open_privileged_grants": len(privileged),
            "open_groups": sum(k[1] == subject for k in members),
            "open_api_keys": len(open_api_keys(lives, subject, as_of)), "severity_id": severity,
        })
    return rows


def residual(events, p, inputs):
    as_of, grace, p = ms(p["as_of"]), duration(p["grace"]), {**SHARED, **p}
    log, snapshot = Log(events, as_of + 1), snapshot_of(inputs, as_of + 1)
    subjects = {log.subject(e) for e in log.events if e["class_uid"] == 3001} - {None}
    grants, members = (open_keys(log, name, as_of, snapshot) for name in ("access", "member"))
    lives = key_lives(log, p, snapshot)
    rows = []
    for subject in subjects:
        now, since, _, _ = state(log, subject)
        if now not in ("disabled", "deleted") or since > as_of - grace:
            continue
        items = [("privilege", k[1], k[2], matches(p["privileged_pattern"], k[1]), v["opened"])
                 for k, v in grants.items() if k[0] == subject]
        items += [("group", k[0], None, False, v["opened"]) for k, v in members.items() if k[1] == subject]
        items += [("api_key", k["key"], None, False, k["created"]) for k in open_api_keys(lives, subject, as_of)]
        for kind, item, resource, privileged, opened in items:
            after, deciding = opened > since, max(opened, since)
            rows.append({
                "subject_uid": subject, "subject_label": log.label(subject), "account_state": now, "state_since": since,
                "residual_type": kind, "item": item, "resource_uid": resource, "is_privileged": privileged,
                "opened_time": opened, "opened_after": after, "days_residual": (as_of - deciding) // DAY,
                "severity_id": 5 if after else 4 if kind == "api_key" or privileged else 3,
                "finding_key": f"leaver-residual-access|{subject}|{kind}|{item}|{resource or ''}|{deciding}",
            })
    rows.sort(key=lambda r: (-r["severity_id"], r["subject_uid"].encode(), r["residual_type"], r["item"].encode(),
                             last(r["resource_uid"]), r["opened_time"]))
    return rows


def dormant(events, p, inputs):
    as_of, days, p = ms(p["as_of"]), int(p["inactive_days"]), {**SHARED, **p}
    log = Log(events, as_of + 1)
    grants = open_keys(log, "access", as_of, snapshot_of(inputs, as_of + 1))
    rows = []
    for subject, first in population(log, not_failed).items():
        now, _, created, _ = state(log, subject)
        if now == "deleted" or now == "disabled" and p["include_disabled"] != "true" or log.user_type(subject) == "System":
            continue
        logons = [e["time"] for e in log.events if is_logon(e) and log.subject(e) == subject]
        acts = [e["time"] for e in log.events if not_failed(e) and actor_is_user(log, e) and log.actor(e) == subject]
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
        privileged = [k for k in mine if matches(p["privileged_pattern"], k[1])]
        inactive = (as_of - reference) // DAY
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "user_type": log.user_type(subject),
            "account_state": now, "created_time": created, "last_logon_time": last_logon, "last_actor_time": last_act,
            "last_activity_time": max(counted, default=None), "basis": basis, "days_inactive": inactive,
            "open_grants": len(mine), "open_privileged_grants": len(privileged),
            "severity_id": 4 if privileged else 3 if inactive >= 2 * days or mine else 2,
            "finding_key": f"dormant-accounts|{subject}|{reference}",
        })
    rows.sort(key=lambda r: (-r["days_inactive"], r["subject_uid"].encode()))
    return rows


# --- B Access

def privileged_group(log, all_ledgers, e, p):
    """As of the event: by its name or key, or by what stands strictly before it in C4 order."""
    group = group_key(e)
    if matches(p["privileged_group_pattern"], group) or matches(p["privileged_group_pattern"], text(get(e, "group.name"))):
        return True
    for key, entries in all_ledgers["group_privilege"].items():
        if group is not None and key[0] == group and matches(p["privileged_pattern"], key[1]):
            before = islands([x for x in entries if (x[0], x[1].encode()) < c4(e)])
            if before and before[-1]["closed"] is None:
                return True
    return False


def privileged_grants(events, p, inputs):
    start, to, p = ms(p["from"]), ms(p["to"]), {**SHARED, **p}
    log = Log(events, to)
    all_ledgers = ledgers(log, snapshot_of(inputs, to))
    rows = []
    for e in log.events:
        if not start <= e["time"] < to:
            continue
        for ledger, key, effect in facts(log, e):
            subject = group = privilege = resource = None
            if ledger == "access":
                subject, privilege, resource, source = key
                change = {("direct", "open"): "grant", ("direct", "close"): "revoke",
                          ("policy", "open"): "policy_attach", ("policy", "close"): "policy_detach"}[source, effect]
            elif ledger == "group_privilege":
                group, privilege, resource = key
                change = "group_grant" if effect == "open" else "group_revoke"
            elif ledger == "member":
                group, subject = key
                change = "group_join" if effect == "open" else "group_leave"
                if not privileged_group(log, all_ledgers, e, p):
                    continue
            else:
                continue
            if ledger != "member" and not matches(p["privileged_pattern"], privilege):
                continue
            actor = log.actor(e)
            own = subject is not None and subject == actor
            opening = effect == "open" and not_failed(e)
            closing = min((x[0] for x in all_ledgers[ledger].get(key, ()) if x[2] == "close" and x[0] > e["time"]),
                          default=None) if opening else None
            rows.append({
                "time": e["time"], "change": change, "outcome": outcome(e),
                "subject_uid": subject, "subject_label": subject and log.label(subject), "group_uid": group,
                "privilege": privilege, "resource_uid": resource,
                "actor_uid": actor, "actor_label": actor and log.label(actor), "self_grant": own, "src_ip": address(e),
                "closed_time": closing,
                "held_minutes": ((to if closing is None else closing) - e["time"]) / 60000 if opening else None,
                "still_held": closing is None if opening else None, "event_uid": uid_of(e),
                "severity_id": (4 if own else 3) if opening else 2 if effect == "open" else 1,
            })
    rows.sort(key=lambda r: (r["time"], last(r["event_uid"]), last(r["privilege"]), last(r["resource_uid"]),
                             last(r["subject_uid"])))
    return rows


def review(events, p, inputs):
    as_of, p = ms(p["as_of"]), {**SHARED, **p}
    log = Log(events, as_of + 1)
    rows = []
    for (subject, privilege, resource, source), h in open_keys(log, "access", as_of, snapshot_of(inputs, as_of + 1)).items():
        now = state(log, subject)[0]
        privileged = matches(p["privileged_pattern"], privilege)
        weak = now in ("disabled", "locked")
        if now == "deleted":
            severity = 5
        elif privileged and (weak or h["by"] == subject):
            severity = 4
        elif privileged:
            severity = 3
        else:
            severity = 2 if h["ambiguous"] or weak else 1
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "account_state": now, "privilege": privilege,
            "resource_uid": resource, "privilege_source": source, "is_privileged": privileged, "granted_time": h["opened"],
            "granted_by": h["by"], "grant_event_uid": h["uid"], "grant_events": h["opens"],
            "held_days": (as_of - h["opened"]) // DAY, "ambiguous": h["ambiguous"], "severity_id": severity,
        })
    rows.sort(key=lambda r: [r[c].encode() for c in ("subject_uid", "privilege", "resource_uid", "privilege_source")])
    return rows


def review_diff(events, p, inputs):
    start, to, p = ms(p["from"]), ms(p["to"]), {**SHARED, **p}
    log = Log(events, to + 1)
    entries = ledgers(log, snapshot_of(inputs, to + 1))["access"]
    rows = []
    for (subject, privilege, resource, source), mine in entries.items():
        a, b = held_at(mine, start), held_at(mine, to)
        if not a and not b:
            continue
        change = "added" if not a else "removed" if not b else "regranted" if a["opened"] != b["opened"] else "unchanged"
        if change == "unchanged" and p["include_unchanged"] != "true":
            continue
        privileged = matches(p["privileged_pattern"], privilege)
        end = next(i for i in islands(mine) if i["opened"] == a["opened"]) if change == "removed" else None
        rows.append({
            "change": change, "subject_uid": subject, "subject_label": log.label(subject), "privilege": privilege,
            "resource_uid": resource, "privilege_source": source, "is_privileged": privileged,
            "granted_time": (b or a)["opened"], "granted_by": (b or a)["by"],
            "closed_time": end and end["closed"], "closed_by": end and end["closed_by"],
            "severity_id": 3 if privileged and change in ("added", "regranted") else 1,
        })
    rows.sort(key=lambda r: [r[c].encode() for c in
                             ("change", "subject_uid", "privilege", "resource_uid", "privilege_source")])
    return rows


def sod(events, p, inputs):
    start, to, window, p = ms(p["from"]), ms(p["to"]), duration(p["window"]), {**SHARED, **p}
    log = Log(events, to)
    all_ledgers = ledgers(log, snapshot_of(inputs, to))
    automation = [a for a in p["automation_actors"].split(",") if a]

    def created(subject, actor, time):
        found = [e for e in log.events if is_a(e, 3001, 1) and not_failed(e) and log.subject(e) == subject
                 and log.actor(e) == actor and e["time"] <= time]
        found = max(found, key=c4) if found else None
        return found if found and time - found["time"] <= window else None

    found = {}

    def violation(pattern, e, subject, item, privileged, create):
        row = found.setdefault((pattern, log.actor(e), subject, e["time"]),
                               {"items": [], "events": [], "privileged": False, "create": create})
        row["items"].append(item)
        row["events"] += [e, create] if create else [e]
        row["privileged"] |= privileged

    for e in log.events:
        actor = log.actor(e)
        if not start <= e["time"] < to or actor is None or not not_failed(e):
            continue
        for ledger, key, effect in facts(log, e):
            if effect != "open" or ledger not in ("access", "member"):
                continue
            subject = log.subject(e)
            if ledger == "access":
                item, privileged = key[1], matches(p["privileged_pattern"], key[1])
            else:
                item, privileged = key[0] and "group:" + key[0], privileged_group(log, all_ledgers, e, p)
            if subject is None:
                continue
            create = created(subject, actor, e["time"])
            if privileged and create and actor not in automation:
                violation("create_and_grant", e, subject, item, True, create)
            if subject == actor and (privileged or p["any_privilege"] == "true"):
                violation("self_grant", e, subject, item, privileged, None)
        if is_key_event(e, p["api_key_kinds"]) and is_a(e, 3004, 1):
            owner = named_owner(log, e) or actor
            create = created(owner, actor, e["time"])
            if log.user_type(owner) == "Service" and create and actor not in automation:
                violation("create_and_key", e, owner, key_of(e), True, create)
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
            "gap_minutes": None if create is None else (time - create) / 60000, "items": uids(row["items"]),
            "src_ips": uids(address(e) for e in row["events"]), "event_uids": uids(uid_of(e) for e in row["events"]),
            "severity_id": severity, "finding_key": f"sod-violations|{pattern}|{actor}|{subject}|{time}",
        })
    rows.sort(key=lambda r: (-r["severity_id"], r["grant_time"], r["subject_uid"].encode(), r["actor_uid"].encode(),
                             r["pattern"]))
    return rows


# --- C Groups

ACTIVITIES = {1: "assign_privileges", 2: "revoke_privileges", 3: "add_user", 4: "remove_user", 5: "delete", 6: "create",
              7: "add_subgroup", 8: "remove_subgroup"}


def group_changes(events, p, inputs):
    start, to, p = ms(p["from"]), ms(p["to"]), {**SHARED, **p}
    log = Log(events, to)
    all_ledgers = ledgers(log, snapshot_of(inputs, to))
    rows = []
    for e in log.events:
        if e["class_uid"] != 3006 or not start <= e["time"] < to:
            continue
        group, subject, actor = group_key(e), log.subject(e), log.actor(e)
        activity = ACTIVITIES.get(e.get("activity_id"), "other")
        members = 0
        for key, entries in all_ledgers["member"].items():
            upto = islands([x for x in entries if (x[0], x[1].encode()) <= c4(e)])
            members += bool(key[0] == group and upto and upto[-1]["closed"] is None)
        privileged = privileged_group(log, all_ledgers, e, p)
        severity = 1
        if privileged and opens_or_closes(e):
            severity = 2
            if activity in ("add_user", "assign_privileges", "add_subgroup"):
                severity = 4 if activity == "add_user" and subject is not None and subject == actor else 3
        rows.append({
            "time": e["time"], "activity": activity, "outcome": outcome(e), "group_uid": group,
            "group_name": text(get(e, "group.name")), "subject_uid": subject, "subject_label": subject and log.label(subject),
            "subgroup_uid": name_of(e.get("subgroup"), "uid", "name"),
            "privileges": sorted(names(text(n) for n in e.get("privileges") or []), key=str.encode),
            "actor_uid": actor, "actor_label": actor and log.label(actor), "src_ip": address(e),
            "privileged_group": privileged, "members_after": members if group is not None else None,
            "event_uid": uid_of(e), "severity_id": severity,
        })
    rows.sort(key=lambda r: (r["time"], last(r["event_uid"]), last(r["group_uid"]), r["activity"], last(r["subject_uid"])))
    return rows


# --- E Keys

def key_lifecycle(events, p, inputs):
    as_of, p = ms(p["as_of"]), {**SHARED, **p}
    start = ms(p["from"]) if "from" in p else as_of - 90 * DAY
    log, overlap, max_age = Log(events, as_of + 1), duration(p["overlap"]), int(p["max_age_days"])
    lives = key_lives(log, p, snapshot_of(inputs, as_of + 1))
    rows = []
    for k in lives:
        if k["deleted"] is not None:
            if k["deleted"] < start:
                continue
            now = "deleted"
        else:
            now = "unknown_origin" if k["created"] is None else "disabled" if k["disabled"] is not None else "active"
        owner_state = state(log, k["owner"])[0] if k["owner"] else None
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
            "key_uid": k["key"], "key_name": k["name"], "owner_uid": k["owner"],
            "owner_label": k["owner"] and log.label(k["owner"]), "owner_state": owner_state, "state": now,
            "created_time": k["created"], "created_by": k["by"], "last_change_time": k["changed"], "updates": k["updates"],
            "disabled_time": k["disabled"], "deleted_time": k["deleted"], "deleted_by": k["deleted_by"], "age_days": age,
            "overdue": overdue,
            "rotated_from": max(before, key=lambda o: (o["deleted"], o["end"], o["key"].encode()))["key"] if before else None,
            "leaked": k["leaked"], "severity_id": severity, "_": k["number"],
        })
    rows.sort(key=lambda r: (r["state"], r["created_time"] is not None, r["created_time"] or 0, r["key_uid"].encode(), r["_"]))
    for r in rows:
        del r["_"]
    return rows


REPORTS = {
    "user-deprovisioning-log": deprovisioning, "account-roster-as-of": roster, "leaver-residual-access": residual,
    "dormant-accounts": dormant, "privileged-grants-log": privileged_grants, "access-review-as-of": review,
    "access-review-diff": review_diff, "sod-violations": sod, "group-membership-changes": group_changes,
    "api-key-lifecycle": key_lifecycle,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or REPORTS:
        events = [json.loads(line) for line in open(f"{HERE}/{name}.ndjson")]
        with open(f"{HERE}/{name}.expected.json", "w") as file:
            lines, counts = [], []
            for case in json.load(open(f"{HERE}/{name}.cases.json")):
                inputs = case.pop("inputs", {})
                rows = REPORTS[name](events, {**DEFAULTS[name], **case}, inputs)
                counts.append(len(rows))
                shown = ",\n".join("    " + json.dumps(row) for row in rows)
                given = f' "inputs": {json.dumps(inputs)},' if inputs else ""
                lines.append(f'  {{"parameters": {json.dumps(case)},{given} "rows": [\n{shown}\n  ]}}')
            file.write("[\n" + ",\n".join(lines) + "\n]\n")
        print(name, len(events), "events", counts, "rows")
