/* Damaged spools: cut anywhere, bits flipped anywhere, numbers out of range. Rendering must refuse
 * or cope. Meant to run with sanitizers too. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/output/render.h"
#include "profiles/spool/read.h"
#include "tests/unit/profile_spool.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

static struct spool spool;
static struct sp_snapshot clean; /* the spool before it was damaged */
static char path[64];

static int set_up(void **state)
{
	struct sp_timepoint *timeline;

	(void)state;
	spool_open(&spool);
	for (int i = 1; i < 40; i++) {
		spool_sample(&spool, spool_stack(&spool, 0, STACK(i, i / 2, 2, 1)), 1000, 10);
		spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(i, i / 3, 1)), 100, 1)->short_bytes = 10;
	}
	timeline = spool_records(&spool, SP_SEC_TIMELINE);
	spool.header->sections[SP_SEC_TIMELINE].used = 100;
	for (unsigned i = 0; i < 100; i++)
		timeline[i] =
			(struct sp_timepoint){.t_ns = i * 1000000ULL, .user_ns = i * 900000ULL, .rss_bytes = i << 20};
	strcpy(path, "/tmp/profile_corrupt.XXXXXX");
	close(mkstemp(path));
	spool_snapshot(&spool, &clean);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	sp_snapshot_free(&clean);
	spool_close(&spool);
	return 0;
}

static int render_since(const struct sp_snapshot *since)
{
	struct sp_render_options options = {.since = since};
	struct sp_buffer out = {0};
	const char *why = NULL;
	int err = sp_render_text(path, &options, &out, &why);

	if (err) {
		assert_non_null(why);
		assert_true(strlen(why) > 5);
	} else {
		assert_true(out.length > 500);
	}
	sp_buffer_free(&out);
	return err;
}

static int render(void)
{
	render_since(&clean);
	return render_since(NULL);
}

static void the_undamaged_one_renders(void **state)
{
	(void)state;
	spool_write(&spool, path);
	assert_int_equal(render(), 0);
}

static void a_cut_spool_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < SP_SECTIONS; i++) {
		const struct sp_section_entry *e = &spool.header->sections[i];
		const uint64_t cuts[] = {e->offset - 1, e->offset, e->offset + 1, e->offset + e->stride / 2 + 1};

		for (size_t k = 0; k < sizeof(cuts) / sizeof(cuts[0]); k++) {
			spool_write(&spool, path);
			assert_int_equal(truncate(path, (off_t)cuts[k]), 0);
			assert_int_not_equal(render(), 0);
		}
	}
	for (uint64_t cut = 0; cut < sizeof(struct sp_spool_header); cut += 41) {
		spool_write(&spool, path);
		assert_int_equal(truncate(path, (off_t)cut), 0);
		assert_int_not_equal(render(), 0);
	}
}

static void foreign_files_are_refused(void **state)
{
	(void)state;
	spool.header->magic++;
	spool_write(&spool, path);
	assert_int_not_equal(render(), 0);
	spool.header->magic--;
	spool.header->version++;
	spool_write(&spool, path);
	assert_int_not_equal(render(), 0);
	unlink(path);
	strcpy(path, "/dev/null");
	assert_int_not_equal(render(), 0);
	strcpy(path, "/nowhere/at/all");
	assert_int_not_equal(render(), 0);
}

/* However large its spools are, and its header. */
static void one_of_another_version_is_told_as_such(void **state)
{
	const off_t sizes[] = {16, sizeof(struct sp_spool_header) - 1, SP_SPOOL_MAX_BYTES + 1};

	(void)state;
	spool.header->version++;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		spool_write(&spool, path);
		assert_int_equal(truncate(path, sizes[i]), 0);
		assert_int_equal(render(), -EPROTO);
	}
	spool.header->version--;
	spool.header->header_bytes += 8;
	spool_write(&spool, path);
	assert_int_equal(render(), -EPROTO);
}

/* However much of the file there is: no agent makes so much. */
static void sections_beyond_any_agents_are_refused(void **state)
{
	struct sp_section_entry *e = &spool.header->sections[SP_SEC_STACKS];

	(void)state;
	e->capacity = SP_STACKS_MAX + 1;
	spool_write(&spool, path);
	assert_int_equal(truncate(path, SP_SPOOL_MAX_BYTES), 0);
	assert_int_equal(render(), -EFBIG);
	e->capacity = SP_STACKS_MAX;
	spool_write(&spool, path);
	assert_int_equal(truncate(path, SP_SPOOL_MAX_BYTES), 0);
	assert_int_equal(render(), 0);
	assert_int_equal(truncate(path, SP_SPOOL_MAX_BYTES + 1), 0);
	assert_int_equal(render(), -EFBIG);
}

static void a_peak_beyond_belief_is_none(void **state)
{
	struct sp_snapshot snapshot;

	(void)state;
	spool.header->heap.peak.clock = 1;
	spool.header->heap.peak.smooth = 1e300;
	spool_snapshot(&spool, &snapshot);
	assert_true(snapshot.header.heap.peak.clock == 0);
	assert_int_equal(snapshot.damaged, 1);
	sp_snapshot_free(&snapshot);
}

