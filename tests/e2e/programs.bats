# Programs known to work (tests/fixtures/programs.tsv): the same output and status, and a valid profile with names.
load helpers

# Files that the commands of the list work on, below $IN.
make_inputs() {
	export IN=$WORK/in
	mkdir -p "$IN"
	find /usr/include -maxdepth 2 -name '*.h' -print0 | sort -z | xargs -0 cat | head -c 6000000 >"$IN/lines"
	/usr/bin/python3 - "$IN" <<-'PYTHON'
		import json, math, random, struct, sys, wave
		to = sys.argv[1]
		r = random.Random(7)
		json.dump([{"id": i, "name": "n%d" % r.getrandbits(40), "tags": ["t%d" % r.randrange(99)] * 3} for i in range(20000)],
		    open(to + "/json", "w"))
		with open(to + "/source.c", "w") as f:
		    for i in range(250):
		        f.write("static int f%d(int x, const int *p) { int s = %d; while (x > 1) { s += p[x %% %d]; x = x %% 2 ? 3 * x + 1 : x / 2; } return s; }\n" % (i, i, i % 13 + 1))
		    f.write("int main(int n, char **v) { int a[16] = {n}, s = 0; (void)v;\n" + "".join("s += f%d(n, a);\n" % i for i in range(250)) + "return s == 1; }\n")
		with open(to + "/source.cc", "w") as f:
		    f.write("#include <map>\n#include <regex>\n#include <string>\n#include <functional>\nint main(int n, char **v) { std::map<std::string, std::function<int(int)>> m; m[v[0]] = [n](int x) { return x + n; }; std::regex r(v[0]); return m.begin()->second(std::regex_match(v[0], r)); }\n")
		with wave.open(to + "/sound.wav", "wb") as w:
		    w.setparams((2, 2, 44100, 0, "NONE", ""))
		    w.writeframes(b"".join(struct.pack("<hh", int(9000 * math.sin(i / 40)), int(r.gauss(0, 3000)) % 9999) for i in range(44100 * 8)))
		with open(to + "/book.xml", "w") as f:
		    f.write("<book>" + "".join('<row n="%d">%s</row>' % (i, "<cell>%d</cell>" % (i * 7) * 6) for i in range(30000)) + "</book>\n")
		open(to + "/book.xsl", "w").write('<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:output method="text"/><xsl:template match="/"><xsl:for-each select="//row"><xsl:sort select="cell[3]" order="descending" data-type="number"/><xsl:value-of select="sum(cell)"/></xsl:for-each></xsl:template></xsl:stylesheet>')
		open(to + "/graph.dot", "w").write("digraph g {" + "".join("n%d -> n%d;" % (i, r.randrange(i + 1, 140)) for i in range(139) for _ in range(2)) + "}")
		open(to + "/problem.cnf", "w").write("p cnf 150 640\n" + "".join(" ".join(str(r.choice((-1, 1)) * v) for v in r.sample(range(1, 151), 3)) + " 0\n" for _ in range(640)))
		open(to + "/problem.smt2", "w").write("(declare-const a (_ BitVec 24))(declare-const b (_ BitVec 24))(assert (= (bvmul a b) #x7a3f91))(assert (bvugt a #x000001))(assert (bvult b #x00ffff))(check-sat)")
		open(to + "/problem.mod", "w").write("set I := 1..28; param c{i in I, j in I} := (i * 37 + j * 91) mod 53 + 1; var x{I, I} binary; minimize z: sum{i in I, j in I} c[i,j] * x[i,j]; s.t. r{i in I}: sum{j in I} x[i,j] = 1; s.t. k{j in I}: sum{i in I} x[i,j] = 1; s.t. cap: sum{i in I, j in I: i < j} x[i,j] <= 9; end;")
		open(to + "/doc.ps", "w").write("%!PS\n" + "".join("%d %d moveto %d %d lineto stroke\n" % tuple(r.randrange(600) for _ in range(4)) for _ in range(30000)) + "showpage\n")
	PYTHON
	git init -q "$IN/repo"
	git -C "$IN/repo" config user.email a@b.example
	git -C "$IN/repo" config user.name a
	for n in $(seq 60); do
		seq "$n" $((n * 300)) >"$IN/repo/file$((n % 9))"
		git -C "$IN/repo" add -A
		git -C "$IN/repo" commit -q -m "change $n"
	done
	if command -v gs >/dev/null; then gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile="$IN/doc.pdf" "$IN/doc.ps"; fi
}

# works PROGRAM COMMAND: as without, and its profile, unless PROGRAM is -, is there and valid.
works() {
	rm -rf "$SMARTPROF_DIR"
	same_run_but_files sh -c "$2" || return 1 # keys and dates are never the same
	[ "$1" = - ] || profile_of "$1" >/dev/null || return 1
	[ ! -d "$SMARTPROF_DIR" ] || find "$SMARTPROF_DIR" -type f -name '*.md' -not -name 'tree.*' -exec "$SMARTPROF" validate {} + >validate.log ||
		{ cat validate.log; return 1; }
}

@test "programs known to work: output, status and a valid profile" {
	local when package program command failed='' absent='' done=0
	make_inputs
	while IFS=$'\t' read -r when package program command; do
		[ "$when" = often ] || { [ "$when" = rest ] && [ -n "${SP_LONG-}" ]; } || continue
		if ! dpkg-query -W "$package" >/dev/null 2>&1; then
			absent="$absent $package"
		elif works "$program" "$command" >"$WORK/log" 2>&1; then
			done=$((done + 1))
		else
			failed="$failed $package"
			tail -n 12 "$WORK/log" >&2
		fi
	done <"$ROOT/tests/fixtures/programs.tsv"
	echo "programs that work: $done; not installed:$absent"
	[ -z "$failed" ] || fail "not as without the profiler:$failed"
	[ "$done" -gt 0 ] || fail "nothing was tried: none of them is installed"
}
