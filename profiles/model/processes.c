/* What the processes of a merged profile have in common. */
#include <stdlib.h>
#include <string.h>

#include "profiles/model/merge.h"

bool sp_processes_same_run(const struct sp_profile *p)
{
	for (size_t i = 0; i < p->process_count; i++)
		if (!*p->processes[i].tree || strcmp(p->processes[i].tree, p->processes[0].tree) != 0)
			return false;
	return p->process_count > 0;
}

/* Of processes that replaced themselves by another program, which are all root, the last: it is what ran. */
size_t sp_processes_root(const struct sp_profile *p)
{
	size_t root = SIZE_MAX;

	if (!sp_processes_same_run(p))
		return SIZE_MAX;
	for (size_t i = 0; i < p->process_count; i++) {
		const struct sp_member *process = &p->processes[i];

		if (process->root && (root == SIZE_MAX || process->start_ns >= p->processes[root].start_ns))
			root = i;
	}
	return root;
}

const char *sp_processes_program(const struct sp_profile *p)
{
	size_t root = sp_processes_root(p);

	if (root != SIZE_MAX)
		return p->processes[root].program;
	for (size_t i = 1; i < p->process_count; i++)
		if (strcmp(p->processes[i].program, p->processes[0].program) != 0)
			return NULL;
	return p->process_count ? p->processes[0].program : NULL;
}

struct moment {
	uint64_t at_ns, bytes;
	bool begins;
};

/* At the same moment a process that ends makes room before another one begins. */
static int by_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->begins - y->begins;
}

uint64_t sp_processes_peak_together(const struct sp_profile *p)
{
	struct moment *moments = sp_alloc(2 * p->process_count + 1, sizeof(*moments));
	uint64_t now = 0, most = 0;

	for (size_t i = 0; i < p->process_count; i++) {
		const struct sp_member *process = &p->processes[i];

		moments[2 * i] = (struct moment){process->start_ns, process->peak_bytes, true};
		moments[2 * i + 1] =
			(struct moment){process->start_ns + process->wall_ns + 1, process->peak_bytes, false};
	}
	qsort(moments, 2 * p->process_count, sizeof(*moments), by_time);
	for (size_t i = 0; i < 2 * p->process_count; i++) {
		now = moments[i].begins ? now + moments[i].bytes : now - moments[i].bytes;
		most = now > most ? now : most;
	}
	free(moments);
	return most;
}

void sp_processes_span(const struct sp_profile *p, uint64_t *from_ns, uint64_t *to_ns)
{
	*from_ns = UINT64_MAX;
	*to_ns = 0;
	for (size_t i = 0; i < p->process_count; i++) {
		uint64_t start = p->processes[i].start_ns, end = start + p->processes[i].wall_ns;

		*from_ns = start < *from_ns ? start : *from_ns;
		*to_ns = end > *to_ns ? end : *to_ns;
	}
	if (*from_ns > *to_ns)
		*from_ns = *to_ns = 0;
}
