#!/usr/bin/env python3
"""large.py COUNT PROFILE [NAME]: the profile with as many more CPU stacks, of 1 ms each, to standard output; with a name each has a
function of its own that begins with it."""
import re
import sys

count, path, name = int(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else ""
with open(path, encoding="utf-8") as file:
    text = file.read()


def add(text, title, rows):
    """Behind the rows of a table."""
    match = re.search(r"^## " + title + r" \((\d+)\)\n\n```tsv\n.*?\n(?=```\n)", text, re.S | re.M)
    head = match[0].replace(f"({match[1]})", f"({int(match[1]) + len(rows)})", 1)
    return text[:match.start()] + head + "".join(row + "\n" for row in rows) + text[match.end():], int(match[1])


frames = [f"{16 + i:x}\t0\t0\t\t{name}{i}\t/usr/bin/large\t" for i in range(count)] if name else []
text, known = add(text, "All frames", frames)
if name:
    stacks = [f"0 {known + i}" for i in range(count)]
else:
    stacks = [" ".join(str(i // known ** k % known) for k in range(5)) for i in range(count)]
text, _ = add(text, "All CPU stacks", [f"1000000\t0\t1\t0\t{stack}" for stack in stacks])
sys.stdout.write(text)
