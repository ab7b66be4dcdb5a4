/* Waits 30 ms in each call that may block and that needs something made for it, one after the other, and tells what it answers:
 * each_wait [WAY [ROUNDS]]: 0: until the wait is over; 1: a signal comes meanwhile; 2: one that lets the call go on; 3: the thread is cancelled;
 * 4: a signal's handler jumps out of it, and it is waited again; 5: the process forks meanwhile, and its child waits, too; 6: waits of some
 * microseconds, so many times; 7: it must not wait. */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "tests/targets/told.h"

#define WAIT_SPAN ((struct timespec){0, wait_ns})

/* What passes before something happens to a wait, and what passes in a call that takes a time. */
static long delay_ns = 15000000, wait_ns = 30000000;
static bool at_once;

static int empty[2], full[2], other[2], messages, semaphores, epoll, ring;
static mqd_t queue;
static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t read_held = PTHREAD_RWLOCK_INITIALIZER, write_held = PTHREAD_RWLOCK_INITIALIZER;
static mtx_t c11_mutex, c11_held;
static cnd_t c11_condition;
static bool c11_done;
static thrd_t c11_holder;
static pthread_t waiter;
static char bytes[1 << 16];
static struct aiocb asked;

struct message {
	long type;
	char text[4096];
};

static struct timespec until(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += wait_ns;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* --- what ends a wait */

static void nothing(void)
{
}

static void send_message(void)
{
	msgsnd(messages, &(struct message){.type = 1}, sizeof((struct message *)0)->text, 0);
}

static void take_message(void)
{
	struct message m;

	while (msgrcv(messages, &m, sizeof m.text, 0, IPC_NOWAIT) >= 0)
		;
}

static void raise_semaphore(void)
{
	semop(semaphores, &(struct sembuf){0, 1, 0}, 1);
}

static void send_to_queue(void)
{
	mq_send(queue, "m", 1, 0);
}

static void take_from_queue(void)
{
	char text[8];

	mq_receive(queue, text, sizeof text, NULL);
}

static void fill_empty(void)
{
	check(write(empty[1], "x", 1) == 1, "write");
}

static void drain_full(void)
{
	check(read(full[0], bytes, sizeof bytes) > 0, "read");
}

static void send_signal(void)
{
	pthread_kill(waiter, SIGUSR1);
}

/* --- waits */

static long in_msgrcv(void)
{
	struct message m;

	return msgrcv(messages, &m, sizeof m.text, 0, at_once ? IPC_NOWAIT : 0);
}

static void fill_messages(void)
{
	while (msgsnd(messages, &(struct message){.type = 1}, sizeof((struct message *)0)->text, IPC_NOWAIT) == 0)
		;
}

static long in_msgsnd(void)
{
	return msgsnd(messages, &(struct message){.type = 1}, sizeof((struct message *)0)->text,
		at_once ? IPC_NOWAIT : 0);
}

static long in_semop(void)
{
	return semop(semaphores, &(struct sembuf){0, -1, at_once ? IPC_NOWAIT : 0}, 1);
}

static long in_semtimedop(void)
{
	return semtimedop(semaphores, &(struct sembuf){0, -1, 0}, 1, &WAIT_SPAN);
}

static long in_mq_receive(void)
{
	char text[8];

	return mq_receive(queue, text, sizeof text, NULL);
}

static long in_mq_timedreceive(void)
{
	struct timespec t = until(CLOCK_REALTIME);
	char text[8];

	return mq_timedreceive(queue, text, sizeof text, NULL, &t);
}

static void fill_queue(void)
{
	mq_timedsend(queue, "m", 1, 0, &(struct timespec){0, 0});
}

static long in_mq_send(void)
{
	return mq_send(queue, "m", 1, 0);
}

static long in_mq_timedsend(void)
{
	struct timespec t = until(CLOCK_REALTIME);

	return mq_timedsend(queue, "m", 1, 0, &t);
}

static void fill(void)
{
	fcntl(full[1], F_SETFL, O_NONBLOCK);
	while (write(full[1], bytes, sizeof bytes) > 0)
		;
	fcntl(full[1], F_SETFL, 0);
}

static long in_splice(void)
{
	return splice(empty[0], NULL, other[1], NULL, 1, at_once ? SPLICE_F_NONBLOCK : 0);
}

static long in_tee(void)
{
	return tee(empty[0], other[1], 1, at_once ? SPLICE_F_NONBLOCK : 0);
}

static long in_vmsplice(void)
{
	return vmsplice(full[1], &(struct iovec){bytes, 4096}, 1, at_once ? SPLICE_F_NONBLOCK : 0);
}

static void ask(void)
{
	asked = (struct aiocb){.aio_fildes = empty[0], .aio_buf = bytes, .aio_nbytes = 1};
	check(aio_read(&asked) == 0, "aio_read");
}

static long in_aio_suspend(void)
{
	const struct aiocb *list[] = {&asked};

	ask();
	return aio_suspend(list, 1, at_once ? &(struct timespec){0, 0} : NULL);
}

static long in_aio_suspend64(void)
{
	const struct aiocb64 *list[] = {(struct aiocb64 *)&asked};

	ask();
	return aio_suspend64(list, 1, at_once ? &(struct timespec){0, 0} : NULL);
}

static long in_lio_listio(void)
{
	struct aiocb *list[] = {&asked};

	asked = (struct aiocb){.aio_fildes = empty[0], .aio_buf = bytes, .aio_nbytes = 1, .aio_lio_opcode = LIO_READ};
	return lio_listio(at_once ? LIO_NOWAIT : LIO_WAIT, list, 1, NULL);
}

static long in_io_uring_enter(void)
{
	struct __kernel_timespec t = {0, wait_ns};
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&t};

	return syscall(SYS_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof arg);
}

