{{/* Name of the default broker's Secret; empty when there is no default broker. */}}
{{- define "taskgroup.broker.secret" -}}
{{- if and .Values.redis.enabled .Values.broker.existingSecret -}}
{{- fail "broker.existingSecret has no effect while redis.enabled is true: set redis.enabled=false, or leave broker.existingSecret empty." -}}
{{- end -}}
{{- if .Values.redis.enabled -}}
{{ include "taskgroup.redis.name" . }}
{{- else -}}
{{ .Values.broker.existingSecret }}
{{- end -}}
{{- end }}

{{/* Namespaces that may use the default broker, comma separated. */}}
{{- define "taskgroup.broker.namespaces" -}}
{{- if include "taskgroup.broker.secret" . -}}
{{ prepend .Values.redis.namespaces .Release.Namespace | uniq | join "," }}
{{- end -}}
{{- end }}

{{/* The value given, else the one that the cluster holds already, else a new one: a password must outlive upgrades. */}}
{{- define "taskgroup.redis.password" -}}
{{- $held := lookup "v1" "Secret" .Release.Namespace (include "taskgroup.redis.name" .) -}}
{{- if .Values.redis.password -}}
{{ .Values.redis.password }}
{{- else if and $held (dig "data" "password" "" $held) -}}
{{ $held.data.password | b64dec }}
{{- else -}}
{{ randAlphaNum 40 }}
{{- end -}}
{{- end }}
