#!/usr/bin/env python3
"""The catalogue's text in plain loops, to work out what reports must give; knows nothing of our SQL.

`reference.py` reads <id>.ndjson and <id>.cases.json beside it and writes <id>.expected.json. Slow on purpose: every
rule is the sentence of the catalogue, evaluated per row over all events.
"""
import json, os, re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

HERE = os.path.dirname(os.path.abspath(__file__))
PRIVILEGED = (r"(^|[^a-z])(admin|administrator|owner|superuser|root)s?([^a-z]|$)|^(all|workspace_write|user_write|"
              r"service_account_write|service_accounts_manage|group_members_manage|workspace_members_(invite|remove)|"
              r"webhooks_(write|manage)|audit_log_read|conversation_privacy_manage)$")
DEFAULTS = {
    "user-provisioning-log": {"early_window": "P1D", "automation_actors": "", "privileged_pattern": PRIVILEGED},
    "auth-outcome-summary": {"tz": "UTC", "bucket": "day", "by": "all", "min_failures": "20"},
    "brute-force-by-user": {"threshold": "5", "window": "PT15M", "lookback": "P1D", "success_window": "PT1H"},
}


def ms(text):
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round((time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp() * 1000)


def duration(text):
    d, h, m, s = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text).groups(default="0")
    return ((int(d) * 24 + int(h)) * 60 + int(m)) * 60_000 + int(s) * 1000


def text(value):
    value = (value or "").strip()
    return value or None


def get(obj, path):
    for part in path.split("."):
        obj = (obj or {}).get(part)
    return obj


def uid_of(event):  # C1
    return text(get(event, "metadata.uid")) or event.get("id")


def c4(event):
    return (event["time"], (uid_of(event) or "").encode())


class Log:
    """Visible, deduplicated events of one run, and who is who in them."""

    def __init__(self, events, to):
        events = [e for e in events if e.get("time") is not None and e["time"] < to]  # C3
        self.events, by_uid = [], {}
        for e in events:  # C2
            uid = uid_of(e)
            if uid is None:
                self.events.append(e)
            elif uid not in by_uid or e["time"] < by_uid[uid]["time"]:
                by_uid[uid] = e
        self.events += by_uid.values()
        self.events.sort(key=c4)
        # user objects in the order in which they were seen
        self.objects = []
        for e in self.events:
            for place in ("actor.user", "user"):
                u = get(e, place)
                if u:
                    self.objects.append(u)

    @staticmethod
    def email(u):
        name = text(u.get("name"))
        return text(u.get("email_addr")) or (name if name and "@" in name else None)

    def resolve(self, u):  # C5
        if not u:
            return None
        if text(u.get("uid")):
            return text(u["uid"])
        email = self.email(u)
        if email:
            found = None
            for o in self.objects:
                if text(o.get("uid")) and self.email(o) and self.email(o).lower() == email.lower():
                    found = text(o["uid"])
            return found or email.lower()
        return text(u.get("name"))

    def subject(self, e):
        found = self.resolve(e.get("user"))
        return found if found or e["class_uid"] != 3002 else self.resolve(get(e, "actor.user"))

    def actor(self, e):
        app = text(get(e, "actor.app_uid")) or text(get(e, "actor.app_name"))
        return self.resolve(get(e, "actor.user")) or (app and "app:" + app)

    def label(self, uid):
        email = name = None
        for o in self.objects:
            if self.resolve(o) == uid:
                email, name = self.email(o) or email, text(o.get("name")) or name
        return email or name or uid

    def user_type(self, uid):
        found = 0
        for o in self.objects:
            if self.resolve(o) == uid and o.get("type_id") is not None:
                found = o["type_id"]
        return {0: "Unknown", 1: "User", 2: "Admin", 3: "System", 4: "Service"}.get(found, "Other")


def outcome(e):  # C6
    return {None: "unknown", 0: "unknown", 1: "success", 2: "failure"}.get(e.get("status_id"), "other")


def not_failed(e):
    return e.get("status_id") != 2


def successful(e):
    return e.get("status_id") == 1


def address(e):  # C8
    forwarded = get(e, "http_request.x_forwarded_for") or [None]
    return text(get(e, "src_endpoint.ip")) or text(get(e, "device.ip")) or text(forwarded[0])


