"""Histories of real commands through `smartprof check --ci`: python3 checks.py SMARTPROF DIRECTORY [HISTORIES [SECONDS]]

A history is a repository with one command (xz, sqlite3 or python3, some 50 ms): a baseline, two commits that change nothing, one
more with --decide, and one whose input makes the command take 5, 10 or 20 % more CPU time, with --decide; there memory may grow. All histories
have their first check, then all their second, and so on, so that the machine has time to be another one in between. Any growth counts (regression = 0), and one
without a change of code fails, too (same_code = "fail"): what is left is how well noise is told from growth.

DIRECTORY keeps it all: what an earlier call has done is not done again, and one that is stopped goes on. After SECONDS no round is begun;
HISTORIES of 0 prints what there is. Beside it, from the same runs, what others' rules say of the time and of the CPU time:

benchstat  Mann-Whitney at .05, the runs of this check against those of the first, that grew
action     github-action-benchmark: the mean beyond 200 % of that of the check before, its default; and 120 %
bencher    a t-test's boundary: beyond the mean of the checks before plus t(.99) standard deviations
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import time

from gate import rank_p, t99

PLANTED = (0.05, 0.10, 0.20)
ROUNDS = ("baseline", "still", "still", "still, decided", "planted")
STILL = len(ROUNDS) - 2
PYTHON = "d = {}\nfor i in range(%d): d[i %% 5000] = str(i)\n"
SQL = ("create table t(a, b); with recursive c(x) as (select 1 union all select x + 1 from c where x < %d) "
       "insert into t select x, hex(x * 7919 %% 1000003) from c; select count(*), sum(a) from t where b like '3%%';\n")
COMMANDS = {
    "xz": ("xz -3 -k -c %s", "numbers", 70000, lambda n: "".join("%d\n" % (i * 7919 % 1000003) for i in range(n))),
    "sqlite3": ("sqlite3 :memory: '.read %s'", "work.sql", 90000, lambda n: SQL % n),
    "python3": ("python3 %s", "work.py", 140000, lambda n: PYTHON % n),
}
TOML = """[check]
regression = 0
same_code = "fail"
decide_time = "6s"
[[command]]
name = "%s"
run = "%s"
baseline_run = "%s"
"""
ANY_MEMORY = "[command.regression]\npeak = false\nallocated = false\n"
# Those that "git commit" asks for; no history of the caller's is touched.
ENVIRONMENT = dict(os.environ, SMARTPROF_ENV="ci", GIT_CONFIG_GLOBAL="/dev/null", GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@example.org",
                   GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@example.org")
for name in ("SMARTPROF_HISTORY", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
    ENVIRONMENT.pop(name, None)


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_of(command):
    before = cpu_of_children()
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)
    return cpu_of_children() - before


def sizes_of(directory, name):
    """Sizes of the input that make the command take so much more: a line through what it takes at n and at 5/4 n, in turns."""
    run, file, n, text = COMMANDS[name]
    sizes, took = (n, n * 5 // 4), ([], [])
    for k, size in enumerate(sizes):
        open("%s/%d.%s" % (directory, k, file), "w").write(text(size))
    for _ in range(40):
        for k in range(2):
            took[k].append(cpu_of(run % ("%s/%d.%s" % (directory, k, file))))
    less, more = map(statistics.median, took)
    print("%s: %.0f ms of CPU time, %.0f ms with a quarter more to do" % (name, 1000 * less, 1000 * more), file=sys.stderr)
    return {size: n + round(n / 4 * size * less / (more - less)) for size in (0,) + PLANTED}


def calibrated(directory):
    path = directory + "/sizes.json"
    if not os.path.exists(path):
        json.dump({name: {str(k): v for k, v in sizes_of(directory, name).items()} for name in COMMANDS}, open(path, "w"))
    return json.load(open(path))


class History:
    def __init__(self, smartprof, directory, number, sizes):
        self.smartprof, self.directory = smartprof, "%s/h%03d" % (directory, number)
        self.name = list(COMMANDS)[number % len(COMMANDS)]
        self.size = PLANTED[number // len(COMMANDS) % len(PLANTED)]
        self.sizes, self.seen = sizes[self.name], self.directory + "/seen.json"
        self.checks = json.load(open(self.seen)) if os.path.exists(self.seen) else []

    def call(self, *command, statuses=(0,)):
        done = subprocess.run(command, cwd=self.directory, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode not in statuses:
            sys.exit("checks: %s: %s: %s" % (self.directory, " ".join(command), done.stderr))
        return done.returncode

    def write(self, size, file):
        open("%s/%s" % (self.directory, file), "w").write(COMMANDS[self.name][3](self.sizes[str(size)]))

    def make(self):
        run, file = COMMANDS[self.name][:2]
        os.makedirs(self.directory, exist_ok=True)
        self.write(0, file)
        self.write(0, file + ".before")
        open(self.directory + "/.gitignore", "w").write("profiles/\nseen.json\ncheck.json\n")
        open(self.directory + "/smartprof.toml", "w").write(TOML % (self.name, run % file, run % (file + ".before")))
        self.call("git", "init", "-q", "-b", "main", ".")

    def look(self, number):
        kind = ROUNDS[number]
        if kind == "baseline":
            self.make()
        if kind == "planted":
            self.write(self.size, COMMANDS[self.name][1])
            open(self.directory + "/smartprof.toml", "a").write(ANY_MEMORY)
        self.call("git", "add", "-A")
        self.call("git", "commit", "-q", "--allow-empty", "-m", kind)
        how = ["--decide"] if number >= STILL else []
        status = self.call(self.smartprof, "check", "--ci", "--format", "json", "--output", "check.json", *how, statuses=(0, 1))
        check = json.load(open(self.directory + "/check.json"))
        if kind == "baseline":
            self.call(self.smartprof, "baseline", "save")
        text = subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.directory, capture_output=True, text=True, check=True).stdout
        self.checks.append({"kind": kind, "status": status, "commit": text.strip(), "alarms": check["alarms"], "again": check["alarms_again"],
                            "decided": check["commands"][0].get("decided"),
                            "figures": {f["figure"]: [f["answer"], f["ratio"], f["ratio_low"], f["ratio_high"]] for f in check["commands"][0]["figures"]}})
        json.dump(self.checks, open(self.seen, "w"))

    def runs(self):
        """Times and CPU times of the runs without the agent, by check."""
        text = subprocess.run([self.smartprof, "history", "export", "--json"], cwd=self.directory, env=ENVIRONMENT, capture_output=True,
                              text=True, check=True).stdout
        found = {c["commit"]: {"wall_ns": [], "cpu_ns": []} for c in self.checks}
        rows = sorted((json.loads(line) for line in text.splitlines()), key=lambda r: r["started_ns"])
        for row in rows:
            if not row["profiled"] and row["commit"] in found:
                for metric, values in found[row["commit"]].items():
                    values.append(row["metrics"][metric]["value"])
        return [found[c["commit"]] for c in self.checks]


def bencher(means):
    before = means[:-1]
    return len(before) > 1 and means[-1] > statistics.mean(before) + t99(len(before) - 1) * statistics.stdev(before)


def rules(groups, metric):
    """What each says of each check but the first."""
    values = [g[metric][:10] for g in groups]
    means = [statistics.mean(v) for v in values]
    at = range(1, len(values))
    return {
        "benchstat": [rank_p(values[0], values[k]) < .05 and statistics.median(values[k]) > statistics.median(values[0]) for k in at],
        "action, 200 %": [means[k] > 2 * means[k - 1] for k in at],
        "action, 120 %": [means[k] > 1.2 * means[k - 1] for k in at],
        "bencher": [bencher(means[:k + 1]) for k in at],
    }


def put(name, histories, alarms):
    """A row; alarms: of each history, of each check but the first."""
    still = [a[:STILL] for a in alarms]
    looks = sum(map(len, still))
    cells = []
    for size in PLANTED:
        ends = [a[STILL] for h, a in zip(histories, alarms) if h.size == size and len(a) > STILL]
        cells.append("%d of %d" % (sum(ends), len(ends)))
    print("| %s | %d of %d | %d of %d | %s |" % (name, sum(map(any, still)), len(still), sum(map(sum, still)), looks, " | ".join(cells)))
    return sum(map(any, still)) / max(1, len(still))


def report(histories):
    histories = [h for h in histories if len(h.checks) > 1]
    if not histories:
        return 0
    groups = [h.runs() for h in histories]
    for metric in ("cpu_ns", "wall_ns"):
        spread = sorted(x / statistics.median(g[metric]) for each in groups for g in each[:1 + STILL] for x in g[metric])
        print("%s: nine of ten runs between %.0f and %.0f %% of their check's median" % (
            metric, 100 * spread[len(spread) // 20], 100 * spread[-len(spread) // 20]))
    print("\n| | nothing changed: histories with an alarm | checks | " + " | ".join("+%g %%" % (100 * s) for s in PLANTED) + " |")
    print("|---" * (len(PLANTED) + 3) + "|")
    # Until the last but one, what --decide would have said is not known.
    put("smartprof check --ci", histories, [[c["again"] > 0 for c in h.checks[1:]] for h in histories])
    wrong = put("with --decide in the last two", histories, [[c["status"] == 1 for c in h.checks[1:]] for h in histories])
    for metric, title in (("cpu_ns", "CPU time"), ("wall_ns", "time")):
        said = [rules(g, metric) for g in groups]
        for rule in said[0]:
            put("%s, %s" % (rule, title), histories, [s[rule] for s in said])
    first = [c["alarms"] > 0 for h in histories for c in h.checks[1:1 + STILL]]
    print("\nalarms in the first batch of runs: %d of %d checks; counted, as they sounded again: %d" % (
        sum(first), len(first), sum(c["again"] > 0 for h in histories for c in h.checks[1:1 + STILL])))
    return 1 if wrong > 0.01 else 0


def main():
    smartprof, directory = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    end = time.monotonic() + (float(sys.argv[4]) if len(sys.argv) > 4 else 1e9)
    os.makedirs(directory, exist_ok=True)
    sizes = calibrated(directory)
    there = sum(name[:1] == "h" and name[1:].isdigit() for name in os.listdir(directory))
    histories = [History(smartprof, directory, k, sizes) for k in range(max(count, there))]
    for number in range(len(ROUNDS)):
        for h in histories if count else []:
            if len(h.checks) == number and time.monotonic() < end:
                h.look(number)
        if count and time.monotonic() < end:
            print("round %d of %d" % (number + 1, len(ROUNDS)), file=sys.stderr)
    return report(histories)


if __name__ == "__main__":
    sys.exit(main())
