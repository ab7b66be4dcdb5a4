#!/bin/sh
# Made by `smartprof init pre-commit --note`. Keeps what the last run of each command came to as a git note of the commit:
# git log --notes=smartprof
hook=post-commit
before=$(dirname "$0")/$hook.before-smartprof
if [ -x "$before" ]; then "$before" "$@" || exit; fi
smartprof=$(command -v smartprof || echo @SMARTPROF@)
[ -x "$smartprof" ] || exit 0
figures=$(timeout 2 "$smartprof" history figures 2>/dev/null)
[ -z "$figures" ] || git notes --ref=smartprof add -f -m "$figures" HEAD 2>/dev/null
exit 0