def actor_is_user(log, e):
    return log.resolve(get(e, "actor.user")) is not None


def is_a(e, class_uid, activity_id):
    return e["class_uid"] == class_uid and e.get("activity_id") == activity_id


def grants(e):
    """Privilege names of an effective grant (C14), names of a join (C15)."""
    if not not_failed(e):
        return [], []
    if is_a(e, 3005, 1):
        return [n for n in map(text, e.get("privileges") or []) if n], []
    if is_a(e, 3001, 7):
        policies = e.get("policies") or [e.get("policy") or {}]
        return [n for n in (text(p.get("name")) or text(p.get("uid")) for p in policies) if n], []
    if is_a(e, 3006, 3):
        key = text(get(e, "group.uid")) or text(get(e, "group.name"))
        return [], ["group:" + key] if key else []
    return [], []


def provisioning(events, p):
    start, to, early = ms(p["from"]), ms(p["to"]), duration(p["early_window"])
    automation = [a for a in p["automation_actors"].split(",") if a]
    log = Log(events, to)
    rows = []
    for e in log.events:
        if not (is_a(e, 3001, 1) and start <= e["time"] < to):
            continue
        subject, actor, created = log.subject(e), log.actor(e), e["time"]
        mine = [x for x in log.events if subject and log.subject(x) == subject]
        deleted = min((x["time"] for x in mine if is_a(x, 3001, 6) and successful(x) and x["time"] > created), default=None)
        counted = [x for x in mine if x["time"] >= created and (deleted is None or x["time"] < deleted)]
        given = [(x["time"], *grants(x)) for x in counted]
        given = [g for g in given if g[1] or g[2]]
        first = min((g[0] for g in given), default=None)
        names = sorted({n for g in given if g[0] == first for n in g[1] + g[2]}, key=str.encode)
        within = any(re.search(p["privileged_pattern"], n, re.I)
                     for g in given if g[0] < created + early for n in g[1])
        mfa = min((x["time"] for x in mine if is_a(x, 3001, 10) and not_failed(x) and x["time"] >= created), default=None)
        severity = 1
        if not_failed(e):
            if actor is None or within:
                severity = 3
            elif automation and actor not in automation:
                severity = 2
        rows.append({
            "time": created, "outcome": outcome(e),
            "subject_uid": subject, "subject_label": subject and log.label(subject),
            "user_type": log.user_type(subject) if subject else "Unknown",
            "actor_uid": actor, "actor_label": actor and log.label(actor), "src_ip": address(e),
            "first_grant_time": first, "first_grant": names if first is not None else None,
            "minutes_to_first_grant": None if first is None else (first - created) / 60000,
            "privileged_within": within, "mfa_enabled_time": mfa, "event_uid": uid_of(e), "severity_id": severity,
        })
    rows.sort(key=lambda r: (r["time"], r["event_uid"] is None, (r["event_uid"] or "").encode()))
    return rows


PROTOCOLS = ["Unknown", "NTLM", "Kerberos", "Digest", "OpenID", "SAML", "OAUTH 2.0", "PAP", "CHAP", "EAP", "RADIUS",
             "Basic Authentication", "LDAP"]


def summary(events, p):
    start, to, zone = ms(p["from"]), ms(p["to"]), ZoneInfo(p["tz"])

    def bucket(time):
        local = datetime.fromtimestamp(time / 1000, timezone.utc).astimezone(zone)
        if p["bucket"] == "day":
            cut = datetime(local.year, local.month, local.day, tzinfo=zone)
        else:
            cut = local.replace(minute=0, second=0, microsecond=0)
        return round(cut.timestamp() * 1000)

    def key(log, e):
        if p["by"] == "protocol":
            number = e.get("auth_protocol_id") or 0
            return PROTOCOLS[number] if number < len(PROTOCOLS) else "Other"
        return {"all": lambda: "all", "user": lambda: log.subject(e), "ip": lambda: address(e)}[p["by"]]()

    log = Log(events, to)
    groups = {}
    if p["by"] == "all":
        for minute in range(start, to, 60_000):
            groups[bucket(minute), "all"] = []
        groups.setdefault((bucket(to - 1), "all"), [])
    for e in log.events:
        if is_a(e, 3002, 1) and start <= e["time"] < to:
            groups.setdefault((bucket(e["time"]), key(log, e)), []).append(e)
    rows = []
    for (begin, name), group in groups.items():
        good = sum(outcome(e) == "success" for e in group)
        bad = sum(outcome(e) == "failure" for e in group)
        mfa = sum(outcome(e) == "success" and e.get("is_mfa") is True for e in group)
        rate = bad / (good + bad) if good + bad else None
        rows.append({
            "bucket_start": begin, "key": name, "successes": good, "failures": bad, "other": len(group) - good - bad,
            "failure_rate": rate, "mfa_share": mfa / good if good else None,
            "distinct_users": len({log.subject(e) for e in group} - {None}),
            "distinct_ips": len({address(e) for e in group} - {None}),
            "severity_id": 3 if bad >= int(p["min_failures"]) and rate is not None and rate > 0.5 else 1,
        })
    rows.sort(key=lambda r: (r["bucket_start"], r["key"] is None, (r["key"] or "").encode()))
    return rows


