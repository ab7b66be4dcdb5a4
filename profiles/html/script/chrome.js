/* What every page has around its charts: choices, light and dark, the clipboard, the box beside the mouse. */

function choices(id, items, current, act) {
	byId(id).replaceChildren(...items.map(([key, title]) => element("button", {type: "button", onclick: () => act(key), ariaPressed: String(key === current)}, title)));
}

/* Some choices of a list, `none` for all. */
function fillSelect(id, none, options, current) {
	byId(id).replaceChildren(element("option", {value: ""}, none),
		...options.map(([value, title]) => element("option", {value, selected: value === current}, title)));
	byId(id).hidden = options.length < 2;
}

/* Light or dark: what was chosen once holds for all pages, where the browser keeps it. */
const THEME = "smartprof-theme";
function storedTheme(name) {
	try {
		if (name)
			localStorage.setItem(THEME, name);
		return localStorage.getItem(THEME);
	} catch (error) {
		return null;
	}
}

function theme(name) {
	const dark = name ? name === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
	if (name)
		document.documentElement.dataset.theme = name;
	byId("theme").textContent = dark ? "Light" : "Dark";
	return dark;
}

function putAddress(parts) {
	try {
		history.replaceState(null, "", "#" + parts);
	} catch (error) {
		/* some browsers do not allow it for files: then the address stays as it is */
	}
}

function say(text) {
	byId("said").textContent = text;
	setTimeout(() => { byId("said").textContent = ""; }, 4000);
}

/* Where the browser gives no clipboard to a file, the selection's command still does. */
async function copy(text, done) {
	try {
		await navigator.clipboard.writeText(text);
		say(done);
	} catch (error) {
		const box = element("textarea", {value: text, class: "aside"});
		document.body.append(box);
		box.select();
		say(document.execCommand("copy") ? done : "The browser does not allow it: copy the address.");
		box.remove();
	}
}

/* Near the mouse, and inside the window. */
function showTip(lines, event) {
	const box = byId("tip");
	box.replaceChildren(...lines);
	box.hidden = false;
	const room = box.getBoundingClientRect();
	box.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - room.width - 8)) + "px";
	box.style.top = (event.clientY + 18 + room.height > innerHeight ? event.clientY - room.height - 10 : event.clientY + 18) + "px";
}

byId("link").addEventListener("click", () => copy(location.href, "Link copied"));
byId("print").addEventListener("click", () => window.print());
byId("theme").addEventListener("click", () => {
	const name = theme(document.documentElement.dataset.theme) ? "light" : "dark";
	storedTheme(name);
	theme(name);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme(document.documentElement.dataset.theme));
