/* How large a spool's tables are. */
#include "sampler/spool/layout.h"

#include <errno.h>
#include <sys/resource.h>

#include "sampler/sys.h"

#define PAGE 4096u                /* of what a small process needs; the kernel's may have more room */
#define LOCKED_BYTES (4ull << 20) /* of a file whose every page would be taken */

struct section_plan {
	uint32_t stride;
	uint32_t capacity;
	uint32_t first_bytes; /* backed from the start, one record at least; 0: nothing */
};

/* The tables' sizes follow the cap on samples: a stack is unique for every fourth sample at the
 * most in the programs looked at, and adds some 16 frames. `halvings` makes them smaller for a
 * limit on file size. */
static void plan_sections(struct section_plan plan[SP_SECTIONS], uint32_t sample_cap, unsigned halvings)
{
	uint32_t stacks = sp_clamp(sample_cap / 2, 1024, SP_STACKS_MAX) >> halvings;
	uint32_t buckets = 2048; /* tables of 1024, 2048, ..., the last of twice the stacks (stacks.c) */

	while (buckets < stacks * 4)
		buckets *= 2;
	plan[SP_SEC_TEXT] = (struct section_plan){1, SP_TEXT_MAX >> halvings, 2 * PAGE};
	plan[SP_SEC_MODULES] = (struct section_plan){sizeof(struct sp_module), SP_MODULES_MAX >> halvings, PAGE};
	plan[SP_SEC_THREADS] = (struct section_plan){sizeof(struct sp_thread_record), SP_THREADS_MAX >> halvings, PAGE};
	plan[SP_SEC_BUCKETS] = (struct section_plan){sizeof(uint32_t), buckets, 0};
	plan[SP_SEC_STACKS] = (struct section_plan){sizeof(struct sp_stack), stacks, PAGE};
	plan[SP_SEC_FRAMES] = (struct section_plan){sizeof(uint64_t), stacks * 16u, PAGE};
	plan[SP_SEC_SITES] = (struct section_plan){sizeof(struct sp_site), stacks / 2u, PAGE};
	plan[SP_SEC_TIMELINE] = (struct section_plan){sizeof(struct sp_timepoint), SP_TIMELINE_MAX, PAGE};
	plan[SP_SEC_LIVE] = (struct section_plan){sizeof(struct sp_live), SP_LIVE_MAX >> 2 * halvings, PAGE};
	plan[SP_SEC_COPIES] = (struct section_plan){sizeof(struct sp_copy), SP_COPIES_MAX >> 2 * halvings, 0};
	plan[SP_SEC_COPIED] = (struct section_plan){sizeof(uint64_t), SP_COPIED_MAX >> 2 * halvings, 0};
	plan[SP_SEC_MARKS] = (struct section_plan){sizeof(struct sp_mark), SP_MARKS_MAX >> halvings, 0};
	plan[SP_SEC_MARKED] = (struct section_plan){sizeof(struct sp_marked), stacks / 2u, 0};
	plan[SP_SEC_SPAN_NAMES] = (struct section_plan){sizeof(struct sp_span_name), SP_SPAN_NAMES_MAX >> halvings, 0};
	plan[SP_SEC_SPAN_NODES] = (struct section_plan){sizeof(struct sp_span_node), SP_SPAN_NODES_MAX >> halvings, 0};
	plan[SP_SEC_SPAN_COUNTS] =
		(struct section_plan){sizeof(struct sp_span_count), SP_SPAN_COUNTS_MAX >> 2 * halvings, 0};
	plan[SP_SEC_SPAN_THREADS] =
		(struct section_plan){sizeof(struct sp_span_thread), SP_SPAN_THREADS_MAX >> 2 * halvings, 0};
	plan[SP_SEC_CHECKPOINTS] =
		(struct section_plan){sizeof(struct sp_checkpoint), SP_CHECKPOINTS_MAX >> halvings, 0};
	plan[SP_SEC_TRACED] = (struct section_plan){sizeof(struct sp_traced), SP_TRACED_MAX >> 2 * halvings, 0};
	plan[SP_SEC_SPAN_SLOWEST] =
		(struct section_plan){sizeof(struct sp_span_slowest), SP_SPAN_SLOWEST_MAX >> 2 * halvings, 0};
	plan[SP_SEC_SPAN_TAIL] =
		(struct section_plan){sizeof(struct sp_span_tail), SP_SPAN_TAIL_MAX >> 2 * halvings, 0};
	plan[SP_SEC_SPAN_EVENTS] =
		(struct section_plan){sizeof(struct sp_span_event), SP_SPAN_EVENTS_MAX >> 2 * halvings, 0};
	plan[SP_SEC_WAITS] = (struct section_plan){sizeof(struct sp_wait_site), SP_WAIT_SITES_MAX >> halvings, 0};
	plan[SP_SEC_LOCKS] = (struct section_plan){sizeof(struct sp_lock), SP_LOCKS_MAX >> halvings, 0};
	plan[SP_SEC_LOG] = (struct section_plan){
		sizeof(struct sp_log_entry), sp_clamp(sample_cap, 1024, SP_LOG_MAX) >> halvings, PAGE};
}

