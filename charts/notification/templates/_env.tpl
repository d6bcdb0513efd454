{{- define "notification.env" -}}
{{- include "smartcourse.env.secret" (list . "DATABASE_URL" "notification-db" "url") }}
{{ include "smartcourse.env.pool" . }}
{{ include "smartcourse.env.secret" (list . "REDIS_URL" "redis" "url") }}
{{ include "smartcourse.env.identity" . }}
{{ include "smartcourse.env.publicUrl" . }}
{{ include "smartcourse.env.secret" (list . "SMTP_URL" "smtp" "url" "optional") }}
- name: SMTP_FROM
  value: {{ .Values.global.email.from | quote }}
{{ include "smartcourse.env.secret" (list . "VAPID_PRIVATE_KEY" "push" "private-key" "optional") }}
- name: VAPID_SUBJECT
  value: {{ .Values.global.push.subject | quote }}
{{ include "smartcourse.env.events" . }}
{{ include "smartcourse.env.process" (list . "notification" 9090) }}
{{- end }}