static long in_ppoll(void)
{
	return ppoll(NULL, 0, &WAIT_SPAN, NULL);
}

static long in_pselect(void)
{
	return pselect(0, NULL, NULL, NULL, &WAIT_SPAN, NULL);
}

static long in_epoll_pwait2(void)
{
	struct epoll_event event;

	return epoll_pwait2(epoll, &event, 1, &WAIT_SPAN, NULL);
}

static long in_sem_clockwait(void)
{
	struct timespec t = until(CLOCK_MONOTONIC);

	return sem_clockwait(&semaphore, CLOCK_MONOTONIC, &t);
}

static void unlock(void *held_mutex)
{
	pthread_mutex_unlock(held_mutex);
}

static long in_pthread_cond_clockwait(void)
{
	struct timespec t = until(CLOCK_MONOTONIC);

	long result;

	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlock, &mutex);
	result = pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &t);
	pthread_cleanup_pop(1);
	return result;
}

static long in_pthread_mutex_clocklock(void)
{
	struct timespec t = until(CLOCK_MONOTONIC);

	return pthread_mutex_clocklock(&held, CLOCK_MONOTONIC, &t);
}

static long in_pthread_rwlock_clockrdlock(void)
{
	struct timespec t = until(CLOCK_MONOTONIC);

	return pthread_rwlock_clockrdlock(&write_held, CLOCK_MONOTONIC, &t);
}

static long in_pthread_rwlock_clockwrlock(void)
{
	struct timespec t = until(CLOCK_MONOTONIC);

	return pthread_rwlock_clockwrlock(&read_held, CLOCK_MONOTONIC, &t);
}

/* --- C11's: those without a time end when the other thread is done with them */

static void c11_unlock(void *mtx)
{
	mtx_unlock(mtx);
}

static long in_cnd_wait(void)
{
	volatile long result = 0;

	mtx_lock(&c11_mutex);
	pthread_cleanup_push(c11_unlock, &c11_mutex);
	while (!c11_done)
		result += cnd_wait(&c11_condition, &c11_mutex);
	c11_done = false;
	pthread_cleanup_pop(1);
	return result;
}

