/* What the page was given and what it shows. The scripts of a page are one, in the order of the Makefile: stacks become
 * trees, these flame graphs with d3, their functions a table. */

/* The report's lines are many, and each is text of its own; source keeps its tabs. */
const data = JSON.parse(document.getElementById("data").textContent, (key, value) =>
	typeof value !== "string" ? value
		: key === "report" ? value.split("\n").map(visibleText)
			: key === "text" ? value.split("\n").map((line) => line.split("\t").map(visibleText).join("    "))
				: visibleText(value));
const comparing = data.kind === "compare";
const SIDES = comparing ? 2 : 1;

/* zoom: the functions from the root to the frame shown widest; range: slices of the timeline, the last one included. */
const state = {view: null, layout: "down", query: "", widths: "both", zoom: [], chosen: -1, all: false, sort: null, range: null,
	thread: null, module: null};
