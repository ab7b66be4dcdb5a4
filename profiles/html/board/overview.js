/* All series in a table: what each took lately against before. */

const metricNames = () => {
	const names = new Set(board.series.flatMap((series) => series.metrics.map((metric) => metric.name)));
	return [...names].sort(byMetric);
};

function lastChange(row) {
	const found = changesOf(row.series, row.metric.name).filter((it) => it.machine === row.machine), sure = found.filter((it) => !it.suspected), it = (sure.length ? sure : found).pop();
	if (!it)
		return element("span", {class: "soft"}, "–");
	const commit = commitOf(row.series, it.at);
	return element("span", {class: it.suspected ? "soft" : "step"}, link(inPercent(it.ratio), {page: "change", series: row.series.key, change: changeKey(row.series, it)}, changeText(row.series, it)),
		` ${it.suspected ? "suspected, " : ""}${dateText(row.series.when[it.at], true)}${commit ? " at " + shortCommit(commit) : ""}`);
}

function overviewRow(row, several, metrics) {
	const {series, metric, change: it} = row, cells = [
		["Command", "name", [link(labelOf(series), {page: "trend", series: series.key, metric: metric.name}, series.program + " " + series.arguments), ...(several ? [element("div", {class: "soft small"}, machineName(row.machine))] : [])]],
		...(metrics ? [["Metric", "", metricTitle(metric.name)]] : []),
		["Runs", "number", [sparkline(row.points, row), element("span", {class: "soft small"}, String(row.points.length))]],
		["Now", "number", row.now.length ? shown(summary(row.now, row.spread).value, metric.name) : "–"],
		["Before", "number", row.before.length ? shown(summary(row.before, row.spread).value, metric.name) + (row.kept ? " (baseline)" : "") : "–"],
		["Change", "number " + tone(it, metric.name), it ? inPercent(it.ratio) : "–"],
		["99 % interval", "number soft", it ? `${inPercent(it.low)} to ${inPercent(it.high)}` : ""],
		["× noise", "number", it ? number(it.factor, 1) : ""],
		["Verdict", tone(it, metric.name), verdictOf(it, metric.name)],
		["Last step", "text", lastChange(row)],
	];
	return {cells, calm: !isSure(it)};
}

const HEADS = {__proto__: null, "× noise": "how many times the least change that so many runs can tell; below 1 it may be chance"};

function overviewTable(rows) {
	const several = new Set(board.series.flatMap((it) => it.machine)).size > 1, made = rows.map((row) => overviewRow(row, several, !state.metric));
	const numeric = (kind) => kind.startsWith("number") ? "number" : "";
	return element("table", {class: "cards", id: "overview"},
		element("thead", {}, element("tr", {}, ...(made[0] ? made[0].cells : []).map(([title, kind]) => element("th", {class: numeric(kind), title: HEADS[title] || ""}, title)))),
		element("tbody", {}, ...made.map(({cells, calm}) => cardRow(cells, calm))));
}

function drawOverview(box) {
	const rows = overviewRows(), sure = rows.filter((row) => isSure(row.change)), shownRows = state.calm ? rows : sure;
	const worse = sure.filter((row) => row.change.ratio > 1 && !NEUTRAL.includes(row.metric.name)).length;
	const better = sure.filter((row) => row.change.ratio < 1 && !NEUTRAL.includes(row.metric.name)).length;
	box.append(element("div", {class: "bar"},
		element("p", {class: "grow", id: "counts"}, !rows.length ? "No run is within what is chosen."
			: `${rows.length} ${rows.length === 1 ? "row" : "rows"}: ${worse} surely worse, ${better} surely better, ${rows.length - sure.length} without a sure change.`),
		element("button", {type: "button", id: "calm", ariaPressed: String(!state.calm), onclick: () => go({calm: !state.calm})}, "Only sure changes")));
	if (shownRows.length)
		box.append(element("div", {class: "scroll"}, overviewTable(shownRows)));
	box.append(element("p", {class: "soft small"}, `The last ${LATEST} runs at most against up to ${BEFORE} before them, or against the baseline that was kept; the shaded band is what single runs usually lie in.`));
	return () => [["command", "environment", "machine", "metric", "runs", "now", "before", "ratio", "low", "high", "factor", "verdict"],
		...shownRows.map((row) => [titleOf(row.series), row.series.environment, machineName(row.machine), row.metric.name, row.points.length, row.now.length ? median(row.now.map((it) => it.value)) : "",
			row.before.length ? median(row.before.map((it) => it.value)) : "", ...(row.change ? [row.change.ratio, row.change.low, row.change.high, row.change.factor] : ["", "", "", ""]), verdictOf(row.change, row.metric.name)])];
}
