{{/* The pod of Redis; its last key is the list of volumes, to which the StatefulSet adds the one named data. */}}
{{- define "taskgroup.redis.pod" -}}
{{- $redis := .Values.redis -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 30
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml $redis.podSecurityContext | nindent 2 }}
{{- with $redis.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $redis.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $redis.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $redis.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
containers:
  - name: redis
    image: {{ include "taskgroup.image" (dict "image" $redis.image) | quote }}
    imagePullPolicy: {{ $redis.image.pullPolicy }}
    command: [sh, -ec]
    args:
      - |
        {{- include "taskgroup.redis.start" . | nindent 8 }}
    env:
      - name: REDISCLI_AUTH
        valueFrom: {secretKeyRef: {name: {{ include "taskgroup.redis.name" . }}, key: password}}
    ports:
      - {name: redis, containerPort: 6379}
    # Whatever it answers, it is alive: LOADING (it reads a long file), MISCONF (its disk is full), BUSY (a script runs). To
    # kill it then would lose time or data.
    livenessProbe:
      exec: {command: [sh, -c, '[ -n "$(redis-cli ping 2> /dev/null)" ]']}
      initialDelaySeconds: 10
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    # Without an address its clients would see a refused connection instead of MISCONF or BUSY.
    readinessProbe:
      exec: {command: [sh, -c, 'case "$(redis-cli ping 2> /dev/null)" in ""|*LOADING*) exit 1 ;; esac']}
      periodSeconds: 3
      timeoutSeconds: 5
    securityContext: {{- toYaml $redis.securityContext | nindent 6 }}
    resources: {{- toYaml $redis.resources | nindent 6 }}
    volumeMounts:
      - {name: data, mountPath: /data}
      - {name: config, mountPath: /etc/redis, readOnly: true}
      - {name: run, mountPath: /run/redis}
  {{- if $redis.exporter.enabled }}
  {{- include "taskgroup.redis.exporter" . | nindent 2 }}
  {{- end }}
volumes:
  - name: config
    configMap: {name: {{ include "taskgroup.redis.name" . }}}
  - name: run
    emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
