/* Lines over time. Points of a line are one path, so that thousands draw quickly. */

const LINES = 6; /* that can be told apart: class line0 to line5 */
const DAY = 86400;

/* Ticks in the unit that the largest value has, so that they are round in it. */
function scaleOf(name, most) {
	const unit = unitOf(name), steps = unit === "ns" ? TIME : unit === "bytes" ? SIZE : [["", 1]];
	const [text, scale] = steps.find((step) => most >= step[1]) || steps[steps.length - 1];
	return {scale, text: unit === "percent" ? " %" : text ? " " + text : ""};
}

const dots = (points, x, y) => points.map((it) => `M${number(x(it), 1)},${number(y(it.value), 1)}h0`).join("");
const crosses = (points, x, y) => points.map((it) => `M${number(x(it) - 3, 1)},${number(y - 3, 1)}l6,6m-6,0l6,-6`).join("");

function sparkline(points, row) {
	const width = 150, height = 28, usable = comparable(points), svg = d3.create("svg").attr("class", "spark").attr("viewBox", `0 0 ${width} ${height}`)
		.attr("role", "img").attr("aria-label", sparkText(usable, row.metric.name));
	if (usable.length < 2)
		return svg.node();
	const x = d3.scaleLinear().domain([0, usable.length - 1]).range([4, width - 5]), values = usable.map((it) => it.value);
	const low = d3.min(values), high = d3.max(values), middle = median(values), room = Math.max(high - low, 0.04 * middle);
	const y = d3.scaleLinear().domain([(low + high - room) / 2, (low + high + room) / 2]).range([height - 4, 4]);
	const first = usable.length - row.now.length, band = row.before.length > 1 ? summary(row.before, row.spread * Math.sqrt(row.before.length) / OF_MEDIAN) : null;
	if (band)
		svg.append("rect").attr("class", "usual").attr("x", 0).attr("width", width).attr("y", Math.max(0, y(band.high))).attr("height", Math.max(1, Math.min(height, y(band.low)) - Math.max(0, y(band.high))));
	svg.append("path").attr("class", "thread").attr("d", d3.line().x((it, i) => x(i)).y((it) => y(it.value))(usable));
	svg.append("path").attr("class", "dots last").attr("d", usable.slice(first).map((it, i) => `M${number(x(first + i), 1)},${number(y(it.value), 1)}h0`).join(""));
	return svg.node();
}

function sparkText(points, name) {
	const values = points.map((it) => it.value);
	return points.length ? `${points.length} runs from ${shown(d3.min(values), name)} to ${shown(d3.max(values), name)}` : "no run that can be compared";
}

/* Where a point stands: at its time, or at its place among all that are shown. */
function across(points, width) {
	if (state.order === "run") {
		const places = new Map(points.map((it, k) => [it.i, k])), x = d3.scaleLinear().domain([0, Math.max(1, points.length - 1)]).range([0, width]);
		const [first, last] = d3.extent(points, (it) => it.when), label = (k) => !points[k] ? "" : last - first < DAY ? dateText(points[k].when).slice(-5) : dateText(points[k].when, true);
		return {x: (it) => x(places.get(it.i)), axis: d3.axisBottom(x).ticks(Math.max(2, Math.min(points.length - 1, Math.floor(width / 110)))).tickFormat((k) => k % 1 ? "" : label(k))};
	}
	let [first, last] = d3.extent(points, (it) => it.when);
	if (last - first < 1)
		[first, last] = [first - DAY / 2, last + DAY / 2];
	const x = d3.scaleTime().domain([new Date(first * 1000), new Date(last * 1000)]).range([0, width]);
	return {x: (it) => x(it.when * 1000), axis: d3.axisBottom(x).ticks(Math.max(2, Math.floor(width / 110)))};
}

/* The band is what 95 of 100 repetitions of the same run would show; only points that know their error have one. */
const bandLow = (it) => Math.max(0, it.value - 1.96 * it.error), bandHigh = (it) => it.value + 1.96 * it.error;

