# What a later version may add, a reader of today passes over (docs/VERSIONS.md).
load helpers

later() { "$ROOT/tests/e2e/later.py" "$@"; }

# tables: what the schema has, and what these profiles have of it.
tables() { sed -nE 's/^(.*")?(## All [A-Za-z ]+) \(.*/\2/p' "$@" | sort -u; }

@test "profiles and the index of a run: keys, sections, tables and columns that are not known" {
	SMARTPROF_ENV=critical profiled bash -c "'$TARGETS/spans' requests 2; '$TARGETS/waits' 2 >/dev/null; LD_PRELOAD='$AGENT $TARGETS/plugins/plugin_traced.so' '$TARGETS/traced' work; :" >out
	index=$(echo profiles/critical/tree.*.md)
	"$SMARTPROF" report --merge --full --output profiles/critical/merged.1.md "$index"
	tables profiles/critical/*.md >there
	tables "$ROOT/profiles/markdown/schema.c" | diff - there
	mkdir later
	for profile in profiles/critical/*.[0-9]*.md; do
		[ "$profile" != "$index" ] || continue
		new=later/${profile##*/}
		later profile "$profile" >"$new"
		"$SMARTPROF" validate "$new" >said || fail "$(cat said)"
		for format in json folded pprof; do
			"$SMARTPROF" report --format $format "$profile" >old.$format
			"$SMARTPROF" report --format $format "$new" >new.$format
		done
		jq 'del(.facts.later, .facts.later_seconds, .facts.heap_later_bytes)' new.json >known.json
		jq . old.json | cmp - known.json
		cmp old.folded new.folded
		"$SMARTPROF" report --brief "$profile" | sed 's,[^ ]*/critical/,,' >old.brief
		"$SMARTPROF" report --brief "$new" | sed 's,[^ ]*later/,,' | cmp - old.brief
		"$SMARTPROF" compare "$profile" "$new" >compared
	done
	later tree "$index" >"later/${index##*/}"
	"$SMARTPROF" report --format folded "later/${index##*/}" >new.folded
	"$SMARTPROF" report --format folded "$index" | cmp - new.folded
}

@test "a row that has not its table's columns is told, with those that are not known too" {
	profiled "$TARGETS/cpu_truth" 0.1
	later profile "$(profile_of cpu_truth)" >later.md
	row=$(($(grep -n '^## All functions' later.md | cut -d: -f1) + 4))
	for damage in 's/\t[^\t]*$//' 's/$/\tmore/'; do
		sed "$row$damage" later.md >damaged.md
		status_of 2 "$SMARTPROF" report damaged.md >out 2>err
		grep -q "line $row: a row has not the columns of its table" err
		rm damaged.md
	done
}

@test "fields of JSON that are not known: a baseline, the noise of a series" {
	git init -q -b main .
	git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m one
	export SMARTPROF_HISTORY=$WORK/h.db
	"$SMARTPROF" monitor --runs 2 -- true >out
	"$SMARTPROF" baseline save >out
	"$SMARTPROF" baseline export >old.json
	later json old.json >new.json
	"$SMARTPROF" baseline show >old
	"$SMARTPROF" baseline delete main >out
	"$SMARTPROF" baseline import new.json >out
	"$SMARTPROF" baseline show | cmp - old
	mkdir -p ci
	for i in 1 2; do SMARTPROF_DIR=. SMARTPROF_ENV=ci profiled "$TARGETS/cpu_truth" 0.1; done
	echo '{"schema": "smartprof-noise/1", "program": "cpu_truth", "environment": "ci", "runs": 7, "spread": {"cpu": 0.01},
		"functions": [{"function": "main", "module": "x", "spread": 0.5}]}' >noise.json
	later json noise.json >ci/cpu_truth.noise.json
	"$SMARTPROF" compare --format json ci/cpu_truth.*.md >out.json
	grep -q '"calibrated_runs": 7' out.json
}

# Who writes another reader of spools goes by that page.
@test "the page on spools has their version and their sections, each with its number and record" {
	declared=$ROOT/sampler/spool.h
	sed -n 's/^#define SP_SPOOL_VERSION \([0-9]*\)u$/# The spool, version \1/p' "$declared" >version
	head -n 1 "$ROOT/docs/SPOOL.md" | diff version -
	sed -nE 's:^\tSP_SEC_([A-Z_]+), +/\* (struct (sp_[a-z_]+)|uint(..)_t|(char))[^a-z_].*:\1 \3\5 \4:p' "$declared" |
		awk '{ print NR - 1, $1, $2 + 0 ? "u" $2 : $2 }' >sections
	at_least "$(wc -l <sections)" 25
	sed -nE 's/^\| ([0-9]+) \| ([a-z ]+) \| `?([a-z_0-9]+)`? \|.*/\1|\2|\3/p' "$ROOT/docs/SPOOL.md" |
		awk -F'|' '{ gsub(" ", "_", $2); print $1, toupper($2), $3 }' | diff sections -
}
