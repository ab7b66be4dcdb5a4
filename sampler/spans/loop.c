/* The event loop of a thread. */
#include "sampler/spans/loop.h"

#include "sampler/spans/names.h"
#include "sampler/spans/spans.h"

static bool is_counted(void)
{
	return sp_agent_state() == SP_AGENT_ACTIVE && !sp_tls.guard && !sp_tls.dead && !sp_is_stale_child();
}

void sp_loop_add_round(struct sp_thread *t, uint64_t now)
{
	if (!t->loop.returned_tsc || !is_counted())
		return;
	sp_span_add_cycles(t, t->loop.node, &t->loop.count, now - t->loop.returned_tsc);
	t->loop.returned_tsc = 0;
}

/* One more round at a place. Of several places at which there are so many the loop's is that with the outermost frame: the
 * others are waited at while a round is served. */
static void count_round(struct sp_thread_loop *l, const struct sp_loop_call *call)
{
	uint32_t i, least = 0;

	for (i = 0; i < SP_LOOP_SITES && l->sites[i] != call->site; i++)
		if (l->rounds[i] < l->rounds[least])
			least = i;
	if (i == SP_LOOP_SITES) {
		i = least;
		l->sites[i] = call->site;
		l->rounds[i] = 0;
	}
	if (++l->rounds[i] < SP_LOOP_ROUNDS)
		return;
	l->rounds[i] = 0;
	l->site = call->site;
	l->frame = call->frame;
	l->node = sp_span_node(0, sp_span_name(SP_SPAN_ASYNC, SP_LOOP_NAME));
}

void sp_loop_count(const struct sp_loop_call *call, uint64_t now)
{
	struct sp_thread *t = sp_tls.thread;

	if (!t || t->loop.frame >= call->frame || !is_counted())
		return;
	count_round(&t->loop, call);
	if (t->loop.site == call->site)
		t->loop.returned_tsc = now;
}
