/* One branch, machine or time against another: a row a metric, medians with intervals as dumbbells. */

/* What there is to choose from, the one with most runs first. */
function sidesOf(by) {
	const counts = new Map();
	for (const series of board.series)
		for (const value of series[by])
			counts.set(value, (counts.get(value) || 0) + 1);
	const name = by === "branch" ? branchName : machineName;
	return [...counts].sort((a, b) => b[1] - a[1]).map(([value, count]) => [String(value), `${name(value)} (${count})`]);
}

const dayStart = (text) => /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(text + "T00:00:00").getTime() / 1000 : NaN;

/* Before and after: the last change point that is sure, else the middle. */
function usualCut() {
	const found = board.series.flatMap((series) => changesOf(series).filter((it) => !it.suspected).map((it) => series.when[it.at]));
	const all = board.series.flatMap((series) => series.when);
	return found.length ? d3.max(found) : all.length ? median(all) : 0;
}

/* Machines are compared as they are; branches and times only on one machine each. */
function versusRows() {
	const rows = [], cut = dayStart(state.a) || usualCut();
	for (const [series, metric] of shownMetrics()) {
		const points = comparable(pointsOf(series, metric, state.by === "branch" ? {branch: ""} : state.by === "machine" ? {machine: ""} : {}));
		for (const group of linesOf(points, state.by === "machine" ? [] : ["machine"])) {
			const isFirst = (it) => state.by === "time" ? it.when < cut : String(it[state.by]) === state.a;
			const sides = [group.filter(isFirst), group.filter((it) => state.by === "time" ? it.when >= cut : String(it[state.by]) === state.b)];
			if (!sides[0].length || !sides[1].length)
				continue;
			const spread = Math.max(...sides.map((it) => spreadOf(it)));
			rows.push({series, metric, machine: group[0].machine, sides: sides.map((it) => summary(it, spread)), change: difference(...sides, spread)});
		}
	}
	return rows.sort((a, b) => weight(b) - weight(a));
}

/* Of one row: both sides relative to the first. */
function dumbbell(row, x, width) {
	const height = 30, svg = d3.create("svg").attr("class", "dumbbell").attr("viewBox", `0 0 ${width} ${height}`).attr("width", width).attr("height", height).attr("role", "img")
		.attr("aria-label", `${shown(row.sides[0].value, row.metric.name)} against ${shown(row.sides[1].value, row.metric.name)}`);
	const at = (value) => number(x(Math.max(x.domain()[0], Math.min(x.domain()[1], value / row.sides[0].value))), 1);
	svg.append("line").attr("class", "even").attr("x1", x(1)).attr("x2", x(1)).attr("y2", height);
	svg.append("line").attr("class", "between " + tone(row.change, row.metric.name)).attr("x1", at(row.sides[0].value)).attr("x2", at(row.sides[1].value)).attr("y1", height / 2).attr("y2", height / 2);
	row.sides.forEach((side, k) => {
		const y = height / 2 + (k ? 5 : -5);
		svg.append("line").attr("class", "interval side" + k).attr("x1", at(side.low)).attr("x2", at(side.high)).attr("y1", y).attr("y2", y);
		svg.append(k ? "rect" : "circle").attr("class", "side" + k).attr(k ? "x" : "cx", k ? at(side.value) - 4.5 : at(side.value)).attr(k ? "y" : "cy", k ? height / 2 - 4.5 : height / 2)
			.attr(k ? "width" : "r", k ? 9 : 5).attr("height", k ? 9 : null);
	});
	return svg.node();
}

