/* What the page was given, what it shows, and how it writes: text, never markup. The scripts of this folder are one, in the
 * order of the Makefile: stacks become trees, these flame graphs with d3, their functions a table. */

/* Characters that change what is shown without being seen themselves show as their numbers. */
function visibleText(text) {
	const seen = text.replace(/[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, (it) => "\\u" + it.codePointAt(0).toString(16).padStart(4, "0"));
	return seen.length <= 2000 ? seen : seen.slice(0, 1400) + "…" + seen.slice(-500);
}

/* The report's lines are many, and each is text of its own; source keeps its tabs. */
const data = JSON.parse(document.getElementById("data").textContent, (key, value) =>
	typeof value !== "string" ? value
		: key === "report" ? value.split("\n").map(visibleText)
			: key === "text" ? value.split("\n").map((line) => line.split("\t").map(visibleText).join("    "))
				: visibleText(value));
const comparing = data.kind === "compare";
const NAME = 0, MODULE = 1, FILE = 2, LINE = 3, FLAGS = 4, PSEUDO = 1;
const PER_SIDE = {cpu: 2, heap: 4, waits: 2, wall: 2}, SIDES = comparing ? 2 : 1;
const byId = (id) => document.getElementById(id);

/* zoom: the functions from the root to the frame shown widest; range: slices of the timeline, the last one included. */
const state = {view: null, layout: "down", query: "", widths: "both", zoom: [], chosen: -1, all: false, sort: null, range: null,
	thread: null, module: null};
let matches = new Set();

function element(tag, properties = {}, ...children) {
	const made = document.createElement(tag);
	for (const [key, value] of Object.entries(properties)) {
		if (key.startsWith("on"))
			made.addEventListener(key.slice(2), value);
		else if (key === "class")
			made.className = value;
		else if (key.startsWith("aria"))
			made.setAttribute("aria-" + key.slice(4).toLowerCase(), value);
		else
			made[key] = value;
	}
	for (const child of children.flat())
		made.append(child);
	return made;
}

const number = (value, digits) => value.toFixed(digits);
const TIME = [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]];
const SIZE = [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10], ["B", 1]];

function inUnits(value, steps) {
	const size = Math.abs(value), sign = value < 0 ? "−" : "";
	const [unit, scale] = steps.find((step) => size >= step[1]) || steps[steps.length - 1];
	return sign + (scale === 1 ? number(size, 0) : number(size / scale, size / scale < 10 ? 2 : 1)) + " " + unit;
}

const amount = (value, view = state.view) => inUnits(value, view.unit === "bytes" ? SIZE : TIME);
const signed = (value, view) => (value > 0 ? "+" : "") + amount(value, view);
const percent = (part, whole) => whole > 0 ? number(100 * part / whole, 1) + " %" : "–";
const change = (from, to) => to === null ? "–" : from > 0 ? (to >= from ? "+" : "−") + number(Math.abs(100 * (to / from - 1)), 1) + " %" : "new";
const sure = (evidence) => evidence && evidence !== "none" ? evidence : "";
const shorten = (name) => name.length <= 160 ? name : name.slice(0, 110) + "…" + name.slice(-48);
const nameOf = (f) => f < 0 ? "all" : shorten(data.functions[f][NAME]);
/* What a wait is for, and its colour; such a function stands inside of who waits. */
const WAITS = {__proto__: null, "[lock]": 0, "[condition]": 40, "[read]": 210, "[write]": 245, "[sync]": 280, "[poll]": 170, "[sleep]": 100, "[child]": 320, "[other]": 70};
const isWait = (f) => f >= 0 && Boolean(data.functions[f][FLAGS] & PSEUDO) && data.functions[f][NAME] in WAITS;
const isPlain = (f) => f < 0 || Boolean(data.functions[f][FLAGS] & PSEUDO) && !isWait(f);
const baseName = (path) => path.split("/").pop() || path;

function place(f) {
	const parts = data.functions[f];
	return parts[FILE] ? parts[FILE] + (parts[LINE] ? ":" + parts[LINE] : "") : parts[MODULE] || "";
}

const whereabouts = (f) => [place(f), data.functions[f][FILE] ? data.functions[f][MODULE] : ""].filter(Boolean).join(" · ");
