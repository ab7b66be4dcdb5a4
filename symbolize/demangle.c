/* Demangling of C++ and Rust names that may be hostile.
 *
 * A 210-character C++ name can stand for 35 MB of text, and one of 130 characters can keep the
 * demangler parsing for hours without printing anything (each nested template argument of a
 * conversion operator is parsed twice). So both the output and the CPU time are limited, and both
 * limits leave libiberty by a jump. That is sound: the C++ demangler keeps all its state on the
 * stack (its callback form exists for callers that must not allocate), and the Rust one, which may
 * hold one heap buffer, is only left from our callback, never from the signal handler. */
#include <ctype.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <libiberty/demangle.h>

#include "symbolize/symbolize.h"

#define INPUT_LIMIT_BYTES 4096u
#define OUTPUT_LIMIT_BYTES 65536u
#define TIME_LIMIT_NS 50000000
/* No name this short can run for longer than the time limit: it takes four characters to double the work. */
#define HARMLESS_BYTES 48u

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

struct output {
	char *text;
	size_t used, capacity;
	sigjmp_buf give_up;
};

/* Where the watchdog's signal jumps to; NULL while no demangler runs in this thread. */
static __thread sigjmp_buf *volatile watched;

static void on_time_limit(int signo)
{
	(void)signo;
	if (watched)
		siglongjmp(*watched, 1);
}

static void append(const char *piece, size_t bytes, void *opaque)
{
	struct output *out = opaque;

	if (!bytes)
		return;
	if (out->used + bytes >= out->capacity)
		siglongjmp(out->give_up, 1);
	memcpy(out->text + out->used, piece, bytes);
	out->used += bytes;
}

static int watchdog_start(timer_t *timer)
{
	struct sigaction action = {.sa_handler = on_time_limit};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGVTALRM};
	struct itimerspec limit = {.it_value = {.tv_nsec = TIME_LIMIT_NS}};
	sigset_t signals;

	event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
	sigemptyset(&signals);
	sigaddset(&signals, SIGVTALRM);
	if (sigaction(SIGVTALRM, &action, NULL) || pthread_sigmask(SIG_UNBLOCK, &signals, NULL))
		return -1;
	if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, timer))
		return -1;
	if (timer_settime(*timer, 0, &limit, NULL)) {
		timer_delete(*timer);
		return -1;
	}
	return 0;
}

static int demangle_cxx(const char *mangled, struct output *out)
{
	bool guard = strlen(mangled) > HARMLESS_BYTES;
	volatile int ok = 0;
	timer_t timer;

	if (guard && watchdog_start(&timer))
		return 0;
	if (!sigsetjmp(out->give_up, 1)) {
		watched = &out->give_up;
		ok = cplus_demangle_v3_callback(mangled, DMGL_PARAMS | DMGL_ANSI, append, out);
	}
	watched = NULL;
	/* A signal still pending is delivered to our handler before this call returns. */
	if (guard)
		timer_delete(timer);
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
	char *result = NULL;

	if (!mark || !is_identifier(mangled + 2, module_bytes) || !is_identifier(mark + 5, strlen(mark + 5)))
		return NULL;
	if (asprintf(&result, "%.*s::%s", (int)module_bytes, mangled + 2, mark + 5) < 0)
		return NULL;
	return result;
}

char *sp_demangle(const char *mangled)
{
	struct output out = {.capacity = OUTPUT_LIMIT_BYTES};
	char *result = NULL;
	int ok;

	if (mangled[0] == '_' && mangled[1] == '_' && strnlen(mangled, INPUT_LIMIT_BYTES + 1) <= INPUT_LIMIT_BYTES)
		return demangle_fortran(mangled);
	if (mangled[0] != '_' || (mangled[1] != 'Z' && mangled[1] != 'R'))
		return NULL;
	if (strnlen(mangled, INPUT_LIMIT_BYTES + 1) > INPUT_LIMIT_BYTES)
		return NULL;
	out.text = malloc(out.capacity);
	if (!out.text)
		return NULL;
	/* Old-style Rust names are C++ names too: the stricter test goes first. */
	ok = demangle_rust(mangled, &out);
	if (!ok) {
		out.used = 0;
		ok = demangle_cxx(mangled, &out);
	}
	if (ok && out.used) {
		out.text[out.used] = '\0';
		result = strdup(out.text);
	}
	free(out.text);
	return result;
}
