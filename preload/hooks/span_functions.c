/* Calls from one object to another lead through a slot of the calling object's procedure linkage table (psABI x86-64, 5.2).
 * The slots of the functions that are wanted are made to lead to stubs (span_call.S). */
#include "preload/hooks/span_functions.h"

#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "env/env.h"
#include "preload/hooks/span_call.h"
#include "preload/libc.h"
#include "preload/notes.h"
#include "preload/process.h"
#include "preload/real.h"
#include "sampler/sys.h"

#define GLOBS_MAX 64u
#define OBJECTS_MAX 4096u
#define MAIN_STACK_BYTES 4194304u /* that are spans' at the most */

static struct {
	const char *globs;
	uint32_t count;      /* of sp_span_functions[], atomic */
	uint32_t lock;       /* sp_try_lock */
	uint64_t matched;    /* bit n: glob n has met a slot */
	uint64_t refused;    /* ... or a function that cannot be a span */
	uint64_t adds, subs; /* objects loaded and unloaded when last looked */
	bool full;
} spans;

/* By dynamic section: objects that have been looked at. */
static uint64_t seen[OBJECTS_MAX] SP_BIG;
static uint32_t seen_count;

/* --- which functions ------------------------------------------------------------------------------ */

/* They return twice, or never, or elsewhere; or go by who has called them; or are called by rules of their own. (Not by
 * pointers, which every process would pay for when it loads this library.) */
static const char never[][20] = {"setjmp", "_setjmp", "__setjmp", "sigsetjmp", "__sigsetjmp", "savectx", "longjmp",
	"_longjmp", "siglongjmp", "__longjmp_chk", "getcontext", "setcontext", "makecontext", "swapcontext", "vfork",
	"__vfork", "fork", "_Fork", "__fork", "__libc_fork", "forkpty", "clone", "__clone", "clone3", "pthread_exit",
	"thrd_exit", "exit", "_exit", "_Exit", "quick_exit", "abort", "exec*", "fexecve", "dlopen", "dlmopen", "dlsym",
	"dlvsym", "__libc_start_main", "mcount", "_mcount", "__fentry__", "__tls_get_addr", "___tls_get_addr",
	"sigreturn", "__stack_chk_fail", "__gmon_start__", "_ITM_*", "_Unwind_*", "__cxa_*", "__gxx_*", "_ZGV*",
	"_dl_*", "__tsan_*", "__asan_*", "__sanitizer_*", "__rt_*", "smartprof_*"};

static bool is_refused(const char *name)
{
	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
		if (sp_glob_matches(never[i], strlen(never[i]), name))
			return true;
	return false;
}

/* The glob at *globs, which goes on behind it; false at the end. */
static bool next_glob(const char **globs, const char **glob, size_t *bytes)
{
	if (!*globs)
		return false;
	*globs += strspn(*globs, " ");
	*glob = *globs;
	*bytes = strcspn(*globs, ",");
	*globs = (*globs)[*bytes] ? *globs + *bytes + 1 : NULL;
	return true;
}

/* The globs that a name matches, a bit each. */
static uint64_t globs_of(const char *name)
{
	const char *globs = spans.globs, *glob;
	uint64_t bits = 0;
	size_t bytes, i;

	for (i = 0; i < GLOBS_MAX && next_glob(&globs, &glob, &bytes); i++)
		if (bytes && sp_glob_matches(glob, bytes, name))
			bits |= 1ull << i;
	return bits;
}

static bool is_wanted(const char *name)
{
	uint64_t bits = globs_of(name);

	if (!bits)
		return false;
	if (is_refused(name)) {
		spans.refused |= bits;
		return false;
	}
	spans.matched |= bits;
	return true;
}

/* --- slots ---------------------------------------------------------------------------------------- */

static bool is_stub(uint64_t address)
{
	return address - sp_span_stub(0) < sizeof sp_span_stubs;
}

/* An object may have been unloaded, and another one be in its place. */
static struct sp_span_function *function_of(uint64_t *slot)
{
	uint32_t i;

	for (i = 0; i < spans.count; i++)
		if (sp_span_functions[i].slot == slot)
			return &sp_span_functions[i];
	return spans.count < SP_SPAN_FUNCTIONS_MAX ? &sp_span_functions[spans.count++] : NULL;
}

static void take_slot(uint64_t *slot, const char *name, bool looks)
{
	struct sp_span_function *f = function_of(slot);
	uint64_t real = *slot;

	if (!f) {
		if (!spans.full)
			sp_note("--span-function: more than 1024 slots match, and the others' calls are not spans; "
				"name fewer "
				"functions");
		spans.full = true;
		return;
	}
	if (looks) /* it is gone to without coming back, so that it must be bound already */
		real = (uint64_t)(uintptr_t)sp_libc_symbol(name);
	if (!real)
		return;
	*f = (struct sp_span_function){.name = name, .slot = slot, .looks = looks};
	__atomic_store_n(&f->real, real, __ATOMIC_RELEASE);
	__atomic_store_n(slot, sp_span_stub((uint32_t)(f - sp_span_functions)), __ATOMIC_RELEASE);
}

struct object {
	uint64_t base, relro, relro_bytes; /* what the loader made read-only after it had bound it */
	const ElfW(Rela) * slots;
	size_t slots_bytes;
	const ElfW(Sym) * symbols;
	const char *names;
	bool has_rela, writable;
};

static void read_dynamic(struct object *o, const ElfW(Dyn) * d)
{
	for (; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_JMPREL)
			o->slots = (const void *)d->d_un.d_ptr;
		else if (d->d_tag == DT_PLTRELSZ)
			o->slots_bytes = d->d_un.d_val;
		else if (d->d_tag == DT_PLTREL)
			o->has_rela = d->d_un.d_val == DT_RELA;
		else if (d->d_tag == DT_SYMTAB)
			o->symbols = (const void *)d->d_un.d_ptr;
		else if (d->d_tag == DT_STRTAB)
			o->names = (const void *)d->d_un.d_ptr;
	}
}

