/* Found by its bare name only, through the RUNPATH of runpath_host. */
int runpath_answer(void);

int runpath_answer(void)
{
	return 42;
}
