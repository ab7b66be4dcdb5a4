#!/usr/bin/env bash
# How often what is said of a history is wrong: change points of simulated histories beside others'.
# Usage: gate.sh   (make bench-gate)
set -eu
cd "$(dirname "$0")/../.."
make -s build/bench/changes
python3 tests/bench/changes.py build/bench/changes
