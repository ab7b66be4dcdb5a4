/* Which lock a thread waits for, and who holds it. */
#include "tools/where/where.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/escape.h"

/* pthread_mutex_t in glibc on x86-64 (sysdeps/x86/nptl/bits/struct_mutex.h). */
struct mutex {
	int lock;
	unsigned count;
	int owner; /* tid in its own pid namespace; 0 while nobody has it */
	unsigned users;
	int kind;
	int spins;        /* of adaptive ones, and lock elision */
	uint64_t list[2]; /* of robust ones */
};

#define KINDS_END 0x400 /* above all bits of a kind that are in use */
#define TYPE 3          /* the bits of PTHREAD_MUTEX_RECURSIVE and the like */
#define RECURSIVE 1
#define ROBUST 0x10 /* PTHREAD_MUTEX_ROBUST_NORMAL_NP */
#define SHARED 0x80 /* PTHREAD_MUTEX_PSHARED_BIT */
#define TID_MAX 0x400000

int sp_where_outer_tid(const struct sp_where_process *p, int inner)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->tasks[i].inner_tid == inner)
			return p->tasks[i].tid;
	return 0;
}

/* The zeroed part of a module's data lies behind its file's mappings, as does much that is none of it. */
static const struct sp_attach_map *file_before(const struct sp_attach_maps *maps, const struct sp_attach_map *map)
{
	while (map > maps->list && !*map->path && map[-1].end == map->start)
		map--;
	return map;
}

static void find_place(struct sp_where_lock *lock, const struct sp_where_process *p)
{
	const struct sp_attach_map *map = sp_attach_map_at(&p->maps, lock->address);
	struct sp_symbol_module module = {0};
	struct sp_buffer out = {0};
	char path[PATH_MAX], *variable = NULL;
	uint64_t offset = 0, base = 0;
	bool is_module;

	map = map ? file_before(&p->maps, map) : NULL;
	if (!map || !*map->path)
		return;
	is_module = sp_where_module(p, map, lock->address, &base, &module.bias);
	if (is_module && sp_attach_map_open_path(path, p->pid, map)) {
		module.path = path;
		variable = sp_symbolize_variable(&module, lock->address, &offset);
	}
	if (*map->path == '[' || variable)
		sp_escape_name(&out, SP_ESCAPE_PLAIN, variable ? variable : map->path);
	else if (is_module || lock->address < map->end)
		sp_escape_name(&out, SP_ESCAPE_PLAIN,
			strrchr(map->path, '/') ? strrchr(map->path, '/') + 1 : map->path);
	if (out.length && offset)
		sp_buffer_printf(&out, "+%llu", (unsigned long long)offset);
	else if (out.length && !variable && *map->path != '[')
		sp_buffer_printf(&out, "+0x%llx", (unsigned long long)(lock->address - base));
	snprintf(lock->place, sizeof(lock->place), "%s", out.length ? out.data : "");
	free(variable);
	sp_buffer_free(&out);
}

/* A word that is waited on as a mutex's is may still be another lock's: what stands behind it has to look like one. */
static bool looks_like_mutex(const struct mutex *m)
{
	int word = m->lock & FUTEX_TID_MASK;
	bool is_clean =
		((m->kind & TYPE) == RECURSIVE || !m->count) && (m->kind & ROBUST || (!m->list[0] && !m->list[1]));

	return is_clean && m->kind >= 0 && m->kind < KINDS_END && m->owner > 0 && m->owner <= TID_MAX && m->users > 0 &&
		(m->lock == 2 || m->lock == 1 || word == m->owner);
}

/* Threads of other processes may have one that is shared; in a pid namespace the kernel cannot be asked for a thread that we do not see. */
static bool has_ended(const struct sp_where_process *p, const struct mutex *m)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", p->pid, m->owner);
	return !(m->kind & SHARED) && p->tasks[0].tid == p->tasks[0].inner_tid && access(path, F_OK) < 0 &&
		errno == ENOENT;
}

static bool read_mutex(struct sp_where_lock *lock, const struct sp_where_process *p)
{
	struct mutex m;

	if (!p->has_memory || !sp_attach_read(p->pid, lock->address, &m, sizeof(m)) || !looks_like_mutex(&m))
		return false;
	lock->holder = sp_where_outer_tid(p, m.owner);
	lock->ended = !lock->holder && has_ended(p, &m) ? m.owner : 0;
	return lock->holder || lock->ended;
}

void sp_where_lock_read(struct sp_where_lock *lock, const struct sp_where_process *p, uint64_t address, bool is_mutex)
{
	*lock = (struct sp_where_lock){
		.address = address, .kind = is_mutex ? "lock" : "condition, semaphore or the like"};
	if (is_mutex && read_mutex(lock, p))
		lock->kind = "mutex";
	find_place(lock, p);
}

void sp_where_lock_again(struct sp_where_lock *lock, const struct sp_where_process *p)
{
	lock->holder = 0;
	if (lock->gil)
		sp_where_gil_again(lock, p);
	else
		read_mutex(lock, p);
}

void sp_where_put_holder(struct sp_buffer *out, const struct sp_where_process *p, const struct sp_where_lock *lock)
{
	if (lock->ended)
		sp_buffer_printf(out, ", which thread %d has not given back before it ended", lock->ended);
	if (!lock->holder)
		return;
	sp_buffer_printf(out, ", held by thread %d", lock->holder);
	for (size_t i = 0; i < p->count; i++)
		if (p->tasks[i].tid == lock->holder) {
			sp_buffer_puts(out, " ");
			sp_escape_name(out, SP_ESCAPE_PLAIN, p->tasks[i].name);
		}
}
