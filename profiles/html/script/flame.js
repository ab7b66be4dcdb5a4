/* Flame graphs. */

const ROW = 19, LETTER = 6.95, LEAST = 1;
const svg = d3.select("#flame").append("svg").attr("role", "img").attr("preserveAspectRatio", "xMinYMin");
let frames = [], cursor = null;

/* Hues far from each other for modules that hold most, the same in every view. */
const hues = new Map();
function chooseHues() {
	const sizes = new Map();
	for (const view of data.views) {
		const {functions, totals} = sums(view);
		for (const row of functions.values()) {
			const module = data.functions[row.f][MODULE], share = (row.self[0] + row.self[1]) / ((totals[0] + totals[1]) || 1);
			sizes.set(module, (sizes.get(module) || 0) + share);
		}
	}
	[...sizes].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).forEach(([module], i) => hues.set(module, (28 + i * 137.5) % 360));
}

const jitters = new Map();
function jitter(f) {
	if (!jitters.has(f)) {
		let hash = 7;
		for (const letter of data.functions[f][NAME])
			hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
		jitters.set(f, hash % 9 - 4);
	}
	return jitters.get(f);
}

/* How much a frame changed, from 0 to 1, paler where the samples cannot tell. */
function intensity(it) {
	const [a, b] = it.total, delta = Math.abs(b - a);
	const error = Math.hypot(...[0, 1].map((side) => it.samples[side] ? it.total[side] / Math.sqrt(it.samples[side]) : 0));
	const sureness = error > 0 ? Math.min(1, delta / (2 * error)) : 1;
	return Math.min(1, delta / Math.max(a, b)) ** 0.6 * sureness ** 2;
}

function paint(frame, it) {
	frame.classed("plain", false).classed("grew", false).classed("shrank", false).attr("data-wait", isWait(it.f) ? data.functions[it.f][NAME] : null);
	if (isPlain(it.f))
		frame.classed("plain", true);
	else if (comparing)
		frame.classed(it.total[1] >= it.total[0] ? "grew" : "shrank", true).style("--i", number(intensity(it), 3));
	else if (isWait(it.f))
		frame.style("--h", WAITS[data.functions[it.f][NAME]]).style("--j", 0);
	else
		frame.style("--h", number(hues.get(data.functions[it.f][MODULE]) || 0, 0)).style("--j", jitter(it.f));
}

function label(it, width) {
	const name = nameOf(it.f), room = Math.floor((width - 8) / LETTER);
	return room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 1) + "…";
}

/* The frames below `focus` that are wide enough to be seen; y counts rows from its own, downwards or, `up`, upwards. */
function laidOut(focus, width, up) {
	const least = sizeOf(focus.total) * LEAST / width;
	const root = d3.hierarchy(focus, (it) => it.children.filter((child) => sizeOf(child.total) > least))
		.each((it) => { it.value = sizeOf(it.data.total); })
		.sort((a, b) => b.value - a.value || a.data.f - b.data.f);
	d3.partition()(root);
	return root.descendants().map((it) => ({node: it.data, x: it.x0 * width, width: (it.x1 - it.x0) * width, y: up ? -it.depth : it.depth, outer: false}));
}

/* The frame that is zoomed to, or as far as there is a way to it. */
function focusOf(root) {
	let at = root;
	for (const f of state.zoom) {
		const next = at.children.find((child) => child.f === f && sizeOf(child.total) > 0);
		if (!next)
			break;
		at = next;
	}
	return at;
}

function layOut(width) {
	const view = state.view;
	if (state.layout !== "sandwich") {
		const root = (state.layout === "up" ? upTree : downTree)(view), focus = focusOf(root), list = [];
		if (sizeOf(root.total) <= 0)
			return {focus: root, list};
		for (let it = focus.parent; it; it = it.parent)
			list.push({node: it, x: 0, width, y: it.depth, outer: true});
		for (const it of laidOut(focus, width, false))
			list.push({...it, y: it.y + focus.depth});
		return {focus, list};
	}
	const callers = callersOf(view, state.chosen), callees = calleesOf(view, state.chosen);
	if (!callees || sizeOf(callees.total) <= 0)
		return {focus: downTree(view), list: []};
	return {focus: callees, list: [...laidOut(callers, width, true).filter((it) => it.y < 0), ...laidOut(callees, width, false)]};
}

function draw() {
	if (state.layout === "sandwich" && !sums(state.view).functions.has(state.chosen))
		state.chosen = hottest();
	const width = byId("flame").clientWidth || 1000, {focus, list} = layOut(width);
	const first = list.reduce((least, it) => Math.min(least, it.y), 0), last = list.reduce((most, it) => Math.max(most, it.y), 0);
	const total = sizeOf(sums(state.view).totals);
	frames = list;
	cursor = frames.find((it) => cursor && it.node.key === cursor.node.key) || null;
	svg.attr("viewBox", `0 0 ${width} ${(last - first + 1) * ROW}`).attr("height", (last - first + 1) * ROW)
		.attr("data-total", Math.round(total)).attr("data-view", state.view.key).attr("data-layout", state.layout);
	svg.selectAll("g.frame").data(list, (it) => it.node.key)
		.join((enter) => {
			const frame = enter.append("g").attr("class", "frame");
			frame.append("rect").attr("height", ROW).attr("rx", 2);
			frame.append("text").attr("x", 4).attr("y", ROW - 6);
			return frame;
		})
		.attr("transform", (it) => `translate(${it.x},${(it.y - first) * ROW})`)
		.classed("outer", (it) => it.outer)
		.classed("match", (it) => matches.has(it.node.f))
		.classed("chosen", (it) => it.node.f >= 0 && it.node.f === state.chosen)
		.classed("cursor", (it) => it === cursor)
		.each(function (it) {
			const frame = d3.select(this);
			paint(frame, it.node);
			frame.select("rect").attr("width", Math.max(it.width, LEAST));
			frame.select("text").text(label(it.node, it.width));
		})
		.on("click", (it) => pick(it.node))
		.on("mousemove", (it) => tip(it.node, d3.event))
		.on("mouseleave", () => { byId("tip").hidden = true; });
	svg.classed("searching", matches.size > 0 || state.query !== "");
	byId("reset").hidden = !state.zoom.length && !isFiltered();
	byId("reset").textContent = isFiltered() ? "Show everything" : "Reset zoom";
	drawWhere(focus, list);
	drawMatched(focus);
	if (first < 0)
		byId("flame").scrollTop = -first * ROW - byId("flame").clientHeight / 2;
}

