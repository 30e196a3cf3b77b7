"""All that the reports use: what one event says, the log as a whole, and the form of a result."""
from log import *


def ordered(rows, key):
    """In the report's order; what that leaves open by all columns, null last."""
    def rank(value):
        if value is None:
            return (1,)
        return (0, [v.encode() for v in value] if isinstance(value, list) else value.encode() if isinstance(value, str) else value)
    return sorted(rows, key=lambda r: (key(r), [rank(value) for value in r.values()]))


# --- C19

def finding_key(*parts):
    shown = ["" if part is None else str(part) for part in parts]
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in shown)


def number_equal_keys(rows):
    """`|2`, `|3` ... in the order of the result."""
    counts = {}
    for row in rows:
        counts[row["finding_key"]] = counts.get(row["finding_key"], 0) + 1
        if counts[row["finding_key"]] > 1:
            row["finding_key"] += f"|{counts[row['finding_key']]}"
    return rows
