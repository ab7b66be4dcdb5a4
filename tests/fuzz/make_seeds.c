/* Composes the seeds of fuzz_spool and fuzz_markdown: usage: make_seeds DIRECTORY */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/model/facts.h"
#include "profiles/markdown/markdown.h"
#include "tests/unit/profile_spool.h"

static void write_file(const char *directory, const char *kind, const char *name, const void *data, size_t size)
{
	char path[512];
	int fd;

	mkdir(directory, 0777);
	snprintf(path, sizeof(path), "%s/%s", directory, kind);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", directory, kind, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		perror(path);
		exit(1);
	}
	close(fd);
}

/* The same spool without room for more: what a fuzzer changes is then mostly used. */
static char *compact(const struct spool *s, size_t *size)
{
	struct sp_spool_header *h;
	char *out = calloc(1, s->header->total_bytes);
	uint64_t at = sizeof(*h);

	memcpy(out, s->header, sizeof(*h));
	h = (struct sp_spool_header *)out;
	for (int i = 0; i < SP_SECTIONS; i++) {
		struct sp_section_entry *e = &h->sections[i];
		uint64_t bytes = (uint64_t)e->used * e->stride;

		memcpy(out + at, (const char *)s->header + e->offset, bytes);
		e->offset = at;
		e->capacity = e->committed = e->used;
		at += (bytes + 7) & ~7ull;
	}
	h->total_bytes = *size = at;
	return out;
}

static void write_seeds(const char *directory, const char *name, struct spool *s)
{
	char path[] = "/tmp/smartprof-seed-XXXXXX";
	struct sp_snapshot snapshot;
	struct sp_buffer text = {0};
	const char *why = "";
	size_t size;
	char *data = compact(s, &size);
	int fd = mkstemp(path);

	unlink(path);
	if (write(fd, data, size) != (ssize_t)size || sp_snapshot_read(&snapshot, fd, &why) < 0) {
		fprintf(stderr, "make_seeds: %s: %s\n", name, why);
		exit(1);
	}
	struct sp_profile *profile = sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL);
	sp_facts_collect(profile);
	sp_markdown_write(&text, profile, "prog.md", false);
	write_file(directory, "spool", name, data, size);
	write_file(directory, "markdown", name, text.data, text.length);
	write_file(directory, "compare", name, text.data, text.length);
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_free(&text);
	free(data);
	close(fd);
}

int main(int argc, char **argv)
{
	struct spool s;
	uint32_t stack;

	if (argc != 2)
		return 1;
	spool_open(&s);
	write_seeds(argv[1], "empty", &s);
	spool_fill(&s);
	spool_addresses(&s, 0, 1, (uint64_t[]){SPOOL_BASE + 0x21, SP_FRAME_JUMP | 1}, 2);
	stack = spool_stack(&s, SP_STACK_BROKEN, (const int[]){4, -1});
	spool_sample(&s, stack, 1000, 0);
	spool_copy(&s, stack, 1, (const uint64_t[]){SPOOL_BASE + 33, 0}, 2)->low = 0x7ffff000;
	write_seeds(argv[1], "some", &s);
	s.header->state = SP_STATE_RUNNING;
	s.header->end_ns = 0;
	s.header->cpu.clock = SP_CLOCK_TIMER;
	s.header->text.notes = spool_text(&s, "[x] a note\n1. another\n\x1b[1m|<b>`\n");
	s.header->drops[SP_DROP_STACKS] = 3;
	write_seeds(argv[1], "running", &s);
	s.header->heap.on = 0;
	write_seeds(argv[1], "cpu", &s);
	s.header->heap.on = 1;
	s.header->cpu.clock = SP_CLOCK_OFF;
	write_seeds(argv[1], "heap", &s);
	spool_close(&s);
	return 0;
}
