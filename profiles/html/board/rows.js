/* Which runs are looked at: those of the branch, the machine and the time that are chosen. */

const PERIODS = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["365", "a year"]];
const newest = () => d3.max(board.series, (series) => series.when[series.when.length - 1]) || 0;
const startOfPeriod = () => state.since ? newest() - Number(state.since) * 86400 : -Infinity;

/* The points of a metric, in the order of time: {i, when, value, error (one standard error, or null), machine, branch, odd}; odd: a run that is
 * shown and never compared, because it failed or others ran beside it. */
function pointsOf(series, metric, {machine = state.machine, branch = state.branch} = {}) {
	const points = [], from = startOfPeriod();
	for (let i = 0; i < series.when.length; i++) {
		const value = metric.values[i];
		if (value === null || value === undefined || series.when[i] < from || machine !== "" && series.machine[i] !== Number(machine) || branch !== "" && series.branch[i] !== Number(branch))
			continue;
		points.push({i, when: series.when[i], value, error: metric.errors ? metric.errors[i] ?? null : null, machine: series.machine[i], branch: series.branch[i],
			odd: !isComparable(series, i)});
	}
	return points;
}

const comparable = (points) => points.filter((it) => !it.odd && it.value > 0);

/* Points of machines and branches apart from each other, the line with most first. */
function linesOf(points, by) {
	const lines = new Map();
	for (const point of points) {
		const key = by.map((name) => point[name]).join("/");
		if (!lines.has(key))
			lines.set(key, []);
		lines.get(key).push(point);
	}
	return [...lines.values()].sort((a, b) => b.length - a.length);
}

/* The last few runs against those before, or against the baseline that was kept. */
const LATEST = 5, BEFORE = 30;
function latestChange(series, metric, points) {
	const usable = comparable(points), now = usable.slice(-Math.max(1, Math.min(LATEST, usable.length >> 2)));
	if (!now.length)
		return {now, before: [], kept: false, spread: NaN, change: null};
	const kept = usable.filter((it) => (series.baseline || []).includes(it.i) && it.when < now[0].when);
	const before = kept.length ? kept : usable.slice(0, usable.length - now.length).slice(-BEFORE), spread = spreadOf(usable);
	return {now, before, kept: kept.length > 0, spread, change: difference(before, now, spread)};
}

/* Changes of a series within what is shown. */
function changesOf(series, name) {
	const from = startOfPeriod();
	return (series.changes || []).filter((it) => (!name || it.metric === name) && series.when[it.at] >= from && (state.machine === "" || it.machine === Number(state.machine))
		&& (state.branch === "" || it.branch === Number(state.branch)));
}

const changeKey = (series, it) => series.id[it.at] + "." + it.metric;

/* What is looked at: each metric of each series, as [series, metric]. */
function shownMetrics() {
	const find = state.find.toLowerCase();
	return board.series.filter((series) => !find || labelOf(series).toLowerCase().includes(find))
		.flatMap((series) => series.metrics.filter((metric) => !state.metric || metric.name === state.metric).map((metric) => [series, metric]));
}

const weight = (row) => isSure(row.change) ? row.change.factor : 0;

/* The rows of the overview, those that surely changed first. */
function overviewRows() {
	const rows = [];
	for (const [series, metric] of shownMetrics())
		for (const points of linesOf(pointsOf(series, metric), ["machine"]))
			rows.push({series, metric, points, machine: points[0].machine, ...latestChange(series, metric, points)});
	return rows.sort((a, b) => weight(b) - weight(a) || labelOf(a.series).localeCompare(labelOf(b.series)) || b.points.length - a.points.length);
}
