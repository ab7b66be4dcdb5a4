#!/usr/bin/env python3
"""A file as a later minor version may write it: with what this one does not know, wherever that may stand.
Usage: later.py profile|tree|json FILE >LATER."""
import json
import re
import sys


def add_columns(text):
    """A column behind those of every table, in Markdown and of tab-separated values."""
    out, fence, head = [], False, False
    for line in text.split("\n"):
        if line.startswith("```"):
            fence = line if not fence else False
            head = True
        elif fence == "```tsv":
            line += "\tlater_ns\tlater" if head else "\ta word\t\\\\ 3"
            head = False
        elif not fence and re.match(r"\|(:?-+:?\|)+$", line):
            line += ":--|"
        elif not fence and line.startswith("|"):
            line += " later |"
        out.append(line)
    return "\n".join(out)


def profile(text):
    text = add_columns(text)
    text = text.replace("\n---\n", "\nlater: \"word\"\nlater_seconds: soon\nheap_later_bytes: many\n---\n", 1)
    text = text.replace("\n# Data Quality\n", "\n# Later\n\n| Later |\n|---:|\n| 1 |\n\n# Data Quality\n", 1)
    return text.replace("\n</details>\n", "\n## All later (1)\n\n```tsv\nlater\nx\n```\n\n</details>\n", 1)


def tree(text):
    return add_columns(text).replace("\n---\n", "\nlater: 3\n---\n", 1)


def as_later(value):
    """A field more in every object but those whose keys are names, of figures and of metrics."""
    if isinstance(value, list):
        return [as_later(item) for item in value]
    if not isinstance(value, dict):
        return value
    new = {key: as_later(item) for key, item in value.items()}
    names = new and all(isinstance(item, (dict, float)) for item in value.values())
    return new if names else {"later": [{"later": None}], **new}


kind, name = sys.argv[1:]
with open(name, encoding="utf-8") as file:
    content = file.read()
if kind == "json":
    json.dump(as_later(json.loads(content)), sys.stdout)
else:
    sys.stdout.write({"profile": profile, "tree": tree}[kind](content))
