#!/usr/bin/env python3
"""What stands around a program that ends: a supervisor, a process that inherits orphans, a terminal's job control.

Each of them prints one line that the tests read. AGENT in the environment is loaded into the command."""
import ctypes
import os
import signal
import subprocess
import sys
import time


ENVIRONMENT = {**os.environ, "LD_PRELOAD": os.environ["AGENT"]}


def start(command, **options):
    """Started, and its first line read."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT, **options)
    child.stdout.readline()
    return child


def start_and_wait_for(path, command, **options):
    """The same, and then until there is such a file."""
    if os.path.exists(path):
        os.unlink(path)
    child = start(command, **options)
    while not os.path.exists(path):
        time.sleep(0.01)
    return child


def signalled(runs, *command):
    """Runs the command, with SIGUSR1 every 10 ms from its first line to its end: statuses other than 7."""
    others = 0
    for _ in range(int(runs)):
        child = start(command)
        while child.poll() is None:
            child.send_signal(signal.SIGUSR1)
            time.sleep(0.01)
        others += child.returncode != 7
    print(others)


def orphans(runs, *command):
    """Inherits orphans like a container's first process; every third child is killed: pids that are not its."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    known = set()
    for i in range(int(runs)):
        pid = os.fork()
        if pid == 0:
            os.dup2(2, 1)
            os.execve(command[0], command, ENVIRONMENT)
        known.add(pid)
        if i % 3 == 2:
            time.sleep(0.1)
            os.kill(pid, signal.SIGKILL)
        if i % 3:
            os.waitpid(pid, 0)
    unknown = 0
    try:
        while True:
            unknown += os.waitpid(-1, 0)[0] not in known
    except ChildProcessError:
        print(unknown)


def told(number, path, *command):
    """Sends a signal when there is such a file: status, and seconds from the signal to the end."""
    child = start_and_wait_for(path, command)
    child.send_signal(int(number))
    sent = time.monotonic()
    print(child.wait(), int(time.monotonic() - sent))


def stopped(path, *command):
    """The keyboard's stop when there is such a file, then going on: whether it stopped, status."""
    child = start_and_wait_for(path, command, process_group=0)
    child.send_signal(signal.SIGTSTP)
    time.sleep(0.3)
    with open(f"/proc/{child.pid}/stat", encoding="utf8") as stat:
        state = stat.read().rsplit(")", 1)[1].split()[0]
    child.send_signal(signal.SIGCONT)
    print(state, child.wait())


globals()[sys.argv[1]](*sys.argv[2:])
