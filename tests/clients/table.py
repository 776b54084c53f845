"""Print, as a Markdown table, what came of the clients' checks: `python table.py FOLDER`."""

import json
import sys
from pathlib import Path

CHECKS = ["schedules", "finder", "fits", "resume", "lines"]


def table_of(folder):
    rows = {}
    for path in sorted(Path(folder).glob("*.json")):
        note = json.loads(path.read_text(encoding="utf-8"))
        rows.setdefault(note["client"], {})[note["check"]] = note["outcome"]
    lines = [["client", *CHECKS], ["---"] * (1 + len(CHECKS))]
    lines += [[name, *(str(row.get(one, "-")) for one in CHECKS)] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(table_of(sys.argv[1]) + "\n")
