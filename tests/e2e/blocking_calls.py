#!/usr/bin/python3
"""Lists what the C library exports that makes a system call which may block, and that is neither interposed by the agent
nor named in docs/WAITS.md as not seen. Usage: blocking_calls.py ROOT. Also checks that the document names every call that is timed."""
import bisect
import re
import subprocess
import sys

# What may block beside those system calls that the agent knows.
MORE = """futex fcntl process_vm_readv mount umount2 vfork fork clone readahead mlock mlock2 madvise getdents64 link symlink
	chmod chown access faccessat readlink setxattr getxattr statfs fstatfs chdir quotactl swapon swapoff reboot utimensat"""
# These wake others, or try.
HARMLESS = """__lll_lock_wake_private __lll_lock_wait_private pthread_cond_broadcast pthread_cond_signal pthread_mutex_init
	__pthread_mutex_init __pthread_mutex_trylock __pthread_rwlock_tryrdlock __pthread_rwlock_trywrlock pthread_rwlock_unlock
	__pthread_rwlock_unlock sem_post pthread_mutex_unlock __pthread_mutex_unlock herror"""


def said(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def exports(library):
    rows = (line.split() for line in said("nm", "-D", "--defined-only", library).splitlines())
    return [(int(row[0], 16), row[2].split("@")[0]) for row in rows if row[1] in "TWi"]


def system_calls(library, starts):
    """Function -> numbers of the system calls in it."""
    made, number = {}, None
    for line in said("objdump", "-d", "--no-show-raw-insn", library).splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+(.*)", line)
        if not match:
            continue
        what = match[2]
        loaded = re.match(r"mov\s+\$0x([0-9a-f]+),%eax", what)
        if loaded:
            number = int(loaded[1], 16)
        elif re.match(r"xor\s+%eax,%eax", what):
            number = 0
        elif what.startswith("syscall") and number is not None:
            made.setdefault(starts[bisect.bisect_right(starts, int(match[1], 16)) - 1], set()).add(number)
    return made


def main(root):
    libc = re.search(r"libc\.so\.6 => (\S+)", said("ldd", "/bin/sh"))[1]
    header = said("gcc", "-E", "-dM", "-include", "sys/syscall.h", "-xc", "/dev/null")
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", header))
    known = re.findall(r"\tX\((\w+), \w+\)", open(f"{root}/sampler/threads/open_wait.c").read())
    blocking = {int(numbers[name]) for name in known + MORE.split() if name in numbers}
    functions = exports(libc)
    frames = said("readelf", "--debug-dump=frames", libc, check=False)  # it warns of what it finds odd
    starts = sorted({int(pc, 16) for pc in re.findall(r"pc=([0-9a-f]+)\.\.", frames)} | {at for at, _ in functions})
    made = system_calls(libc, starts)
    ours = {name for _, name in exports(f"{root}/build/libsmartprof.so")}
    timed, unseen = open(f"{root}/docs/WAITS.md").read().split("## Calls that are not")
    told = set(re.findall(r"`(\w+)`", unseen)) | set(HARMLESS.split())
    names = {}
    for at, name in functions:
        names.setdefault(at, set()).add(name)
    missing = [sorted(those) for at, those in names.items() if made.get(at, set()) & blocking and not those & (ours | told)
               and not any(name.endswith("_nocancel") for name in those)]
    calls = set(re.findall(r"\tX\((\w+), [A-Z]+\)", open(f"{root}/sampler/wait_calls.h").read()))
    missing += [[f"{call} is not in docs/WAITS.md"] for call in sorted(calls - set(re.findall(r"`(\w+)`", timed)))]
    both = sorted(set(re.findall(r"`(\w+)`", unseen)) & ours - {"posix_spawn", "fork", "vfork", "malloc", "dlopen", "syscall"})
    missing += [[f"{name} is timed, but docs/WAITS.md says that it is not"] for name in both]
    assert len([at for at in made if made[at] & blocking]) > 60, "the C library's code is not understood"
    for those in sorted(missing):
        print(" ".join(those))
    return bool(missing)


sys.exit(main(sys.argv[1]))