static void signal_condition(void)
{
	mtx_lock(&c11_mutex);
	c11_done = true;
	cnd_signal(&c11_condition);
	mtx_unlock(&c11_mutex);
}

static long in_cnd_timedwait(void)
{
	struct timespec t = until(CLOCK_REALTIME);
	long result;

	mtx_lock(&c11_mutex);
	pthread_cleanup_push(c11_unlock, &c11_mutex);
	result = cnd_timedwait(&c11_condition, &c11_mutex, &t);
	pthread_cleanup_pop(1);
	return result;
}

static long in_mtx_timedlock(void)
{
	struct timespec t = until(CLOCK_REALTIME);

	return mtx_timedlock(&c11_held, &t);
}

static long in_thrd_sleep(void)
{
	return thrd_sleep(&WAIT_SPAN, NULL);
}

static long in_thrd_join(void)
{
	return thrd_join(c11_holder, NULL);
}

static int hold_until_empty(void *unused)
{
	char byte;

	(void)unused;
	while (read(other[0], &byte, 1) != 1)
		;
	return 0;
}

static void let_holder_end(void)
{
	check(write(other[1], "x", 1) == 1, "write");
}

static long in_sigwait(void)
{
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigwait(&set, &number);
}

static long in_sigsuspend(void)
{
	sigset_t set;

	sigemptyset(&set);
	return sigsuspend(&set);
}

/* All three of the C library's: with a mask, with a signal's number, and with either. */
extern int sigpause_mask(int mask) __asm__("sigpause");
extern int sigpause_either(int what, int is_signal) __asm__("__sigpause");
extern int sigpause_signal(int number) __asm__("__xpg_sigpause");

static long in_sigpause(void)
{
	return sigpause_mask(0);
}

static long in___sigpause(void)
{
	return sigpause_either(SIGUSR1, 1);
}

static long in___xpg_sigpause(void)
{
	return sigpause_signal(SIGUSR1);
}

static long in_usleep(void)
{
	return usleep(wait_ns / 1000);
}

static long in_poll(void)
{
	return syscall(SYS_poll, NULL, 0, wait_ns / 1000000);
}

static long in_futex(void)
{
	int word = 7;

	return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, &WAIT_SPAN, NULL, 0);
}

static const struct wait {
	const char *name;
	long (*wait)(void);
	void (*end)(void);
} waits[] = {
#define X(name, end) \
	{ \
#name, in_##name, end \
	}
	X(msgrcv, send_message),
	X(msgsnd, take_message),
	X(semop, raise_semaphore),
	X(semtimedop, nothing),
	X(mq_receive, send_to_queue),
	X(mq_timedreceive, nothing),
	X(mq_send, take_from_queue),
	X(mq_timedsend, nothing),
	X(splice, fill_empty),
	X(tee, fill_empty),
	X(vmsplice, drain_full),
	X(aio_suspend, fill_empty),
	X(aio_suspend64, fill_empty),
	X(lio_listio, fill_empty),
	X(io_uring_enter, nothing),
	X(ppoll, nothing),
	X(pselect, nothing),
	X(epoll_pwait2, nothing),
	X(sem_clockwait, nothing),
	X(pthread_cond_clockwait, nothing),
	X(pthread_mutex_clocklock, nothing),
	X(pthread_rwlock_clockrdlock, nothing),
	X(pthread_rwlock_clockwrlock, nothing),
	X(cnd_wait, signal_condition),
	X(cnd_timedwait, nothing),
	X(mtx_timedlock, nothing),
	X(thrd_sleep, nothing),
	X(thrd_join, let_holder_end),
	X(sigwait, send_signal),
	X(sigsuspend, send_signal),
	X(sigpause, send_signal),
	X(__sigpause, send_signal),
	X(__xpg_sigpause, send_signal),
	X(usleep, nothing),
	X(poll, nothing),
	X(futex, nothing),
#undef X
};

