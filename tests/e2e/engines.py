#!/usr/bin/python3
"""Stands in for engines that cannot be had as packages: Pyroscope, Parca and an OpenTelemetry collector, by what their
projects publish, and strictly: what they would refuse is refused. usage: engines.py DIRECTORY [CERTIFICATE KEY]

Listens on a port of loopback and writes it to DIRECTORY/port. Of each request it takes it appends a line to DIRECTORY/taken:
engine, name of the profile, sums of the values by type, and the labels; what is refused goes to DIRECTORY/refused. What
DIRECTORY/answer holds is the answer to requests as long as it is there, each of which is a line in DIRECTORY/asked: "503", "429 2"
and "date 2" (with Retry-After), "partial", "hang 3" (and then as always, with a line in DIRECTORY/let_go), "to URL" (a redirect), "echo"
(401, with what was asked), "mute" (it is taken, and the connection closed without a word), "endless 200" and "drip 200" (a body without end, as fast as it goes and byte by byte; a line in DIRECTORY/let_go
when the other has had enough), "clock -60" (its clock is a minute behind; what else it is to do may follow). What
DIRECTORY/authorization holds must come with every request. PORT: where to listen, instead of anywhere."""
import base64
import datetime
import email.utils
import gzip
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import time

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
PROFILE_BYTES, SAMPLES, LABELS, NAME_BYTES, VALUE_BYTES = 4194304, 16000, 30, 1024, 2048
OLD_S, NEW_S = 3600, 600


class Refused(Exception):
    pass


def check(condition, why):
    if not condition:
        raise Refused(why)


def decode(proto, message, data):
    """What protoc makes of it, as (name, value or list) pairs. A field that the .proto does not know has a number for its name."""
    done = subprocess.run(["protoc", "-I" + os.path.dirname(os.path.join(FIXTURES, proto)), "--decode=" + message,
                           os.path.basename(proto)], input=data, capture_output=True, check=False)
    check(done.returncode == 0, "protoc: " + done.stderr.decode()[:200])
    stack = [[]]
    for line in done.stdout.decode().splitlines():
        line = line.strip()
        if line.endswith("{"):
            check(not line[0].isdigit(), "an unknown field: " + line)
            stack[-1].append((line[:-2], []))
            stack.append(stack[-1][-1][1])
        elif line == "}":
            stack.pop()
        else:
            name, value = line.split(": ", 1)
            check(not name.isdigit(), "an unknown field: " + line)
            stack[-1].append((name, value))
    return stack[0]


def of(fields, name):
    return [value for key, value in fields if key == name]


def number(fields, name):
    return int((of(fields, name) or ["0"])[0])


def raw(quoted):
    return quoted[1:-1].encode().decode("unicode_escape").encode("latin-1")


def text(quoted):
    return raw(quoted).decode()


def pprof_format(packed):
    """Sums by type as npm's reader has them."""
    done = subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "pprof_format.js")], input=packed, capture_output=True, check=False)
    check(done.returncode == 0, "pprof-format: " + done.stderr.decode()[:200])
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    return [(kind + "/" + unit, int(value)) for kind, unit, value in rows]


def pprof(packed):
    """Sums by type, after the checks that both engines make."""
    try:
        data = gzip.decompress(packed)
    except OSError as error:
        raise Refused("no gzip") from error
    fields = decode("engines/push.proto", "engines.Pprof", data)
    strings = [text(one) for one in of(fields, "string_table")]
    check(strings and strings[0] == "", "the first string is not empty")
    types = [strings[number(one, "type")] + "/" + strings[number(one, "unit")] for one in of(fields, "sample_type")]
    locations = {number(one, "id") for one in of(fields, "location")}
    functions = {number(one, "id") for one in of(fields, "function")}
    mappings = {number(one, "id") for one in of(fields, "mapping")} | {0}
    for one in of(fields, "location"):
        check(number(one, "id") and number(one, "mapping_id") in mappings, "a location of no mapping")
        check(all(number(line, "function_id") in functions for line in of(one, "line")), "a line of no function")
    sums = [0] * len(types)
    samples = of(fields, "sample")
    for sample in samples:
        values = [int(one) for one in of(sample, "value")]
        check(len(values) == len(types), "values and types differ in number")
        check(all(int(one) in locations for one in of(sample, "location_id")), "a sample of no location")
        sums = [a + b for a, b in zip(sums, values)]
    check(pprof_format(packed) == list(zip(types, sums)), "npm's pprof-format reads other sums")
    return len(data), len(samples), number(fields, "time_nanos") / 1e9, number(fields, "duration_nanos") / 1e9, dict(zip(types, sums))


