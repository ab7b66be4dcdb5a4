/* libsmartprof-context.so: the thread-local pointer by which others find the span that a thread is in (OpenTelemetry's thread
 * context, OTEP 4947). A library by itself, which the agent opens only when it is asked for: were the symbol the agent's,
 * which is preloaded, the loader would take it in place of an SDK's. The agent writes to it, see sampler/spans/context.h. */

extern __thread void *otel_thread_ctx_v1;
__attribute__((visibility("default"))) __thread void *otel_thread_ctx_v1;

/* Its address, by a TLS descriptor: readers look for the relocation of one. In assembly because not every compiler has
 * the dialect. */
__attribute__((visibility("default"))) void **smartprof_thread_context(void)
{
	void **pointer;

	__asm__("leaq otel_thread_ctx_v1@tlsdesc(%%rip), %%rax\n\t"
		"call *otel_thread_ctx_v1@tlscall(%%rax)\n\t"
		"addq %%fs:0, %%rax"
		: "=a"(pointer)
		:
		: "cc");
	return pointer;
}
