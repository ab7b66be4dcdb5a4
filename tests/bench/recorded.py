"""Recorded checks: python3 recorded.py JUDGE SMARTPROF DIRECTORY [OCCASIONS [PAIRS]]

No check is run here that something is planted for. Runs of xz, sqlite3 and python3 in which nothing changed are recorded: on each occasion 10, 10 more for
a second look, and PAIRS (60) times two in turns. A history takes its baseline from one occasion, its runs of now from a later one, whose times are multiplied by
what is planted, and so are those of one side of the pairs. JUDGE (tests/bench/judge.c) is smartprof check's own code without the running. So what load
there is when this is called says nothing; the one that there was when DIRECTORY was recorded does. What a factor cannot show: a real growth may vary by
more or less than what it grew from.

DIRECTORY keeps the recording: that of an earlier call is used. Others' rules are those of checks.py."""
import json
import os
import random
import statistics
import subprocess
import sys

from checks import COMMANDS, ENVIRONMENT, rules

BATCH, FEW_PAIRS = 10, 16
PLANTED = (0.05, 0.10, 0.20, 0.30, 0.50)
HISTORIES = 100


def record(smartprof, directory, occasions, pairs):
    """{program: [occasion: [[cpu, wall, queue] …]]}, in nanoseconds."""
    path = directory + "/recorded.json"
    if os.path.exists(path):
        return json.load(open(path))
    os.makedirs(directory, exist_ok=True)
    for run, file, n, text in COMMANDS.values():
        open("%s/%s" % (directory, file), "w").write(text(n))
    made = {name: [] for name in COMMANDS}
    for k in range(occasions):
        for name, (run, file, _, _) in COMMANDS.items():
            subprocess.run([smartprof, "monitor", "--runs", str(2 * BATCH + 2 * pairs), "--output", "null", "--export-json", "runs.json", run % file],
                           cwd=directory, env=dict(ENVIRONMENT, SMARTPROF_HISTORY="off"), stdout=subprocess.DEVNULL, check=True)
            rows = json.load(open(directory + "/runs.json"))["results"][0]["runs"]
            made[name].append([[round(1e9 * v) for v in (r["user"] + r["system"], r["wall"], r["queue"])] for r in rows])
        print("recorded: occasion %d of %d" % (k + 1, occasions), file=sys.stderr)
    json.dump(made, open(path, "w"))
    return made


class History:
    """Baseline and, at a later occasion, now; an earlier check for the rules that want one."""

    def __init__(self, occasions):
        self.name = random.choice(list(COMMANDS))
        earlier, before, now = sorted(random.sample(range(len(occasions[self.name])), 3))
        self.earlier, self.before, self.now = (occasions[self.name][k] for k in (earlier, before, now))
        # Who goes first in a pair: as runs in turns have it.
        self.second = []
        for k in range((len(self.now) - 2 * BATCH) // 2):
            self.second.append(random.randrange(2) if k % 2 == 0 else 1 - self.second[-1])

    def times(self, runs, size=0.0):
        return " ".join("%d:%d:%d" % (cpu * (1 + size), wall * (1 + size), queue) for cpu, wall, queue in runs)

    def line(self, allowed, size, pairs):
        turns = self.now[2 * BATCH:]
        first = [turns[2 * k + 1 - self.second[k]] for k in range(pairs)]
        second = [turns[2 * k + self.second[k]] for k in range(pairs)]
        return "; ".join(["%g" % allowed, self.times(self.before[:BATCH]), self.times(self.now[:BATCH], size),
                          self.times(self.now[BATCH:2 * BATCH], size), self.times(first), self.times(second, size)]) + "\n"

    def rules(self, metric, size):
        groups = [{"cpu_ns": [cpu * grown for cpu, _, _ in runs[:BATCH]], "wall_ns": [wall * grown for _, wall, _ in runs[:BATCH]]}
                  for runs, grown in ((self.earlier, 1), (self.before, 1), (self.now, 1 + size))]
        # Of each the last word, of benchstat that on the check before.
        return {rule: said[-1] for rule, said in dict(rules(groups, metric), benchstat=rules(groups[1:], metric)["benchstat"]).items()}


def judged(binary, histories, allowed, size, pairs):
    text = "".join(h.line(allowed, size, pairs) for h in histories)
    out = subprocess.run([binary], input=text, capture_output=True, text=True, check=True).stdout
    return [[int(word) for word in line.split()] for line in out.splitlines()]


def put(name, cells):
    print("| %s | %s |" % (name, " | ".join(cells)))


def main():
    binary, smartprof, directory = (os.path.abspath(a) for a in sys.argv[1:4])
    random.seed(20240607)
    how_many = [int(a) for a in sys.argv[4:]] + [16, 60][len(sys.argv) - 4:]
    occasions = record(smartprof, directory, *how_many)
    all_pairs = (len(next(iter(occasions.values()))[0]) - 2 * BATCH) // 2
    histories, sizes, status = [History(occasions) for _ in range(HISTORIES)], (0.0,) + PLANTED, 0
    for metric, at in (("CPU time", 0), ("time", 1)):
        spread = sorted(r[at] / statistics.median(x[at] for x in runs) for each in occasions.values() for runs in each for r in runs)
        levels = [statistics.median(r[at] for r in runs) / statistics.median(r[at] for x in each for r in x) for each in occasions.values() for runs in each]
        print("%s: nine of ten runs between %.0f and %.0f %% of their occasion's median; occasions differ by %.1f %%" % (
            metric, 100 * spread[len(spread) // 20], 100 * spread[-len(spread) // 20], 100 * statistics.pstdev(levels)))
    waited = [sum(r[2] for r in runs) / sum(r[1] for r in runs) for each in occasions.values() for runs in each]
    print("threads waited for a CPU for %.0f %% of the time, the median of occasions\n" % (100 * statistics.median(waited)))
    print("| of %d recorded histories | nothing changed | %s |" % (HISTORIES, " | ".join("+%g %%" % (100 * s) for s in PLANTED)))
    print("|---" * (len(sizes) + 1) + "|")
    for allowed in (0.0, 0.2):
        title = "smartprof check, %g %% allowed" % (100 * allowed)
        alone = [judged(binary, histories, allowed, size, 0) for size in sizes]
        put(title, ["%d" % sum(row[1] for row in rows) for rows in alone])
        for pairs in (FEW_PAIRS, all_pairs):
            found = [judged(binary, histories, allowed, size, pairs) for size in sizes]
            put("%s, --decide, %d pairs at the most" % (title, pairs), ["%d" % sum(row[2] for row in rows) for rows in found])
            status |= sum(row[2] for row in found[0]) > HISTORIES / 100
        status |= sum(row[1] for row in alone[0]) > HISTORIES / 100
    for metric, title in (("cpu_ns", "CPU time"), ("wall_ns", "time")):
        said = [[h.rules(metric, size) for h in histories] for size in sizes]
        for rule in said[0][0]:
            put("%s, %s" % (rule, title), ["%d" % sum(bool(s[rule]) for s in each) for each in said])
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
