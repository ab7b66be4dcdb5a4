/* Waits in every way there is beside threads that compute and allocate, so that clocks expire while others sleep.
 * Usage: waits [ROUNDS [WAITERS [BUSY-THREADS]]]; tells which waits returned EINTR; exit status 1 when any did. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define WAIT_US 700

enum {
	POLL,
	PPOLL,
	EPOLL,
	SELECT,
	NANOSLEEP,
	CLOCK_NANOSLEEP,
	USLEEP,
	SEM_TIMEDWAIT,
	SEMTIMEDOP,
	SIGTIMEDWAIT,
	COND_TIMEDWAIT,
	RECV,
	ACCEPT,
	MQ_TIMEDRECEIVE,
	MSGRCV,
	READ_PIPE,
	WAITS
};
static const char *const names[WAITS] = {"poll", "ppoll", "epoll_wait", "select", "nanosleep", "clock_nanosleep",
	"usleep", "sem_timedwait", "semtimedop", "sigtimedwait", "pthread_cond_timedwait", "recv", "accept",
	"mq_timedreceive", "msgrcv", "read"};
static int broken[WAITS]; /* atomic */
static volatile int stop;
static int rounds;

static void count(int which, int result)
{
	if (result < 0 && errno == EINTR)
		__atomic_add_fetch(&broken[which], 1, __ATOMIC_RELAXED);
}

static void *busy(void *unused)
{
	while (!stop) {
		void *volatile p = malloc(64 + spin(50) % 512);
		free(p);
	}
	return unused;
}

struct places {
	int pipe[2], epoll, listener, datagrams, semaphores, messages;
	mqd_t queue;
	sem_t semaphore;
	pthread_mutex_t mutex;
	pthread_cond_t condition;
};

static void make_places(struct places *p)
{
	struct timeval timeout = {0, WAIT_US};
	struct epoll_event event = {.events = EPOLLIN};
	struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
	char name[40];

	check(pipe(p->pipe) == 0 && (p->epoll = epoll_create1(EPOLL_CLOEXEC)) >= 0, "pipe");
	check(epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->pipe[0], &event) == 0, "epoll_ctl");
	p->listener = socket(AF_INET, SOCK_STREAM, 0);
	check(p->listener >= 0 && listen(p->listener, 1) == 0, "listen");
	setsockopt(p->listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	p->datagrams = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(p->datagrams, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	p->semaphores = semget(IPC_PRIVATE, 1, 0600);
	p->messages = msgget(IPC_PRIVATE, 0600);
	snprintf(name, sizeof name, "/waits-%d-%p", (int)getpid(), (void *)p);
	p->queue = mq_open(name, O_RDWR | O_CREAT, 0600, &attributes);
	mq_unlink(name);
	sem_init(&p->semaphore, 0, 0);
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->condition, NULL);
}

static struct timespec later(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += WAIT_US * 1000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

static int wait_once(struct places *p, int which)
{
	struct timespec span = {0, WAIT_US * 1000}, until = later();
	struct timeval tv = {0, WAIT_US};
	struct pollfd fd = {.fd = p->pipe[0], .events = POLLIN};
	struct epoll_event event;
	struct sembuf down = {0, -1, 0};
	char message[64];
	sigset_t set;
	fd_set fds;
	int result;

	switch (which) {
	case POLL:
		return poll(&fd, 1, 1);
	case PPOLL:
		return ppoll(&fd, 1, &span, NULL);
	case EPOLL:
		return epoll_wait(p->epoll, &event, 1, 1);
	case SELECT:
		FD_ZERO(&fds);
		FD_SET(p->pipe[0], &fds);
		return select(p->pipe[0] + 1, &fds, NULL, NULL, &tv);
	case NANOSLEEP:
		return nanosleep(&span, NULL);
	case CLOCK_NANOSLEEP:
		errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL);
		return errno ? -1 : 0;
	case USLEEP:
		return usleep(WAIT_US);
	case SEM_TIMEDWAIT:
		return sem_timedwait(&p->semaphore, &until);
	case SEMTIMEDOP:
		return semtimedop(p->semaphores, &down, 1, &span);
	case SIGTIMEDWAIT:
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		return sigtimedwait(&set, NULL, &span);
	case COND_TIMEDWAIT:
		pthread_mutex_lock(&p->mutex);
		errno = pthread_cond_timedwait(&p->condition, &p->mutex, &until);
		result = errno == EINTR ? -1 : 0;
		pthread_mutex_unlock(&p->mutex);
		return result;
	case RECV:
		return (int)recv(p->datagrams, message, sizeof message, 0);
	case ACCEPT:
		return accept(p->listener, NULL, NULL);
	case MQ_TIMEDRECEIVE:
		return (int)mq_timedreceive(p->queue, message, sizeof message, NULL, &until);
	}
	return 0;
}

/* Waits without a limit, which another thread ends. */
static int wait_for(struct places *p, int which)
{
	struct {
		long type;
		char text[8];
	} m;
	char byte;

	if (which == MSGRCV)
		return (int)msgrcv(p->messages, &m, sizeof m.text, 0, 0);
	return (int)read(p->pipe[0], &byte, 1);
}

static void *waker(void *arg)
{
	struct places *p = arg;
	struct {
		long type;
		char text[8];
	} m = {1, ""};

	for (int i = 0; i < rounds; i++) {
		struct timespec span = {0, WAIT_US * 1000};

		count(NANOSLEEP, nanosleep(&span, NULL));
		msgsnd(p->messages, &m, sizeof m.text, 0);
		count(NANOSLEEP, nanosleep(&span, NULL));
		check(write(p->pipe[1], "", 1) == 1, "write");
	}
	return NULL;
}

static void *waiter(void *unused)
{
	static __thread struct places places;
	pthread_t other;
	int which;

	make_places(&places);
	for (int i = 0; i < rounds; i++) {
		for (which = 0; which < MSGRCV; which++) {
			spin(20000);
			count(which, wait_once(&places, which));
		}
	}
	/* A handler with SA_RESTART breaks neither of these. */
	check(pthread_create(&other, NULL, waker, &places) == 0, "pthread_create");
	for (int i = 0; i < rounds; i++) {
		for (which = MSGRCV; which < WAITS; which++)
			count(which, wait_for(&places, which));
		spin(20000);
	}
	pthread_join(other, NULL);
	msgctl(places.messages, IPC_RMID, NULL);
	semctl(places.semaphores, 0, IPC_RMID);
	return unused;
}

int main(int argc, char **argv)
{
	int waiters = (int)argument(argc, argv, 2, 2), n = (int)argument(argc, argv, 3, 2), sum = 0;
	pthread_t busy_threads[64], waiting[64];

	rounds = (int)argument(argc, argv, 1, 100);
	check(waiters <= 64 && n <= 64, "at most 64 threads");
	for (int i = 0; i < n; i++)
		check(pthread_create(&busy_threads[i], NULL, busy, NULL) == 0, "pthread_create");
	for (int i = 0; i < waiters; i++)
		check(pthread_create(&waiting[i], NULL, waiter, NULL) == 0, "pthread_create");
	for (int i = 0; i < waiters; i++)
		pthread_join(waiting[i], NULL);
	stop = 1;
	for (int i = 0; i < n; i++)
		pthread_join(busy_threads[i], NULL);
	for (int i = 0; i < WAITS; i++) {
		sum += broken[i];
		if (broken[i])
			printf("%s: %d broken\n", names[i], broken[i]);
	}
	printf("%d broken\n", sum);
	return sum != 0;
}
