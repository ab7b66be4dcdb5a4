/* Calls about files and names that block as long as nobody answers, and what they answer: slow_answers WAY. 0: until there is an answer;
 * 1: a signal comes meanwhile; 2: one that lets the call go on; 3: the thread is cancelled; 4: a signal's handler jumps out of it; 5: what
 * they answer at once, to what is wrong or must not wait. Those about files are left out where nothing can be mounted. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/targets/slow_files.h"
#include "tests/targets/told.h"

enum way { ENDED, INTERRUPTED, RESTARTED, CANCELLED, JUMPED, AT_ONCE };

/* What stands for an argument that is made for the call. */
#define MADE(n) (LONG_MIN + (n))
#define FILE_F MADE(1)
#define FILE_G MADE(2)
#define NONE MADE(3)
#define DIRECTORY MADE(4)
#define FD MADE(5)
#define OTHER_FD MADE(6)
#define BUFFER MADE(7)
#define NOWHERE MADE(8) /* an address that nobody may read or write */
#define HERE AT_FDCWD

struct call {
	const char *symbol;
	long arguments[6];
	long (*look_up)(void); /* of a name */
};

/* --- names: a server that is asked, and answers when it is told to that there is no such name */

static int name_socket;

static void make_name_server(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	name_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	check(bind(name_socket, (struct sockaddr *)&at, sizeof(at)) == 0, "bind");
}

/* For the calling thread. */
static void use_name_server(void)
{
	struct sockaddr_in at;
	socklen_t size = sizeof(at);

	getsockname(name_socket, (struct sockaddr *)&at, &size);
	res_init();
	_res.nscount = 1;
	_res.nsaddr_list[0] = at;
	_res.retrans = 60;
}

static void answer_names(void)
{
	struct pollfd asked = {name_socket, POLLIN, 0};
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	unsigned char query[512];
	ssize_t got;

	while (poll(&asked, 1, 1) > 0) {
		got = recvfrom(name_socket, query, sizeof(query), 0, (struct sockaddr *)&from, &size);
		if (got < 12)
			continue;
		query[2] |= 0x80; /* an answer, with recursion: no such name */
		query[3] = 0x83;
		sendto(name_socket, query, (size_t)got, 0, (struct sockaddr *)&from, size);
	}
}

static const struct sockaddr_in somewhere = {.sin_family = AF_INET, .sin_addr = {0x0100007f}};
static const unsigned char address[4] = {192, 0, 2, 1};

static long in_getaddrinfo(void)
{
	struct addrinfo hints = {.ai_family = AF_INET}, *list;

	return getaddrinfo("slow.invalid.", "80", &hints, &list);
}

static long in_getnameinfo(void)
{
	struct sockaddr_in at = somewhere;
	char host[256];

	memcpy(&at.sin_addr, address, sizeof(address));
	return getnameinfo((struct sockaddr *)&at, sizeof(at), host, sizeof(host), NULL, 0, NI_NAMEREQD);
}

static long in_gethostbyname(void)
{
	return gethostbyname("slow.invalid.") ? 0 : -h_errno;
}

static long in_gethostbyname2(void)
{
	return gethostbyname2("slow.invalid.", AF_INET) ? 0 : -h_errno;
}

static long in_gethostbyname_r(void)
{
	struct hostent entry, *found;
	char buffer[2048];
	int error = 0;
	long result = gethostbyname_r("slow.invalid.", &entry, buffer, sizeof(buffer), &found, &error);

	return result * 1000 + error;
}

static long in_gethostbyaddr(void)
{
	return gethostbyaddr(address, sizeof(address), AF_INET) ? 0 : -h_errno;
}

/* --- calls that nobody answers */

#define CALL(symbol, ...) \
	{ \
		symbol, {__VA_ARGS__}, NULL \
	}
#define NAMED(name) \
	{ \
#name, {0 }, in_##name \
	}
