#!/usr/bin/env python3
"""fleet_same.py A B: two merged profiles say the same: front matter, and every row of the complete part, byte for byte. Errors of lines,
files and modules come from other sums, which do not know that a module has a program's time to itself: they are no smaller, and larger
within bounds. Other tables are not of a store."""
import re
import sys

SAME = ("All functions", "All heap sites", "All spans")
NEAR = ("All lines", "All files", "All modules")
STACKS = ("All CPU stacks", "All heap stacks", "All wait stacks")


def load(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    tables = {}
    for match in re.finditer(r"^## (All [a-zA-Z ]+) \(\d+\)\n\n```tsv\n(.*?)\n```", text, re.S | re.M):
        head, *rows = [line.split("\t") for line in match[2].split("\n")]
        tables[match[1]] = (head, rows)
    return text.split("---\n")[1], tables


def numbers(head, rows, only):
    return sorted(tuple(cell for name, cell in zip(head, row) if only(name)) for row in rows)


def check(name, ours, theirs, only):
    a, b = numbers(*ours, only), numbers(*theirs, only)
    if a != b:
        more, less = sorted(set(a) - set(b)), sorted(set(b) - set(a))
        sys.exit(f"{name}: {len(more)} rows differ: {more[:2]} {less[:2]}")


(front_a, a), (front_b, b) = load(sys.argv[1]), load(sys.argv[2])
if front_a != front_b:
    sys.exit(f"front matter: {set(front_a.splitlines()) ^ set(front_b.splitlines())}")
for table in SAME:
    if table not in b:
        sys.exit(f"there are no {table[4:]}")
    check(table, a[table], b[table], lambda name: True)
for table in NEAR:
    check(table, a[table], b[table], lambda name: "error" not in name)
    column = a[table][0].index("self_error_ns")
    for ours, theirs in zip(*(sorted(t[table][1], key=lambda r: r[column + 1:] + r) for t in (a, b))):
        x, y = int(ours[column]), int(theirs[column])
        if not y / 3 - 1e6 <= x <= 20 * y + 20e6:
            sys.exit(f"{table}: an error of {x} is not near {y}: {ours}")
for table in STACKS:
    if table in b:
        check(table, a[table], b[table], lambda name: name not in ("shared", "frames"))
