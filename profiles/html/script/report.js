/* The readable part of the profile: its Markdown, of which only what smartprof writes is known. What the charts show better is
 * left out. */

const CHARTED = ["Find things", "CPU Profile", "Hot Functions (Self Time)", "Call Tree (Total Time)", "Hot Paths", "Function Details", "Heap Call Tree", "Timeline"];

/* Text with backslashes before what they keep from acting, bold and code. */
function inline(text) {
	const parts = [];
	for (const [whole, code, bold] of text.matchAll(/`([^`]*)`|\*\*((?:\\.|[^\\])*?)\*\*|(?:\\.|[^`*\\]|\*(?!\*)|[`\\])+?(?=`|\*\*|$)/g)) {
		const plain = (bold ?? whole).replace(/\\([!-/:-@[-`{-~])/g, "$1");
		parts.push(code !== undefined ? element("code", {}, code) : bold !== undefined ? element("b", {}, plain) : plain);
	}
	return parts;
}

const cellsOf = (line) => line.replace(/^\| ?|\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim());

function reportTable(lines) {
	const numeric = cellsOf(lines[1] || "").map((cell) => cell.endsWith(":"));
	const row = (tag) => (line) => element("tr", {}, cellsOf(line).map((cell, i) => element(tag, {class: numeric[i] ? "number" : "text"}, ...inline(cell))));
	return element("div", {class: "scroll"}, element("table", {}, element("thead", {}, row("th")(lines[0])), element("tbody", {}, lines.slice(2).map(row("td")))));
}

/* Lines that belong together: a table, a list, fenced text, a paragraph. */
function blocks(lines) {
	const made = [];
	for (let i = 0; i < lines.length;) {
		const starts = (text) => lines[i] !== undefined && lines[i].startsWith(text), taken = [];
		if (starts("```")) {
			for (i++; i < lines.length && !starts("```"); i++)
				taken.push(lines[i]);
			i++;
			made.push(element("pre", {}, taken.join("\n")));
		} else if (starts("|")) {
			for (; starts("|"); i++)
				taken.push(lines[i]);
			made.push(reportTable(taken));
		} else if (starts("- ") || starts("  - ")) {
			for (; starts("- ") || starts("  - "); i++)
				taken.push(element("li", {}, ...inline(lines[i].trim().slice(2))));
			made.push(element("ul", {}, ...taken));
		} else {
			if (lines[i].trim())
				made.push(element("p", {}, ...inline(lines[i])));
			i++;
		}
	}
	return made;
}

/* [title, lines] of each heading. */
function reportSections() {
	const sections = [];
	let fence = false;
	for (const line of data.report || []) {
		if (line.startsWith("```"))
			fence = !fence;
		const heading = !fence && /^##? (.*)/.exec(line);
		if (heading)
			sections.push([heading[1].replace(/ \(\d+.*\)$/, ""), []]);
		else if (sections.length)
			sections[sections.length - 1][1].push(line);
	}
	return sections.filter(([title, lines]) => !CHARTED.some((it) => title.startsWith(it)) && lines.some((it) => it.trim()));
}

const sectionId = (title) => "section-" + title.toLowerCase().replace(/[^a-z]+/g, "-");

function drawReport() {
	for (const [title, lines] of reportSections())
		byId("report").append(element("details", {class: "card", id: sectionId(title)}, element("summary", {}, title), ...blocks(lines)));
}

function goTo(title) {
	const box = byId(sectionId(title));
	box.open = true;
	box.scrollIntoView();
}

/* Where the words of the verdict lead: functions are chosen, sections opened. */
function linksOf(text) {
	const found = [], isName = (at) => /[\w$]/.test(text[at] || " ");
	const add = (word, act) => {
		for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length))
			if (!isName(at - 1) && !isName(at + word.length) && !found.some((it) => at < it.at + it.word.length && it.at < at + word.length))
				found.push({at, word, act});
	};
	const names = new Map();
	data.functions.forEach((f, i) => {
		if (f[NAME].length > 2 && !(f[FLAGS] & PSEUDO) && f[NAME] !== data.program && !names.has(f[NAME]))
			names.set(f[NAME], i);
	});
	for (const box of byId("report").children)
		add(box.querySelector("summary").textContent, () => goTo(box.querySelector("summary").textContent));
	add("Heap Call Tree", () => { show("peak"); byId("chart").scrollIntoView(); });
	for (const [name, f] of [...names].sort((a, b) => b[0].length - a[0].length))
		add(name, () => showFunction(f));
	return found.sort((a, b) => a.at - b.at);
}

/* In the view that is shown, or in the first that has it. */
function showFunction(f) {
	if (!sums(state.view).functions.has(f))
		show((data.views.find((view) => sums(view).functions.has(f)) || state.view).key);
	state.zoom = [];
	if (state.chosen !== f)
		choose(f);
	byId("details").scrollIntoView({block: "nearest"});
}

function verdict() {
	const made = element("p", {id: "verdict"}), text = data.verdict || "";
	let at = 0;
	for (const link of linksOf(text)) {
		made.append(text.slice(at, link.at), element("button", {type: "button", class: "link", onclick: link.act}, link.word));
		at = link.at + link.word.length;
	}
	made.append(text.slice(at));
	return made;
}

function drawSummary() {
	byId("title").textContent = (comparing ? "Comparison of " : "Profile of ") + (data.program || "a program");
	if (comparing) {
		drawComparison(byId("summary"));
	} else {
		drawReport();
		byId("summary").append(verdict());
	}
	const rows = comparing
		? [...data.comparison.warnings.map((text) => ["warning", text]), ...data.comparison.not_compared.map((text) => ["not compared", text]),
			...data.comparison.baseline.map((text) => ["baseline", text]), ...data.comparison.current.map((text) => ["current", text])]
		: data.facts;
	byId("facts").append(element("details", {class: "card", open: comparing && data.comparison.warnings.length > 0},
		element("summary", {}, comparing ? "Inputs" : "About this run"),
		element("table", {}, element("tbody", {}, rows.map(([key, value]) => element("tr", {},
			element("td", {class: "soft"}, key), element("td", {class: "text"}, value)))))));
}

function drawLegend() {
	const box = byId("legend");
	if (comparing) {
		const scale = [-1, -0.6, -0.3, 0, 0.3, 0.6, 1].map((value) => {
			const mark = element("i", {class: "scale " + (value < 0 ? "shrank" : "grew")});
			mark.style.setProperty("--i", Math.abs(value));
			return mark;
		});
		box.replaceChildren(element("span", {}, "costs less now "), element("span", {}, ...scale), element("span", {}, " costs more now"),
			element("span", {}, "paler: a small change, or one that the samples cannot tell from chance"), element("span", {}, "values are means of the runs"));
		return;
	}
	const modules = new Map(), {functions, totals} = sums(state.view);
	for (const row of functions.values()) {
		const key = data.functions[row.f][isWait(row.f) ? NAME : MODULE];
		if (!isPlain(row.f))
			modules.set(key, (modules.get(key) || 0) + row.self[0]);
	}
	box.replaceChildren(...[...modules].filter(([, sum]) => sum > 0).sort((a, b) => b[1] - a[1]).slice(0, 8).map(([module, sum]) => {
		const mark = element("i");
		mark.style.setProperty("--h", number(WAITS[module] ?? hues.get(module) ?? 0, 0));
		return element("span", {title: module}, mark, baseName(module) + " " + percent(sum, totals[0]));
	}));
}
