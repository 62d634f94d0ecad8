{{/* Not empty when a scrape needs a token. */}}
{{- define "taskgroup.metrics.isSecure" -}}
{{- $secure := .Values.metrics.secure -}}
{{- if and $secure.certificateSecret (not $secure.enabled) -}}
{{- fail "metrics.secure.certificateSecret has no effect while metrics.secure.enabled is false: set metrics.secure.enabled=true, or leave it empty." -}}
{{- end -}}
{{- if and .Values.metrics.enabled $secure.enabled }}true{{ end -}}
{{- end }}

{{/* Name of the certificate's Secret; empty when there is no TLS. */}}
{{- define "taskgroup.metrics.certificate" -}}
{{- if include "taskgroup.metrics.isSecure" . }}{{ .Values.metrics.secure.certificateSecret }}{{ end -}}
{{- end }}

{{- define "taskgroup.metrics.certificateFolder" -}}/etc/taskgroup/metrics{{- end }}

{{- define "taskgroup.metrics.secureEnv" -}}
{{- if include "taskgroup.metrics.isSecure" . -}}
- name: TASKGROUP_METRICS_SECURE
  value: "true"
{{- if include "taskgroup.metrics.certificate" . }}
- name: TASKGROUP_METRICS_CERTIFICATES
  value: {{ include "taskgroup.metrics.certificateFolder" . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The certificate as a list of volumes of the operator's pod, and of mounts of its container; the kubelet writes renewed files. */}}
{{- define "taskgroup.metrics.volumes" -}}
{{- with include "taskgroup.metrics.certificate" . -}}
- name: metrics-certificate
  secret:
    secretName: {{ . }}
    items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
{{- end }}
{{- end }}

{{- define "taskgroup.metrics.volumeMounts" -}}
{{- if include "taskgroup.metrics.certificate" . -}}
- {name: metrics-certificate, mountPath: {{ include "taskgroup.metrics.certificateFolder" . }}, readOnly: true}
{{- end }}
{{- end }}

{{/* What a monitor says of the operator's endpoint alone: the exporter beside Redis knows no tokens. */}}
{{- define "taskgroup.metrics.secureEndpoint" -}}
{{- $monitor := .Values.metrics.secure.monitor -}}
{{- if and (include "taskgroup.metrics.isSecure" .) $monitor.tokenSecret.name -}}
authorization:
  type: Bearer
  credentials: {name: {{ $monitor.tokenSecret.name }}, key: {{ $monitor.tokenSecret.key }}}
{{- end }}
{{- if include "taskgroup.metrics.certificate" . }}
scheme: https
tlsConfig:
  # Prometheus connects to the pod's address, which no certificate names.
  serverName: {{ default (printf "%s.%s.svc" (include "taskgroup.metrics.name" .) .Release.Namespace) $monitor.serverName }}
  {{- with $monitor.authoritySecret }}
  {{- if .name }}
  ca: {secret: {name: {{ .name }}, key: {{ .key }}}}
  {{- end }}
  {{- end }}
{{- end }}
{{- end }}
