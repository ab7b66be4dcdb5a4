// Throws and catches a million exceptions from a few frames down. Usage: exc [COUNT [THREADS]]
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/targets/common.h"

static __attribute__((noinline)) int dig(int depth, int n)
{
	if (depth == 0)
		throw std::runtime_error(n % 2 ? "odd" : "even");
	return dig(depth - 1, n) + 1;
}

static void run(long count, long *caught)
{
	for (long i = 0; i < count; i++) {
		try {
			dig(5, static_cast<int>(i));
		} catch (const std::runtime_error &) {
			++*caught;
		}
	}
}

int main(int argc, char **argv)
{
	long count = static_cast<long>(argument(argc, argv, 1, 1000000)), total = 0;
	size_t n = static_cast<size_t>(argument(argc, argv, 2, 2));
	std::vector<std::thread> threads;
	std::vector<long> caught(n);

	for (size_t i = 0; i < n; i++)
		threads.emplace_back(run, count / static_cast<long>(n), &caught[i]);
	for (size_t i = 0; i < n; i++) {
		threads[i].join();
		total += caught[i];
	}
	printf("%ld\n", total);
	return 0;
}
