/* Calls "functions" of an interpreter through trampolines in generated code, each of its own, of the shape that CPython's
 * `-X perf` makes, named in a perf map as CPython does it. The first of two callers takes two thirds of the time.
 * Usage: trampolines SHAPE [CPU-SECONDS]: 12 (CPython 3.12), 13 (3.13), endbr (3.12 built with CET), tested (with
 * more in it), odd (one that jumps back). */
#include <sys/mman.h>
#include <unistd.h>

#include "tests/targets/common.h"

struct frame {
	unsigned function;
	double seconds;
};
typedef uint64_t evaluator(void *state, struct frame *frame, int throw);
typedef uint64_t trampoline(void *state, struct frame *frame, int throw, evaluator *evaluate);

enum { RUN, OFTEN, SELDOM, WORK, DEEPER, FUNCTIONS };

static const char *const names[FUNCTIONS] = {"run", "often", "seldom", "work", "deeper"};
static trampoline *trampolines[FUNCTIONS];

static const struct {
	const char *name;
	uint8_t bytes, code[24];
} shapes[] = {
	{"12", 11, {0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3}},
	{"13", 8, {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd1, 0x5d, 0xc3}},
	{"endbr", 15, {0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3}},
	{"tested", 18,
		{0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x85, 0xc0, 0x0f, 0x1f, 0x40, 0x00, 0x48, 0x83, 0xc4, 0x08,
			0xc3}},
	{"odd", 13, {0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0x5a, 0xff, 0xe2}},
};

static void emit(const char *shape)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t used = sizeof(shapes) / sizeof(shapes[0]);
	char path[64];
	FILE *map;

	while (used-- && strcmp(shapes[used].name, shape) != 0)
		;
	check(code != MAP_FAILED && used < sizeof(shapes) / sizeof(shapes[0]), "shape");
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(path, "w");
	check(map != NULL, path);
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		memcpy(code + 32 * i, shapes[used].code, shapes[used].bytes);
		trampolines[i] = (trampoline *)(uintptr_t)(code + 32 * i);
		fprintf(map, "%lx %x py::%s:/app/main.py\n", (unsigned long)(uintptr_t)(code + 32 * i),
			shapes[used].bytes, names[i]);
	}
	check(fclose(map) == 0 && mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0, "code");
}

static NOINLINE uint64_t evaluate(void *state, struct frame *frame, int throw);

/* As CPython's evaluator of frames that have a trampoline. */
static NOINLINE uint64_t call_function(void *state, unsigned function, double seconds)
{
	struct frame frame = {function, seconds};

	return trampolines[function](state, &frame, 0, evaluate) + frame.function;
}

static NOINLINE uint64_t evaluate(void *state, struct frame *frame, int throw)
{
	uint64_t sum = (uint64_t) throw, i;

	switch (frame->function) {
	case RUN:
		for (i = 0; i < 30; i++)
			sum += call_function(state, OFTEN, frame->seconds * 2 / 90) +
				call_function(state, SELDOM, frame->seconds / 90);
		return sum;
	case DEEPER:
		return spend(frame->seconds) + sum;
	case WORK:
		return call_function(state, DEEPER, frame->seconds) + sum;
	default:
		return call_function(state, WORK, frame->seconds) + sum;
	}
}

int main(int argc, char **argv)
{
	emit(argc > 1 ? argv[1] : "12");
	printf("%d\n", call_function(NULL, RUN, argument(argc, argv, 2, 1)) != 0);
	return 0;
}
