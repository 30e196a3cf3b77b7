"""Summaries (catalogue H), in plain loops."""
from behaviour import CATEGORIES, category, elements, gaps_of, is_exempt_machine, off_reason
from conventions import *
from logons import brute_force

REQUIREMENTS = [
    ("10.2.1.1", "individual access to cardholder data"),
    ("10.2.1.2", "actions of administrators, and interactive use of application and system accounts"),
    ("10.2.1.3", "access to audit logs"), ("10.2.1.4", "invalid logical access attempts"),
    ("10.2.1.5", "changes to identities, credentials and elevation of privileges"),
    ("10.2.1.6", "start, stop, pause of logs"), ("10.2.1.7", "creation and deletion of system-level objects"),
]


def pci(events, p, inputs):
    start, to = ms(p["from"]), ms(p["to"])
    patterns = {**CATEGORIES, **json.loads(p["patterns"])}
    log = Log(events, to, p, inputs)

    def requirement(e, number):
        kind = category(e, patterns)
        entity_kind = kind_of(name_of(e.get("entity"), "type")) if e["class_uid"] == 3004 else None
        if number == "10.2.1.1":
            return is_a(e, 3004, 2) and entity_kind in listed(p["cardholder_kinds"])
        if number == "10.2.1.2":
            machine = is_logon(e) and successful(e) and log.subject(e) and log.user_type(log.subject(e)) in ("Service", "System")
            return bool(log.is_administrator(e) or log.is_admin(e) or machine)
        if number == "10.2.1.3":
            return kind == "log_access"
        if number == "10.2.1.4":
            return is_logon(e) and failed(e) or e["class_uid"] != 3002 and is_refused(e, listed(log.p["refusal_codes"]))
        if number == "10.2.1.5":
            return (is_a(e, 3001, *range(1, 13)) or is_a(e, 3005, 1, 2) or is_a(e, 3006, 1, 3)
                    or is_key_event(e, log.p) and not is_a(e, 3004, 2))
        if number == "10.2.1.6":
            return kind == "log_config"
        return is_a(e, 3006, 5, 6) or is_a(e, 3004, 1, 4) and (
            is_key_event(e, log.p) or entity_kind in listed(log.p["system_kinds"]) or kind is not None)

    def complete(e):
        found = elements(log, e)
        return all(found[x] is not False for x in ("who", "subject", "what", "when", "outcome", "origin", "object"))

    met = [(e, [number for number, _ in REQUIREMENTS if requirement(e, number)]) for e in log.events]
    rows = []
    for number, topic in REQUIREMENTS + [("10.2.2", "content of the records")]:
        mine = [e for e, numbers in met if number in numbers or number == "10.2.2" and numbers]
        old = [e for e in mine if e["time"] < start]
        mine = [e for e in mine if start <= e["time"]]
        share = sum(map(complete, mine)) / len(mine) if mine else None
        status = "silent" if old else "not_in_source"
        if mine:
            status = "evidenced" if share >= float(p["min_complete"]) else "incomplete"
        rows.append({
            "requirement": number, "topic": topic, "events": len(mine),
            "actors": len({log.actor(e) for e in mine} - {None}), "failures": sum(map(failed, mine)),
            "first_time": min((e["time"] for e in mine), default=None),
            "last_time": max((e["time"] for e in mine), default=None), "complete_share": share, "status": status,
            "example_event_uids": by_bytes(map(uid_of, mine))[:3],
            "severity_id": 3 if status == "not_in_source" else 1 if status == "evidenced" else 2,
        })
    return rows


METRICS = ("events_total active_actors accounts_created accounts_deactivated accounts_active_end privileged_grants "
           "privileged_revokes privileged_holders_end logon_success logon_failure logon_failure_rate logon_mfa_share "
           "mfa_factors_disabled password_resets api_keys_created api_keys_deleted destructive_actions "
           "failed_admin_actions off_hours_admin_actions brute_force_episodes log_gap_seconds unattributed_events").split()


