"""What is said of histories of real runs: python3 gate.py BINARY TIMES…, files with the time of a run on each line, a program each.

Histories in which nothing changed are 40 of a program's runs, drawn at random: runs of a history are made at other times, and those next to each other share
the machine's mood. In the sets beside it the last 15 of them take 5 to 50 % more. Each is looked at run by run, as of the tenth. Beside the alerts of smartprof:

benchstat  Mann-Whitney at .05, the last 10 against the 10 before, that grew
action     github-action-benchmark: the last run beyond 200 % of the one before; and at 120 %
bencher    a t-test's boundary: beyond the mean of the last 64 plus t(.99) standard deviations
bare 20 %  beyond 120 % of the median of the last 10
"""
import collections
import math
import random
import statistics
import subprocess
import sys

LENGTH, FIRST, CLEAN, HISTORIES = 40, 10, 25, 100
T99 = {9: 2.821, 14: 2.624, 19: 2.539, 24: 2.492, 29: 2.462, 39: 2.426}


def t99(df):
    return T99[max((k for k in T99 if k <= df), default=9)]


def rank_p(a, b):
    """Mann-Whitney, normal approximation with ties and continuity: 10 against 10."""
    everything, n, m = sorted(a + b), len(a), len(b)
    rank = {v: (everything.index(v) + 1 + len(everything) - everything[::-1].index(v)) / 2 for v in everything}
    u = sum(rank[v] for v in b) - m * (m + 1) / 2
    ties = sum(c ** 3 - c for c in collections.Counter(everything).values())
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    z = (abs(u - n * m / 2) - 0.5) / math.sqrt(variance) if variance else 0
    return math.erfc(z / math.sqrt(2))


def benchstat(x):
    if len(x) < 20:
        return False
    old, new = x[-20:-10], x[-10:]
    return rank_p(old, new) < 0.05 and statistics.median(new) > statistics.median(old)


def bencher(x):
    before = x[:-1][-64:]
    return x[-1] > statistics.mean(before) + t99(len(before) - 1) * statistics.stdev(before)


RULES = {
    "benchstat": benchstat,
    "action, 200 %": lambda x: x[-1] > 2 * x[-2],
    "action, 120 %": lambda x: x[-1] > 1.2 * x[-2],
    "bencher": bencher,
    "bare 20 %": lambda x: x[-1] > 1.2 * statistics.median(x[-11:-1]),
}


def looks(binary, histories):
    text = "".join(" ".join("%.9g:-:a" % v for v in h) + "\n" for h in histories)
    out = subprocess.run([binary, "alerts"], input=text, capture_output=True, text=True, check=True).stdout
    found = {"smartprof": [[w == "1" for w in line.split()] for line in out.split("\n")[:len(histories)]]}
    for name, rule in RULES.items():
        found[name] = [[rule(h[:n]) for n in range(FIRST, len(h) + 1)] for h in histories]
    return found


def main():
    random.seed(20240607)
    binary, histories, spreads = sys.argv[1], [], []
    for path in sys.argv[2:]:
        runs = [float(line) for line in open(path)]
        quartiles = statistics.quantiles(runs, n=20)
        spreads.append("%s %.0f to %.0f %%" % (path.split("/")[-1].split(".")[0], 100 * quartiles[0] / quartiles[9],
                                               100 * quartiles[18] / quartiles[9]))
        for _ in range(-(-HISTORIES // len(sys.argv[2:]))):
            histories.append([random.choice(runs) for _ in range(LENGTH)])
    histories = histories[:HISTORIES]
    print("Nine of ten runs, of the median: %s." % ", ".join(spreads))
    still = looks(binary, histories)
    planted = {size: looks(binary, [h[:CLEAN] + [v * (1 + size) for v in h[CLEAN:]] for h in histories])
               for size in (0.05, 0.10, 0.20, 0.30, 0.50)}
    print("\n| | nothing changed: histories with an alarm | looks | " + " | ".join("+%g %%" % (100 * s) for s in planted) +
          " | runs until it is told, at +30 % |")
    print("|---" * (len(planted) + 4) + "|")
    status = 0
    for name in still:
        spoiled = sum(map(any, still[name]))
        rate = sum(map(sum, still[name])) / sum(map(len, still[name]))
        cells, waits = [], []
        for size, found in planted.items():
            # Alarms in the clean part are no finding.
            after = [f[CLEAN - FIRST + 1:] for f in found[name]]
            cells.append("%d" % sum(map(any, after)))
            if size == 0.30:
                waits = [f.index(True) + 1 for f in after if any(f)]
        print("| %s | %d of %d | %.1f %% | %s | %s |" % (name, spoiled, len(histories), 100 * rate, " | ".join(cells),
                                                       "%g" % statistics.median(waits) if waits else "–"))
        if name == "smartprof" and spoiled > len(histories) / 100:
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
