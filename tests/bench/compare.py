"""How often comparisons of random disjoint sets out of a pool of profiles are wrong: python3 compare.py BINARY …

aa PER_SIDE TIMES DIRECTORY…                        sets of one program: false findings
found PER_SIDE TIMES [METRIC:FUNCTION OLD NEW]…     NEW costs more of METRIC in FUNCTION;
                                                    asked for with --fail-on-regression 3

Beside it what others would say of the same files:
benchstat    Mann-Whitney at .05 on each total, uncorrected: one that grew
pprof        -diff_base, the runs of a side added up: a function whose own cost grew by 1 % of the total
difffolded   the first run of each side, stack by stack: one that grew by 1 % of the total
"""
import collections
import functools
import glob
import json
import random
import statistics
import subprocess
import sys

random.seed(20240607)
METRICS = ("cpu", "peak", "allocated", "wall")


def pool(directory):
    return sorted(f for f in glob.glob(directory + "/*/*.md") if "/latest" not in f and "/tree." not in f)


def compare(old, new, *flags):
    run = subprocess.run([sys.argv[1], "compare", "--strict", "--format", "json", *flags, "--baseline", *old, "--current", *new],
                         capture_output=True, text=True)
    return run.returncode, json.loads(run.stdout)


def table(lines, heading):
    """The rows of a table of the complete part, as dictionaries."""
    at = next(i for i, line in enumerate(lines) if line.startswith("## " + heading + " ("))
    while lines[at] != "```tsv":
        at += 1
    names, rows = lines[at + 1].split("\t"), []
    for line in lines[at + 2:]:
        if line == "```":
            return rows
        rows.append(dict(zip(names, line.split("\t"))))


@functools.lru_cache(maxsize=None)
def load(path):
    """Totals, own CPU time by function, CPU time by stack."""
    lines = open(path, encoding="utf-8").read().split("\n")
    facts = dict(line.split(": ", 1) for line in lines[1:lines.index("---", 1)])
    totals = {"cpu": float(facts["cpu_user_seconds"]) + float(facts["cpu_system_seconds"]),
              "peak": float(facts["heap_peak_bytes"]), "allocated": float(facts["heap_allocated_bytes"]),
              "wall": float(facts["wall_seconds"])}
    own, stacks, names, stack, last = collections.Counter(), collections.Counter(), [], [], ""
    functions = table(lines, "All functions")
    for row in functions:
        own[row["function"]] += int(row["self_user_ns"]) + int(row["self_sys_ns"])
    for row in table(lines, "All frames"):
        last = functions[int(row["row"])]["function"] if row.get("row") else row["function"] or last
        names.append(last)
    for row in table(lines, "All CPU stacks"):
        stack = stack[:int(row["shared"])] + [names[int(i)] for i in row["frames"].split()]
        stacks[tuple(stack)] += int(row["user_ns"]) + int(row["sys_ns"])
    return totals, own, stacks


def rank_test(a, b):
    """The exact two-sided p-value of Mann and Whitney's test, conditional on ties."""
    both = sorted(a + b)
    ranks = [2 * both.index(x) + both.count(x) + 1 for x in a + b]
    ways = [collections.Counter({0: 1})] + [collections.Counter() for _ in a]
    for rank in ranks:
        for k in range(len(a), 0, -1):
            for total, number in ways[k - 1].items():
                ways[k][total + rank] += number
    got, every = sum(ranks[:len(a)]), sum(ways[-1].values())
    below = sum(number for total, number in ways[-1].items() if total <= got)
    above = sum(number for total, number in ways[-1].items() if total >= got)
    return min(1, 2 * min(below, above) / every)


def benchstat(old, new):
    found = []
    for metric in METRICS:
        a, b = ([load(f)[0][metric] for f in side] for side in (old, new))
        if statistics.median(b) > statistics.median(a) and rank_test(a, b) < 0.05:
            found.append(metric)
    return found


def grown(a, b):
    whole = sum(a.values())
    return [name for name in set(a) | set(b) if b[name] - a[name] > 0.01 * whole]


def pprof(old, new):
    return grown(*(sum((load(f)[1] for f in side), collections.Counter()) for side in (old, new)))


def difffolded(old, new):
    return grown(load(old[0])[2], load(new[0])[2])


def others(count, old, new):
    if len(old) > 1:
        count["benchstat"] += bool(benchstat(old, new))
    count["pprof"] += bool(pprof(old, new))
    count["difffolded"] += bool(difffolded(old, new))


def percent(count, key):
    if key == "benchstat" and key not in count:
        return "–"  # of one run a side it says nothing
    return f"{100 * count[key] / count['comparisons']:.1f} %"


