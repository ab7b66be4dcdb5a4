/* CPU, resident memory and heap over the run, and a brush over them. */

const LANE = 46, AXIS = 22;
const END = 0, CPU = 1, RSS = 2, HEAP = 3;

function lanes() {
	const slices = data.slices, began = (i) => i ? slices[i - 1][END] : 0;
	const cores = slices.map((slice, i) => slice[END] > began(i) ? slice[CPU] / (slice[END] - began(i)) : 0);
	const inBytes = (value) => inUnits(value, SIZE);
	return [
		["CPU", cores, (value) => number(value, 2) + " cores"],
		["RSS", slices.map((slice) => slice[RSS]), inBytes],
		["Heap", slices.map((slice) => slice[HEAP]), inBytes],
	].map(([title, values, show]) => ({title, values, show, most: d3.max(values)})).filter((lane) => lane.most > 0);
}

const hasTimeline = () => Boolean(data.slices && data.slices.length > 1);

function drawTimeline() {
	byId("timeline").hidden = !hasTimeline();
	if (!hasTimeline())
		return;
	const slices = data.slices, list = lanes(), width = byId("lanes").clientWidth || 1000, height = list.length * LANE;
	const x = d3.scaleLinear().domain([0, slices[slices.length - 1][END] / 1e9]).range([0, width - 12]);
	const edges = [0, ...slices.map((slice) => slice[END] / 1e9)];
	const chart = d3.select("#lanes").selectAll("svg").data([0]).join("svg").attr("viewBox", `-6 0 ${width} ${height + AXIS}`).attr("height", height + AXIS);
	chart.selectAll("*").remove();
	list.forEach((lane, i) => {
		const y = d3.scaleLinear().domain([0, lane.most]).range([(i + 1) * LANE - 2, i * LANE + 16]);
		const area = d3.area().curve(d3.curveStepBefore).x((it, k) => x(edges[k])).y0(y(0)).y1((it) => y(it));
		chart.append("path").attr("class", "lane " + lane.title.toLowerCase()).attr("d", area([lane.values[0], ...lane.values]));
		chart.append("text").attr("class", "lane").attr("x", 2).attr("y", i * LANE + 12).text(`${lane.title}, at most ${lane.show(lane.most)}`);
	});
	chart.append("g").attr("class", "axis").attr("transform", `translate(0,${height})`)
		.call(d3.axisBottom(x).ticks(Math.max(2, Math.floor(width / 90))).tickFormat((value) => value + " s"));
	brushOver(chart, x, edges, height, width);
	drawRange(edges, list);
}

function brushOver(chart, x, edges, height, width) {
	let placing = state.range !== null; /* which may happen while a mouse event is handled */
	const brush = d3.brushX().extent([[0, 0], [width - 12, height]]).on("end", () => {
		if (placing || !d3.event.sourceEvent)
			return;
		const span = d3.event.selection && d3.event.selection.map(x.invert);
		setRange(span && [d3.bisectRight(edges, span[0]) - 1, d3.bisectLeft(edges, span[1]) - 1]);
	});
	const box = chart.append("g").attr("class", "brush").call(brush);
	if (placing)
		box.call(brush.move, [x(edges[state.range[0]]), x(edges[state.range[1] + 1])]);
	placing = false;
}

function drawRange(edges, list) {
	const [first, last] = state.range || [0, data.slices.length - 1];
	const most = list.map((lane) => `${lane.title} at most ${lane.show(d3.max(lane.values.slice(first, last + 1)))}`);
	byId("range").textContent = state.range ? `${number(edges[first], 2)} s to ${number(edges[last + 1], 2)} s: ${most.join(", ")}`
		: "Draw over the timeline, or use the arrow keys on it, to see a part of the run.";
	byId("timed").hidden = state.view.stacks === "cpu" || !state.range && state.thread === null;
}

function setRange(range) {
	const last = data.slices.length - 1, inside = (i) => Math.max(0, Math.min(last, i));
	state.range = range && [inside(range[0]), Math.max(inside(range[0]), inside(range[1]))];
	if (state.range && state.range[0] === 0 && state.range[1] === last)
		state.range = null;
	filtered();
}

/* Arrow keys move the range, with Shift its end. */
function timelineKey(event) {
	const way = {ArrowLeft: -1, ArrowRight: 1}[event.key], most = data.slices.length - 1;
	if (!way)
		return;
	event.preventDefault();
	const [first, last] = state.range || (way > 0 ? [-1, Math.floor(most / 10) - 1] : [most + 1 - Math.floor(most / 10), most + 1]);
	if (event.shiftKey)
		setRange([first, Math.max(first, Math.min(most, last + way))]);
	else if (first + way >= 0 && last + way <= most)
		setRange([first + way, last + way]);
}
