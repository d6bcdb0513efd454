{{- define "course.env" -}}
{{- include "course.env.stores" . }}
{{ include "smartcourse.env.pool" . }}
{{ include "smartcourse.env.secret" (list . "REDIS_URL" "redis" "url") }}
{{ include "smartcourse.env.identity" . }}
{{ include "smartcourse.env.publicUrl" . }}
{{ include "smartcourse.env.events" . }}
{{ include "smartcourse.env.process" (list . "course" 9090) }}
{{- end }}

{{- define "course.env.stores" -}}
{{- include "smartcourse.env.secret" (list . "DATABASE_URL" "course-db" "url") }}
{{ include "smartcourse.env.secret" (list . "MONGODB_URL" "course-mongodb" "url") }}
{{- end }}
