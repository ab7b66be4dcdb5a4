"""The history of a real program, commit by commit: python3 commits.py SMARTPROF DIRECTORY

Lua's releases from Debian's source packages, 5.1 to 5.4, as far as apt can fetch them, with Debian's patches as commits of their own: 20 commits,
each built and measured as a build service would (smartprof check --ci, then smartprof baseline save), once from the oldest to the newest and once
back again. What truly changed is known: where the program is the same file, nothing did; else it is told by the instructions that valgrind counts.

Printed is, commit by commit, what smartprof check, smartprof history changes, and the rules of others say of the CPU time (see checks.py)."""
import glob
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

from checks import ENVIRONMENT, bencher
from gate import rank_p

SUITES = ("bullseye", "bookworm", "trixie", "sid")
PACKAGES = ("lua5.1", "lua5.2", "lua5.3", "lua5.4")
COMMITS = 20
WORK = """local t = {}
for i = 1, 100000 do t[i] = (i * 7919) % 1000003 end
table.sort(t)
local words = {}
for i = 1, 80000 do
	local w = "w" .. (t[i] % 997)
	words[w] = (words[w] or 0) + 1
end
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local parts = {}
for i = 1, 40000 do parts[#parts + 1] = string.format("%d:%s", i, ("x"):rep(i % 7)) end
local count = 0
for _ in table.concat(parts, ","):gmatch("%d+:x*") do count = count + 1 end
print(fib(25), count, words.w1)
"""
TOML = """[check]
regression = 5
[[command]]
name = "lua"
run = "./lua work.lua"
"""


