{{/* Metadata of a policy. Dict: root, component, name, namespace. */}}
{{- define "taskgroup.policy.head" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels: {{- include "taskgroup.labels" . | nindent 4 }}
{{- end }}

{{/* The pods of a component as a peer in the release's namespace. Dict: root, component. */}}
{{- define "taskgroup.policy.pods" -}}
podSelector:
  matchLabels: {{- include "taskgroup.selectorLabels" . | nindent 4 }}
{{- end }}

{{/* Every worker pod carries the uid of its TaskGroup. */}}
{{- define "taskgroup.policy.workers" -}}
podSelector:
  matchExpressions: [{key: taskgroups.dev/uid, operator: Exists}]
{{- end }}

{{/* A pod that reads the items of a TaskGroup is no worker: it carries that uid under another label. */}}
{{- define "taskgroup.policy.readers" -}}
podSelector:
  matchExpressions: [{key: taskgroups.dev/items-of, operator: Exists}]
{{- end }}

{{/* A rule for some ports. Dict: ports, protocols, side (from or to), peers (empty: all). */}}
{{- define "taskgroup.policy.rule" -}}
{{- $protocols := .protocols -}}
- ports:
    {{- range $port := .ports }}
    {{- range $protocols }}
    - {protocol: {{ . }}, port: {{ $port }}}
    {{- end }}
    {{- end }}
  {{- with .peers }}
  {{ $.side }}: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Namespaces in which the chart knows that workers run. */}}
{{- define "taskgroup.policy.namespaces" -}}
{{ prepend .Values.redis.namespaces .Release.Namespace | uniq | toJson }}
{{- end }}
