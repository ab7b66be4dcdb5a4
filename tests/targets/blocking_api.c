/* What calls that block answer: blocking_api [ROUNDS]. One line for each, the same with and without a profiler: result, errno, and what became
 * of what it works on. Then ROUNDS rounds of contention in each kind of lock, which add up, or it says so. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/futex.h>
#include <threads.h>
#include <unistd.h>

#include "tests/targets/common.h"

static struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

#define SAY(name, ...) \
	do { \
		long result; \
\
		errno = 12345; \
		result = (long)(__VA_ARGS__); \
		printf("%-40s %ld errno %d\n", name, result, errno); \
	} while (0)

/* --- signals of the program's own */

static volatile sig_atomic_t came;

static void on_signal(int number)
{
	came += number != 0;
}

static void set_handler(int flags)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};

	sigaction(SIGUSR1, &action, NULL);
}

static pthread_t main_thread;

/* Whether the first thread waits in the kernel. */
static bool sleeps(void)
{
	char path[64], line[256] = "";
	const char *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)getpid());
	file = fopen(path, "re");
	if (file) {
		check(fgets(line, sizeof(line), file) != NULL, "stat");
		fclose(file);
	}
	state = strrchr(line, ')');
	return state && state[1] && state[2] == 'S';
}

static void *poke(void *ms)
{
	do
		usleep((useconds_t)(long)ms * 1000);
	while (!sleeps());
	pthread_kill(main_thread, SIGUSR1);
	return NULL;
}

/* Runs what blocks while a signal comes after 20 ms. */
#define POKED(name, ...) \
	do { \
		pthread_t poker; \
\
		came = 0; \
		pthread_create(&poker, NULL, poke, (void *)20l); \
		SAY(name, __VA_ARGS__); \
		pthread_join(poker, NULL); \
		printf("%-40s %d\n", "  signals that came", (int)came); \
	} while (0)

