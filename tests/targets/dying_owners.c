/* Mutexes whose owner dies while others wait for them, and what each is told: dying_owners [ROUNDS]. Then ROUNDS rounds in each kind whose
 * owners die now and then; a wake-up that is lost would leave it waiting for ever. One line for each, the same with and without a profiler. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define WAITERS \
	3 /* of a mutex that is not made consistent two: the C library up to 2.36 at least wakes one alone when it is lost */
#define STORMERS 4
#define DIES_EACH 7 /* one of so many rounds ends with its thread */

struct kind {
	const char *name;
	int type, robust, protocol, shared;
};

static const struct kind kinds[] = {
	{"robust", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE, 0},
	{"robust, checking", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE, 0},
	{"robust, recursive", PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE, 0},
	{"robust, shared", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE, 1},
	{"robust, inheriting", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_INHERIT, 0},
	{"robust, inheriting, checking", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_INHERIT, 0},
	{"robust, inheriting, recursive", PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_INHERIT, 0},
	{"robust, inheriting, shared", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_INHERIT, 1},
	{"inheriting", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT, 0},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

enum form { LOCK, TIMED, CLOCK_MONO, CLOCK_REAL, FORMS };
static const char *const form_names[FORMS] = {"lock", "timedlock", "clocklock", "clocklock, real time"};

/* That of a storm has a name: g_dying. */
static pthread_mutex_t g_dying, *mutex;
static pthread_barrier_t locked;
static sem_t may_die, ended;
static bool consistent;
static int count;

static struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static int take(enum form form, long ms)
{
	struct timespec until = in_ms(form == CLOCK_MONO ? CLOCK_MONOTONIC : CLOCK_REALTIME, ms);

	switch (form) {
	case TIMED:
		return pthread_mutex_timedlock(mutex, &until);
	case CLOCK_MONO:
		return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
	case CLOCK_REAL:
		return pthread_mutex_clocklock(mutex, CLOCK_REALTIME, &until);
	default:
		return pthread_mutex_lock(mutex);
	}
}

static void make(const struct kind *k)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, k->type);
	pthread_mutexattr_setrobust(&attributes, k->robust);
	pthread_mutexattr_setprotocol(&attributes, k->protocol);
	pthread_mutexattr_setpshared(&attributes, k->shared);
	check(pthread_mutex_init(mutex, &attributes) == 0, "pthread_mutex_init");
}

/* --- one owner, some waiters */

static void *own(void *unused)
{
	pthread_mutex_lock(mutex);
	pthread_barrier_wait(&locked);
	sem_wait(&may_die);
	return unused;
}

struct waiter {
	pthread_t id;
	enum form form;
	int told, error, made_consistent, unlocked;
};

static void *want(void *arg)
{
	struct waiter *w = arg;

	errno = 12345;
	w->told = take(w->form, 60000);
	w->error = errno;
	if (w->told == EOWNERDEAD && consistent)
		w->made_consistent = pthread_mutex_consistent(mutex);
	w->unlocked = w->told == 0 || w->told == EOWNERDEAD ? pthread_mutex_unlock(mutex) : 0;
	return NULL;
}

static void await_waiter(void)
{
	while (!(__atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) & (int)FUTEX_WAITERS))
		usleep(200);
	usleep(1000);
}

static void tell(const char *what, const struct waiter *waiters)
{
	int dead = 0, good = 0, never = 0, rest = 0, kept = 0, wrong = 0;

	for (int i = 0; i < count; i++) {
		dead += waiters[i].told == EOWNERDEAD;
		good += waiters[i].told == 0;
		never += waiters[i].told == ENOTRECOVERABLE;
		rest += waiters[i].told && waiters[i].told != EOWNERDEAD && waiters[i].told != ENOTRECOVERABLE;
		kept += waiters[i].error == 12345;
		wrong += waiters[i].made_consistent || waiters[i].unlocked;
	}
	printf("  %s: EOWNERDEAD %d, locked %d, ENOTRECOVERABLE %d, else %d; errno kept %d, wrong %d\n", what, dead,
		good, never, rest, kept, wrong);
}

static void start_waiters(struct waiter *waiters, enum form form)
{
	for (int i = 0; i < count; i++) {
		waiters[i] = (struct waiter){.form = form};
		pthread_create(&waiters[i].id, NULL, want, &waiters[i]);
	}
	await_waiter();
}

