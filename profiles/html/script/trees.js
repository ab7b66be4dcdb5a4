/* Stacks become trees: from the root (down), from the functions that ran (up), and both ways from one function. */

const stackRows = new Map(), kept = new Map();

/* The result of `make` under a key, until what is shown changes. */
function once(key, make) {
	if (!kept.has(key))
		kept.set(key, make());
	return kept.get(key);
}

/* Rows of stacks, each with its functions, the outermost first. */
function rowsOf(kind) {
	if (!stackRows.has(kind)) {
		let path = [];
		stackRows.set(kind, kind === "wall" ? [...rowsOf("cpu"), ...rowsOf("waits")] : data[kind].map((values) => ({path: path = path.slice(0, values[0]).concat(values[1]), values})));
	}
	return stackRows.get(kind);
}

/* Samples tell time and thread of CPU time alone. */
const isTimed = (view) => view.stacks === "cpu" && data.samples && (state.range || state.thread !== null);

/* By row: which part of its samples was taken then and there. */
function sharesOf() {
	const all = new Map(), wanted = new Map();
	for (const [slice, tid, runs] of data.samples) {
		const fits = (!state.range || slice >= state.range[0] && slice <= state.range[1]) && (state.thread === null || tid === state.thread);
		for (let i = 0; i < runs.length; i += 2) {
			all.set(runs[i], (all.get(runs[i]) || 0) + runs[i + 1]);
			if (fits)
				wanted.set(runs[i], (wanted.get(runs[i]) || 0) + runs[i + 1]);
		}
	}
	return (row) => wanted.has(row) ? wanted.get(row) / all.get(row) : 0;
}

/* The rows that are shown, with what they weigh. */
function shownRows(view) {
	return once("rows/" + view.key, () => {
		const share = isTimed(view) ? sharesOf() : () => 1, per = PER_SIDE[view.stacks], shown = [];
		rowsOf(view.stacks).forEach(({path, values}, i) => {
			const part = share(i), row = {path, self: [0, 0], samples: [0, 0]};
			if (!part || state.module !== null && !path.some((f) => data.functions[f][MODULE] === state.module))
				return;
			for (let side = 0; side < SIDES; side++) {
				row.self[side] = part * values[2 + side * per + view.value];
				row.samples[side] = part * values[2 + side * per + per - 1];
			}
			if (row.self[0] + row.self[1] > 0)
				shown.push(row);
		});
		return shown;
	});
}

/* What all of them add up to, and by function: a function counts once a stack. */
function sums(view) {
	return once("sums/" + view.key, () => {
		const functions = new Map(), totals = [0, 0];
		shownRows(view).forEach((row, stamp) => {
			for (const f of row.path) {
				let sum = functions.get(f);
				if (!sum)
					functions.set(f, sum = {f, self: [0, 0], total: [0, 0], stamp: -1});
				if (sum.stamp !== stamp)
					for (let side = 0; side < 2; side++)
						sum.total[side] += row.self[side];
				sum.stamp = stamp;
			}
			const leaf = functions.get(row.path[row.path.length - 1]);
			for (let side = 0; side < 2; side++) {
				leaf.self[side] += row.self[side];
				totals[side] += row.self[side];
			}
		});
		return {functions, totals};
	});
}

/* A tree of what `walk` makes of each stack: NULL for those that have no part in it. */
function grow(key, view, walk) {
	const nodes = [], index = new Map(), room = data.functions.length + 1;
	const node = (f, parent) => {
		const made = {id: nodes.length, key: key + "/" + nodes.length, f, parent, depth: parent ? parent.depth + 1 : 0, children: [],
			self: [0, 0], total: [0, 0], samples: [0, 0]};
		nodes.push(made);
		if (parent)
			parent.children.push(made);
		return made;
	};
	const root = node(-1, null);
	for (const row of shownRows(view)) {
		const path = walk(row.path);
		let at = root;
		for (const f of path || []) {
			const way = at.id * room + f;
			let next = index.get(way);
			if (!next)
				index.set(way, next = node(f, at));
			at = next;
		}
		for (let side = 0; path && side < 2; side++) {
			at.self[side] += row.self[side];
			at.samples[side] += row.samples[side];
		}
	}
	for (let i = nodes.length - 1; i >= 0; i--)
		for (let side = 0; side < 2; side++) {
			nodes[i].total[side] += nodes[i].self[side];
			if (i > 0) {
				nodes[i].parent.total[side] += nodes[i].total[side];
				nodes[i].parent.samples[side] += nodes[i].samples[side];
			}
		}
	return root;
}

const from = (path, f) => { const at = path.indexOf(f); return at < 0 ? null : path.slice(at); };
const upTo = (path, f) => { const at = path.indexOf(f); return at < 0 ? null : path.slice(0, at + 1).reverse(); };

const downTree = (view) => once("down/" + view.key, () => grow("down", view, (path) => path));
const upTree = (view) => once("up/" + view.key, () => grow("up", view, (path) => path.slice().reverse()));
const calleesOf = (view, f) => once(`callees/${view.key}/${f}`, () => grow("callees", view, (path) => from(path, f)).children[0]);
const callersOf = (view, f) => once(`callers/${view.key}/${f}`, () => grow("callers", view, (path) => upTo(path, f)).children[0]);

function sizeOf(values) {
	if (!comparing || state.widths === "baseline")
		return values[0];
	return state.widths === "current" ? values[1] : (values[0] + values[1]) / 2;
}
