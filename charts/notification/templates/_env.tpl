{{- define "notification.env" -}}
{{- include "smartcourse.env.secret" (list . "DATABASE_URL" "notification-db" "url") }}
{{ include "smartcourse.env.secret" (list . "REDIS_URL" "redis" "url") }}
{{ include "smartcourse.env.identity" . }}
{{ include "smartcourse.env.process" (list . "notification" 9090) }}
{{- end }}