static const struct call calls[] = {
	CALL("stat", FILE_F, BUFFER),
	CALL("stat64", FILE_F, BUFFER),
	CALL("lstat", FILE_F, BUFFER),
	CALL("lstat64", FILE_F, BUFFER),
	CALL("fstatat", HERE, FILE_F, BUFFER),
	CALL("fstatat64", HERE, FILE_F, BUFFER),
	CALL("statx", HERE, FILE_F, 0, STATX_BASIC_STATS, BUFFER),
	CALL("__xstat", 1, FILE_F, BUFFER),
	CALL("__xstat64", 1, FILE_F, BUFFER),
	CALL("__lxstat", 1, FILE_F, BUFFER),
	CALL("__lxstat64", 1, FILE_F, BUFFER),
	CALL("__fxstatat", 1, HERE, FILE_F, BUFFER),
	CALL("__fxstatat64", 1, HERE, FILE_F, BUFFER),
	CALL("unlink", FILE_F),
	CALL("unlinkat", HERE, FILE_F),
	CALL("rename", FILE_F, FILE_G),
	CALL("renameat", HERE, FILE_F, HERE, FILE_G),
	CALL("renameat2", HERE, FILE_F, HERE, NONE, RENAME_NOREPLACE),
	CALL("truncate", FILE_F, 100),
	CALL("truncate64", FILE_F, 100),
	CALL("ftruncate", FD, 100),
	CALL("ftruncate64", FD, 100),
	CALL("fallocate", FD, 0, 0, 8192),
	CALL("fallocate64", FD, 0, 0, 8192),
	CALL("posix_fallocate", FD, 0, 8192),
	CALL("posix_fallocate64", FD, 0, 8192),
	CALL("mkdir", NONE, 0700),
	CALL("mkdirat", HERE, NONE, 0700),
	CALL("rmdir", DIRECTORY),
	CALL("close", FD),
	CALL("ioctl", FD, _IO('x', 1)),
	CALL("copy_file_range", FD, 0, OTHER_FD, 0, 4096),
	NAMED(getaddrinfo),
	NAMED(getnameinfo),
	NAMED(gethostbyname),
	NAMED(gethostbyname2),
	NAMED(gethostbyname_r),
	NAMED(gethostbyaddr),
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))
_Static_assert(CALLS <= SLOW_DIRECTORIES, "each has a directory");

/* --- what needs no answer */

