#!/usr/bin/env python3
"""Works out what reports must give: `reference.py [ID ...]` reads <id>.ndjson and <id>.cases.json and writes
<id>.expected.json. The conventions are in conventions.py, the reports in the other files; no file knows our SQL.
"""
import json, os, sys

import access, accounts, behaviour, delivery, habits, holdings, ledgers, lifecycle, logons, runs, sessions, summaries

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = [accounts, lifecycle, access, holdings, ledgers, logons, sessions, behaviour, habits, delivery, summaries, runs]
REPORTS = {name: report for file in FILES for name, report in file.REPORTS.items()}


def write(name):
    report, defaults = REPORTS[name]
    events = [json.loads(line) for line in open(f"{HERE}/{name}.ndjson")]
    cases, counts = [], []
    for case in json.load(open(f"{HERE}/{name}.cases.json")):
        inputs = case.pop("inputs", {})
        rows = report(events, {**defaults, **case}, inputs)
        counts.append(len(rows))
        shown = ",\n".join("    " + json.dumps(row) for row in rows)
        given = f' "inputs": {json.dumps(inputs)},' if inputs else ""
        cases.append(f'  {{"parameters": {json.dumps(case)},{given} "rows": [\n{shown}\n  ]}}')
    with open(f"{HERE}/{name}.expected.json", "w") as file:
        file.write("[\n" + ",\n".join(cases) + "\n]\n")
    print(name, len(events), "events", counts, "rows")


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(REPORTS):
        write(name)
