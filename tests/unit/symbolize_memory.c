/* Running out of memory ends the command with one line, in whatever thread, and however many threads meet it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "symbolize/base/memory.h"

#define THREADS 8

static pthread_barrier_t together;

static void *ask_for_too_much(void *unused)
{
	char *array = NULL;
	size_t capacity = 0;

	pthread_barrier_wait(&together);
	sp_grow(&array, &capacity, SIZE_MAX / 2 + 2, 2);
	return unused;
}

static _Noreturn void run_out(int fd)
{
	pthread_t threads[THREADS];

	dup2(fd, STDERR_FILENO);
	sp_memory_set_failure(7, "out of memory, as was to be shown");
	pthread_barrier_init(&together, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, ask_for_too_much, NULL);
	pthread_join(threads[0], NULL);
	_exit(0);
}

static void ends_with_one_line(void **state)
{
	char text[256] = "";
	int ends[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid)
		run_out(ends[1]);
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	close(ends[0]);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_string_equal(text, "smartprof: out of memory, as was to be shown\n");
}

static void copies_and_prints(void **state)
{
	char *copy = sp_copy_text("text"), *printed = sp_text("%s %d", copy, 5);

	(void)state;
	assert_string_equal(printed, "text 5");
	free(copy);
	free(printed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_with_one_line),
		cmocka_unit_test(copies_and_prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
