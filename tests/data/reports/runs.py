"""Reports on the runs of reports (catalogue H), in plain loops."""
from behaviour import gaps_of
from conventions import *


def matrix(events, p, inputs):
    start, to, fail = ms(p["from"]), ms(p["to"]), int(p["fail_severity"])
    rows = []
    for control in inputs.get("report_control", ()):
        if p["framework"] not in ("all", control["framework"]):
            continue
        runs = [r for r in inputs.get("report_run", ()) if r["report_id"] == control["report_id"] and r["state"] == "done"
                and start <= r["run_time"] < to]
        run = max(runs, key=lambda r: (r["run_time"], r["period_to"], r["period_from"]), default=None)
        worst = run and run["max_severity"]
        if run is None:
            assurance = "not_run"
        elif run["verdict"] == "evidence":
            assurance = "attention" if run["attention"] and worst is not None and worst >= fail else "evidence"
        elif run["verdict"] == "not assessable":
            assurance = "not_assessable"
        else:
            is_bad = run["verdict"] == "findings" and (worst is None or worst >= fail)
            assurance = "findings" if is_bad else "pass"
        rows.append({
            "framework": control["framework"], "control_id": control["control_id"], "report_id": control["report_id"],
            "last_run": run and run["run_time"], "period_from": run and run["period_from"],
            "period_to": run and run["period_to"], "rows": run and run["rows"], "max_severity": worst,
            "coverage": run and run["coverage"], "assurance": assurance,
        })
    return ordered(rows, lambda r: (r["framework"], r["control_id"].encode(), r["report_id"]))


def digest(events, p, inputs):
    start, to, least, days = ms(p["from"]), ms(p["to"]), int(p["min_severity"]), int(p["suppress_days"])
    log = Log(events, to, p, inputs)
    found = inputs.get("report_finding", ())
    silent, today = [], []

    def row(report, status, summary, severity=None, key=None, first=None, latest=None, repeat=None, count=None, gap=None):
        return {"report_id": report, "status": status, "severity_id": severity, "finding_key": key, "summary": summary,
                "first_time": first, "last_time": latest, "repeat": repeat, "events": count, "log_gap_seconds": gap}

    for report in sorted({c["report_id"] for c in inputs.get("report_control", ()) if c["kind"] == "detection"}):
        runs = [r for r in inputs.get("report_run", ()) if r["report_id"] == report
                and (r["period_from"], r["period_to"]) == (start, to)]
        run = max(runs, key=lambda r: r["run_time"], default=None)
        if run is None:
            silent.append(row(report, "not_run", "no scheduled run for this period"))
            continue
        if run["state"] != "done":
            silent.append(row(report, {"failed": "failed", "skipped": "not_run"}[run["state"]], run["reason"]))
        elif run["verdict"] == "not assessable":
            silent.append(row(report, "not_assessable", run["reason"]))
        for f in found:
            same = (f["report_id"], f["run_time"], f["period_from"], f["period_to"]) == (report, run["run_time"], start, to)
            if not same or (3 if f["severity_id"] is None else f["severity_id"]) < least:
                continue
            repeat = any((o["report_id"], o["finding_key"]) == (report, f["finding_key"])
                         and start - days * DAY < o["period_to"] <= start for o in found)
            today.append(row(report, "finding", f["finding_key"][len(report) + 1:].replace("|", " "), f["severity_id"],
                             f["finding_key"], f["first_time"], f["last_time"], repeat))
    gap = sum(round(g["overlap_seconds"] * 1000) for g in gaps_of(events, start, to, DAY, "all", inputs) if not g["covered"])
    failures = sum(r["status"] == "failed" for r in silent)
    head = row("coverage", "gap" if gap else "complete", f"{failures} failed runs",
               count=sum(start <= e["time"] for e in log.events), gap=gap / 1000)
    today = ordered(today, lambda r: (r["severity_id"] is None, -(r["severity_id"] or 0), r["report_id"],
                                      r["finding_key"].encode()))
    return [head] + silent + today


REPORTS = {
    "framework-coverage-matrix": (matrix, {"framework": "all", "fail_severity": "3"}),
    "daily-log-review-digest": (digest, {"min_severity": "2", "suppress_days": "7"}),
}
