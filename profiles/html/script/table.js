/* All functions. */

const SHOWN = 50;

function columns() {
	const whole = sums(state.view).totals, errors = !isFiltered() && data.errors && data.errors[state.view.key];
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

function tableHead(list) {
	return element("tr", {}, ...list.map(([title], i) => {
		const cell = element("th", {class: "number"}, element("button", {type: "button", onclick: () => { state.sort = i; drawTable(); }}, title));
		if (i === state.sort)
			cell.setAttribute("aria-sort", "descending");
		return cell;
	}), element("th", {class: "name"}, "Function"), element("th", {class: "place"}, "Location"), element("th", {class: "module"}, "Module"));
}

function drawTable() {
	const list = columns();
	const sort = state.sort !== null && list[state.sort] ? list[state.sort][1] : comparing ? (row) => Math.abs(row.self[1] - row.self[0]) : list[0][1];
	const rows = [...sums(state.view).functions.values()].filter((row) => !state.query || matches.has(row.f))
		.sort((a, b) => sort(b) - sort(a) || b.total[0] + b.total[1] - a.total[0] - a.total[1] || a.f - b.f);
	const shown = state.all ? rows : rows.slice(0, SHOWN);
	byId("table").replaceChildren(element("thead", {}, tableHead(list)), element("tbody", {}, shown.map((row) => element("tr", {class: row.f === state.chosen ? "chosen" : ""},
		...list.map(([title, , show]) => {
			const value = show(row), cell = value instanceof Node ? value : element("td", {class: "number"}, value);
			cell.dataset.column = title;
			return cell;
		}),
		element("td", {class: "name"}, button(row.f)),
		element("td", {class: "place"}, data.functions[row.f][FILE] ? place(row.f) : ""),
		element("td", {class: "module"}, baseName(data.functions[row.f][MODULE] || ""))))));
	byId("more").hidden = shown.length === rows.length;
	byId("more").textContent = `Show all ${rows.length} functions`;
}
