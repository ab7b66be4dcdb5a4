"""Change points of simulated histories, ours beside others': python3 changes.py BINARY [SEED [PERCENT]]

200 histories of 15 to 120 runs, noise of 0.5 to 5 %: still ones, one step, two steps, error bars that differ, outliers, a mood of the
machine that lasts, changes of machine, drift. A change counts as found within three runs (of its machine) of where it is, and as false
when none is within ten. Prints the tables of docs/BENCHMARKS.md. Exit status 1 when more than PERCENT (2) of the histories have a confirmed change that is none, or fewer
changes are found than the better of the others finds.

otava   E-divisive over windows of 50 (both ends searched), Student's t instead of permutations, p < .01, then the weakest
        merged until p < .001; no least magnitude: its published defaults
asv     L1 Potts fit, penalty 4 ln(n)/n chosen by the information criterion with an AR(1) term, weights from errors, steps of
        two runs or more; and of those, the ones beyond its threshold of 5 %
"""
import bisect
import collections
import math
import random
import subprocess
import sys

SIZES = (0.03, 0.05, 0.10, 0.20, 0.30)
NEAR, FAR = 3, 10


class History:
    def __init__(self, kind, noise, n):
        self.kind, self.noise = kind, noise
        self.logs, self.errors, self.machines = [0.0] * n, [None] * n, ["a"] * n
        self.changes = {}  # index: logarithm of the ratio

    def step(self, at, size):
        self.changes[at] = size
        for i in range(at, len(self.logs)):
            self.logs[i] += size

    def values(self):
        return [math.exp(x) for x in self.logs]


def place(n):
    return random.randrange(6, n - 5)


def size_of(i):
    return math.log(1 + SIZES[i % len(SIZES)]) * random.choice((1, 1, -1))


