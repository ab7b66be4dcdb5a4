/* Controls, keys, and what the page's address remembers. */

function show(key) {
	state.view = data.views.find((view) => view.key === key) || state.view;
	state.zoom = [];
	redraw();
}

function setLayout(layout) {
	state.layout = layout;
	state.zoom = [];
	cursor = null;
	redraw();
}

/* Another part of the run is shown. */
function filtered() {
	kept.clear();
	redraw();
}

function drawFilters() {
	const view = state.view, modules = new Map();
	for (const {path, values} of rowsOf(view.stacks))
		for (const module of new Set(path.map((f) => data.functions[f][MODULE])))
			modules.set(module, (modules.get(module) || 0) + values[2 + view.value]);
	const list = [...modules].filter(([module]) => module).sort((a, b) => b[1] - a[1]).map(([module]) => [module, "through " + baseName(module)]);
	const threads = (data.samples ? data.threads : []).filter((it) => it[4] > 0)
		.map(([tid, name, start, ns]) => [String(tid), `${tid ? name : "short threads"}${tid ? " " + tid : ""}${start ? ", " + shorten(start) : ""}: ${inUnits(ns, TIME)}`]);
	fillSelect("module", "All modules", list, state.module);
	fillSelect("thread", "All threads", threads, state.thread === null ? null : String(state.thread));
	byId("thread").disabled = view.stacks !== "cpu";
}

function redraw() {
	choices("views", data.views.map((view) => [view.key, view.title]), state.view.key, show);
	choices("layouts", [["down", "Top-down"], ["up", "Bottom-up"], ["sandwich", "Sandwich"]], state.layout, setLayout);
	byId("widths").hidden = !comparing;
	choices("widths", [["both", "Both"], ["baseline", "Baseline"], ["current", "Current"]], state.widths, (key) => {
		state.widths = key;
		state.zoom = [];
		redraw();
	});
	drawFilters();
	drawTimeline();
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

function reset() {
	const was = isFiltered();
	Object.assign(state, {zoom: [], chosen: state.layout === "sandwich" ? state.chosen : -1, range: null, thread: null, module: null});
	cursor = null;
	if (was)
		filtered();
	else
		redraw();
}

/* The part of the address after # holds what is shown, so that it can be passed on. */
function remember() {
	const parts = new URLSearchParams({view: state.view.key});
	const put = (key, value, wanted) => wanted && parts.set(key, value);
	put("layout", state.layout, state.layout !== "down");
	put("search", state.query, state.query);
	put("widths", state.widths, comparing && state.widths !== "both");
	put("zoom", state.zoom.join("."), state.zoom.length);
	put("function", state.chosen, state.chosen >= 0);
	put("time", (state.range || []).join("-"), state.range);
	put("thread", state.thread, state.thread !== null);
	put("module", state.module, state.module !== null);
	putAddress(parts);
}

function recall() {
	const parts = new URLSearchParams(location.hash.slice(1)), known = (key, all) => all.includes(parts.get(key)) ? parts.get(key) : null;
	const numbers = (key, split) => /^[0-9]+([.-][0-9]+)*$/.test(parts.get(key) || "") ? parts.get(key).split(split).map(Number) : [];
	const isFunction = (f) => f < data.functions.length;
	state.view = data.views.find((view) => view.key === (parts.get("view") || data.view)) || data.views[0];
	state.layout = known("layout", ["up", "sandwich"]) || "down";
	state.query = parts.get("search") || "";
	state.widths = known("widths", ["baseline", "current"]) || "both";
	state.zoom = numbers("zoom", ".").filter(isFunction);
	state.chosen = numbers("function", ".").filter(isFunction)[0] ?? -1;
	const [first, last] = numbers("time", "-");
	state.range = hasTimeline() && first <= last && last < data.slices.length ? [first, last] : null;
	state.thread = numbers("thread", ".").find((tid) => (data.samples ? data.threads : []).some((it) => it[0] === tid)) ?? null;
	state.module = data.functions.some((f) => f[MODULE] === parts.get("module")) ? parts.get("module") : null;
	theme(known("theme", ["light", "dark"]) || [storedTheme()].find((it) => it === "light" || it === "dark"));
}

function start() {
	recall();
	kept.clear();
	if (!state.view) {
		byId("chart").hidden = byId("functions").hidden = byId("timeline").hidden = true;
		return;
	}
	byId("search").value = state.query;
	redraw();
}

function onKey(event) {
	if (event.key === "Escape" && state.view) {
		byId("search").value = state.query = "";
		reset();
	} else if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
		event.preventDefault();
		byId("search").focus();
	} else if (event.key === "Backspace" && event.target === byId("flame") && state.zoom.length) {
		state.zoom.pop();
		choose(state.zoom.length ? state.zoom[state.zoom.length - 1] : -1);
	}
}

state.view = data.views[0];
if (state.view)
	chooseHues();
drawSummary();
start();
byId("search").addEventListener("input", (event) => search(event.target.value));
byId("reset").addEventListener("click", reset);
byId("more").addEventListener("click", () => { state.all = true; drawTable(); });
byId("thread").addEventListener("change", (event) => { state.thread = event.target.value === "" ? null : Number(event.target.value); filtered(); });
byId("module").addEventListener("change", (event) => { state.module = event.target.value || null; filtered(); });
byId("flame").addEventListener("keydown", flameKey);
byId("timeline").addEventListener("keydown", timelineKey);
addEventListener("resize", () => { if (state.view) { draw(); drawTimeline(); } });
addEventListener("hashchange", start);
addEventListener("keydown", onKey);
