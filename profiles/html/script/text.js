/* How pages write: text, never markup; amounts in units that people read. */

/* Characters that change what is shown without being seen themselves show as their numbers. */
function visibleText(text) {
	const seen = text.replace(/[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, (it) => "\\u" + it.codePointAt(0).toString(16).padStart(4, "0"));
	return seen.length <= 2000 ? seen : seen.slice(0, 1400) + "…" + seen.slice(-500);
}

const byId = (id) => document.getElementById(id);

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
const baseName = (path) => path.split("/").pop() || path;
