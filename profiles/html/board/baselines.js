/* Baselines that were made of runs of a series: a flag at the newest of them, and their median as far as the next one. */

/* Those of which runs are shown, the oldest first. */
function baselinesOf(series, points) {
	const at = new Map(points.filter((it) => !it.odd).map((it) => [it.i, it]));
	const made = [...series.baselines || []].reverse().map((it) => ({...it, points: it.runs.map((i) => at.get(i)).filter(Boolean).sort((a, b) => a.when - b.when)}))
		.filter((it) => it.points.length);
	const lineOf = (it) => it.points[0].machine + "/" + it.points[0].branch;
	made.forEach((it, k) => {
		const next = made.slice(k + 1).find((other) => lineOf(other) === lineOf(it));
		const same = points.filter((point) => point.machine === it.points[0].machine && point.branch === it.points[0].branch && !point.odd);
		it.flag = it.points[it.points.length - 1];
		it.end = next ? next.points[next.points.length - 1] : same[same.length - 1];
		it.value = median(it.points.map((point) => point.value));
	});
	return made;
}

const baselineText = (it, name) => `Baseline ${it.name}: ${shown(it.value, name)}, the median of ${it.points.length} ${it.points.length === 1 ? "run" : "runs"}, made ${dateText(it.made)}`
	+ (it.because ? `, because: ${it.because}` : "");

function drawBaselines(chart, made, metric, x, y, inner) {
	let labelled = -Infinity;
	for (const it of made) {
		const from = x(it.points[0]), to = Math.max(x(it.end), from + 8), flag = x(it.flag), height = Math.max(0, Math.min(inner.height, y(it.value)));
		const mark = chart.append("g").attr("class", "baseline").attr("role", "img").attr("aria-label", baselineText(it, metric.name));
		mark.append("line").attr("x1", from).attr("x2", to).attr("y1", height).attr("y2", height);
		mark.append("path").attr("d", `M${number(flag, 1)},${inner.height}v-16l9,4.5l-9,4.5`);
		mark.append("rect").attr("x", flag - 4).attr("y", inner.height - 20).attr("width", 18).attr("height", 22);
		if (flag - labelled > 70) {
			const late = flag > inner.width - 90;
			mark.append("text").attr("x", late ? flag - 4 : flag + 12).attr("y", inner.height - 7).attr("text-anchor", late ? "end" : "start").text(it.name.length > 14 ? it.name.slice(0, 13) + "…" : it.name);
			labelled = flag;
		}
		mark.on("mousemove", () => showTip([element("b", {}, baselineText(it, metric.name))], d3.event))
			.on("mouseleave", () => { byId("tip").hidden = true; });
	}
}