static void bad_directories_are_refused(void **state)
{
	(void)state;
	for (int i = 0; i < SP_SECTIONS; i++) {
		struct sp_section_entry *e = &spool.header->sections[i], kept = *e;
		const struct sp_section_entry bad[] = {{UINT64_MAX, e->stride, e->capacity, 1, 1},
			{e->offset, 0, e->capacity, 1, 1}, {e->offset, UINT32_MAX, e->capacity, 1, 1},
			{e->offset, e->stride, UINT32_MAX, 5, 5}, {0, e->stride, e->capacity, 1, 1},
			{spool.header->total_bytes, e->stride, 1, 1, 1}};

		if (i == SP_SEC_BUCKETS)
			continue; /* not read */
		for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
			*e = bad[k];
			spool_write(&spool, path);
			assert_int_not_equal(render(), 0);
		}
		*e = kept;
	}
}

static void full_tables_are_read_to_their_capacity(void **state)
{
	(void)state;
	for (int i = 0; i < SP_SECTIONS; i++)
		spool.header->sections[i].used = UINT32_MAX;
	spool_write(&spool, path);
	assert_int_equal(render(), 0);
}

static void references_out_of_range_are_left_out(void **state)
{
	struct sp_stack *stacks = spool_records(&spool, SP_SEC_STACKS);
	struct sp_site *sites = spool_records(&spool, SP_SEC_SITES);
	struct sp_module *modules = spool_records(&spool, SP_SEC_MODULES);
	struct sp_snapshot s;
	const char *why;
	int fd;

	(void)state;
	stacks[1].frame = UINT32_MAX;
	stacks[3].depth = SP_MAX_DEPTH + 1;
	stacks[5].frame = spool.header->sections[SP_SEC_FRAMES].used - 1;
	stacks[5].depth = 2;
	sites[1].stack = 1u << 30;
	modules[1].path = UINT32_MAX;
	spool_write(&spool, path);
	fd = open(path, O_RDONLY);
	assert_int_equal(sp_snapshot_read(&s, fd, &why), 0);
	close(fd);
	assert_int_equal(s.damaged, 5);
	assert_int_equal(s.stacks[1].depth, 0);
	assert_int_equal(s.sites[1].stack, 0);
	assert_int_equal(s.module_count, 0);
	sp_snapshot_free(&s);
	assert_int_equal(render(), 0);
}

static void jumps_lead_to_addresses_or_nowhere(void **state)
{
	const uint64_t base = SPOOL_BASE + 1, run[3] = {base, base + 16, base + 32};
	uint64_t addresses[SP_MAX_DEPTH];
	struct sp_stack *stacks = spool_records(&spool, SP_SEC_STACKS);
	uint32_t first = spool_addresses(&spool, 0, 1, run, 3), good, far, loop, twice;
	struct sp_snapshot s;
	const char *why;
	int fd;

	(void)state;
	good = spool_addresses(&spool, 0, 1, (uint64_t[]){base + 48, SP_FRAME_JUMP | (stacks[first].frame + 1)}, 2);
	stacks[good].depth = 3;
	far = spool_addresses(&spool, 0, 1, (uint64_t[]){base, SP_FRAME_JUMP | UINT32_MAX}, 2);
	loop = spool_addresses(&spool, 0, 1, (uint64_t[]){SP_FRAME_JUMP | spool.header->sections[SP_SEC_FRAMES].used},
		1);
	twice = spool_addresses(&spool, 0, 1, (uint64_t[]){SP_FRAME_JUMP | (stacks[good].frame + 1)}, 1);
	spool_write(&spool, path);
	fd = open(path, O_RDONLY);
	assert_int_equal(sp_snapshot_read(&s, fd, &why), 0);
	close(fd);
	assert_int_equal(s.damaged, 3);
	assert_int_equal(s.stacks[good].depth, 3);
	sp_snapshot_stack(&s, good, addresses);
	assert_int_equal(addresses[0], base + 48);
	assert_memory_equal(addresses + 1, run + 1, 2 * sizeof(*run));
	assert_int_equal(s.stacks[far].depth + s.stacks[loop].depth + s.stacks[twice].depth, 0);
	sp_snapshot_free(&s);
	assert_int_equal(render(), 0);
}

/* Any value in any word of the header and the records in use. */
static void random_damage_does_no_harm(void **state)
{
	uint64_t random = 88172645463325252ULL, total = spool.header->total_bytes;
	char *image = malloc(total), *kept = malloc(total);
	int fd, rendered = 0;

	(void)state;
	memcpy(kept, spool.header, total);
	for (int round = 0; round < 2000; round++) {
		memcpy(image, kept, total);
		for (int flips = 0; flips < 1 + round % 8; flips++) {
			const struct sp_section_entry *e;
			uint64_t at, used;

			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			e = &spool.header->sections[(random >> 8) % SP_SECTIONS];
			used = (uint64_t)e->used * e->stride;
			at = (random & 1) || !used ? (random >> 16) % sizeof(struct sp_spool_header)
						   : e->offset + (random >> 16) % used;
			image[at] = (char)(random >> 48);
		}
		fd = open(path, O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, image, total), total);
		close(fd);
		rendered += render() == 0;
	}
	assert_true(rendered > 500);
	free(image);
	free(kept);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_undamaged_one_renders),
		TEST(a_cut_spool_is_refused),
		TEST(foreign_files_are_refused),
		TEST(one_of_another_version_is_told_as_such),
		TEST(bad_directories_are_refused),
		TEST(sections_beyond_any_agents_are_refused),
		TEST(a_peak_beyond_belief_is_none),
		TEST(full_tables_are_read_to_their_capacity),
		TEST(references_out_of_range_are_left_out),
		TEST(jumps_lead_to_addresses_or_nowhere),
		TEST(random_damage_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
