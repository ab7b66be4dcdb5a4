/* From spool to the heap's sums: peaks, sites, who is an allocator, exact totals. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiles/model/heap.h"
#include "tests/unit/profile_model.h"

static struct sp_site *site(int caller, uint64_t bytes, uint64_t count)
{
	return spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(caller, 1)), bytes, count);
}

static const struct sp_heap_site *heap_site(const char *name)
{
	for (size_t i = 0; i < profile->site_count; i++)
		if (strcmp(profile->functions[profile->sites[i].function].name, name) == 0)
			return &profile->sites[i];
	fail_msg("no site %s", name);
	return NULL;
}

static void peaks_are_settled_by_the_reader(void **state)
{
	struct sp_site *stale = site(2, 1000, 10), *fresh = site(3, 1000, 10), *thinned = site(4, 500, 5);

	(void)state;
	spool.header->heap.peak_seq = 7;
	stale->peak_seq = 6;
	stale->peak_bytes = 1;
	stale->free_bytes = 400;
	stale->free_count = 4;
	fresh->peak_seq = 7;
	fresh->peak_bytes = 900;
	fresh->peak_count = 9;
	fresh->free_bytes = 1000;
	thinned->free_bytes = -(uint64_t)100; /* weights grew by 100 */
	load();
	assert_int_equal(heap_site("prog+0x20")->peak_bytes, 600);
	assert_int_equal(heap_site("prog+0x20")->peak_count, 6);
	assert_int_equal(heap_site("prog+0x30")->peak_bytes, 900);
	assert_int_equal(heap_site("prog+0x30")->inuse_bytes, 0);
	assert_int_equal(heap_site("prog+0x40")->inuse_bytes, 600);
}

/* By exact counts `smooth` at the highest, with this standard error; by samples `largest`, of `samples` equal ones. */
static void peak_is(double smooth, double error, double largest, double samples, uint64_t max_rss_bytes)
{
	struct sp_heap_peak *k = &spool.header->heap.peak;

	site(2, 1000, 1);
	spool.header->max_rss_bytes = max_rss_bytes;
	*k = (struct sp_heap_peak){.clock = 1,
		.smooth = smooth,
		.smooth_variance = error * error,
		.largest = largest,
		.largest_variance = largest * largest / samples,
		.largest_interval = largest / samples};
	load();
}

static void the_peak_by_exact_counts_stays_near_the_samples(void **state)
{
	(void)state;
	peak_is(1000000, 10000, 1010000, 400, 0);
	assert_in_range(profile->snapshot->header.heap.peak_bytes, 1000000, 1010000);
}

static void a_peak_is_not_many_times_what_was_ever_in_memory(void **state)
{
	(void)state;
	peak_is(9e9, 9e9, 9e9, 1, 20000000);
	assert_int_equal(profile->snapshot->header.heap.peak_bytes, 80000000);
	assert_true(profile->heap_peak_error >= 79999999);
}

static void untouched_memory_that_samples_prove_is_in_the_peak(void **state)
{
	(void)state;
	peak_is(1e9, 1000, 1e9, 1000000, 20000000);
	assert_in_range(profile->snapshot->header.heap.peak_bytes, 990000000, 1010000000);
}

static void stacks_of_one_site_are_added(void **state)
{
	(void)state;
	site(2, 100, 1);
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(2, 5, 1)), 50, 2);
	load();
	assert_int_equal(profile->site_count, 1);
	assert_int_equal(profile->sites[0].alloc_bytes, 150);
	assert_int_equal(profile->sites[0].alloc_count, 3);
}

static void the_allocators_own_module_is_no_site(void **state)
{
	static const uint64_t frames[] = {0x7000011, 0x7000021, SPOOL_BASE + 0x21, SPOOL_BASE + 0x11};

	(void)state;
	spool_module(&spool, "/nowhere/libjemalloc.so.2", 0x7000000, 0x7001000, 0, UINT64_MAX);
	spool.header->text.allocator = spool_text(&spool, "/nowhere/libjemalloc.so.2");
	spool_site(&spool, spool_addresses(&spool, SP_STACK_IS_HEAP, 1, frames, 4), 64, 1);
	load();
	assert_int_equal(heap_site("prog+0x20")->alloc_bytes, 64);
}

