#!/bin/bash
# What `smartprof monitor` costs and whether it is true: RUNS=1000 of /bin/true, beside hyperfine -N and GNU time where they are installed; peak, CPU
# time, output and disk of programs of known use, beside GNU time; AA=200 comparisons of a command with itself; xz -3 beside xz -4, ROUNDS=5 times by both, and with itself.
# Exit status 1: something is not true.
set -eu
root=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make -s -C "$root" build/smartprof build/targets/cpu_truth
cd "$work"
export SMARTPROF_HISTORY="$work/history.db"
exec python3 - "$root" "${RUNS:-1000}" "${AA:-200}" "${ROUNDS:-5}" <<'PY'
import json, os, shutil, subprocess, sys, time

root, runs, aa, rounds = sys.argv[1], *map(int, sys.argv[2:5])
monitor = [root + "/build/smartprof", "monitor"]
bad = []

def quiet(words):
    began = time.monotonic()
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began

def measured(*words):
    subprocess.run(monitor + ["--output", "null", "--export-json", "run.json", *words], stdout=subprocess.DEVNULL)
    return json.load(open("run.json"))

def check(what, value, least, most):
    print("%-44s %14.6g   (%.6g to %.6g)%s" % (what, value, least, most, "" if least <= value <= most else "   NOT TRUE"))
    if not least <= value <= most:
        bad.append(what)

# The least that starting and waiting takes, and what each tool takes more.
def bare():
    for _ in range(runs):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
tools = {"monitor": monitor + ["--runs", str(runs), "--", "/bin/true"]}
tools["monitor, no history"] = ["env", "SMARTPROF_HISTORY=off"] + tools["monitor"]
if shutil.which("hyperfine"):
    tools["hyperfine -N"] = ["hyperfine", "-N", "--runs", str(runs), "/bin/true"]
if shutil.which("time"):
    tools["GNU time, each"] = ["sh", "-c", "i=0; while [ $i -lt %d ]; do %s -o /dev/null /bin/true; i=$((i+1)); done" % (runs, shutil.which("time"))]
print("a run of /bin/true, of %d: wall time, least of 3 rounds" % runs)
began = time.monotonic()
bare()
print("  %-20s %8.3f ms" % ("posix_spawn, bare", (time.monotonic() - began) / runs * 1e3))
took = {name: min(quiet(words) for _ in range(3)) for name, words in tools.items()}
for name, wall in took.items():
    print("  %-20s %8.3f ms" % (name, wall / runs * 1e3))
