#!/usr/bin/python3
"""Opens a page in headless Chromium and tries it out.

usage: browser.py PAGE STEPS.js [SCREENSHOT.png [WIDTH HEIGHT [dark]]]

PAGE is a file, or an address that begins with http:// and may ask for what is beside it.

STEPS is a script of its own, run by the driver: lines of

    js EXPRESSION        must be true; what it is instead is told
    click EXPRESSION     a mouse click in the middle of the element it gives
    hover EXPRESSION     the mouse goes there
    type TEXT            keys into the element that has the focus
    key NAME             Escape, Enter, Shift+ArrowRight
    drag FROM TO EXPRESSION   the mouse, pressed, from one part of its element's width to another (0 to 1)
    reload               the page, as the browser remembers it
    touch FILE           for whoever waits until the steps before are done
    print                from now on it is as it would be printed

The test fails when a step does, when the page throws or logs an error, when its content policy stops something, or
when it asks for anything but itself."""
import base64
import json
import os
import subprocess
import sys
import tempfile
import time

PATIENCE = 60


class Browser:
    """Speaks the DevTools protocol over a pair of pipes (--remote-debugging-pipe: NUL-terminated JSON)."""

    def __init__(self, home):
        to_child, self.writer = os.pipe()
        self.reader, from_child = os.pipe()
        ends = (os.dup(to_child), os.dup(from_child))  # numbers beyond 4

        def pipes():
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        args = ["chromium", "--headless", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
                "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
                f"--user-data-dir={home}", "about:blank"]
        if os.geteuid() == 0:
            args.insert(1, "--no-sandbox")
        self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=pipes)
        for end in ends + (to_child, from_child):
            os.close(end)
        self.buffer, self.count, self.session, self.events = b"", 0, None, []

    def receive(self):
        while b"\0" not in self.buffer:
            part = os.read(self.reader, 1 << 16)
            if not part:
                sys.exit("browser: it ended early")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") != self.count:
                self.events.append(answer)
            elif "error" in answer:
                sys.exit(f"browser: {method}: {answer['error']['message']}")
            else:
                return answer["result"]

    def wait_for(self, event):
        end = time.monotonic() + PATIENCE
        while not any(e.get("method") == event for e in self.events):
            if time.monotonic() > end:
                sys.exit(f"browser: no {event}")
            self.events.append(self.receive())

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            detail = result["exceptionDetails"]
            return "threw " + detail.get("exception", {}).get("description", detail["text"])
        return result["result"].get("value")

    def point(self, expression):
        at = self.evaluate(f"(() => {{ const it = {expression}; it.scrollIntoView({{block: 'nearest'}});"
                           " const r = it.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        if not isinstance(at, list):
            sys.exit(f"browser: {expression}: {at}")
        return at

    def mouse(self, kind, at, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], **more)


def step(browser, line):
    verb, _, rest = line.partition(" ")
    if verb == "js":
        got = browser.evaluate(rest)
        if got is not True:
            sys.exit(f"browser: {rest}\n  is {got!r}")
    elif verb == "click":
        at = browser.point(rest)
        browser.mouse("mousePressed", at, button="left", clickCount=1)
        browser.mouse("mouseReleased", at, button="left", clickCount=1)
    elif verb == "hover":
        browser.mouse("mouseMoved", browser.point(rest))
    elif verb == "type":
        browser.call("Input.insertText", text=rest)
    elif verb == "key":
        key, modifiers = rest.removeprefix("Shift+"), 8 if rest.startswith("Shift+") else 0
        browser.call("Input.dispatchKeyEvent", type="keyDown", key=key, modifiers=modifiers)
        browser.call("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers)
    elif verb == "drag":
        start, end, what = rest.split(" ", 2)
        browser.point(what)
        left, width, y = browser.evaluate(f"(() => {{ const r = {what}.getBoundingClientRect(); return [r.x, r.width, r.y + r.height / 2]; }})()")
        ends = [(left + width * float(part), y) for part in (start, end)]
        browser.mouse("mousePressed", ends[0], button="left", buttons=1, clickCount=1)
        for at in ((sum(it[0] for it in ends) / 2, y), ends[1]):
            browser.mouse("mouseMoved", at, button="left", buttons=1)
        browser.mouse("mouseReleased", ends[1], button="left", clickCount=1)
    elif verb == "reload":
        browser.events = [it for it in browser.events if it.get("method") != "Page.loadEventFired"]
        browser.call("Page.reload")
        browser.wait_for("Page.loadEventFired")
    elif verb == "touch":
        open(rest, "w", encoding="utf-8").close()
    elif verb == "print":
        browser.call("Emulation.setEmulatedMedia", media="print")
    else:
        sys.exit(f"browser: unknown step: {line}")


def complaints(events, url):
    for event in events:
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            yield "exception: " + str(params["exceptionDetails"].get("exception", {}).get("description"))
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            yield "log: " + params["entry"]["text"]
        elif event.get("method") == "Network.requestWillBeSent":
            asked = params["request"]["url"].split("#")[0]
            beside = url.startswith("http://") and asked.startswith(url.split("#")[0])
            if asked != url.split("#")[0] and not beside and not asked.startswith(("blob:", "data:")):
                yield "request: " + asked[:200]


def main():
    page, steps = sys.argv[1:3]
    picture = sys.argv[3] if len(sys.argv) > 3 else None
    width, height = (int(n) for n in (sys.argv[4:6] or ("1400", "1000")))
    path, _, fragment = page.partition("#")
    url = (path if path.startswith("http://") else "file://" + os.path.realpath(path)) + ("#" + fragment if fragment else "")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        browser = Browser(home)
        try:
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                browser.call(domain + ".enable")
            browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                         mobile=False)
            browser.call("Emulation.setEmulatedMedia", features=[
                {"name": "prefers-color-scheme", "value": "dark" if "dark" in sys.argv[6:] else "light"}])
            browser.call("Page.navigate", url=url)
            browser.wait_for("Page.loadEventFired")
            for line in open(steps, encoding="utf-8"):
                if line.strip() and not line.startswith("#"):
                    step(browser, line.strip())
            if picture:
                with open(picture, "wb") as file:
                    file.write(base64.b64decode(browser.call("Page.captureScreenshot")["data"]))
            bad = list(complaints(browser.events, url))
            if bad:
                sys.exit("browser: " + "\n  ".join(bad))
        finally:
            browser.process.kill()
            browser.process.wait()


main()
