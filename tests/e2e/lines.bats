# The guilty line: of optimized code, of the heap, in the verdict and in what other programs are given.
load helpers

# words.cpp: hash_bytes is inlined into main and burns at line 9; strings and vectors are allocated for Index::add at
# line 20, by way of the library's templates.
words() {
	cat >words.cpp <<-'CPP'
		#include <string>
		#include <vector>
		#include <map>
		#include <cstdio>
		#include <cstdlib>
		static unsigned long hash_bytes(const std::string &s) {
			unsigned long h = 5381;
			for (int r = 0; r < 60; r++)
				for (char c : s) { h ^= (unsigned char)c; h *= 1099511628211UL; }
			return h;
		}
		template <class A> struct tag {};
		template <class T> struct deep { using type = deep<tag<T>>; T value; std::string text; };
		using entry = deep<tag<tag<tag<tag<tag<tag<tag<tag<tag<tag<tag<tag<tag<tag<tag<std::map<std::string,
			std::vector<std::map<std::string, std::vector<std::map<std::string, std::vector<int>>>>>>>>>>>>>>>>>>>>>>;
		struct Index {
			std::map<int, std::vector<entry>> all;
			void add(const std::string &w, int at) {
				entry e; e.text = w;
				all[at % 7].push_back(e);
			}
		};
		int main() {
			Index ix;
			unsigned long h = 0;
			for (int i = 0; i < 150000; i++) {
				std::string w = "a word that is too long to be short " + std::to_string(i);
				h ^= hash_bytes(w);
				ix.add(w, i);
			}
			printf("%lu\n", h);
		}
	CPP
	g++ -O2 -g -o words words.cpp
}
# verdict FILE
verdict() { grep -m 1 '^\*\*Verdict' "$1"; }

@test "optimized code: the verdict names the inlined function and its line, in development and in ci" {
	words
	for env in development ci; do
		SMARTPROF_ENV=$env profiled ./words >out
		profile=$(profile_of words)
		verdict "$profile" | grep -Eq '% ± [0-9.]+ in hash_bytes \([0-9]+ % of it at words\.cpp:9\)'
		"$SMARTPROF" validate "$profile"
		rm -r profiles
	done
	"$SMARTPROF" run --no-inlines -- ./words >out
	profile=$(profile_of words)
	verdict "$profile" | grep -Eq '% ± [0-9.]+ in main '
	refuse grep -q '	hash_bytes	' "$profile"
}

@test "heap sites, folded and pprof: the program's own function, not the library's templates" {
	words
	profiled ./words >out
	profile=$(profile_of words)
	verdict "$profile" | grep -Eq 'of the peak, [^,]*, was allocated in Index::add\(.*\) \(words\.cpp:[0-9]+\)'
	section '## Heap Sites (At Peak)' "$profile" >sites
	grep -q 'Index::add' sites
	refuse grep -Eq '\| (void )?(std|__gnu_cxx)::|operator new' sites
	"$SMARTPROF" report --format folded --metric peak "$profile" >folded
	refuse grep -Eq ';(void )?(std|__gnu_cxx)::[^;]* [0-9]+$|operator new|malloc [0-9]+$' folded
	grep -q ';Index::add' folded
	"$SMARTPROF" report --format pprof --metric peak "$profile" >heap.pb.gz
	zcat heap.pb.gz >heap.pb
	refuse grep -aq 'operator new' heap.pb
	grep -aq 'Index::add' heap.pb
}

@test "time in a library's function: the verdict names the program's line it is for" {
	cat >copies.c <<-'C'
		#include <string.h>
		static char from[1 << 22], to[1 << 22];
		__attribute__((noinline)) void xmemdup(int n)
		{
			memcpy(to, from, sizeof(to) - n);
		}
		__attribute__((noinline)) void copy_all(int n)
		{
			xmemdup(n);
		}
		int main(void)
		{
			for (int i = 0; i < 1500; i++)
				copy_all(i % 9);
			return to[1];
		}
	C
	gcc -O1 -g -fno-optimize-sibling-calls -o copies copies.c
	profiled ./copies
	verdict "$(profile_of copies)" | grep -Eq 'libc\.so\.6\) \([0-9]+ % of it for copy_all at copies\.c:9\)' # past a wrapper of an allocator
}

