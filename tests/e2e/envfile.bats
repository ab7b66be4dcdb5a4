# .env.profiling: generated from the table, committed, sourced by shells, read by the agent and docker.
load helpers

# A source directory in miniature.
setup_checkout() {
	unset SMARTPROF_ENV SMARTPROF_DIR SMARTPROF_HISTORY
	mkdir -p "$WORK/check out/build"
	cp "$SMARTPROF" "$AGENT" "$WORK/check out/build/"
	cd "$WORK/check out"
}

@test "the committed file is what the table generates, and names no path of a machine" {
	setup_checkout
	build/smartprof config --write .env.profiling
	cmp .env.profiling "$ROOT/.env.profiling"
	refuse grep -nE '"/|=/|/home|/root' "$ROOT/.env.profiling"
	refuse grep -q '^[^#]*LD_PRELOAD' "$ROOT/.env.profiling"
	build/smartprof config --write .env.profiling # again, over its own
	cmp .env.profiling "$ROOT/.env.profiling"
}

@test "every line of it that sets something is accepted" {
	setup_checkout
	sed 's/^#export/export/' "$ROOT/.env.profiling" >.env.profiling
	SMARTPROF_CONFIG=.env.profiling build/smartprof config --json >config.json
	python3 -c 'import json, sys
j = json.load(open("config.json"))
sources = {s["name"]: s["source"] for s in j["settings"] if s["value"] is not None and s["name"] != "config"}
assert set(sources.values()) == {"file"}, sources
assert j["settings_file"]["problem"] is None'
}

@test "sourced in bash and zsh from anywhere, in dash from the directory" {
	setup_checkout
	cp "$ROOT/.env.profiling" .
	check='[ "$(command -v smartprof)" = "$where/build/smartprof" ] && [ -z "${LD_PRELOAD-}" ] &&
		[ -z "${smartprof_dir-}${smartprof_bin-}${smartprof_lib-}" ] && [ "$(pwd)" = "$here" ] &&
		LD_PRELOAD=libsmartprof.so /bin/grep -q "$where/build/libsmartprof.so" /proc/self/maps'
	export where=$PWD check
	for shell in bash "bash --posix" "bash -eu" zsh "zsh -eu"; do
		for here in "$PWD" / "$WORK"; do
			export here
			# shellcheck disable=SC2086 # words
			(cd "$here" && CDPATH=/ $shell -c 'source "$where/.env.profiling" && eval "$check"') 2>err ||
				fail "$shell in $here: $(cat err)"
			[ ! -s err ] || fail "$shell in $here says: $(cat err)"
		done
		# shellcheck disable=SC2086
		here=$PWD $shell -c '. ./.env.profiling && eval "$check"' || fail "$shell: ./"
	done
	here=$PWD bash -c 'source .env.profiling && eval "$check"'
	here=$PWD zsh -c 'source .env.profiling && eval "$check"'
	for shell in dash "dash -eu" "busybox sh"; do
		# shellcheck disable=SC2086
		here=$PWD $shell -c '. ./.env.profiling && eval "$check"' || fail "$shell"
	done
	# Twice is as good as once.
	bash -c '. ./.env.profiling; once=$PATH:$LD_LIBRARY_PATH; . ./.env.profiling; [ "$once" = "$PATH:$LD_LIBRARY_PATH" ]'
	LD_LIBRARY_PATH=/a:/b bash -c '. ./.env.profiling; [ "$LD_LIBRARY_PATH" = "$PWD/build:/a:/b" ]'
}

@test "after sourcing, plain LD_PRELOAD profiles" {
	setup_checkout
	cp "$ROOT/.env.profiling" .
	export WORK
	bash -c '. ./.env.profiling && cd "$WORK" && LD_PRELOAD=libsmartprof.so timeout 90 "$0" 0.3' "$TARGETS/cpu_truth" >out
	SMARTPROF_DIR=$WORK/profiles profile_of cpu_truth
}

@test "installed: sourced from there, it finds bin and lib" {
	unset SMARTPROF_ENV SMARTPROF_DIR SMARTPROF_HISTORY
	make -s -C "$ROOT" install PREFIX=/sp DESTDIR="$WORK/root" >/dev/null
	where=$WORK/root/sp
	cmp "$where/share/smartprof/.env.profiling" "$ROOT/.env.profiling"
	export where
	for shell in bash zsh; do
		"$shell" -c '. "$where/share/smartprof/.env.profiling" && [ "$(command -v smartprof)" = "$where/bin/smartprof" ] &&
			LD_PRELOAD=libsmartprof.so /bin/grep -q "$where/lib/libsmartprof.so" /proc/self/maps' || fail "$shell"
	done
	(cd "$where/share/smartprof" && dash -c '. ./.env.profiling && [ "$(command -v smartprof)" = "$where/bin/smartprof" ]')
	# Written elsewhere, it leads back here.
	mkdir project
	"$where/bin/smartprof" config --write project/.env.profiling
	bash -c '. project/.env.profiling && [ "$(command -v smartprof)" = "$where/bin/smartprof" ] &&
		LD_PRELOAD=libsmartprof.so /bin/grep -q "$where/lib/libsmartprof.so" /proc/self/maps'
}

