/* A spool file -> a validated copy in memory.
 *
 * A spool is untrusted: it may be cut, damaged or made by somebody else, and it may change while
 * it is read. Everything is read once (pread, so that a file cut meanwhile is an error and no
 * SIGBUS), checked, and only the checked copy is used from there on. */
#ifndef SP_PROFILES_SPOOL_READ_H
#define SP_PROFILES_SPOOL_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sampler/spool.h"

/* All arrays belong to the snapshot. Guaranteed after sp_snapshot_read returned 0: text ends with
 * a NUL (text[0] is one too); every module path offset is inside the text; every stack's
 * addresses can be copied (a stack whose could not has depth 0); every site's stack is inside stacks[]
 * (else it is 0, the overflow stack); every log entry's stack is too; every copy's stack is (and not 0), and its words are in copied[]; every live allocation's site is
 * inside sites[]; every mark's name is one, and every record's site in marked[] inside sites[]; thread names are terminated. */
struct sp_growth;

struct sp_snapshot {
	struct sp_spool_header header;
	char *text;
	size_t text_bytes;
	struct sp_module *modules;
	size_t module_count;
	struct sp_thread_record *threads;
	size_t thread_count;
	struct sp_stack *stacks;
	size_t stack_count;
	uint64_t *frames; /* with jumps: see sp_snapshot_stack */
	size_t frame_count;
	size_t depth_sum; /* of all stacks */
	struct sp_site *sites;
	size_t site_count;
	struct sp_timepoint *timeline;
	size_t timeline_count;
	struct sp_log_entry *log; /* only written entries */
	size_t log_count;
	struct sp_live *live; /* only those alive */
	size_t live_count;
	struct sp_copy *copies; /* only whole ones */
	size_t copy_count;
	uint64_t *copied; /* their words */
	size_t copied_count;
	struct sp_mark *marks; /* only whole ones, in the order in which they were set */
	size_t mark_count;
	struct sp_marked *marked; /* only whole ones */
	size_t marked_count;
	struct sp_span_name *span_names; /* spans.h */
	size_t span_name_count;
	struct sp_span_node *span_nodes;
	size_t span_node_count;
	struct sp_span_count *span_counts;
	size_t span_count_count;
	struct sp_span_thread *span_threads;
	size_t span_thread_count;
	struct sp_checkpoint *checkpoints; /* of those that are none, node is 0 */
	size_t checkpoint_count;
	struct sp_wait_site *wait_sites; /* waits.h; what is left out has no samples */
	size_t wait_site_count;
	struct sp_lock *locks;
	size_t lock_count;
	struct sp_traced *traced; /* in no order */
	size_t traced_count;
	struct sp_span_slowest *span_slowest; /* only whole ones */
	size_t span_slowest_count;
	struct sp_span_tail *span_tail;
	size_t span_tail_count;
	struct sp_span_log span_log;  /* size 0: there is no timing log */
	struct sp_span_event *events; /* those that are still there, in the order of their numbers; each is of a node */
	size_t event_count, event_capacity;
	bool running;      /* its process was still there when it was read */
	uint64_t taken_ns; /* since start: when it was read, or the process's end; of a copy, when that was made */
	uint32_t damaged;  /* records that failed a check and were left out */
	struct sp_growth *growth; /* of each site; NULL: no window (window.h) */
	uint64_t window_ns;       /* of a window: when it began, since the process's start */
	const struct sp_mark *at; /* in marks[]: it is as it was then (marks.h); NULL: as it was when it was read */
	uint32_t lost_sites;      /* then: what so many sites were is not known */
};

/* Reads and checks the spool open at fd. Returns 0 or a negative errno; *why is then a static
 * phrase. *snapshot is to be freed in both cases. */
int sp_snapshot_read(struct sp_snapshot *snapshot, int fd, const char **why);

/* Only the header and the text section: cheap, for looking around. The same guarantees. */
int sp_snapshot_peek(struct sp_snapshot *snapshot, int fd, const char **why);

void sp_snapshot_free(struct sp_snapshot *snapshot);

/* Copies the addresses of stacks[stack], its `depth` many, at most SP_MAX_DEPTH. */
void sp_snapshot_stack(const struct sp_snapshot *snapshot, size_t stack, uint64_t *addresses);

/* CPU time of the process. One that ended in order has told; of any other the last reading of the whole is some
 * milliseconds old, and its threads' readings together may be newer. */
void sp_snapshot_cpu(const struct sp_snapshot *snapshot, uint64_t *user_ns, uint64_t *sys_ns);

/* True for the first process of its tree, also after it has replaced itself by another program. */
bool sp_snapshot_is_root(const struct sp_snapshot *snapshot);

/* The text at an offset of struct sp_text; "" for 0 and for offsets outside. */
const char *sp_snapshot_text(const struct sp_snapshot *snapshot, uint32_t offset);

#endif
