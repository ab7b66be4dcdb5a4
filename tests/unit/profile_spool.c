/* Composing spools in memory. */
#include "tests/unit/profile_spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint32_t strides[SP_SECTIONS] = {1, sizeof(struct sp_module), sizeof(struct sp_thread_record),
	sizeof(uint32_t), sizeof(struct sp_stack), sizeof(uint64_t), sizeof(struct sp_site),
	sizeof(struct sp_timepoint), sizeof(struct sp_log_entry), sizeof(struct sp_live), sizeof(struct sp_copy),
	sizeof(uint64_t), sizeof(struct sp_mark), sizeof(struct sp_marked), sizeof(struct sp_span_name),
	sizeof(struct sp_span_node), sizeof(struct sp_span_count), sizeof(struct sp_span_thread),
	sizeof(struct sp_checkpoint), sizeof(struct sp_traced), sizeof(struct sp_span_slowest),
	sizeof(struct sp_span_tail), sizeof(struct sp_span_event), sizeof(struct sp_wait_site), sizeof(struct sp_lock)};
static const uint32_t capacities[SP_SECTIONS] = {8192, 16, 16, 64, 2048, 65536, 512, SP_TIMELINE_MAX, 4096, 1024, 64,
	65536, SP_MARKS_MAX, 64, 64, 64, 64, 16, 16, 16, 16, 64, 17, 16, 16};

void *spool_records(struct spool *s, enum sp_section section)
{
	return (char *)s->header + s->header->sections[section].offset;
}

static uint32_t allot(struct spool *s, enum sp_section section, uint32_t n)
{
	struct sp_section_entry *e = &s->header->sections[section];

	if (e->used + n > e->capacity)
		abort();
	e->used += n;
	return e->used - n;
}

uint32_t spool_text(struct spool *s, const char *text)
{
	uint32_t at = allot(s, SP_SEC_TEXT, (uint32_t)strlen(text) + 1);

	strcpy((char *)spool_records(s, SP_SEC_TEXT) + at, text);
	return at;
}

uint32_t spool_module(struct spool *s, const char *path, uint64_t start, uint64_t end, uint64_t epoch_from,
	uint64_t epoch_to)
{
	uint32_t index = allot(s, SP_SEC_MODULES, 1);
	struct sp_module *m = (struct sp_module *)spool_records(s, SP_SEC_MODULES) + index;

	*m = (struct sp_module){.ready = 1,
		.path = spool_text(s, path),
		.start = start,
		.end = end,
		.bias = start,
		.epoch_from = epoch_from,
		.epoch_to = epoch_to};
	return index;
}

uint32_t spool_addresses(struct spool *s, uint32_t flags, uint32_t epoch, const uint64_t *addresses, uint32_t depth)
{
	uint32_t frame = allot(s, SP_SEC_FRAMES, depth), index = allot(s, SP_SEC_STACKS, 1);
	struct sp_stack *stack = (struct sp_stack *)spool_records(s, SP_SEC_STACKS) + index;

	memcpy((uint64_t *)spool_records(s, SP_SEC_FRAMES) + frame, addresses, depth * sizeof(*addresses));
	stack->frame = frame;
	stack->depth = (uint16_t)depth;
	stack->flags = (uint16_t)flags;
	stack->epoch = epoch;
	return index;
}

uint32_t spool_stack(struct spool *s, uint32_t flags, const int *functions)
{
	uint64_t addresses[SP_MAX_DEPTH];
	uint32_t depth = 0;

	for (; functions[depth] >= 0; depth++) {
		int exact = depth == 0 && !(flags & SP_STACK_IS_HEAP);

		addresses[depth] = SPOOL_BASE + 16 * (uint64_t)functions[depth] + !exact;
	}
	return spool_addresses(s, flags, 1, addresses, depth);
}

void spool_sample(struct spool *s, uint32_t stack, uint64_t user_us, uint64_t sys_us)
{
	struct sp_stack *st = (struct sp_stack *)spool_records(s, SP_SEC_STACKS) + stack;
	struct sp_thread_record *t = (struct sp_thread_record *)spool_records(s, SP_SEC_THREADS) + 1;

	st->user_ns += user_us * 1000;
	st->sys_ns += sys_us * 1000;
	st->user_samples += user_us > 0;
	st->sys_samples += sys_us && !user_us;
	st->weight_sq_us2 += user_us * user_us + sys_us * sys_us;
	t->user_ns += user_us * 1000;
	t->sys_ns += sys_us * 1000;
	t->cpu_user_ns = t->user_ns;
	t->cpu_sys_ns = t->sys_ns;
	s->header->cpu.self_user_ns += user_us * 1000;
	s->header->cpu.self_sys_ns += sys_us * 1000;
}