@test "without a build it says so and changes nothing" {
	unset SMARTPROF_ENV SMARTPROF_DIR SMARTPROF_HISTORY
	cp "$ROOT/.env.profiling" .
	before=$PATH bash -euc '. ./.env.profiling 2>err; [ "$PATH" = "$before" ] && grep -q "build it with make" err'
}

@test "what is set is written as set, and nobody's file is overwritten" {
	setup_checkout
	SMARTPROF_CPU_SAMPLING_INTERVAL=3ms SMARTPROF_DIR="it's here" build/smartprof config --env ci --write .env.profiling
	grep -qx 'export SMARTPROF_ENV=ci' .env.profiling
	grep -qx 'export SMARTPROF_CPU_SAMPLING_INTERVAL=3000us' .env.profiling
	grep -qx "export SMARTPROF_DIR=\"it's here\"" .env.profiling
	bash -c '. ./.env.profiling && [ "$SMARTPROF_DIR" = "it'\''s here" ]'
	build/smartprof config --write .env.profiling # what it says is in force, so it stays
	grep -qx 'export SMARTPROF_ENV=ci' .env.profiling
	mkdir other
	status_of 1 build/smartprof config --write other/../../x/.env.profiling 2>err
	(cd / && status_of 1 "$WORK/check out/build/smartprof" config --write "$WORK/check out/.env.profiling") 2>err
	grep -q 'settings that are not in force here and would be lost' err
	echo mine >mine
	status_of 1 build/smartprof config --write mine 2>err
	[ "$(cat mine)" = mine ]
	SMARTPROF_DIR='$HOME'"'" status_of 1 build/smartprof config --write new 2>err
	[ ! -e new ]
}

@test "docker's form has no quotes and no shell" {
	setup_checkout
	SMARTPROF_ENV=production SMARTPROF_DIR="/data/my profiles" build/smartprof config --write --docker docker.env
	grep -v '^#' docker.env | grep -v '^$' >set
	printf 'SMARTPROF_ENV=production\nSMARTPROF_DIR=/data/my profiles\n' | cmp - set
	refuse grep -q '^#export' docker.env
	build/smartprof config --docker --write=docker.env
	# As docker reads it: every line that is no comment is NAME=value.
	refuse grep -vE '^(#.*|[A-Z_]+=.*|)$' docker.env
}

# What README says of settings, commands and programs is what there is.
@test "the README's table of settings, its commands, and its number of programs are true" {
	cat >readme.py <<'PY'
import re, sys

readme, settings = (open(name).read() for name in sys.argv[1:])
names = ("development", "production", "ci", "critical")


def plain(text):
    found = re.match(r"([\d,]+|on|off)(KiB)?", text.strip())
    word = found[1].replace(",", "")
    return str(int(word) * 1024) if found[2] else word


def default(variable):
    told = re.search(r"Default: ([^\n]*)\.\n#export %s=" % variable, settings)[1]
    of = {name: value for value, name in re.findall(r"(\S+) \((\w+)\)", told)}
    return [plain(of.get(name, told)) for name in names]


rows = re.findall(r"^\| `(SMARTPROF_\w+)`[^|]*\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$", readme, re.M)
assert len(rows) >= 10, rows
for variable, *values in rows:
    assert [plain(value) for value in values] == default(variable), (variable, values, default(variable))
PY
	python3 readme.py "$ROOT/README.md" "$ROOT/.env.profiling"
	sed 's/| 100 | 2000 |/| 100 | 1000 |/' "$ROOT/README.md" >other.md
	refuse python3 readme.py other.md "$ROOT/.env.profiling" 2>err
	grep -q SMARTPROF_CPU_SAMPLING_INTERVAL err
	for command in $(commands); do
		grep -q "smartprof $command" "$ROOT/README.md" || fail "README.md does not mention $command"
	done
	grep -q "lists $(grep -vc '^#' "$ROOT/tests/fixtures/programs.tsv") programs" "$ROOT/README.md"
}
