#!/usr/bin/python3
"""Reads what `smartprof report --format` writes, as its readers would. usage:
  formats.py speedscope FILE   checks it and prints, a line a profile: name, unit, sum of the weights
  formats.py pprof FILE        checks it and prints, a line a sample type: type, unit, sum of the values; then
                               "inlined N", the locations of several functions, and "main FILE BUILD-ID"
  formats.py json FILE         checks it and prints: cpu NS, allocated BYTES, in_use BYTES"""
import gzip
import json
import sys

UNITS = {"none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def speedscope(path):
    """What https://www.speedscope.app/file-format-schema.json wants of sampled profiles, and that indices exist."""
    file = json.load(open(path, encoding="utf-8"))
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert isinstance(file["name"], str) and isinstance(file["exporter"], str)
    frames = file["shared"]["frames"]
    for frame in frames:
        assert isinstance(frame["name"], str), frame
        assert isinstance(frame.get("file", ""), str) and is_number(frame.get("line", 0)), frame
        assert set(frame) <= {"name", "file", "line", "col"}, frame
    assert 0 <= file["activeProfileIndex"] < len(file["profiles"])
    for profile in file["profiles"]:
        assert profile["type"] == "sampled" and isinstance(profile["name"], str) and profile["unit"] in UNITS
        assert is_number(profile["startValue"]) and is_number(profile["endValue"])
        samples, weights = profile["samples"], profile["weights"]
        assert len(samples) == len(weights) and all(map(is_number, weights))
        assert all(stack and all(0 <= i < len(frames) for i in stack) for stack in samples)
        assert profile["startValue"] + sum(weights) == profile["endValue"]
        print(profile["name"], profile["unit"], sum(weights), sep="\t")


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def message(data):
    """Field number -> list of values."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            assert key & 7 == 2, key
            length, at = varint(data, at)
            value = data[at:at + length]
            at += length
            assert len(value) == length
        fields.setdefault(key >> 3, []).append(value)
    return fields


def packed(parts):
    values = []
    for part in parts:
        at = 0
        while at < len(part):
            value, at = varint(part, at)
            values.append(value)
    return values


def one(fields, number):
    return fields.get(number, [0])[0]


def pprof(path):
    """The rules of github.com/google/pprof, proto/profile.proto."""
    profile = message(gzip.open(path).read())
    strings = [text.decode("utf-8") for text in profile[6]]
    assert strings[0] == ""
    types = [message(it) for it in profile[1]]
    functions = {}
    for it in map(message, profile.get(5, [])):
        assert one(it, 1) and one(it, 1) not in functions and strings[one(it, 2)]
        functions[one(it, 1)] = it
    mappings = {}
    for it in map(message, profile.get(3, [])):
        assert one(it, 1) and one(it, 1) not in mappings and one(it, 2) <= one(it, 3)
        mappings[one(it, 1)] = it
    locations, inlined = {}, 0
    for it in map(message, profile.get(4, [])):
        assert one(it, 1) and one(it, 1) not in locations
        mapping = mappings.get(one(it, 2))
        assert mapping or not one(it, 2)
        if mapping and one(it, 3) and one(mapping, 3):
            assert one(mapping, 2) <= one(it, 3) < one(mapping, 3), hex(one(it, 3))
        lines = [message(line) for line in it[4]]
        assert lines and all(one(line, 1) in functions for line in lines)
        inlined += len(lines) > 1
        locations[one(it, 1)] = it
    sums = [0] * len(types)
    for it in map(message, profile.get(2, [])):
        stack, values = packed(it[1]), packed(it[2])
        assert stack and all(i in locations for i in stack) and len(values) == len(types)
        sums = [a + b for a, b in zip(sums, values)]
    assert strings[one(profile, 14)] in [strings[one(it, 1)] for it in types]
    for it, total in zip(types, sums):
        print(strings[one(it, 1)], strings[one(it, 2)], total, sep="\t")
    print("inlined", inlined, sep="\t")
    first = message(profile[3][0])
    print("main", strings[one(first, 5)], strings[one(first, 6)], sep="\t")


def whole(path):
    file = json.load(open(path, encoding="utf-8"))
    assert file["schema"] == "smartprof-profile/1" and isinstance(file["facts"]["pid"], int)
    frames = file["frames"]
    for stack in file["cpu_stacks"] + file["heap_stacks"]:
        assert stack["frames"] and all(0 <= i < len(frames) for i in stack["frames"])
    stacks = sum(it["user_ns"] + it["sys_ns"] for it in file["cpu_stacks"])
    assert stacks == sum(it["self_user_ns"] + it["self_sys_ns"] for it in file["functions"])
    print("cpu", stacks, sep="\t")
    for key, name in (("alloc_bytes", "allocated"), ("inuse_bytes", "in_use")):
        assert sum(it[key] for it in file["heap_stacks"]) == sum(it[key] for it in file["heap_sites"])
        print(name, sum(it[key] for it in file["heap_stacks"]), sep="\t")


{"speedscope": speedscope, "pprof": pprof, "json": whole}[sys.argv[1]](sys.argv[2])