function upright(points, name, height) {
	const usable = points.filter((it) => !it.odd), all = usable.length ? usable : points;
	const high = d3.max(all, (it) => it.error === null ? it.value : bandHigh(it)), low = d3.min(all, (it) => it.error === null ? it.value : bandLow(it));
	const room = Math.max((high - low) * 0.08, high * 0.005), {scale, text} = scaleOf(name, high);
	const y = d3.scaleLinear().domain([state.fit ? Math.max(0, low - room) / scale : 0, (high + room) / scale || 1]).range([height, 0]);
	return {y: (value) => y(value / scale), axis: d3.axisLeft(y).ticks(Math.max(2, Math.floor(height / 45))).tickFormat((value) => `${+value.toPrecision(6)}${text}`)};
}

/* A chart of one metric of a series; small: an overview of it, without marks. Returns what a cursor needs. */
function trendChart(box, series, metric, {height, small, width = box.clientWidth || 900}) {
	const points = pointsOf(series, metric), left = small ? 62 : 74, inner = {width: Math.max(80, width - left - 14), height: height - 44};
	box.replaceChildren();
	if (!points.length) {
		box.append(element("p", {class: "soft"}, "No run within what is chosen has this."));
		return null;
	}
	const lines = linesOf(points, ["machine", "branch"]).map((line, k) => ({points: line, k: Math.min(k, LINES - 1)}));
	const {x, axis} = across(points, inner.width), {y, axis: beside} = upright(points, metric.name, inner.height);
	const svg = d3.select(box).append("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("height", height).attr("role", small ? "img" : "group")
		.attr("aria-label", `${metricTitle(metric.name)} of ${labelOf(series)}, ${sparkText(comparable(points), metric.name)}`).attr("data-points", points.length);
	const chart = svg.append("g").attr("transform", `translate(${left},18)`);
	chart.append("g").attr("class", "axis grid").call(beside.tickSize(-inner.width)).select(".domain").remove();
	chart.append("g").attr("class", "axis").attr("transform", `translate(0,${inner.height})`).call(axis);
	for (const {points: line, k} of [...lines].reverse())
		drawLine(chart, line, k, x, y, inner.height);
	const baselines = small ? [] : baselinesOf(series, points);
	drawBaselines(chart, baselines, metric, x, y, inner);
	if (!small)
		drawChanges(chart, series, metric, points, x, y, inner);
	return {svg, chart, points, x, y, inner, lines, baselines, reached: !small && !chart.selectAll(".reach").empty()};
}

function drawLine(chart, line, k, x, y, height) {
	const good = line.filter((it) => !it.odd), group = chart.append("g").attr("class", "series line" + k);
	const area = d3.area().defined((it) => it.error !== null).x(x).y0((it) => Math.min(height, y(bandLow(it)))).y1((it) => y(bandHigh(it)));
	group.append("path").attr("class", "band").attr("d", area(good));
	group.append("path").attr("class", "thread").attr("d", d3.line().x(x).y((it) => y(it.value))(good));
	group.append("path").attr("class", "dots").attr("d", dots(good, x, y));
	group.append("path").attr("class", "odd").attr("d", crosses(line.filter((it) => it.odd), x, height - 6));
}

/* Between which runs a change is, with confidence. */
function drawReach(chart, it, at, x, inner) {
	const [before, after] = (it.place || []).map((i) => at.get(i));
	if (!before || !after)
		return;
	const ends = [x(before), x(after)].sort((a, b) => a - b);
	chart.insert("rect", ".series").attr("class", "reach").attr("x", ends[0]).attr("width", Math.max(1, ends[1] - ends[0])).attr("height", inner.height);
}

/* Change points: where, and the medians on both sides as far as the next ones. */
function drawChanges(chart, series, metric, points, x, y, inner) {
	const at = new Map(points.map((it) => [it.i, it]));
	let labelled = -Infinity;
	for (const it of changesOf(series, metric.name)) {
		const point = at.get(it.at);
		if (!point)
			continue;
		const mark = chart.append("g").attr("class", "change " + (it.suspected ? "suspected" : it.after > it.before ? "grew" : "shrank"))
			.attr("role", "button").attr("tabindex", 0).attr("aria-label", changeText(series, it)).attr("transform", `translate(${x(point)},0)`);
		drawReach(chart, it, at, x, inner);
		const steps = [[it.from, it.at, it.before], [it.at, it.to, it.after]];
		mark.append("line").attr("y1", 0).attr("y2", inner.height);
		mark.append("rect").attr("x", -6).attr("y", -14).attr("width", 12).attr("height", inner.height + 14);
		if (x(point) - labelled > 58) {
			mark.append("text").attr("y", -5).attr("text-anchor", x(point) > inner.width - 40 ? "end" : x(point) < 30 ? "start" : "middle").text(inPercent(it.ratio));
			labelled = x(point);
		}
		for (const [from, to, value] of steps)
			if (at.has(from) && at.has(to))
				chart.append("line").attr("class", "step").attr("x1", x(at.get(from))).attr("x2", x(at.get(to))).attr("y1", y(value)).attr("y2", y(value));
		mark.on("click", () => openChange(series, it)).on("keydown", () => {
			if (d3.event.key === "Enter" || d3.event.key === " ") {
				d3.event.preventDefault();
				d3.event.stopPropagation();
				openChange(series, it);
			}
		});
		mark.on("mousemove", () => showTip([element("b", {}, changeText(series, it)), element("br"), ...(it.place ? [placeText(series, it), element("br")] : []), element("small", {}, "click for the commits and functions")], d3.event))
			.on("mouseleave", () => { byId("tip").hidden = true; });
	}
}

/* The mouse and the arrow keys go from run to run; a click or Enter opens it. */
function followRuns(box, series, metric, made) {
	const {svg, chart, points, x, y, inner} = made, sorted = [...points].sort((a, b) => x(a) - x(b)), places = sorted.map(x);
	const hand = chart.insert("g", ".change").attr("class", "hand").attr("hidden", true);
	let at = -1;
	hand.append("line").attr("y1", 0).attr("y2", inner.height);
	hand.append("circle").attr("r", 5);
	const put = (k) => {
		at = Math.max(0, Math.min(sorted.length - 1, k));
		const point = sorted[at];
		hand.attr("hidden", null).attr("transform", `translate(${places[at]},0)`).select("circle").attr("cy", Math.max(0, Math.min(inner.height, y(point.value))));
		byId("reading").textContent = pointText(series, metric, point);
		return point;
	};
	const atMouse = () => {
		const [mouseX, mouseY] = d3.mouse(chart.node()), k = d3.bisectLeft(places, mouseX);
		let best = 0, least = Infinity;
		for (let i = Math.max(0, k - 12); i < Math.min(places.length, k + 12); i++) {
			const far = Math.hypot(places[i] - mouseX, (y(sorted[i].value) - mouseY) / 4);
			if (far < least)
				[best, least] = [i, far];
		}
		return best;
	};
	svg.on("mousemove", () => {
		if (d3.event.target.closest(".change, .baseline"))
			return;
		const point = put(atMouse());
		showTip(pointText(series, metric, point).split(" · ").flatMap((text, i) => i ? [element("br"), element("small", {}, text)] : [element("b", {}, text)]), d3.event);
	}).on("mouseleave", () => { byId("tip").hidden = true; }).on("click", () => {
		if (!d3.event.target.closest(".change"))
			go({page: "run", run: series.id[sorted[atMouse()].i]});
	});
	box.onkeydown = (event) => {
		const step = {ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity}[event.key];
		if (step)
			put(at < 0 ? sorted.length - 1 : at + step);
		else if (event.key === "Enter" && at >= 0 && event.target === box)
			go({page: "run", run: series.id[sorted[at].i]});
		else
			return;
		event.preventDefault();
	};
}

function pointText(series, metric, point) {
	const commit = commitOf(series, point.i);
	return [`${shown(point.value, metric.name)}${point.error !== null ? " ± " + shown(1.96 * point.error, metric.name) : ""}`, dateText(point.when),
		commit ? `${shortCommit(commit)} ${shorten(commit.subject || "")}`.trim() : "", branchName(point.branch), machineName(point.machine),
		point.odd ? board.states[series.state[point.i]] + (series.jobs[point.i] > 1 ? `, ${series.jobs[point.i]} at a time` : "") + ": not compared" : ""].filter(Boolean).join(" · ");
}
