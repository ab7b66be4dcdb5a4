#!/usr/bin/python3
"""Fills a dashboard's page with 60 days of runs that were never made: 1,000 of five commands, on two machines and two
branches, with noise, a step up, a step down, a drift, failures, runs in parallel, and names that want to be markup.

usage: dashboard_data.py PAGE NEW_PAGE [RUNS]"""
import json
import math
import random
import re
import sys

EVIL = "</script><script>window.broken=1</script><img src=x onerror=window.broken=1>"
START, DAYS = 1790000000, 60
random.seed(7)


def stacks(factor):
    names = ["main", "parse", "slow_" + EVIL, "lookup", "write_out"]
    functions = [[name, "prog", None, 0, 0] for name in names]
    rows = [[0, [0, 1, 3], 4e8, 400, 4e8, 400], [2, [2], 2e8, 200, 2e8 * factor, int(200 * factor)], [1, [4], 1e8, 100, 1e8, 100]]
    return {"functions": functions, "cpu": [[int(v) if not isinstance(v, list) else v for v in row] for row in rows], "heap": [], "waits": [],
            "views": [{"key": "cpu", "title": "CPU time", "unit": "nanoseconds", "stacks": "cpu", "value": 0}]}


def series(key, program, arguments, count, base, noise, step=None, drift=0.0, fails=0.0):
    when, ids, columns = [], [], {"commit": [], "branch": [], "machine": [], "state": [], "jobs": [], "build": []}
    wall, user, peak, waits, allocated, errors = [], [], [], [], [], []
    last = 0
    for i in range(count):
        now = START + int(DAYS * 86400 * (i + random.random() * 0.6) / count)
        when.append(now - last)
        last = now
        ids.append("%08x%024x" % (random.getrandbits(32), i))
        machine, branch = int(random.random() < 0.25), int(random.random() < 0.2)
        failed = random.random() < fails
        columns["commit"].append(min(199, i * 200 // count))
        columns["branch"].append(branch)
        columns["machine"].append(machine)
        columns["build"].append(0)
        columns["state"].append(1 if failed else 0)
        columns["jobs"].append(2 if random.random() < 0.02 else 1)
        level = math.exp(random.gauss(0, noise) + drift * i / count) * (1.35 if machine else 1) * (0.93 if branch else 1)
        if step and i >= step[0]:
            level *= step[1]
        wall.append(round(base * level * (0.2 if failed else 1)))
        user.append(round(0.8 * base * level * math.exp(random.gauss(0, noise / 2))))
        errors.append(round(0.02 * user[-1]))
        peak.append(round(4e7 * (1 + 0.002 * random.random())))
        allocated.append(round(3e8 * math.exp(random.gauss(0, 0.01))) if i % 2 else None)
        waits.append(round(0.1 * base * random.random()))
    metrics = [{"name": "wall_ns", "values": wall}, {"name": "user_ns", "values": user, "errors": errors}, {"name": "peak_rss_bytes", "values": peak},
               {"name": "allocated_bytes", "values": allocated}, {"name": "queue_ns", "values": waits}, {"name": "span." + EVIL[:40] + ".p99_ns", "values": waits}]
    changes = []
    if step:
        at = next(i for i in range(step[0], count) if columns["machine"][i] == 0 and columns["branch"][i] == 0 and columns["state"][i] == 0)
        def end(seq):
            return next(i for i in seq if columns["machine"][i] == 0 and columns["branch"][i] == 0)
        changes.append({"metric": "wall_ns", "machine": 0, "branch": 0, "at": at, "from": end(range(count)), "to": end(range(count - 1, -1, -1)), "before": base, "after": base * step[1],
                        "low": step[1] * 0.98, "high": step[1] * 1.02, "chance": 0.0002, "suspected": False, "commits": [columns["commit"][at] - 1, columns["commit"][at]],
                        "causes": [["slow_" + EVIL, "prog", "cpu_ns", 0.2 * base, 0.2 * base * step[1], True], ["lookup", "prog", "cpu_ns", 0.4 * base, 0.401 * base, False]],
                        "flame": 0 if step[1] > 1 else 1})
        changes.append({"metric": "wall_ns", "machine": 0, "branch": 0, "at": end(range(count - 2, -1, -1)), "from": at, "to": end(range(count - 1, -1, -1)), "before": base * step[1], "after": base * step[1] * 1.06,
                        "low": None, "high": None, "chance": 0.08, "suspected": True, "commits": [], "causes": [], "flame": None})
    return {"key": key, "program": program, "arguments": arguments, "environment": "development", "when": when, "id": ids, **columns, "metrics": metrics, "changes": changes}


def main():
    page, target = sys.argv[1:3]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    share = lambda part: int(runs * part)
    all_series = [
        series("a", "/usr/bin/sqlite3", "db .schema", share(0.3), 4.2e8, 0.03, step=(share(0.2), 1.18)),
        series("b", "/usr/bin/xz", "-3 FILE", share(0.25), 1.9e9, 0.02, step=(share(0.1), 0.88)),
        series("c", "/usr/bin/python3", EVIL, share(0.25), 8e7, 0.08, fails=0.08),
        series("d", "/opt/\u202eevil\x1b[31m", "", share(0.1), 2.5e8, 0.04, drift=0.15),
        series("e", "/bin/true", "", share(0.1), 1.2e6, 0.2),
    ]
    points = [[int(k * 1e7), int(k * 0.8e7 + 2e6 * math.sin(k)), int(2e7 + k * 2e5), 1 + (k % 30 == 0)] for k in range(1, 121)]
    details = [{"id": each["id"][-1 - k], "command": each["program"] + " " + each["arguments"], "note": "", "tags": [], "timeline": points,
                "functions": [["lookup", "prog", "cpu_ns", 2.1e8], ["slow_" + EVIL, "prog", "cpu_ns", 1e8]]} for each in all_series for k in range(4) if k < len(each["id"])]
    board = {"kind": "dashboard", "made": START + DAYS * 86400, "series": all_series, "states": ["ok", "failed"], "branches": ["main", "feature/" + EVIL], "builds": ["ab" * 20],
             "commits": [{"hash": "%040x" % (i * 7919 ** 9 % 16 ** 40), "author": "A " + EVIL, "subject": f"Change {i} of <b>bold</b>", "when": START + i * DAYS * 432} for i in range(200)],
             "machines": [{"id": "0123456789abcdef", "name": "Xeon, 2 cores", "cpu": "Xeon", "cores": 2, "memory": 8 << 30, "kernel": "6.1", "governor": "performance"},
                          {"id": "fedcba9876543210", "name": EVIL, "cpu": EVIL, "cores": 8, "memory": 16 << 30, "kernel": "6.1", "governor": ""}],
             "details": details, "flames": [stacks(1.9), stacks(0.5)],
             "health": {"place": "/home/somebody/project/.smartprof/history.db", "runs": runs, "left_out": 0, "bytes": 3 << 20, "blobs": 40, "blob_bytes": 9 << 20, "pinned": 3,
                        "cache": {"place": "/home/somebody/.cache/smartprof", "entries": 41, "bytes": 7 << 20}}}
    text = json.dumps(board, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
    with open(page, encoding="utf-8") as file:
        html = file.read()
    with open(target, "w", encoding="utf-8") as file:
        file.write(re.sub(r'(id="data">).*?(</script>)', lambda it: it.group(1) + text + it.group(2), html, count=1, flags=re.S))


main()