struct sp_thread_record *spool_thread(struct spool *s, const char *name, int tid, uint64_t user_us, uint64_t sys_us)
{
	uint32_t index = allot(s, SP_SEC_THREADS, 1);
	struct sp_thread_record *t = (struct sp_thread_record *)spool_records(s, SP_SEC_THREADS) + index;

	*t = (struct sp_thread_record){
		.state = 2, .tid = tid, .cpu_user_ns = user_us * 1000, .cpu_sys_ns = sys_us * 1000};
	strncpy(t->name, name, sizeof(t->name) - 1);
	s->header->cpu.self_user_ns += user_us * 1000;
	s->header->cpu.self_sys_ns += sys_us * 1000;
	return t;
}

struct sp_timepoint *spool_timepoint(struct spool *s, uint64_t t_ms, uint64_t interval_us)
{
	uint32_t index = allot(s, SP_SEC_TIMELINE, 1);
	struct sp_timepoint *t = (struct sp_timepoint *)spool_records(s, SP_SEC_TIMELINE) + index;

	*t = (struct sp_timepoint){.t_ns = t_ms * 1000000, .cpu_interval_ns = interval_us * 1000};
	return t;
}

struct sp_site *spool_site(struct spool *s, uint32_t stack, uint64_t bytes, uint64_t count)
{
	uint32_t index = allot(s, SP_SEC_SITES, 1);
	struct sp_site *site = (struct sp_site *)spool_records(s, SP_SEC_SITES) + index;

	*site = (struct sp_site){.ready = 1,
		.stack = stack,
		.alloc_bytes = bytes,
		.alloc_count = count,
		.samples = 3,
		.inuse_samples = 3,
		.variance_alloc = 4,
		.variance_inuse = 4};
	s->header->heap.inuse_bytes += bytes;
	return site;
}

void spool_wait(struct spool *s, enum sp_wait_call call, const int *functions, uint64_t ns)
{
	struct sp_wait_site *site = (struct sp_wait_site *)spool_records(s, SP_SEC_WAITS) + allot(s, SP_SEC_WAITS, 1);

	*site = (struct sp_wait_site){.ready = 1,
		.stack = spool_stack(s, SP_STACK_IS_HEAP | SP_STACK_IS_WAIT, functions),
		.call = call,
		.ns = ns,
		.count = 5,
		.samples = 2,
		.longest_ns = ns};
}

static void describe_process(struct spool *s)
{
	struct sp_spool_header *h = s->header;

	h->text.exe = spool_text(s, SPOOL_PROGRAM);
	h->text.program = spool_text(s, "prog");
	h->text.command = spool_text(s, "prog");
	spool_text(s, "--token");
	spool_text(s, "hunter2");
	spool_text(s, "");
	h->text.command_bytes = spool_text(s, "") - h->text.command - 1;
	h->text.kernel = spool_text(s, "6.1.0-13-amd64");
	h->text.cwd = spool_text(s, "/nowhere");
	h->text.environment = spool_text(s, "development");
	h->text.environment_reason = spool_text(s, "a test");
	h->text.settings =
		spool_text(s, "source_lines\ton\tdefault\ninlines\toff\tdefault\nsystem_libraries\ton\tdefault\n");
	h->text.tree = spool_text(s, "4000000.77");
	h->text.clock_reason = spool_text(s, "it was told so");
	h->state = SP_STATE_ENDED;
	h->exit_kind = SP_EXIT_CODE;
	h->pid = 4000000;
	h->locked = 1;
	h->ppid = 1;
	h->is_root = 1;
	h->start_ticks = 77;
	h->start_realtime_ns = 1700000000ULL * 1000000000u;
	h->end_ns = 2000000000;
	h->cpu.clock = SP_CLOCK_EVENT;
	h->cpu.requested_ns = 1000000;
	h->heap.on = 1;
}

void spool_open(struct spool *s)
{
	spool_open_large(s, 1);
}

void spool_open_large(struct spool *s, uint32_t times)
{
	uint64_t offset = sizeof(struct sp_spool_header);
	struct sp_thread_record *threads;

	for (int i = 0; i < SP_SECTIONS; i++)
		offset += (uint64_t)strides[i] * capacities[i] * times;
	s->header = calloc(1, offset);
	*s->header = (struct sp_spool_header){.magic = SP_SPOOL_MAGIC,
		.version = SP_SPOOL_VERSION,
		.header_bytes = sizeof(struct sp_spool_header),
		.machine = SP_MACHINE,
		.total_bytes = offset};
	offset = sizeof(struct sp_spool_header);
	for (int i = 0; i < SP_SECTIONS; i++) {
		s->header->sections[i] = (struct sp_section_entry){.offset = offset,
			.stride = strides[i],
			.capacity = capacities[i] * times,
			.used = 1,
			.committed = capacities[i] * times};
		offset += (uint64_t)strides[i] * capacities[i] * times;
	}
	s->header->sections[SP_SEC_TIMELINE].used = 0;
	describe_process(s);
	spool_module(s, SPOOL_PROGRAM, SPOOL_BASE, SPOOL_BASE + 0x10000, 0, UINT64_MAX);
	threads = spool_records(s, SP_SEC_THREADS);
	threads[allot(s, SP_SEC_THREADS, 1)] = (struct sp_thread_record){.state = 2, .tid = 4000000, .name = "prog"};
}