static void interrupted(int flags)
{
	struct timespec left = {0, 0}, long_time = {20, 0};
	struct timeval tv = {20, 0};
	struct epoll_event event;
	int pipes[2], epoll = epoll_create1(0);
	char byte;
	sem_t sem;
	struct timespec until;

	check(pipe(pipes) == 0, "pipe");
	sem_init(&sem, 0, 0);
	set_handler(flags);
	printf("signals, flags %d\n", flags);
	POKED("nanosleep", nanosleep(&long_time, &left) + (left.tv_sec >= 1 && left.tv_sec < 20));
	POKED("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, NULL));
	POKED("usleep", usleep(20000000));
	POKED("poll", poll(&(struct pollfd){pipes[0], POLLIN, 0}, 1, 20000));
	POKED("ppoll", ppoll(&(struct pollfd){pipes[0], POLLIN, 0}, 1, &long_time, NULL));
	POKED("select", select(0, NULL, NULL, NULL, &tv));
	POKED("epoll_wait", epoll_wait(epoll, &event, 1, 20000));
	until = in_ms(CLOCK_REALTIME, 20000);
	POKED("sem_timedwait", sem_timedwait(&sem, &until));
	if (!(flags & SA_RESTART)) {
		POKED("read", read(pipes[0], &byte, 1));
		POKED("sem_wait", sem_wait(&sem));
		POKED("waitpid", waitpid(-1, NULL, 0));
		POKED("pause", pause());
	}
	close(pipes[0]);
	close(pipes[1]);
	close(epoll);
}

/* --- descriptors */

static void descriptors(void)
{
	int pipes[2], pair[2], fd = open("file", O_RDWR | O_CREAT, 0600);
	struct pollfd nothing = {-1, 0, 0};
	struct timeval soon = {0, 1000};
	char bytes[64] = "text";
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	check(pipe2(pipes, O_NONBLOCK) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "pipe");
	SAY("read of nothing, O_NONBLOCK", read(pipes[0], bytes, 1));
	SAY("read of no descriptor", read(-1, bytes, 1));
	SAY("write", write(fd, bytes, 4));
	SAY("pwrite beyond", pwrite(fd, bytes, 4, 100));
	SAY("pread", pread(fd, bytes, 4, 100));
	SAY("pread of no offset", pread(fd, bytes, 4, -1));
	SAY("fsync", fsync(fd));
	SAY("fdatasync of a pipe", fdatasync(pipes[0]));
	SAY("open of nothing", open("no/such/file", O_RDONLY));
	SAY("openat of nothing", openat(AT_FDCWD, "no", O_RDONLY));
	SAY("flock", flock(fd, LOCK_EX | LOCK_NB));
	SAY("fcntl F_SETLKW", fcntl(fd, F_SETLKW, &lock));
	SAY("fcntl F_GETFD", fcntl(fd, F_GETFD));
	SAY("lockf", lockf(fd, F_TEST, 0));
	SAY("send", send(pair[0], bytes, 3, 0));
	SAY("recv", recv(pair[1], bytes, sizeof(bytes), 0));
	SAY("recv, MSG_DONTWAIT", recv(pair[1], bytes, 1, MSG_DONTWAIT));
	SAY("accept of no listener", accept(pair[0], NULL, NULL));
	SAY("connect of no address", connect(pair[0], NULL, 0));
	SAY("poll of nothing", poll(&nothing, 1, 1));
	SAY("select", select(0, NULL, NULL, NULL, &soon));
	SAY("wait without children", wait(NULL));
	SAY("waitpid", waitpid(-1, NULL, WNOHANG));
	SAY("futex, wrong value", syscall(SYS_futex, &fd, FUTEX_WAIT_PRIVATE, fd + 1, NULL, NULL, 0));
	close(fd);
}

/* --- locks, by their answers */

static void *hold(void *mutex)
{
	pthread_mutex_lock(mutex);
	usleep(30000);
	pthread_mutex_unlock(mutex);
	return NULL;
}

static void *die_with(void *mutex)
{
	pthread_mutex_lock(mutex);
	return NULL;
}

static void one_mutex(const char *what, int type, int robust, int protocol, int shared)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t mutex;
	struct timespec until = in_ms(CLOCK_REALTIME, 5);
	pthread_t thread;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, type);
	pthread_mutexattr_setrobust(&attributes, robust);
	pthread_mutexattr_setprotocol(&attributes, protocol);
	pthread_mutexattr_setpshared(&attributes, shared);
	pthread_mutex_init(&mutex, &attributes);
	printf("mutex: %s\n", what);
	SAY("lock", pthread_mutex_lock(&mutex));
	if (type == PTHREAD_MUTEX_ERRORCHECK || type == PTHREAD_MUTEX_RECURSIVE)
		SAY("lock again", pthread_mutex_lock(&mutex));
	else
		SAY("timedlock again", pthread_mutex_timedlock(&mutex, &until));
	until.tv_nsec = -1;
	SAY("timedlock, no time", pthread_mutex_timedlock(&mutex, &until));
	SAY("clocklock, no clock", pthread_mutex_clocklock(&mutex, 99, &until));
	SAY("unlock", pthread_mutex_unlock(&mutex));
	for (int i = 0; type == PTHREAD_MUTEX_RECURSIVE && i < 2; i++)
		SAY("unlock", pthread_mutex_unlock(&mutex));
	pthread_create(&thread, NULL, hold, &mutex);
	usleep(10000);
	SAY("lock that another has", pthread_mutex_lock(&mutex));
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
	if (robust == PTHREAD_MUTEX_ROBUST) {
		pthread_create(&thread, NULL, die_with, &mutex);
		pthread_join(thread, NULL);
		SAY("lock of the dead", pthread_mutex_lock(&mutex));
		SAY("consistent", pthread_mutex_consistent(&mutex));
		pthread_mutex_unlock(&mutex);
		pthread_create(&thread, NULL, die_with, &mutex);
		pthread_join(thread, NULL);
		SAY("lock of the dead", pthread_mutex_lock(&mutex));
		pthread_mutex_unlock(&mutex);
		SAY("lock that cannot be had", pthread_mutex_lock(&mutex));
		SAY("nor after that", pthread_mutex_lock(&mutex));
		until = in_ms(CLOCK_REALTIME, 5);
		SAY("nor for a while", pthread_mutex_timedlock(&mutex, &until));
	}
}

static void mutexes(void)
{
	one_mutex("normal", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, 0);
	one_mutex("checking", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, 0);
	one_mutex("recursive", PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, 0);
	one_mutex("adaptive", PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, 0);
	one_mutex("shared", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, 1);
	one_mutex("robust", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE, 0);
	one_mutex("robust and recursive", PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE, 0);
	one_mutex("inheriting", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT, 0);
	one_mutex("robust and inheriting", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_INHERIT, 0);
}

