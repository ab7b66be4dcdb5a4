#!/usr/bin/python3
"""Names that try to be markup, terminal control or trouble. usage:
  hostile.py elf IN OUT       copies an ELF file, its symbols hostile_NN renamed
  hostile.py names            the names of threads, each ended by a NUL
  hostile.py found PROFILE    fails unless the complete part of the profile gives the names back exactly
  hostile.py pager FILE       shows the file in less -R on a terminal; fails when a control character gets through"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios

NAMES = [b"a|b|c", b"`code`", b"<script>alert(1)</script>", b"</details>", b"&lt;b&gt;", b"*bold* _em_ ~~del~~",
         b"[link](http://evil.example)", b"![img](x)", b"line\nbreak\n# heading", b"\x1b[31mRED\x1b]0;title\x07",
         b"\xe2\x80\xaeevil\xe2\x80\xac", b"bad\xff\xfe\xc3utf8", b"tab\there\rcr", b"back\\slash\\|", b"www.evil.example/x",
         b"me@evil.example", b"```", b"---", b"- [x] task", b"$$math$$ \xc2\x9b31m", b"1. one", b"| --- | --- |",
         b"ns::map<" + b"std::pair<int, long>, " * 2978 + b"x>::at(int)", b"<!-- comment -->"]
assert len(NAMES) == 24 and max(map(len, NAMES)) > 65000


def elf(source, target):
    numbers = [t * 10 + n for t in (1, 2, 3) for n in range(8)]
    command = ["objcopy"]
    for number, name in zip(numbers, NAMES):
        command += [b"--redefine-sym", b"hostile_%d=%s" % (number, name)]
    subprocess.run(command + [source, target], check=True)


def unescape(field):
    return re.sub(rb"\\(\\|x([0-9a-f]{2}))", lambda m: bytes([int(m[2], 16)]) if m[2] else b"\\", field)


def found(path):
    rows = open(path, "rb").read().split(b"\n## All functions (")[1].split(b"\n```\n")[0].split(b"\n")
    names = {unescape(row.split(b"\t")[8]) for row in rows if row.count(b"\t") == 11}
    missing = [name for name in NAMES if name.split(b"@")[0] not in names]  # "@" begins a symbol's version
    for name in missing:
        print(f"not found: {name[:80]!r}", file=sys.stderr)
    return not missing


def pager(path):
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 60000, 65500, 0, 0))
        os.environ.update(TERM="dumb", LESSCHARSET="utf-8")
        os.execlp("less", "less", "-R", "-F", "-X", path)
    output, answers = b"", [b"\n", b"q", b"q"]  # it warns of a dumb terminal, shows, and may ask
    while True:
        if not select.select([terminal], [], [], 2)[0]:
            if not answers:
                break
            os.write(terminal, answers.pop(0))
            continue
        try:
            block = os.read(terminal, 65536)
        except OSError:
            break
        if not block:
            break
        output += block
        if b"RETURN" in block:
            os.write(terminal, answers.pop(0))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if len(output) < os.path.getsize(path):
        print(f"{len(output)} bytes shown of {os.path.getsize(path)}", file=sys.stderr)
        return False
    bad = re.search("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]",
                    output.replace(b"\x1b[m", b"").decode("utf-8", "replace"))  # less ends its lines so
    if bad:
        print(f"control character {bad[0]!r} at {bad.start()}", file=sys.stderr)
    return not bad


if __name__ == "__main__":
    what, arguments = sys.argv[1], sys.argv[2:]
    if what == "names":
        sys.stdout.buffer.write(b"".join(name + b"\0" for name in NAMES if len(name) < 1000))
    elif what == "elf":
        elf(*arguments)
    elif not {"found": found, "pager": pager}[what](*arguments):
        sys.exit(1)