void spool_close(struct spool *s)
{
	free(s->header);
}

struct sp_copy *spool_copy(struct spool *s, uint32_t stack, uint32_t sample, const uint64_t *words, uint32_t count)
{
	uint32_t word = allot(s, SP_SEC_COPIED, count);
	struct sp_copy *copy = (struct sp_copy *)spool_records(s, SP_SEC_COPIES) + allot(s, SP_SEC_COPIES, 1);

	memcpy((uint64_t *)spool_records(s, SP_SEC_COPIED) + word, words, count * sizeof(*words));
	*copy = (struct sp_copy){.ready = 1, .stack = stack, .sample = sample, .word = word, .words = count};
	return copy;
}

struct sp_mark *spool_mark(struct spool *s, const char *name, uint64_t t_ns)
{
	struct sp_mark *mark = (struct sp_mark *)spool_records(s, SP_SEC_MARKS) + allot(s, SP_SEC_MARKS, 1);

	*mark = (struct sp_mark){.ready = 1, .seq = ++s->header->mark_seq, .t_ns = t_ns, .tsc = t_ns};
	strncpy(mark->name, name, sizeof(mark->name) - 1);
	mark->heap = s->header->heap;
	mark->cpu = s->header->cpu;
	mark->logged = s->header->sections[SP_SEC_LOG].used;
	return mark;
}

void spool_settle(struct spool *s, uint32_t site)
{
	struct sp_site *now = (struct sp_site *)spool_records(s, SP_SEC_SITES) + site;
	struct sp_marked *marked;

	if (now->mark_seq == s->header->mark_seq)
		return;
	marked = (struct sp_marked *)spool_records(s, SP_SEC_MARKED) + allot(s, SP_SEC_MARKED, 1);
	*marked = (struct sp_marked){
		.ready = 1, .site = site, .from = now->mark_seq, .to = s->header->mark_seq, .was = *now};
	now->mark_seq = s->header->mark_seq;
}

void spool_write(struct spool *s, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, s->header, s->header->total_bytes) != (ssize_t)s->header->total_bytes)
		abort();
	close(fd);
}

void spool_snapshot(struct spool *s, struct sp_snapshot *snapshot)
{
	char path[] = "/tmp/profile_spool.XXXXXX";
	const char *why = "";
	int fd = mkstemp(path);

	spool_write(s, path);
	if (sp_snapshot_read(snapshot, fd, &why) < 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	close(fd);
	unlink(path);
}

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

void spool_fill(struct spool *s)
{
	struct sp_log_entry *log = spool_records(s, SP_SEC_LOG);
	struct sp_live *live = spool_records(s, SP_SEC_LIVE);
	uint32_t stack = spool_stack(s, 0, STACK(3, 2, 3, 2, 1));

	spool_module(s, "/nowhere/e|v`i<l>\n.so", 0x7000000, 0x7001000, 0, UINT64_MAX);
	spool_sample(s, stack, 30000, 4000);
	spool_sample(s, spool_stack(s, SP_STACK_TRUNCATED, STACK(4, 2)), 1000, 0);
	spool_sample(s, spool_addresses(s, 0, 1, (const uint64_t[]){0x7000011, SPOOL_BASE + 1}, 2), 5000, 0);
	spool_site(s, spool_stack(s, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 4096, 2)->free_bytes = 96;
	spool_thread(s, "worker|`<", 11, 50000, 0)->clocks = SP_THREAD_EVENT;
	for (uint64_t i = 0; i < 4; i++)
		spool_timepoint(s, 50 * i, 100 << i)->rss_bytes = 1 << 20;
	for (unsigned i = 1; i < 5; i++)
		log[s->header->sections[SP_SEC_LOG].used++] = (struct sp_log_entry){.stack = stack, .weight = 1000 * i};
	live[s->header->sections[SP_SEC_LIVE].used++] =
		(struct sp_live){.alive = 1, .site = 1, .size = 64, .weight = 4000, .born_tsc = 100};
	s->header->heap.class_bytes[6] = 4096;
	s->header->heap.class_count[6] = 2;
	spool_mark(s, "warning", 100000000);
	spool_settle(s, 1);
	s->header->tsc_per_us_x1024 = 1 << 20;
}
