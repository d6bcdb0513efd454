{{- define "user.env" -}}
{{- include "smartcourse.env.secret" (list . "DATABASE_URL" "user-db" "url") }}
{{ include "smartcourse.env.pool" . }}
{{ include "smartcourse.env.secret" (list . "REDIS_URL" "redis" "url") }}
{{ include "smartcourse.env.identity" . }}
{{ include "smartcourse.env.jwt" . }}
- name: JWT_REFRESH_TOKEN_EXPIRE_DAYS
  value: {{ .Values.global.auth.refreshTokenDays | quote }}
{{ include "smartcourse.env.events" . }}
{{ include "smartcourse.env.process" (list . "user" 9090) }}
{{- end }}
