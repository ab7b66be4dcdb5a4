#!/bin/bash
# What `smartprof top` takes of a core, beside a process whose spool has STACKS=100000 stacks, of which a fifth are of the
# heap, and in which ACTIVE=1000 stacks and heap sites move each second: on a screen of 200x60, with the view of functions
# and that of the heap, and with -b and --json, which show all of them. SECONDS_EACH=20. Exit status 1: a target is missed.
set -eu
root=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d /dev/shm/smartprof-bench.XXXXXX)
trap 'rm -rf "$work"' EXIT
make -s -C "$root" build/smartprof build/bench/top_load
export XDG_CACHE_HOME=$work/cache
nm -S --defined-only "$root/build/smartprof" | awk '$3 ~ /^[tT]$/ && $2 !~ /^0*$/ { print $1, $2 }' | sort -u >"$work/functions"
id=$(readelf -n "$root/build/smartprof" | sed -n "s/ *Build ID: //p")
exec python3 - "$root" "$work" "${STACKS:-100000}" "${ACTIVE:-1000}" "${SECONDS_EACH:-20}" "$id" <<'PY'
import fcntl, os, pty, resource, select, struct, subprocess, sys, termios, time

root, work, stacks, active, seconds = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5])
spool = work + "/1.1.bench.spool"
load = subprocess.Popen([root + "/build/bench/top_load", root + "/build/smartprof", spool, stacks, active,
                         work + "/functions", sys.argv[6]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
load.stdout.readline()
command = [root + "/build/smartprof", "top"]

def used(pid):
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

def memory(pid):
    return next(int(line.split()[1]) for line in open("/proc/%d/status" % pid) if line.startswith("VmHWM")) // 1024

# Once it has found the names of what moves: shares of a core, and of the whole.
def measure(pid, drain):
    drain(10)
    before, from_s = used(pid), time.monotonic()
    drain(seconds)
    return (used(pid) - before) / (time.monotonic() - from_s) * 100, before, memory(pid)

def on_screen(keys):
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.environ["LC_ALL"] = "C.UTF-8"
        os.execv(command[0], command + [spool])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    def drain(s):
        end = time.monotonic() + s
        while time.monotonic() < end:
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    os.read(fd, 65536)
                except OSError:  # it has ended
                    return
    drain(0.5)
    os.write(fd, keys)
    result = measure(pid, drain)
    os.write(fd, b"q")
    drain(0.5)
    os.waitpid(pid, 0)
    return result

def in_a_pipe(flag):
    process = subprocess.Popen(command + [flag, spool], stdout=subprocess.DEVNULL)
    result = measure(process.pid, time.sleep)
    process.terminate()
    process.wait()
    return result

print("%s stacks, of which %s move a second\n" % (stacks, active))
print("| | % of a core | the first 10 s, s of CPU | memory, MB | target |\n|---|---:|---:|---:|---:|")
missed = False
for name, run, how in (("functions", on_screen, b" "), ("heap sites", on_screen, b"h"),
                       ("-b", in_a_pipe, "-b"), ("--json", in_a_pipe, "--json")):
    percent, first, megabytes = run(how)
    missed |= percent > 2 and run is on_screen
    print("| %s | %.2f | %.2f | %d | %s |" % (name, percent, first, megabytes, "2 %" if run is on_screen else ""),
          flush=True)
load.stdin.close()
load.wait()
sys.exit(missed)
PY