static void other_locks(void)
{
	pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	struct timespec until = in_ms(CLOCK_REALTIME, 5), mono = in_ms(CLOCK_MONOTONIC, 10);
	mtx_t mtx;
	cnd_t cnd;

	SAY("rdlock", pthread_rwlock_rdlock(&rw));
	SAY("wrlock with a time, read", pthread_rwlock_timedwrlock(&rw, &until));
	pthread_rwlock_unlock(&rw);
	SAY("wrlock", pthread_rwlock_wrlock(&rw));
	SAY("wrlock again", pthread_rwlock_wrlock(&rw));
	SAY("rdlock, written", pthread_rwlock_rdlock(&rw));
	SAY("clockrdlock, no clock", pthread_rwlock_clockrdlock(&rw, 99, &until));
	pthread_mutex_lock(&mutex);
	SAY("cond_timedwait", pthread_cond_timedwait(&cond, &mutex, &until));
	SAY("cond_clockwait", pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &mono));
	SAY("trylock: it is ours", pthread_mutex_trylock(&mutex));
	mtx_init(&mtx, mtx_timed);
	cnd_init(&cnd);
	SAY("mtx_lock", mtx_lock(&mtx));
	SAY("mtx_timedlock", mtx_timedlock(&mtx, &until) == thrd_timedout);
	SAY("cnd_timedwait", cnd_timedwait(&cnd, &mtx, &until) == thrd_timedout);
	SAY("thrd_sleep", thrd_sleep(&(struct timespec){0, 1000000}, NULL));
}

/* --- cancellation */

static pthread_mutex_t cancel_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cancel_cond = PTHREAD_COND_INITIALIZER;
static int cancel_pipe[2];
static sem_t cancel_sem;
static volatile int cleaned;

static void clean(void *unlock)
{
	cleaned++;
	if (unlock)
		pthread_mutex_unlock(unlock);
}

static void block_in(long how)
{
	struct timespec minute = {60, 0};
	char byte;

	switch (how) {
	case 0:
		read(cancel_pipe[0], &byte, 1);
		break;
	case 1:
		nanosleep(&minute, NULL);
		break;
	case 2:
		poll(NULL, 0, -1);
		break;
	case 3:
		sem_wait(&cancel_sem);
		break;
	case 4:
		pthread_join(main_thread, NULL);
		break;
	case 5:
		pause();
		break;
	case 6:
		select(0, NULL, NULL, NULL, NULL);
		break;
	case 7:
		waitpid(-1, NULL, 0);
		break;
	}
}

static void *cancelled(void *how)
{
	if ((long)how == 8) {
		pthread_mutex_lock(&cancel_mutex);
		pthread_cleanup_push(clean, &cancel_mutex);
		while (true)
			pthread_cond_wait(&cancel_cond, &cancel_mutex);
		pthread_cleanup_pop(0);
	}
	pthread_cleanup_push(clean, NULL);
	block_in((long)how);
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancellation(void)
{
	static const char *const names[] = {"read", "nanosleep", "poll", "sem_wait", "pthread_join", "pause", "select",
		"waitpid", "pthread_cond_wait"};
	void *result;

	check(pipe(cancel_pipe) == 0, "pipe");
	sem_init(&cancel_sem, 0, 0);
	for (long how = 0; how < 9; how++) {
		pid_t child = how == 7 ? fork() : 0;
		pthread_t thread;

		if (how == 7 && !child) {
			pause();
			_exit(0);
		}
		cleaned = 0;
		pthread_create(&thread, NULL, cancelled, (void *)how);
		usleep(10000);
		pthread_cancel(thread);
		pthread_join(thread, &result);
		printf("cancelled in %-27s %s, cleaned up %d, mutex %d\n", names[how],
			result == PTHREAD_CANCELED ? "yes" : "no", cleaned, pthread_mutex_trylock(&cancel_mutex));
		pthread_mutex_unlock(&cancel_mutex);
		if (child > 0) {
			kill(child, SIGKILL);
			waitpid(child, NULL, 0);
		}
	}
}

/* --- handlers that jump out, forks while others wait */

static sigjmp_buf out;

static void jump(int number)
{
	siglongjmp(out, number);
}

static void jumps(int rounds)
{
	volatile int jumped = 0;
	timer_t timer;
	struct itimerspec soon = {{0, 0}, {0, 200000}};
	int pipes[2];
	char byte;

	check(pipe(pipes) == 0, "pipe");
	signal(SIGALRM, jump);
	check(timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM},
		      &timer) == 0,
		"timer_create");
	for (volatile int i = 0; i < rounds; i++) {
		if (sigsetjmp(out, 1)) {
			jumped++;
			continue;
		}
		soon.it_value.tv_nsec = 100000 + i % 50 * 1000;
		timer_settime(timer, 0, &soon, NULL);
		while (true) {
			if (i % 3 == 0)
				read(pipes[0], &byte, 1);
			else if (i % 3 == 1)
				poll(NULL, 0, 1);
			else
				usleep(50);
		}
	}
	timer_delete(timer);
	printf("jumped out of %d of %d calls\n", jumped, rounds);
}

