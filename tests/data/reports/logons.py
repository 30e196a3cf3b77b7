"""Reports on logons (catalogue D but for second factors), in plain loops."""
import ipaddress, math
from conventions import *

PROTOCOLS = ["Unknown", "NTLM", "Kerberos", "Digest", "OpenID", "SAML", "OAUTH 2.0", "PAP", "CHAP", "EAP", "RADIUS",
             "Basic Authentication", "LDAP"]


def summary(events, p, inputs):
    start, to, zone = ms(p["from"]), ms(p["to"]), ZoneInfo(p["tz"])
    log = Log(events, to, p, inputs)

    def bucket(time):
        local = datetime.fromtimestamp(time / 1000, timezone.utc).astimezone(zone)
        if p["bucket"] == "day":
            cut = datetime(local.year, local.month, local.day, tzinfo=zone)
        else:
            cut = local.replace(minute=0, second=0, microsecond=0)
        return round(cut.timestamp() * 1000)

    def key(e):
        number = e.get("auth_protocol_id") or 0
        return {"all": "all", "user": log.subject(e), "ip": address(e),
                "protocol": PROTOCOLS[number] if number < len(PROTOCOLS) else "Other"}[p["by"]]

    groups = {}
    if p["by"] == "all":
        for minute in range(start, to, 60_000):
            groups[bucket(minute), "all"] = []
        groups.setdefault((bucket(to - 1), "all"), [])
    for e in log.events:
        if is_logon(e) and start <= e["time"]:
            groups.setdefault((bucket(e["time"]), key(e)), []).append(e)
    rows = []
    for (begin, name), group in groups.items():
        good, bad = sum(map(successful, group)), sum(map(failed, group))
        mfa = sum(successful(e) and mfa_of(e) is True for e in group)
        rate = bad / (good + bad) if good + bad else None
        rows.append({
            "bucket_start": begin, "key": name, "successes": good, "failures": bad, "other": len(group) - good - bad,
            "failure_rate": rate, "mfa_share": mfa / good if good else None,
            "distinct_users": len({log.subject(e) for e in group} - {None}),
            "distinct_ips": len({address(e) for e in group} - {None}),
            "severity_id": 3 if bad >= int(p["min_failures"]) and rate is not None and rate > 0.5 else 1,
        })
    return ordered(rows, lambda r: (r["bucket_start"], last(r["key"])))


def episodes_of(events, threshold, window, measure=len):
    """Episodes of brute-force-by-user over the events of one key: lists of (event, n), n by `measure`."""
    n = [measure([f for f in events if e["time"] - window < f["time"] <= e["time"]]) for e in events]
    covered = [(f, n[i]) for i, f in enumerate(events)
               if any(n[j] >= threshold and e["time"] - window < f["time"] <= e["time"] for j, e in enumerate(events))]
    episodes = []
    for f, count in covered:
        if not episodes or f["time"] - episodes[-1][-1][0]["time"] >= window:
            episodes.append([])
        episodes[-1].append((f, count))
    return episodes


def brute_force(events, p, inputs):
    start, to, threshold = ms(p["from"]), ms(p["to"]), int(p["threshold"])
    window, lookback, after = duration(p["window"]), duration(p["lookback"]), duration(p["success_window"])
    log = Log(events, to, p, inputs)
    logons = [(log.subject(e), e) for e in log.events if is_logon(e)]
    locks = [(log.subject(e), e["time"]) for e in log.events if is_a(e, 3001, 9) and successful(e)]
    rows = []
    for subject in sorted({s for s, _ in logons if s}):
        failures = [e for s, e in logons if s == subject and failed(e) and start - lookback <= e["time"]]
        for episode in episodes_of(failures, threshold, window):
            first, latest = episode[0][0]["time"], episode[-1][0]["time"]
            trigger = min(f["time"] for f, count in episode if count >= threshold)
            if not start <= trigger:
                continue
            lock = min((t for s, t in locks if s == subject and first <= t <= latest + window), default=None)
            entered = [e for s, e in logons if s == subject and successful(e) and trigger <= e["time"] <= latest + after]
            entered = min(entered, key=c4, default=None)
            ips = by_bytes(address(f) for f, _ in episode)
            rows.append({
                "subject_uid": subject, "subject_label": log.label(subject),
                "first_time": first, "trigger_time": trigger, "last_time": latest, "failures": len(episode),
                "max_in_window": max(count for _, count in episode), "distinct_ips": len(ips), "src_ips": ips,
                "lockout_time": lock, "success_time": entered and entered["time"],
                "success_ip": entered and address(entered),
                "severity_id": 4 if entered else 2 if lock is not None else 3,
                "finding_key": finding_key("brute-force-by-user", subject, trigger),
            })
    return number_equal_keys(ordered(rows, lambda r: (r["trigger_time"], r["subject_uid"].encode())))


