/* The page: stacks become a tree, the tree a flame graph with d3, its functions a table. What is written to the page
 * is text, never markup. */
"use strict";
(() => {

/* Characters that change what is shown without being seen themselves show as their numbers. */
function visibleText(text) {
	const seen = text.replace(/[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, (it) => "\\u" + it.codePointAt(0).toString(16).padStart(4, "0"));
	return seen.length <= 2000 ? seen : seen.slice(0, 1400) + "…" + seen.slice(-500);
}

const data = JSON.parse(document.getElementById("data").textContent, (key, value) =>
	typeof value === "string" ? visibleText(value) : value);
const comparing = data.kind === "compare";
const NAME = 0, MODULE = 1, FILE = 2, LINE = 3, FLAGS = 4, PSEUDO = 1;
const ROW = 19, LETTER = 6.95, LEAST = 0.6, SHOWN = 50;
const PER_SIDE = {cpu: 2, heap: 4};
const byId = (id) => document.getElementById(id);
const state = {view: null, query: "", widths: "both", zoom: null, chosen: -1, all: false, sort: null};
const trees = new Map();

/* --- writing */

function element(tag, properties = {}, ...children) {
	const made = document.createElement(tag);
	for (const [key, value] of Object.entries(properties)) {
		if (key.startsWith("on"))
			made.addEventListener(key.slice(2), value);
		else if (key === "class")
			made.className = value;
		else if (key.startsWith("aria"))
			made.setAttribute("aria-" + key.slice(4).toLowerCase(), value);
		else
			made[key] = value;
	}
	for (const child of children.flat())
		made.append(child);
	return made;
}

const number = (value, digits) => value.toFixed(digits);

function amount(value, view = state.view) {
	const size = Math.abs(value), sign = value < 0 ? "−" : "";
	const steps = view.stacks === "cpu" ? [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]]
		: [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10], ["B", 1]];
	const [unit, scale] = steps.find((step) => size >= step[1]) || steps[steps.length - 1];
	return sign + (scale === 1 ? number(size, 0) : number(size / scale, size / scale < 10 ? 2 : 1)) + " " + unit;
}

const signed = (value, view) => (value > 0 ? "+" : "") + amount(value, view);
const percent = (part, whole) => whole > 0 ? number(100 * part / whole, 1) + " %" : "–";
const change = (from, to) => to === null ? "–" : from > 0 ? (to >= from ? "+" : "−") + number(Math.abs(100 * (to / from - 1)), 1) + " %" : "new";
const sure = (evidence) => evidence && evidence !== "none" ? evidence : "";

function place(f) {
	const parts = data.functions[f];
	return parts[FILE] ? parts[FILE] + (parts[LINE] ? ":" + parts[LINE] : "") : parts[MODULE] || "";
}

/* --- the tree of a view */

function grow(view) {
	const per = PER_SIDE[view.stacks], nodes = [];
	const node = (f, parent) => {
		const made = {f, parent, depth: parent ? parent.depth + 1 : 0, children: [], self: [0, 0], total: [0, 0], samples: [0, 0]};
		nodes.push(made);
		if (parent)
			parent.children.push(made);
		return made;
	};
	const path = [node(-1, null)];
	for (const row of data[view.stacks]) {
		path.length = row[0] + 1;
		for (const f of row[1])
			path.push(node(f, path[path.length - 1]));
		const leaf = path[path.length - 1];
		for (let side = 0; side < (comparing ? 2 : 1); side++) {
			leaf.self[side] += row[2 + side * per + view.value];
			leaf.samples[side] += row[2 + side * per + per - 1];
		}
	}
	for (let i = nodes.length - 1; i >= 0; i--) {
		const it = nodes[i];
		for (let side = 0; side < 2; side++) {
			it.total[side] += it.self[side];
			if (it.parent) {
				it.parent.total[side] += it.total[side];
				it.parent.samples[side] += it.samples[side];
			}
		}
	}
	return {nodes: nodes.filter((it) => !it.parent || it.total[0] + it.total[1] > 0), root: nodes[0]};
}

/* A function counts once a stack. */
function addUp(tree) {
	const rows = new Map(), path = [], open = new Map();
	for (const it of tree.nodes) {
		if (!it.parent)
			continue;
		while (path.length && path[path.length - 1].depth >= it.depth) {
			const left = path.pop();
			open.set(left.f, open.get(left.f) - 1);
		}
		let row = rows.get(it.f);
		if (!row)
			rows.set(it.f, row = {f: it.f, self: [0, 0], total: [0, 0]});
		it.outermost = !open.get(it.f);
		for (let side = 0; side < 2; side++) {
			row.self[side] += it.self[side];
			row.total[side] += it.outermost ? it.total[side] : 0;
		}
		path.push(it);
		open.set(it.f, (open.get(it.f) || 0) + 1);
	}
	return rows;
}

function sizeOf(values) {
	if (!comparing || state.widths === "baseline")
		return values[0];
	return state.widths === "current" ? values[1] : (values[0] + values[1]) / 2;
}

function grown(view) {
	if (!trees.has(view.key)) {
		const tree = grow(view);
		tree.functions = addUp(tree);
		trees.set(view.key, tree);
	}
	return trees.get(view.key);
}

function treeOf(view) {
	const key = view.key + "/" + state.widths, tree = grown(view);
	if (trees.has(key))
		return trees.get(key);
	const root = d3.hierarchy(tree.root, (it) => it.children.filter((child) => sizeOf(child.total) > 0))
		.sum((it) => sizeOf(it.self))
		.sort((a, b) => b.value - a.value || a.data.f - b.data.f);
	d3.partition()(root);
	const made = {root, functions: tree.functions, nodes: tree.nodes, totals: tree.root.total};
	trees.set(key, made);
	return made;
}

/* --- the flame graph */

const svg = d3.select("#flame").append("svg").attr("role", "img").attr("preserveAspectRatio", "xMinYMin");

/* Hues far from each other for modules that hold most, the same in every view. */
const hues = new Map();
function hueOf(f) {
	return hues.get(data.functions[f][MODULE]) || 0;
}
function chooseHues() {
	const sizes = new Map();
	for (const view of data.views)
		for (const row of grown(view).functions.values()) {
			const module = data.functions[row.f][MODULE], total = grown(view).root.total;
			const share = (row.self[0] + row.self[1]) / ((total[0] + total[1]) || 1);
			sizes.set(module, (sizes.get(module) || 0) + share);
		}
	[...sizes].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).forEach(([module], i) => hues.set(module, (28 + i * 137.5) % 360));
}

