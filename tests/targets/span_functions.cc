// Calls functions of a library in all the ways that a call may be made in, and prints what they gave: the same whatever stands
// in between. "span_functions spin": spends 200 ms in one after another was left by a longjmp.
#include "tests/targets/span_functions.h"

#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

extern "C" int recursive_thrower(int n, long *unwound)
{
	return thrower(n, unwound);
}

extern "C" int call_jump_to(int n, jmp_buf back)
{
	return jump_to(n, back);
}

static void spin_ms(double ms)
{
	timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	double end = now.tv_sec * 1e3 + now.tv_nsec / 1e6 + ms;

	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while (now.tv_sec * 1e3 + now.tv_nsec / 1e6 < end);
}

/* Out of all of the library's functions. */
static void jump_and_spin()
{
	jmp_buf back;

	if (!setjmp(back))
		jump_to(2, back);
	spin_ms(200);
}

static void exceptions()
{
	long unwound = 0, caught = 0;

	for (int i = 0; i < 100; i++) {
		try {
			thrower(i % 5, &unwound);
		} catch (const std::runtime_error &e) {
			caught += !strcmp(e.what(), "thrown");
		}
	}
	printf("caught %ld, unwound %ld\n", caught, unwound);
}

int main(int argc, char **argv)
{
	_Complex double c = turned(3.0 + 4.0j);
	std::vector<std::thread> threads;
	pair_of p = make_pair_of(5, 2.5);

	if (argc > 1 && !strcmp(argv[1], "spin")) {
		jump_and_spin();
		return 0;
	}
	printf("%ld\n",
		sum_of_many(20, 1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 10L, 11L, 12L, 13L, 14L, 15L, 16L, 17L, 18L, 19L,
			20L));
	printf("%.2f\n", sum_of_doubles(12, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5, 12.5));
	printf("%ld %.1f, %ld\n", p.a, p.b, sum_of_large(make_large(7), 9));
	printf("%.1Lf, %.1f %.1f\n", twice(1.25L), __real__ c, __imag__ c);
	printf("%d\n", jumps());
	exceptions();
	for (int i = 0; i < 4; i++)
		threads.emplace_back([] {
			long unwound = 0;

			for (int k = 0; k < 1000; k++) {
				try {
					thrower(k % 3, &unwound);
				} catch (const std::runtime_error &) {
				}
				jumps();
			}
		});
	for (auto &thread : threads)
		thread.join();
	fprintf(stderr, "%d\n", depth_of_stack());
	return 0;
}
