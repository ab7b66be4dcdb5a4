/* Fuzzes what reads spools, to the end: snapshot, model, Markdown.
 *
 * Besides not crashing: whatever names and numbers a spool holds, its profile's tables are tables, its
 * text is inert, and its complete part is complete. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiles/model/facts.h"
#include "profiles/markdown/markdown.h"
#include "profiles/markdown/validate.h"
#include "profiles/spool/follow.h"
#include "profiles/spool/window.h"

/* What damage explains: keys without a value, numbers that do not add up. */
static int is_excused(const char *what)
{
	return strstr(what, "missing") || strstr(what, "add up") || strstr(what, "self time") ||
		strstr(what, "` is ") || strstr(what, "a figure that is not a number");
}

static void check(const struct sp_buffer *text)
{
	struct sp_validation *v = sp_alloc(1, sizeof(*v));

	sp_validate(v, text->data, text->length);
	for (size_t i = 0; i < v->count && i < SP_VIOLATIONS_MAX; i++) {
		if (is_excused(v->violations[i].what))
			continue;
		fprintf(stderr, "%s\nfuzz_spool: line %zu: %s\n", text->data, v->violations[i].line,
			v->violations[i].what);
		abort();
	}
	sp_validation_free(v);
	free(v);
}

/* What happened since half of it was there. */
static void take_window(struct sp_snapshot *snapshot, int fd)
{
	struct sp_snapshot earlier;
	const char *why = NULL;

	if (sp_snapshot_read(&earlier, fd, &why) == 0) {
		earlier.stack_count /= 2;
		earlier.site_count /= 2;
		earlier.live_count /= 2;
		earlier.log_count /= 2;
		earlier.thread_count = (earlier.thread_count + 1) / 2;
		earlier.taken_ns /= 2;
		if (sp_window_take(snapshot, &earlier, &why) < 0 && !why)
			abort();
	}
	sp_snapshot_free(&earlier);
}

/* All that a look tells is asked for. */
static void follow(int fd)
{
	struct sp_follow look = {.fd = fd};
	struct sp_snapshot *picked;
	struct sp_profile *profile;
	uint32_t places[64];
	const char *why = NULL;

	for (uint32_t i = 0; i < 64; i++)
		places[i] = i < 60 ? i : UINT32_MAX - i;
	for (unsigned what = 0; what < 4; what++) {
		if (sp_follow_look(&look, what, &why) < 0)
			break;
		picked = sp_follow_pick(&look, places, 64, &why);
		if (!picked)
			break;
		profile = sp_profile_from_snapshot(picked, NULL, NULL, NULL);
		sp_profile_free(profile);
	}
	if (look.now.is.header.magic != SP_SPOOL_MAGIC && !why)
		abort();
	sp_follow_free(&look);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_snapshot snapshot;
	struct sp_buffer text = {0};
	struct sp_profile *profile;
	const char *why = NULL;
	int fd = memfd_create("spool", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (size % 5 == 0)
		follow(fd);
	if (sp_snapshot_read(&snapshot, fd, &why) == 0) {
		if (size % 3 == 0)
			take_window(&snapshot, fd);
		profile = sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL);
		sp_facts_collect(profile);
		sp_markdown_write(&text, profile, "prog.md", size % 2);
		check(&text);
		sp_profile_free(profile);
	} else if (!why) {
		abort();
	}
	sp_buffer_free(&text);
	sp_snapshot_free(&snapshot);
	close(fd);
	return 0;
}
