{{/* The operator image as the one container of a pod without its metadata. Dict: root, serviceAccount, container (YAML), pod (YAML),
volumes and volumeMounts (lists) when there are more. */}}
{{- define "taskgroup.operatorPod" -}}
{{- $values := .root.Values -}}
serviceAccountName: {{ .serviceAccount }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml $values.podSecurityContext | nindent 2 }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{ .pod }}
containers:
  - name: {{ .name }}
    image: {{ include "taskgroup.operatorImage" .root | quote }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    securityContext: {{- toYaml $values.securityContext | nindent 6 }}
    resources: {{- toYaml $values.resources | nindent 6 }}
    terminationMessagePolicy: FallbackToLogsOnError
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- with .volumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- .container | nindent 4 }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
  {{- with .volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Where the operator and the uninstall Job find themselves and the TaskGroups. */}}
{{- define "taskgroup.scopeEnv" -}}
- name: TASKGROUP_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: TASKGROUP_POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: TASKGROUP_WATCH_NAMESPACES
  value: {{ .Values.watchNamespaces | join "," | quote }}
{{- end }}