def brute_force(events, p):
    start, to, threshold = ms(p["from"]), ms(p["to"]), int(p["threshold"])
    window, lookback, after = duration(p["window"]), duration(p["lookback"]), duration(p["success_window"])
    log = Log(events, to)
    logons = [(log.subject(e), e) for e in log.events if is_a(e, 3002, 1)]
    locks = [(log.subject(e), e["time"]) for e in log.events if is_a(e, 3001, 9) and successful(e)]
    rows = []
    for subject in sorted({s for s, _ in logons if s}):
        failures = [e for s, e in logons if s == subject and e.get("status_id") == 2 and start - lookback <= e["time"] < to]
        n = [sum(e["time"] - window < f["time"] <= e["time"] for f in failures) for e in failures]
        covered = [(f, n[i]) for i, f in enumerate(failures)
                   if any(n[j] >= threshold and e["time"] - window < f["time"] <= e["time"]
                          for j, e in enumerate(failures))]
        episodes = []
        for f, count in covered:
            if not episodes or f["time"] - episodes[-1][-1][0]["time"] >= window:
                episodes.append([])
            episodes[-1].append((f, count))
        for episode in episodes:
            first, last = episode[0][0]["time"], episode[-1][0]["time"]
            trigger = min(f["time"] for f, count in episode if count >= threshold)
            if not start <= trigger < to:
                continue
            lock = min((t for s, t in locks if s == subject and first <= t <= last + window), default=None)
            entered = [e for s, e in logons if s == subject and successful(e) and trigger <= e["time"] <= last + after]
            entered = min(entered, key=c4, default=None)
            ips = sorted({address(f) for f, _ in episode} - {None}, key=str.encode)
            rows.append({
                "subject_uid": subject, "subject_label": log.label(subject),
                "first_time": first, "trigger_time": trigger, "last_time": last, "failures": len(episode),
                "max_in_window": max(count for _, count in episode), "distinct_ips": len(ips), "src_ips": ips,
                "lockout_time": lock, "success_time": entered and entered["time"],
                "success_ip": entered and address(entered),
                "severity_id": 4 if entered else 2 if lock is not None else 3,
                "finding_key": f"brute-force-by-user|{subject}|{trigger}",
            })
    rows.sort(key=lambda r: (r["trigger_time"], r["subject_uid"].encode()))
    return rows


if __name__ == "__main__":
    for name, report in (("user-provisioning-log", provisioning), ("auth-outcome-summary", summary),
                         ("brute-force-by-user", brute_force)):
        events = [json.loads(line) for line in open(f"{HERE}/{name}.ndjson")]
        cases = json.load(open(f"{HERE}/{name}.cases.json"))
        out = [{"parameters": case, "rows": report(events, {**DEFAULTS[name], **case})} for case in cases]
        with open(f"{HERE}/{name}.expected.json", "w") as file:
            lines = []
            for case in out:
                rows = ",\n".join("    " + json.dumps(row) for row in case["rows"])
                lines.append(f'  {{"parameters": {json.dumps(case["parameters"])}, "rows": [\n{rows}\n  ]}}')
            file.write("[\n" + ",\n".join(lines) + "\n]\n")
        print(name, len(events), "events", [len(case["rows"]) for case in out], "rows")
