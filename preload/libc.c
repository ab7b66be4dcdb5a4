/* Finding the C library's own functions: in the loader's list of objects, by the protocol for debuggers
 * (link.h), and in their symbol tables. See elf(5), and "ELF: symbol hash table" of the gABI's GNU supplement. */
#include "preload/libc.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "sampler/sys.h"

/* One row a function: X(return type, name, parameters, arguments). */
#define LIBC_FUNCTIONS(X) \
	X(int, _dl_find_object, (void *pc, struct dl_find_object *found), (pc, found)) \
	X(int, dladdr1, (const void *address, Dl_info *info, void **extra, int flags), (address, info, extra, flags)) \
	X(void *, dlopen, (const char *name, int mode), (name, mode)) \
	X(void *, dlsym, (void *object, const char *name), (object, name)) \
	X(int, pthread_attr_init, (pthread_attr_t * attr), (attr)) \
	X(int, pthread_attr_destroy, (pthread_attr_t * attr), (attr)) \
	X(int, pthread_attr_getstacksize, (const pthread_attr_t *attr, size_t *size), (attr, size)) \
	X(int, pthread_attr_getguardsize, (const pthread_attr_t *attr, size_t *size), (attr, size)) \
	X(int, pthread_key_create, (pthread_key_t * key, void (*destructor)(void *)), (key, destructor)) \
	X(int, pthread_setspecific, (pthread_key_t key, const void *value), (key, value)) \
	X(int, pthread_setcancelstate, (int state, int *before), (state, before)) \
	X(int, __clone, \
		(int (*fn)(void *), void *stack, int flags, void *arg, void *parent_tid, void *tls, void *child_tid), \
		(fn, stack, flags, arg, parent_tid, tls, child_tid)) \
	X(int, on_exit, (void (*fn)(int, void *), void *arg), (fn, arg)) \
	X(int, __register_atfork, (void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object), \
		(prepare, parent, child, object)) \
	X(int, __cxa_at_quick_exit, (void (*fn)(void *), void *object), (fn, object)) \
	X(int, fileno_unlocked, (FILE * file), (file)) \
	X(int, fflush_unlocked, (FILE * file), (file)) \
	X(int, ftrylockfile, (FILE * file), (file)) \
	X(void, funlockfile, (FILE * file), (file)) \
	X(const char *, strerrordesc_np, (int error), (error))

#define LATE_AUX_ENTRIES 64

struct symbols {
	const struct link_map *object;
	ElfW(Addr) base;
	const ElfW(Sym) * table;
	const char *names, *soname;
	const uint32_t *hash;
	const uint16_t *versions;
};

static struct {
#define X(ret, name, params, args) ret(*name) params;
	LIBC_FUNCTIONS(X)
#undef X
	long errno_offset; /* of a thread's errno from its thread pointer: libc.so.6 is there from the start */
	const struct link_map *objects;
	struct symbols own[2];    /* libc.so.6's and the loader's */
	const ElfW(auxv_t) * aux; /* where the kernel has put it, or a copy */
} libc;

/* --- one object's symbols */

static bool read_dynamic(const struct link_map *object, struct symbols *s)
{
	ElfW(Addr) at[DT_NUM] = {0}, hash = 0, versions = 0;
	const ElfW(Dyn) * d;

	for (d = object->l_ld; d && d->d_tag != DT_NULL; d++) {
		if (d->d_tag > 0 && d->d_tag < DT_NUM)
			at[d->d_tag] = d->d_un.d_ptr;
		else if (d->d_tag == DT_GNU_HASH)
			hash = d->d_un.d_ptr;
		else if (d->d_tag == DT_VERSYM)
			versions = d->d_un.d_ptr;
	}
	/* The loader has put addresses in place of offsets, where it can write. */
	if (!hash || hash < object->l_addr)
		return false;
	*s = (struct symbols){object, object->l_addr, (const ElfW(Sym) *)at[DT_SYMTAB], (const char *)at[DT_STRTAB],
		at[DT_SONAME] ? (const char *)at[DT_STRTAB] + at[DT_SONAME] : "", (const uint32_t *)hash,
		(const uint16_t *)versions};
	return s->table && s->names;
}

/* What was read once of the two that are asked most. */
static bool read_symbols(const struct link_map *object, struct symbols *s)
{
	for (size_t i = 0; i < 2; i++) {
		if (libc.own[i].object != object)
			continue;
		*s = libc.own[i];
		return true;
	}
	return read_dynamic(object, s);
}