static bool set_relro(const struct object *o, int protection)
{
	return !o->relro_bytes || sp_sys(SYS_mprotect, o->relro, o->relro_bytes, protection) == 0;
}

/* Read-only memory is made writable for the first slot in it. */
static void take_slots(struct object *o)
{
	size_t i;

	for (i = 0; i < o->slots_bytes / sizeof *o->slots; i++) {
		const ElfW(Rela) *r = &o->slots[i];
		uint64_t *slot = (uint64_t *)(o->base + r->r_offset);
		const ElfW(Sym) *symbol = &o->symbols[ELF64_R_SYM(r->r_info)];
		const char *name = o->names + symbol->st_name;
		bool looks = strcmp(name, "dlsym") == 0 || strcmp(name, "dlvsym") == 0;

		if (ELF64_R_TYPE(r->r_info) != SP_RELOCATION_OF_SLOT || symbol->st_other & SP_SYMBOL_CALLED_OTHERWISE ||
			(!is_wanted(name) && !looks) || is_stub(*slot))
			continue;
		if ((uint64_t)(uintptr_t)slot - o->relro < o->relro_bytes && !o->writable &&
			!(o->writable = set_relro(o, PROT_READ | PROT_WRITE)))
			return;
		take_slot(slot, name, looks);
	}
}

static bool is_seen(uint64_t dynamic)
{
	uint32_t i;

	for (i = 0; i < seen_count; i++)
		if (seen[i] == dynamic)
			return true;
	if (seen_count < OBJECTS_MAX)
		seen[seen_count++] = dynamic;
	return false;
}

/* Not our own calls, and none of the loader's, who may be in the middle of one. */
static bool is_left_alone(const struct dl_phdr_info *info)
{
	if (!info->dlpi_addr) /* a program at its own addresses; those of the other two are 0 where there are none */
		return false;
	return info->dlpi_addr == getauxval(AT_BASE) || info->dlpi_addr == getauxval(AT_SYSINFO_EHDR) ||
		sp_is_own(info->dlpi_addr);
}

static int take_object(struct dl_phdr_info *info, size_t size, void *unused)
{
	struct object o = {.base = info->dlpi_addr};
	const ElfW(Dyn) *dynamic = NULL;
	int i;

	(void)size;
	(void)unused;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uint64_t start = o.base + p->p_vaddr;

		if (p->p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *)start;
		if (p->p_type == PT_GNU_RELRO) {
			o.relro = sp_page_start(start);
			o.relro_bytes = sp_page_start(start + p->p_memsz) - o.relro;
		}
	}
	if (!dynamic || is_left_alone(info) || is_seen((uint64_t)(uintptr_t)dynamic))
		return 0;
	read_dynamic(&o, dynamic);
	if (!o.slots || !o.symbols || !o.names || !o.has_rela || (uint64_t)(uintptr_t)o.slots < o.base)
		return 0;
	take_slots(&o);
	if (o.writable)
		set_relro(&o, PROT_READ);
	return 0;
}

static int count_objects(struct dl_phdr_info *info, size_t size, void *changed)
{
	(void)size;
	*(bool *)changed = info->dlpi_adds != spans.adds || info->dlpi_subs != spans.subs;
	if (info->dlpi_subs != spans.subs)
		seen_count = 0;
	spans.adds = info->dlpi_adds;
	spans.subs = info->dlpi_subs;
	return 1;
}

/* What has been loaded since the last time. Normal context: takes the loader's lock on its list. */
void sp_span_functions_look(void)
{
	bool changed = false;

	if (!sp_try_lock(&spans.lock))
		return;
	SP_REAL(dl_iterate_phdr)(count_objects, &changed);
	if (changed)
		SP_REAL(dl_iterate_phdr)(take_object, NULL);
	sp_unlock(&spans.lock);
}

/* Half of what the limit leaves for it. */
static uint64_t main_bytes(void)
{
	struct rlimit stack = {0, 0};

	sp_sys(SYS_prlimit64, 0, RLIMIT_STACK, NULL, &stack);
	return stack.rlim_cur / 2 < MAIN_STACK_BYTES ? stack.rlim_cur / 2 : MAIN_STACK_BYTES;
}

void sp_span_functions_start(const char *globs)
{
	if (!globs || !*globs || sp_is_under_valgrind())
		return;
	spans.globs = globs;
	sp_span_main_bytes = main_bytes();
	sp_span_functions_look();
}

/* --- what was not met ----------------------------------------------------------------------------- */

static void note_glob(const char *glob, size_t bytes, const char *why)
{
	char line[384], *end;

	end = stpcpy(line, "--span-function: ");
	bytes = bytes < 64 ? bytes : 64;
	memcpy(end, glob, bytes);
	strcpy(end + bytes, why);
	sp_note(line);
}

void sp_span_functions_finish(void)
{
	const char *globs = spans.globs, *glob;
	size_t bytes, i;

	for (i = 0; i < GLOBS_MAX && next_glob(&globs, &glob, &bytes); i++) {
		if (spans.matched >> i & 1 || !bytes)
			continue;
		note_glob(glob, bytes,
			spans.refused >> i & 1
				? " is no span: what returns twice, never or elsewhere, or goes by its caller, cannot "
				  "be one"
				: " is no span: no object calls such a function of another one by name (it is static, "
				  "inlined, "
				  "called within its own object or through a pointer, or was never loaded)");
	}
	spans.globs = NULL;
}
