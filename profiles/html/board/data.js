/* What the dashboard was given and what it shows. Series are of one command in one environment; their runs are columns, in
 * the order of time. */

/* In the order in which they are shown. */
const METRICS = {__proto__: null, wall_ns: "Wall time", user_ns: "User time", sys_ns: "System time", cpu_ns: "CPU time", peak_rss_bytes: "Peak memory",
	peak_tree_bytes: "Peak memory of all", allocated_bytes: "Allocated", allocations: "Allocations", heap_peak_bytes: "Peak heap", read_bytes: "Read",
	written_bytes: "Written", queue_ns: "Waited for a CPU", throttled_ns: "Throttled", blocked_ns: "Blocked", voluntary_switches: "Voluntary switches", involuntary_switches: "Involuntary switches",
	major_faults: "Major faults", minor_faults: "Minor faults", stdout_bytes: "Output", stderr_bytes: "Errors written", cpu_percent: "CPU use"};
const METRIC_ORDER = Object.keys(METRICS);
const placeOfMetric = (name) => METRIC_ORDER.includes(name) ? METRIC_ORDER.indexOf(name) : METRIC_ORDER.length;
const byMetric = (a, b) => placeOfMetric(a) - placeOfMetric(b) || (a < b ? -1 : 1);

/* A column that is the same all the way is given once. */
const column = (value, count) => Array.isArray(value) ? value : new Array(count).fill(value);

function decoded(text) {
	const made = JSON.parse(text, (key, value) => typeof value === "string" ? visibleText(value) : value);
	for (const series of made.series) {
		let when = 0;
		series.when = series.when.map((step) => when += step);
		for (const name of ["commit", "branch", "machine", "build", "state", "jobs"])
			series[name] = column(series[name], series.when.length);
	}
	for (const series of made.series) {
		series.label = labelAmong(made.series, series);
		for (const it of series.changes || [])
			it.ratio = it.ratio || it.after / it.before;
		series.metrics.sort((a, b) => byMetric(a.name, b.name));
	}
	return made;
}

const titleOf = (series) => baseName(series.program) + (series.arguments ? " " + series.arguments : "");

/* What tells a series from the others. */
function labelAmong(all, series) {
	const twins = all.filter((it) => it !== series && titleOf(it) === titleOf(series));
	return [shorten(titleOf(series)), series.environment && all.some((it) => it.environment !== series.environment) ? series.environment : "",
		twins.some((it) => it.environment === series.environment) ? series.kind + (series.profiled ? ", profiled" : "") : ""].filter(Boolean).join(" · ");
}

let given = byId("data").textContent, board = decoded(given);

/* Of the flame graph, whose scripts are those of a comparison's page: the stacks of a change's two sides. */
const comparing = true, SIDES = 2;
let data = {functions: [], views: []};

const state = {page: "overview", series: "", metric: "wall_ns", branch: "", machine: "", since: "", find: "", order: "time", fit: false,
	calm: true, run: "", change: "", by: "branch", a: "", b: "",
	view: null, layout: "down", query: "", widths: "both", zoom: [], chosen: -1, range: null, thread: null, module: null};

/* Parts of the state that the address holds, with what they are when it says nothing. */
const REMEMBERED = ["page", "series", "metric", "branch", "machine", "since", "find", "order", "fit", "calm", "run", "change", "by", "a", "b"];
const PLAIN = Object.fromEntries(REMEMBERED.map((key) => [key, state[key]]));

/* Runs of several branches are not of one history: what is shown first is the branch that most runs are of. */
const mainBranch = () => {
	const counts = board.branches.map(() => 0);
	for (const series of board.series)
		for (const branch of series.branch)
			counts[branch]++;
	return counts.length > 1 ? String(counts.indexOf(Math.max(...counts))) : "";
};

/* Growth of these is neither good nor bad. */
const NEUTRAL = ["cpu_percent", "stdout_bytes", "stderr_bytes"];

const metricTitle = (name) => METRICS[name] || (name.startsWith("span.") ? name.slice(5).replace(/\.([a-z0-9]+)_(ns|bytes)$/, ", $1") : name.replace(/_(ns|bytes|percent)$/, "").replaceAll("_", " "));
const unitOf = (name) => /_ns$/.test(name) ? "ns" : /_bytes$/.test(name) ? "bytes" : /_percent$/.test(name) ? "percent" : "count";

function shown(value, name) {
	const unit = unitOf(name);
	return value === null || value === undefined || Number.isNaN(value) ? "–" : unit === "ns" ? inUnits(value, TIME) : unit === "bytes" ? inUnits(value, SIZE)
		: unit === "percent" ? number(value, 1) + " %" : value >= 1e6 ? number(value / 1e6, 2) + " M" : number(value, value % 1 ? 1 : 0);
}

const labelOf = (series) => series.label;
const seriesOf = (key) => board.series.find((it) => it.key === key);
const metricOf = (series, name) => series.metrics.find((it) => it.name === name);
const isComparable = (series, i) => series.state[i] === 0 && series.jobs[i] <= 1;
const commitOf = (series, i) => (board.commits[series.commit[i]] || {}).hash ? board.commits[series.commit[i]] : null;
const shortCommit = (commit) => commit ? commit.hash.slice(0, 10) : "–";
const branchName = (i) => board.branches[i] || "no branch";

function machineName(i) {
	const machine = board.machines[i];
	return machine ? machine.name || machine.id : "unknown machine";
}

const pad = (value) => String(value).padStart(2, "0");
function dateText(seconds, short) {
	const at = new Date(seconds * 1000), day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
	return short ? day : `${day} ${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

/* Where a page of the dashboard leads; the address holds it. */
function go(changes) {
	const at = document.activeElement, group = at && at.closest("[id]"), text = at ? at.textContent : "";
	Object.assign(state, changes);
	drawBoard();
	remember();
	if (group && !document.contains(at)) {
		const again = byId(group.id);
		(again && [...again.querySelectorAll("button, select")].find((it) => it.textContent === text) || again && again.matches("button, select, [tabindex]") && again || byId("view")).focus({preventScroll: true});
	}
}

/* A row of a table whose cells stand below each other on a phone: [column, class, content]. */
const cardRow = (cells, calm) => element("tr", {class: calm ? "calm" : ""}, ...cells.map(([title, kind, content]) => {
	const cell = element("td", {class: kind}, content);
	cell.dataset.column = title;
	return cell;
}));

const link = (text, changes, title = "") => element("button", {type: "button", class: "link", title, onclick: () => { go(changes); scrollTo(0, 0); }}, text);
