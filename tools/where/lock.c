/* Which lock a thread waits for, and who holds it. */
#include "tools/where/where.h"

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "symbolize/base/memory.h"

/* The beginning of pthread_mutex_t in glibc on x86-64 (sysdeps/x86/nptl/bits/struct_mutex.h). */
struct mutex {
	int lock;
	unsigned count;
	int owner; /* tid in its own pid namespace; 0 while nobody has it */
	unsigned users;
	int kind;
};

#define KINDS_END 0x400 /* above all bits of a kind that are in use */

static int outer_tid(const struct sp_where_process *p, int inner)
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
static bool looks_like_mutex(const struct sp_where_process *p, const struct mutex *m)
{
	int word = m->lock & FUTEX_TID_MASK;

	if (m->kind < 0 || m->kind >= KINDS_END || !m->owner || !outer_tid(p, m->owner))
		return false;
	return m->users > 0 && (m->lock == 2 || m->lock == 1 || word == m->owner);
}

void sp_where_lock_read(struct sp_where_lock *lock, const struct sp_where_process *p, uint64_t address, bool is_mutex)
{
	struct mutex m = {0};
	bool read = p->has_memory && sp_attach_read(p->pid, address, &m, sizeof(m));

	*lock = (struct sp_where_lock){
		.address = address, .kind = is_mutex ? "lock" : "condition, semaphore or the like"};
	if (is_mutex && read && looks_like_mutex(p, &m)) {
		lock->kind = "mutex";
		lock->holder = outer_tid(p, m.owner);
	}
	find_place(lock, p);
}

static const struct sp_where_thread *holder_of(const struct sp_where_process *p, const struct sp_where_thread *threads,
	const struct sp_where_thread *t)
{
	for (size_t i = 0; i < p->count && t->wait.lock.holder && !t->moved; i++)
		if (p->tasks[i].tid == t->wait.lock.holder)
			return &threads[i];
	return NULL;
}

size_t sp_where_circle(const struct sp_where_process *p, const struct sp_where_thread *threads,
	const struct sp_where_thread **to)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct sp_where_thread *at = &threads[i];
		size_t n = 0;

		do {
			to[n++] = at;
			at = holder_of(p, threads, at);
		} while (at && at != &threads[i] && n < p->count);
		if (at == &threads[i])
			return n;
	}
	return 0;
}
