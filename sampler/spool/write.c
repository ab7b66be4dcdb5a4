/* Creating the spool and handing out its records. */
#include "sampler/spool/write.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "sampler/spool/layout.h"
#include "sampler/spool/mapping.h"
#include "sampler/race_tools.h"
#include "sampler/sys.h"

#define CUT_BYTES (128u * 1024u) /* what a section that is cut back still has room for */
#define CHUNK (128u * 1024u)     /* how much of a section is backed at a time, once it has as much */

#define BUCKET_CHUNK (8u * 1024u) /* and of the bucket tables, which are hit all over */
#define BUCKETS_FROM 4096u        /* where the first table begins (stacks.c), which is most programs' only one */

/* One bit a chunk of the bucket tables; one backed twice does no harm. */
static uint64_t bucket_backed[SP_BUCKETS_MAX * sizeof(uint32_t) / BUCKET_CHUNK / 64];
static uint64_t bucket_bytes; /* atomic: of the chunks backed */
static uint32_t generation;
_Static_assert(sizeof bucket_backed * 8 * BUCKET_CHUNK == SP_BUCKETS_MAX * sizeof(uint32_t), "a bit a chunk");

/* Backs [from, to) of the mapping with real pages, or says why not, instead of a SIGBUS later. */
static int back_range(struct sp_spool_header *spool, uint64_t from, uint64_t to)
{
	long r;

	from = sp_page_start(from);
	to = sp_page_end(to);
	if (from >= to)
		return 0;
	r = sp_sys(SYS_madvise, (char *)spool + from, to - from, SP_MADV_POPULATE_WRITE);
	return r == -EFAULT || r == -ENOMEM ? -ENOSPC : sp_advice_error(r);
}

/* The most memory that the agent takes outside of the spool, for the live set's index and filters and for the tables
 * of unwinding and of shared frames. */
#define OUTSIDE_BYTES 4000000u

/* Memory that the agent may take: 16 MB at development's cap on samples. Which tables take most of it depends on the
 * program. */
static uint64_t most_bytes(uint32_t sample_cap, uint64_t spool_bytes)
{
	uint64_t most = 16000000ull * (sample_cap > 200000 ? sample_cap : 200000) / 200000;
	uint64_t whole = spool_bytes + OUTSIDE_BYTES;

	return most < whole ? most : whole;
}

/* Of that, what stays free when the tables that grow with the samples stop growing. It is for all threads, modules
 * and text (1.7 MB), for the live set's first part, and for what threads that grow tables at the same time do not
 * see of each other. */
#define KEPT_BYTES 2900000u

/* Allocations alive that the live set always has room for: with very few it would only thin out. */
#define LIVE_KEPT 8192u

static bool may_take(const struct sp_spool_header *spool, enum sp_section section, uint32_t records, uint64_t bytes)
{
	if (section == SP_SEC_TEXT || section == SP_SEC_MODULES || section == SP_SEC_THREADS ||
		section == SP_SEC_TIMELINE || (section == SP_SEC_LIVE && records <= LIVE_KEPT))
		return true;
	return sp_load(&spool->agent_bytes) + bytes + KEPT_BYTES <= sp_load(&spool->agent_bytes_max);
}

/* Growth doubles a section up to a chunk: a page takes 4 us, and most programs fill few. */
static uint64_t round_up_growth(uint64_t bytes, uint64_t had)
{
	uint64_t step = sp_page_bytes();

	while (step < had && step < CHUNK)
		step *= 2;
	return (bytes + step - 1) / step * step;
}

/* While the mapping is being cut back no section grows. */
static uint32_t growing, frozen;

static bool begin_growth(void)
{
	__atomic_fetch_add(&growing, 1, __ATOMIC_SEQ_CST);
	if (sp_likely(!__atomic_load_n(&frozen, __ATOMIC_SEQ_CST)))
		return true;
	__atomic_fetch_sub(&growing, 1, __ATOMIC_SEQ_CST);
	return false;
}

static void end_growth(void)
{
	__atomic_fetch_sub(&growing, 1, __ATOMIC_SEQ_CST);
}

/* Makes at least `want` records of a section usable. Several threads may do so at once: backing a
 * page twice does no harm. */
