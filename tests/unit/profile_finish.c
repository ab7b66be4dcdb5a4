/* Stacks that broke off and were copied: walked to their ends, shared out among what the copies tell, and left alone
 * where they tell nothing. The copies are of this program's own stacks. */
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/model/model.h"
#include "sampler/walk/frame.h"
#include "sampler/walk/unwind.h"
#include "tests/unit/profile_spool.h"

#if __has_attribute(noclone)
#define NOINLINE __attribute__((noinline, noclone))
#else
#define NOINLINE __attribute__((noinline))
#endif
#define WEIGHT_US 1000u
#define COPY_WORDS SP_COPY_WORDS_MAX
#define IP (SP_COPY_REGISTERS - 1) /* where a copy has the instruction */

static struct spool spool;

/* A stack as the agent would copy it. */
struct shot {
	uint64_t registers[SP_COPY_REGISTERS];
	uint64_t low, words[COPY_WORDS];
	uint32_t count;
	uint64_t frames[SP_MAX_FRAMES]; /* as it would find them */
	uint32_t depth;
};
static struct shot first, second;
static struct sp_thread thread;
static struct sp_spool_header header;

static uintptr_t stack_top(void)
{
	extern void *__libc_stack_end;

	return (uintptr_t)__libc_stack_end;
}

static NOINLINE __attribute__((no_sanitize("address"))) void shoot(struct shot *shot)
{
	static const uint8_t copied[] = SP_COPIED_REGISTERS;
	static ucontext_t context; /* larger than what there is to copy */
	struct sp_walk walk;

	getcontext(&context);
	for (unsigned i = 0; i < sizeof(copied); i++)
		shot->registers[i] = sp_context_words(&context)[sp_frame_in_context[copied[i]]];
	shot->registers[IP] = sp_context_ip(&context);
	shot->low = sp_context_sp(&context);
	for (shot->count = 0; shot->count < COPY_WORDS && shot->low + 8 * shot->count < stack_top() + 64; shot->count++)
		shot->words[shot->count] = ((volatile uint64_t *)shot->low)[shot->count];
	sp_unwind(&thread, &context, &walk);
	shot->depth = walk.depth;
	memcpy(shot->frames, walk.frames, walk.depth * sizeof(*walk.frames));
}

static NOINLINE void called_first(struct shot *shot)
{
	shoot(shot);
	__asm__ volatile("" ::: "memory");
}

static NOINLINE void called_second(struct shot *shot)
{
	shoot(shot);
	__asm__ volatile("nop" ::: "memory"); /* no double of the first, to be merged with it */
}

static int add_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct sp_module *m = spool_records(&spool, SP_SEC_MODULES);
	char path[4096] = "";
	uint64_t end = 0;

	(void)size, (void)arg;
	if (*info->dlpi_name && !strstr(info->dlpi_name, "/libc.so") && !strstr(info->dlpi_name, "/libcmocka"))
		return 0;
	if (*info->dlpi_name)
		strcpy(path, info->dlpi_name);
	else
		assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD)
			end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
	m += spool_module(&spool, path, info->dlpi_addr, end, 0, UINT64_MAX);
	m->bias = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Nhdr) *note = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);

		if (info->dlpi_phdr[i].p_type != PT_NOTE || note->n_type != NT_GNU_BUILD_ID)
			continue;
		m->build_id_bytes = note->n_descsz;
		memcpy(m->build_id, (const uint8_t *)(note + 1) + 4, note->n_descsz);
	}
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	thread.tls = &sp_tls;
	thread.tid = sp_agent.pid = getpid();
	sp_agent.spool = &header;
	sp_agent.tsc_per_us_x1024 = 2560000000; /* a clock so slow that no walk is late */
	sp_unwind_init(getauxval(AT_ENTRY), getauxval(AT_BASE), getauxval(AT_RANDOM));
	spool_open(&spool);
	dl_iterate_phdr(add_module, NULL);
	called_first(&first);
	called_second(&second);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	spool_close(&spool);
	return 0;
}

