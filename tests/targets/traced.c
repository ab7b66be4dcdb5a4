/* Works for traces, and tells of them as an OpenTelemetry SDK does (OTEP 4947): traced work|hostile|turns [LIBRARY]
 *   work     100 ms for each of three traces in a thread of its own, and as much for none
 *   turns    for trace 1 until SIGUSR1 comes, and then for trace 2, until it is killed
 *   hostile  the pointer leads nowhere, to a page that is half there, or to a record that is not valid
 * The thread-local pointer is plugin_traced.so's: LIBRARY, by dlopen, or else it is there from the start. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

struct context {
	uint8_t trace_id[16], span_id[8], valid, flags;
	uint16_t attributes_bytes;
	uint8_t attributes[16];
};

static struct context **(*slot)(void);

static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

__attribute__((noinline)) static void spin(double ms)
{
	double end = cpu_ms() + ms;

	while (cpu_ms() < end)
		for (volatile int i = 0; i < 1000; i++)
			;
}

/* 100 ms for the trace, 100 for none. */
static void work(uint8_t number)
{
	struct context context = {.valid = 1, .attributes_bytes = 3, .attributes = {0, 1, 'x'}};

	memset(context.trace_id, number, sizeof(context.trace_id));
	memset(context.span_id, 0x10 + number, sizeof(context.span_id));
	for (int i = 0; i < 10; i++) {
		*slot() = &context;
		spin(10);
		*slot() = NULL;
		spin(10);
	}
}

static void *worker(void *number)
{
	work((uint8_t)(uintptr_t)number);
	return NULL;
}

static void hostile(void)
{
	static struct context invalid = {.trace_id = {1}, .span_id = {1}, .valid = 2}, nobody = {.valid = 1};
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *const leads[] = {(void *)8, (void *)0x7fffffffff000, (void *)-1, pages + 4096 - 8, &invalid, &nobody};

	munmap(pages + 4096, 4096);
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
		*slot() = leads[i];
		spin(50);
	}
	*slot() = NULL;
}

static volatile sig_atomic_t turned;

static void turn(int signal)
{
	(void)signal;
	turned = 1;
}

static void turns(void)
{
	signal(SIGUSR1, turn);
	while (!turned)
		work(1);
	for (;;)
		work(2);
}

int main(int argc, char **argv)
{
	void *sdk = argc > 2 ? dlopen(argv[2], RTLD_NOW) : RTLD_DEFAULT;
	pthread_t threads[3];

	slot = (__typeof__(slot))dlsym(sdk, "traced_slot");
	if (argc < 2 || !slot)
		return 2;
	spin(200); /* until the profiler has looked */
	if (!strcmp(argv[1], "hostile")) {
		hostile();
		return 0;
	}
	if (!strcmp(argv[1], "turns"))
		turns();
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, worker, (void *)(i + 1));
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