static bool back_records(struct sp_spool_header *spool, struct sp_section_entry *e, uint32_t want)
{
	uint32_t have = __atomic_load_n(&e->committed, __ATOMIC_ACQUIRE);
	uint32_t stride = sp_load(&e->stride), capacity = sp_load(&e->capacity), now;
	uint64_t bytes = (uint64_t)want * stride, offset = e->offset;

	if (want <= have)
		return true;
	if (want > capacity || !stride) /* where there was a spool, see mapping.h, all is zero */
		return false;
	if (have) /* what a new spool needs is known */
		bytes = round_up_growth(bytes, (uint64_t)have * stride);
	now = sp_clamp(bytes / stride, want, capacity);
	if (!may_take(spool, (enum sp_section)(e - spool->sections), want, (uint64_t)(now - have) * stride) ||
		back_range(spool, offset + (uint64_t)have * stride, offset + (uint64_t)now * stride) != 0)
		return false;
	while (now > have &&
		!__atomic_compare_exchange_n(&e->committed, &have, now, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	sp_add(&spool->agent_bytes, (uint64_t)(now > have ? now - have : 0) * stride);
	return true;
}

static bool commit_records(struct sp_spool_header *spool, struct sp_section_entry *e, uint32_t want)
{
	bool ok;

	if (sp_likely(want <= __atomic_load_n(&e->committed, __ATOMIC_ACQUIRE)))
		return true;
	if (!begin_growth())
		return false;
	ok = back_records(spool, e, want);
	end_growth();
	return ok;
}

long sp_lock_take(long fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SP_LOCK_WRITER, .l_len = 1};

	return sp_sys(SYS_fcntl, fd, F_OFD_SETLK, &lock);
}

bool sp_lock_is_taken(const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SP_LOCK_WRITER, .l_len = 1};
	long fd = sp_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err;

	if (fd < 0)
		return false;
	err = sp_sys(SYS_fcntl, fd, F_OFD_GETLK, &lock);
	sp_sys(SYS_close, fd);
	return err == 0 && lock.l_type != F_UNLCK;
}