def month_of(events, p, begin, end, inputs):
    log = Log(events, end, p, inputs)
    types = listed(log.p["exempt_types"])
    here = [e for e in log.events if begin <= e["time"]]
    count = lambda test: sum(1 for e in here if test(e))

    def names(e):  # privileged for one of the resources
        return len({key[1] for ledger, key, _ in facts(log, e) if ledger == "access" and is_privileged(key[1], key[2], log.p)})

    subjects = {log.subject(e) for e in log.events} - {None}
    holders = {k[0] for k in log.open_keys("access") if is_privileged(k[1], k[2], log.p)}
    good = [e for e in here if is_logon(e) and successful(e)]
    bad = count(lambda e: is_logon(e) and failed(e))
    iso = lambda t: datetime.fromtimestamp(t / 1000, timezone.utc).isoformat()
    off = {**p, "weekend_off": "true", "holidays": ""}
    period = {"from": iso(begin), "to": iso(end), "threshold": p["bf_threshold"], "window": p["bf_window"],
              "lookback": "P1D", "success_window": "PT1H"}
    silent = [g for g in gaps_of(events, begin, end, duration(p["max_gap"]), "all", inputs) if not g["covered"]]
    return [None if v is None else float(v) for v in (
        len(here), len({log.actor(e) for e in here} - {None}),
        count(lambda e: is_a(e, 3001, 1) and not failed(e)),
        count(lambda e: is_a(e, 3001, 5, 6) and successful(e)),
        sum(log.state(s)[0] in ("active", "active (seen)") for s in subjects),
        sum(names(e) for e in here if is_a(e, 3005, 1) and not failed(e)),
        sum(names(e) for e in here if is_a(e, 3005, 2) and successful(e)),
        sum(log.state(s)[0] != "deleted" for s in holders),
        len(good), bad, bad / (bad + len(good)) if bad + len(good) else None,
        sum(mfa_of(e) is True for e in good) / len(good) if good else None,
        count(lambda e: is_a(e, 3001, 11) and not failed(e)), count(lambda e: is_a(e, 3001, 4) and successful(e)),
        count(lambda e: is_a(e, 3004, 1) and is_key_event(e, log.p) and not failed(e)),
        count(lambda e: is_a(e, 3004, 4) and is_key_event(e, log.p) and successful(e)),
        count(lambda e: (is_a(e, 3001, 6) or is_a(e, 3004, 4) or is_a(e, 3006, 5)) and successful(e)),
        count(lambda e: log.is_admin(e) and failed(e)),
        count(lambda e: log.is_admin(e) and not failed(e) and off_reason(e["time"], off)[1] is not None
              and not is_exempt_machine(log, e, types)),
        len(brute_force(events, period, inputs)),
        sum(round(g["overlap_seconds"] * 1000) for g in silent) / 1000,
        count(lambda e: log.actor(e) is None and log.subject(e) is None),
    )]


def monthly(events, p, inputs):
    year, month = map(int, p["month"].split("-"))

    def first(months):
        y, m = divmod(year * 12 + month - 1 + months, 12)
        return round(datetime(y, m + 1, 1, tzinfo=ZoneInfo(p["tz"])).timestamp() * 1000)

    values = month_of(events, p, first(0), first(1), inputs)
    log_begin = min((e["time"] for e in events if e.get("time") is not None), default=None)
    before = [None] * len(values)
    if log_begin is not None and log_begin <= first(-1) + duration(p["max_gap"]):
        before = month_of(events, p, first(-1), first(0), inputs)
    rows = []
    for order, (name, value, previous) in enumerate(zip(METRICS, values, before), 1):
        delta = None if value is None or previous is None else value - previous
        rows.append({"metric_order": order, "metric": name, "value": value, "previous": previous, "delta": delta,
                     "delta_pct": None if delta is None or previous == 0 else round1(100 * delta / previous)})
    return rows


REPORTS = {
    "pci-10-2-1-coverage-matrix": (pci, {"cardholder_kinds": "", "min_complete": "0.95", "patterns": "{}"}),
    "monthly-executive-summary": (monthly, {
        "tz": "UTC", "business_start": "08:00", "business_end": "18:00", "max_gap": "P1D", "bf_threshold": "5",
        "bf_window": "PT15M"}),
}
