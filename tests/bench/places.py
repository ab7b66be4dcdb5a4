"""How near the place of a change is told to where it is: python3 places.py BINARY

Simulated histories of 40 to 120 runs with one step, by its size in units of the noise; every third has 8 % of runs that take longer by an exponential
distribution of four times the noise. Then such in which half of the noise of a run goes on to the next one. Prints the tables of docs/BENCHMARKS.md."""
import math
import random
import statistics
import subprocess
import sys

STEPS = (1, 1.5, 2, 3, 5)


def draw(noise, n, goes_on):
    logs, mood = [], random.gauss(0, noise)
    for _ in range(n):
        logs.append(mood)
        mood = goes_on * mood + random.gauss(0, noise * math.sqrt(1 - goes_on**2))
    return logs


def make(step, k, goes_on):
    noise, n = (0.01, 0.02, 0.05, 0.1)[k % 4], random.randrange(40, 121)
    at, size = random.randrange(10, n - 10), noise * step * random.choice((1, -1))
    logs = [v + (size if i >= at else 0) for i, v in enumerate(draw(noise, n, goes_on))]
    if k % 3 == 2 and not goes_on:
        logs = [v + (random.expovariate(1 / (4 * noise)) if random.random() < 0.08 else 0) for v in logs]
    return at, logs


def table(goes_on, each):
    print("| step, by the noise | found | at the very run | within 3 runs | within 10 | runs off, mean | among those told, of 95 % | how many those are, mean |")
    print("|---" * 8 + "|")
    for step in STEPS:
        histories = [make(step, k, goes_on) for k in range(each)]
        text = "".join(" ".join("%.9g:-:a" % math.exp(v) for v in logs) + "\n" for _, logs in histories)
        lines = subprocess.run([sys.argv[1]], input=text, capture_output=True, text=True, check=True).stdout.split("\n")
        off, among, places = [], [], []
        for (at, _), line in zip(histories, lines):
            found = [word.split(":") for word in line.split() if word.split(":")[2] == "confirmed"]
            if not found:
                continue
            nearest = min(found, key=lambda f: abs(int(f[0]) - at))
            off.append(abs(int(nearest[0]) - at))
            if nearest[3] == "step":
                among.append(int(nearest[4]) <= at <= int(nearest[5]))
                places.append(int(nearest[5]) - int(nearest[4]) + 1)
        print("| %g | %d of %d | %s | %.1f | %.0f %% | %.1f |" % (step, len(off), each, " | ".join(
            "%.0f %%" % (100 * sum(o <= most for o in off) / len(off)) for most in (0, 3, 10)), statistics.mean(off), 100 * statistics.mean(among), statistics.mean(places)))


random.seed(11)
table(0, 240)
print()
table(0.5, 960)
