"""Compares random disjoint subsets of a pool of profiles: python3 compare.py BINARY COMMAND …

aa PER_SIDE TIMES DIRECTORY…          false findings
found PER_SIDE TIMES FUNCTION OLD NEW  true ones: NEW costs more in FUNCTION
"""
import collections
import glob
import json
import random
import statistics
import subprocess
import sys

random.seed(20240607)


def pool(directory):
    return sorted(f for f in glob.glob(directory + "/*/*.md") if "/latest" not in f and "/tree." not in f)


def compare(old, new):
    run = subprocess.run([sys.argv[1], "compare", "--format", "json", "--baseline", *old, "--current", *new],
                         capture_output=True, text=True)
    return run.returncode, json.loads(run.stdout)


def subtraction(old, new):
    """What pprof -diff_base and difffolded show of one pair: a function that rose by 1 % of the total is red."""
    _, result = compare(old[:1], new[:1])
    return any(r["metric"] == "cpu" and r["change"] > 0 and r["current_share"] - r["baseline_share"] > 0.01
               for r in result["rows"])


def rank_tests(old, new):
    """benchstat's view: Mann-Whitney at .05 on every total, uncorrected; p comes with the result."""
    _, result = compare(old, new)
    return any(t["compared"] and t["metric"] in ("cpu", "peak", "allocated", "wall") and t["p"] < 0.05
               for t in result["totals"])


def aa(n, times, directories):
    total = collections.Counter()
    for directory in directories:
        files, count = pool(directory), collections.Counter()
        for _ in range(times):
            chosen = random.sample(files, 2 * n)
            status, result = compare(chosen[:n], chosen[n:])
            confirmed = [t for t in result["totals"][:4] if t["compared"] and t["evidence"] != "none"]
            confirmed += [r for r in result["rows"] if r["evidence"] == "confirmed"]
            count["comparisons"] += 1
            count["confirmed finding or score under 98"] += bool(confirmed or result["score"] < 98)
            count["exit 1"] += status == 1
            count["exit 3"] += status == 3
            count["benchstat: p < .05 on a total"] += rank_tests(chosen[:n], chosen[n:])
            count["subtraction of two: a function up by 1 %"] += subtraction(chosen, chosen[n:])
        print(f"  {directory.split('/')[-1]}, {len(files)} runs:", dict(count))
        total += count
    print("  all:", dict(total))
    return total["confirmed finding or score under 98"] <= 0.01 * total["comparisons"]


def found(n, times, function, old, new):
    count = collections.Counter()
    spreads, needed = [], []
    for _ in range(times):
        status, result = compare(random.sample(pool(old), n), random.sample(pool(new), n))
        rows = [r for r in result["rows"] if r["state"] == "regression"]
        count["comparisons"] += 1
        count["exit 1"] += status == 1
        count["exit 3"] += status == 3
        count["function listed"] += any(r["function"] == function for r in rows)
        count["another function listed"] += any(r["function"] != function for r in rows)
        spreads += [t["spread"] for t in result["totals"] if t["metric"] == "cpu"]
        needed += [t["runs_needed"] for t in result["totals"] if t["metric"] == "cpu"]
    print(f"  {new.split('/')[-1]}: CPU spread {100 * statistics.median(spreads):.1f} %,",
          f"runs needed {statistics.median(needed):.0f};", dict(count))


if sys.argv[2] == "aa":
    sys.exit(0 if aa(int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]) else 1)
found(int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:8])
