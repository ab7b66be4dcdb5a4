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

#if defined(__x86_64__)
	__asm__("leaq otel_thread_ctx_v1@tlsdesc(%%rip), %%rax\n\t"
		"call *otel_thread_ctx_v1@tlscall(%%rax)\n\t"
		"addq %%fs:0, %%rax"
		: "=a"(pointer)
		:
		: "cc");
#elif defined(__aarch64__)
	__asm__("adrp x0, :tlsdesc:otel_thread_ctx_v1\n\tldr x1, [x0, #:tlsdesc_lo12:otel_thread_ctx_v1]\n\t"
		"add x0, x0, #:tlsdesc_lo12:otel_thread_ctx_v1\n\t.tlsdesccall otel_thread_ctx_v1\n\tblr x1\n\t"
		"mrs x1, tpidr_el0\n\tadd %0, x1, x0"
		: "=r"(pointer)
		:
		: "x0", "x1", "x30", "cc");
#endif
	return pointer;
}
