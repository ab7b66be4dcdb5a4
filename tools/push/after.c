/* What happens to a profile that has just been written: into the outbox, and a process of its own sends it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env/env.h"
#include "symbolize/base/memory.h"
#include "tools/push/send.h"
#include "tools/tools.h"

const char *sp_push_setting(int option)
{
	struct sp_value value;

	sp_value_load(&value, (enum sp_option)option, environ, sp_settings_file());
	return value.text && *value.text ? value.text : NULL;
}

/* The sender that comes later may stand elsewhere. */
static char *path_of(enum sp_option option)
{
	const char *text = sp_push_setting(option);
	char path[PATH_MAX];

	return text ? sp_copy_text(sp_absolute(path, text) ? path : text) : NULL;
}

void sp_push_settings_add(struct sp_outbox_entry *entry)
{
	const char *labels = sp_push_setting(SP_OPT_PUSH_LABELS), *why;

	if (labels)
		sp_push_labels_parse(&entry->labels, labels, &why);
	if (!entry->token_file)
		entry->token_file = path_of(SP_OPT_PUSH_TOKEN_FILE);
	if (!entry->ca_file)
		entry->ca_file = path_of(SP_OPT_PUSH_CA_FILE);
	sp_push_labels_add_host(&entry->labels);
}

const char *sp_push_setting_objection(int option, const char *value)
{
	struct sp_push_labels labels = {0};
	struct sp_push_target target;
	const char *why = NULL;
	bool fine = true;

	if (option == SP_OPT_PUSH)
		fine = sp_push_target_parse(&target, value, &why);
	else if (option == SP_OPT_PUSH_LABELS)
		fine = sp_push_labels_parse(&labels, value, &why);
	sp_push_labels_free(&labels);
	return fine ? NULL : why;
}

static bool noted; /* something that no sender has been started for */

/* Once is enough. */
static void complain(const char *what, const char *why)
{
	static bool said;

	if (!said)
		sp_complain("push: %s: %s; the profile is not sent", what, why);
	said = true;
}

void sp_push_note_text(const struct sp_buffer *markdown)
{
	const char *to = sp_push_setting(SP_OPT_PUSH), *why;
	struct sp_outbox_entry entry = {0};
	struct sp_push_target target;
	struct sp_outbox box;
	int err;

	if (!to)
		return;
	if (!sp_push_target_parse(&target, to, &why)) {
		complain(sp_option_rows[SP_OPT_PUSH].variable, why);
		return;
	}
	entry.target = sp_copy_text(target.text);
	sp_push_settings_add(&entry);
	err = sp_outbox_open(&box, true, &why);
	if (!err) {
		entry.markdown = *markdown;
		err = sp_outbox_put(&box, &entry);
		entry.markdown = (struct sp_buffer){0};
		why = err ? strerror(-err) : NULL;
	}
	if (err)
		complain(box.path, why);
	noted |= !err;
	sp_outbox_close(&box);
	sp_outbox_entry_free(&entry);
}

void sp_push_note(const char *path)
{
	struct sp_buffer text = {0};

	if (!*path || !sp_push_setting(SP_OPT_PUSH))
		return;
	if (sp_input_read(path, &text) == 0)
		sp_push_note_text(&text);
	sp_buffer_free(&text);
}

/* A grandchild, in a session of its own: nobody has to wait for it, and what ends a terminal or a job does not end it. */
static void become_sender(void)
{
	char *const argv[] = {"smartprof", "send-outbox", NULL};
	sigset_t none;
	int null;

	setsid();
	if (fork() != 0)
		_exit(0);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	close_range(3, ~0u, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setenv("SMARTPROF_ENABLED", "0", 1);
	unsetenv("LD_PRELOAD");
	execv("/proc/self/exe", argv);
	_exit(127);
}

void sp_push_start(void)
{
	pid_t child;

	if (!noted)
		return;
	noted = false;
	fflush(NULL);
	child = fork();
	if (child == 0)
		become_sender();
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

int sp_cmd_send_outbox(int argc, char **argv)
{
	const char *named = sp_push_setting(SP_OPT_PUSH), *why;
	struct sp_push_sender sender = {.timeout_ms = SP_PUSH_HURRIED_MS, .named = named};
	struct sp_push_flushed flushed;
	struct sp_outbox box;

	(void)argc;
	(void)argv;
	sp_limit_reading();
	if (sp_outbox_open(&box, false, &why) < 0)
		return 1;
	sp_push_flush(&box, &sender, NULL, false, false, &flushed);
	sp_push_sender_close(&sender);
	sp_outbox_close(&box);
	return 0;
}
