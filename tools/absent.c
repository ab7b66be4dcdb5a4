/* Commands that rest on registers and system calls of x86-64, where the processor is another one. */
#include "tools/tools.h"

static int refuse(const char *command)
{
	sp_complain("%s: this command is there on x86-64 only", command);
	return SP_EXIT_USAGE;
}

int sp_cmd_attach(int argc, char **argv)
{
	(void)argc, (void)argv;
	return refuse("attach");
}

int sp_cmd_detach(int argc, char **argv)
{
	(void)argc, (void)argv;
	return refuse("detach");
}

int sp_cmd_where(int argc, char **argv)
{
	(void)argc, (void)argv;
	return refuse("where");
}
