#!/usr/bin/env python3
"""Compares two outputs of addr2line -aCfi: addr2line.py NAME THEIRS OURS."""
import re
import sys


def read(path):
    found, address = {}, None
    lines = open(path, errors="replace").read().split("\n")
    i = 0
    while i < len(lines):
        if lines[i].startswith("0x"):
            address = int(lines[i], 16)
            found[address] = []
            i += 1
        elif address is not None and i + 1 < len(lines):
            place = lines[i + 1].split(" (disc")[0]
            found[address].append((lines[i], place.rsplit(":", 1)[0], place.rsplit(":", 1)[1].replace("?", "0")))
            i += 2
        else:
            i += 1
    return found


def function(name):
    name = re.sub(r" \[clone [^]]*\]", "", name)
    return re.sub(r"\.cold(\.\d+)?$", "", name)


def bare(name):
    """The last identifier: without parameters, template arguments and scopes."""
    name, depth, kept = function(name), 0, ""
    name = re.sub(r"operator(\(\)|<=>|<<|>>|<=|>=|->\*?|<|>)", lambda m: "operator" + "".join(f"x{ord(c):x}" for c in m[1]), name)
    name = re.sub(r"\(anonymous namespace\)|\{lambda\([^{}]*\)#\d+\}|<lambda\([^<>]*\)>|<lambda>", "lambda", name)
    for c in name:
        depth -= c in ">)"
        if depth == 0 and c not in ">)":
            kept += c if c not in "<(" else ""
        depth += c in "<("
    return re.split(r"::| ", re.sub(r" const$", "", kept.strip()))[-1]


# What is known of addr2line 2.40 and no difference of opinion about the code.
EXPLAINED = {
    "bare": "a function without a linkage name: addr2line prints the bare name, smartprof the symbol's",
    "repeated": "addr2line gives the innermost inlined call the outermost function's name",
}


def kind(theirs, ours):
    """Why two answers differ; None when they do not."""
    names = [(function(t[0]), function(o[0])) for t, o in zip(theirs, ours)]
    if len(theirs) != len(ours):
        return "depth"
    if [n for _, _, n in theirs] != [n for _, _, n in ours]:
        return "line"
    wrong = [i for i, (t, o) in enumerate(names) if t != o]
    if not wrong:
        return None
    if all(bare(names[i][0]) == bare(names[i][1]) or "lambda" in names[i][0] for i in wrong):
        return "bare"
    if function(theirs[0][0]) == function(ours[-1][0]):
        return "repeated"
    return "name"


def main():
    name, theirs, ours = sys.argv[1], read(sys.argv[2]), read(sys.argv[3])
    kinds, shown = {}, 0
    # What has no DWARF is no matter of inlining: addr2line takes the nearest symbol's name there.
    judged = {a for a, frames in theirs.items() if any(n != "0" for _, _, n in frames)}
    for address in sorted(judged):
        why = kind(theirs[address], ours.get(address, []))
        if why:
            kinds[why] = kinds.get(why, 0) + 1
            if why not in EXPLAINED and shown < 20:
                shown += 1
                print(f"{why} 0x{address:x}\n  addr2line {theirs[address]}\n  smartprof {ours.get(address)}",
                      file=sys.stderr)
    same = len(judged) - sum(n for why, n in kinds.items() if why not in EXPLAINED)
    print(f"{name}: {same} of {len(judged)} addresses the same, {100 * same / max(len(judged), 1):.2f} %")
    for why, count in sorted(kinds.items()):
        print(f"  {why}: {count}" + (f", counted as the same: {EXPLAINED[why]}" if why in EXPLAINED else ""))


main()
