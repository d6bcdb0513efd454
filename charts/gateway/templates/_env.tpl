{{/* nginx is given addresses, never a key. */}}
{{- define "gateway.env.nginx" -}}
{{- include "gateway.env.place" . }}
- name: TRUSTED_PROXIES
  value: {{ join "," .Values.trustedProxies | quote }}
{{- end }}

{{- define "gateway.env.decide" -}}
{{- include "gateway.env.place" . }}
{{ include "smartcourse.env.secret" (list . "REDIS_URL" "redis" "url") }}
{{ include "smartcourse.env.identity" . }}
{{ include "smartcourse.env.jwt" . }}
- name: REVOCATION_GRACE_SECONDS
  value: {{ .Values.global.auth.revocationGraceSeconds | quote }}
- name: GATEWAY_PROCESSES  # how many share a limit
  value: {{ (.Values.autoscaling | default dict).maxReplicas | default .Values.replicas | max 1 | quote }}
{{ include "smartcourse.env.process" (list . "gateway" 9090) }}
{{- end }}

{{- define "gateway.env.place" -}}
- name: GATEWAY_SOCKET
  value: /run/gateway/decision.sock
{{- range $service, $port := dict "user" 8001 "course" 8002 "notification" 8005 }}
- name: {{ upper $service }}_SERVICE_URL
  value: http://{{ include "smartcourse.name" (list $ $service) }}:{{ $port }}
{{- end }}
{{- end }}
