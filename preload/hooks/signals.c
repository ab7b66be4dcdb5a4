/* Signals: the profiling signal (SIGPROF, unless set) shared with the application, and signals that end the process. */
#include "preload/hooks/signals.h"

#include <signal.h>
#include <string.h>

#include "preload/export.h"
#include "preload/finish/finish.h"
#include "preload/finish/hold.h"
#include "preload/hooks/sigmask.h"
#include "preload/libc.h"
#include "preload/notes.h"
#include "preload/process.h"
#include "preload/real.h"
#include "sampler/clock/clock.h"
#include "sampler/cpu/sample.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"

/* A signal whose handler is ours while the application believes that `app` is in force. */
struct shared_signal {
	int signal;
	bool ours;
	uint32_t current;        /* atomic: which of the two is in force */
	struct sigaction app[2]; /* written alternately, so that a handler reads a whole one */
};

/* The first is the profiling signal, known once the constructor has run. */
#define SHARED_COUNT 4
static struct shared_signal shared[SHARED_COUNT];

#define NOTE_SIGNAL_BLOCKED \
	"the program was started with the profiling signal and those that could take its place blocked: its CPU time " \
	"is not sampled until it unblocks one and starts again"
#define NOTE_SIGNAL_TAKEN \
	"the program took the profiling signal for itself, past the C library's functions: CPU sampling has stopped " \
	"(SMARTPROF_SIGNAL names another signal)"

static struct shared_signal *find_shared(int signal)
{
	size_t i;

	for (i = 0; i < SHARED_COUNT; i++)
		if (shared[i].signal == signal)
			return &shared[i];
	return NULL;
}

static const struct sigaction *app_action(const struct shared_signal *s)
{
	return &s->app[__atomic_load_n(&s->current, __ATOMIC_ACQUIRE)];
}

static void set_app_action(struct shared_signal *s, const struct sigaction *action)
{
	uint32_t next = !sp_load(&s->current);

	s->app[next] = *action;
	__atomic_store_n(&s->current, next, __ATOMIC_RELEASE);
}

static bool is_handler(const struct sigaction *action)
{
	return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/* Dies of the signal as if no handler had been there. */
static void die_by(int signal)
{
	struct sigaction action;
	sigset_t set;

	memset(&action, 0, sizeof action);
	action.sa_handler = SIG_DFL;
	sp_libc_sigaction(signal, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, signal);
	sp_sys(SYS_tgkill, sp_sys(SYS_getpid), sp_sys(SYS_gettid), signal);
	sp_sys(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, NULL, 8);
}

static bool is_sent_by_another(const siginfo_t *info)
{
	return (info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE) &&
		info->si_pid != (int)sp_sys(SYS_getpid);
}

/* For a profiling signal that is not ours, what the application asked for happens. */
static __attribute__((noinline)) void pass_on(struct shared_signal *s, siginfo_t *info, ucontext_t *context)
{
	struct sigaction action = *app_action(s);
	sigset_t mask = context->uc_sigmask;

	if (action.sa_handler == SIG_IGN || (action.sa_handler == SIG_DFL && s->signal == SIGURG))
		return;
	if (action.sa_handler == SIG_DFL) {
		/* A tracer that has stopped a signal of ours on its way sends it on as its own. */
		if (!is_sent_by_another(info) && !sp_hold_takes(s->signal))
			die_by(s->signal);
		return;
	}
	if (action.sa_flags & SA_RESETHAND) {
		struct sigaction reset = {.sa_handler = SIG_DFL};
		set_app_action(s, &reset);
	}
	/* Our handler runs with everything blocked; the application's as it asked for. */
	sigorset(&mask, &mask, &action.sa_mask);
	if (!(action.sa_flags & SA_NODEFER))
		sigaddset(&mask, s->signal);
	sp_sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
	if (action.sa_flags & SA_SIGINFO)
		action.sa_sigaction(s->signal, info, context);
	else
		action.sa_handler(s->signal);
}

static void shut(void);

static SP_ALIGNS_STACK void on_shut(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	if (!sp_sample_signal(info, context))
		pass_on(&shared[0], info, context);
}

/* This handler may be entered again by our own signal, which is blocked only once there is none left that is
 * directed at the process: it would be handed to a sleeping thread. On an alternate stack it must be, since
 * the second entry would begin at the top of it as soon as the first has moved to the private stack. */
static SP_ALIGNS_STACK void on_open(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uint64_t ours = 1ull << (signal - 1);

	/* A first thread that never asked for such a stack has no flags at all here. */
	if (sp_unlikely(uc->uc_stack.ss_size && !(uc->uc_stack.ss_flags & SS_DISABLE))) {
		shut();
		sp_sys(SYS_rt_sigprocmask, SIG_BLOCK, &ours, NULL, 8);
	}
	on_shut(signal, info, context);
}

static SP_ALIGNS_STACK void on_ending(int signal, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	if (sp_hold_takes(signal))
		return; /* the process is ending already */
	if (!sp_agent.sealed && !sp_is_vfork_child())
		sp_finish(SP_EXIT_SIGNAL, signal);
	die_by(signal);
}

static bool is_one_of_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) &&
		(action->sa_sigaction == on_open || action->sa_sigaction == on_shut ||
			action->sa_sigaction == on_ending);
}