function jitter(f) {
	let hash = 7;
	for (const letter of data.functions[f][NAME])
		hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
	return hash % 9 - 4;
}

/* How much a frame changed, from 0 to 1, paler where the samples cannot tell. */
function intensity(it) {
	const [a, b] = it.total, delta = Math.abs(b - a);
	const error = Math.hypot(...[0, 1].map((side) => it.samples[side] ? it.total[side] / Math.sqrt(it.samples[side]) : 0));
	const sureness = error > 0 ? Math.min(1, delta / (2 * error)) : 1;
	return Math.min(1, delta / Math.max(a, b)) ** 0.6 * sureness ** 2;
}

function paint(frame, it) {
	frame.classed("plain", false).classed("grew", false).classed("shrank", false);
	if (it.f < 0 || data.functions[it.f][FLAGS] & PSEUDO)
		frame.classed("plain", true);
	else if (comparing)
		frame.classed(it.total[1] >= it.total[0] ? "grew" : "shrank", true).style("--i", number(intensity(it), 3));
	else
		frame.style("--h", number(hueOf(it.f), 0)).style("--j", jitter(it.f));
}

const shorten = (name) => name.length <= 160 ? name : name.slice(0, 110) + "…" + name.slice(-48);
const nameOf = (it) => it.f < 0 ? "all" : shorten(data.functions[it.f][NAME]);

function label(it, width) {
	const name = nameOf(it), room = Math.floor((width - 8) / LETTER);
	return room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 1) + "…";
}

