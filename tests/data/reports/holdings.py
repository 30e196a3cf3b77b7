"""Reports on what is held through groups, and on how far the ledgers can be trusted (catalogue B, C), in plain loops."""
from conventions import *


def members(events, p, inputs):
    log = Log(events, as_of_ms(p["as_of"]) + 1, p, inputs)
    held, rows = log.open_keys("member"), []
    for (group, subject), h in held.items():
        now = log.state(subject)[0]
        rows.append({
            "group_uid": group, "group_name": log.group_name(group), "member_count": sum(k[0] == group for k in held),
            "subject_uid": subject, "subject_label": log.label(subject), "account_state": now, "member_since": h["opened"],
            "added_by": h["by"], "add_events": h["opens"], "ambiguous": h["ambiguous"],
            "severity_id": 3 if now in ("disabled", "deleted") else 2 if h["ambiguous"] else 1,
        })
    return ordered(rows, lambda r: (r["group_uid"].encode(), r["subject_uid"].encode()))


def paths_up(log, group, deepest):
    """The groups above a group, itself first: (group, path from it, since when)."""
    found, above = [(group, [group], 0)], log.open_keys("subgroup")
    for low, path, since in found:
        if len(path) < deepest:
            found += [(high, path + [high], max(since, h["opened"])) for (high, subgroup), h in above.items()
                      if subgroup == low and high not in path]
    return found


def effective_access(log, deepest):
    """(subject, privilege, resource, via, granting group) -> what is known of it, for all that anybody holds."""
    found = {}

    def add(key, depth, path, since, ambiguous, own):
        row = found.setdefault(key, {"depth": depth, "path": path, "since": since, "ambiguous": False, "own": False})
        if (depth, [g.encode() for g in path]) < (row["depth"], [g.encode() for g in row["path"]]):
            row["depth"], row["path"] = depth, path
        row["since"] = min(row["since"], since)
        row["ambiguous"] |= ambiguous
        row["own"] |= own

    for (subject, privilege, resource, _), h in log.open_keys("access").items():
        add((subject, privilege, resource, "direct", None), 0, [], h["opened"], h["ambiguous"], h["by"] == subject)
    for (group, subject), m in log.open_keys("member").items():
        for granting, path, since in paths_up(log, group, deepest):
            for (holder, privilege, resource), h in log.open_keys("group_privilege").items():
                if holder == granting:
                    add((subject, privilege, resource, "group", granting), len(path), path,
                        max(m["opened"], since, h["opened"]), m["ambiguous"] or h["ambiguous"], m["by"] == subject)
    return found


def effective_now(events, p, inputs):
    log = Log(events, as_of_ms(p["as_of"]) + 1, p, inputs)
    rows = []
    for (subject, privilege, resource, via, group), h in effective_access(log, int(p["max_depth"])).items():
        now, privileged = log.state(subject)[0], is_privileged(privilege, resource, log.p)
        weak = now in ("disabled", "locked")
        if now == "deleted":
            severity = 5
        elif privileged and (weak or h["own"] or h["depth"] >= 2):
            severity = 4
        elif privileged:
            severity = 3
        else:
            severity = 2 if h["ambiguous"] or weak or matches(log.p["privileged_pattern"], privilege) else 1
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "account_state": now, "privilege": privilege,
            "resource_uid": resource, "scope": scope(privilege, resource), "via": via, "granting_group": group,
            "depth": h["depth"], "path": h["path"], "is_privileged": privileged, "severity_id": severity,
        })
    return ordered(rows, lambda r: [last(r[c]) for c in ("subject_uid", "privilege", "resource_uid", "via", "granting_group")])


