// Functions that span_functions calls as a program calls its libraries'.
#include "tests/targets/span_functions.h"

#include <cstdarg>
#include <cstring>
#include <execinfo.h>
#include <stdexcept>

struct guard {
	long *count;
	~guard()
	{
		++*count;
	}
};

extern "C" {

long sum_of_many(int count, ...)
{
	va_list list;
	long sum = 0;

	va_start(list, count);
	while (count--)
		sum += va_arg(list, long);
	va_end(list);
	return sum;
}

double sum_of_doubles(int count, ...)
{
	va_list list;
	double sum = 0;

	va_start(list, count);
	while (count--)
		sum += va_arg(list, double);
	va_end(list);
	return sum;
}

struct pair_of make_pair_of(long a, double b)
{
	return {a, b};
}

struct large make_large(int seed)
{
	struct large l;

	for (int i = 0; i < LARGE; i++)
		l.values[i] = seed + i;
	return l;
}

long sum_of_large(struct large l, int last)
{
	long sum = last;

	for (int value : l.values)
		sum += value;
	return sum;
}

long double twice(long double x)
{
	return x * 2;
}

_Complex double turned(_Complex double x)
{
	return x * 1.0j;
}

int thrower(int n, long *unwound)
{
	guard g{unwound};

	if (!n)
		throw std::runtime_error("thrown");
	return recursive_thrower(n - 1, unwound);
}

int jump_to(int n, jmp_buf back)
{
	if (!n)
		longjmp(back, 1);
	return call_jump_to(n - 1, back);
}

int jumps(void)
{
	jmp_buf back;

	if (!setjmp(back))
		return call_jump_to(3, back);
	return 7;
}

int depth_of_stack(void)
{
	void *frames[64];

	return backtrace(frames, 64);
}
}