/* Frames wide enough to be seen, below the zoomed one, and what calls that. */
function visible(root, focus, width) {
	const list = [], scale = width / (focus.x1 - focus.x0), todo = [focus];
	for (let it = focus.parent; it; it = it.parent)
		list.push({node: it, x: 0, width, outer: true});
	while (todo.length) {
		const it = todo.pop(), w = (it.x1 - it.x0) * scale;
		if (w < LEAST)
			continue;
		list.push({node: it, x: (it.x0 - focus.x0) * scale, width: w, outer: false});
		for (const child of it.children || [])
			todo.push(child);
	}
	return list;
}

let matches = new Set();

function draw() {
	const tree = treeOf(state.view), width = byId("flame").clientWidth || 1000;
	const focus = state.zoom && state.zoom.value > 0 ? state.zoom : tree.root;
	const list = tree.root.value > 0 ? visible(tree.root, focus, width) : [];
	const rows = list.reduce((most, it) => Math.max(most, it.node.depth), 0) + 1;
	svg.attr("viewBox", `0 0 ${width} ${rows * ROW}`).attr("height", rows * ROW)
		.attr("data-total", tree.root.value).attr("data-view", state.view.key);
	svg.selectAll("g.frame").data(list, (it) => it.node.data.f + "/" + it.node.x0 + "/" + it.node.depth)
		.join((enter) => {
			const frame = enter.append("g").attr("class", "frame");
			frame.append("rect").attr("height", ROW).attr("rx", 2);
			frame.append("text").attr("x", 4).attr("y", ROW - 6);
			return frame;
		})
		.attr("transform", (it) => `translate(${it.x},${it.node.depth * ROW})`)
		.classed("outer", (it) => it.outer)
		.classed("match", (it) => matches.has(it.node.data.f))
		.classed("chosen", (it) => it.node.data.f >= 0 && it.node.data.f === state.chosen)
		.each(function (it) {
			const frame = d3.select(this);
			paint(frame, it.node.data);
			frame.select("rect").attr("width", Math.max(it.width, LEAST));
			frame.select("text").text(label(it.node.data, it.width));
		})
		.on("click", (it) => zoom(it.node))
		.on("mousemove", (it) => tip(it.node.data, d3.event))
		.on("mouseleave", () => { byId("tip").hidden = true; });
	svg.classed("searching", matches.size > 0 || state.query !== "");
	byId("flame").classList.toggle("empty", !list.length);
	byId("reset").hidden = focus === tree.root;
	drawWhere(focus, tree);
	drawMatched(tree, focus);
}

function drawWhere(focus, tree) {
	const parts = [];
	for (let it = focus; it && it.data.f >= 0; it = it.parent)
		parts.unshift(nameOf(it.data));
	const shown = parts.length > 8 ? [...parts.slice(0, 2), "…", ...parts.slice(-5)] : parts;
	byId("where").textContent = !tree.root.value ? "There is nothing of this in the profile."
		: parts.length ? shown.join(" → ") + ": " + describe(focus.data)
		: state.view.title + ", " + describe(tree.root.data);
}

function describe(it) {
	const whole = treeOf(state.view).totals;
	if (!comparing)
		return amount(it.total[0]) + (it.parent ? ", " + percent(it.total[0], whole[0]) : " in all");
	return `${amount(it.total[0])} became ${amount(it.total[1])} (${signed(it.total[1] - it.total[0])}, ${change(it.total[0], it.total[1])})`;
}

/* What stands in a matching function or is called from one. */
function drawMatched(tree, focus) {
	let sum = 0;
	const todo = [focus];
	while (matches.size && todo.length) {
		const it = todo.pop();
		if (matches.has(it.data.f))
			sum += it.value;
		else
			for (const child of it.children || [])
				todo.push(child);
	}
	byId("matched").textContent = !state.query ? "" : matches.size ? percent(sum, focus.value) + " matched" : "no match";
}

function zoom(node) {
	state.zoom = node.parent ? node : null;
	byId("tip").hidden = true;
	choose(node.data.f);
}