/* Puts our handler in place. The flags of the application's that change what system calls do are
 * taken over. */
static int install(struct shared_signal *s, int app_flags)
{
	struct sigaction action;
	int err;

	memset(&action, 0, sizeof action);
	sigfillset(&action.sa_mask); /* no handler of the application's on the private stack */
	action.sa_sigaction = s == &shared[0] ? on_shut : on_ending;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | (app_flags & SA_RESTART);
	if (!sp_load(&sp_agent.shut)) {
		sigdelset(&action.sa_mask, shared[0].signal);
		action.sa_flags |= s == &shared[0] ? SA_NODEFER : 0;
		action.sa_sigaction = s == &shared[0] ? on_open : on_ending;
	}
	err = sp_libc_sigaction(s->signal, &action, NULL);
	s->ours = err == 0;
	return err;
}

/* From now on no signal of ours is directed at the process, and our handler blocks its own: an alternate stack
 * or a handler of the application's for this signal do not go with being entered again. Any context. */
static void shut(void)
{
	struct sigaction now;
	size_t i;

	if (sp_agent.sealed || __atomic_exchange_n(&sp_agent.shut, 1, __ATOMIC_ACQ_REL))
		return;
	sp_sigmask_give_up_process();
	for (i = 0; i < SHARED_COUNT; i++)
		if (shared[i].ours && sp_libc_sigaction(shared[i].signal, NULL, &now) == 0 && is_one_of_ours(&now))
			install(&shared[i], now.sa_flags);
}

SP_EXPORT int sigaltstack(const stack_t *stack, stack_t *old)
{
	if (stack && !(stack->ss_flags & SS_DISABLE) && shared[0].ours && !sp_load(&sp_agent.shut) &&
		!sp_is_vfork_child())
		shut();
	return SP_REAL(sigaltstack)(stack, old);
}

/* Takes a signal over for sampling. */
static void take_over(int signal)
{
	struct sigaction before;

	if (sp_libc_sigaction(signal, NULL, &before) != 0)
		return;
	sp_agent.config.signal = signal;
	shared[0].signal = signal;
	set_app_action(&shared[0], &before);
	if (is_handler(&before))
		shut();
	install(&shared[0], SA_RESTART);
}

/* Another signal to sample with: nobody handles it and the calling thread does not block it. Neither is one that
 * programs wait for. 0: none. */
