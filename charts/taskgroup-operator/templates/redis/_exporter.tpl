{{/* It has no readiness probe: whether Redis is ready does not depend on who counts. */}}
{{- define "taskgroup.redis.exporter" -}}
{{- $exporter := .Values.redis.exporter -}}
- name: exporter
  image: {{ include "taskgroup.image" (dict "image" $exporter.image) | quote }}
  imagePullPolicy: {{ $exporter.image.pullPolicy }}
  env:
    - {name: REDIS_ADDR, value: "redis://127.0.0.1:6379"}
    - name: REDIS_PASSWORD
      valueFrom: {secretKeyRef: {name: {{ include "taskgroup.redis.name" . }}, key: password}}
  ports:
    - {name: metrics, containerPort: 9121}
  livenessProbe:
    httpGet: {path: /health, port: metrics}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  securityContext: {{- toYaml $exporter.securityContext | nindent 4 }}
  resources: {{- toYaml $exporter.resources | nindent 4 }}
{{- end }}
