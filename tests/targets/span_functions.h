// What plugin_span_functions.so exports, and what span_functions does for it.
#include <csetjmp>
#include <ctime>

#define LARGE 700 // ints: 2,800 bytes

struct pair_of {
	long a;
	double b;
};
struct large {
	int values[LARGE];
};

extern "C" {
long sum_of_many(int count, ...);
double sum_of_doubles(int count, ...);
struct pair_of make_pair_of(long a, double b);
struct large make_large(int seed);
long sum_of_large(struct large l, int last);
long double twice(long double x);
_Complex double turned(_Complex double x);
int thrower(int n, long *unwound); // throws when n is 0, after n calls in each other
int recursive_thrower(int n, long *unwound);
int jump_to(int n, jmp_buf back);
int call_jump_to(int n, jmp_buf back);
int jumps(void);
int depth_of_stack(void);
}