static void thread_dies(enum form form)
{
	struct waiter waiters[WAITERS];
	pthread_t owner;

	pthread_create(&owner, NULL, own, NULL);
	pthread_barrier_wait(&locked);
	start_waiters(waiters, form);
	sem_post(&may_die);
	pthread_join(owner, NULL);
	for (int i = 0; i < count; i++)
		pthread_join(waiters[i].id, NULL);
	tell(form_names[form], waiters);
	printf("  owner %d, ", mutex->__data.__owner);
	printf("then %d, ", take(form, 60000));
	printf("%d\n", pthread_mutex_unlock(mutex));
}

static void process_dies(enum form form)
{
	struct waiter waiters[WAITERS];
	int pipes[2];
	char byte = 0;
	pid_t child;

	check(pipe(pipes) == 0, "pipe");
	child = fork();
	if (!child) {
		pthread_mutex_lock(mutex);
		check(write(pipes[1], &byte, 1) == 1, "write");
		while (true)
			pause();
	}
	check(read(pipes[0], &byte, 1) == 1, "read");
	start_waiters(waiters, form);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (int i = 0; i < count; i++)
		pthread_join(waiters[i].id, NULL);
	tell("the process is killed", waiters);
	close(pipes[0]);
	close(pipes[1]);
}

/* Of one that is not robust nobody is told, nor gets it. */
static void nobody_is_told(enum form form)
{
	pthread_t owner;

	pthread_create(&owner, NULL, own, NULL);
	pthread_barrier_wait(&locked);
	sem_post(&may_die);
	pthread_join(owner, NULL);
	printf("  %s: the dead one's %d, ", form_names[form], form == LOCK ? 0 : take(form, 5));
	printf("trylock %d\n", pthread_mutex_trylock(mutex));
}

static void with_times(const struct kind *k)
{
	struct timespec wrong = {0, -1};
	pthread_t owner;

	make(k);
	pthread_create(&owner, NULL, own, NULL);
	pthread_barrier_wait(&locked);
	for (enum form form = TIMED; form < FORMS; form++)
		printf("  %s: for a while %d, not at all %d\n", form_names[form], take(form, 5), take(form, -1000));
	printf("  no time %d, %d, no clock %d\n", pthread_mutex_timedlock(mutex, &wrong),
		pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &wrong), pthread_mutex_clocklock(mutex, 99, &wrong));
	sem_post(&may_die);
	pthread_join(owner, NULL);
}

static void one_kind(const struct kind *k)
{
	printf("%s\n", k->name);
	for (enum form form = LOCK; form < FORMS; form++) {
		for (int again = 0; again < 2 && k->robust; again++) {
			make(k);
			consistent = !again;
			count = again ? WAITERS - 1 : WAITERS;
			thread_dies(form);
		}
		make(k);
		count = WAITERS;
		consistent = true;
		if (k->shared)
			process_dies(form);
		else if (!k->robust)
			nobody_is_told(form);
	}
	with_times(k);
}

/* --- storms: who dies has made its successor, which waits */

static int rounds, done, deaths, errors;

static void *storm(void *unused)
{
	pthread_t successor;

	for (int i = 0;; i++) {
		int told = take((enum form)(i % FORMS), 60000);

		deaths += told == EOWNERDEAD;
		errors += told == EOWNERDEAD ? pthread_mutex_consistent(mutex) != 0 : told != 0;
		if (done == rounds || errors)
			break;
		done++;
		if (done % 16 == 0)
			usleep(100);
		if (done % DIES_EACH == 0) {
			pthread_create(&successor, NULL, storm, NULL);
			pthread_detach(successor);
			if (done % 2)
				usleep(100);
			return NULL;
		}
		pthread_mutex_unlock(mutex);
	}
	pthread_mutex_unlock(mutex);
	sem_post(&ended);
	return unused;
}

static void storms(const struct kind *k)
{
	pthread_t thread;

	done = deaths = errors = 0;
	make(k);
	for (int i = 0; i < STORMERS; i++) {
		pthread_create(&thread, NULL, storm, NULL);
		pthread_detach(thread);
	}
	for (int i = 0; i < STORMERS; i++)
		sem_wait(&ended);
	printf("%s: %d rounds, %d deaths, %d errors\n", k->name, done, deaths, errors);
}

int main(int argc, char **argv)
{
	rounds = (int)argument(argc, argv, 1, 300);
	mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(mutex != MAP_FAILED, "mmap");
	pthread_barrier_init(&locked, NULL, 2);
	sem_init(&may_die, 0, 0);
	sem_init(&ended, 0, 0);
	for (size_t i = 0; i < KINDS; i++)
		one_kind(&kinds[i]);
	mutex = &g_dying;
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].robust)
			storms(&kinds[i]);
	spend(0.05); /* enough for a profile */
	return 0;
}