int sp_spool_create(const char *path, uint32_t sample_cap, struct sp_spool_header **spool)
{
	struct sp_layout layout;
	struct sp_spool_header *h;
	int err = sp_layout_choose(sample_cap, &layout);
	uint64_t total = layout.total_bytes;
	struct statfs fs = {0};
	bool locked;
	long fd, map;
	int i;

	if (err)
		return err;
	growing = frozen = 0; /* of a parent's threads that a forked child does not have */
	fd = sp_sys(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return (int)fd;
	sp_sys(SYS_fchmod, fd, 0600); /* whatever the umask */
	locked = sp_lock_take(fd) == 0;
	sp_sys(SYS_fstatfs, fd, &fs);
	err = (int)sp_sys(SYS_ftruncate, fd, total);
	map = err ? err : sp_mapping_make(fd, total);
	sp_sys(SYS_close, fd);
	if (sp_is_error(map)) {
		sp_sys(SYS_unlinkat, AT_FDCWD, path, 0);
		return (int)map;
	}
	h = (struct sp_spool_header *)map;
	sp_memory_is_agents(h, total);
	err = back_range(h, 0, sizeof *h);
	if (!err) {
		memcpy(h->sections, layout.entries, sizeof layout.entries);
		h->total_bytes = total;
		h->agent_bytes = sizeof *h;
		h->agent_bytes_max = most_bytes(sample_cap, total);
	}
	for (i = 0; i < SP_SECTIONS && !err; i++) {
		struct sp_section_entry *e = &h->sections[i];

		err = commit_records(h, e, layout.first[i]) ? 0 : -ENOSPC;
		e->used = i == SP_SEC_TIMELINE ? 0 : 1;
	}
	if (err) {
		sp_sys(SYS_unlinkat, AT_FDCWD, path, 0);
		sp_mapping_undo(h, total);
		return err;
	}
	sp_mapping_is_one(total);
	memset(bucket_backed, 0, sizeof bucket_backed);
	bucket_bytes = 0;
	generation++;
	/* Some file systems (overlayfs) map another file than the one that was locked, whose lock ended with its descriptor. */
	h->locked = fs.f_type == TMPFS_MAGIC ? locked : sp_lock_is_taken(path);
	h->header_bytes = sizeof *h;
	h->version = SP_SPOOL_VERSION;
	__atomic_store_n(&h->magic, SP_SPOOL_MAGIC, __ATOMIC_RELEASE);
	*spool = h;
	return 0;
}

uint32_t sp_spool_allot(enum sp_section section, uint32_t n)
{
	struct sp_section_entry *e = &sp_agent.spool->sections[section];
	uint32_t at;

	if (n > e->capacity || sp_load(&e->used) > e->capacity - n)
		return 0;
	at = sp_add(&e->used, n);
	if (at > e->capacity - n || !commit_records(sp_agent.spool, e, at + n))
		return 0;
	return at;
}

bool sp_spool_back(enum sp_section section, uint32_t n)
{
	return commit_records(sp_agent.spool, &sp_agent.spool->sections[section], n);
}

uint32_t sp_spool_count(enum sp_section section)
{
	struct sp_section_entry *e = &sp_agent.spool->sections[section];
	uint32_t used = sp_load(&e->used), committed = sp_load(&e->committed);

	return used < committed ? used : committed;
}

uint32_t sp_spool_text(const char *text, size_t length)
{
	uint32_t at = length < 65536 ? sp_spool_allot(SP_SEC_TEXT, (uint32_t)length + 1) : 0;

	if (at) {
		char *to = (char *)sp_section(SP_SEC_TEXT) + at;
		memcpy(to, text, length);
		to[length] = 0;
	}
	return at;
}

uint32_t sp_spool_string(const char *s)
{
	return s && *s ? sp_spool_text(s, strlen(s)) : 0;
}

bool sp_spool_back_bucket(uint32_t bucket)
{
	struct sp_section_entry *e = &sp_agent.spool->sections[SP_SEC_BUCKETS];
	uint32_t chunk = bucket / (BUCKET_CHUNK / (uint32_t)sizeof bucket);
	uint64_t *word = &bucket_backed[chunk / 64], bit = 1ull << chunk % 64, end = (uint64_t)e->capacity * e->stride,
		 at = chunk ? (uint64_t)chunk * BUCKET_CHUNK : BUCKETS_FROM, next = (chunk + 1ull) * BUCKET_CHUNK;

	if (sp_likely(sp_load(word) & bit))
		return true;
	if (end > next)
		end = next;
	if (!may_take(sp_agent.spool, SP_SEC_BUCKETS, 0, end - at) ||
		back_range(sp_agent.spool, e->offset + at, e->offset + end) != 0)
		return false;
	if (!(__atomic_fetch_or(word, bit, __ATOMIC_RELAXED) & bit)) {
		sp_add(&sp_agent.spool->agent_bytes, end - at);
		sp_add(&bucket_bytes, end - at);
	}
	return true;
}

uint32_t sp_spool_generation(void)
{
	return generation;
}

void sp_spool_take(uint64_t bytes, uint64_t more)
{
	sp_add(&sp_agent.spool->agent_bytes, bytes);
	sp_add(&sp_agent.spool->agent_bytes_max, more);
}

/* Frees the pages of [from, to) of the file. */
static void give_back(struct sp_spool_header *spool, uint64_t from, uint64_t to)
{
	from = sp_page_end(from);
	to = sp_page_start(to);
	if (from < to)
		sp_sys(SYS_madvise, (char *)spool + from, to - from, MADV_REMOVE);
}

/* What a small spool has left over is not worth the system calls. */
#define WORTH_TRIMMING_BYTES (128u * 1024u)

static uint64_t used_bytes(const struct sp_section_entry *e)
{
	uint32_t committed = sp_load(&e->committed), used = sp_load(&e->used);

	return (uint64_t)(used < committed ? used : committed) * e->stride;
}

uint64_t sp_spool_trim(struct sp_spool_header *spool)
{
	const struct sp_section_entry *buckets = &spool->sections[SP_SEC_BUCKETS];
	uint64_t kept = sizeof *spool, backed = kept + sp_load(&bucket_bytes);
	int i;

	for (i = 0; i < SP_SECTIONS; i++) {
		const struct sp_section_entry *e = &spool->sections[i];

		kept += e == buckets ? 0 : sp_page_end(used_bytes(e));
		backed += sp_page_end((uint64_t)sp_load(&e->committed) * e->stride);
	}
	if (backed < kept + WORTH_TRIMMING_BYTES)
		return backed;
	/* The writer's alone, and backed here and there. */
	give_back(spool, buckets->offset, buckets->offset + (uint64_t)buckets->capacity * buckets->stride);
	for (i = 0; i < SP_SECTIONS; i++) {
		const struct sp_section_entry *e = &spool->sections[i];

		if (e != buckets)
			give_back(spool, e->offset + used_bytes(e),
				e->offset + (uint64_t)sp_load(&e->committed) * e->stride);
	}
	return kept;
}

void sp_spool_cut(struct sp_spool_header *spool)
{
	int i, left;

	sp_mapping_is_one(0);
	__atomic_store_n(&frozen, 1, __ATOMIC_SEQ_CST);
	for (left = 1000; left && __atomic_load_n(&growing, __ATOMIC_SEQ_CST); left--)
		sp_sys(SYS_sched_yield);
	for (i = 0; left && i < SP_SECTIONS; i++) {
		struct sp_section_entry *e = &spool->sections[i];
		uint64_t end = sp_section_end(e), want = CUT_BYTES / e->stride;

		if (i == SP_SEC_BUCKETS || i == SP_SEC_TIMELINE) /* their records are not handed out in order */
			continue;
		if (want < 2ull * e->committed)
			want = 2ull * e->committed;
		if (want < e->capacity)
			sp_store(&e->capacity, (uint32_t)want);
		if (sp_section_end(e) < end)
			sp_sys(SYS_munmap, (char *)spool + sp_section_end(e), end - sp_section_end(e));
	}
	__atomic_store_n(&frozen, 0, __ATOMIC_SEQ_CST);
}

void sp_spool_unlock(struct sp_spool_header *spool)
{
	int i;

	for (i = 0; i < SP_SECTIONS; i++)
		sp_sys(SYS_munlock, (char *)spool + spool->sections[i].offset,
			sp_section_end(&spool->sections[i]) - spool->sections[i].offset);
}