def aa(n, times, directories):
    columns = ("finding", "exit 1", "exit 3", "benchstat", "pprof", "difffolded")
    total = collections.Counter()
    print(f"\n| A/A, {n} against {n} | runs | CPU spread | comparisons | " + " | ".join(columns) + " |")
    print("|:---|---:|---:|---:|" + "---:|" * len(columns))
    for directory in directories:
        files, count = pool(directory), collections.Counter()
        cpu = [load(f)[0]["cpu"] for f in files]
        for _ in range(times):
            chosen = random.sample(files, 2 * n)
            status, result = compare(chosen[:n], chosen[n:])
            findings = [t for t in result["totals"][:4] if t["compared"] and t["evidence"] != "none"]
            findings += [r for r in result["rows"] if r["evidence"] == "confirmed"]
            count["comparisons"] += 1
            count["finding"] += bool(findings or result["score"] < 98)
            count[f"exit {status}"] += 1
            others(count, chosen[:n], chosen[n:])
        print(f"| {directory.split('/')[-1]} | {len(files)} | {100 * statistics.stdev(cpu) / statistics.mean(cpu):.1f} % "
              f"| {times} | " + " | ".join(percent(count, key) for key in columns) + " |")
        total += count
    print(f"| all | | | {total['comparisons']} | " + " | ".join(percent(total, key) for key in columns) + " |")
    return total["finding"] <= 0.01 * total["comparisons"]


def regressions(result, metric):
    return [r for r in result["rows"] if r["state"] == "regression" and r["metric"] == metric]


def found_once(n, old, new, metric, function):
    """How a comparison went, and what it said of the total."""
    count = collections.Counter()
    a, b = random.sample(old, n), random.sample(new, n)
    status, result = compare(a, b, "--fail-on-regression", "3")
    rows = regressions(result, metric)
    rows.sort(key=lambda r: -r["change"])
    total = next(t for t in result["totals"] if t["metric"] == metric)
    count["comparisons"] += 1
    count["found"] += bool(rows) and rows[0]["function"] == function
    count["another first"] += bool(rows) and rows[0]["function"] != function
    count["total confirmed"] += total["evidence"] == "confirmed" and total["ratio"] > 1
    count[f"exit {status}"] += 1
    count["benchstat"] += metric in benchstat(a, b)
    if metric == "cpu":
        count["pprof"] += function in pprof(a, b)
        count["pprof, others"] += any(name != function for name in pprof(a, b))
        count["difffolded"] += any(stack[-1:] == (function,) for stack in difffolded(a, b))
    return count, total


def found(n, times, cases):
    columns = ("found", "another first", "total confirmed", "exit 1", "exit 3", "benchstat", "pprof",
               "pprof, others", "difffolded")
    print(f"\n| planted, {n} against {n} | in | spread of the total | growth of the total | runs needed | "
          + " | ".join(columns) + " |")
    print("|:---|:---|---:|---:|---:|" + "---:|" * len(columns))
    good, later = True, []
    for case, old, new in zip(cases[::3], cases[1::3], cases[2::3]):
        metric, function = case.split(":")
        count, spreads, needed, ratios = collections.Counter(), [], [], []
        for _ in range(times):
            once, total = found_once(n, pool(old), pool(new), metric, function)
            count += once
            spreads.append(total["spread"])
            needed.append(total["runs_needed"])
            ratios.append(total["ratio"])
        spread, runs = statistics.median(spreads), int(statistics.median(needed))
        print(f"| {new.split('/')[-1]} | {function} | {100 * spread:.1f} % | {100 * statistics.median(ratios) - 100:+.1f} % "
              f"| {runs} | " + " | ".join("" if metric != "cpu" and key.startswith(("pprof", "diff"))
                                          else percent(count, key) for key in columns) + " |")
        if spread <= 0.03 and count["found"] < 0.95 * times:
            good = False
        if count["found"] < 0.95 * times or count["exit 3"]:
            later.append((metric, function, old, new, runs))
    for metric, function, old, new, runs in later:
        most = min(len(pool(old)), len(pool(new)))
        if n < runs <= most:
            count = sum((found_once(runs, pool(old), pool(new), metric, function)[0] for _ in range(times)),
                        collections.Counter())
            print(f"\n{new.split('/')[-1]} with the {runs} runs a side it asked for: exit 3 in {percent(count, 'exit 3')}, "
                  f"found in {percent(count, 'found')}.")
    return good


if sys.argv[2] == "aa":
    sys.exit(0 if aa(int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]) else 1)
sys.exit(0 if found(int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]) else 1)
