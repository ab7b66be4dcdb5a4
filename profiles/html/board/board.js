/* The views, the choices that hold for all of them, keys, the address, CSV, and looking again. */

const PAGES = {__proto__: null, overview: ["Overview", drawOverview], trend: ["Trend", drawTrend], versus: ["Compare", drawVersus], change: ["Changes", drawChange], run: ["Run", drawRun], health: ["Health", drawHealth]};
let csv = null;

/* What is chosen by its place in a list stands in the address by its name, which stays when the history grows. */
const ALL = "*", isPlace = (key) => key === "branch" || key === "machine" || (key === "a" || key === "b") && state.by !== "time";
const namesFor = (key) => key === "machine" || key !== "branch" && state.by === "machine" ? board.machines.map((it) => it.id) : board.branches;

function remember() {
	const parts = new URLSearchParams();
	for (const key of REMEMBERED) {
		const value = isPlace(key) && state[key] !== "" ? namesFor(key)[state[key]] : isPlace(key) ? ALL : state[key];
		if (state[key] !== PLAIN[key] && value !== undefined)
			parts.set(key, value);
	}
	if (asked)
		parts.set("theme", asked);
	putAddress(parts);
}

let asked = null;
function recall() {
	const parts = new URLSearchParams(location.hash.slice(1)), one = (text, list, other) => list.includes(text) ? text : other;
	PLAIN.branch = mainBranch();
	for (const key of REMEMBERED)
		state[key] = !parts.has(key) ? PLAIN[key] : typeof PLAIN[key] === "boolean" ? parts.get(key) === "true" : parts.get(key);
	state.by = one(state.by, ["branch", "machine", "time"], "branch");
	for (const key of REMEMBERED.filter((it) => isPlace(it) && parts.has(it))) {
		const place = namesFor(key).indexOf(state[key]);
		state[key] = place >= 0 ? String(place) : state[key] === ALL ? "" : PLAIN[key];
	}
	state.page = one(state.page, Object.keys(PAGES), "overview");
	state.metric = one(state.metric, ["", ...metricNames()], metricNames().includes(PLAIN.metric) ? PLAIN.metric : metricNames()[0] || "");
	state.since = one(state.since, PERIODS.map((it) => it[0]), "");
	state.order = one(state.order, ["run"], "time");
	asked = one(parts.get("theme"), ["light", "dark"], null);
	theme(asked || [storedTheme()].find((it) => it === "light" || it === "dark"));
}

function drawFilters() {
	const names = metricNames();
	choices("pages", Object.entries(PAGES).map(([key, [title]]) => [key, title]), state.page, (page) => go({page, ...(page === "change" ? {change: ""} : {})}));
	byId("metric").replaceChildren(element("option", {value: ""}, "Every metric"), ...names.map((name) => element("option", {value: name, selected: name === state.metric}, metricTitle(name))));
	byId("metric").hidden = state.page === "run";
	fillSelect("branch", "All branches", board.branches.map((name, i) => [String(i), name || "no branch"]), state.branch);
	fillSelect("machine", "All machines", board.machines.map((it, i) => [String(i), machineName(i)]), state.machine);
	byId("since").replaceChildren(element("option", {value: ""}, "All time"), ...PERIODS.map(([value, title]) => element("option", {value, selected: value === state.since}, "Last " + title)));
	byId("find").hidden = !["overview", "versus"].includes(state.page);
	if (byId("find").value !== state.find)
		byId("find").value = state.find;
}

function drawBoard() {
	const box = byId("view");
	drawFilters();
	box.replaceChildren();
	byId("chart").hidden = true;
	csv = board.series.length ? PAGES[state.page][1](box) : null;
	if (!board.series.length)
		box.append(element("p", {}, "The history is empty: run a command with smartprof monitor or smartprof run, and look again."));
	document.title = `${PAGES[state.page][0]} · smartprof`;
}

/* A cell that a spreadsheet would take for a formula begins with an apostrophe. */
function csvCell(value) {
	const text = String(value ?? ""), plain = typeof value === "string" && /^[=+\-@\t]/.test(text) ? "'" + text : text;
	return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

function saveCsv() {
	if (!csv)
		return;
	const text = csv().map((row) => row.map(csvCell).join(",") + "\r\n").join(""), url = URL.createObjectURL(new Blob([text], {type: "text/csv"}));
	const anchor = element("a", {href: url, download: `smartprof-${state.page}.csv`});
	document.body.append(anchor);
	anchor.click();
	anchor.remove();
	setTimeout(() => URL.revokeObjectURL(url), 10000);
	say("CSV saved");
}

/* A page that is served asks now and then whether there is more, and stays where it is. */
const refresh = Number(document.documentElement.dataset.refresh) || 0;
let next = 0;
async function lookAgain() {
	clearTimeout(next);
	try {
		const answer = await fetch("data.json", {cache: "no-cache"}), text = answer.ok ? await answer.text() : given;
		byId("stale").hidden = answer.ok;
		if (text !== given && !document.hidden) {
			given = text;
			board = decoded(text);
			data = {functions: [], views: []};
			recall();
			drawBoard();
		}
	} catch (error) {
		byId("stale").hidden = false;
	}
	clearTimeout(next);
	next = setTimeout(lookAgain, refresh * 1000);
}

function onKey(event) {
	const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
	if (event.ctrlKey || event.metaKey || event.altKey)
		return;
	if (event.key === "Escape") {
		byId("tip").hidden = true;
		if (typing)
			event.target.blur();
		if (state.find)
			go({find: ""});
		else if (state.page !== "overview" && !typing)
			go({page: "overview"});
	} else if (event.key === "/" && !typing) {
		event.preventDefault();
		if (byId("find").hidden)
			go({page: "overview"});
		byId("find").focus();
	} else if (/^[1-6]$/.test(event.key) && !typing) {
		const page = Object.keys(PAGES)[event.key - 1];
		go({page, ...(page === "change" ? {change: ""} : {})});
	}
}

function begin() {
	recall();
	drawBoard();
}

for (const key of ["metric", "branch", "machine", "since"])
	byId(key).addEventListener("change", (event) => go({[key]: event.target.value}));
byId("find").addEventListener("input", (event) => go({find: event.target.value}));
byId("csv").addEventListener("click", saveCsv);
byId("flame").addEventListener("keydown", flameKey);
byId("reset").addEventListener("click", () => { Object.assign(state, {zoom: [], chosen: -1}); draw(); });
addEventListener("resize", () => { drawBoard(); });
addEventListener("hashchange", begin);
addEventListener("keydown", onKey);
byId("place").textContent = board.health.place;
begin();
if (refresh) {
	next = setTimeout(lookAgain, refresh * 1000);
	document.addEventListener("visibilitychange", () => { if (!document.hidden) lookAgain(); });
}
