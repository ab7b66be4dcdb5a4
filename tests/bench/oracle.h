/* Shared by oracle.c, which compares, and oracle_points.c, which chooses where. */
#ifndef SP_TESTS_BENCH_ORACLE_H
#define SP_TESTS_BENCH_ORACLE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#define ORACLE_SIGNAL (SIGRTMIN + 12)

bool oracle_is_wanted(uint64_t ip);

/* Whether it was wanted, and has been compared. */
bool oracle_compare(ucontext_t *context);

bool oracle_is_done(void);
void oracle_end(void);

/* As the C library does it, whoever else wants the signal; all others are blocked meanwhile but for faults. */
void oracle_handle(int number, void (*handler)(int, siginfo_t *, void *));

void oracle_points_begin(void);

#endif