function tip(it, event) {
	const box = byId("tip"), lines = [];
	lines.push(element("b", {}, nameOf(it)));
	if (it.f >= 0)
		lines.push(element("br"), element("small", {}, [place(it.f), data.functions[it.f][FILE] ? data.functions[it.f][MODULE] : ""].filter(Boolean).join(" · ")));
	lines.push(element("br"), describe(it));
	if (!comparing)
		lines.push(element("br"), element("small", {}, `self ${amount(it.self[0])} · ${it.samples[0]} samples`));
	else
		lines.push(element("br"), element("small", {}, `self ${amount(it.self[0])} became ${amount(it.self[1])} · ${it.samples[0]} and ${it.samples[1]} samples`));
	box.replaceChildren(...lines);
	box.hidden = false;
	const room = box.getBoundingClientRect();
	box.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - room.width - 8)) + "px";
	box.style.top = (event.clientY + 18 + room.height > innerHeight ? event.clientY - room.height - 10 : event.clientY + 18) + "px";
}

/* --- the chosen function */

function choose(f) {
	state.chosen = f === state.chosen && !state.zoom ? -1 : f;
	draw();
	drawDetails();
	drawTable();
	remember();
}

function neighbours(f) {
	const callers = new Map(), callees = new Map();
	const add = (map, key, values) => {
		const sum = map.get(key) || [0, 0];
		map.set(key, [sum[0] + values[0], sum[1] + values[1]]);
	};
	for (const it of treeOf(state.view).nodes) {
		if (it.f === f && it.outermost)
			add(callers, it.parent.f, it.total);
		if (it.parent && it.parent.f === f && it.f !== f && it.outermost)
			add(callees, it.f, it.total);
	}
	return [callers, callees];
}

function neighbourTable(title, map) {
	const rows = [...map].filter(([f]) => f >= 0).sort((a, b) => sizeOf(b[1]) - sizeOf(a[1])).slice(0, 12);
	const body = rows.map(([f, values]) => element("tr", {},
		element("td", {class: "number"}, amount(comparing ? values[1] : values[0])),
		...(comparing ? [changeCell(values)] : []),
		element("td", {class: "name"}, button(f))));
	return element("div", {}, element("h3", {}, title),
		rows.length ? element("table", {}, element("tbody", {}, ...body)) : element("p", {class: "soft"}, "none"));
}

function changeCell(values, view) {
	const delta = values[1] - values[0];
	return element("td", {class: "number " + (delta > 0 ? "bad" : delta < 0 ? "good" : "")}, delta ? signed(delta, view) : "0");
}

const button = (f) => element("button", {type: "button", onclick: () => { state.zoom = null; choose(f); }}, shorten(data.functions[f][NAME]));

function drawDetails() {
	const box = byId("details"), f = state.chosen, row = f >= 0 && treeOf(state.view).functions.get(f);
	box.hidden = !row;
	if (!row)
		return;
	const [callers, callees] = neighbours(f), whole = treeOf(state.view).totals;
	const line = comparing
		? `self ${amount(row.self[0])} became ${amount(row.self[1])}, total ${amount(row.total[0])} became ${amount(row.total[1])}`
		: `self ${amount(row.self[0])} (${percent(row.self[0], whole[0])}), total ${amount(row.total[0])} (${percent(row.total[0], whole[0])})`;
	box.replaceChildren(element("h2", {}, nameOf({f})),
		element("div", {class: "soft"}, [place(f), data.functions[f][FILE] ? data.functions[f][MODULE] : ""].filter(Boolean).join(" · ")),
		element("div", {}, line),
		element("div", {class: "columns"}, neighbourTable("Called by", callers), neighbourTable("Calls", callees)));
}

/* --- the table */