/* The first so many frames alone, as of code without tables. */
static uint32_t broken_behind(uint32_t frames, uint32_t samples)
{
	uint32_t stack = spool_addresses(&spool, SP_STACK_BROKEN, 0, first.frames, frames);
	struct sp_log_entry *log = spool_records(&spool, SP_SEC_LOG);

	for (uint32_t i = 0; i < samples; i++) {
		spool_sample(&spool, stack, WEIGHT_US, 0);
		log[spool.header->sections[SP_SEC_LOG].used++] =
			(struct sp_log_entry){.stack = stack, .weight = WEIGHT_US * 1000 / SP_LOG_UNIT_NS};
	}
	return stack;
}

static uint32_t broken(uint32_t samples)
{
	return broken_behind(1, samples);
}

static void copy_of(uint32_t stack, uint32_t sample, const struct shot *shot)
{
	struct sp_copy *copy = spool_copy(&spool, stack, sample, shot->words, shot->count);

	copy->low = shot->low;
	memcpy(copy->registers, shot->registers, sizeof(copy->registers));
}

/* Percent of the time below a function of this program. */
static double share(const struct sp_profile *p, const char *name)
{
	for (size_t i = 0; i < p->function_count; i++)
		if (!strcmp(p->functions[i].name, name))
			return 100.0 * (double)p->functions[i].total_user_ns / (double)p->sampled_user_ns;
	return 0;
}

static struct sp_profile *profile_of_spool(struct sp_snapshot *snapshot)
{
	spool_snapshot(&spool, snapshot);
	assert_int_equal(snapshot->damaged, 0);
	return sp_profile_from_snapshot(snapshot, NULL, NULL, NULL);
}

static void drop(struct sp_profile *profile, struct sp_snapshot *snapshot)
{
	sp_profile_free(profile);
	sp_snapshot_free(snapshot);
}

static void a_copy_finishes_its_stack(void **state)
{
	struct sp_snapshot snapshot;
	struct sp_profile *p;

	(void)state;
	copy_of(broken(10), 3, &first);
	p = profile_of_spool(&snapshot);
	assert_int_equal(p->finished_samples, 10);
	assert_int_equal(p->copies_walked, 1);
	assert_int_equal(p->truncated_ns, 0);
	assert_true(share(p, "called_first") > 99.9 && share(p, "main") > 99.9 && share(p, "_start") > 99.9);
	drop(p, &snapshot);
}

static NOINLINE void on_signal(int number)
{
	(void)number;
	shoot(&first);
	__asm__ volatile("" ::: "memory");
}

static NOINLINE void raise_signal(void)
{
	raise(SIGUSR1);
	__asm__ volatile("" ::: "memory");
}

/* Out of a handler by what the agent found, where the code that it returns to is in no file; from there on by tables. */
static void a_signal_is_passed(void **state)
{
	struct sp_snapshot snapshot;
	struct sp_profile *p;

	(void)state;
	signal(SIGUSR1, on_signal);
	raise_signal();
	assert_true(first.depth > 7);
	copy_of(broken_behind(first.depth - 3, 10), 3, &first);
	p = profile_of_spool(&snapshot);
	assert_int_equal(p->finished_samples, 10);
	assert_true(share(p, "on_signal") > 99.9 && share(p, "raise_signal") > 99.9 && share(p, "_start") > 99.9);
	drop(p, &snapshot);
}

#if defined(__aarch64__)
static NOINLINE __attribute__((target("branch-protection=pac-ret"))) void called_signed(struct shot *shot)
{
	shoot(shot);
	__asm__ volatile("" ::: "memory");
}

static bool holds_signed(const struct shot *shot)
{
	for (uint32_t i = 0; i < shot->count; i++)
		if (shot->words[i] >> 56 != 0xff && sp_plain_address(shot->words[i]) != shot->words[i])
			return true;
	return false;
}

