{{/* The operator's objects have one name, whatever the release's: its Lease and roles are found by it. */}}
{{- define "operator.name" -}}smartcourse-operator{{- end }}

{{- define "operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "operator.labels" -}}
{{ include "operator.selectorLabels" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: smartcourse
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "operator.metadata" -}}
name: {{ include "operator.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "operator.labels" . | nindent 2 }}
{{- end }}

{{/* The rules of the generated role of a kind. (root, ClusterRole or Role) */}}
{{- define "operator.rules" -}}
{{- $kind := index . 1 -}}
{{- range ((index . 0).Files.Get "files/rbac.yaml" | fromYaml).items -}}
{{- if eq .kind $kind }}{{ toYaml .rules }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "operator.name" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