/* What is used from the start comes first, and of that what is small: the kernel needs a page of tables for every 2 MB in which
 * any page is used. */
const uint8_t sp_layout_order[SP_SECTIONS] = {SP_SEC_TIMELINE, SP_SEC_TEXT, SP_SEC_MODULES, SP_SEC_LOG, SP_SEC_BUCKETS,
	SP_SEC_THREADS, SP_SEC_STACKS, SP_SEC_FRAMES, SP_SEC_SITES, SP_SEC_LIVE, SP_SEC_WAITS, SP_SEC_LOCKS,
	SP_SEC_COPIES, SP_SEC_COPIED, SP_SEC_MARKS, SP_SEC_MARKED, SP_SEC_SPAN_NAMES, SP_SEC_SPAN_NODES,
	SP_SEC_SPAN_COUNTS, SP_SEC_SPAN_THREADS, SP_SEC_CHECKPOINTS, SP_SEC_TRACED, SP_SEC_SPAN_SLOWEST,
	SP_SEC_SPAN_TAIL, SP_SEC_SPAN_EVENTS};

static void place_sections(const struct section_plan plan[SP_SECTIONS], struct sp_layout *layout)
{
	uint64_t at = sp_page_end(sizeof(struct sp_spool_header));
	int k;

	for (k = 0; k < SP_SECTIONS; k++) {
		uint8_t i = sp_layout_order[k];
		uint32_t stride = plan[i].stride, capacity = plan[i].capacity, bytes = plan[i].first_bytes;

		layout->entries[i] = (struct sp_section_entry){.offset = at, .stride = stride, .capacity = capacity};
		layout->first[i] = bytes ? sp_clamp(bytes / stride, 1, capacity) : 0;
		at = sp_page_end(at + (uint64_t)stride * capacity);
	}
	layout->total_bytes = at;
}

/* What the limits leave for the file, which is all mapped. */
static uint64_t room_bytes(uint64_t *space)
{
	struct rlimit file = {RLIM_INFINITY, RLIM_INFINITY}, address = file;

	sp_sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &file);
	sp_sys(SYS_prlimit64, 0, RLIMIT_AS, NULL, &address);
	*space = address.rlim_cur == RLIM_INFINITY ? RLIM_INFINITY : address.rlim_cur / 16;
	if (sp_load(&sp_agent.locks_memory) && *space > LOCKED_BYTES)
		*space = LOCKED_BYTES;
	return file.rlim_cur;
}

int sp_layout_choose(uint32_t sample_cap, struct sp_layout *layout)
{
	uint64_t space, file = room_bytes(&space);
	struct section_plan plan[SP_SECTIONS];
	unsigned halvings;

	for (halvings = 0; halvings <= 5; halvings++) {
		plan_sections(plan, sample_cap, halvings);
		place_sections(plan, layout);
		if (layout->total_bytes <= file && layout->total_bytes <= space)
			return 0;
	}
	return layout->total_bytes > file ? -EFBIG : -E2BIG;
}
