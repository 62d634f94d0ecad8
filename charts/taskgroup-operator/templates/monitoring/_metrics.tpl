{{/* Port 0: not served. */}}
{{- define "taskgroup.metrics.env" -}}
{{- $metrics := .Values.metrics -}}
{{- if and $metrics.enabled (eq (int $metrics.port) (int .Values.health.port)) -}}
{{- fail "metrics.port and health.port are the same: two servers cannot share a port." -}}
{{- end -}}
- name: TASKGROUP_METRICS_ADDRESS
  value: {{ $metrics.address | quote }}
- name: TASKGROUP_METRICS_PORT
  value: {{ ternary $metrics.port 0 $metrics.enabled | int | quote }}
- name: TASKGROUP_METRICS_KEEP_SECONDS
  value: {{ $metrics.keepSeconds | int | quote }}
- name: TASKGROUP_METRICS_MAX_GROUPS
  value: {{ $metrics.maxGroups | int | quote }}
{{- with include "taskgroup.metrics.secureEnv" . }}
{{ . }}
{{- end }}
{{- end }}

{{/* Fails on a choice of monitors that would scrape nothing, or everything twice. */}}
{{- define "taskgroup.metrics.checkMonitors" -}}
{{- $metrics := .Values.metrics -}}
{{- if and $metrics.serviceMonitor.enabled $metrics.podMonitor.enabled -}}
{{- fail "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled are both true: every series would be there twice; choose one." -}}
{{- end -}}
{{- if and (or $metrics.serviceMonitor.enabled $metrics.podMonitor.enabled) (not (include "taskgroup.metrics.targets" .)) -}}
{{- fail "a monitor is enabled and metrics.enabled is false: there is nothing to scrape; set metrics.enabled=true." -}}
{{- end -}}
{{- end }}

{{/*
What is scraped: name of Service and monitor, component of the Service and of the pods, port. Nothing else of the chart has a
component of the first kind, so that a monitor selects one Service.
*/}}
{{- define "taskgroup.metrics.targets" -}}
{{- if .Values.metrics.enabled }}
- {name: {{ include "taskgroup.metrics.name" . }}, service: operator, pods: operator, port: {{ .Values.metrics.port }}}
{{- end }}
{{- if and .Values.redis.enabled .Values.redis.exporter.enabled }}
- {name: {{ include "taskgroup.redis.name" . }}-metrics, service: redis-metrics, pods: redis, port: 9121}
{{- end }}
{{- end }}

{{/* Metadata of a monitor. Dict: root, component, name, monitor (its values). */}}
{{- define "taskgroup.monitor.metadata" -}}
name: {{ .name }}
namespace: {{ default .root.Release.Namespace .monitor.namespace }}
labels:
  {{- include "taskgroup.labels" . | nindent 2 }}
  {{- with .monitor.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* What a monitor says of a port named metrics. Dict: root, target, monitor, relabelings (those of the chart). */}}
{{- define "taskgroup.monitor.endpoint" -}}
port: metrics
path: /metrics
honorLabels: {{ .monitor.honorLabels }}
{{- if eq .target.pods "operator" }}
{{- with include "taskgroup.metrics.secureEndpoint" .root | trim }}
{{ . }}
{{- end }}
{{- end }}
{{- with .monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with .monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with concat .relabelings .monitor.relabelings }}
relabelings: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
