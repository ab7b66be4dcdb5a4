/* Thread-local storage that is allocated at its first use. Loaded many times, as copies. */
static __thread char storage[256];

char *plugin_storage(void);

char *plugin_storage(void)
{
	return storage;
}
