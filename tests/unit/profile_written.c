/* A profile written of a composed spool. */
#include "tests/unit/profile_written.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/markdown/markdown.h"
#include "profiles/model/build.h"
#include "profiles/model/facts.h"

struct written written;

int written_set_up(void **state)
{
	(void)state;
	spool_open(&written.spool);
	written.profile = NULL;
	return 0;
}

int written_tear_down(void **state)
{
	(void)state;
	sp_profile_free(written.profile);
	sp_snapshot_free(&written.snapshot);
	sp_buffer_free(&written.text);
	spool_close(&written.spool);
	return 0;
}

void written_render(bool full)
{
	spool_snapshot(&written.spool, &written.snapshot);
	written.profile = sp_profile_from_snapshot(&written.snapshot, NULL, NULL, NULL);
	sp_facts_collect(written.profile);
	sp_markdown_write(&written.text, written.profile, "prog.md", full);
}

void written_fill(void)
{
	struct sp_thread_record *threads = spool_records(&written.spool, SP_SEC_THREADS);
	static const uint64_t evil[] = {0x7000011, SPOOL_BASE + 1};

	strcpy(threads[1].name, "a|`<b>\n\x1b[1m");
	threads[1].heap = (struct sp_heap_counters){.bytes_base = 12345, .allocs = 17, .frees = 3};
	spool_module(&written.spool, "/nowhere/e|v`i<l>\n</details>\n\xe2\x80\xae.so", 0x7000000, 0x7001000, 0,
		UINT64_MAX);
	spool_sample(&written.spool, spool_addresses(&written.spool, 0, 1, evil, 2), 5000, 0);
	spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(3, 2, 1)), 30000, 4000);
	spool_site(&written.spool, spool_stack(&written.spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 4096, 2)->free_bytes =
		1096;
	written.spool.header->cpu.self_user_ns += 2000000;
}

void written_render_again(void)
{
	sp_profile_free(written.profile);
	sp_snapshot_free(&written.snapshot);
	sp_buffer_clear(&written.text);
	written_render(false);
}

void assert_written_says(const char *what)
{
	if (!strstr(written.text.data, what))
		fail_msg("not in the profile: %s", what);
}
