/* A library to preload: compares the walker's frames with libunwind's at instructions all over a program (oracle_points.c says which),
 * from the same registers in the same handler. ORACLE_OBJECT: part of the name of the object that they are to lie in;
 * ORACLE_CONTEXTS: how many to compare, then the process ends, as it does at SIGTERM. What is found goes to the file ORACLE_OUT. */
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "sampler/sys.h"
#include "sampler/walk/cfi_entry.h"
#include "sampler/walk/unwind.h"
#include "tests/bench/oracle.h"

#define EXPORT __attribute__((visibility("default")))
#define DIFFERENCES 65536u

enum kind { SAME, LATE, OURS_SHORTER, THEIRS_SHORTER, THEIRS_CRASHED, APART, CUT, KINDS };
static const char *const kind_names[] = {[LATE] = "ours gave up after its time",
	[OURS_SHORTER] = "ours ends earlier",
	[THEIRS_SHORTER] = "libunwind ends earlier",
	[THEIRS_CRASHED] = "libunwind reads what is not there",
	[APART] = "another caller",
	[CUT] = "does not reach the start"};

struct difference {
	enum kind kind;
	uint64_t leaf, last; /* the interrupted instruction, and the last frame that both have */
	uint64_t ours, theirs;
};

static struct difference differences[DIFFERENCES];
static uint8_t seen[1u << 20]; /* leaf addresses, by hash */
static uint32_t stored, counts[KINDS], compared, addresses, wanted = 10000;
static struct {
	uint32_t all, same, complete;
} untold; /* stacks with code that has no tables */
static uint64_t frames_sum;
static const char *object_part = "", *out_path;
static __thread bool serving __attribute__((tls_model("initial-exec")));
static __thread struct sp_thread state __attribute__((tls_model("initial-exec")));
static uint32_t busy;

/* libunwind would take the loader's lock, which the interrupted code may hold: it is told of the one object it asks about
 * (the first word of its callback's data is the address). */
EXPORT int dl_iterate_phdr(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
	static int (*real)(int (*)(struct dl_phdr_info *, size_t, void *), void *);
	struct dl_find_object object;
	struct dl_phdr_info info = {.dlpi_name = "", .dlpi_adds = 1};
	const ElfW(Ehdr) * header;

	if (!serving) {
		if (!real)
			real = (__typeof__(real))dlsym(RTLD_NEXT, "dl_iterate_phdr");
		return real(callback, data);
	}
	if (_dl_find_object(*(void **)data, &object) != 0)
		return 0;
	info.dlpi_addr = object.dlfo_link_map->l_addr;
	header = object.dlfo_map_start;
	if (!*object.dlfo_link_map->l_name) { /* of one with gaps only the segment with the address is told */
		info.dlpi_phdr = (const ElfW(Phdr) *)getauxval(AT_PHDR);
		info.dlpi_phnum = (ElfW(Half))getauxval(AT_PHNUM);
	} else if (!memcmp(header->e_ident, ELFMAG, SELFMAG)) {
		info.dlpi_phdr = (const ElfW(Phdr) *)((const char *)header + header->e_phoff);
		info.dlpi_phnum = header->e_phnum;
	} else {
		return 0;
	}
	return callback(&info, sizeof info, data);
}

extern int __sigaction(int, const struct sigaction *, struct sigaction *);

/* Runtimes take all signals for themselves, or put them back. */
EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
	return __sigaction(number, number == SIGTRAP || number == ORACLE_SIGNAL || number == SIGSEGV ? NULL : action,
		before);
}

/* It reads stacks without asking whether they are there. */
static sigjmp_buf out_of_theirs;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	if (serving)
		siglongjmp(out_of_theirs, 1);
	signal(number, SIG_DFL);
}

static uint32_t walk_theirs(ucontext_t *context, uint64_t *frames, bool *crashed)
{
	unw_cursor_t cursor;
	unw_word_t ip;
	volatile uint32_t n = 0;

	*crashed = sigsetjmp(out_of_theirs, 1) != 0;
	serving = !*crashed;
	if (*crashed)
		return n;
	unw_init_local2(&cursor, (unw_context_t *)context, UNW_INIT_SIGNAL_FRAME);
	do {
		unw_get_reg(&cursor, UNW_REG_IP, &ip);
		if (!ip)
			break;
		frames[n++] = ip;
	} while (n < SP_MAX_FRAMES && unw_step(&cursor) > 0);
	serving = false;
	return n;
}