function columns() {
	const whole = treeOf(state.view).totals, errors = data.errors && data.errors[state.view.key];
	if (comparing)
		return [
			["Self change", (row) => row.self[1] - row.self[0], (row) => changeCell(row.self)],
			["Baseline", (row) => row.self[0], (row) => amount(row.self[0])],
			["Current", (row) => row.self[1], (row) => amount(row.self[1])],
			["Total change", (row) => row.total[1] - row.total[0], (row) => changeCell(row.total)],
			["Total now", (row) => row.total[1], (row) => amount(row.total[1])],
		];
	const list = [
		["Self %", (row) => row.self[0], (row) => percent(row.self[0], whole[0])],
		["Self", (row) => row.self[0], (row) => amount(row.self[0])],
		["Total %", (row) => row.total[0], (row) => percent(row.total[0], whole[0])],
		["Total", (row) => row.total[0], (row) => amount(row.total[0])],
	];
	if (errors)
		list.splice(2, 0, ["± of self", (row) => errors[row.f], (row) => {
			const error = errors[row.f];
			return !error || !row.self[0] ? "" : error >= row.self[0] ? "rough" : amount(error);
		}]);
	return list;
}

function drawTable() {
	const list = columns(), table = byId("table");
	const sort = state.sort !== null && list[state.sort] ? list[state.sort][1] : comparing ? (row) => Math.abs(row.self[1] - row.self[0]) : list[0][1];
	const rows = [...treeOf(state.view).functions.values()].filter((row) => !state.query || matches.has(row.f))
		.sort((a, b) => sort(b) - sort(a) || b.total[0] + b.total[1] - a.total[0] - a.total[1] || a.f - b.f);
	const head = element("tr", {}, ...list.map(([title], i) => {
		const cell = element("th", {class: "number"}, element("button", {type: "button", onclick: () => { state.sort = i; drawTable(); }}, title));
		if (i === state.sort)
			cell.setAttribute("aria-sort", "descending");
		return cell;
	}), element("th", {}, "Function"), element("th", {}, "Location"), element("th", {}, "Module"));
	const shown = state.all ? rows : rows.slice(0, SHOWN);
	table.replaceChildren(element("thead", {}, head), element("tbody", {}, shown.map((row) => element("tr", {class: row.f === state.chosen ? "chosen" : ""},
		...list.map(([, , show]) => {
			const value = show(row);
			return value instanceof Node ? value : element("td", {class: "number"}, value);
		}),
		element("td", {class: "name"}, button(row.f)),
		element("td", {class: "place"}, data.functions[row.f][FILE] ? place(row.f) : ""),
		element("td", {class: "module"}, (data.functions[row.f][MODULE] || "").split("/").pop())))));
	byId("more").hidden = shown.length === rows.length;
	byId("more").textContent = `Show all ${rows.length} functions`;
}

/* --- what stands above and below */

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
	const unit = (row) => ({stacks: row.metric === "cpu" ? "cpu" : "heap"});
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

function drawSummary() {
	byId("title").textContent = (comparing ? "Comparison of " : "Profile of ") + (data.program || "a program");
	if (comparing)
		drawComparison(byId("summary"));
	else
		byId("summary").append(element("p", {}, data.verdict || ""));
	const rows = comparing
		? [...data.comparison.warnings.map((text) => ["warning", text]), ...data.comparison.not_compared.map((text) => ["not compared", text]),
			...data.comparison.baseline.map((text) => ["baseline", text]), ...data.comparison.current.map((text) => ["current", text])]
		: data.facts;
	byId("facts").append(element("details", {open: comparing && data.comparison.warnings.length > 0},
		element("summary", {}, comparing ? "Inputs" : "About this run"),
		element("table", {}, element("tbody", {}, rows.map(([key, value]) => element("tr", {},
			element("td", {class: "soft"}, key), element("td", {class: "name"}, value)))))));
}

function drawLegend() {
	const box = byId("legend");
	if (comparing) {
		const scale = [-1, -0.6, -0.3, 0, 0.3, 0.6, 1].map((value) => {
			const mark = element("i", {class: "scale " + (value < 0 ? "shrank" : "grew")});
			mark.style.setProperty("--i", Math.abs(value));
			return mark;
		});
		box.replaceChildren(element("span", {}, "cheaper now "), element("span", {}, ...scale), element("span", {}, " dearer now"),
			element("span", {}, "paler: a small change, or one that the samples cannot tell from chance"), element("span", {}, "values are means of the runs"));
		return;
	}
	const sums = new Map(), whole = treeOf(state.view).totals[0];
	for (const row of treeOf(state.view).functions.values())
		if (!(data.functions[row.f][FLAGS] & PSEUDO))
			sums.set(data.functions[row.f][MODULE], (sums.get(data.functions[row.f][MODULE]) || 0) + row.self[0]);
	box.replaceChildren(...[...sums].filter(([, sum]) => sum > 0).sort((a, b) => b[1] - a[1]).slice(0, 8).map(([module, sum]) => {
		const mark = element("i");
		mark.style.setProperty("--h", number(hues.get(module) || 0, 0));
		return element("span", {title: module}, mark, (module.split("/").pop() || module) + " " + percent(sum, whole));
	}));
}