static const struct wait *current;

/* It stays: a later thread may get the id of one that has ended, and be told that it waits for itself. */
static void *holder(void *taken)
{
	pthread_mutex_lock(&held);
	pthread_rwlock_rdlock(&read_held);
	pthread_rwlock_wrlock(&write_held);
	mtx_lock(&c11_held);
	sem_post(taken);
	while (true)
		pause();
	return NULL;
}

static void hold_locks(void)
{
	pthread_t thread;
	sem_t taken;

	sem_init(&taken, 0, 0);
	pthread_create(&thread, NULL, holder, &taken);
	while (sem_wait(&taken) != 0)
		;
}

static void on_signal(int number);

static void set_signals(int flags)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
}

static void make_places(void)
{
	struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
	int flags = O_RDWR | O_CREAT | (at_once ? O_NONBLOCK : 0);
	struct io_uring_params parameters = {0};
	char name[40];

	check(pipe(empty) == 0 && pipe(full) == 0 && pipe(other) == 0, "pipe");
	check((epoll = epoll_create1(0)) >= 0, "epoll");
	check((semaphores = semget(IPC_PRIVATE, 1, 0600)) >= 0, "semget");
	check((messages = msgget(IPC_PRIVATE, 0600)) >= 0, "msgget");
	snprintf(name, sizeof name, "/each-%d", (int)getpid());
	check((queue = mq_open(name, flags, 0600, &attributes)) != (mqd_t)-1, "mq_open");
	mq_unlink(name);
	sem_init(&semaphore, 0, 0);
	if (current->wait == in_thrd_join)
		check(thrd_create(&c11_holder, hold_until_empty, NULL) == thrd_success, "thrd_create");
	ring = (int)syscall(SYS_io_uring_setup, 1, &parameters);
}

static void remove_places(void)
{
	const int fds[] = {empty[0], empty[1], full[0], full[1], other[0], other[1], epoll, ring};

	fill_empty(); /* what still reads asynchronously */
	while (aio_error(&asked) == EINPROGRESS)
		nanosleep(&(struct timespec){0, 100000}, NULL);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		close(fds[i]);
	mq_close(queue);
	msgctl(messages, IPC_RMID, NULL);
	semctl(semaphores, 0, IPC_RMID);
}

/* --- the same in several ways */

enum way { ENDED, INTERRUPTED, RESTARTED, CANCELLED, JUMPED, FORKED, STORM, AT_ONCE };

static volatile bool ready, answered, handled;
static volatile pid_t waiter_tid;

static sigjmp_buf out;
static volatile bool jumps;

static void on_signal(int number)
{
	handled = handled || number == SIGUSR2;
	if (number == SIGUSR2 && jumps) {
		jumps = false;
		siglongjmp(out, 1);
	}
}

static struct {
	long result;
	int error;
} answer;

/* What has no room is full from here on. */
static void prepare(void)
{
	if (current->wait == in_msgsnd)
		fill_messages();
	else if (current->wait == in_mq_send || current->wait == in_mq_timedsend)
		fill_queue();
	else if (current->wait == in_vmsplice)
		fill();
	ready = true;
}

static void *wait_once(void *way)
{
	if ((enum way)(long)way == JUMPED && sigsetjmp(out, 1))
		answer.error = -1; /* and once more */
	waiter_tid = gettid();
	prepare();
	errno = 0;
	answer.result = current->wait();
	answer.error = answer.result < 0 ? errno : 0;
	answered = true;
	return way;
}

static void fork_and_wait(void)
{
	int status = 0;
	pid_t child = fork();

	if (!child)
		_exit(poll(NULL, 0, 1) == 0 ? 7 : 8);
	waitpid(child, &status, 0);
	printf("%s child's status %d\n", current->name, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static bool is_asleep(void)
{
	char path[64], text[256] = "", *state;
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)waiter_tid);
	file = fopen(path, "re");
	state = file && fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
	if (file)
		fclose(file);
	return !state || state[2] == 'S'; /* or it has ended */
}