static const struct call at_once[] = {
	CALL("msgrcv", -1, BUFFER, 8),
	CALL("msgsnd", -1, BUFFER, 8, 04000),
	CALL("semop", -1, BUFFER, 1),
	CALL("semtimedop", -1, BUFFER, 1, 0),
	CALL("mq_receive", FD, BUFFER, 8),
	CALL("mq_timedreceive", -1, BUFFER, 8),
	CALL("mq_send", FD, BUFFER, 8),
	CALL("mq_timedsend", -1, BUFFER, 8),
	CALL("copy_file_range", FD, 0, OTHER_FD, 0, 10),
	CALL("copy_file_range", -1, 0, OTHER_FD, 0, 10),
	CALL("copy_file_range", FD, 0, OTHER_FD, 0, 10, 99),
	CALL("tee", FD, OTHER_FD, 1, 2),
	CALL("vmsplice", FD, NOWHERE, 1, 2),
	CALL("tcdrain", FD),
	CALL("tcdrain", -1),
	CALL("aio_suspend", BUFFER, -1),
	CALL("aio_suspend64", BUFFER, -1),
	CALL("getrandom", BUFFER, 0, 1),
	CALL("getrandom", BUFFER, 100, 0),
	CALL("getrandom", BUFFER, 8, 99),
	CALL("getrandom", NOWHERE, 8, 1),
	CALL("getentropy", BUFFER, 8),
	CALL("getentropy", BUFFER, 257),
	CALL("getentropy", NOWHERE, 8),
	CALL("close", -1),
	CALL("close", FD),
	CALL("ioctl", -1, FIONREAD, BUFFER),
	CALL("ioctl", FD, FIONREAD, BUFFER),
	CALL("ioctl", FD, FIONREAD, NOWHERE),
	CALL("ioctl", FD, 12345),
	CALL("stat", FILE_F, BUFFER),
	CALL("stat", NONE, BUFFER),
	CALL("stat", FILE_F, NOWHERE),
	CALL("stat64", NOWHERE, BUFFER),
	CALL("lstat", NONE, BUFFER),
	CALL("lstat64", NONE, BUFFER),
	CALL("fstatat", -1, FILE_F, BUFFER),
	CALL("fstatat", HERE, FILE_F, BUFFER, 1),
	CALL("fstatat64", HERE, NONE, BUFFER),
	CALL("statx", HERE, NONE, 0, STATX_BASIC_STATS, BUFFER),
	CALL("statx", HERE, FILE_F, 1, STATX_BASIC_STATS, BUFFER),
	CALL("__xstat", 99, FILE_F, BUFFER),
	CALL("__xstat64", 1, NONE, BUFFER),
	CALL("__lxstat", 99, FILE_F, BUFFER),
	CALL("__lxstat64", 1, NONE, BUFFER),
	CALL("__fxstatat", 99, HERE, FILE_F, BUFFER),
	CALL("__fxstatat64", 1, HERE, NONE, BUFFER),
	CALL("unlink", NONE),
	CALL("unlink", DIRECTORY),
	CALL("unlink", NOWHERE),
	CALL("unlinkat", HERE, NONE),
	CALL("unlinkat", HERE, FILE_F, 1),
	CALL("rename", NONE, FILE_G),
	CALL("rename", FILE_F, DIRECTORY),
	CALL("renameat", -1, FILE_F, -1, FILE_G),
	CALL("renameat2", HERE, FILE_F, HERE, FILE_G, RENAME_NOREPLACE),
	CALL("truncate", NONE, 1),
	CALL("truncate", FILE_F, -1),
	CALL("truncate64", DIRECTORY, 1),
	CALL("ftruncate", -1, 1),
	CALL("ftruncate64", FD, -1),
	CALL("fallocate", FD, 0, 0, 0),
	CALL("fallocate64", -1, 0, 0, 1),
	CALL("posix_fallocate", FD, 0, 0),
	CALL("posix_fallocate64", -1, 0, 1),
	CALL("mkdir", DIRECTORY, 0700),
	CALL("mkdirat", -1, FILE_F, 0700),
	CALL("rmdir", FILE_F),
	CALL("rmdir", NONE),
};

/* --- one call, its place, and what happens to it */

static const struct call *current;
static int number; /* of its directory */
static int fds[2];
static char paths[5][40], buffer[4096];
static void *nowhere;
static pthread_t waiter;
static volatile bool jumps, jumped;
static sigjmp_buf out;
static long result;
static int error;

