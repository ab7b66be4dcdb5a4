/* Reading epilogues: see epilogue.h. Encodings are those of the Intel manual, volume 2. */
#include "sampler/epilogue.h"

#include <string.h>
#include <sys/uio.h>

#include "sampler/sys.h"

#define INSTRUCTIONS 10u
#define CODE_BYTES 40u
#define MOST_BYTES 4096 /* of a frame */
#define LOG_SLOTS 10u
#define LOG_CYCLES 28u

/* As the rules of unwind.c: an entry is an address's if its check word says so. */
static struct {
	uint64_t check, word; /* atomic */
} known[1u << LOG_SLOTS] SP_BIG __attribute__((aligned(64)));

struct reader {
	const uint8_t *at, *end;
	struct sp_epilogue found;
	int32_t sp; /* offset of the stack pointer from the base */
};

static bool follows(struct reader *r, const char *bytes, size_t count)
{
	if ((size_t)(r->end - r->at) < count || memcmp(r->at, bytes, count) != 0)
		return false;
	r->at += count;
	return true;
}

static bool take8(struct reader *r, int32_t *value)
{
	if (r->at == r->end)
		return false;
	*value = (int8_t)*r->at++;
	return true;
}

static bool take32(struct reader *r, int32_t *value)
{
	if (r->end - r->at < 4)
		return false;
	memcpy(value, r->at, sizeof *value);
	r->at += sizeof *value;
	return true;
}

static bool lift(struct reader *r, int32_t by)
{
	r->sp += by;
	return by >= 0 && by <= MOST_BYTES;
}

/* The stack pointer becomes rbp + offset. */
static bool rebase(struct reader *r, int32_t offset)
{
	bool had = r->found.flags;

	r->found.flags = SP_EPILOGUE_FROM_BP;
	r->sp = offset;
	return !had && offset <= 0 && offset >= -MOST_BYTES;
}

static bool pop(struct reader *r, unsigned number)
{
	if (number == 4) /* rsp */
		return false;
	if (number == 5) {
		r->found.bp_at = (int16_t)r->sp;
		if (r->found.flags & SP_EPILOGUE_POPS_BP)
			return false;
		r->found.flags |= SP_EPILOGUE_POPS_BP;
	} else {
		r->found.flags |= SP_EPILOGUE_POPS_MORE;
	}
	return lift(r, 8);
}

static bool skip_nothing(struct reader *r)
{
	return follows(r, "\x90", 1) || follows(r, "\xf3\x0f\x1e\xfa", 4) || /* nop, endbr64 */
		follows(r, "\xc5\xf8\x77", 3);                               /* vzeroupper */
}

/* One instruction that gets nearer to the return; false: another one. */
static bool read_one(struct reader *r)
{
	int32_t value;

	if (skip_nothing(r))
		return true;
	if (follows(r, "\x48\x83\xc4", 3) ||
		follows(r, "\x48\x8d\x64\x24", 4)) /* add $8 bits, %rsp; lea 8 bits(%rsp), %rsp */
		return take8(r, &value) && lift(r, value);
	if (follows(r, "\x48\x81\xc4", 3)) /* add $32 bits, %rsp */
		return take32(r, &value) && lift(r, value);
	if (follows(r, "\x48\x8d\x65", 3)) /* lea 8 bits(%rbp), %rsp */
		return take8(r, &value) && rebase(r, value);
	if (follows(r, "\x48\x89\xec", 3)) /* mov %rbp, %rsp */
		return rebase(r, 0);
	if (follows(r, "\xc9", 1)) /* leave */
		return rebase(r, 0) && pop(r, 5);
	if (r->end - r->at >= 2 && r->at[0] == 0x41 && r->at[1] >> 3 == 0x58 >> 3) { /* pop %r8 ... */
		r->at += 2;
		return pop(r, 8);
	}
	if (r->at < r->end && *r->at >> 3 == 0x58 >> 3) /* pop */
		return pop(r, *r->at++ & 7);
	return false;
}

static bool returns(struct reader *r)
{
	if (follows(r, "\xc3", 1) || follows(r, "\xf3\xc3", 2))
		return true;
	if (!follows(r, "\xc2", 1) || r->end - r->at < 2 || r->at[1] || r->at[0] & 7) /* ret $16 bits */
		return false;
	r->found.dropped = r->at[0] / 8;
	return true;
}

struct sp_epilogue sp_epilogue_read(const uint8_t *code, size_t bytes)
{
	struct reader r = {.at = code, .end = code + bytes};
	unsigned i;

	for (i = 0; i < INSTRUCTIONS; i++) {
		if (returns(&r)) {
			r.found.return_at = r.sp;
			r.found.flags |= SP_EPILOGUE_ENDS;
			return r.found;
		}
		if (!read_one(&r))
			break;
	}
	return (struct sp_epilogue){0};
}

struct sp_epilogue sp_epilogue_find(uint64_t ip, uint64_t now)
{
	uint64_t key = ip ^ now >> LOG_CYCLES << 48, slot = (key * 0x9e3779b97f4a7c15ULL) >> (64 - LOG_SLOTS), word;
	uint8_t code[CODE_BYTES];
	struct iovec local = {code, sizeof code}, remote = {(void *)ip, sizeof code};
	struct sp_epilogue found;
	long n;

	word = sp_load(&known[slot].word);
	if ((sp_load(&known[slot].check) ^ word) != key) {
		n = sp_sys(SYS_process_vm_readv, sp_agent.pid, &local, 1, &remote, 1, 0);
		found = sp_epilogue_read(code, n > 0 ? (size_t)n : 0);
		memcpy(&word, &found, sizeof word);
		sp_store(&known[slot].check, key ^ word);
		sp_store(&known[slot].word, word);
	}
	memcpy(&found, &word, sizeof found);
	return found;
}
