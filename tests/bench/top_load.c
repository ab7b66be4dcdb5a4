/* A process whose spool is as large as they get, and goes on: for tests/bench/top.sh. Usage: top_load PROGRAM SPOOL STACKS
 * STACKS_A_SECOND FUNCTIONS BUILD_ID. The functions, of which that is a file, are lines "START SIZE" in hexadecimal, as nm -S prints them.
 *
 * It has the spool mapped and adds a sample of 1 ms to that many stacks each second, mostly to the same ones, and lets as
 * many heap sites and live allocations move. It ends when its standard input does. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/profile_spool.h"

#define FUNCTIONS_MAX 20000u
#define BIAS 0x10000000u
#define DEPTH 20u
#define TIMES 63u /* the room of composed spools, so many times, is what agents have at the most */
#define ID_BYTES 20u
#define PARTS 50u /* of a second */

static struct {
	uint64_t low, bytes;
} functions[FUNCTIONS_MAX];
static uint64_t state = 1;

static uint32_t below(uint64_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((state >> 33) % n);
}

static uint32_t read_functions(const char *path)
{
	unsigned long low, bytes;
	FILE *file = fopen(path, "r");
	uint32_t n = 0;

	while (file && n < FUNCTIONS_MAX && fscanf(file, "%lx %lx%*[^\n]", &low, &bytes) == 2) {
		functions[n].low = low;
		functions[n++].bytes = bytes;
	}
	if (file)
		fclose(file);
	return n;
}

/* Half of a stack is that of many others. */
static uint32_t add_stack(struct spool *s, uint32_t count, uint32_t flags)
{
	uint64_t addresses[DEPTH];
	uint32_t family = below(64);

	for (uint32_t i = 0; i < DEPTH; i++) {
		uint32_t f = i < DEPTH / 2 ? below(count) : (family * 131 + i) % count;

		addresses[i] = BIAS + functions[f].low + functions[f].bytes / 2;
	}
	return spool_addresses(s, flags, 1, addresses, DEPTH);
}

/* Hexadecimal. */
static void set_build_id(struct spool *s, uint32_t module, const char *text)
{
	struct sp_module *m = (struct sp_module *)spool_records(s, SP_SEC_MODULES) + module;

	for (m->build_id_bytes = 0; m->build_id_bytes < ID_BYTES; m->build_id_bytes++)
		if (sscanf(text + (size_t)2 * m->build_id_bytes, "%2hhx", &m->build_id[m->build_id_bytes]) != 1)
			break;
}

static void compose(struct spool *s, char **argv, uint32_t stacks, uint32_t count)
{
	spool_open_large(s, TIMES);
	s->header->sections[SP_SEC_FRAMES].capacity = SP_FRAMES_MAX;
	s->header->sections[SP_SEC_SPAN_NAMES].capacity = SP_SPAN_NAMES_MAX;
	s->header->text.settings =
		spool_text(s, "source_lines\ton\tdefault\ninlines\ton\tdefault\nsystem_libraries\ton\tdefault\n");
	set_build_id(s, spool_module(s, argv[1], BIAS, BIAS + 0x30000000u, 0, UINT64_MAX), argv[6]);
	for (uint32_t i = 0; i < stacks; i++) {
		bool heap = i % 5 == 0 && i / 5 < 512 * TIMES - 1;
		uint32_t stack = add_stack(s, count, heap ? SP_STACK_IS_HEAP : 0);

		if (heap)
			spool_site(s, stack, 4096, 1);
		else
			spool_sample(s, stack, 1000, 0);
	}
}

static void go_on(struct spool *s, uint32_t wanted)
{
	struct sp_stack *stacks = spool_records(s, SP_SEC_STACKS);
	struct sp_site *sites = spool_records(s, SP_SEC_SITES);
	struct sp_live *live = spool_records(s, SP_SEC_LIVE);
	uint32_t count = s->header->sections[SP_SEC_STACKS].used, site_count = s->header->sections[SP_SEC_SITES].used;

	s->header->sections[SP_SEC_LIVE].used = 1000 * TIMES;
	for (uint32_t i = 0; i < wanted; i++) {
		uint32_t index = 1 + below(1 + below(count - 1)), site = 1 + below(1 + below(site_count - 1)),
			 at = 1 + below(1000 * TIMES - 1);

		if (!(stacks[index].flags & SP_STACK_IS_HEAP))
			spool_sample(s, index, 1000, 0);
		sites[site].alloc_bytes += 512;
		sites[site].samples++;
		sites[site].variance_alloc++;
		live[at] = (struct sp_live){
			.alive = 1, .site = site, .size = 512, .weight = 512, .variance = 1, .born_tsc = state};
	}
}

static bool has_input(void)
{
	char c;

	return read(STDIN_FILENO, &c, 1) != 0;
}

int main(int argc, char **argv)
{
	uint32_t count = argc == 7 ? read_functions(argv[5]) : 0, wanted;
	struct spool s;
	struct stat ns;
	int fd;

	if (!count) {
		fprintf(stderr, "usage: top_load PROGRAM SPOOL STACKS STACKS_A_SECOND FUNCTIONS BUILD_ID\n");
		return 2;
	}
	compose(&s, argv, (uint32_t)atol(argv[3]), count);
	wanted = (uint32_t)atol(argv[4]) / PARTS + 1;
	s.header->state = SP_STATE_RUNNING;
	s.header->end_ns = s.header->locked = 0;
	s.header->pid = getpid();
	s.header->start_ticks = 0;
	s.header->pid_namespace = stat("/proc/self/ns/pid", &ns) == 0 ? ns.st_ino : 0;
	spool_write(&s, argv[2]);
	fd = open(argv[2], O_RDWR | O_CLOEXEC);
	s.header = mmap(NULL, s.header->total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	printf("ready\n");
	fflush(stdout);
	while (s.header != MAP_FAILED && has_input()) {
		go_on(&s, wanted);
		nanosleep(&(struct timespec){.tv_nsec = 1000000000 / PARTS}, NULL);
	}
	return 0;
}