def make(kind, i):
    noise = (0.005, 0.01, 0.02, 0.03, 0.05)[random.randrange(5)]
    h = History(kind, noise, random.randrange(15, 121))
    n = len(h.logs)
    for k in range(n):
        if kind == "errors":
            error = noise * random.choice((0.3, 0.3, 1, 3))
            h.errors[k] = error
            h.logs[k] = random.gauss(0, math.hypot(error, noise / 2))
        elif kind == "mood":
            h.logs[k] = random.gauss(0, noise) if k == 0 else 0.5 * h.logs[k - 1] + random.gauss(0, noise * math.sqrt(0.75))
        else:
            h.logs[k] = random.gauss(0, noise)
    if kind in ("step", "errors"):
        h.step(place(n), size_of(i))
    if kind == "two steps":
        first = random.randrange(6, n // 2) if n // 2 > 6 else 6
        size = size_of(i)
        h.step(first, size)
        h.step(min(first + random.randrange(6, max(7, n // 2)), n - 5), -size)
    if kind == "outliers":
        for k in range(n):
            if random.random() < 0.07:
                h.logs[k] += random.uniform(0.2, 1)
        if i % 2:
            h.step(place(n), size_of(i // 2))
    if kind == "machines":
        late = random.randrange(6, n - 5)
        for k in range(n):
            if (k >= late) if i % 4 < 2 else (random.random() < 0.4):
                h.machines[k] = "b"
                h.logs[k] += 0.25
        if i % 2:
            h.step(place(n), size_of(i // 2))
    if kind == "drift":
        for k in range(n):
            h.logs[k] += 0.3 * k / n
    return h


KINDS = {"still": 40, "step": 60, "two steps": 20, "errors": 20, "outliers": 20, "machines": 20, "mood": 10, "drift": 10}


def ours(binary, histories):
    text = "".join(" ".join("%.9g:%s:%s" % (v, "-" if e is None else "%.9g" % (e * v), m)
                            for v, e, m in zip(h.values(), h.errors, h.machines)) + "\n" for h in histories)
    lines = subprocess.run([binary], input=text, capture_output=True, text=True, check=True).stdout.split("\n")
    found = [[word.split(":") for word in line.split()] for line in lines[:len(histories)]]
    return ([[int(w[0]) for w in f if w[2] == "confirmed"] for f in found],
            [[int(w[0]) for w in f if w[2] == "suspected"] for f in found],
            [[w[3] for w in f if w[2] == "confirmed"] for f in found])


# --- otava

def t_tail(t, df):
    """Two-sided, by the continued fraction of the incomplete beta function (Numerical Recipes 6.4)."""
    x, a, b = df / (df + t * t), df / 2, 0.5
    if x >= 1:
        return 1.0
    if x <= 0:
        return 0.0

    def fraction(x, a, b):
        c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
        f = d
        for m in range(1, 300):
            for top in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                        -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
                d = 1 / (1 + top * d)
                c = 1 + top / c
                f *= c * d
            if abs(c * d - 1) < 1e-12:
                break
        return f
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(1 - x))
    if x < (a + 1) / (a + b + 2):
        return front * fraction(x, a, b) / a
    return 1 - front * fraction(1 - x, b, a) / b


def t_test(a, b):
    if len(a) + len(b) < 3:
        return 1.0
    ma, mb = sum(a) / len(a), sum(b) / len(b)
    df = len(a) + len(b) - 2
    variance = (sum((x - ma) ** 2 for x in a) + sum((x - mb) ** 2 for x in b)) / df
    if variance == 0:
        return 0.0 if ma != mb else 1.0
    return t_tail(abs(ma - mb) / math.sqrt(variance * (1 / len(a) + 1 / len(b))), df)


def divide(x):
    """The split that maximizes the energy statistic over its place and its right end; Matteson & James (2014)."""
    n, best = len(x), (-1.0, None)
    sums = [[0.0] * (n + 1) for _ in range(n + 1)]  # of distances, over rectangles from the corner
    for i in range(n):
        row = 0.0
        for k in range(n):
            row += abs(x[i] - x[k])
            sums[i + 1][k + 1] = sums[i][k + 1] + row

    def block(a, b, c, d):
        return sums[b][d] - sums[a][d] - sums[b][c] + sums[a][c]
    for tau in range(2, n - 1):
        for kappa in range(tau + 2, n + 1):
            m, k = tau, kappa - tau
            between = 2 * block(0, tau, tau, kappa) / (m * k)
            within = block(0, tau, 0, tau) / (m * (m - 1)) + block(tau, kappa, tau, kappa) / (k * (k - 1))
            q = (between - within) * m * k / (m + k)
            if q > best[0]:
                best = (q, tau)
    return best


def otava_window(x, limit):
    ends, known = [0, len(x)], {}
    while True:
        candidates = []
        for a, b in zip(ends, ends[1:]):
            if (a, b) not in known:
                known[(a, b)] = divide(x[a:b]) if b - a >= 4 else (-1.0, None)
            q, at = known[(a, b)]
            if at is not None:
                candidates.append((q, a + at, a, b))
        if not candidates:
            return ends[1:-1]
        q, at, a, b = max(candidates)
        if t_test(x[a:at], x[at:b]) > limit:
            return ends[1:-1]
        bisect.insort(ends, at)


def otava(x, window=50, limit=0.001):
    found, start = [], 0
    while start < len(x):
        new = [start + i for i in otava_window(x[start:start + window], 10 * limit)]
        new = [i for i in new if not found or i > found[-1]]
        found += new
        start = max(new[-1] if new else 0, start + window // 2)
    while found:
        ends = [0] + found + [len(x)]
        p = [t_test(x[ends[k]:ends[k + 1]], x[ends[k + 1]:ends[k + 2]]) for k in range(len(found))]
        if max(p) < limit:
            break
        del found[p.index(max(p))]
    return found


# --- asv

def golden(f, a, b, tolerance):
    ratio = (math.sqrt(5) - 1) / 2
    c, d = b - ratio * (b - a), a + ratio * (b - a)
    fc, fd = f(c), f(d)
    while b - a > tolerance:
        if fc < fd:
            b, d, fd = d, c, fc
            c = b - ratio * (b - a)
            fc = f(c)
        else:
            a, c, fc = c, d, fd
            d = a + ratio * (b - a)
            fd = f(d)
    return c if fc < fd else d


def fits(y, w):
    """Weighted median and distance from it of y[a:b], for all of at least 2."""
    n, table = len(y), {}
    for a in range(n):
        items = []
        for b in range(a + 1, n + 1):
            bisect.insort(items, (y[b - 1], w[b - 1]))
            half, reached = sum(i[1] for i in items) / 2, 0.0
            for value, weight in items:
                reached += weight
                if reached >= half:
                    break
            table[(a, b)] = (value, sum(i[1] * abs(i[0] - value) for i in items))
    return table


def asv(y, w):
    n = len(y)
    table, beta, best = fits(y, w), 4 * math.log(n) / n, [math.inf, None]
    gamma_0 = table[(0, n)][1] or 1.0

    def solve(gamma):
        cost, come = [-gamma] + [math.inf] * n, [0] * (n + 1)
        for b in range(2, n + 1):
            for a in range(0, b - 1):
                c = cost[a] + gamma + table[(a, b)][1]
                if c < cost[b]:
                    cost[b], come[b] = c, a
        ends, at = [], n
        while at > 0:
            ends.append(at)
            at = come[at]
        return ends[::-1]

    def criterion(exponent):
        ends = solve(gamma_0 * math.exp(exponent))
        starts = [0] + ends[:-1]
        levels = [table[(a, b)][0] for a, b in zip(starts, ends)]
        off = [y[i] - level for a, b, level in zip(starts, ends, levels) for i in range(a, b)]

        def remains(rho):
            return abs(off[0]) + sum(abs(e - rho * before) for before, e in zip(off, off[1:]))
        if len(levels) > 2:
            floor = 0.1 * min(abs(b - a) for a, b in zip(levels, levels[1:]))
        else:
            floor = 0.001 * min(map(abs, levels))
        value = beta * len(ends) + math.log(max(floor, 1e-300) + remains(golden(remains, -1, 1, 0.05)))
        if value < best[0]:
            best[:] = [value, (ends, levels)]
        return value
    lowest = math.log(0.1 / n)
    golden(criterion, lowest, 0.0, -lowest * 0.1)
    criterion(0.0)
    ends, levels = best[1]
    return ends[:-1], levels


def asv_weights(h):
    if h.errors[0] is None:
        return [1.0] * len(h.logs)
    return [2 / abs(2 * 2.576 * e) for e in h.errors]


# --- the count

def distance(h, i, at):
    return sum(h.machines[k] == h.machines[i] for k in range(min(i, at), max(i, at)))


def is_found(h, at, found):
    return any(distance(h, i, at) <= NEAR for i in found)


def count(histories, found, kinds):
    true = hit = false = spoiled = n = 0
    for h, f in zip(histories, found):
        if h.kind not in kinds:
            continue
        wrong = sum(all(distance(h, i, at) > FAR for at in h.changes) for i in f)
        n += 1
        true += len(h.changes)
        hit += sum(is_found(h, at, f) for at in h.changes)
        false += wrong
        spoiled += wrong > 0
    return true, hit, false, spoiled, n


def by_size(histories, found):
    counts = collections.OrderedDict((s, [0, 0]) for s in SIZES)
    for h, f in zip(histories, found):
        if h.kind in ("step", "two steps", "errors"):
            for at, size in h.changes.items():
                cell = counts[round(math.exp(abs(size)) - 1, 2)]
                cell[0] += 1
                cell[1] += is_found(h, at, f)
    return counts


def main():
    binary, seed, percent = sys.argv[1], int((sys.argv + ["1"])[2] if len(sys.argv) > 2 else 20240607), float(
        sys.argv[3] if len(sys.argv) > 3 else 2)
    random.seed(seed)
    histories = [make(kind, i) for kind, times in KINDS.items() for i in range(times)]
    confirmed, suspected, shapes = ours(binary, histories)
    fitted = [asv(h.values(), asv_weights(h)) for h in histories]
    rows = collections.OrderedDict([
        ("smartprof", confirmed),
        ("otava", [otava(h.values()) for h in histories]),
        ("asv's penalty", [f[0] for f in fitted]),
        ("asv beyond 5 %", [[i for i, a, b in zip(ends, v, v[1:]) if abs(b / a - 1) > 0.05] for ends, v in fitted]),
    ])
    kinds = [k for k in KINDS if k != "drift"]
    print("| | found | " + " | ".join("%g %%" % (s * 100) for s in SIZES) + " | false | histories with a false one |")
    print("|---" * (len(SIZES) + 4) + "|")
    totals = {}
    for name, found in rows.items():
        true, hit, false, spoiled, n = totals[name] = count(histories, found, kinds)
        sizes = by_size(histories, found)
        print("| %s | %d of %d | %s | %d | %d of %d |" % (name, hit, true, " | ".join(
            "%d of %d" % (b, a) for a, b in sizes.values()), false, spoiled, n))
    print("\nFound, and false ones, by kind of history:\n\n| | " + " | ".join(kinds) + " | drift, cut into |")
    print("|---" * (len(kinds) + 2) + "|")
    for name, found in rows.items():
        cells = []
        for kind in kinds:
            true, hit, false, spoiled, n = count(histories, found, (kind,))
            cells.append(("%d of %d, " % (hit, true) if true else "") + "%d false" % false)
        drift = [len(f) for h, f in zip(histories, found) if h.kind == "drift"]
        print("| %s | %s | %.1f |" % (name, " | ".join(cells), sum(drift) / len(drift)))
    true, hit, false, spoiled, n = count(histories, [c + s for c, s in zip(confirmed, suspected)], kinds)
    print("\nsuspected too: %d of %d found, %d false" % (hit, true, false))
    slopes = [s for h, f in zip(histories, shapes) if h.kind == "drift" for s in f]
    print("in drifts called a slope: %d of %d; in the others: %d of %d" % (slopes.count("slope"), len(slopes), sum(
        f.count("slope") for h, f in zip(histories, shapes) if h.kind != "drift"), sum(
        len(f) for h, f in zip(histories, shapes) if h.kind != "drift")))
    mine = totals["smartprof"]
    bad = mine[3] > percent / 100 * mine[4] or mine[1] < max(totals[k][1] for k in ("asv beyond 5 %",))
    return 1 if bad else 0


sys.exit(main())