static void allocators_are_known_by_name(void **state)
{
	static const char *const yes[] = {"malloc", "Perl_safesysmalloc", "luaM_malloc_", "palloc0",
		"operator new(unsigned long)", "operator new[](unsigned long)",
		"std::allocator<char>::allocate(unsigned long, void const*)", "g_malloc0", "xmalloc", "je_malloc",
		"PyMem_RawMalloc", "PyObject_Malloc", "malloc@plt", "strdup", "CRYPTO_zalloc",
		"v8::internal::Zone::Expand(unsigned long)", "v8::internal::AllocAtLeastWithRetry(unsigned long)",
		"__gnu_cxx::new_allocator<int>::allocate(unsigned long, void const*)"};
	static const char *const no[] = {"main", "malloc_stats_print", "operator delete(void*)", "my_malloc", "mall",
		"std::vector<int>::push_back(int)", ""};

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(sp_is_allocator_name(yes[i]));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(sp_is_allocator_name(no[i]));
}

static void layers_of_a_language_are_known_by_name(void **state)
{
	static const char *const yes[] = {"std::string::reserve(unsigned long)",
		"void std::vector<A, std::allocator<A> >::_M_realloc_insert<A const&>(A*, A const&)",
		"std::__detail::_MakeUniq<Rec>::__single_object std::make_unique<Rec>()",
		"std::basic_ostream<char>& std::operator<< <char>(std::basic_ostream<char>&, char const*)",
		"<alloc::string::String as core::fmt::Write>::write_str", "alloc::raw_vec::RawVec<T,A>::grow_one",
		"decltype(auto) std::visit<A, B>(A&&, B&&)", "_ZNSt6vectorIiSaIiEE9push_backEOi", "start_thread"};
	static const char *const no[] = {"main", "std_sort(int)", "std::string my::name<int>(std::string const&)",
		"std::vector<int> build()", "run(std::function<void ()>)",
		"main::{lambda(auto:1&)#1}::operator()(int) const", "(anonymous namespace)::fill(std::string&)",
		"std::string (anonymous namespace)::read(int)", "Foo::operator std::string() const",
		"Foo::operator std::string[abi:cxx11]() const", "bool operator==(std::string const&, Foo const&)",
		"_Z4fillSt6vectorIiE", ""};
	char *longest = calloc(1, 70000);

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(sp_is_layer(yes[i], "prog"));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(sp_is_layer(no[i], "prog"));
	assert_true(sp_is_layer("", "libstdc++.so.6"));
	assert_true(sp_is_allocator_name("void* operator new[](unsigned long)"));
	memcpy(longest, "void std::f<", 12);
	memset(longest + 12, 'A', 60000);
	strcat(longest, ">(int)");
	assert_true(sp_is_layer(longest, "prog"));
	memcpy(longest, "void Pool::f", 12);
	assert_true(sp_is_wrapper_name("Pool::*", longest));
	free(longest);
}

static void more_wrappers_are_named_by_a_setting(void **state)
{
	static const char globs[] = "my_alloc*, Pool::get,[ab]_new\tvariable";

	(void)state;
	assert_true(sp_is_wrapper_name(globs, "my_alloc_array(int)"));
	assert_true(sp_is_wrapper_name(globs, "Pool::get(unsigned long)"));
	assert_true(sp_is_wrapper_name(globs, "b_new"));
	assert_false(sp_is_wrapper_name(globs, "Pool::getter()"));
	assert_false(sp_is_wrapper_name(globs, "variable"));
	assert_false(sp_is_wrapper_name(globs, "main"));
	assert_false(sp_is_wrapper_name("\tdefault", "main"));
	assert_false(sp_is_wrapper_name(NULL, "main"));
}

static void exact_totals_come_from_threads(void **state)
{
	struct sp_thread_record *threads = spool_records(&spool, SP_SEC_THREADS);

	(void)state;
	threads[0].merged = 3;
	threads[0].heap = (struct sp_heap_counters){.bytes_base = 1000, .countdown = -24, .allocs = 4, .frees = 3};
	threads[1].heap = (struct sp_heap_counters){.bytes_base = 5000, .countdown = 1000, .allocs = 6, .frees = 1};
	load();
	assert_int_equal(profile->heap_allocated_bytes, 5024);
	assert_int_equal(profile->heap_allocations, 10);
	assert_int_equal(profile->heap_frees, 4);
	assert_int_equal(profile->threads_seen, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(peaks_are_settled_by_the_reader),
		TEST(the_peak_by_exact_counts_stays_near_the_samples),
		TEST(a_peak_is_not_many_times_what_was_ever_in_memory),
		TEST(untouched_memory_that_samples_prove_is_in_the_peak),
		TEST(stacks_of_one_site_are_added),
		TEST(the_allocators_own_module_is_no_site),
		TEST(allocators_are_known_by_name),
		TEST(layers_of_a_language_are_known_by_name),
		TEST(more_wrappers_are_named_by_a_setting),
		TEST(exact_totals_come_from_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