static uint32_t hash_of(const char *name)
{
	uint32_t h = 5381;

	for (; *name; name++)
		h = h * 33 + (uint8_t)*name;
	return h;
}

/* The default version of a name, or (hidden) another one; NULL if there is none. */
static const ElfW(Sym) * find_version(const struct symbols *s, const char *name, bool hidden)
{
	uint32_t hash = hash_of(name), buckets = s->hash[0], first = s->hash[1], words = s->hash[2];
	const uint64_t *bloom = (const uint64_t *)(s->hash + 4);
	const uint32_t *bucket = (const uint32_t *)(bloom + words), *chain = bucket + buckets;
	uint64_t bits = 1ull << hash % 64 | 1ull << (hash >> s->hash[3]) % 64;
	uint32_t i;

	if ((bloom[hash / 64 % words] & bits) != bits)
		return NULL;
	for (i = bucket[hash % buckets]; i >= first; i++) {
		const ElfW(Sym) *symbol = &s->table[i];

		if ((chain[i - first] | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
			(s->versions && s->versions[i] & 0x8000) == hidden &&
			strcmp(s->names + symbol->st_name, name) == 0)
			return symbol;
		if (chain[i - first] & 1)
			break;
	}
	return NULL;
}

static const ElfW(Sym) * find(const struct symbols *s, const char *name)
{
	return find_version(s, name, false);
}

/* Its definition, or NULL. */
static void *lookup(const struct symbols *s, const char *name)
{
	const ElfW(Sym) *symbol = find(s, name);

	return symbol ? (void *)(s->base + symbol->st_value) : NULL;
}

/* --- the list of objects */

static void read_aux(char **envp)
{
	static ElfW(auxv_t) SP_BIG late[LATE_AUX_ENTRIES];
	long fd;

	if (envp) {
		while (*envp)
			envp++;
		libc.aux = (const ElfW(auxv_t) *)(envp + 1);
	} else if ((fd = sp_sys(SYS_openat, AT_FDCWD, "/proc/self/auxv", O_RDONLY | O_CLOEXEC)) >= 0) {
		sp_sys(SYS_read, fd, late, sizeof late - sizeof *late);
		sp_sys(SYS_close, fd);
		libc.aux = late;
	}
}

unsigned long getauxval(unsigned long type)
{
	const ElfW(auxv_t) * a;

	for (a = libc.aux; a && a->a_type != AT_NULL; a++)
		if (a->a_type == type)
			return a->a_un.a_val;
	return 0;
}

/* What the program's dynamic section says; NULL if it says nothing. */
static const struct r_debug *from_program(void)
{
	const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	const ElfW(Dyn) *d = NULL;
	uintptr_t base = 0;
	size_t i, n = getauxval(AT_PHNUM);

	for (i = 0; headers && i < n; i++) {
		if (headers[i].p_type == PT_PHDR)
			base = (uintptr_t)headers - headers[i].p_vaddr;
		else if (headers[i].p_type == PT_DYNAMIC)
			d = (const ElfW(Dyn) *)(base + headers[i].p_vaddr);
	}
	for (; d && d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_DEBUG)
			return (const struct r_debug *)d->d_un.d_ptr;
	return NULL;
}

extern struct r_debug _r_debug __attribute__((weak)); /* so that the loader need not be linked with */

/* The one name that we must trust when we are called before our constructor: if it looks like the loader's. */
static const struct r_debug *from_loader(void)
{
	const struct r_debug *debug = &_r_debug;
	bool good = debug && debug->r_version >= 1 && debug->r_version <= 2 && debug->r_map && debug->r_ldbase &&
		debug->r_ldbase % 4096 == 0 && (unsigned)debug->r_state <= RT_DELETE;

	return good ? debug : NULL;
}

static const struct link_map *objects(char **envp)
{
	const struct r_debug *debug = envp ? NULL : from_loader();

	if (!debug) {
		read_aux(envp);
		debug = from_program();
	}
	if (!debug)
		debug = from_loader();
	return debug ? debug->r_map : NULL;
}

/* --- the table */

static bool is_libcs(const char *soname)
{
	return strcmp(soname, "libc.so.6") == 0 || strcmp(soname, SP_LOADER_SONAME) == 0;
}

/* How many were found, of those alone whose files have the names if `all` is false: others need not be read then. */
static size_t find_own(bool all)
{
	const struct link_map *o;
	struct symbols s;
	const char *slash;
	size_t n = 0;

	for (o = libc.objects; o && n < 2; o = o->l_next) {
		slash = strrchr(o->l_name, '/');
		if ((all || is_libcs(slash ? slash + 1 : o->l_name)) && read_dynamic(o, &s) && is_libcs(s.soname))
			libc.own[n++] = s;
	}
	return n;
}

bool sp_libc_find_late(void)
{
	read_aux(NULL);
	return sp_libc_find(NULL);
}

bool sp_libc_find(char **envp)
{
	int *(*errno_location)(void);

	libc.objects = objects(envp);
	if (find_own(false) < 2)
		find_own(true);
	errno_location = (__typeof__(errno_location))sp_libc_symbol("__errno_location");
	if (errno_location)
		libc.errno_offset = (char *)errno_location() - sp_thread_pointer();
	/* The youngest of them: where it is, the others are. */
	libc._dl_find_object = (__typeof__(libc._dl_find_object))sp_libc_symbol("_dl_find_object");
	return errno_location && libc._dl_find_object;
}

void *sp_libc_symbol(const char *name)
{
	void *found = libc.own[0].table ? lookup(&libc.own[0], name) : NULL;

	return found || !libc.own[1].table ? found : lookup(&libc.own[1], name);
}

const struct link_map *sp_libc_objects(void)
{
	return libc.objects;
}

/* The same before the constructor has run, too. */
static __attribute__((noinline)) void *function(const char *name)
{
	if (!libc.objects)
		sp_libc_find(NULL);
	return sp_libc_symbol(name);
}

/* Among the objects behind ours that were there from the start, the C library being the last that matters: these never
 * go, so no lock is needed, which another thread may hold for ever in a forked child. NULL where only the loader knows: no
 * hash table that we can read, a definition that is chosen at run time, or an agent that was loaded later. */
static void *next_from_start(const char *name)
{
	const struct link_map *o;
	struct symbols s;
	const ElfW(Sym) * symbol, *first = NULL;
	ElfW(Addr) base = 0;
	bool behind = false, is_last = false;

	for (o = libc.objects; o && !is_last; o = o->l_next) {
		if (behind && !read_symbols(o, &s))
			return NULL;
		if (behind && !first && (symbol = find(&s, name))) {
			first = symbol;
			base = s.base;
		}
		is_last = behind && strcmp(s.soname, "libc.so.6") == 0;
		behind = behind || o->l_ld == _DYNAMIC;
	}
	return is_last && first && ELF64_ST_TYPE(first->st_info) == STT_FUNC ? (void *)(base + first->st_value) : NULL;
}

void *sp_libc_hidden_symbol(const char *name)
{
	const ElfW(Sym) * symbol;
	size_t i;

	if (!libc.objects)
		sp_libc_find(NULL);
	for (i = 0; i < 2 && libc.own[i].table; i++)
		if ((symbol = find_version(&libc.own[i], name, true)))
			return (void *)(libc.own[i].base + symbol->st_value);
	return NULL;
}

bool sp_libc_finds_without_lock(void)
{
	return next_from_start("read") != NULL;
}

void *sp_libc_next(const char *name)
{
	void *found;

	if (!libc.objects)
		sp_libc_find(NULL);
	found = next_from_start(name);
	return found || !function("dlsym") ? found : dlsym(RTLD_NEXT, name);
}

int sp_libc_sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	static int (*change)(int, const struct sigaction *, struct sigaction *);

	if (sp_unlikely(!change))
		change = (__typeof__(change))sp_libc_symbol("sigaction");
	return change(signal, action, old);
}

/* --- the functions */

int *__errno_location(void)
{
	static int none;

	if (sp_unlikely(!libc.errno_offset))
		sp_libc_find(NULL);
	return libc.errno_offset ? (int *)((char *)sp_thread_pointer() + libc.errno_offset) : &none;
}

pthread_t pthread_self(void)
{
	return (pthread_t)sp_thread_pointer();
}

int clock_getres(clockid_t clock, struct timespec *step)
{
	return sp_sys(SYS_clock_getres, clock, step) == 0 ? 0 : -1;
}

#define X(ret, name, params, args) \
	ret name params \
	{ \
		if (sp_unlikely(!libc.name)) \
			libc.name = (__typeof__(libc.name))function(#name); \
		return libc.name args; \
	}
LIBC_FUNCTIONS(X)
#undef X
