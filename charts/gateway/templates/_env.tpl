{{/* nginx is given addresses, never a key. */}}
{{- define "gateway.env.nginx" -}}
{{- include "gateway.env.place" . }}
- name: CORS_ORIGINS
  value: {{ join "," .Values.corsOrigins | quote }}
{{- if .Values.proxyProtocol }}
- name: GATEWAY_PROXY_PROTOCOL
  value: "true"
- name: GATEWAY_PROBE_LISTEN
  value: "8081"
{{- end }}
{{- if .Values.tlsSecretName }}
- name: GATEWAY_TLS_DIR
  value: /etc/smartcourse/tls
- name: GATEWAY_TLS_KEPT_DIR
  value: /run/tls
{{- end }}
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
- name: MAINTENANCE
  value: {{ ternary "reads" "off" .Values.maintenance | quote }}
{{ include "smartcourse.env.process" (list . "gateway" 9090) }}
{{- end }}

{{- define "gateway.env.place" -}}
- name: GATEWAY_SOCKET
  value: /run/gateway/decision.sock
{{- if .Values.global.forwardAuth.enabled }}
- name: GATEWAY_FORWARD_AUTH_LISTEN
  value: 0.0.0.0:8010
{{- end }}
- name: TRUSTED_PROXIES
  value: {{ join "," .Values.trustedProxies | quote }}
{{- range $class, $limit := .Values.limits }}
- name: RATE_LIMIT_{{ trimSuffix "PerMinute" $class | upper }}_PER_MINUTE
  value: {{ $limit | int64 | quote }}
{{- end }}
{{- range $service, $port := dict "user" 8001 "course" 8002 "notification" 8005 }}
- name: {{ upper $service }}_SERVICE_URL
  value: http://{{ include "smartcourse.name" (list $ $service) }}:{{ $port }}
{{- end }}
{{- end }}
