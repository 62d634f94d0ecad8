{{/* What the operator's container has besides the common part; begins with a newline so that it can be indented. */}}
{{- define "taskgroup.operatorContainer" }}
args: [operator]
ports:
  - {name: health, containerPort: {{ .Values.health.port }}}
  {{- if .Values.metrics.enabled }}
  - {name: metrics, containerPort: {{ .Values.metrics.port }}}
  {{- end }}
# A standby answers as a leader does: nobody is restarted for waiting.
startupProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
# Ready is who leads or could.
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 2
  timeoutSeconds: 5
env:
  {{- include "taskgroup.scopeEnv" . | nindent 2 }}
  - name: TASKGROUP_REDIS_SECRET
    value: {{ include "taskgroup.broker.secret" . | quote }}
  - name: TASKGROUP_REDIS_NAMESPACES
    value: {{ include "taskgroup.broker.namespaces" . | quote }}
  - name: TASKGROUP_READER_IMAGE
    value: {{ include "taskgroup.operatorImage" . | quote }}
  {{- with .Values.brokers.allowed }}
  - name: TASKGROUP_BROKERS_ALLOWED
    value: {{ join "," . | quote }}
  {{- end }}
  - name: TASKGROUP_LOG_LEVEL
    value: {{ .Values.logLevel }}
  - name: TASKGROUP_MAX_MESSAGE_BYTES
    value: {{ .Values.maxMessageBytes | int | quote }}
  - name: TASKGROUP_LEASE_NAME
    value: {{ include "taskgroup.fullname" . }}
  - name: TASKGROUP_LEASE_SECONDS
    value: {{ .Values.leaseSeconds | quote }}
  - name: TASKGROUP_WRITES_PER_SECOND
    value: {{ .Values.writesPerSecond | quote }}
  - name: TASKGROUP_HEALTH_ADDRESS
    value: {{ .Values.health.address | quote }}
  - name: TASKGROUP_HEALTH_PORT
    value: {{ .Values.health.port | quote }}
  {{- include "taskgroup.metrics.env" . | nindent 2 }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
