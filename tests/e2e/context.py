#!/usr/bin/env python3
"""Reads from outside what threads of a process publish of their work, by OTEP 4719 and 4947 alone: the process context in the
mappings, the thread-local symbol in the ELF files that are mapped, its place by its relocation and the thread's pointer, and the record of
each thread, while it is stopped. Usage: context.py PID; prints the process context's attributes, then a line for each record:
    TID TRACE SPAN KEY=VALUE…"""
import ctypes
import os
import re
import struct
import subprocess
import sys

sys.dont_write_bytecode = True  # nothing of ours in the source directory
from formats import varint

SYMBOL = "otel_thread_ctx_v1"
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE_GETREGS, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 12, 17, 0x4206, 0x4207
FS_BASE = 21  # in struct user_regs_struct


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def read(pid, address, count):
    to = ctypes.create_string_buffer(count)
    local = Iovec(ctypes.cast(to, ctypes.c_void_p), count)
    remote = Iovec(address, count)
    if libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) != count:
        raise OSError(ctypes.get_errno(), f"nothing to read at {address:#x}")
    return to.raw


def words(pid, address, count):
    return struct.unpack(f"<{count}Q", read(pid, address, 8 * count))


def mappings(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        for line in file:
            low, high, _, offset, path = re.match(r"(\w+)-(\w+) (\S+) (\w+) \S+ \d+ *(.*)", line).groups()
            yield int(low, 16), int(offset, 16), path


# --- the process context

def fields(data):
    """Those of a protobuf message that are bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        assert tag & 7 == 2, "only messages and texts are expected"
        length, at = varint(data, at)
        assert at + length <= len(data), "a message is cut off"
        yield tag >> 3, data[at:at + length]
        at += length


def value_of(message):
    for field, data in fields(message):
        if field == 1:
            return data.decode()
        if field == 5:
            return [value_of(item) for number, item in fields(data) if number == 1]
    raise ValueError("a value of another kind")


def process_context(pid):
    found = [low for low, _, path in mappings(pid) if re.match(r"/memfd:OTEL_CTX|\[anon(_shmem)?:OTEL_CTX", path)]
    assert len(found) <= 1, "there must not be two process contexts"
    if not found:
        return None
    signature, version, size, published, payload = struct.unpack("<8sIIQQ", read(pid, found[0], 32))
    assert signature == b"OTEL_CTX" and version == 2 and published, "the header"
    attributes = {}
    for field, data in fields(read(pid, payload, size)):
        if field == 2:
            parts = dict(fields(data))
            attributes[parts[1].decode()] = value_of(parts[2])
    return attributes


# --- the threads' records

def slots_in(pid):
    """Of each object that has the symbol, the kind of its relocation, and where that is."""
    bases = {}
    for low, offset, path in mappings(pid):
        if path.startswith("/") and path not in bases and offset == 0 and not path.startswith("/memfd:"):
            bases[path] = low
    for path, base in bases.items():
        with open(path, "rb") as file:
            if file.read(4) != b"\x7fELF" or SYMBOL.encode() not in file.read():
                continue
        text = subprocess.run(["readelf", "-W", "--dyn-syms", "-r", path], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False).stdout.decode(errors="replace")
        if not re.search(rf"\bTLS\b.*\bDEFAULT\s+\d+ {SYMBOL}$", text, re.M):
            continue
        for kind in ("TLSDESC", "DTPMOD64", "TPOFF64"):
            place = re.search(rf"^(\w+)\s+\w+ R_X86_64_{kind}\s.*\b{SYMBOL}\b", text, re.M)
            if place:
                yield kind, base + int(place[1], 16)
                break


def pointer_of(pid, thread_pointer, slot):
    kind, place = slot
    if kind == "TPOFF64":
        return words(pid, (thread_pointer + words(pid, place, 1)[0]) % 2**64, 1)[0]
    first, second = words(pid, place, 2)
    if kind == "TLSDESC" and (second >= 2**63 or second < 2**20):
        return words(pid, (thread_pointer + second) % 2**64, 1)[0]
    module, offset = (first, second) if kind == "DTPMOD64" else words(pid, second, 2)
    vector = words(pid, thread_pointer + 8, 1)[0]
    block = words(pid, vector + 16 * module, 1)[0] if module <= words(pid, vector - 16, 1)[0] else 2**64 - 1
    return 0 if block in (0, 2**64 - 1) else words(pid, block + offset, 1)[0]


def record_of(pid, tid, slot, keys):
    if libc.ptrace(PTRACE_SEIZE, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    try:
        libc.ptrace(PTRACE_INTERRUPT, tid, None, None)
        os.waitpid(tid, 0x40000000)
        registers = (ctypes.c_uint64 * 27)()
        libc.ptrace(PTRACE_GETREGS, tid, None, ctypes.byref(registers))
        record = pointer_of(pid, registers[FS_BASE], slot)
        if not record:
            return None
        assert record % 2 == 0, "the record is not aligned"
        trace, span, valid, _, size = struct.unpack("<16s8sBBH", read(pid, record, 28))
        data = read(pid, record + 28, size) if valid == 1 and size else b""
    finally:
        libc.ptrace(PTRACE_DETACH, tid, None, None)
    if valid != 1:
        return None
    assert any(trace) == any(span) and size <= 612, "the record"
    attributes, at = {}, 0
    while at + 2 <= len(data) and at + 2 + data[at + 1] <= len(data):
        if data[at] < len(keys):
            attributes[keys[data[at]]] = data[at + 2:at + 2 + data[at + 1]].decode()
        at += 2 + data[at + 1]
    return trace.hex(), span.hex(), attributes


def main():
    pid = int(sys.argv[1])
    attributes = process_context(pid)
    print(attributes)
    for slot in slots_in(pid):
        for tid in sorted(map(int, os.listdir(f"/proc/{pid}/task"))):
            record = record_of(pid, tid, slot, (attributes or {}).get("threadlocal.attribute_key_map", []))
            if record:
                print(tid, record[0], record[1], *(f"{k}={v}" for k, v in record[2].items()))


main()
