/* What an OpenTelemetry SDK exports for profilers. */
__attribute__((visibility("default"))) __thread void *otel_thread_ctx_v1;

void **traced_slot(void)
{
	return &otel_thread_ctx_v1;
}
