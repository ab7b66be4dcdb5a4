/* The spans of smartprof.h: from the program's call to the thread that makes it. */
#include <errno.h>

#include "preload/export.h"
#include "preload/finish/renderer.h"
#include "preload/notes.h"
#include "preload/process.h"
#include "preload/smartprof.h"
#include "preload/start/api.h"
#include "preload/start/context.h"
#include "sampler/agent.h"
#include "sampler/spans/async.h"
#include "sampler/spans/context.h"
#include "sampler/spans/log.h"
#include "sampler/spans/names.h"
#include "sampler/spans/spans.h"
#include "sampler/spool/write.h"
#include "sampler/upkeep/checkpoints.h"
#include "sampler/upkeep/thresholds.h"

/* What names its work is worth a profile from its first span on. */
static struct sp_thread *prepare(void)
{
	int saved_errno = errno;

	if (sp_is_stale_child())
		sp_agent.forked();
	if (sp_agent_state() == SP_AGENT_DORMANT)
		sp_agent.activate();
	if (sp_agent_state() == SP_AGENT_ACTIVE && !sp_tls.thread && !sp_tls.dead)
		sp_agent.adopt();
	errno = saved_errno;
	if (sp_agent_state() == SP_AGENT_ACTIVE)
		return sp_tls.thread;
	if (sp_tls.thread)
		sp_context_take_back(sp_tls.thread);
	return NULL;
}

/* The calling thread; NULL when nothing is recorded of it. */
static inline struct sp_thread *caller(void)
{
	struct sp_thread *t = sp_tls.thread;

	if (sp_unlikely(!t || sp_agent_state() != SP_AGENT_ACTIVE || sp_is_stale_child()))
		return prepare();
	return t;
}

/* Names are numbered anew in each spool, which a forked child has of its own. */
#define NAME_BITS 16

static unsigned long id_of(uint32_t generation, uint32_t number)
{
	return (unsigned long)generation << NAME_BITS | number;
}

static void start_log_main(void *on)
{
	*(bool *)on = sp_span_log_start() == 0;
}

static void start_writer_main(void *unused)
{
	int err = sp_log_writer_start(sp_process.spool_path, sp_process.span_log);

	(void)unused;
	if (!err)
		sp_span_log_has_writer();
	else
		sp_note(err == -ECHILD
				? "nobody writes the timing log, because the process adopts orphans: smartprof log "
				  "--follow does it"
				: "nobody writes the timing log: the smartprof command could not be started");
}

/* Before the first span of a spool. What is done with each comes before the measurement: it is part of what a span costs. */
static void begin_spans(struct sp_thread *t)
{
	int saved_errno = errno;
	bool on = false;

	sp_context_tell();
	if (*sp_process.span_log)
		sp_api_on_own_stack(start_log_main, &on);
	sp_span_measure(t);
	if (on)
		sp_api_on_own_stack(start_writer_main, NULL);
	else if (*sp_process.span_log)
		sp_note("there is no room for a timing log");
	errno = saved_errno;
}

static uint32_t name_slowly(struct smartprof_site *site, enum sp_span_kind kind, const char *name, struct sp_thread *t)
{
	static uint32_t measured;
	uint32_t generation = sp_spool_generation(), before = sp_load(&measured), number;

	if (before != generation &&
		__atomic_compare_exchange_n(&measured, &before, generation, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		begin_spans(t);
	number = sp_span_name(kind, name ? name : "(null)");
	if (site && !site->computed)
		__atomic_store_n(&site->id, id_of(generation, number), __ATOMIC_RELEASE);
	return number;
}

static inline uint32_t name_of(struct smartprof_site *site, enum sp_span_kind kind, const char *name,
	struct sp_thread *t)
{
	unsigned long id = sp_likely(site) ? sp_load(&site->id) : 0;

	if (sp_likely(id && id >> NAME_BITS == sp_spool_generation()))
		return (uint32_t)(id & ((1u << NAME_BITS) - 1));
	return name_slowly(site, kind, name, t);
}

static void slow_main(void *unused)
{
	(void)unused;
	sp_thresholds_slow_response(sp_now_ns());
}

static void end_span(struct sp_thread *t, uint32_t number, uint64_t limit_ns, const char *text)
{
	if (sp_span_end(t, number, limit_ns, text))
		sp_api_on_own_stack(slow_main, NULL);
}

SP_EXPORT unsigned long smartprof_span_begin(struct smartprof_site *site, const char *name)
{
	struct sp_thread *t = caller();
	uint32_t number;

	if (!t)
		return 0;
	number = name_of(site, SP_SPAN_PLAIN, name, t);
	sp_span_begin(t, number);
	return id_of(sp_spool_generation(), number);
}

/* In a forked child that was made inside of the span there is nothing to end. */
SP_EXPORT void smartprof_span_leave(unsigned long begun, unsigned long limit_ns)
{
	struct sp_thread *t = caller();

	if (t && begun >> NAME_BITS == sp_spool_generation())
		end_span(t, (uint32_t)(begun & ((1u << NAME_BITS) - 1)), limit_ns, NULL);
}

SP_EXPORT void smartprof_span_end(struct smartprof_site *site, const char *name, const char *text)
{
	struct sp_thread *t = caller();

	if (t)
		end_span(t, name_of(site, SP_SPAN_PLAIN, name, t), 0, text);
}

SP_EXPORT int smartprof_log_wanted(void)
{
	return sp_span_log_is_on() && !sp_is_stale_child();
}

SP_EXPORT void smartprof_checkpoint(struct smartprof_site *site, const char *name, const char *text)
{
	struct sp_thread *t = caller();

	if (t)
		sp_checkpoint(t, name_of(site, SP_SPAN_CHECKPOINT, name, t), text);
}

SP_EXPORT void smartprof_async_begin(struct smartprof_site *site, const char *name, unsigned long id)
{
	struct sp_thread *t = caller();

	if (t)
		sp_async_begin(name_of(site, SP_SPAN_ASYNC, name, t), id);
}

SP_EXPORT void smartprof_async_end(struct smartprof_site *site, const char *name, unsigned long id)
{
	struct sp_thread *t = caller();

	if (t)
		sp_async_end(t, name_of(site, SP_SPAN_ASYNC, name, t), id);
}

/* "key=value", cut to what a name may be. */
SP_EXPORT void smartprof_span_label(const char *key, const char *value)
{
	struct sp_thread *t = caller();
	char text[SP_SPAN_TEXT_MAX + 1];
	const char *parts[] = {key ? key : "(null)", "=", value ? value : "(null)"};
	uint32_t length = 0;

	if (!t)
		return;
	for (int i = 0; i < 3; i++)
		for (const char *p = parts[i]; *p && length < SP_SPAN_TEXT_MAX; p++)
			text[length++] = *p;
	text[length] = '\0';
	sp_span_label(t, sp_span_name(SP_SPAN_LABEL, text));
}