static void make_place(const char *directory, int flags)
{
	static const char *const names[] = {"", "f", "g", "none", "d"};

	for (int i = 1; i < 5; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", directory, names[i]);
	fds[0] = open(paths[1], O_RDWR | flags, 0600);
	fds[1] = open(paths[2], O_RDWR | flags, 0600);
	nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long made(long argument)
{
	switch (argument) {
	case FILE_F:
	case FILE_G:
	case NONE:
	case DIRECTORY:
		return (long)paths[argument - MADE(0)];
	case FD:
	case OTHER_FD:
		return fds[argument - FD];
	case BUFFER:
		return (long)buffer;
	case NOWHERE:
		return (long)nowhere;
	}
	return argument;
}

/* By its name, as there are several for the same. */
static long make_call(const struct call *c)
{
	long (*function)(long, ...) = (long (*)(long, ...))dlsym(RTLD_DEFAULT, c->symbol), a[6];

	if (c->look_up)
		return c->look_up();
	if (!function)
		return -2;
	for (int i = 0; i < 6; i++)
		a[i] = made(c->arguments[i]);
	return (int)function(a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void on_signal(int signal)
{
	if (signal && jumps) {
		jumps = false;
		siglongjmp(out, 1);
	}
}

static void *call_it(void *unused)
{
	if (sigsetjmp(out, 1)) {
		jumped = true;
		return unused;
	}
	if (current->look_up)
		use_name_server();
	else
		slow_files->armed[number] = 1;
	errno = 0;
	result = make_call(current);
	error = errno;
	return unused;
}

static void nap(long ms)
{
	nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

static void await_question(void)
{
	if (current->look_up)
		(void)!poll(&(struct pollfd){name_socket, POLLIN, 0}, 1, 20000);
	while (!current->look_up && !slow_files->held[number])
		nap(1);
}

static void disturb(enum way way)
{
	await_question();
	nap(15);
	if (way == CANCELLED)
		pthread_cancel(waiter);
	else if (way != ENDED)
		pthread_kill(waiter, SIGUSR2);
}

/* A file's call that a signal has interrupted comes back by that alone. */
static void *let_end(enum way way)
{
	bool waits = way != ENDED && way != CANCELLED && !current->look_up;
	void *end;

	for (int ms = 0; pthread_tryjoin_np(waiter, &end) == EBUSY; ms++) {
		if (current->look_up)
			answer_names();
		else if (!waits || ms > 20000)
			slow_files->go[number] = 1;
		nap(1);
	}
	return end;
}

static void try(int way)
{
	char directory[40];
	void *end;

	snprintf(directory, sizeof(directory), "slow/d%d", number);
	if (current->look_up)
		make_name_server();
	else
		make_place(directory, 0);
	jumps = way == JUMPED;
	pthread_create(&waiter, NULL, call_it, NULL);
	disturb(way);
	end = let_end(way);
	if (end == PTHREAD_CANCELED)
		printf("%s was cancelled\n", current->symbol);
	else if (jumped)
		printf("%s was jumped out of\n", current->symbol);
	else
		printf("%s %ld errno %d\n", current->symbol, result, error);
}

/* --- what must not wait */

static int no_wait_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void connects(void)
{
	struct sockaddr_in at = somewhere;
	struct sockaddr_un here = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int listener = no_wait_socket(AF_INET), local = no_wait_socket(AF_UNIX), told = 0;
	socklen_t size = sizeof(at);

	check(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 1) == 0, "listen");
	getsockname(listener, (struct sockaddr *)&at, &size);
	told = connect(no_wait_socket(AF_INET), (struct sockaddr *)&at, size);
	printf("connect %d errno %d\n", told, errno);
	check(bind(local, (struct sockaddr *)&here, sizeof(here)) == 0 && listen(local, 0) == 0, "listen");
	for (int i = 0; i < 3; i++) {
		errno = 0;
		told = connect(no_wait_socket(AF_UNIX), (struct sockaddr *)&here, sizeof(here));
		printf("connect %d errno %d\n", told, errno);
	}
	told = accept4(no_wait_socket(AF_INET), NULL, NULL, SOCK_NONBLOCK);
	printf("accept4 %d errno %d\n", told, errno);
	unlink("socket");
}

static void answers_at_once(void)
{
	check(mkdir("place", 0700) == 0 && mkdir("place/d", 0700) == 0, "mkdir");
	for (size_t i = 0; i < sizeof(at_once) / sizeof(at_once[0]); i++) {
		make_place("place", O_CREAT | O_NONBLOCK);
		errno = 0;
		result = make_call(&at_once[i]);
		error = errno;
		printf("%s %ld errno %d\n", at_once[i].symbol, result, error);
		close(fds[0]);
		close(fds[1]);
	}
	connects();
}

int main(int argc, char **argv)
{
	enum way way = (enum way)argument(argc, argv, 1, ENDED);
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = way == RESTARTED ? SA_RESTART : 0};
	int outputs[CALLS];
	bool has_files;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGUSR2, &action, NULL);
	if (way == AT_ONCE) {
		answers_at_once();
		return 0;
	}
	has_files = slow_files_start("slow");
	if (way == ENDED)
		spend(0.025); /* enough for a profile */
	for (size_t i = 0; i < CALLS; i++) {
		current = &calls[i];
		number = (int)i;
		outputs[i] = -1;
		if (way == ENDED && (current->look_up || has_files))
			try((int)way);
		else if (current->look_up || has_files)
			outputs[i] = told_by_child(try, (int)way);
	}
	for (size_t i = 0; i < CALLS; i++)
		if (outputs[i] >= 0)
			tell(outputs[i]);
	umount2("slow", MNT_DETACH);
	rmdir("slow");
	return 0;
}
