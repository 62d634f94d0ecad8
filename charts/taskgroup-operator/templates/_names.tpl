{{/* At most 46 characters: a StatefulSet's name, here <fullname>-redis, may have 52. */}}
{{- define "taskgroup.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 46 | trimSuffix "-" -}}
{{- end }}

{{- define "taskgroup.redis.name" -}}{{ include "taskgroup.fullname" . }}-redis{{- end }}
{{- define "taskgroup.metrics.name" -}}{{ include "taskgroup.fullname" . }}-metrics{{- end }}
{{- define "taskgroup.uninstall.name" -}}{{ include "taskgroup.fullname" . }}-uninstall{{- end }}
{{- define "taskgroup.test.name" -}}{{ include "taskgroup.fullname" . }}-test{{- end }}

{{- define "taskgroup.serviceAccountName" -}}
{{- default (ternary (include "taskgroup.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end }}

{{/* Dict: root, component. */}}
{{- define "taskgroup.selectorLabels" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Dict: root, component. */}}
{{- define "taskgroup.labels" -}}
{{ include "taskgroup.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: taskgroup
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Without versions, so that an upgrade of the chart alone replaces no pod. Dict: root, component. */}}
{{- define "taskgroup.podLabels" -}}
{{ include "taskgroup.selectorLabels" . }}
app.kubernetes.io/part-of: taskgroup
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Dict: image (repository, tag, digest), tag (default), registry. */}}
{{- define "taskgroup.image" -}}
{{- $repository := .image.repository -}}
{{- with .registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}{{ end -}}
{{- if .image.digest -}}
{{ $repository }}@{{ .image.digest }}
{{- else -}}
{{ $repository }}:{{ default .tag .image.tag }}
{{- end -}}
{{- end }}

{{- define "taskgroup.operatorImage" -}}
{{ include "taskgroup.image" (dict "image" .Values.image "tag" .Chart.AppVersion "registry" .Values.imageRegistry) }}
{{- end }}

{{- define "taskgroup.workerImage" -}}
{{ include "taskgroup.image" (dict "image" .Values.workerImage "tag" .Chart.AppVersion "registry" .Values.imageRegistry) }}
{{- end }}