static void return_addresses_are_signed(void **state)
{
	struct sp_snapshot snapshot;
	struct sp_profile *p;

	(void)state;
	called_signed(&first);
	assert_true(holds_signed(&first) || !(getauxval(AT_HWCAP) & HWCAP_PACA));
	spool.header->code_address_bits = 64 - (uint32_t)__builtin_clzll(sp_plain_address((1ull << 55) - 1));
	copy_of(broken(10), 3, &first);
	p = profile_of_spool(&snapshot);
	assert_int_equal(p->finished_samples, 10);
	assert_true(share(p, "called_signed") > 99.9 && share(p, "_start") > 99.9);
	drop(p, &snapshot);
}
#endif

/* Another kind of processor's registers are none of this one's. */
static void copies_of_another_machine_are_left_alone(void **state)
{
	struct sp_snapshot snapshot;
	struct sp_profile *p;

	(void)state;
	copy_of(broken(10), 3, &first);
	spool.header->machine = SP_MACHINE + 1;
	p = profile_of_spool(&snapshot);
	assert_int_equal(p->finished_samples, 0);
	assert_int_equal(p->copies_walked, 0);
	assert_int_equal(p->truncated_ns, 10000ull * WEIGHT_US);
	drop(p, &snapshot);
}

static void copies_share_their_stack(void **state)
{
	struct sp_snapshot snapshot;
	struct sp_profile *p;
	uint32_t stack;

	(void)state;
	stack = broken(40);
	copy_of(stack, 31, &second);
	copy_of(stack, 2, &first);
	copy_of(stack, 12, &first);
	copy_of(stack, 25, &first);
	p = profile_of_spool(&snapshot);
	assert_int_equal(p->finished_samples, 40);
	assert_true(share(p, "main") > 99.9);
	assert_true(share(p, "called_first") > 74.9 && share(p, "called_first") < 75.1);
	assert_true(share(p, "called_second") > 24.9 && share(p, "called_second") < 25.1);
	assert_int_equal(p->sampled_user_ns, 40000ull * WEIGHT_US);
	assert_int_equal(p->samples, 40);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(snapshot.log[i].stack == snapshot.log[0].stack, i < 30);
	drop(p, &snapshot);
}

/* What the target guessed to be the caller is not, by the tables. */
static void tables_are_believed_before_guesses(void **state)
{
	const uint64_t guessed[] = {first.registers[IP], first.registers[IP] + 1};
	uint32_t stack = spool_addresses(&spool, SP_STACK_BROKEN, 0, guessed, 2);
	struct sp_snapshot snapshot;
	struct sp_profile *p;

	(void)state;
	spool_sample(&spool, stack, 10 * WEIGHT_US, 0);
	copy_of(stack, 1, &first);
	p = profile_of_spool(&snapshot);
	assert_int_equal(p->finished_samples, 1);
	assert_int_equal(snapshot.frames[snapshot.stacks[stack].frame + 1] == guessed[1], 0);
	assert_true(share(p, "called_first") > 99.9);
	drop(p, &snapshot);
}

/* A copy that leads nowhere stands for stacks that stay as they are. */
static void what_ends_early_stays(void **state)
{
	struct sp_snapshot snapshot;
	struct sp_profile *p;
	uint32_t stack;

	(void)state;
	stack = broken(20);
	copy_of(stack, 1, &first);
	first.count = 4;
	copy_of(stack, 11, &first);
	p = profile_of_spool(&snapshot);
	assert_int_equal(p->finished_samples, 10);
	assert_int_equal(p->truncated_ns, 10000ull * WEIGHT_US);
	drop(p, &snapshot);
}

