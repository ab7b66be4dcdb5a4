/* A single run: what it took beside its history, what it did over time, where the time went. */

function chosenRun() {
	for (const series of board.series) {
		const i = series.id.findIndex((id) => state.run && id.startsWith(state.run));
		if (i >= 0)
			return {series, i};
	}
	const series = chosenSeries();
	return series && {series, i: series.id.length - 1};
}

/* CPU, memory and processes over the run: [at ns, CPU ns so far, bytes, processes]. */
function drawRunTimeline(box, rows) {
	const width = box.clientWidth || 900, lane = 74, left = 74, right = width - 16, ends = rows.map((it) => it[0] / 1e9);
	const lanes = [
		["CPU", "cpu", rows.map((it, k) => k && it[0] > rows[k - 1][0] ? Math.max(0, it[1] - rows[k - 1][1]) / (it[0] - rows[k - 1][0]) : 0), (value) => number(value, 2) + " cores"],
		["Memory", "rss", rows.map((it) => it[2]), (value) => inUnits(value, SIZE)],
	].filter(([, , values]) => d3.max(values) > 0);
	const height = lanes.length * lane + 26, svg = d3.select(box).append("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("height", height).attr("role", "img").attr("aria-label", "CPU and memory over the run");
	const x = d3.scaleLinear().domain([0, ends[ends.length - 1] || 1]).range([left, right]);
	lanes.forEach(([title, kind, values, show], k) => {
		const y = d3.scaleLinear().domain([0, d3.max(values)]).range([(k + 1) * lane - 6, k * lane + 18]);
		const area = d3.area().x((it, i) => x(ends[i])).y0(y(0)).y1((it) => y(it));
		svg.append("path").attr("class", "lane " + kind).attr("d", (kind === "cpu" ? area.curve(d3.curveStepBefore) : area)(values));
		svg.append("text").attr("class", "lane").attr("x", left).attr("y", k * lane + 12).text(`${title}, at most ${show(d3.max(values))}`);
	});
	svg.append("g").attr("class", "axis").attr("transform", `translate(0,${lanes.length * lane})`).call(d3.axisBottom(x).ticks(Math.max(2, Math.floor(width / 110))).tickFormat((value) => value + " s"));
	svg.on("mousemove", () => {
		const k = Math.min(rows.length - 1, d3.bisectLeft(ends, x.invert(d3.mouse(svg.node())[0])));
		showTip([element("b", {}, number(ends[k], 2) + " s"), ...lanes.flatMap(([title, , values, show]) => [element("br"), `${title} ${show(values[k])}`]), ...(rows[k][3] > 1 ? [element("br"), `${rows[k][3]} processes`] : [])], d3.event);
	}).on("mouseleave", () => { byId("tip").hidden = true; });
}

/* Where a run's figure lies among those of the good runs on the same machine: [usually, against that, in words]. */
const ODD_SPREADS = 3, ODD_LEAST = 0.01;
function placeOf(series, metric, i) {
	const others = pointsOf(series, metric, {machine: String(series.machine[i]), branch: ""}).filter((it) => !it.odd && it.i !== i), value = metric.values[i];
	if (others.length < LEAST_RUNS)
		return ["–", "–", "too few runs"];
	const usual = median(others.map((it) => it.value)), positive = others.filter((it) => it.value > 0);
	if (!(usual > 0 && value > 0))
		return [shown(usual, metric.name), "–", value === usual ? "usual" : "unusual"];
	const far = Math.log(value / usual) / Math.max(spreadOf(positive), ODD_LEAST);
	return [shown(usual, metric.name), inPercent(value / usual), Math.abs(far) <= ODD_SPREADS ? "usual" : far > 0 ? "unusually high" : "unusually low"];
}

function figuresTable(series, i, rows) {
	const heads = ["Metric", "This run", "Usually", "Against that", "Place"];
	const body = rows.map(({metric, place: [usual, against, word]}) => {
		const error = metric.errors && metric.errors[i] ? " ± " + shown(1.96 * metric.errors[i], metric.name) : "";
		const cells = [["wide-name name", link(metricTitle(metric.name), {page: "trend", series: series.key, metric: metric.name})], ["number", shown(metric.values[i], metric.name) + error],
			["number", usual], ["number soft", against], [word.startsWith("unusual") ? "" : "soft", word]];
		return cardRow(cells.map(([kind, content], k) => [heads[k], kind, content]));
	});
	return element("div", {class: "scroll"}, element("table", {id: "figures", class: "cards"}, element("thead", {}, element("tr", {}, ...heads.map((text, k) => element("th", {class: k && k < 4 ? "number" : ""}, text)))),
		element("tbody", {}, ...body)));
}

function drawRun(box) {
	const found = chosenRun();
	if (!found) {
		box.append(element("p", {class: "soft"}, "There is no run."));
		return () => [["run"]];
	}
	const {series, i} = found, id = series.id[i], commit = commitOf(series, i), more = (board.details || []).find((it) => it.id === id), line = series.id;
	Object.assign(state, {run: id, series: series.key});
	const facts = [["Started", dateText(series.when[i])], ["Commit", commit ? `${commit.hash} ${shorten(commit.subject || "")}` : "unknown"], ["Branch", branchName(series.branch[i])], ["Machine", machineText(series.machine[i])],
		["Build", board.builds[series.build[i]] || "unknown"], ["End", board.states[series.state[i]]], ["Jobs at a time", String(series.jobs[i])], ...(more && more.command ? [["Command", more.command]] : []), ...(more && more.note ? [["Note", more.note]] : []),
		...(more && more.tags && more.tags.length ? [["Tags", more.tags.join(", ")]] : [])];
	const rows = series.metrics.filter((metric) => metric.values[i] !== null && metric.values[i] !== undefined).map((metric) => ({metric, place: placeOf(series, metric, i)}));
	box.append(element("div", {class: "bar"}, element("h2", {class: "grow"}, link(labelOf(series), {page: "trend", series: series.key}), " ", element("code", {}, id.slice(0, 8))),
		element("button", {type: "button", disabled: i === 0, onclick: () => go({run: line[i - 1]})}, "Earlier"), element("button", {type: "button", disabled: i === line.length - 1, onclick: () => go({run: line[i + 1]})}, "Later"),
		element("button", {type: "button", onclick: () => copy("smartprof report --run " + id.slice(0, 12), "Command copied")}, "Copy report command")));
	if (more && more.timeline && more.timeline.length > 1) {
		const plot = element("div", {class: "plot", id: "run-timeline"});
		box.append(plot);
		drawRunTimeline(plot, more.timeline);
	} else {
		box.append(element("p", {class: "soft"}, "This page has no timeline of this run: it carries those of the newest runs and of both sides of change points."));
	}
	box.append(element("div", {class: "columns"}, figuresTable(series, i, rows),
	element("div", {}, element("table", {}, element("tbody", {}, ...facts.map(([key, value]) => element("tr", {}, element("td", {class: "soft"}, key), element("td", {class: "text"}, value)))))),
	...(more && more.functions && more.functions.length ? [element("div", {class: "scroll"}, element("h3", {}, "Functions, self"), element("table", {}, element("tbody", {}, ...more.functions.map(([name, module, unit, self]) => element("tr", {},
		element("td", {class: "name"}, shorten(name)), element("td", {class: "number"}, shown(self, unit)), element("td", {class: "module"}, baseName(module || "")))))))] : [])));
	return () => [["run", "metric", "value", "standard_error"], ...rows.map(({metric}) => [id, metric.name, metric.values[i], metric.errors ? metric.errors[i] ?? "" : ""])];
}