def call(*command, where=None, statuses=(0,)):
    done = subprocess.run(command, cwd=where, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode not in statuses:
        sys.exit("commits: %s: %s" % (" ".join(command), done.stderr))
    return done


def fetch(directory):
    """Source packages of all suites, with lists of our own, so that the machine's stay as they are."""
    lists = directory + "/apt"
    for name in ("parts", "lists/partial", "archives/partial"):
        os.makedirs("%s/%s" % (lists, name), exist_ok=True)
    with open(lists + "/list", "w") as file:
        for suite in SUITES:
            file.write("deb-src http://deb.debian.org/debian %s main\n" % suite)
    apt = ["apt-get", "-q", "-o", "Dir::Etc::SourceList=%s/list" % lists, "-o", "Dir::Etc::SourceParts=%s/parts" % lists, "-o",
           "Dir::State::Lists=%s/lists" % lists, "-o", "Dir::Cache=" + lists, "-o", "Dir::Cache::Archives=%s/archives" % lists, "-o",
           "Acquire::Languages=none", "-o", "Acquire::Retries=1", "-o", "APT::Sandbox::User=root"]
    subprocess.run(apt + ["update"], stdout=subprocess.DEVNULL, check=False)
    for package in PACKAGES:
        rows = subprocess.run(["apt-cache", *apt[2:], "showsrc", package], capture_output=True, text=True).stdout
        for version in sorted(set(line.split()[1] for line in rows.splitlines() if line.startswith("Version: "))):
            subprocess.run(apt + ["source", "--download-only", "%s=%s" % (package, version)], cwd=directory, stdout=subprocess.DEVNULL, check=False)


def unpack(archive, where, *more):
    os.makedirs(where, exist_ok=True)
    subprocess.run(["tar", "-xf", archive, "-C", where, *more], check=True)


def version_of(path):
    return tuple(int(part) for part in os.path.basename(path).split("_")[1].split(".orig")[0].split("."))


class Release:
    def __init__(self, directory, archive):
        self.version = ".".join(map(str, version_of(archive)))
        self.tree = "%s/tree-%s" % (directory, self.version)
        shutil.rmtree(self.tree, ignore_errors=True)
        unpack(archive, self.tree, "--strip-components=1")
        debian = sorted(glob.glob(archive.split(".orig")[0] + "-*.debian.tar.*"))
        self.patches = []
        if debian:
            unpack(debian[-1], self.tree)
            series = self.tree + "/debian/patches/series"
            if os.path.exists(series):
                self.patches = [line.split()[0] for line in open(series) if line.strip() and line[0] != "#"]


def steps_of(releases):
    """(what, tree's function): 20 of them, patches of each release in turns until there are enough."""
    chosen, room, turn = {r.version: [] for r in releases}, COMMITS - len(releases), 0
    while room > 0 and any(len(r.patches) > turn for r in releases):
        for r in releases:
            if len(r.patches) > turn and room > 0:
                chosen[r.version].append(r.patches[turn])
                room -= 1
        turn += 1
    return [(r, k) for r in releases for k in range(len(chosen[r.version]) + 1)]


def sources(directory):
    """Of each step, oldest first: (name, directory of src/)."""
    archives = sorted(glob.glob(directory + "/lua5.*.orig.tar.*[xz2]"), key=version_of)
    made = []
    for release, k in steps_of([Release(directory, a) for a in archives]):
        name = "Lua " + release.version
        if k:
            patch = release.patches[k - 1]
            done = subprocess.run(["patch", "-p1", "-s", "-f", "-i", "debian/patches/" + patch], cwd=release.tree, capture_output=True)
            name += ", " + patch.split("/")[-1][:40] + ("" if done.returncode == 0 else " (in part)")
        place = "%s/src-%02d" % (directory, len(made))
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(release.tree + "/src", place)
        made.append((name, place))
    return made


def digest(place):
    """Of all files below it."""
    files = sorted(glob.glob(place + "/**", recursive=True))
    return hashlib.sha256(b"".join(f[len(place):].encode() + open(f, "rb").read() for f in files if os.path.isfile(f))).hexdigest()[:16]


def build(directory, repository, place):
    """The program of those sources; built at the same place with the same flags, so that the same code is the same file."""
    shutil.rmtree(repository + "/src", ignore_errors=True)
    shutil.copytree(place, repository + "/src")
    for version in PACKAGES:  # what Debian's build makes
        open("%s/src/%s-deb-multiarch.h" % (repository, version), "w").write('#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"\n')
    made = "%s/made-%s" % (directory, digest(place))
    if not os.path.exists(made):
        files = [f for f in sorted(os.listdir(repository + "/src")) if f.endswith(".c") and f not in ("luac.c", "print.c")]
        call("gcc", "-O2", "-g", "-w", "-std=gnu99", "-DLUA_USE_POSIX", "-fdebug-prefix-map=%s=." % repository, "-o", made,
             *["src/" + f for f in files], "-lm", "-ldl", where=repository)
    shutil.copy(made, repository + "/lua")


def instructions_of(program, repository):
    """What no machine's mood changes."""
    text = call("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, "work.lua", where=repository).stderr
    return int(re.search(r"Collected : (\d+)", text).group(1))


def make(smartprof, directory, name, steps):
    repository, rows = directory + "/" + name, []
    shutil.rmtree(repository, ignore_errors=True)
    os.makedirs(repository)
    for file, text in (("work.lua", WORK), ("smartprof.toml", TOML), (".gitignore", "lua\nprofiles/\n")):
        open("%s/%s" % (repository, file), "w").write(text)
    call("git", "init", "-q", "-b", "main", ".", where=repository)
    for title, place in steps:
        build(directory, repository, place)
        call("git", "add", "-A", where=repository)
        call("git", "commit", "-q", "--allow-empty", "-m", title, where=repository)
        commit = call("git", "rev-parse", "HEAD", where=repository).stdout.strip()
        status = call(smartprof, "check", "--ci", "--format", "json", "--output", "../check.json", where=repository, statuses=(0, 1)).returncode
        call(smartprof, "baseline", "save", where=repository)
        figures = {f["figure"]: f for f in json.load(open(directory + "/check.json"))["commands"][0]["figures"]}
        kept = "%s/lua-%s" % (directory, hashlib.sha256(open(repository + "/lua", "rb").read()).hexdigest()[:16])
        if not os.path.exists(kept):
            shutil.copy(repository + "/lua", kept)
        rows.append({"title": title, "commit": commit, "status": status, "program": kept, "cpu": figures["cpu"]["answer"],
                     "cause": json.load(open(directory + "/check.json"))["commands"][0].get("cause")})
    return repository, rows


def tell_truth(rows, repository, known):
    for row in rows:
        if row["program"] not in known:
            known[row["program"]] = instructions_of(row["program"], repository)
    for before, row in zip(rows, rows[1:]):
        row["truth"] = 1 if before["program"] == row["program"] else known[row["program"]] / known[before["program"]]


def measured(smartprof, repository, rows):
    found = {r["commit"]: [] for r in rows}
    text = call(smartprof, "history", "export", "--json", where=repository).stdout
    for run in sorted((json.loads(line) for line in text.splitlines()), key=lambda r: r["started_ns"]):
        if not run["profiled"] and run["commit"] in found:
            found[run["commit"]].append(run["metrics"]["cpu_ns"]["value"])
    changes = json.loads(call(smartprof, "history", "changes", "cpu_ns", "--json", where=repository).stdout)
    told = {c["commit_after"]: "change, same build" if c["same_build"] else "change" for c in changes if c["confirmed"]}
    return [found[r["commit"]] for r in rows], told


def put(smartprof, repository, rows):
    values, changed = measured(smartprof, repository, rows)
    means = [statistics.mean(v[:10]) for v in values]
    print("| commit | changed, truly | smartprof check | history changes | benchstat | action, 200 % | action, 120 % | bencher |")
    print("|---" * 8 + "|")
    for k, row in enumerate(rows):
        if not k:
            print("| %s | – | – | – | – | – | – | – |" % row["title"])
            continue
        old, new = values[k - 1][:10], values[k][:10]
        grown = statistics.median(new) / statistics.median(old)
        print("| %s | %s | %s | %s | %s | %s | %s | %s |" % (
            row["title"], "the same program" if row["truth"] == 1 else "%+.1f %%" % (100 * (row["truth"] - 1)),
            "**fails**" if row["status"] else row["cpu"], changed.get(row["commit"], ""),
            "%+.1f %%" % (100 * (grown - 1)) if rank_p(old, new) < .05 else "", "alert" if means[k] > 2 * means[k - 1] else "",
            "alert" if means[k] > 1.2 * means[k - 1] else "", "alert" if bencher(means[:k + 1]) else ""))
    for row in rows:
        if row["status"]:
            print("\n%s: %s" % (row["title"], row["cause"]))


def main():
    smartprof, directory = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    os.makedirs(directory, exist_ok=True)
    if not glob.glob(directory + "/lua5.*.orig.tar.*"):
        fetch(directory)
    steps, known = sources(directory), {}
    if len(steps) < 2:
        print("commits: apt can fetch no sources here")
        return 0
    for name, order in (("forth", steps), ("back", steps[::-1])):
        repository, rows = make(smartprof, directory, name, order)
        tell_truth(rows, repository, known)
        print("\n%s:\n" % {"forth": "From the oldest to the newest", "back": "From the newest to the oldest"}[name])
        put(smartprof, repository, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