def against_workspace(events, p, inputs):
    given = inputs.get("snapshot_access", ())
    taken = max((row["taken_at"] for row in given), default=None)
    log = Log(events, FOREVER, p)  # the log alone: the snapshot is what it is compared with
    logged, there = {}, set()
    if taken is None:
        return []
    for (subject, privilege, resource, _), h in log.open_keys("access", taken).items():
        key = ("privilege", subject, privilege, resource)
        logged[key] = min(logged.get(key, h["opened"]), h["opened"])
    for (group, subject), h in log.open_keys("member", taken).items():
        logged["group", subject, group, None] = h["opened"]
    owners = {k["key"]: k["owner"] for k in log.key_lives()
              if k["created"] is not None and k["created"] <= taken and (k["deleted"] is None or k["deleted"] > taken)}
    for k in log.key_lives():
        if k["key"] in owners and k["created"] is not None and k["created"] <= taken and (k["deleted"] or FOREVER) > taken:
            logged["api_key", None, k["key"], None] = k["created"]
    spoken = {}
    for row in given:
        kind, item, subject = text(row["item_type"]), text(row["item"]), text(row["subject_uid"])
        if row["taken_at"] != taken or item is None or kind not in ("privilege", "group", "api_key"):
            continue
        if kind == "api_key":
            there.add(("api_key", None, item, None))
            spoken[item] = subject
        elif subject is not None:
            there.add((kind, subject, item, (text(row.get("resource_uid")) or "*") if kind == "privilege" else None))
    rows = []
    for key in logged.keys() | there:
        kind, subject, item, resource = key
        if kind == "api_key":
            subject = spoken.get(item) or owners.get(item)
        result = "only_log" if key not in there else "match" if key in logged else "only_workspace"
        privileged = kind == "privilege" and is_privileged(item, resource, log.p)
        rows.append({
            "result": result, "item_type": kind, "subject_uid": subject, "subject_label": log.label(subject), "item": item,
            "resource_uid": resource, "granted_time": logged.get(key), "agreement": None,
            "severity_id": {"match": 1, "only_log": 2}.get(result, 4 if privileged else 3),
        })
    for kind in {r["item_type"] for r in rows}:
        mine = [r["result"] == "match" for r in rows if r["item_type"] == kind]
        share = sum(mine) / len(mine)
        rows.append({
            "result": "summary", "item_type": kind, "subject_uid": None, "subject_label": None, "item": None,
            "resource_uid": None, "granted_time": None, "agreement": share, "severity_id": 1 if share == 1 else 2,
        })
    return ordered(rows, lambda r: (r["item_type"], r["result"], last(r["subject_uid"]), last(r["item"])))


PAIRS = [
    ("key administration with audit-log reading",
     "^(service_account_write|service_accounts_manage|api_keys?_(write|manage))$", "^audit_log_read$"),
    ("member invitation with group management", "^workspace_members_invite$", "^group_members_manage$"),
    ("webhook writing with audit-log reading", "^webhooks_(write|manage)$", "^audit_log_read$"),
]


def toxic(events, p, inputs):
    log = Log(events, as_of_ms(p["as_of"]) + 1, p, inputs)
    held, rows = {}, []
    for (subject, privilege, resource, _, _), h in effective_access(log, 10).items():
        mine = held.setdefault(subject, {})
        mine[privilege, resource] = min(mine.get((privilege, resource), h["since"]), h["since"])
    pairs = [(r["rule"], r["left_pattern"], r["right_pattern"]) for r in inputs.get("toxic_pairs", ())] or PAIRS
    for rule, left, right in pairs:
        for subject, mine in held.items():
            found = [((a, mine[a, x]), (b, mine[b, y])) for a, x in mine for b, y in mine
                     if a != b and matches(left, a) and matches(right, b)
                     and (p["same_resource"] != "true" or x == y or "*" in (x, y))]
            if not found:
                continue
            now = log.state(subject)[0]
            rows.append({
                "rule": rule, "subject_uid": subject, "subject_label": log.label(subject), "account_state": now,
                "left_privileges": by_bytes(a[0] for a, _ in found), "right_privileges": by_bytes(b[0] for _, b in found),
                "since": max(min(a[1] for a, _ in found), min(b[1] for _, b in found)),
                "severity_id": 2 if now in ("disabled", "deleted") else 4,
                "finding_key": finding_key("sod-toxic-combinations", rule, subject),
            })
    return number_equal_keys(ordered(rows, lambda r: (r["rule"].encode(), r["subject_uid"].encode())))


REPORTS = {
    "sod-toxic-combinations": (toxic, {"same_resource": "false"}),
    "access-state-reconciliation": (against_workspace, {}),
    "effective-access-as-of": (effective_now, {"max_depth": "10"}),
    "group-membership-as-of": (members, {}),
}
