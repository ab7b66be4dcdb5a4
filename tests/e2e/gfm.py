#!/usr/bin/python3
"""Reads profiles the way a reader's GFM renderer does: usage: gfm.py FILE...

Renders each with cmark-gfm, raw HTML and all extensions allowed, and fails when a table is not a
table with the same number of cells in every row, or when there is an element that no template of ours has."""
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

# Elements of the template; `code` outside of fences only with our own words in it.
ELEMENTS = {"h1", "h2", "h3", "p", "ul", "li", "pre", "code", "table", "thead", "tbody", "tr", "th", "td",
            "details", "summary", "strong"}
STRONG = re.compile(r"Verdict \(.*\):|Top \d+:", re.S)
CODE = re.compile(r"strace -f -c|node( --[a-z-]+)+|sysctl [a-z_.=0-9-]+|ulimit -[a-z]|smartprof [a-z -]+( PID)?|malloc_trim\(0\)|[A-Z_]+(=[0-9]+)?")
ATTRIBUTES = {("align", "left"), ("align", "right"), ("align", "center"), ("class", "language-text"), ("class", "language-sh"),
              ("class", "language-tsv")}

LINK = re.compile(r"[^/:]+\.md")  # the index of a run links to its members


class Page(HTMLParser):
    def __init__(self, is_index):
        super().__init__()
        self.is_index = is_index
        self.problems, self.stack, self.tables, self.texts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        link = self.is_index and tag == "a" and len(attrs) == 1 and LINK.fullmatch(attrs[0][1] or "")
        if not link and (tag not in ELEMENTS or any(a not in ATTRIBUTES for a in attrs)):
            self.problems.append(f"element <{tag} {attrs}> at {self.getpos()}")
        self.stack.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append(0)
        elif tag in ("td", "th"):
            self.tables[-1][-1] += 1
        self.texts.append("")

    def handle_endtag(self, tag):
        text = self.texts.pop() if self.texts else ""
        if not self.stack or self.stack.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing at {self.getpos()}")
        if tag == "strong" and not STRONG.fullmatch(text):
            self.problems.append(f"bold text: {text!r}")
        if tag == "code" and "pre" not in self.stack and not CODE.fullmatch(text):
            self.problems.append(f"code: {text!r}")
        if self.texts:
            self.texts[-1] += text

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data

    def handle_comment(self, data):
        self.problems.append(f"comment {data!r}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def source_tables(text):
    """Number of cells of each row of each table, counted in the source: a renderer fills up and cuts off."""
    tables, inside, fence = [], False, False
    for line in text.split("\n"):
        if line.startswith("```"):
            fence = not fence
        row = not fence and line.startswith("|")
        if row and not inside:
            tables.append([])
        inside = row
        if row and not re.fullmatch(r"\|[-:| ]+\|", line):
            tables[-1].append(len(re.sub(r"\\.", "", line).strip("\n").split("|")) - 2)
    return tables


def check(path):
    text = open(path, encoding="utf-8").read()
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    html = subprocess.run(["cmark-gfm", "--unsafe", "-e", "table", "-e", "strikethrough", "-e", "autolink", "-e", "tasklist"],
                          input=body.encode(), stdout=subprocess.PIPE, check=True).stdout.decode()
    page = Page(os.path.basename(path).startswith("tree."))
    page.feed(html)
    page.close()
    problems, source = page.problems, source_tables(body)
    if page.stack:
        problems.append(f"not closed: {page.stack}")
    if not source or len(source) != len(page.tables):
        problems.append(f"{len(source)} tables in the source, {len(page.tables)} in the page")
    for number, (rows, shown) in enumerate(zip(source, page.tables), 1):
        if rows != shown or len(set(rows)) != 1:
            problems.append(f"table {number}: cells of its rows {rows}, shown {shown}")
    for problem in problems[:20]:
        print(f"{path}: {problem}", file=sys.stderr)
    return not problems


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("gfm.py: no files")
    sys.exit(0 if all([check(path) for path in sys.argv[1:]]) else 1)
