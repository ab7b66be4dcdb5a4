/* Kernels with larger pages than 4 KB: what the agent asks of them begins and ends with one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "sampler/spool/write.h"
#include "sampler/upkeep/memory.h"
#include "tests/unit/sampler_spool.h"

static const uint64_t sizes[] = {4096, 16384, 65536};

static void open_with(uint64_t page_bytes)
{
	sp_agent.page_bytes = page_bytes;
	assert_int_equal(agent_open("/tmp", 200000), 0);
	sp_agent.page_bytes = page_bytes;
}

/* All that sections have, first and last bytes, is there to be written. */
static void fill(const struct sp_spool_header *h)
{
	for (int i = 0; i < SP_SECTIONS; i++) {
		const struct sp_section_entry *e = &h->sections[i];
		uint64_t bytes = (uint64_t)e->committed * e->stride;
		volatile uint8_t *at = (volatile uint8_t *)h + e->offset;

		if (!bytes || i == SP_SEC_BUCKETS)
			continue;
		at[0] = at[0];
		at[bytes - 1] = at[bytes - 1];
	}
}

static void sections_begin_with_a_page(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
		struct sp_spool_header *h;

		open_with(sizes[k]);
		h = sp_agent.spool;
		assert_int_equal(h->total_bytes % sizes[k], 0);
		for (int i = 0; i < SP_SECTIONS; i++)
			assert_int_equal(h->sections[i].offset % sizes[k], 0);
		agent_close();
	}
}

/* What is cut off one section is nothing of the next one. */
static void what_is_cut_back_leaves_the_others(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
		struct sp_spool_header *h;
		uint32_t text;

		open_with(sizes[k]);
		h = sp_agent.spool;
		text = sp_spool_string("kept");
		for (uint32_t n = 0; n < 1000; n++)
			assert_true(sp_spool_allot(SP_SEC_FRAMES, 100));
		sp_spool_cut(h);
		assert_string_equal((const char *)sp_section(SP_SEC_TEXT) + text, "kept");
		fill(h);
		assert_true(sp_spool_allot(SP_SEC_FRAMES, 10));
		assert_true(sp_spool_trim(h) > 0);
		fill(h);
		agent_close();
	}
}

/* Those with which a small process begins, a stack included: the kernel makes each page, and one of its tables for each 2 MB in which
 * there is one. */
static void a_new_spool_has_few_pages_close_together(void **state)
{
	const struct sp_spool_header *h;
	uint64_t far = 0;
	struct stat st;

	(void)state;
	assert_int_equal(agent_open("/dev/shm", 50000), 0);
	assert_true(sp_spool_back_bucket(1024));
	h = sp_agent.spool;
	assert_int_equal(stat(agent_path(), &st), 0);
	for (int i = 0; i < SP_SECTIONS; i++)
		if (h->sections[i].committed || i == SP_SEC_BUCKETS)
			far |= 1ull << (h->sections[i].offset >> 21);
	agent_close();
	assert_in_range(st.st_blocks * 512 / 4096, 1, 13);
	assert_in_range(__builtin_popcountll(far), 1, 5);
}

static void a_table_is_cleared_to_its_last_byte_and_no_further(void **state)
{
	size_t bytes = 6 * 65536, from = 3 * 4096 + 16, to = 4 * 65536 + 3 * 4096 + 8;
	uint8_t *room = aligned_alloc(65536, bytes);

	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
		sp_agent.page_bytes = sizes[k];
		memset(room, 1, bytes);
		sp_clear_pages(room + from, to - from);
		for (size_t i = 0; i < bytes; i++)
			if (room[i] != (i < from || i >= to))
				fail_msg("byte %zu with pages of %zu", i, (size_t)sizes[k]);
	}
	sp_agent.page_bytes = 0;
	free(room);
}

/* The kernel counts in pages. */
static void resident_memory_is_in_bytes(void **state)
{
	uint64_t rss;

	(void)state;
	sp_agent.page_bytes = 4096;
	rss = sp_memory_resident().rss_bytes;
	sp_agent.page_bytes = 65536;
	assert_in_range(sp_memory_resident().rss_bytes, 15 * rss, 17 * rss);
	sp_agent.page_bytes = 0;
	assert_in_range(sp_memory_resident().rss_bytes, rss - rss / 16, rss + rss / 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_begin_with_a_page),
		cmocka_unit_test(what_is_cut_back_leaves_the_others),
		cmocka_unit_test(a_new_spool_has_few_pages_close_together),
		cmocka_unit_test(a_table_is_cleared_to_its_last_byte_and_no_further),
		cmocka_unit_test(resident_memory_is_in_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
