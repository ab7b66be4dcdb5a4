/* Demangling of C++ and Rust names that may be hostile.
 *
 * A 210-character C++ name can stand for 35 MB of text, and one of 130 characters can keep the
 * demangler parsing for hours without printing anything (each nested template argument of a
 * conversion operator is parsed twice). So both the output and the CPU time are limited, and both
 * limits leave libiberty by a jump. That is sound: the C++ demangler keeps all its state on the
 * stack (its callback form exists for callers that must not allocate), and the Rust one, which may
 * hold one heap buffer, is only left from our callback, never from the signal handler. */
#include "symbolize/base/demangle.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <libiberty/demangle.h>

#include "symbolize/base/memory.h"

#define INPUT_LIMIT_BYTES 4096u
#define OUTPUT_LIMIT_BYTES 65536u
#define TIME_LIMIT_NS 50000000
/* A name this short cannot run for longer than the time limit: it takes four characters to double the work. */
#define HARMLESS_BYTES 48u

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

struct output {
	char text[OUTPUT_LIMIT_BYTES];
	size_t used;
	sigjmp_buf give_up;
};

/* A thread's watchdog. Its timer is set only where it is not running anyway, which makes it one system call in
 * thousands of names: when it goes off during another name than it was set for, that one gets the whole limit again. */
struct watchdog {
	sigjmp_buf *volatile give_up; /* where the signal jumps to; NULL while no demangler runs */
	volatile uint64_t name, set_for;
	volatile bool running;
	timer_t timer;
	bool made;
};

static __thread struct watchdog watchdog;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static pthread_key_t ending; /* a thread that ends takes its timer along */

static void set_timer(struct watchdog *w)
{
	struct itimerspec limit = {.it_value = {.tv_nsec = TIME_LIMIT_NS}};

	w->set_for = w->name;
	w->running = !timer_settime(w->timer, 0, &limit, NULL);
}

/* Does not block itself: the jump leaves the signal mask as it is. */
static void on_time_limit(int signo)
{
	struct watchdog *w = &watchdog;
	int saved = errno;

	(void)signo;
	w->running = false;
	if (w->give_up && w->name == w->set_for)
		siglongjmp(*w->give_up, 1);
	if (w->give_up)
		set_timer(w);
	errno = saved;
}

static void end_watchdog(void *opaque)
{
	struct watchdog *w = opaque;

	timer_delete(w->timer);
	w->made = w->running = false;
}

static void prepare(void)
{
	struct sigaction action = {.sa_handler = on_time_limit, .sa_flags = SA_RESTART | SA_NODEFER};

	sigaction(SIGVTALRM, &action, NULL);
	pthread_key_create(&ending, end_watchdog);
}

static void append(const char *piece, size_t bytes, void *opaque)
{
	struct output *out = opaque;

	if (!bytes)
		return;
	if (out->used + bytes >= sizeof(out->text))
		siglongjmp(out->give_up, 1);
	memcpy(out->text + out->used, piece, bytes);
	out->used += bytes;
}

static int make_watchdog(struct watchdog *w)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGVTALRM};
	sigset_t signals;

	pthread_once(&prepared, prepare);
	event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
	sigemptyset(&signals);
	sigaddset(&signals, SIGVTALRM);
	if (pthread_sigmask(SIG_UNBLOCK, &signals, NULL) || timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &w->timer))
		return -1;
	w->made = true;
	if (!pthread_setspecific(ending, w))
		return 0;
	end_watchdog(w);
	return -1;
}

/* Call this when give_up is set: a signal that came before that has left the timer unset. */
static int watch(struct watchdog *w)
{
	if (!w->made && make_watchdog(w))
		return -1;
	if (!w->running)
		set_timer(w);
	return w->running ? 0 : -1;
}

static int demangle_cxx(const char *mangled, struct output *out)
{
	bool harmless = strlen(mangled) <= HARMLESS_BYTES;
	struct watchdog *w = &watchdog;
	volatile int ok = 0;

	w->name++;
	if (!sigsetjmp(out->give_up, 0)) {
		w->give_up = &out->give_up;
		if (harmless || !watch(w))
			ok = cplus_demangle_v3_callback(mangled, DMGL_PARAMS | DMGL_ANSI, append, out);
	}
	w->give_up = NULL;
	return ok;
}

static int demangle_rust(const char *mangled, struct output *out)
{
	volatile int ok = 0;

	if (!sigsetjmp(out->give_up, 0))
		ok = rust_demangle_callback(mangled, 0, append, out);
	return ok;
}

static bool is_identifier(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) && text[i] != '_')
			return false;
	return bytes && islower((unsigned char)text[0]);
}

/* A procedure of a Fortran module, as gfortran names it: __module_MOD_procedure. */
static char *demangle_fortran(const char *mangled)
{
	const char *mark = strstr(mangled, "_MOD_");
	size_t module_bytes = mark ? (size_t)(mark - mangled) - 2 : 0;

	if (!mark || !is_identifier(mangled + 2, module_bytes) || !is_identifier(mark + 5, strlen(mark + 5)))
		return NULL;
	return sp_text("%.*s::%s", (int)module_bytes, mangled + 2, mark + 5);
}

char *sp_demangle(const char *mangled)
{
	struct output out;
	int ok;

	if (mangled[0] == '_' && mangled[1] == '_' && strnlen(mangled, INPUT_LIMIT_BYTES + 1) <= INPUT_LIMIT_BYTES)
		return demangle_fortran(mangled);
	if (mangled[0] != '_' || (mangled[1] != 'Z' && mangled[1] != 'R'))
		return NULL;
	if (strnlen(mangled, INPUT_LIMIT_BYTES + 1) > INPUT_LIMIT_BYTES)
		return NULL;
	out.used = 0;
	/* Old-style Rust names are C++ names too: the stricter test goes first. */
	ok = demangle_rust(mangled, &out);
	if (!ok) {
		out.used = 0;
		ok = demangle_cxx(mangled, &out);
	}
	if (!ok || !out.used)
		return NULL;
	out.text[out.used] = '\0';
	return sp_copy_text(out.text);
}