/* Beside a stack with copies, another one that called something else from the same place. */
static void alike(unsigned copies, const struct shot *last, uint64_t finished)
{
	const uint64_t others[] = {(uintptr_t)called_first, first.registers[IP]};
	struct sp_snapshot snapshot;
	struct sp_profile *p;
	uint32_t stack;

	stack = spool_addresses(&spool, SP_STACK_BROKEN, 0, others, 2);
	for (unsigned i = 0; i < 8; i++)
		spool_sample(&spool, stack, WEIGHT_US, 0);
	stack = broken(16);
	for (unsigned i = 1; i < copies; i++)
		copy_of(stack, i, &first);
	copy_of(stack, copies, last);
	p = profile_of_spool(&snapshot);
	assert_int_equal(p->finished_samples, finished);
	drop(p, &snapshot);
}

static void stacks_alike_are_finished_if_all_copies_agree(void **state)
{
	(void)state;
	alike(4, &first, 24);
}

static void stacks_alike_stay_if_few_agree(void **state)
{
	(void)state;
	alike(3, &first, 16);
}

static void stacks_alike_stay_if_one_disagrees(void **state)
{
	(void)state;
	alike(12, &second, 16);
}

/* Stacks of the same functions have callers as their likes do, in the same parts. */
static void other_instructions_of_the_function_share_its_callers(void **state)
{
	struct sp_snapshot snapshot;
	struct sp_profile *p;
	uint32_t stack;

	(void)state;
	stack = broken(4);
	for (unsigned i = 1; i <= 3; i++)
		copy_of(stack, i, &first);
	copy_of(stack, 4, &second);
	for (unsigned i = 1; i <= 8; i++) {
		const uint64_t elsewhere = first.registers[IP] + i;

		spool_sample(&spool, spool_addresses(&spool, SP_STACK_BROKEN, 0, &elsewhere, 1), WEIGHT_US, 0);
	}
	p = profile_of_spool(&snapshot);
	assert_int_equal(p->finished_samples, 12);
	assert_int_equal(p->truncated_ns, 0);
	assert_true(share(p, "called_first") > 74.9 && share(p, "called_first") < 75.1);
	assert_true(share(p, "called_second") > 24.9 && share(p, "called_second") < 25.1);
	drop(p, &snapshot);
}

/* Any words and registers, and none beyond the section. */
static void hostile_copies_do_no_harm(void **state)
{
	struct sp_snapshot snapshot;
	uint32_t stack;

	(void)state;
	stack = broken(60);
	srand(1);
	for (unsigned i = 0; i < 60; i++) {
		struct shot shot = i % 2 ? first : second;
		struct sp_copy *copy;

		shot.count = (unsigned)rand() % COPY_WORDS;
		if (shot.count > 1000)
			shot.count = 1000;
		for (unsigned k = 0; k < 20; k++)
			shot.words[(unsigned)rand() % COPY_WORDS] ^= 1ull << rand() % 50;
		if (i % 3 == 0)
			shot.registers[rand() % SP_COPY_REGISTERS] = (uint64_t)rand() << 33 | (unsigned)rand();
		copy = spool_copy(&spool, stack, i, shot.words, shot.count);
		copy->low = i % 5 ? shot.low : ~7ull;
		memcpy(copy->registers, shot.registers, sizeof(copy->registers));
		if (i % 7 == 0)
			copy->word = 0xfffffff0u + i;
		if (i % 11 == 0)
			copy->words = 0xffffffff;
		if (i % 13 == 0)
			copy->stack = 0x7fffffff;
	}
	spool_snapshot(&spool, &snapshot);
	assert_true(snapshot.damaged > 10);
	sp_profile_free(sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL));
	sp_snapshot_free(&snapshot);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_copy_finishes_its_stack),
		TEST(a_signal_is_passed),
#if defined(__aarch64__)
		TEST(return_addresses_are_signed),
#endif
		TEST(copies_of_another_machine_are_left_alone),
		TEST(copies_share_their_stack),
		TEST(tables_are_believed_before_guesses),
		TEST(what_ends_early_stays),
		TEST(stacks_alike_are_finished_if_all_copies_agree),
		TEST(stacks_alike_stay_if_few_agree),
		TEST(stacks_alike_stay_if_one_disagrees),
		TEST(other_instructions_of_the_function_share_its_callers),
		TEST(hostile_copies_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
