{{/* Rules of the operator where TaskGroups live: what it uses, and nothing else; a test compares them with what it asked for. */}}
{{- define "taskgroup.operatorRules" -}}
- apiGroups: [taskgroups.dev]
  resources: [taskgroups]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [taskgroups.dev]
  resources: [taskgroups/status]
  verbs: [patch]
- apiGroups: [taskgroups.dev]
  resources: [taskgroupledgers]
  verbs: [get, create, update]
# create: server-side apply makes the object, too.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# patch: the deletion cost that steers a scale-down to idle workers. delete: a worker that an outage of the broker has left
# deaf, and all workers at once in a namespace that goes. create: a pod that reads the items of spec.itemsFrom.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}

{{/* What the operator reads of the cluster itself. It looks for the namespaces of a list, and needs no list of all. */}}
{{- define "taskgroup.discoveryRules" -}}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get{{ if .Values.watchNamespaces }}, list, watch{{ end }}]
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
{{- end }}

{{/* Whose a scrape's token is, and what its account may. Both are questions that belong to no namespace. */}}
{{- define "taskgroup.reviewRules" -}}
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}

{{- define "taskgroup.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, update]
{{- end }}

{{/* What the uninstall Job may do to the operator itself: stop it, and see that its pod is gone. */}}
{{- define "taskgroup.uninstallOwnRules" -}}
- apiGroups: [apps]
  resources: [deployments]
  resourceNames: [{{ include "taskgroup.fullname" . }}]
  verbs: [get, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
{{- end }}

{{- define "taskgroup.testRules" -}}
- apiGroups: [taskgroups.dev]
  resources: [taskgroups]
  verbs: [get, create, delete]
{{- end }}

{{/*
The same rules as one ClusterRole, or as a Role in each watched namespace, and the binding.
Dict: root, name, component, rules (YAML), serviceAccount, annotations (YAML or empty).
*/}}
{{- define "taskgroup.scopedRole" -}}
{{- $scope := . -}}
{{- if .root.Values.watchNamespaces }}
{{- range .root.Values.watchNamespaces }}
{{ include "taskgroup.role" (merge (dict "namespace" .) $scope) }}
{{- end }}
{{- else }}
{{ include "taskgroup.role" (merge (dict "namespace" "") $scope) }}
{{- end }}
{{- end }}

{{/* A Role and its binding, cluster-wide without a namespace. Dict: as scopedRole, and namespace. */}}
{{- define "taskgroup.role" -}}
{{- $kind := ternary "Role" "ClusterRole" (ne .namespace "") -}}
{{- /* Cluster-wide names carry the release's namespace: releases of the same name may live in several. */ -}}
{{- $name := ternary .name (printf "%s:%s" .name .root.Release.Namespace) (ne .namespace "") -}}
{{- $metadata := include "taskgroup.roleMetadata" (merge (dict "roleName" $name) .) -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
{{ $metadata }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
{{ $metadata }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ .serviceAccount }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{- define "taskgroup.roleMetadata" -}}
metadata:
  name: {{ .roleName }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- include "taskgroup.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
{{- end }}