@test "threads that meet at a lock are told of the lock and its line, not to look at callers" {
	cat >lock.c <<-'C'
		#include <pthread.h>
		static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
		static volatile long count;
		static void *work(void *arg)
		{
			for (int i = 0; i < 3000000; i++) {
				pthread_mutex_lock(&lock);
				count++;
				pthread_mutex_unlock(&lock);
			}
			return arg;
		}
		int main(void)
		{
			pthread_t t[16];
			for (int i = 0; i < 16; i++) pthread_create(&t[i], 0, work, 0);
			for (int i = 0; i < 16; i++) pthread_join(t[i], 0);
			return 0;
		}
	C
	gcc -O2 -g -o lock lock.c -lpthread
	profiled ./lock
	verdict "$(profile_of lock)" >verdict
	# On a busy machine threads wait so long for the lock's holder, or for a CPU, that this comes first.
	grep -Eq 'Next: (have threads meet less often, as [0-9]+ % of the CPU time .* for work at lock\.c:[79]:|threads (waited for [0-9]+ % of their time for lock \(held mostly, as far as it was seen, by work |could have run ))' verdict
	refuse grep -q 'see who calls' verdict
}

@test "generated code without names: node is told of its flags; a leak's count is that of its bytes; names of libc are those people know" {
	if command -v node >/dev/null; then
		echo 'function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); } console.log(fib(38));' >spin.js
		profiled node spin.js >out
		verdict "$(profile_of node)" | grep -q 'Next: .* run it as `node --perf-basic-prof'
		rm -r profiles
	fi
	cat >leak.c <<-'C'
		#include <stdlib.h>
		#include <string.h>
		static void *all;
		__attribute__((noinline)) void keep_one(void) { void **p = malloc(1000); memset(p, 0, 1000); *p = all; all = p; }
		int main(void)
		{
			for (int i = 0; i < 300000; i++) { keep_one(); free(memset(malloc(300), 1, 300)); }
			return all == NULL;
		}
	C
	gcc -O2 -g -fno-builtin -o leak leak.c
	profiled ./leak
	profile=$(profile_of leak)
	section '## Leak Suspects' "$profile" | grep 'keep_one' | awk -F' *\\| *' '{ split($3, size, " "); unit["KiB"] = 1024; unit["MiB"] = 1048576
		each = size[1] * unit[size[2]] / $4; exit !(each > 980 && each < 1020) }'
	refuse grep -Eq 'mallinfo|cfree|__GI_|__libc_(malloc|free)' "$profile"
	awk -F'[|%]' '/^\| [0-9.]+% \|/ && $2 > 100 { print; bad = 1 } END { exit bad }' "$profile"
}

@test "report --brief: 4 KB at most, with the line, the leak and what is missing; the same as JSON; of a spool too" {
	words
	profiled ./words >out
	profile=$(profile_of words)
	"$SMARTPROF" report --brief "$profile" >brief
	[ "$(wc -c <brief)" -le 4096 ]
	grep -q '^\*\*Verdict (words)' brief
	grep -Eq '^1\. [0-9.]+ % ± [0-9.]+ hash_bytes \([0-9]+ % of it at .*words\.cpp:9\)$' brief
	grep -q '^Hottest path ([0-9.]* %): .*main → hash_bytes$' brief
	grep -q '^Missing: ' brief
	"$SMARTPROF" report --brief --json --output brief.json "$profile"
	[ "$(wc -c <brief.json)" -le 4096 ]
	python3 - <<-'PY'
		import json
		b = json.load(open("brief.json"))
		assert b["hottest"][0]["function"] == "hash_bytes" and "words.cpp:9" in b["hottest"][0]["where"], b
		assert b["hottest_path"]["functions"][-1] == "hash_bytes" and b["verdict"].startswith("**Verdict"), b
		assert isinstance(b["missing"], list) and "leak" in b and "churn" in b, b
	PY
	status_of 2 "$SMARTPROF" report --json "$profile" 2>err
	status_of 2 "$SMARTPROF" report --brief --top 3 "$profile" 2>err
	status_of 2 "$SMARTPROF" report --brief --format html "$profile" 2>err
}
