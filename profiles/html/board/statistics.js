/* How sure a difference is. Everything is reckoned in logarithms, so that 10 % more and 10 % less weigh the same, and by
 * medians, so that one odd run moves little. */

/* Two-sided 99 % quantiles of Student's t by degrees of freedom; beyond the table that of the normal distribution. */
const QUANTILES = [63.66, 9.92, 5.84, 4.6, 4.03, 3.71, 3.5, 3.36, 3.25, 3.17, 3.11, 3.05, 3.01, 2.98, 2.95, 2.92, 2.9, 2.88, 2.86, 2.85];
const quantile = (freedom) => QUANTILES[Math.max(0, freedom - 1)] || 2.6;
/* The error of a median is that much larger than a mean's; a median deviation that much smaller than a standard deviation. */
const OF_MEDIAN = 1.2533, OF_DEVIATION = 1.4826, LEAST_SPREAD = 0.0005, LEAST_RUNS = 6;

function median(list) {
	const sorted = Float64Array.from(list).sort(), half = sorted.length >> 1;
	return !sorted.length ? NaN : sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/* The standard deviation of one run's logarithm: by differences of neighbours, which steps and drift hardly touch, and not
 * below what the runs say of their own errors. */
function spreadOf(points) {
	const logs = points.map((it) => Math.log(it.value)), steps = logs.slice(1).map((it, i) => Math.abs(it - logs[i]));
	const own = median(points.filter((it) => it.error !== null).map((it) => it.error / it.value));
	return Math.max(steps.length ? OF_DEVIATION * median(steps) / Math.SQRT2 : 0, own || 0, LEAST_SPREAD);
}

/* What runs come to: their median, and where it lies at 99 %. */
function summary(points, spread = spreadOf(points)) {
	const value = median(points.map((it) => it.value)), half = quantile(points.length - 1) * OF_MEDIAN * spread / Math.sqrt(points.length);
	return {count: points.length, value, low: value * Math.exp(-half), high: value * Math.exp(half)};
}

/* By what ratio b differs from a; factor: how many times the least that the runs can tell. */
function difference(a, b, spread) {
	if (a.length < 2 || b.length < 1 || a.length + b.length < LEAST_RUNS)
		return null;
	const delta = Math.log(median(b.map((it) => it.value)) / median(a.map((it) => it.value)));
	const half = quantile(a.length + b.length - 2) * OF_MEDIAN * spread * Math.sqrt(1 / a.length + 1 / b.length);
	return {ratio: Math.exp(delta), low: Math.exp(delta - half), high: Math.exp(delta + half), factor: Math.abs(delta) / half};
}

const isSure = (it) => Boolean(it) && it.factor > 1;
const inPercent = (ratio) => (ratio >= 1 ? "+" : "−") + number(Math.abs(100 * (ratio - 1)), Math.abs(ratio - 1) < 0.0995 ? 1 : 0) + " %";
const tone = (it, name) => !isSure(it) ? "soft" : NEUTRAL.includes(name) ? "" : it.ratio > 1 ? "bad" : "good";
/* Said in words and signs as well, for who does not see colours. */
const verdictOf = (it, name) => !it ? "too few runs" : !isSure(it) ? "no sure change" : NEUTRAL.includes(name) ? "changed" : it.ratio > 1 ? "▲ worse" : "▼ better";
