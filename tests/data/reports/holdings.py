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
    """The groups above a group, itself first: (group, path from it)."""
    found, above = [(group, [group])], log.open_keys("subgroup")
    for low, path in found:
        if len(path) < deepest:
            found += [(high, path + [high]) for high, subgroup in above if subgroup == low and high not in path]
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
        for granting, path in paths_up(log, group, deepest):
            for (holder, privilege, resource), h in log.open_keys("group_privilege").items():
                if holder == granting:
                    add((subject, privilege, resource, "group", granting), len(path), path, max(m["opened"], h["opened"]),
                        m["ambiguous"] or h["ambiguous"], m["by"] == subject)
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


REPORTS = {
    "effective-access-as-of": (effective_now, {"max_depth": "10"}),
    "group-membership-as-of": (members, {}),
}
