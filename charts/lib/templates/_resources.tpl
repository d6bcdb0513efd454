{{/*
A container's resources: the component's value as a whole, or what serves a small platform. They aren't merged: a
request of 1Gi under a default limit of 512Mi would be refused. CPU has no limit: a process that may not use an idle
CPU only answers later. course-service prints certificates in a process of its own, which takes memory while it lasts. (component, given)
*/}}
{{- define "smartcourse.resources" -}}
{{- $defaults := dict
  "service"  (dict "cpu" "25m" "memory" "128Mi" "limit" "384Mi")
  "course"   (dict "cpu" "25m" "memory" "160Mi" "limit" "768Mi")
  "gateway"  (dict "cpu" "25m" "memory" "96Mi"  "limit" "384Mi")
  "nginx"    (dict "cpu" "10m" "memory" "32Mi"  "limit" "256Mi")
  "postgres" (dict "cpu" "50m" "memory" "128Mi" "limit" "512Mi")
  "mongodb"  (dict "cpu" "25m" "memory" "160Mi" "limit" "1Gi")
  "redis"    (dict "cpu" "10m" "memory" "32Mi"  "limit" "384Mi") -}}
{{- $default := index $defaults (index . 0) | default $defaults.service -}}
{{- with index . 1 -}}
{{- toYaml . }}
{{- else -}}
requests:
  cpu: {{ $default.cpu }}
  memory: {{ $default.memory }}
limits:
  memory: {{ $default.limit }}
{{- end }}
{{- end }}
