/* Marks. */
#include "sampler/upkeep/marks.h"

#include <string.h>

#include "sampler/spool/write.h"
#include "sampler/sys.h"
#include "sampler/threads/task_file.h"
#include "sampler/upkeep/totals.h"

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		c == '+';
}

bool sp_mark_name_ok(const char *name)
{
	uint32_t n = 0;

	while (n < SP_MARK_NAME_BYTES && is_plain(name[n]))
		n++;
	return n && n < SP_MARK_NAME_BYTES && !name[n];
}

static void put_memory(struct sp_mark *m)
{
	struct sp_task_memory memory;

	sp_task_memory(&memory);
	m->memory_bytes = memory.anonymous_bytes + memory.swapped_bytes + memory.huge_bytes;
	m->rss_bytes = memory.rss_bytes;
	m->max_rss_bytes = sp_load(&sp_agent.spool->max_rss_bytes);
}

static void put_pauses(struct sp_mark *m)
{
	const struct sp_control *c = &sp_agent.spool->control;
	bool stopped = sp_load(&sp_agent.stopped);

	m->stopped_ns = c->stopped_ns + (stopped ? m->t_ns - c->stopped_at_ns : 0);
	m->stopped_cpu_ns =
		c->stopped_cpu_ns + (stopped ? m->cpu.self_user_ns + m->cpu.self_sys_ns - c->stopped_at_cpu_ns : 0);
}

/* The order is that of a reader's questions: nothing is in the totals that is not in the log, or at a site. */
static void put_totals(struct sp_mark *m)
{
	const struct sp_spool_header *h = sp_agent.spool;

	m->t_ns = sp_now_ns();
	m->tsc = sp_tsc();
	m->cpu = h->cpu;
	m->heap = h->heap;
	m->broken = sp_load(&h->broken);
	memcpy(m->drops, h->drops, sizeof m->drops);
	m->logged = sp_load(&h->sections[SP_SEC_LOG].used);
}

uint32_t sp_mark_set(const struct sp_mark_reason *reason)
{
	struct sp_spool_header *h = sp_agent.spool;
	uint32_t at = sp_spool_allot(SP_SEC_MARKS, 1);
	struct sp_mark *m;

	if (!at) {
		sp_drop(SP_DROP_MARKS);
		return 0;
	}
	m = (struct sp_mark *)sp_section(SP_SEC_MARKS) + at;
	m->kind = reason->kind;
	memcpy(m->name, reason->name, strlen(reason->name));
	m->value = reason->value;
	m->threshold = reason->threshold;
	m->captured = reason->captured;
	m->tid = (int32_t)sp_sys(SYS_gettid);
	sp_totals_update();
	put_memory(m);
	put_totals(m);
	put_pauses(m);
	m->seq = __atomic_add_fetch(&h->mark_seq, 1, __ATOMIC_ACQ_REL);
	__atomic_store_n(&m->ready, 1, __ATOMIC_RELEASE);
	return m->seq;
}

void sp_mark_withdraw(uint32_t seq)
{
	struct sp_mark *marks = sp_section(SP_SEC_MARKS);
	uint32_t n = sp_spool_count(SP_SEC_MARKS), i;

	for (i = 1; i < n; i++)
		if (marks[i].seq == seq)
			__atomic_store_n(&marks[i].ready, 0, __ATOMIC_RELEASE);
}
