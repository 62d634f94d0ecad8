{{/* One paragraph for each choice that a later surprise could come from. */}}
{{- define "taskgroup.warnings" -}}
{{- $redis := .Values.redis -}}
{{- if not (include "taskgroup.broker.secret" .) }}

WARNING: there is no default broker (redis.enabled is false and broker.existingSecret is empty): every TaskGroup needs spec.broker, and `helm test` has nothing to run.
{{- end }}
{{- if and $redis.enabled (not $redis.persistence.enabled) }}

WARNING: redis.persistence.enabled is false: when the Redis pod is replaced, queues and results are lost, and running groups dispatch again what had not ended.
{{- end }}
{{- if and (not .Values.imageRegistry) (not (contains "/" .Values.image.repository)) }}

WARNING: imageRegistry is empty: the node must already hold {{ include "taskgroup.operatorImage" . }}. Push the image to a registry of yours and set imageRegistry.
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.brokers) (not $redis.enabled) }}

WARNING: networkPolicy.enabled is true, redis.enabled is false and networkPolicy.brokers is empty: the operator reaches no broker.
{{- end }}
{{- if include "taskgroup.metrics.isSecure" . }}
{{- $secure := .Values.metrics.secure }}
{{- if not $secure.certificateSecret }}

WARNING: metrics.secure.certificateSecret is empty: tokens for /metrics go over plain HTTP, and whoever sees the traffic can use them.
{{- end }}
{{- if and (or .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled) (not $secure.monitor.tokenSecret.name) }}

WARNING: metrics.secure.monitor.tokenSecret.name is empty: the operator refuses every scrape of the monitor, unless a scrapeClass of Prometheus brings a token.
{{- end }}
{{- end }}
{{- if not .Values.crds.keep }}

WARNING: crds.keep is false: `helm uninstall` deletes every TaskGroup of the cluster.
{{- end }}
{{- if not .Values.uninstallHook.enabled }}

WARNING: uninstallHook.enabled is false: delete all TaskGroups before `helm uninstall`, or they stay in deletion until an operator runs again.
{{- end }}
{{- end }}