const isFiltered = () => state.range !== null || state.thread !== null || state.module !== null;

/* The function with most self time that is one. */
function hottest() {
	const rows = [...sums(state.view).functions.values()].filter((row) => !isPlain(row.f));
	return rows.reduce((best, row) => sizeOf(row.self) > (best ? sizeOf(best.self) : 0) ? row : best, null)?.f ?? -1;
}

function drawWhere(focus, list) {
	const parts = [];
	for (let it = cursor ? cursor.node : focus; it && it.f >= 0; it = it.parent)
		parts.unshift(nameOf(it.f));
	const shown = parts.length > 8 ? [...parts.slice(0, 2), "…", ...parts.slice(-5)] : parts;
	const arrow = state.layout === "up" ? " ← " : " → ";
	byId("where").textContent = !list.length ? "There is nothing of this in the profile."
		: state.layout === "sandwich" && !cursor ? `Callers of ${nameOf(state.chosen)} above, what it calls below: ${describe(focus)}`
			: parts.length ? shown.join(arrow) + ": " + describe(cursor ? cursor.node : focus)
				: state.view.title + ", " + describe(focus);
}

function describe(it) {
	const whole = sums(state.view).totals;
	if (!comparing)
		return amount(it.total[0]) + (it.parent ? ", " + percent(it.total[0], whole[0]) : isTimed(state.view) || state.module !== null ? " of what is chosen" : " in all");
	return `${amount(it.total[0])} became ${amount(it.total[1])} (${signed(it.total[1] - it.total[0])}, ${change(it.total[0], it.total[1])})`;
}

/* What stands in a matching function or is called from one. */
function drawMatched(focus) {
	let sum = 0;
	const todo = [focus];
	while (matches.size && todo.length) {
		const it = todo.pop();
		if (matches.has(it.f))
			sum += sizeOf(it.total);
		else
			todo.push(...it.children);
	}
	byId("matched").textContent = !state.query ? "" : matches.size ? percent(sum, sizeOf(focus.total)) + " matched" : "no match";
}

const wayTo = (node) => node.parent ? [...wayTo(node.parent), node.f] : [];

/* A click on a frame: zooms to it, or in the sandwich makes it the middle. */
function pick(node) {
	byId("tip").hidden = true;
	if (state.layout !== "sandwich")
		state.zoom = wayTo(node);
	choose(node.f < 0 && state.layout === "sandwich" ? state.chosen : node.f);
}

function tip(it, event) {
	const lines = [];
	lines.push(element("b", {}, nameOf(it.f)));
	if (it.f >= 0)
		lines.push(element("br"), element("small", {}, whereabouts(it.f)));
	lines.push(element("br"), describe(it), element("br"));
	lines.push(comparing
		? element("small", {}, `self ${amount(it.self[0])} became ${amount(it.self[1])} · ${number(it.samples[0], 0)} and ${number(it.samples[1], 0)} samples`)
		: element("small", {}, `${state.layout === "down" ? `self ${amount(it.self[0])} · ` : ""}${number(it.samples[0], 0)} samples`));
	showTip(lines, event);
}

/* Arrow keys walk over frames, Enter does what a click does. */
function flameKey(event) {
	const rows = (step) => frames.filter((it) => it.y === cursor.y + step), middle = cursor && cursor.x + cursor.width / 2;
	const nearest = (list) => list.reduce((best, it) => !best || Math.abs(it.x + it.width / 2 - middle) < Math.abs(best.x + best.width / 2 - middle) ? it : best, null);
	const beside = (way) => nearest(rows(0).filter((it) => it !== cursor && (it.x - cursor.x) * way > 0));
	const moves = {
		ArrowUp: () => nearest(rows(-1).filter((it) => it.x <= middle && it.x + it.width >= middle)),
		ArrowDown: () => rows(1).filter((it) => it.x >= cursor.x - 0.01 && it.x < cursor.x + cursor.width).sort((a, b) => b.width - a.width)[0],
		ArrowLeft: () => beside(-1),
		ArrowRight: () => beside(1),
	};
	if (event.key === "Enter" && cursor)
		pick(cursor.node);
	else if (event.key in moves && frames.length)
		moveCursor(cursor ? moves[event.key]() : frames.find((it) => !it.outer && it.y >= 0) || frames[0]);
	else
		return;
	event.preventDefault();
}

function moveCursor(to) {
	if (!to)
		return;
	cursor = to;
	svg.selectAll("g.frame").classed("cursor", (it) => it === cursor).filter((it) => it === cursor).node().scrollIntoView({block: "nearest"});
	drawWhere(cursor.node, frames);
}
