/* Which lock a thread waits for, and who holds it. */
#include "tools/where.h"

#include <linux/futex.h>
#include <stdio.h>
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

static void find_place(struct sp_where_lock *lock, const struct sp_where_process *p)
{
	const struct sp_attach_map *map = sp_attach_map_at(&p->maps, lock->address);
	struct sp_buffer out = {0};
	const char *name;
	uint64_t base;

	/* The zeroed part of a library's data lies behind its file's mappings. */
	while (map && !*map->path && map > p->maps.list && map[-1].end == map->start)
		map--;
	if (!map || !*map->path)
		return;
	sp_buffer_puts(&out, "");
	name = strrchr(map->path, '/');
	base = map->start - map->offset;
	if (*map->path == '[') {
		sp_escape_name(&out, SP_ESCAPE_PLAIN, map->path);
	} else {
		for (const struct sp_attach_map *m = p->maps.list; m <= map; m++)
			if (m->inode == map->inode && strcmp(m->path, map->path) == 0 && m->offset == 0) {
				base = m->start;
				break;
			}
		sp_escape_name(&out, SP_ESCAPE_PLAIN, name ? name + 1 : map->path);
		sp_buffer_printf(&out, "+0x%llx", (unsigned long long)(lock->address - base));
	}
	snprintf(lock->place, sizeof(lock->place), "%s", out.data);
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