static void walk_ours(const ucontext_t *context, struct sp_walk *walk)
{
	state.tid = (int)sp_sys(SYS_gettid);
	state.root_pc = state.tid == sp_agent.pid ? 0 : 1;
	state.start = NULL;
	for (int i = 0; i < 5; i++) { /* a walk over addresses that are new may be late */
		sp_unwind(&state, context, walk);
		if (!(walk->flags & SP_STACK_LATE))
			break;
	}
	walk->depth -= (walk->flags & SP_STACK_ENTRY) != 0;
}

static void note(enum kind kind, uint64_t leaf, uint64_t last, uint64_t ours, uint64_t theirs)
{
	if (stored < DIFFERENCES)
		differences[stored++] = (struct difference){kind, leaf, last, ours, theirs};
}

/* An address in no object, or in none of its functions that have an entry. */
static bool has_gap(const uint64_t *frames, uint32_t n)
{
	struct sp_cfi_entry entry;

	for (uint32_t i = 0; i < n; i++)
		if (!sp_cfi_entry_find(frames[i] - (i > 0), &entry) && !sp_cfi_entry_find(frames[i], &entry))
			return true;
	return false;
}

static void compare(ucontext_t *context)
{
	static uint64_t theirs[SP_MAX_FRAMES];
	struct sp_walk walk;
	uint32_t n, i, common;
	enum kind kind;
	bool crashed;

	walk_ours(context, &walk);
	n = walk_theirs(context, theirs, &crashed);
	common = n < walk.depth ? n : walk.depth;
	for (i = 0; i < common && theirs[i] == walk.frames[i]; i++)
		;
	kind = walk.flags & SP_STACK_LATE ? LATE
		: i < common              ? APART
		: crashed                 ? THEIRS_CRASHED
		: n == walk.depth         ? SAME
		: i == walk.depth         ? OURS_SHORTER
					  : THEIRS_SHORTER;
	counts[kind]++;
	compared++;
	addresses += !seen[walk.frames[0] * 0x9e3779b97f4a7c15ull >> 44];
	seen[walk.frames[0] * 0x9e3779b97f4a7c15ull >> 44] = 1;
	frames_sum += walk.depth;
	if (has_gap(walk.frames, walk.depth)) {
		untold.all++;
		untold.same += kind == SAME;
		untold.complete += !(walk.flags & SP_STACK_CUT);
		if (walk.flags & SP_STACK_CUT)
			note(CUT, walk.frames[0], walk.frames[walk.depth - 1], 0,
				n > walk.depth ? theirs[walk.depth] : 0);
	} else if (kind != SAME)
		note(kind, walk.frames[0], theirs[i ? i - 1 : 0], i < walk.depth ? walk.frames[i] : 0,
			i < n ? theirs[i] : 0);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool oracle_is_wanted(uint64_t ip)
{
	static struct dl_find_object last;
	static bool last_wanted;
	struct dl_find_object object;
	const char *name;

	if (last.dlfo_map_start && ip >= (uint64_t)last.dlfo_map_start && ip < (uint64_t)last.dlfo_map_end)
		return last_wanted;
	if (_dl_find_object((void *)ip, &object) != 0)
		return !*object_part;
	name = object.dlfo_link_map->l_name;
	last_wanted = strstr(*name ? base_name(name) : "[program]", object_part) != NULL;
	last = object;
	return last_wanted;
}

static void name_of(uint64_t address, char *text, size_t size)
{
	struct dl_find_object object;
	struct sp_cfi_entry entry;
	uint64_t start = sp_cfi_entry_find(address, &entry) ? entry.start : address;
	const char *file;
	Dl_info info;

	if (_dl_find_object((void *)address, &object) != 0) {
		snprintf(text, size, "[no object]");
		return;
	}
	file = *object.dlfo_link_map->l_name ? base_name(object.dlfo_link_map->l_name) : "[program]";
	if (dladdr((void *)start, &info) && info.dli_sname && (uint64_t)info.dli_saddr == start)
		snprintf(text, size, "%s %s", file, info.dli_sname);
	else
		snprintf(text, size, "%s+0x%lx", file, start - object.dlfo_link_map->l_addr);
}

struct group {
	char name[160];
	enum kind kind;
	uint32_t count;
	struct difference example;
};

static int by_count(const void *a, const void *b)
{
	return (int)((const struct group *)b)->count - (int)((const struct group *)a)->count;
}

static void print_groups(FILE *out)
{
	static struct group groups[512];
	uint32_t n = 0, i, k;
	char name[160], where[3][160];

	for (i = 0; i < stored; i++) {
		name_of(differences[i].last, name, sizeof name);
		for (k = 0; k < n && (groups[k].kind != differences[i].kind || strcmp(groups[k].name, name)); k++)
			;
		if (k == n && n < 512) {
			groups[n++] = (struct group){.kind = differences[i].kind, .example = differences[i]};
			strcpy(groups[k].name, name);
		}
		groups[k < 512 ? k : 511].count++;
	}
	qsort(groups, n, sizeof *groups, by_count);
	for (i = 0; i < n && i < 40; i++) {
		const struct group *g = &groups[i];
		struct dl_find_object object;
		uint64_t bias =
			_dl_find_object((void *)g->example.last, &object) == 0 ? object.dlfo_link_map->l_addr : 0;

		name_of(g->example.leaf, where[0], sizeof where[0]);
		name_of(g->example.ours, where[1], sizeof where[1]);
		name_of(g->example.theirs, where[2], sizeof where[2]);
		fprintf(out, "  %6u %-28s after %s (0x%lx); leaf %s; ours %s, libunwind %s\n", g->count,
			kind_names[g->kind], g->name, g->example.last - bias, where[0],
			g->example.ours ? where[1] : "-", g->example.theirs ? where[2] : "-");
	}
}

static void report(void)
{
	FILE *out = out_path ? fopen(out_path, "a") : NULL;
	uint32_t told = compared - untold.all;

	if (!out || !compared)
		return;
	fprintf(out, "%s: %u contexts at %u addresses, %.1f frames; with tables all the way %u, the same %u (%.3f %%)",
		*object_part ? object_part : "everything", compared, addresses, (double)frames_sum / compared, told,
		counts[SAME] - untold.same, told ? 100.0 * (counts[SAME] - untold.same) / told : 100.0);
	if (untold.all)
		fprintf(out, "; with code that has none %u, ours complete %u (%.2f %%), libunwind's the same %u",
			untold.all, untold.complete, 100.0 * untold.complete / untold.all, untold.same);
	fputc('\n', out);
	print_groups(out);
	fclose(out);
}

bool oracle_compare(ucontext_t *context)
{
	if (!oracle_is_wanted(sp_context_ip(context)) || compared >= wanted ||
		__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		return false;
	compare(context);
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
	return true;
}

bool oracle_is_done(void)
{
	return compared >= wanted;
}

void oracle_end(void)
{
	report();
	_exit(0);
}

/* Whoever has no more time gets what there is. */
static void on_end(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info, (void)context;
	oracle_end();
}

void oracle_handle(int number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};

	sigfillset(&action.sa_mask);
	sigdelset(&action.sa_mask, SIGSEGV);
	sigdelset(&action.sa_mask, SIGBUS);
	__sigaction(number, &action, NULL);
}

__attribute__((constructor)) static void start(void)
{
	out_path = getenv("ORACLE_OUT");
	object_part = getenv("ORACLE_OBJECT") ?: "";
	wanted = (uint32_t)atoi(getenv("ORACLE_CONTEXTS") ?: "10000");
	sp_agent.pid = getpid();
	sp_unwind_init(getauxval(AT_ENTRY), getauxval(AT_BASE), getauxval(AT_RANDOM));
	unw_set_caching_policy(unw_local_addr_space, UNW_CACHE_NONE);
	oracle_handle(SIGTERM, on_end);
	oracle_handle(SIGSEGV, on_fault);
	oracle_handle(SIGBUS, on_fault);
	sp_agent.tsc_per_us_x1024 = 2560000000; /* a clock so slow that no walk is late: what they find is compared */
	atexit(report);
	oracle_points_begin();
}
