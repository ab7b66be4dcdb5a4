/* The record that a thread's pointer leads to is in its block, and the thread alone changes it. */
#include "sampler/spans/context.h"

#include <linux/memfd.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "sampler/mapped.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"

#define NAME "OTEL_CTX"
#define HEADER_BYTES 4096u
#define SCHEMA "tlsdesc_v1_dev"
#define ATTRIBUTE "smartprof.span"

static uint64_t place;     /* of the pointer, below the thread pointer; 0: there is none */
static uint64_t secret[3]; /* so that numbers of two processes are not the same */

/* --- the process context: what the records of threads are made of */

struct header {
	char signature[8];
	uint32_t version, payload_bytes;
	uint64_t published_ns;
	const void *payload;
};

/* A message of two attributes, each of a key and a value: what kind of records there are, and the keys of their attributes, which is
 * an array of one text. Every field is a byte for its number, one for its length, and what is in it. */
static const char payload[] = "\x12\x2e\x0a\x1a"
			      "threadlocal.schema_version"
			      "\x12\x10\x0a\x0e" SCHEMA "\x12\x35\x0a\x1d"
			      "threadlocal.attribute_key_map"
			      "\x12\x14\x2a\x12\x0a\x10\x0a\x0e" ATTRIBUTE;
_Static_assert(sizeof SCHEMA == 15 && sizeof ATTRIBUTE == 15 && sizeof payload == 104, "the lengths above");

static struct header *process_context;

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_others(const struct sp_mapping *m, void *found)
{
	if (m->low != (uint64_t)(uintptr_t)process_context &&
		(starts_with(m->path, "/memfd:" NAME) || starts_with(m->path, "[anon_shmem:" NAME) ||
			starts_with(m->path, "[anon:" NAME)))
		*(bool *)found = true;
	return *(bool *)found;
}

static bool another_has_one(void)
{
	bool found = false;

	sp_mapped_each(is_others, &found);
	return found;
}

static long map_header(void)
{
	long fd = sp_sys(SYS_memfd_create, NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING), p;

	if (fd < 0)
		return sp_sys(SYS_mmap, NULL, HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p = sp_sys(SYS_ftruncate, fd, HEADER_BYTES);
	if (!p)
		p = sp_sys(SYS_mmap, NULL, HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	sp_sys(SYS_close, fd);
	return p;
}

static bool announce(void)
{
	long p = map_header();
	struct header *h;

	if (sp_is_error(p))
		return false;
	h = (struct header *)p;
	if (sp_sys(SYS_madvise, p, HEADER_BYTES, MADV_DONTFORK) != 0) {
		sp_sys(SYS_munmap, p, HEADER_BYTES);
		return false;
	}
	h->version = 2;
	h->payload_bytes = sizeof payload - 1;
	h->published_ns = sp_clock_read_ns(CLOCK_BOOTTIME);
	h->payload = payload;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	memcpy(h->signature, NAME, sizeof h->signature);
	sp_sys(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, HEADER_BYTES, NAME);
	process_context = h;
	return true;
}

void sp_context_place(uint64_t below)
{
	place = below;
}

enum sp_context_start sp_context_start(void)
{
	if (!place || sp_agent.span_context)
		return SP_CONTEXT_OFF;
	if (another_has_one())
		return SP_CONTEXT_TAKEN;
	if (sp_sys(SYS_getrandom, secret, sizeof secret, 1 /* GRND_NONBLOCK */) != sizeof secret || !announce())
		return SP_CONTEXT_FAILED;
	sp_store(&sp_agent.span_context, 1);
	return SP_CONTEXT_STARTED;
}

void sp_context_stop(void)
{
	struct header *h = __atomic_exchange_n(&process_context, NULL, __ATOMIC_ACQ_REL);

	sp_store(&sp_agent.span_context, 0);
	if (h)
		sp_sys(SYS_munmap, h, HEADER_BYTES);
}

void sp_context_look(void)
{
	if (sp_context_is_on() && another_has_one())
		sp_context_stop();
}

/* --- a thread's record */

static uint64_t random_number(struct sp_thread *t, int which)
{
	uint64_t number = sp_random(t) ^ secret[which];

	return number ? number : 1; /* none may be zero */
}

/* The pointer is another library's to the compiler, and to the loader. */
static void show(const struct sp_context *record)
{
	const char *thread_pointer = sp_thread_pointer();

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*(const struct sp_context *volatile *)(uintptr_t)(thread_pointer - place) = record;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static const struct sp_context *shown(void)
{
	const char *thread_pointer = sp_thread_pointer();

	return *(const struct sp_context *volatile *)(uintptr_t)(thread_pointer - place);
}

/* The record went with the block that it was in. */
SP_AT_FORK void sp_context_forked(void)
{
	if (sp_likely(!place))
		return;
	if (sp_tls.thread && shown() == &sp_tls.thread->context.record)
		show(NULL);
	process_context = NULL;
	sp_agent.span_context = 0;
}

void sp_context_take_back(struct sp_thread *t)
{
	if (t->context.shown && t->tls == &sp_tls)
		show(NULL);
	t->context.shown = false;
}

static void put_name(struct sp_context *record, uint32_t number)
{
	const struct sp_span_name *name = (struct sp_span_name *)sp_section(SP_SEC_SPAN_NAMES) + number;
	const char *text = (const char *)sp_section(SP_SEC_TEXT) + name->text;
	uint32_t length = 0;

	for (; number && length < SP_SPAN_TEXT_MAX && text[length]; length++)
		record->value[length] = text[length];
	record->key = 0;
	record->length = (uint8_t)length;
	record->attributes_bytes = (uint16_t)(2 + length);
}

static void tell_innermost(struct sp_thread *t, const struct sp_span_thread *s, uint32_t depth)
{
	struct sp_context *record = &t->context.record;

	show(NULL);
	memcpy(record->trace_id, t->context.trace_id, sizeof record->trace_id);
	memcpy(record->span_id, &t->context.span_ids[depth - 1], sizeof record->span_id);
	record->valid = 1;
	put_name(record, s->open[depth - 1].name);
	show(record);
	t->context.shown = true;
}

static bool is_told(struct sp_thread *t, uint32_t depth)
{
	if (!sp_context_is_on() || t->tls != &sp_tls || !depth)
		sp_context_take_back(t);
	else
		return true;
	return false;
}

void sp_context_begun(struct sp_thread *t, const struct sp_span_thread *s, uint32_t depth)
{
	if (!is_told(t, depth))
		return;
	if (depth == 1 || !t->context.shown) { /* others may have begun before anything was told */
		t->context.trace_id[0] = random_number(t, 0);
		t->context.trace_id[1] = random_number(t, 1);
		for (uint32_t i = 0; i + 1 < depth; i++)
			t->context.span_ids[i] = random_number(t, 2);
	}
	t->context.span_ids[depth - 1] = random_number(t, 2);
	tell_innermost(t, s, depth);
}

void sp_context_ended(struct sp_thread *t, const struct sp_span_thread *s, uint32_t depth)
{
	if (is_told(t, depth))
		tell_innermost(t, s, depth);
}