function versusTable(rows, names) {
	const parts = (pick) => rows.flatMap((row) => row.sides.flatMap(pick).map((value) => Math.abs(Math.log(value / row.sides[0].value)))).filter(Number.isFinite).sort((a, b) => a - b);
	const medians = parts((side) => [side.value]), ends = parts((side) => [side.low, side.high]);
	const far = Math.exp(Math.min(2, Math.max(0.03, 1.15 * d3.max(medians), 1.1 * d3.quantile(ends, 0.9)))), width = innerWidth < 640 ? 260 : 340;
	const several = new Set(rows.map((row) => row.machine)).size > 1;
	const x = d3.scaleLog().domain([1 / far, far]).range([8, width - 8]);
	const body = rows.map((row) => {
		const cells = [["Command", "name", [link(labelOf(row.series), {page: "trend", series: row.series.key, metric: row.metric.name}), ...(several && state.by !== "machine" ? [element("div", {class: "soft small"}, machineName(row.machine))] : [])]],
			["Metric", "", metricTitle(row.metric.name)], ["", "", dumbbell(row, x, width)],
			[names[0], "number", `${shown(row.sides[0].value, row.metric.name)} (${row.sides[0].count})`], [names[1], "number", `${shown(row.sides[1].value, row.metric.name)} (${row.sides[1].count})`],
			["Change", "number " + tone(row.change, row.metric.name), row.change ? inPercent(row.change.ratio) : "–"],
			["99 % interval", "number soft", row.change ? `${inPercent(row.change.low)} to ${inPercent(row.change.high)}` : ""], ["Verdict", tone(row.change, row.metric.name), verdictOf(row.change, row.metric.name)]];
		return cardRow(cells, !isSure(row.change));
	});
	return element("table", {class: "cards", id: "versus"}, element("thead", {}, element("tr", {}, ...["Command", "Metric", `${inPercent(1 / far)} to ${inPercent(far)}`, ...names, "Change", "99 % interval", "Verdict"]
		.map((text, i) => element("th", {class: i > 2 && i < 7 ? "number" : "", title: text}, element("span", {class: "cut"}, text))))), element("tbody", {}, ...body));
}

function sideSelect(id, options, label) {
	return element("select", {id: "side-" + id, ariaLabel: label, onchange: (event) => go({[id]: event.target.value})}, ...options.map(([value, title]) => element("option", {value, selected: value === state[id]}, title)));
}

function drawVersus(box) {
	const byTime = state.by === "time", options = byTime ? [] : sidesOf(state.by), known = (value) => options.some((it) => it[0] === value);
	if (!byTime && !known(state.a))
		state.a = options[0] ? options[0][0] : "";
	if (!byTime && (!known(state.b) || state.b === state.a))
		state.b = (options.find((it) => it[0] !== state.a) || [""])[0];
	const cut = dayStart(state.a) || usualCut();
	const names = byTime ? ["Before", "After"] : [state.a, state.b].map((value) => (options.find((it) => it[0] === value) || ["", "–"])[1].replace(/ \(\d+\)$/, ""));
	box.append(element("div", {class: "bar"}, element("div", {id: "by", class: "choice", role: "group", ariaLabel: "What is compared"}),
		...(byTime ? [element("label", {}, "before and after ", element("input", {type: "date", id: "cut", value: dateText(cut, true), onchange: (event) => go({a: event.target.value})}))]
			: [sideSelect("a", options, "First"), " against ", sideSelect("b", options, "Second")])));
	choices("by", [["branch", "Branches"], ["machine", "Machines"], ["time", "Before and after"]], state.by, (by) => go({by, a: "", b: ""}));
	if (!byTime && options.length < 2) {
		box.append(element("p", {class: "soft"}, state.by === "branch" ? "All runs are of one branch." : "All runs are of one class of machines."));
		return () => [["command"]];
	}
	const rows = versusRows();
	if (rows.length)
		box.append(element("div", {class: "legend"}, element("span", {}, element("i", {class: "side0"}), names[0]), element("span", {}, element("i", {class: "side1"}), names[1]), element("span", {}, "medians with 99 % intervals, relative to the first; faint rows may be chance")),
			element("div", {class: "scroll"}, versusTable(rows, names)));
	else
		box.append(element("p", {class: "soft"}, "No command has good runs on both sides within what is chosen."));
	return () => [["command", "environment", "metric", "first", "first_low", "first_high", "first_runs", "second", "second_low", "second_high", "second_runs", "ratio", "low", "high", "verdict"], ...rows.map((row) => [titleOf(row.series),
		row.series.environment, row.metric.name, ...row.sides.flatMap((it) => [it.value, it.low, it.high, it.count]), ...(row.change ? [row.change.ratio, row.change.low, row.change.high] : ["", "", ""]), verdictOf(row.change, row.metric.name)])];
}
