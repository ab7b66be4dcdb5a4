/* What the samples in a spool add up to, and what the kernel said beside it, in seconds.
 * Usage: spool_sums SPOOL. Prints "all<TAB>user<TAB>system" (samples, and the time before the first
 * clock), "kernel<TAB>user<TAB>system", "interval<TAB>mean", and for each thread with a record of its own
 * "thread<TAB>tid<TAB>user<TAB>system<TAB>kernel's user<TAB>kernel's system". */
#include "sampler/spool.h"
#include "tests/targets/common.h"

static char *read_all(const char *path)
{
	FILE *f = fopen(path, "r");
	long size;
	char *data;

	check(f && fseek(f, 0, SEEK_END) == 0, path);
	size = ftell(f);
	data = size > 0 ? malloc((size_t)size) : NULL;
	rewind(f);
	check(data && fread(data, (size_t)size, 1, f) == 1, path);
	fclose(f);
	return data;
}

static uint32_t count(const struct sp_section_entry *s)
{
	uint32_t n = s->used < s->committed ? s->used : s->committed;

	return n < s->capacity ? n : s->capacity;
}

int main(int argc, char **argv)
{
	const char *data = read_all(argc > 1 ? argv[1] : "");
	const struct sp_spool_header *h = (const void *)data;
	const struct sp_section_entry *s = h->sections;
	const struct sp_stack *stacks = (const void *)(data + s[SP_SEC_STACKS].offset);
	const struct sp_thread_record *threads = (const void *)(data + s[SP_SEC_THREADS].offset);
	double user = 0, sys = 0, samples = 0;

	check(h->magic == SP_SPOOL_MAGIC && h->version == SP_SPOOL_VERSION, "not a spool of this version");
	for (uint32_t i = 0; i < count(&s[SP_SEC_STACKS]); i++) {
		user += (double)stacks[i].user_ns;
		sys += (double)stacks[i].sys_ns;
		samples += stacks[i].user_samples;
	}
	printf("all\t%.6f\t%.6f\n", (user + (double)h->cpu.before_user_ns) / 1e9,
		(sys + (double)h->cpu.before_sys_ns) / 1e9);
	printf("kernel\t%.6f\t%.6f\n", (double)h->cpu.self_user_ns / 1e9, (double)h->cpu.self_sys_ns / 1e9);
	printf("interval\t%.9f\n", samples > 0 ? user / samples / 1e9 : 0);
	for (uint32_t i = 1; i < count(&s[SP_SEC_THREADS]); i++)
		if (threads[i].state)
			printf("thread\t%d\t%.6f\t%.6f\t%.6f\t%.6f\n", threads[i].tid, (double)threads[i].user_ns / 1e9,
				(double)threads[i].sys_ns / 1e9, (double)threads[i].cpu_user_ns / 1e9,
				(double)threads[i].cpu_sys_ns / 1e9);
	return 0;
}
