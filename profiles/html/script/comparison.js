/* What a comparison says. */

/* A row's function in the view of its metric, where that has it. */
function through(row) {
	const f = data.functions.findIndex((it) => it[NAME] === row.function && it[MODULE] === row.module);
	const view = data.views.find((it) => it.key === row.metric);
	if (f < 0 || !view)
		return shorten(row.function);
	return element("button", {type: "button", onclick: () => {
		show(view.key);
		choose(f);
		byId("chart").scrollIntoView();
	}}, shorten(row.function));
}

function verdictTable(title, rows) {
	const metrics = {cpu: "self time", peak: "peak heap", allocated: "allocated", in_use: "in use"};
	const unit = (row) => ({unit: row.metric === "cpu" ? "nanoseconds" : "bytes"});
	const scale = (row) => row.metric === "cpu" ? 1e9 : 1;
	const body = rows.slice(0, 30).map((row) => element("tr", {},
		element("td", {class: "name"}, through(row), row.was ? ` (was ${row.was})` : ""),
		element("td", {}, metrics[row.metric] || row.metric),
		element("td", {class: "number"}, amount(row.baseline * scale(row), unit(row))),
		element("td", {class: "number"}, amount(row.current * scale(row), unit(row))),
		changeCell([0, row.change * scale(row)], unit(row)),
		element("td", {}, sure(row.evidence)),
		element("td", {class: "place"}, row.file ? row.file + (row.line ? ":" + row.line : "") : ""),
		element("td", {class: "module"}, row.module || "")));
	return element("div", {class: "card"}, element("h2", {}, title), element("div", {class: "scroll"}, element("table", {},
		element("thead", {}, element("tr", {}, ...["Function", "Of", "Baseline", "Current", "Change", "Evidence", "Location", "Module"]
			.map((text, i) => element("th", {class: i > 1 && i < 5 ? "number" : ""}, text)))),
		element("tbody", {}, ...body))));
}

function totalsTable(totals) {
	const names = {cpu: "CPU time", peak: "Peak heap", allocated: "Allocated", wall: "Wall time", in_use: "In use at the end", allocations: "Allocations"};
	const show = (total, value) => total.unit === "seconds" ? amount(value * 1e9, {stacks: "cpu"})
		: total.unit === "bytes" ? amount(value, {stacks: "heap"}) : number(value, 0);
	const body = totals.filter((total) => total.compared).map((total) => {
		const grown = total.ratio > 1, color = sure(total.evidence) ? (grown ? " bad" : " good") : "";
		return element("tr", {}, element("td", {}, names[total.metric] || total.metric),
			element("td", {class: "number"}, show(total, total.baseline)),
			element("td", {class: "number"}, show(total, total.current)),
			element("td", {class: "number" + color}, change(1, total.ratio)),
			element("td", {class: "number"}, `${change(1, total.ratio_low)} to ${change(1, total.ratio_high)}`),
			element("td", {}, sure(total.evidence)));
	});
	return element("div", {class: "card"}, element("h2", {}, "Totals"), element("div", {class: "scroll"}, element("table", {},
		element("thead", {}, element("tr", {}, ...["Total", "Baseline", "Current", "Change", "Interval", "Evidence"]
			.map((text, i) => element("th", {class: i > 0 && i < 5 ? "number" : ""}, text)))),
		element("tbody", {}, ...body))));
}

function drawComparison(box) {
	const c = data.comparison, rows = (what) => c.rows.filter((row) => row.state === what)
		.sort((a, b) => a.metric < b.metric ? 1 : a.metric > b.metric ? -1 : Math.abs(b.change) - Math.abs(a.change));
	const tone = c.verdict === "regression" ? " bad" : c.verdict === "pass" ? " good" : "";
	box.append(element("div", {class: "score"},
		element("div", {class: "value" + tone}, c.score === null ? "–" : number(c.score, c.score % 1 ? 1 : 0), element("span", {class: "grade"}, "of 100, grade " + c.grade)),
		element("p", {}, data.verdict)), ...c.reasons.map((reason) => element("p", {class: "soft"}, reason)), totalsTable(c.totals));
	for (const [what, title] of [["regression", c.verdict === "regression" ? "Regressions" : "Costs more"], ["improvement", "Improvements"], ["shift", "Cost shifts"]])
		if (rows(what).length)
			box.append(verdictTable(title, rows(what)));
}
