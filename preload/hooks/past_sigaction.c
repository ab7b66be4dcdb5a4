/* Functions that change what a signal does from inside the C library, past its sigaction and ours. */
#include <signal.h>
#include <sys/profil.h>
#include <sys/time.h>

#include "preload/export.h"
#include "preload/hooks/signals.h"
#include "preload/real.h"

SP_EXPORT void (*sigset(int number, void (*handler)(int)))(int)
{
	void (*before)(int) = SP_REAL(sigset)(number, handler);

	sp_signals_look_at(number);
	return before;
}

SP_EXPORT int sigignore(int number)
{
	int result = SP_REAL(sigignore)(number);

	sp_signals_look_at(number);
	return result;
}

SP_EXPORT int profil(unsigned short *buffer, size_t size, size_t offset, unsigned scale)
{
	int result = SP_REAL(profil)(buffer, size, offset, scale);

	sp_signals_look_at(SIGPROF);
	return result;
}

SP_EXPORT int sprofil(struct prof *parts, int count, struct timeval *resolution, unsigned flags)
{
	int result = SP_REAL(sprofil)(parts, count, resolution, flags);

	sp_signals_look_at(SIGPROF);
	return result;
}

SP_EXPORT void __monstartup(unsigned long low, unsigned long high)
{
	SP_REAL(__monstartup)(low, high);
	sp_signals_look_at(SIGPROF);
}

SP_EXPORT void monstartup(unsigned long low, unsigned long high) __attribute__((alias("__monstartup"), nothrow));

SP_EXPORT void moncontrol(int on)
{
	SP_REAL(moncontrol)(on);
	sp_signals_look_at(SIGPROF);
}