def check_labels(labels):
    names = [label["name"] for label in labels]
    check(all(set(label) == {"name", "value"} for label in labels), "a label of other fields")
    check(all(NAME.match(name) for name in names), "a label's name is not valid: " + " ".join(names))
    check(len(set(names)) == len(names), "a label twice")
    return {label["name"]: label["value"] for label in labels}


def pyroscope(body):
    taken = []
    request = json.loads(body)
    check(set(request) == {"series"} and request["series"], "no series")
    for series in request["series"]:
        check(set(series) == {"labels", "samples"}, "a series of other fields")
        labels = check_labels(series["labels"])
        check("__name__" in labels and "service_name" in labels, "__name__ and service_name are wanted")
        check(len(labels) <= LABELS, "more than 30 labels")
        check(all(len(k.encode()) <= NAME_BYTES and len(v.encode()) <= VALUE_BYTES for k, v in labels.items()), "a label is too long")
        for sample in series["samples"]:
            check(set(sample) == {"ID", "rawProfile"} and re.match(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", sample["ID"]), "ID")
            size, samples, begin, length, sums = pprof(base64.b64decode(sample["rawProfile"], validate=True))
            check(size <= PROFILE_BYTES, "the profile is larger than 4 MiB")
            check(samples <= SAMPLES, f"{samples} samples are more than 16000")
            age = time.time() - begin - length
            check(-NEW_S < age < OLD_S, "profile with labels is outside of ingestion window")
            taken.append((labels.pop("__name__"), sums, labels, samples))
    return "application/json", b"{}", taken


def parca(body):
    taken = []
    request = json.loads(body)
    check(set(request) <= {"tenant", "series", "normalized"} and request["series"], "no series")
    for series in request["series"]:
        check(set(series) == {"labels", "samples"} and set(series["labels"]) == {"labels"}, "a series of other fields")
        labels = check_labels(series["labels"]["labels"])
        for sample in series["samples"]:
            check(set(sample) == {"rawProfile"}, "a sample of other fields")
            _, samples, _, _, sums = pprof(base64.b64decode(sample["rawProfile"], validate=True))
            taken.append((labels.pop("__name__"), sums, labels, samples))
    return "application/json", b"{}", taken


def attributes(fields):
    values = {}
    for one in fields:
        check(text(of(one, "key")[0]) not in values, "an attribute twice: " + text(of(one, "key")[0]))
        (value,) = of(one, "value")
        values[text(of(one, "key")[0])] = text(value[0][1]) if value[0][0] == "string_value" else value[0][1]
    return values


def otlp(body):
    taken = []
    # ExportProfilesServiceRequest has the fields of ProfilesData, with the same numbers.
    data = decode("otlp/profiles.proto", "opentelemetry.proto.profiles.v1development.ProfilesData", body)
    (dictionary,) = of(data, "dictionary")
    strings = [text(one) for one in of(dictionary, "string_table")]
    stacks, links = of(dictionary, "stack_table"), of(dictionary, "link_table")
    attribute_count = len(of(dictionary, "attribute_table"))
    for table in ("mapping_table", "location_table", "function_table", "stack_table", "attribute_table"):
        values = of(dictionary, table)
        check(values and not [one for one in values[0] if one[1] not in ("0", '""')], "the first of " + table + " is not nothing")
    check(strings[0] == "" and len(set(strings)) == len(strings), "strings")
    check(len({str(one) for one in stacks}) == len(stacks), "a stack twice")
    check(links, "no link of nothing")
    for resource in of(data, "resource_profiles"):
        labels = attributes(of(of(resource, "resource")[0], "attributes"))
        check("service.name" in labels, "service.name")
        for profile in of(of(resource, "scope_profiles")[0], "profiles"):
            (kind,) = of(profile, "sample_type")
            check(len(raw(of(profile, "profile_id")[0])) == 16, "profile_id")
            total, seen = 0, set()
            for sample in of(profile, "samples"):
                values = of(sample, "values")
                check(len(values) == 1, "one value for one type")
                check(number(sample, "stack_index") < len(stacks) and number(sample, "link_index") < len(links), "an index")
                check(all(int(one) < attribute_count for one in of(sample, "attribute_indices")), "an attribute")
                identity = (number(sample, "stack_index"), number(sample, "link_index"), tuple(of(sample, "attribute_indices")))
                check(identity not in seen, "a sample twice")
                seen.add(identity)
                total += int(values[0])
            name = strings[number(kind, "type_strindex")]
            taken.append((name, {name + "/" + strings[number(kind, "unit_strindex")]: total}, labels, len(seen)))
    return "application/x-protobuf", b"", taken


DOORS = {"/push.v1.PusherService/Push": ("pyroscope", pyroscope, "application/json"),
         "/profiles/writeraw": ("parca", parca, "application/json"),
         "/v1development/profiles": ("otlp", otlp, "application/x-protobuf")}


class Engine(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    muted = False
    ahead_s = 0

    def date_time_string(self, timestamp=None):
        return super().date_time_string((timestamp or time.time()) + self.ahead_s)

    def answer(self, status, kind, body, more=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def never_end(self, status, slowly):
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        sent = 0
        try:
            while True:
                self.wfile.write(b"x" * (1 if slowly else 65536))
                sent += 1 if slowly else 65536
                if slowly:
                    time.sleep(0.1)
        except OSError:
            note("let_go", sent)

    def planned(self):
        """What the test wants next; False: nothing in particular."""
        try:
            with open("answer", encoding="utf-8") as plan:
                words = plan.read().split()
        except FileNotFoundError:
            return False
        note("asked", *words)
        self.ahead_s = 0
        if words[0] == "clock":
            self.ahead_s = int(words[1])
            words = words[2:]
            if not words:
                return False
        if words[0] == "hang":
            time.sleep(float(words[1]))
            note("let_go", *words)
            return False
        if words[0] == "partial":
            message = b"\x08\x02\x12\x07too bad"
            self.answer(200, "application/x-protobuf", b"\x0a" + bytes([len(message)]) + message)
            return True
        if words[0] == "to":
            self.answer(307, "text/plain", b"", [("Location", words[1])])
            return True
        if words[0] == "echo":
            self.answer(401, "text/plain", ("you sent " + (self.headers["Authorization"] or "nothing")).encode())
            return True
        if words[0] == "mute":
            self.muted = True
            return False
        if words[0] in ("endless", "drip"):
            self.never_end(int(words[1]), words[0] == "drip")
            return True
        if words[0] == "date":
            words = ["429", email.utils.format_datetime(
                datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=int(words[1]) + self.ahead_s), usegmt=True)]
        self.answer(int(words[0]), "text/plain", b"not now", [("Retry-After", words[1])] if len(words) > 1 else ())
        return True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        note("headers", *sorted(name.lower() for name in self.headers))
        if os.path.exists("authorization"):
            with open("authorization", encoding="utf-8") as wanted:
                if self.headers["Authorization"] != wanted.read().strip():
                    self.answer(401, "text/plain", b"who are you")
                    return
        if self.planned():
            return
        try:
            check(self.path in DOORS, "there is no " + self.path)
            name, read, kind = DOORS[self.path]
            check(self.headers["Content-Type"] == kind, "Content-Type")
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            kind, said, taken = read(body)
        except (Refused, ValueError, KeyError, IndexError) as error:
            note("refused", repr(error))
            self.answer(400, "text/plain", repr(error).encode())
            return
        for profile, sums, labels, samples in taken:
            note("taken", name, profile, json.dumps(sums, sort_keys=True), json.dumps(labels, sort_keys=True), samples)
        if self.muted:
            self.close_connection = True
            return
        self.answer(200, kind, said)

    def log_message(self, *_):
        pass


def note(file, *what):
    with open(file, "a", encoding="utf-8") as out:
        print(*what, sep="\t", file=out)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 0))), Engine)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    os.chdir(sys.argv[1])
    with open("port.new", "w", encoding="utf-8") as out:
        print(server.server_port, file=out)
    os.rename("port.new", "port")
    server.serve_forever()


main()
