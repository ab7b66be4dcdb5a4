/* Rules that processes share: they are those of the tables, a torn or senseless one is nobody's, and another build has others. */
#include <dlfcn.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "sampler/object.h"
#include "sampler/walk/shared.h"

#define PLACES 30000

static struct sp_shared_rules *shared;

static int set_up(void **state)
{
	(void)state;
	shared = mmap(NULL, SP_SHARED_RULES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	sp_shared_rules_use(shared);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_shared_rules_use(NULL);
	munmap(shared, SP_SHARED_RULES_BYTES);
	return 0;
}

static uint64_t some_code(void)
{
	return (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "qsort_r") + 24;
}

static bool is_same(struct sp_cfi_rule a, struct sp_cfi_rule b)
{
	return !memcmp(&a, &b, sizeof(a));
}

/* The only slot that is taken. */
static struct sp_rule_slot *taken(void)
{
	struct sp_rule_slot *slot = shared->slots;

	while (!slot->check)
		slot++;
	return slot;
}

static void a_rule_is_found_where_it_was_kept(void **state)
{
	struct sp_cfi_rule rule = sp_cfi_find(some_code()), other = rule;
	struct sp_rule_slot *slot;
	uint64_t word;

	(void)state;
	assert_int_equal(rule.kind, SP_CFI_FRAME);
	assert_true(is_same(sp_shared_rules_find(some_code()), rule));
	assert_int_not_equal(shared->log_used, 0);
	slot = taken();
	/* What is there is believed, if it is whole and a rule. */
	other.cfa_offset += 8;
	memcpy(&word, &other, sizeof(word));
	slot->check ^= slot->rule ^ word;
	slot->rule = word;
	assert_true(is_same(sp_shared_rules_find(some_code()), other));
	slot->rule ^= 1ull << 40;
	assert_true(is_same(sp_shared_rules_find(some_code()), rule));
	other.kind = SP_CFI_CODE;
	slot = taken();
	memcpy(&word, &other, sizeof(word));
	slot->check ^= slot->rule ^ word;
	slot->rule = word;
	assert_true(is_same(sp_shared_rules_find(some_code()), rule));
	/* The number of slots in use may be anything, too. */
	shared->log_used = 60;
	assert_true(is_same(sp_shared_rules_find(some_code()), rule));
}

static void all_code_has_the_rules_of_its_tables(void **state)
{
	struct dl_find_object object;
	uint64_t start;
	unsigned wrong = 0, found = 0;

	(void)state;
	assert_int_equal(_dl_find_object((void *)some_code(), &object), 0);
	start = some_code() - 64 * PLACES / 4;
	if (start < (uint64_t)(uintptr_t)object.dlfo_map_start)
		start = (uint64_t)(uintptr_t)object.dlfo_map_start;
	for (int round = 0; round < 2; round++)
		for (uint64_t pc = start; pc < start + 31 * PLACES && pc < (uintptr_t)object.dlfo_map_end; pc += 31) {
			struct sp_cfi_rule rule = sp_cfi_find(pc);

			wrong += !is_same(sp_shared_rules_find(pc), rule);
			found += rule.kind == SP_CFI_FRAME;
		}
	assert_int_equal(wrong, 0);
	assert_true(found > PLACES / 2);
	assert_int_equal(shared->log_used, SP_SHARED_RULES_LOG);
}

static void another_build_is_another_object(void **state)
{
	static uint8_t head[4096];
	struct dl_find_object object, copy;
	uint8_t id[SP_BUILD_ID_MAX], *in_copy;
	struct link_map map;
	uint64_t identity;
	uint32_t bytes;

	(void)state;
	assert_int_equal(_dl_find_object((void *)some_code(), &object), 0);
	bytes = sp_object_build_id(&object, id);
	assert_int_equal(bytes, 20);
	memcpy(head, object.dlfo_map_start, sizeof(head));
	map = *object.dlfo_link_map;
	map.l_addr += (uintptr_t)head - (uintptr_t)object.dlfo_map_start;
	copy = object;
	copy.dlfo_map_start = head;
	copy.dlfo_map_end = head + sizeof(head);
	copy.dlfo_link_map = &map;
	identity = sp_object_identity(&object);
	assert_int_equal(sp_object_identity(&copy), identity);
	in_copy = memmem(head, sizeof(head), id, bytes);
	assert_non_null(in_copy);
	in_copy[bytes - 1] ^= 1;
	assert_int_not_equal(sp_object_identity(&copy), identity);
	in_copy[bytes - 1] ^= 1;
	((ElfW(Phdr) *)(head + ((ElfW(Ehdr) *)head)->e_phoff))[1].p_memsz ^= 8; /* a segment of another size */
	assert_int_not_equal(sp_object_identity(&copy), identity);
	memcpy(in_copy - 4, "XNU", 4); /* no build-id: nothing is shared */
	assert_int_equal(sp_object_identity(&copy), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_rule_is_found_where_it_was_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_code_has_the_rules_of_its_tables, set_up, tear_down),
		cmocka_unit_test(another_build_is_another_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