times = measured("--runs", str(runs), "--", "/bin/true")["results"][0]
print("  told: median %.3f ms, peak %.0f KiB" % (times["median"] * 1e3, max(times["memory_usage_byte"]) / 1024))
if shutil.which("hyperfine"):
    subprocess.run(["hyperfine", "-N", "--runs", str(runs), "--export-json", "h.json", "/bin/true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print("  hyperfine told: median %.3f ms" % (json.load(open("h.json"))["results"][0]["median"] * 1e3))

touch = "b = bytearray(200 << 20); b[::4096] = b'x' * len(b[::4096])"
big = measured("--", "/usr/bin/python3", "-c", touch)["results"][0]["runs"][0]
check("peak of 200 MiB, MiB", big["peak_rss_bytes"] / 2**20, 200, 225)
if shutil.which("time"):
    kb = int(subprocess.run([shutil.which("time"), "-f", "%M", "/usr/bin/python3", "-c", touch], stderr=subprocess.PIPE).stderr)
    check("  GNU time's, of ours, %", 100 * kb * 1024 / big["peak_rss_bytes"], 98, 102)
kept = bytearray(200 << 20)
kept[::4096] = b"x" * len(kept[::4096])
check("peak of /bin/true below 200 MiB, MiB", measured("--", "/bin/true")["results"][0]["runs"][0]["peak_rss_bytes"] / 2**20, 0.3, 3)
del kept
for seconds in 0.05, 0.5, 2:
    run = measured("--", root + "/build/targets/cpu_truth", str(seconds))["results"][0]["runs"][0]
    check("CPU of %g s" % seconds, run["user"] + run["system"], seconds * 0.99, seconds * 1.03 + 0.01)
run = measured("--", "sh", "-c", "head -c 123456789 /dev/zero; head -c 4321 /dev/zero >&2")["results"][0]["runs"][0]
check("bytes of output", run["stdout_bytes"], 123456789, 123456789)
check("bytes to standard error", run["stderr_bytes"], 4321, 4321)
run = measured("--", "dd", "if=/dev/zero", "of=file", "bs=1M", "count=64", "oflag=direct")["results"][0]["runs"][0]
if run["state"] == "ok":
    check("written to the disk, MiB", run["written_bytes"] / 2**20, 64, 66)

answers = {}
for _ in range(aa):
    pair = measured("/bin/true", "/bin/true")["comparisons"][0]
    for metric in "wall", "cpu", "peak_rss":
        answers.setdefault(pair[metric]["answer"], 0)
        answers[pair[metric]["answer"]] += 1
print("%d comparisons of /bin/true with itself, three answers each: %s" % (aa, answers))
check("  false answers", answers.get("more", 0) + answers.get("less", 0), 0, 1)

with open("data", "wb") as file:
    file.write(b"".join(open(root + "/build/smartprof", "rb").read(400000) for _ in range(2)))
whole = measured("xz -3 -k -c data", "xz -4 -k -c data")
pair = whole["comparisons"][0]
print("xz -4 against xz -3: time %s, CPU %s, peak %s, ratios %.3f %.3f %.3f, after %d pairs" % (pair["wall"]["answer"], pair["cpu"]["answer"],
      pair["peak_rss"]["answer"], pair["wall"]["ratio"], pair["cpu"]["ratio"], pair["peak_rss"]["ratio"], len(whole["results"][0]["times"])))
check("  peak, ratio", pair["peak_rss"]["ratio"], 1.2, 2)
# What hyperfine says, as a reader takes it: its ratio differs from 1 by more than its own ±.
def by_hyperfine(first, second):
    subprocess.run(["hyperfine", "-N", "--export-json", "h.json", first, second], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    a, b = json.load(open("h.json"))["results"]
    ratio = b["mean"] / a["mean"]
    error = ratio * ((a["stddev"] / a["mean"]) ** 2 + (b["stddev"] / b["mean"]) ** 2) ** 0.5
    return "more" if ratio - error > 1 else "less" if ratio + error < 1 else "undecided", len(a["times"]) + len(b["times"])

def by_monitor(first, second):
    whole = measured(first, second)
    pair = whole["comparisons"][0]
    sure = [pair[m]["answer"] for m in ("wall", "cpu") if pair[m]["answer"] in ("more", "less")]
    return sure[0] if sure else "undecided", sum(len(r["times"]) for r in whole["results"])

print("xz -4 against xz -3, and xz -3 against itself, %d times by each: answers (time, else CPU time) and runs" % rounds)
for name, compared in ("monitor", by_monitor), ("hyperfine -N", by_hyperfine):
    if name != "monitor" and not shutil.which("hyperfine"):
        continue
    for other in "xz -4 -k -c data", "xz -3 -k -c data":
        got = [compared("xz -3 -k -c data", other) for _ in range(rounds)]
        print("  %-13s %s %s, %.0f runs each time" % (name, other[:5], " ".join(answer for answer, _ in got), sum(n for _, n in got) / rounds))
        if name == "monitor":
            right = sum(answer == ("more" if other[4] == "4" else "undecided") for answer, _ in got)
            check("  right answers", right, rounds if other[4] == "4" else rounds - 1, rounds)
behind = subprocess.run(monitor + ["--profile", "--runs", "8", "xz -3 -k -c data", "xz -4 -k -c data"], stdout=subprocess.PIPE, text=True).stdout
print(behind[behind.find("  behind it"):], end="")
print("not true: " + ", ".join(bad) if bad else "all true")
sys.exit(bool(bad))
PY
