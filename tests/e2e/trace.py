#!/usr/bin/env python3
"""Checks a trace against Chrome's trace event format: strict JSON, the fields of each phase, spans of a thread that lie in each
other, asynchronous ones that begin and end. Usage: trace.py FILE; prints how many events of each phase there are."""
import collections
import json
import sys


def refuse(word):
    raise ValueError(f"{word} is no JSON")


def check(event):
    phase = event["ph"]
    assert phase in "XBMCibe", phase
    for key in ("pid", "tid"):
        assert type(event[key]) is int and event[key] > 0, event
    assert isinstance(event["name"], str) and event["name"].isprintable(), event
    assert type(event["ts"]) in (int, float) and event["ts"] >= 0, event
    if phase == "X":
        assert type(event["dur"]) in (int, float) and event["dur"] >= 0, event
    if phase in "be":
        assert isinstance(event["id"], str) and event["cat"], event
    if phase == "C":
        assert event["args"] and all(type(v) in (int, float) for v in event["args"].values()), event
    if phase == "i":
        assert event["s"] in ("g", "p", "t"), event
    if phase == "M":
        assert event["name"] in ("process_name", "thread_name") and isinstance(event["args"]["name"], str), event


def check_nesting(events):
    spans = collections.defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            spans[event["tid"]].append((event["ts"], -event["dur"]))
    for of_thread in spans.values():
        around = []
        for begin, minus in sorted(of_thread):
            end = begin - minus
            while around and around[-1] <= begin:
                around.pop()
            assert not around or end <= around[-1] + 0.002, "spans overlap"
            around.append(end)


def main():
    with open(sys.argv[1], "rb") as file:
        trace = json.loads(file.read().decode("utf-8"), parse_constant=refuse)
    assert trace["displayTimeUnit"] in ("ms", "ns")
    events = trace["traceEvents"]
    for event in events:
        check(event)
    check_nesting(events)
    begun = collections.Counter((e["cat"], e["id"], e["name"]) for e in events if e["ph"] == "b")
    assert begun == collections.Counter((e["cat"], e["id"], e["name"]) for e in events if e["ph"] == "e")
    print(" ".join(f"{phase}={n}" for phase, n in sorted(collections.Counter(e["ph"] for e in events).items())))


main()
