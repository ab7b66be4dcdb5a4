/* One series: a large chart of a metric, small ones of the others, its changes, its runs. */

function changeText(series, it) {
	const commit = commitOf(series, it.at);
	return `${metricTitle(it.metric)} ${inPercent(it.ratio)}, ${shown(it.before, it.metric)} to ${shown(it.after, it.metric)}, ${dateText(series.when[it.at], true)}`
		+ (commit ? ` at ${shortCommit(commit)}` : "") + (it.gradual ? ", by and by" : "") + (it.suspected ? ", suspected: too few runs on one side" : "");
}

/* Where it may be, with the confidence that changes.h names. */
function placeText(series, it) {
	const [before, after, runs] = it.place || [];
	return !runs ? "" : runs === 1 ? "With 95 % confidence it began at this run."
		: `With 95 % confidence it began at one of ${runs} runs, after ${dateText(series.when[before])} and by ${dateText(series.when[after])}.`;
}

const openChange = (series, it) => {
	byId("tip").hidden = true;
	go({page: "change", series: series.key, change: changeKey(series, it), metric: it.metric});
};

function chosenSeries() {
	return seriesOf(state.series) || (overviewRows()[0] || {series: board.series[0]}).series;
}

const chosenMetric = (series) => metricOf(series, state.metric) || metricOf(series, "wall_ns") || series.metrics[0];

function seriesSelect(series) {
	const titles = board.series.map((it) => [it.key, labelOf(it)]).sort((a, b) => a[1].localeCompare(b[1]));
	return element("select", {id: "series", ariaLabel: "Command", onchange: (event) => go({series: event.target.value, run: "", change: ""})},
		...titles.map(([value, title]) => element("option", {value, selected: value === series.key}, title)));
}

function legendOf({lines, baselines, reached}) {
	return element("div", {class: "legend"}, ...lines.map(({points, k}) => element("span", {class: "line" + k}, element("i"), `${branchName(points[0].branch)}, ${machineName(points[0].machine)} (${points.length})`)),
		element("span", {}, "band: 95 % of what the sampling or the repetitions leave open, where that is known"), element("span", {}, "× failed or ran beside others"),
		...(reached ? [element("span", {}, "shaded across: where a change began, with 95 % confidence")] : []),
		...(baselines.length ? [element("span", {class: "of-baselines"}, "⚑ baseline, and the median of its runs")] : []));
}

function changesTable(series, name) {
	const rows = changesOf(series, name);
	if (!rows.length)
		return element("p", {class: "soft"}, "No change point within what is chosen.");
	return element("div", {class: "scroll"}, element("table", {}, element("tbody", {}, ...[...rows].reverse().map((it) => element("tr", {},
		element("td", {class: "number " + (it.suspected ? "soft" : NEUTRAL.includes(it.metric) ? "" : it.after > it.before ? "bad" : "good")}, inPercent(it.ratio)),
		element("td", {}, link(changeText(series, it), {page: "change", series: series.key, change: changeKey(series, it), metric: it.metric})))))));
}

function runsTable(series, metric, points) {
	const rows = [...points].reverse(), first = state.everything ? rows : rows.slice(0, 15);
	return [element("div", {class: "scroll"}, element("table", {class: "cards"}, element("thead", {}, element("tr", {}, ...["Run", "Started", metricTitle(metric.name), "Commit", "Branch", "Machine", "End"]
		.map((text, i) => element("th", {class: i === 2 ? "number" : ""}, text)))),
	element("tbody", {}, ...first.map((it) => {
		const commit = commitOf(series, it.i), cells = [["Run", "name", link(series.id[it.i].slice(0, 8), {page: "run", run: series.id[it.i]})], ["Started", "", dateText(it.when)],
			[metricTitle(metric.name), "number", shown(it.value, metric.name) + (it.error !== null ? " ± " + shown(1.96 * it.error, metric.name) : "")],
			["Commit", "text", commit ? `${shortCommit(commit)} ${shorten(commit.subject || "")}` : "–"], ["Branch", "text", branchName(it.branch)], ["Machine", "text", machineName(it.machine)],
			["End", series.state[it.i] ? "bad" : "", board.states[series.state[it.i]] + (series.jobs[it.i] > 1 ? `, ${series.jobs[it.i]} at a time` : "")]];
		return cardRow(cells, it.odd);
	})))), rows.length > first.length ? element("button", {type: "button", onclick: () => { state.everything = true; drawBoard(); }}, `Show all ${rows.length} runs`) : ""];
}

/* What is further down may come a moment later, one after the other. */
function drawLater(series, plots) {
	const [[metric, plot] = []] = plots;
	if (!plot || !document.contains(plot))
		return;
	trendChart(plot, series, metric, {height: 130, small: true});
	setTimeout(() => drawLater(series, plots.slice(1)));
}

function drawTrend(box) {
	const series = chosenSeries(), metric = chosenMetric(series);
	state.series = series.key;
	const chart = element("div", {id: "trend", class: "plot", tabIndex: 0, ariaLabel: "Chart: arrow keys go from run to run, Enter opens one"});
	const others = element("div", {class: "small-plots"}), legend = element("div");
	box.append(element("div", {class: "bar"}, seriesSelect(series), element("div", {id: "order", class: "choice", role: "group", ariaLabel: "Across"}), element("div", {id: "fit", class: "choice", role: "group", ariaLabel: "From"})),
		element("h2", {}, metricTitle(metric.name)), chart, element("div", {class: "where", id: "reading", ariaLive: "polite"}, "Arrow keys on the chart go from run to run; Enter or a click opens one."), legend,
		element("h2", {}, "Change points"), changesTable(series, metric.name), element("h2", {class: "apart"}, "Other metrics"), others);
	choices("order", [["time", "By time"], ["run", "By run"]], state.order, (order) => go({order}));
	choices("fit", [["no", "From zero"], ["yes", "Fit"]], state.fit ? "yes" : "no", (fit) => go({fit: fit === "yes"}));
	const made = trendChart(chart, series, metric, {height: 320});
	if (made) {
		followRuns(chart, series, metric, made);
		legend.append(legendOf(made));
	}
	const plots = series.metrics.filter((it) => it !== metric).map((other) => [other, element("div", {class: "plot"})]);
	others.append(...plots.map(([other, plot]) => element("div", {class: "small-plot"}, link(metricTitle(other.name), {metric: other.name}), plot)));
	requestAnimationFrame(() => drawLater(series, plots));
	const points = pointsOf(series, metric);
	box.append(element("h2", {class: "apart"}, "Runs"), ...runsTable(series, metric, points));
	return () => [["run", "started", "command", "metric", "value", "standard_error", "commit", "branch", "machine", "state", "jobs"], ...points.map((it) => [series.id[it.i], new Date(it.when * 1000).toISOString(),
		titleOf(series), metric.name, it.value, it.error ?? "", (commitOf(series, it.i) || {hash: ""}).hash, board.branches[it.branch] || "", machineName(it.machine), board.states[series.state[it.i]], series.jobs[it.i]])];
}