def after_failures(events, p, inputs):
    start, to, threshold, window = ms(p["from"]), ms(p["to"]), int(p["threshold"]), duration(p["window"])
    log = Log(events, to, p, inputs)
    logons, rows = [(log.subject(e), e) for e in log.events if is_logon(e)], []
    for subject, s in logons:
        if not (subject and successful(s) and start <= s["time"]):
            continue
        mine = [e for other, e in logons if other == subject]
        before = mine[:next(i for i, e in enumerate(mine) if e is s)]
        previous = max((i for i, e in enumerate(before) if successful(e)), default=-1)
        bad = [e for e in before[previous + 1:] if failed(e) and s["time"] - window <= e["time"] < s["time"]]
        if len(bad) < threshold:
            continue
        ip, t, mfa = address(s), s["time"], mfa_of(s)
        ips = by_bytes(map(address, bad))
        new = ip is not None and not any(successful(e) and address(e) == ip and t - 90 * DAY <= e["time"] < t
                                         for e in mine)
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "success_time": t, "failures": len(bad),
            "first_failure": bad[0]["time"], "success_ip": ip, "failure_ips": ips, "same_ip": ip in ips,
            "new_ip": new, "is_mfa": mfa, "event_uid": uid_of(s),
            "severity_id": 4 if new and mfa is not True else 3 if ip in ips or new else 2,
            "finding_key": finding_key("success-after-failures", subject, uid_of(s), t),
        })
    return number_equal_keys(ordered(rows, lambda r: (r["success_time"], r["subject_uid"].encode(), last(r["event_uid"]))))


def travel(events, p, inputs):
    start, to, lookback = ms(p["from"]), ms(p["to"]), duration(p["lookback"])
    fastest, nearest = float(p["max_speed_kmh"]), float(p["min_distance_km"])
    log = Log(events, to, p, inputs)
    latest, rows = {}, []
    for e in log.events:
        subject, (country, city, position) = log.subject(e), place(e)
        if not (is_logon(e) and successful(e) and subject and position) or get(e, "session.is_vpn") is True:
            continue
        if e["time"] < start - lookback:
            continue
        prev, latest[subject] = latest.get(subject), e
        if prev is None or e["time"] < start:
            continue
        prev_country, prev_city, (lat1, long1) = place(prev)
        lat2, long2 = position
        half = (math.sin(math.radians(lat2 - lat1) / 2) ** 2 + math.cos(math.radians(lat1))
                * math.cos(math.radians(lat2)) * math.sin(math.radians(long2 - long1) / 2) ** 2)
        distance = 2 * 6371.0088 * math.asin(min(1, math.sqrt(half)))
        gap = e["time"] - prev["time"]
        speed = distance / (gap / 3_600_000) if gap else None
        same = address(e) is not None and address(e) == address(prev)
        if distance < nearest or same or not (gap == 0 or speed > fastest):
            continue
        mfa = mfa_of(e)
        differ = country is not None and prev_country is not None and country != prev_country
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "prev_time": prev["time"], "time": e["time"],
            "prev_ip": address(prev), "ip": address(e), "prev_country": prev_country, "country": country,
            "prev_city": prev_city, "city": city, "distance_km": round1(distance), "gap_seconds": gap / 1000,
            "speed_kmh": round1(speed), "simultaneous": gap == 0, "is_mfa": mfa, "prev_event_uid": uid_of(prev),
            "event_uid": uid_of(e), "severity_id": 4 if differ and mfa is not True else 3,
            "finding_key": finding_key("impossible-travel", subject, uid_of(prev), uid_of(e), prev["time"], e["time"]),
        })
    return number_equal_keys(ordered(rows, lambda r: (r["time"], r["subject_uid"].encode(), last(r["event_uid"]))))


def median(values):
    values, half = sorted(values), len(values) // 2
    return float(values[half]) if len(values) % 2 else (values[half - 1] + values[half]) / 2


def spray(events, p, inputs):
    start, to, window = ms(p["from"]), ms(p["to"]), duration(p["window"])
    lookback, after = duration(p["lookback"]), duration(p["success_window"])
    log = Log(events, to, p, inputs)
    failures = [e for e in log.events if is_logon(e) and failed(e) and log.subject(e) and address(e)
                and start - lookback <= e["time"]]
    users = lambda found: len({log.subject(e) for e in found})
    rows = []
    for ip in {address(e) for e in failures}:
        least = int(p["min_users"]) * (3 if ip in listed(p["known_egress"]) else 1)
        for episode in episodes_of([e for e in failures if address(e) == ip], least, window, users):
            mine = [e for e, _ in episode]
            trigger = min(e["time"] for e, count in episode if count >= least)
            if not start <= trigger:
                continue
            hit = [log.subject(e) for e in log.events if is_logon(e) and successful(e) and address(e) == ip
                   and trigger <= e["time"] <= mine[-1]["time"] + after]
            counts = [sum(log.subject(e) == s for e in mine) for s in {log.subject(e) for e in mine}]
            rows.append({
                "src_ip": ip, "country": next((place(e)[0] for e in reversed(mine) if place(e)[0]), None),
                "first_time": mine[0]["time"], "trigger_time": trigger, "last_time": mine[-1]["time"],
                "failures": len(mine), "users": users(mine), "median_per_user": median(counts), "hit_users": by_bytes(hit),
                "user_agents": by_bytes(text(get(e, "http_request.user_agent")) for e in mine),
                "severity_id": 5 if by_bytes(hit) else 3,
                "finding_key": finding_key("password-spray-by-ip", ip, trigger),
            })
    return number_equal_keys(ordered(rows, lambda r: (r["trigger_time"], r["src_ip"].encode())))


