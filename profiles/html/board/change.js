/* One change point: the commits between, the functions that differ, and the flame graph of both sides. */

function chosenChange() {
	const [id, ...rest] = state.change.split("."), metric = rest.join(".");
	for (const series of board.series) {
		const it = (series.changes || []).find((each) => each.metric === metric && series.id[each.at] === id);
		if (it)
			return {series, it};
	}
	return null;
}

function commitsTable(list) {
	return element("div", {class: "scroll"}, element("table", {}, element("tbody", {}, ...list.map((i) => board.commits[i]).filter(Boolean).map((commit) => element("tr", {},
		element("td", {class: "name"}, shortCommit(commit)), element("td", {class: "text"}, shorten(commit.subject || "")), element("td", {class: "soft"}, commit.author || ""),
		element("td", {class: "soft"}, commit.when ? dateText(commit.when, true) : ""))))));
}

/* [name, module, unit, before, after, sure] */
function causesTable(list) {
	return element("div", {class: "scroll"}, element("table", {id: "causes"}, element("thead", {}, element("tr", {}, ...["Function", "Before", "After", "Change", "Evidence", "Module"].map((text, i) => element("th", {class: i > 0 && i < 4 ? "number" : ""}, text)))),
		element("tbody", {}, ...list.map(([name, module, unit, before, after, certain]) => element("tr", {class: certain ? "" : "calm"}, element("td", {class: "name"}, shorten(name)), element("td", {class: "number"}, shown(before, unit)),
			element("td", {class: "number"}, shown(after, unit)), element("td", {class: "number " + (!certain ? "soft" : after > before ? "bad" : "good")}, (after > before ? "+" : "−") + shown(Math.abs(after - before), unit)),
			element("td", {class: certain ? "" : "soft"}, certain ? "sure" : "may be chance"), element("td", {class: "module"}, baseName(module || "")))))));
}

/* What did not change tells as much. */
function sameness(series, it) {
	const before = it.until ?? it.at - 1, build = board.builds[series.build[it.at]], commit = commitOf(series, it.at), said = [];
	if (build && series.build[before] === series.build[it.at])
		said.push("The program is the same build before and after: the machine, the input or a library changed.");
	if (commit && commitOf(series, before) === commit)
		said.push("The commit is the same: what changed was not committed.");
	return said.map((text) => element("p", {class: "same"}, text));
}

/* The flame graph's own scripts ask for these. */
function choose(f) {
	state.chosen = f === state.chosen && !state.zoom.length ? -1 : f;
	draw();
}

function drawFlame(index) {
	const flame = board.flames[index ?? -1], before = data;
	byId("chart").hidden = !flame || !flame.views.length;
	if (byId("chart").hidden)
		return;
	data = flame;
	if (data !== before) {
		stackRows.clear();
		kept.clear();
		Object.assign(state, {zoom: [], chosen: -1});
	}
	state.view = data.views.find((view) => state.view && view.key === state.view.key) || data.views[0];
	const redraw = (changes) => {
		Object.assign(state, {zoom: [], chosen: -1}, changes);
		drawFlame(index);
	};
	choices("views", data.views.map((view) => [view.key, view.title]), state.view.key, (key) => redraw({view: data.views.find((view) => view.key === key)}));
	choices("layouts", [["down", "Top-down"], ["up", "Bottom-up"]], state.layout, (layout) => redraw({layout}));
	choices("widths", [["both", "Both"], ["baseline", "Before"], ["current", "After"]], state.widths, (widths) => redraw({widths}));
	draw();
}

function drawChange(box) {
	const found = chosenChange();
	if (!found) {
		const all = board.series.map((series) => [series, changesOf(series)]).filter(([, list]) => list.length);
		box.append(element("p", {class: "soft"}, all.length ? "Change points of all commands:" : "No change point within what is chosen."),
			...all.flatMap(([series, list]) => [element("h2", {class: "apart"}, link(labelOf(series), {page: "trend", series: series.key})), changesTable(series, list.length ? "" : "-")]));
		return () => [["command", "metric", "when", "commit", "before", "after", "suspected"], ...all.flatMap(([series, list]) => list.map((it) => [titleOf(series), it.metric, new Date(series.when[it.at] * 1000).toISOString(),
			(commitOf(series, it.at) || {hash: ""}).hash, it.before, it.after, it.suspected]))];
	}
	const {series, it} = found, chart = element("div", {class: "plot", id: "around"}), metric = metricOf(series, it.metric);
	box.append(element("h2", {}, link(labelOf(series), {page: "trend", series: series.key, metric: it.metric})), element("p", {}, changeText(series, it)),
		element("p", {class: "soft"}, `${branchName(series.branch[it.at])}, ${machineName(it.machine)}; 99 % interval ${it.low ? `${inPercent(it.low)} to ${inPercent(it.high)}` : "unknown"}`
			+ (it.chance !== null && it.chance !== undefined ? `; by chance in ${it.chance < 0.001 ? "less than 1 of 1000" : number(100 * it.chance, 1) + " of 100"} histories` : "")),
		element("p", {class: "soft", id: "place-of-change"}, placeText(series, it)), chart,
		element("div", {class: "where", id: "reading"}, ""), ...sameness(series, it), element("h2", {}, "Commits between"),
		it.commits && it.commits.length ? commitsTable(it.commits) : element("p", {class: "soft"}, "None is known here."),
		element("h2", {class: "apart"}, "Functions that differ"), it.causes && it.causes.length ? causesTable(it.causes)
			: element("p", {class: "soft"}, it.causes ? "None: the profiles before and after are alike." : "No profiles on both sides: smartprof monitor --profile keeps them, and then functions are named."));
	const made = metric && trendChart(chart, series, metric, {height: 220});
	if (made)
		followRuns(chart, series, metric, made);
	drawFlame(it.flame);
	return () => [["function", "module", "metric", "before", "after", "sure"], ...(it.causes || [])];
}