/* --- controls */

function choices(id, items, current, pick) {
	byId(id).replaceChildren(...items.map(([key, title]) => element("button", {type: "button", onclick: () => pick(key), ariaPressed: String(key === current)}, title)));
}

function show(key) {
	state.view = data.views.find((view) => view.key === key) || state.view;
	state.zoom = null;
	redraw();
}

function redraw() {
	choices("views", data.views.map((view) => [view.key, view.title]), state.view.key, show);
	byId("widths").hidden = !comparing;
	choices("widths", [["both", "Both"], ["baseline", "Baseline"], ["current", "Current"]], state.widths, (key) => {
		state.widths = key;
		state.zoom = null;
		redraw();
	});
	search(state.query);
	drawLegend();
	drawDetails();
}

function search(query) {
	let test;
	state.query = query;
	try {
		const regex = new RegExp(query, "i");
		test = (text) => regex.test(text);
	} catch (error) {
		test = (text) => text.toLowerCase().includes(query.toLowerCase());
	}
	matches = new Set();
	if (query)
		data.functions.forEach((f, i) => {
			if (test(f[NAME]) || test(f[FILE] || "") || test(f[MODULE] || ""))
				matches.add(i);
		});
	draw();
	drawTable();
	remember();
}

function theme(name) {
	const dark = name ? name === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
	if (name)
		document.documentElement.dataset.theme = name;
	byId("theme").textContent = dark ? "Light" : "Dark";
	return dark;
}

/* The part of the address after # holds what is shown, so that it can be passed on. */
function remember() {
	const parts = new URLSearchParams();
	parts.set("view", state.view.key);
	if (state.query)
		parts.set("search", state.query);
	if (comparing && state.widths !== "both")
		parts.set("widths", state.widths);
	if (document.documentElement.dataset.theme)
		parts.set("theme", document.documentElement.dataset.theme);
	try {
		history.replaceState(null, "", "#" + parts);
	} catch (error) {
		/* some browsers do not allow it for files: then the address stays as it is */
	}
}

function recall() {
	const parts = new URLSearchParams(location.hash.slice(1)), known = (key, all) => all.includes(parts.get(key)) ? parts.get(key) : null;
	state.view = data.views.find((view) => view.key === (parts.get("view") || data.view)) || data.views[0];
	state.query = parts.get("search") || "";
	state.widths = known("widths", ["baseline", "current"]) || "both";
	theme(known("theme", ["light", "dark"]));
}

recall();
drawSummary();
if (!state.view) {
	byId("chart").hidden = byId("functions").hidden = true;
} else {
	chooseHues();
	byId("search").value = state.query;
	redraw();
}
byId("search").addEventListener("input", (event) => search(event.target.value));
byId("reset").addEventListener("click", () => { state.zoom = null; choose(-1); });
byId("more").addEventListener("click", () => { state.all = true; drawTable(); });
byId("theme").addEventListener("click", () => {
	theme(theme(document.documentElement.dataset.theme) ? "light" : "dark");
	remember();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme(document.documentElement.dataset.theme));
addEventListener("resize", () => { if (state.view) draw(); });
addEventListener("keydown", (event) => {
	if (event.key === "Escape" && state.view) {
		state.zoom = null;
		byId("search").value = "";
		search("");
		choose(-1);
	} else if (event.key === "/" && event.target !== byId("search")) {
		event.preventDefault();
		byId("search").focus();
	}
});
})();