static void forks(int rounds)
{
	int good = 0;
	pthread_t thread;
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&mutex);
	pthread_create(&thread, NULL, hold, &mutex);
	for (int i = 0; i < rounds; i++) {
		pid_t child = fork();
		int status = 0;

		if (!child) {
			usleep(100);
			_exit(poll(NULL, 0, 1) == 0 ? 7 : 8);
		}
		waitpid(child, &status, 0);
		good += WIFEXITED(status) && WEXITSTATUS(status) == 7;
	}
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
	printf("%d of %d children ended well\n", good, rounds);
}

/* --- storms */

#define THREADS 4

static int rounds;
static long counted, by_robust;
static pthread_mutex_t storm_mutex = PTHREAD_MUTEX_INITIALIZER, storm_pi, storm_robust;
static pthread_rwlock_t storm_rw = PTHREAD_RWLOCK_INITIALIZER;
static mtx_t storm_mtx;
static cnd_t storm_cnd;
static int c11_turn;
static sem_t storm_sem;
static pthread_barrier_t storm_barrier;
static pthread_cond_t storm_cond = PTHREAD_COND_INITIALIZER;
static int turn;

static void *storm(void *number)
{
	for (int i = 0; i < rounds; i++) {
		pthread_mutex_lock(&storm_mutex);
		counted++;
		if (i % 16 == 0)
			sched_yield();
		pthread_mutex_unlock(&storm_mutex);
		pthread_mutex_lock(&storm_pi);
		counted++;
		pthread_mutex_unlock(&storm_pi);
		pthread_mutex_lock(&storm_robust);
		by_robust++;
		if (i % 16 == 0)
			sched_yield();
		pthread_mutex_unlock(&storm_robust);
		pthread_rwlock_wrlock(&storm_rw);
		counted++;
		pthread_rwlock_unlock(&storm_rw);
		pthread_rwlock_rdlock(&storm_rw);
		pthread_rwlock_unlock(&storm_rw);
		mtx_lock(&storm_mtx);
		counted++;
		mtx_unlock(&storm_mtx);
		sem_wait(&storm_sem);
		counted++;
		sem_post(&storm_sem);
		if (i % 4 == 0) {
			pthread_mutex_lock(&storm_mutex);
			while (turn != (int)(long)number)
				pthread_cond_wait(&storm_cond, &storm_mutex);
			turn = (turn + 1) % THREADS;
			counted++;
			pthread_cond_broadcast(&storm_cond);
			pthread_mutex_unlock(&storm_mutex);
		}
		if (i % 8 == 0) {
			mtx_lock(&storm_mtx);
			while (c11_turn != (int)(long)number)
				cnd_wait(&storm_cnd, &storm_mtx);
			c11_turn = (c11_turn + 1) % THREADS;
			cnd_broadcast(&storm_cnd);
			mtx_unlock(&storm_mtx);
		}
		if (i % 64 == 0)
			pthread_barrier_wait(&storm_barrier);
	}
	return NULL;
}

/* Each lock guards the count in turn: only within one kind is it sure, so every kind has its own. */
static void storms(void)
{
	pthread_mutexattr_t attributes;
	pthread_t threads[THREADS];

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&storm_pi, &attributes);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&storm_robust, &attributes);
	mtx_init(&storm_mtx, mtx_plain);
	cnd_init(&storm_cnd);
	sem_init(&storm_sem, 0, 1);
	pthread_barrier_init(&storm_barrier, NULL, THREADS);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, storm, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("storms of %d rounds are over, turns %d and %d, %ld by the robust one\n", rounds, turn, c11_turn,
		by_robust);
}

int main(int argc, char **argv)
{
	rounds = (int)argument(argc, argv, 1, 300);
	main_thread = pthread_self();
	descriptors();
	interrupted(0);
	interrupted(SA_RESTART);
	mutexes();
	other_locks();
	cancellation();
	jumps(rounds);
	forks(20);
	storms();
	spend(0.05);
	return 0;
}
