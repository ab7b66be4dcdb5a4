/* Spans in C++: left by exceptions, in templates and lambdas. */
#include "preload/smartprof.h"

#include <cstdio>
#include <stdexcept>
#include <string>

template <typename T> static T twice(T value)
{
	SMARTPROF_GUARD("twice");
	return value + value;
}

static void fail(int depth)
{
	SMARTPROF_GUARD("fail");
	if (depth == 0)
		throw std::runtime_error("as planned");
	fail(depth - 1);
}

int main()
{
	int caught = 0;

	for (int i = 0; i < 1000; i++) {
		SMARTPROF_GUARD(std::string("round").c_str());
		try {
			fail(3);
		} catch (const std::exception &) {
			caught++;
		}
		caught += SMARTPROF_TIMED("lambda", [&] { return twice(i) - i - i; }());
	}
	for (volatile int i = 0; i < 100000000; i++) /* enough for a profile */
		;
	std::printf("%d %s\n", caught, twice(std::string("ab")).c_str());
	return 0;
}
