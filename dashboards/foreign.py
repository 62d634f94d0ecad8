"""Metrics that others expose: redis_exporter beside the embedded Redis, and Python's Prometheus client of its process.

The names are those of the releases that the tests run; a dashboard may name no metric that is neither here nor ours.
"""

from taskgroup.serve.metrics.definitions import Kind, Metric


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


UP = _gauge("up", "1 when Prometheus could read the target.")

# The operator's process

MEMORY = _gauge("process_resident_memory_bytes", "Memory of the process.")
CPU = _counter("process_cpu_seconds_total", "Processor time of the process.")
OPEN_FILES = _gauge("process_open_fds", "Open files and connections of the process.")
MAX_FILES = _gauge("process_max_fds", "How many files and connections the process may have open.")
PROCESS_START = _gauge("process_start_time_seconds", "When the process started.")

# redis_exporter

REDIS_UP = _gauge("redis_up", "1 when the exporter could ask Redis.")
REDIS_UPTIME = _gauge("redis_uptime_in_seconds", "Since when Redis runs.")
REDIS_MEMORY = _gauge("redis_memory_used_bytes", "Memory that Redis has taken for data.")
REDIS_MEMORY_MAX = _gauge("redis_memory_max_bytes", "maxmemory; 0 means that there is no limit.")
REDIS_FRAGMENTATION = _gauge("redis_mem_fragmentation_ratio", "Resident memory divided by memory in use.")
REDIS_EVICTED = _counter("redis_evicted_keys_total", "Keys that Redis removed for lack of memory.")
REDIS_EXPIRED = _counter("redis_expired_keys_total", "Keys whose time was over.")
REDIS_CLIENTS = _gauge("redis_connected_clients", "Open connections of clients.")
REDIS_BLOCKED = _gauge("redis_blocked_clients", "Clients that wait in a blocking call, as idle workers do.")
REDIS_REJECTED = _counter("redis_rejected_connections_total", "Connections refused because of maxclients.")
REDIS_COMMANDS = _counter("redis_commands_processed_total", "Commands that Redis has processed.")
REDIS_COMMAND_CALLS = _counter("redis_commands_total", "Calls of each command.", "cmd")
REDIS_COMMAND_SECONDS = _counter("redis_commands_duration_seconds_total", "Time spent in each command.", "cmd")
REDIS_KEYS = _gauge("redis_db_keys", "Keys of each database.", "db")
REDIS_INPUT = _counter("redis_net_input_bytes_total", "Bytes that Redis received.")
REDIS_OUTPUT = _counter("redis_net_output_bytes_total", "Bytes that Redis sent.")
REDIS_SAVED = _gauge("redis_rdb_last_save_timestamp_seconds", "When Redis last saved a snapshot.")
REDIS_UNSAVED = _gauge("redis_rdb_changes_since_last_save", "Changes since the last snapshot.")
