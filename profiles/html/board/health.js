/* Whether the history is worth its name: how much there is, how it ended, how noisy it is, what it takes. */

function machineText(i) {
	const it = board.machines[i];
	return it ? [it.cpu, it.cores ? number(it.cores, it.cores % 1 ? 1 : 0) + (it.cores === 1 ? " core" : " cores") : "", it.memory ? inUnits(it.memory, SIZE) : "", it.kernel ? "kernel " + it.kernel : "", it.governor, it.id].filter(Boolean).join(", ") : "unknown";
}

/* Runs a day, ended well and not. */
function drawDays(box) {
	const width = box.clientWidth || 900, height = 120, left = 40, days = new Map();
	for (const series of board.series)
		series.when.forEach((when, i) => {
			const day = Math.floor(when / DAY), it = days.get(day) || {day, good: 0, bad: 0};
			it[series.state[i] === 0 ? "good" : "bad"]++;
			days.set(day, it);
		});
	const list = [...days.values()], [first, last] = d3.extent(list, (it) => it.day), most = d3.max(list, (it) => it.good + it.bad);
	const x = d3.scaleTime().domain([new Date(first * DAY * 1000), new Date((last + 1) * DAY * 1000)]).range([left, width - 12]), y = d3.scaleLinear().domain([0, most]).range([height - 24, 8]);
	const svg = d3.select(box).append("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("height", height).attr("role", "img").attr("aria-label", "Runs a day"), thick = Math.max(1, Math.min(24, (width - left) / (last - first + 1) - 1));
	const bars = (from, to) => list.map((it) => `M${number(x(it.day * DAY * 1000), 1)},${number(y(from(it)), 1)}h${number(thick, 1)}V${number(y(to(it)), 1)}h${number(-thick, 1)}z`).join("");
	svg.append("path").attr("class", "days").attr("d", bars(() => 0, (it) => it.good));
	svg.append("path").attr("class", "days failed").attr("d", bars((it) => it.good, (it) => it.good + it.bad));
	svg.append("g").attr("class", "axis").attr("transform", `translate(0,${height - 24})`).call(d3.axisBottom(x).ticks(Math.max(2, Math.floor(width / 110))));
	svg.append("g").attr("class", "axis").attr("transform", `translate(${left},0)`).call(d3.axisLeft(y).ticks(4).tickFormat((value) => value % 1 ? "" : value));
}

/* What a series can tell: the least change that five more runs would show. */
function noiseRows() {
	return overviewRows().filter((row) => row.spread > 0 && comparable(row.points).length >= LEAST_RUNS).map((row) => {
		const count = Math.min(BEFORE, comparable(row.points).length), half = quantile(count + LATEST - 2) * OF_MEDIAN * row.spread * Math.sqrt(1 / count + 1 / LATEST);
		return {...row, count, least: Math.exp(half) - 1};
	}).sort((a, b) => b.least - a.least);
}

/* The first columns are text. */
function plainTable(id, heads, texts, rows) {
	return element("div", {class: "scroll"}, element("table", {id}, element("thead", {}, element("tr", {}, ...heads.map((text, i) => element("th", {class: i < texts ? "" : "number"}, text)))),
		element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell, i) => element("td", {class: i >= texts ? "number" : i ? "text" : "name"}, cell)))))));
}

function drawHealth(box) {
	const health = board.health, days = element("div", {class: "plot"}), noise = noiseRows(), ends = new Map();
	for (const series of board.series)
		for (const it of series.state)
			ends.set(it, (ends.get(it) || 0) + 1);
	const facts = [["History", health.place], ["Runs", `${health.runs}${health.left_out ? `, of which this page has the newest ${health.runs - health.left_out}` : ""}`], ["Database", inUnits(health.bytes, SIZE)],
		["Profiles, logs, timelines", `${health.blobs} of ${inUnits(health.blob_bytes, SIZE)}`], ["Kept for ever", `${health.pinned} runs`], ["How they ended", [...ends].sort((a, b) => b[1] - a[1]).map(([state, count]) => `${board.states[state]} ${count}`).join(", ")],
		...(health.cache ? [["Cache of symbols", `${health.cache.entries} ${health.cache.entries === 1 ? "answer" : "answers"} in ${inUnits(health.cache.bytes, SIZE)}, ${health.cache.place}`]] : []), ["Made", dateText(board.made)]];
	box.append(element("h2", {}, "Runs a day"), days, element("div", {class: "columns"}, element("div", {}, element("h2", {}, "History and caches"), element("table", {id: "health"}, element("tbody", {}, ...facts.map(([key, value]) => element("tr", {},
		element("td", {class: "soft"}, key), element("td", {class: "text"}, value)))))), element("div", {}, element("h2", {}, "Machines"), element("table", {}, element("tbody", {}, ...board.machines.map((it, i) => element("tr", {},
		element("td", {class: "name"}, machineName(i)), element("td", {class: "text soft"}, machineText(i)))))))), element("h2", {class: "apart"}, "Noise"),
	element("p", {class: "soft"}, `What single runs differ by, and the least change that ${LATEST} more runs can tell from chance.`),
	plainTable("noise", ["Command", "Metric", "Machine", "Runs", "One run's spread", "Least change told"], 3, noise.map((row) => [link(labelOf(row.series), {page: "trend", series: row.series.key, metric: row.metric.name}), metricTitle(row.metric.name),
		machineName(row.machine), String(row.count), number(100 * row.spread, 1) + " %", number(100 * row.least, 1) + " %"])));
	if (board.series.length)
		drawDays(days);
	return () => [["command", "metric", "machine", "runs", "spread", "least_change"], ...noise.map((row) => [titleOf(row.series), row.metric.name, machineName(row.machine), row.count, row.spread, row.least])];
}
