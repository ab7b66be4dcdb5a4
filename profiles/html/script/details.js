/* The chosen function: its lines, who calls it, what it calls. */

/* Lines of a function that were sampled, most time first: [f, file, line, ns, samples, error]. */
function linesOf(f) {
	return state.view.stacks === "cpu" && data.lines ? data.lines.filter((it) => it[0] === f).sort((a, b) => b[3] - a[3]) : [];
}

function choose(f) {
	state.chosen = f === state.chosen && !state.zoom.length && state.layout !== "sandwich" ? -1 : f;
	draw();
	drawDetails();
	drawTable();
	remember();
}

const button = (f) => element("button", {type: "button", onclick: () => { state.zoom = []; choose(f); }}, nameOf(f));

function changeCell(values, view) {
	const delta = values[1] - values[0];
	return element("td", {class: "number " + (delta > 0 ? "bad" : delta < 0 ? "good" : "")}, delta ? signed(delta, view) : "0");
}

function neighbourTable(title, node, whole) {
	const rows = (node ? node.children : []).filter((it) => sizeOf(it.total) > 0).sort((a, b) => sizeOf(b.total) - sizeOf(a.total));
	const body = rows.slice(0, 12).map((it) => element("tr", {},
		element("td", {class: "name"}, button(it.f)),
		element("td", {class: "number"}, amount(comparing ? it.total[1] : it.total[0])),
		comparing ? changeCell(it.total) : element("td", {class: "number"}, percent(it.total[0], whole))));
	return element("div", {}, element("h3", {}, title),
		rows.length ? element("table", {}, element("tbody", {}, ...body)) : element("p", {class: "soft"}, "none"),
		rows.length > 12 ? element("p", {class: "soft"}, `and ${rows.length - 12} more, see the sandwich`) : "");
}

/* A bar as wide as the share. */
function bar(part, whole) {
	const made = element("span", {class: "share", title: percent(part, whole)});
	made.style.setProperty("--part", number(100 * part / (whole || 1), 1) + "%");
	return made;
}

function lineTable(lines, whole) {
	const body = lines.slice(0, 15).map(([, file, line, ns, samples, error]) => element("tr", {},
		element("td", {class: "number"}, percent(ns, whole)),
		element("td", {class: "number soft"}, error >= ns ? "rough" : "± " + percent(error, whole)),
		element("td", {class: "shares"}, bar(ns, whole)),
		element("td", {class: "name", title: data.files[file]}, baseName(data.files[file]) + ":" + line),
		element("td", {class: "number soft count"}, samples + (samples === 1 ? " sample" : " samples"))));
	return element("div", {class: "wide"}, element("h3", {}, "Lines, of its self time"),
		element("table", {}, element("tbody", {}, ...body)),
		lines.length > 15 ? element("p", {class: "soft"}, `and ${lines.length - 15} more`) : "");
}

/* Source text that came with the page: {file, line: the first one's, text}. */
function sourceOf(f, lines, whole) {
	const parts = (data.source || []).filter((it) => it.function === f);
	return parts.map((part) => {
		const times = new Map(lines.filter((it) => it[1] === part.file).map((it) => [it[2], it[3]]));
		const rows = part.text.map((text, i) => {
			const ns = times.get(part.line + i) || 0, row = element("div", {class: ns ? "hot" : ""},
				element("span", {class: "part"}, ns ? percent(ns, whole) : ""), element("span", {class: "line"}, String(part.line + i)),
				element("code", {}, text));
			row.style.setProperty("--part", number(Math.min(1, ns / (whole || 1)), 3));
			return row;
		});
		return element("div", {class: "wide"}, element("h3", {}, data.files[part.file]), element("div", {class: "source", tabIndex: 0}, ...rows));
	});
}

function drawDetails() {
	const box = byId("details"), f = state.chosen, view = state.view, row = f >= 0 && sums(view).functions.get(f), whole = sums(view).totals;
	box.hidden = !row;
	if (!row)
		return;
	const lines = linesOf(f), own = lines.reduce((sum, it) => sum + it[3], 0);
	const text = comparing
		? `self ${amount(row.self[0])} became ${amount(row.self[1])}, total ${amount(row.total[0])} became ${amount(row.total[1])}`
		: `self ${amount(row.self[0])} (${percent(row.self[0], whole[0])}), total ${amount(row.total[0])} (${percent(row.total[0], whole[0])})`;
	box.replaceChildren(element("h2", {}, nameOf(f)), element("div", {class: "soft"}, whereabouts(f)), element("div", {}, text),
		element("div", {class: "bar"},
			element("button", {type: "button", hidden: state.layout === "sandwich", onclick: () => setLayout("sandwich")}, "Callers and callees"),
			element("button", {type: "button", onclick: () => copy(data.functions[f][NAME], "Name copied")}, "Copy name")),
		element("div", {class: "columns"}, ...sourceOf(f, lines, own), ...(lines.length ? [lineTable(lines, own)] : []),
			neighbourTable("Called by", callersOf(view, f), row.total[0]), neighbourTable("Calls", calleesOf(view, f), row.total[0])));
	if (lines.length && (state.range || state.thread !== null))
		box.append(element("p", {class: "soft"}, "Lines are of the whole run."));
}
