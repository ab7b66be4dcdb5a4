/* Functions and what they are called, for the pages that show stacks of them. */

const NAME = 0, MODULE = 1, FILE = 2, LINE = 3, FLAGS = 4, PSEUDO = 1;
const PER_SIDE = {cpu: 2, heap: 4, waits: 2, wall: 2};
let matches = new Set();

const nameOf = (f) => f < 0 ? "all" : shorten(data.functions[f][NAME]);
/* What a wait is for, and its colour; such a function stands inside of who waits. */
const WAITS = {__proto__: null, "[lock]": 0, "[condition]": 40, "[read]": 210, "[write]": 245, "[sync]": 280, "[poll]": 170, "[sleep]": 100, "[child]": 320, "[other]": 70};
const isWait = (f) => f >= 0 && Boolean(data.functions[f][FLAGS] & PSEUDO) && data.functions[f][NAME] in WAITS;
const isPlain = (f) => f < 0 || Boolean(data.functions[f][FLAGS] & PSEUDO) && !isWait(f);

function place(f) {
	const parts = data.functions[f];
	return parts[FILE] ? parts[FILE] + (parts[LINE] ? ":" + parts[LINE] : "") : parts[MODULE] || "";
}

const whereabouts = (f) => [place(f), data.functions[f][FILE] ? data.functions[f][MODULE] : ""].filter(Boolean).join(" · ");
