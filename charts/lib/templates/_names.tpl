{{/*
Names, labels, images and Secrets.

Templates of this library take a list (root, component, ...) or a dict with `root` (the chart's own context) and
`component` (gateway, user, course, notification, postgres, mongodb, redis).
*/}}

{{- define "smartcourse.name" -}}
{{- $root := index . 0 }}{{ $root.Release.Name }}-{{ index . 1 }}
{{- end }}

{{/* What a selector selects by: never anything that changes with a version. (root, name) */}}
{{- define "smartcourse.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- end }}

{{/* Labels of pods and volume claims, whose templates can't be changed or roll when they are: no version. (root, component, name) */}}
{{- define "smartcourse.stableLabels" -}}
{{- $root := index . 0 -}}
{{- include "smartcourse.selectorLabels" (list $root (index . 2)) }}
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/part-of: smartcourse
{{- end }}

{{/* Labels of every object. (root, component, phase) */}}
{{- define "smartcourse.labels" -}}
{{- $root := index . 0 -}}
{{- include "smartcourse.stableLabels" (list $root (index . 1) (index . 1)) }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
smartcourse.io/phase: {{ index . 2 }}
{{- end }}

{{/* The metadata of every object. (root, component, phase) or (root, component, phase, suffix) */}}
{{- define "smartcourse.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "smartcourse.name" . }}{{ if gt (len .) 3 }}-{{ index . 3 }}{{ end }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "smartcourse.labels" . | nindent 2 }}
{{- end }}

{{/* The image of a component. (root, component) */}}
{{- define "smartcourse.image" -}}
{{- $root := index . 0 -}}
{{- required (printf "global.images.%s is not set: give the full reference of the image" (index . 1)) (index $root.Values.global.images (index . 1)) }}
{{- end }}

{{/* The name of a Secret. (root, key of global.secretNames) */}}
{{- define "smartcourse.secretName" -}}
{{- $root := index . 0 -}}
{{- index ($root.Values.global.secretNames | default dict) (index . 1) | default (include "smartcourse.name" .) }}
{{- end }}

{{/* Whether a datastore runs in the cluster as a part of this release: "true" or nothing. (root, datastore) */}}
{{- define "smartcourse.isEmbedded" -}}
{{- $root := index . 0 -}}
{{- if eq (index $root.Values.global.databases (index . 1)).mode "embedded" }}true{{ end }}
{{- end }}