static int pick_free(void)
{
	static const int rarely_used[] = {SIGSTKFLT, SIGURG};
	struct sigaction now;
	uint64_t mask = 0;
	size_t i;

	if (sp_process.signal_is_asked)
		return 0;
	sp_sys(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8);
	for (i = 0; i < sizeof rarely_used / sizeof *rarely_used; i++)
		if (!(mask >> (rarely_used[i] - 1) & 1) && rarely_used[i] != shared[0].signal &&
			sp_libc_sigaction(rarely_used[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			return rarely_used[i];
	return 0;
}

bool sp_signals_init(void)
{
	bool blocked;
	int signal = 0;

	shared[1].signal = SIGINT;
	shared[2].signal = SIGTERM;
	shared[3].signal = SIGHUP;
	blocked = sp_thread_blocks_signal() && !(signal = pick_free());
	if (blocked)
		sp_note(NOTE_SIGNAL_BLOCKED);
	take_over(signal ? signal : sp_agent.config.signal);
	return !blocked;
}

void sp_signals_init_late(void)
{
	shut();
	take_over(sp_agent.config.signal);
}

/* The profiling signal is somebody else's now: it would run their handler. */
static void give_way(void)
{
	int signal = pick_free();

	sp_clock_arm_start(0);
	sp_clock_stop_all();
	shared[0].ours = false;
	if (!signal) {
		sp_note(NOTE_SIGNAL_TAKEN);
		return;
	}
	take_over(signal);
	sp_clock_resume_all();
	if (sp_agent_state() == SP_AGENT_DORMANT)
		sp_process_arm_start();
}

void sp_signals_after_fork(void)
{
	int signal;

	if (sp_clock_are_stopped() && (signal = pick_free())) {
		take_over(signal);
		sp_clock_resume_all();
	}
}

void sp_signals_look(void)
{
	struct shared_signal *s = &shared[0];
	struct sigaction now;

	if (!s->ours || sp_agent.sealed || sp_libc_sigaction(s->signal, NULL, &now) != 0 || is_one_of_ours(&now))
		return;
	if (is_handler(&now)) {
		give_way();
		return;
	}
	set_app_action(s, &now);
	install(s, SA_RESTART);
}

void sp_signals_look_at(int number)
{
	if (number == shared[0].signal && !sp_is_vfork_child())
		sp_signals_look();
}

void sp_signals_watch_fatal(void)
{
	struct sigaction before;
	size_t i;

	/* In the first process of a pid namespace the default action does nothing. */
	for (i = 1; i < SHARED_COUNT && sp_agent.pid != 1; i++) {
		if (shared[i].ours || sp_libc_sigaction(shared[i].signal, NULL, &before) != 0 ||
			before.sa_handler != SIG_DFL)
			continue;
		set_app_action(&shared[i], &before);
		install(&shared[i], SA_RESTART);
	}
}

/* Whether our handler is still there: the C library's sigset and the like go by us. */
static bool is_installed(struct shared_signal *s)
{
	struct sigaction now;

	s->ours = sp_libc_sigaction(s->signal, NULL, &now) == 0 && is_one_of_ours(&now);
	return s->ours;
}

/* An application's new action for a signal that we handle. */
static int change_shared(struct shared_signal *s, const struct sigaction *action, struct sigaction *old)
{
	struct sigaction before = *app_action(s);

	if (action) {
		if (s != &shared[0] && action->sa_handler != SIG_DFL) {
			if (SP_REAL(sigaction)(s->signal, action, NULL) != 0)
				return -1;
			s->ours = false;
		} else {
			if (is_handler(action))
				shut(); /* not on our private stack, and it blocks the signal itself */
			set_app_action(s, action);
			if (s == &shared[0])
				install(s, is_handler(action) ? action->sa_flags : SA_RESTART);
		}
	}
	if (old)
		*old = before;
	return 0;
}

SP_EXPORT int sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	struct shared_signal *s = find_shared(signal);
	int result;

	if (action)
		sp_sigmask_note_handler(action);
	if (sp_likely(!s) || sp_agent.sealed || sp_is_vfork_child())
		return SP_REAL(sigaction)(signal, action, old);
	if (s->ours && is_installed(s))
		return change_shared(s, action, old);
	result = SP_REAL(sigaction)(signal, action, old);
	/* The application has gone back to the default action: we watch the signal again. */
	if (result == 0 && action && action->sa_handler == SIG_DFL && sp_agent.has_spool)
		sp_signals_watch_fatal();
	return result;
}

void sp_signals_before_exec(bool back)
{
	struct shared_signal *s = &shared[0];
	struct sigaction ignore;

	if (!s->ours || app_action(s)->sa_handler != SIG_IGN)
		return;
	memset(&ignore, 0, sizeof ignore);
	ignore.sa_handler = SIG_IGN;
	if (back)
		install(s, SA_RESTART);
	else
		sp_libc_sigaction(s->signal, &ignore, NULL);
}

static void (*change_simply(int signal, void (*handler)(int), int flags))(int)
{
	struct sigaction action, old;

	memset(&action, 0, sizeof action);
	action.sa_handler = handler;
	action.sa_flags = flags;
	sigemptyset(&action.sa_mask);
	if (!(flags & SA_RESETHAND))
		sigaddset(&action.sa_mask, signal);
	return sigaction(signal, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

SP_EXPORT void (*signal(int number, void (*handler)(int)))(int)
{
	if (sp_likely(!find_shared(number)))
		return SP_REAL(signal)(number, handler);
	return change_simply(number, handler, SA_RESTART);
}

SP_EXPORT void (*bsd_signal(int number, void (*handler)(int)))(int) __attribute__((alias("signal"), nothrow, leaf));
SP_EXPORT void (*ssignal(int number, void (*handler)(int)))(int) __attribute__((alias("signal"), nothrow, leaf));

SP_EXPORT void (*sysv_signal(int number, void (*handler)(int)))(int)
{
	if (sp_likely(!find_shared(number)))
		return SP_REAL(sysv_signal)(number, handler);
	return change_simply(number, handler, SA_RESETHAND | SA_NODEFER);
}

SP_EXPORT void (*__sysv_signal(int number, void (*handler)(int)))(int)
	__attribute__((alias("sysv_signal"), nothrow, leaf));
