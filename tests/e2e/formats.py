#!/usr/bin/python3
"""Reads what `smartprof report --format` writes, as its readers would. usage:
  formats.py speedscope FILE   checks it and prints, a line a profile: name, unit, sum of the weights
  formats.py pprof FILE        checks it and prints, a line a sample type: type, unit, sum of the values; then
                               "inlined N", the locations of several functions, "main FILE BUILD-ID", and of each label
                               "label KEY=VALUE SUM" of the last type
  formats.py otlp FILE         checks it and prints, a line a profile: type, unit, sum of the values; then for the first
                               profile "label KEY=VALUE SUM" and "link TRACE-ID SPAN-ID SUM"
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
        elif key & 7 == 1:
            value = int.from_bytes(data[at:at + 8], "little")
            at += 8
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
    sums, labels = [0] * len(types), {}
    for it in map(message, profile.get(2, [])):
        stack, values = packed(it[1]), packed(it[2])
        assert stack and all(i in locations for i in stack) and len(values) == len(types)
        sums = [a + b for a, b in zip(sums, values)]
        for label in map(message, it.get(3, [])):
            assert one(label, 1) and not one(label, 3)
            text = strings[one(label, 1)] + "=" + strings[one(label, 2)]
            labels[text] = labels.get(text, 0) + values[-1]
    assert strings[one(profile, 14)] in [strings[one(it, 1)] for it in types]
    for it, total in zip(types, sums):
        print(strings[one(it, 1)], strings[one(it, 2)], total, sep="\t")
    print("inlined", inlined, sep="\t")
    first = message(profile[3][0])
    print("main", strings[one(first, 5)], strings[one(first, 6)], sep="\t")
    for text in sorted(labels):
        print("label", text, labels[text], sep="\t")


def otlp(path):
    """The rules of opentelemetry-proto, profiles/v1development/profiles.proto."""
    data = message(open(path, "rb").read())
    assert set(data) == {1, 2} and len(data[1]) == len(data[2]) == 1
    tables = message(data[2][0])
    strings = [text.decode("utf-8") for text in tables[5]]
    assert strings[0] == "" and len(strings) == len(set(strings))
    mappings, locations, functions, links, attributes, stacks = (list(map(message, tables[i])) for i in (1, 2, 3, 4, 6, 7))
    for table in (mappings, locations, functions, links, attributes, stacks):
        assert table[0] == {}
    for it in attributes[1:]:
        assert strings[one(it, 1)] and set(message(it[2][0])) == {1}
    assert all(one(it, 1) <= one(it, 2) and strings[one(it, 4)] for it in mappings[1:])
    assert all(strings[one(it, 1)] and strings[one(it, 3)] is not None for it in functions[1:])
    for it in locations[1:]:
        assert one(it, 1) < len(mappings) and it[3]
        assert all(0 < one(message(line), 1) < len(functions) for line in it[3])
        mapping = mappings[one(it, 1)]
        assert not mapping or not one(it, 2) or one(mapping, 1) <= one(it, 2) < one(mapping, 2)
    assert all(0 < i < len(locations) for it in stacks[1:] for i in packed(it[1]))
    assert all(len(it[1][0]) == 16 and len(it[2][0]) == 8 for it in links[1:])
    resource = message(data[1][0])
    keys = [message(it)[1][0].decode() for it in message(resource[1][0])[1]]
    assert "service.name" in keys and len(keys) == len(set(keys))
    scope = message(resource[2][0])
    for number, profile in enumerate(map(message, scope[2])):
        total, by = 0, {}
        for it in map(message, profile.get(2, [])):
            assert 0 < one(it, 1) < len(stacks)
            value, = packed(it[4])
            total += value
            names = []
            for i in packed(it.get(2, [])):
                assert 0 < i < len(attributes)
                names.append(strings[one(attributes[i], 1)])
                text = f"label\t{names[-1]}={message(attributes[i][2][0])[1][0].decode()}"
                by[text] = by.get(text, 0) + value
            assert len(names) == len(set(names)), names
            if one(it, 3):
                link = links[one(it, 3)]
                text = f"link\t{link[1][0].hex()}\t{link[2][0].hex()}"
                by[text] = by.get(text, 0) + value
        kind = message(profile[1][0])
        print(strings[one(kind, 1)], strings[one(kind, 2)], total, sep="\t")
        if not number:
            first = by
    for text in sorted(first):
        print(text, first[text], sep="\t")


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


if __name__ == "__main__":
    {"speedscope": speedscope, "pprof": pprof, "otlp": otlp, "json": whole}[sys.argv[1]](sys.argv[2])
