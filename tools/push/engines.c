/* The table of engines, and what each takes unless it was told otherwise. */
#include "tools/push/engine.h"

/* grafana.com/docs/pyroscope, limits: those of a tenant that has none of its own. Names beyond 30 and longer values fail the whole
 * profile. */
#define PYROSCOPE_LIMITS \
	{ \
		.bytes_most = 4194304, .stacks_most = 16000, .old_most_s = 3600, \
		.old_setting = "-validation.reject-older-than", .labels_most = 30, .name_most = 1024, \
		.value_most = 2048 \
	}

static const struct sp_push_engine engines[] = {
	{.name = "clickhouse",
		.what = "ClickHouse: rows of stacks and samples, for smartprof fleet",
		.pack = sp_push_clickhouse,
		.init = sp_push_clickhouse_init},
	{.name = "pyroscope",
		.what = "Grafana Pyroscope: pprof by its push API",
		.pack = sp_push_pyroscope,
		.limits = PYROSCOPE_LIMITS},
	{.name = "parca", .what = "Parca: pprof by WriteRaw", .pack = sp_push_parca},
	{.name = "otlp",
		.what = "OpenTelemetry: OTLP profiles (v1development), protobuf over HTTP",
		.pack = sp_push_otlp,
		.check = sp_push_otlp_check},
	{.name = "pushgateway",
		.what = "Prometheus Pushgateway: figures of the newest profile",
		.tells_health = true,
		.pack = sp_push_pushgateway},
	{.name = "victoria",
		.what = "VictoriaMetrics: figures with their times, by its import of text",
		.tells_health = true,
		.pack = sp_push_victoria},
	{.name = "prometheus-textfile",
		.what = "a directory of node_exporter's textfile collector: figures of the newest profile",
		.is_directory = true,
		.tells_health = true,
		.pack = sp_push_textfile},
};

const struct sp_push_engine *sp_push_engine(size_t index)
{
	return index < sizeof(engines) / sizeof(engines[0]) ? &engines[index] : NULL;
}