static void pass(long ns)
{
	nanosleep(&(struct timespec){0, ns}, NULL);
}

/* A signal finds the thread in its wait, and what ends that finds the signal handled, however busy the machine is. */
static void send_and_await_signal(void)
{
	while (!answered && !is_asleep())
		pass(delay_ns / 10);
	pthread_kill(waiter, SIGUSR2);
	while (!answered && !handled)
		pass(delay_ns / 10);
}

static void disturb(enum way way)
{
	while (!ready)
		pass(delay_ns / 10);
	pass(delay_ns);
	if (way == CANCELLED)
		pthread_cancel(waiter);
	else if (way == FORKED)
		fork_and_wait();
	else if (way != ENDED && way != STORM)
		send_and_await_signal();
	pass(delay_ns);
	if (!answered)
		current->end();
}

/* Whether the thread came to its end. */
static bool try_once(enum way way)
{
	void *result;

	ready = answered = handled = false;
	jumps = way == JUMPED;
	make_places();
	pthread_create(&waiter, NULL, wait_once, (void *)(long)way);
	if (way != AT_ONCE)
		disturb(way);
	pthread_join(waiter, &result);
	remove_places();
	return result != PTHREAD_CANCELED;
}

static void try(enum way way)
{
	bool went_on = try_once(way);

	if (way == CANCELLED)
		printf("%s %s\n", current->name, went_on ? "went on" : "was cancelled");
	if (went_on)
		printf("%s %ld errno %d\n", current->name, answer.result, answer.error);
}

/* All answers are those of the first time. */
static void storm(int rounds)
{
	long first = 0, same = 0;

	for (int i = 0; i < rounds; i++) {
		try_once(STORM);
		if (i == 0)
			first = answer.result;
		same += answer.result == first;
	}
	printf("%s %ld, %ld times\n", current->name, first, same);
}

/* What must not be jumped or unwound out of: it leaves a lock, or is written to on its stack. And what cannot but wait. */
static bool is_left_out(const struct wait *w, enum way way)
{
	if (way == AT_ONCE)
		return w->end == send_signal || w->wait == in_cnd_wait || w->wait == in_thrd_join;
	if (way == JUMPED &&
		(w->wait == in_pthread_cond_clockwait || w->wait == in_cnd_wait || w->wait == in_cnd_timedwait ||
			w->wait == in_aio_suspend || w->wait == in_aio_suspend64))
		return true;
	return (way == INTERRUPTED || way == JUMPED) && w->wait == in_lio_listio;
}

static int rounds;

static void try_all(int way)
{
	hold_locks();
	if (way == STORM)
		storm(rounds);
	else
		try((enum way)way);
}

int main(int argc, char **argv)
{
	enum way way = (enum way)argument(argc, argv, 1, ENDED);
	int outputs[sizeof waits / sizeof waits[0]] = {0};

	rounds = (int)argument(argc, argv, 2, 20);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (way == STORM)
		delay_ns = 10000, wait_ns = 30000;
	else if (way == AT_ONCE)
		at_once = true, wait_ns = 0;
	else if (way != ENDED)
		delay_ns = 100000000, wait_ns = 800000000;
	set_signals(way == RESTARTED ? SA_RESTART : 0);
	mtx_init(&c11_mutex, mtx_plain);
	mtx_init(&c11_held, mtx_timed);
	cnd_init(&c11_condition);
	if (way == ENDED)
		hold_locks();
	spend(0.025); /* enough for a profile */
	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		current = &waits[i];
		if (way == ENDED)
			try(way);
		else if (!is_left_out(current, way))
			outputs[i] = told_by_child(try_all, (int)way); /* all at once, as some take their time */
	}
	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++)
		if (outputs[i])
			tell(outputs[i]);
	return 0;
}
