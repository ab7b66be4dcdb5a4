/* Where the spool is mapped. */
#include "sampler/spool/mapping.h"

#include <string.h>
#include <sys/mman.h>

#include "sampler/spool/layout.h"
#include "sampler/sys.h"

static uint64_t whole_bytes; /* of the mapping, while it is one; 0: it was cut */

void sp_mapping_is_one(uint64_t bytes)
{
	whole_bytes = bytes;
}

static bool counted; /* see mapping.h */

void sp_mapping_is_counted(bool is)
{
	counted = is;
}

/* What is put in the place of a part of a spool. Whether the place is there still. */
typedef bool put(char *at, uint64_t bytes);

SP_AT_FORK static bool put_nothing(char *at, uint64_t bytes)
{
	sp_sys(SYS_munmap, at, bytes);
	return false;
}

SP_AT_FORK static bool put_nobodys(char *at, uint64_t bytes)
{
	return !sp_is_error(sp_sys(SYS_mmap, at, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0)) ||
		put_nothing(at, bytes);
}

SP_AT_FORK static void forget_place(void)
{
	sp_agent.spool = NULL;
	sp_agent.spool_map = NULL;
}

long sp_mapping_make(long fd, uint64_t bytes)
{
	bool again = sp_agent.spool && !sp_agent.has_spool && whole_bytes == bytes;
	long at = sp_sys(SYS_mmap, again ? sp_agent.spool : NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | (again ? MAP_FIXED : 0), fd, 0);

	if (again && sp_is_error(at) && !put_nobodys((char *)sp_agent.spool, bytes))
		forget_place();
	return at;
}

void sp_mapping_undo(void *spool, uint64_t bytes)
{
	if (spool != sp_agent.spool)
		put_nothing(spool, bytes);
	else if (!put_nobodys(spool, bytes))
		forget_place();
}

/* Between sections that were cut back there may be mappings of the application's. No section has room any more, but each is where it
 * was. Apart from what each fork runs, which reads no table of constants, whoever compiles it. */
static __attribute__((noinline)) bool put_in_pieces(struct sp_spool_header *spool, put *instead)
{
	struct sp_section_entry sections[SP_SECTIONS];
	uint64_t from = 0, to = spool->sections[sp_layout_order[0]].offset;
	bool kept = true;
	int k;

	memcpy(sections, spool->sections, sizeof sections);
	for (k = 0; k < SP_SECTIONS; k++) {
		const struct sp_section_entry *e = &sections[sp_layout_order[k]];

		if (e->offset != to) {
			kept &= instead((char *)spool + from, to - from);
			from = e->offset;
		}
		to = sp_section_end(e);
	}
	kept &= instead((char *)spool + from, to - from);
	for (k = 0; kept && k < SP_SECTIONS; k++)
		spool->sections[k].offset = sections[k].offset;
	return kept;
}

SP_AT_FORK static void leave(put *instead)
{
	sp_agent.has_spool = false;
	/* One piece is left without a look at it, or a word in it, each of which would be a page to be found: all sections begin behind the
	 * header. */
	if (!(sp_likely(whole_bytes) ? instead((char *)sp_agent.spool, whole_bytes)
				     : put_in_pieces(sp_agent.spool, instead)))
		forget_place();
	else if (whole_bytes)
		sp_agent.spool_map = (uint8_t *)sp_agent.spool + sp_page_end(sizeof *sp_agent.spool);
}

SP_AT_FORK void sp_mapping_leave(void)
{
	if (sp_agent.has_spool)
		leave(counted ? put_nothing : put_nobodys);
}

void sp_mapping_drop(void)
{
	if (sp_agent.has_spool || (sp_agent.spool && whole_bytes))
		leave(put_nothing);
}
