/* Threads that wait in known ways, and what they know of it themselves. Usage: waiting MODE [SECONDS [FILE]]. Prints, at the end,
 * "thread_seconds N", "cpu_seconds N", "run_queue_seconds N" (by the kernel's own count) and "blocked_seconds N", added up
 * over all threads, and "KIND_seconds N" for what of that was in calls of that kind. */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "tests/targets/common.h"
#include "tests/targets/off_cpu.h"

#define THREADS 8

enum kind { LOCK, CONDITION, READ, SYNC, SLEEP, KINDS };

struct worker {
	pthread_t id;
	int number;
	double made, lived, cpu, queue, queue_before, kind[KINDS];
};

struct mode {
	const char *name;
	int threads;
	void (*run)(struct worker *w);
};

static struct worker workers[THREADS];
static double seconds, began;
static const char *file = "waiting.tmp";
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static int items;
static bool closed;
static int pipes[2][2];

static double now(void)
{
	return clock_seconds(CLOCK_MONOTONIC);
}

static bool on_time(void)
{
	return now() - began < seconds;
}

#define IN(w, what, call) \
	do { \
		double before = off(); \
		call; \
		(w)->kind[what] += off() - before; \
	} while (0)

static NOINLINE void nap(struct worker *w, double of)
{
	struct timespec t = {.tv_nsec = (long)(of * 1e9)};

	IN(w, SLEEP, nanosleep(&t, NULL));
}

static NOINLINE void sleeping(struct worker *w)
{
	while (on_time()) {
		nap(w, 0.05);
		spend(0.002);
	}
}

static NOINLINE void queueing(struct worker *w)
{
	(void)w;
	spend(seconds / 4);
}

/* One holds, the others wait for their turn. */
static NOINLINE void convoy(struct worker *w)
{
	while (on_time()) {
		IN(w, LOCK, pthread_mutex_lock(&lock));
		nap(w, 0.01);
		pthread_mutex_unlock(&lock);
		nap(w, 0.001); /* so that it is another one's turn */
	}
}

static NOINLINE void reading_and_writing(struct worker *w)
{
	while (on_time()) {
		if (w->number == 0)
			IN(w, LOCK, pthread_rwlock_wrlock(&rwlock));
		else
			IN(w, LOCK, pthread_rwlock_rdlock(&rwlock));
		nap(w, w->number == 0 ? 0.02 : 0.001);
		pthread_rwlock_unlock(&rwlock);
		nap(w, 0.002);
	}
}

static NOINLINE void take_item(struct worker *w)
{
	IN(w, LOCK, pthread_mutex_lock(&lock));
	while (!items && !closed)
		IN(w, CONDITION, pthread_cond_wait(&filled, &lock));
	items -= items > 0;
	pthread_mutex_unlock(&lock);
}

/* The first fills a queue. */
static NOINLINE void queue_of_work(struct worker *w)
{
	while (w->number && !closed)
		take_item(w);
	while (!w->number && !closed) {
		nap(w, 0.004);
		pthread_mutex_lock(&lock);
		items++;
		closed = !on_time();
		pthread_cond_broadcast(&filled);
		pthread_mutex_unlock(&lock);
	}
}

static NOINLINE void syncing(struct worker *w)
{
	static const char block[4096] = "some";
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0, file);
	while (on_time()) {
		check(pwrite(fd, block, sizeof(block), 0) == sizeof(block), "pwrite");
		IN(w, SYNC, fsync(fd));
	}
	close(fd);
	unlink(file);
}

static NOINLINE void ping_pong(struct worker *w)
{
	char c = 'x';

	for (bool first = w->number == 0; c == 'x'; first = false) {
		if (!first)
			IN(w, READ, check(read(pipes[w->number][0], &c, 1) == 1, "read"));
		if (w->number == 0)
			nap(w, 0.0005);
		if (w->number == 0 && !on_time())
			c = 'q';
		check(write(pipes[!w->number][1], &c, 1) == 1, "write");
	}
}

static NOINLINE void play(int number, size_t zeros)
{
	static char buffers[THREADS][16384];
	int zero = open("/dev/zero", O_RDONLY);
	char c = 'x';

	for (bool first = number == 0; c == 'x'; first = false) {
		if (!first)
			check(read(pipes[number][0], &c, 1) == 1, "read");
		if (number == 0 && !on_time())
			c = 'q';
		check(read(zero, buffers[number], zeros) == (ssize_t)zeros, "read");
		check(write(pipes[!number][1], &c, 1) == 1, "write");
	}
	close(zero);
}

/* Each waits for the other for some microseconds at a time, and in nothing else. */
static NOINLINE void short_ping_pong(struct worker *w)
{
	IN(w, READ, play(w->number, 0));
}

/* ... and reads in turns what is there already, which takes about as long. */
static NOINLINE void mixed_ping_pong(struct worker *w)
{
	IN(w, READ, play(w->number, 16384));
}

static const struct mode modes[] = {
	{"sleep", 1, sleeping},
	{"queue", 8, queueing},
	{"locks", 4, convoy},
	{"rwlock", 4, reading_and_writing},
	{"condition", 4, queue_of_work},
	{"sync", 1, syncing},
	{"pipe", 2, ping_pong},
	{"short", 2, short_ping_pong},
	{"mixed", 2, mixed_ping_pong},
};

static const struct mode *mode;

static void end(struct worker *w)
{
	double blocked = off();

	w->cpu = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
	w->queue = queue_seconds();
	w->lived = blocked + w->cpu + w->queue - w->made;
	w->queue -= w->queue_before;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	w->made = off(); /* its birth: it has not been blocked since */
	mode->run(w);
	end(w);
	return NULL;
}

static void tell(const struct worker *first, int count)
{
	static const char *const kinds[KINDS] = {"lock", "condition", "read", "sync", "sleep"};
	struct worker sum = {0};

	for (int i = 0; i < count; i++) {
		sum.lived += first[i].lived;
		sum.cpu += first[i].cpu;
		sum.queue += first[i].queue;
		for (int k = 0; k < KINDS; k++)
			sum.kind[k] += first[i].kind[k];
	}
	printf("thread_seconds %.6f\ncpu_seconds %.6f\nrun_queue_seconds %.6f\nblocked_seconds %.6f\n", sum.lived,
		sum.cpu, sum.queue, sum.lived - sum.cpu - sum.queue);
	for (int k = 0; k < KINDS; k++)
		printf("%s_seconds %.6f\n", kinds[k], sum.kind[k]);
}

int main(int argc, char **argv)
{
	struct worker all[THREADS + 1] = {0}, *self = all;

	do { /* in one go; the queue that was before execve too */
		self->made = now();
		self->queue_before = queue_seconds();
	} while (now() - self->made > 0.0001);
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			mode = &modes[i];
	if (!mode)
		return 2;
	seconds = argument(argc, argv, 2, 1);
	if (argc > 3)
		file = argv[3];
	check(pipe(pipes[0]) == 0 && pipe(pipes[1]) == 0, "pipe");
	spend(0.025); /* enough for a profile */
	began = now();
	for (int i = 0; i < mode->threads; i++) {
		workers[i].number = i;
		check(pthread_create(&workers[i].id, NULL, work, &workers[i]) == 0, "pthread_create");
	}
	for (int i = 0; i < mode->threads; i++)
		IN(self, CONDITION, pthread_join(workers[i].id, NULL));
	end(self);
	memcpy(all + 1, workers, sizeof(workers));
	tell(all, mode->threads + 1);
	return 0;
}