def network(ip):
    try:
        return str(ipaddress.IPv6Network((ip, 64), strict=False))
    except ValueError:
        return ip


def new_places(events, p, inputs):
    start, baseline, least = ms(p["from"]), duration(p["baseline"]), int(p["min_history"])
    log = Log(events, ms(p["to"]), p, inputs)
    logons = [e for e in log.events if is_logon(e) and successful(e) and log.subject(e)]

    def values(e):
        ip = address(e)
        found = {"country": place(e)[0], "ip": network(ip) if ip and p["ipv6_prefix"] == "true" else ip}
        return {(kind, value) for kind, value in found.items() if value}

    found = {}
    for e in logons:
        subject, t = log.subject(e), e["time"]
        before = [f for f in logons if log.subject(f) == subject and t - baseline <= f["time"] < t]
        known = set().union(*map(values, before))
        for kind, value in values(e) - known:
            if start <= t and len(before) >= least:
                found.setdefault((subject, kind, value), (e, len(before), sum(k == kind for k, _ in known)))
    rows = []
    for (subject, kind, value), (e, history, known) in found.items():
        mfa, t = mfa_of(e), e["time"]
        severity = 2 if kind == "ip" else 3 if mfa is True else 4
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "time": t, "value_type": kind, "value": value,
            "history_logons": history, "known_values": known,
            "repeat_count": sum(log.subject(f) == subject and (kind, value) in values(f) and c4(f) > c4(e) for f in logons),
            "is_mfa": mfa, "user_agent": text(get(e, "http_request.user_agent")), "event_uid": uid_of(e),
            "severity_id": min(5, severity + log.holds_privileged(subject, t)),
            "finding_key": finding_key("new-location-or-ip", subject, kind, value, uid_of(e), t),
        })
    return number_equal_keys(ordered(rows, lambda r: (r["time"], *(r[k].encode() for k in ("subject_uid", "value_type", "value")))))


def without_factor(events, p, inputs):
    start, to = ms(p["from"]), ms(p["to"])
    log = Log(events, to, p, inputs)
    rows = []

    def factor(e):
        if mfa_of(e) is None and p["sso_counts"] == "true" and e.get("auth_protocol_id") in (4, 5, 6):
            return True
        return mfa_of(e)

    for subject in {log.subject(e) for e in log.events} - {None}:
        mine = [e for e in log.events if is_logon(e) and successful(e) and log.subject(e) == subject and start <= e["time"]]
        none, unknown = sum(factor(e) is False for e in mine), sum(factor(e) is None for e in mine)
        if log.user_type(subject) in ("Service", "System") or not (none or unknown and p["report_unknown"] == "true"):
            continue
        numbers = [e.get("auth_protocol_id") or 0 for e in mine]
        privileged = log.holds_privileged(subject, to)
        rows.append({
            "subject_uid": subject, "subject_label": log.label(subject), "logons": len(mine), "without_mfa": none,
            "unknown_mfa": unknown, "share_without": none / len(mine),
            "protocols": by_bytes(PROTOCOLS[n] if n < len(PROTOCOLS) else "Other" for n in numbers),
            "first_time": mine[0]["time"], "last_time": mine[-1]["time"], "privileged": privileged,
            "severity_id": 1 if not none else 4 if privileged else 3,
            "finding_key": finding_key("logins-without-mfa", subject, mine[0]["time"]),
        })
    return number_equal_keys(ordered(rows, lambda r: (-r["severity_id"], -r["without_mfa"], r["subject_uid"].encode())))


REPORTS = {
    "auth-outcome-summary": (summary, {"tz": "UTC", "bucket": "day", "by": "all", "min_failures": "20"}),
    "brute-force-by-user": (brute_force, {"threshold": "5", "window": "PT15M", "lookback": "P1D", "success_window": "PT1H"}),
    "success-after-failures": (after_failures, {"threshold": "5", "window": "PT30M"}),
    "impossible-travel": (travel, {"max_speed_kmh": "900", "min_distance_km": "100", "lookback": "P1D"}),
    "password-spray-by-ip": (spray, {"min_users": "5", "window": "PT1H", "lookback": "P1D", "success_window": "PT1H",
                                     "known_egress": ""}),
    "new-location-or-ip": (new_places, {"baseline": "P90D", "min_history": "5", "ipv6_prefix": "true"}),
    "logins-without-mfa": (without_factor, {"sso_counts": "false", "report_unknown": "true"}),
}
