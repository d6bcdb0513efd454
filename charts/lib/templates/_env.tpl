{{/* Environment variables: each template gives items of a container's `env`. */}}

{{/* One variable out of a Secret. (root, variable, key of global.secretNames, key in the Secret[, "optional"]) */}}
{{- define "smartcourse.env.secret" -}}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ include "smartcourse.secretName" (list (index . 0) (index . 2)) }}
      key: {{ index . 3 }}
      {{- if gt (len .) 4 }}
      optional: true
      {{- end }}
{{- end }}

{{/* The key that the gateway signs identities with, and the one before it while a rotation lasts. (root) */}}
{{- define "smartcourse.env.identity" -}}
{{- include "smartcourse.env.secret" (list . "GATEWAY_IDENTITY_KEY" "auth" "identity-key") }}
{{ include "smartcourse.env.secret" (list . "GATEWAY_IDENTITY_KEY_PREVIOUS" "auth" "identity-key-previous" "optional") }}
{{- end }}

{{/* What access tokens are made and verified with: for the gateway and user-service alone. (root) */}}
{{- define "smartcourse.env.jwt" -}}
{{- $auth := .Values.global.auth -}}
{{- include "smartcourse.env.secret" (list . "JWT_SECRET_KEY" "auth" "jwt-secret") }}
{{ include "smartcourse.env.secret" (list . "JWT_SECRET_KEY_PREVIOUS" "auth" "jwt-secret-previous" "optional") }}
- name: JWT_ALGORITHM
  value: HS256
- name: JWT_ISSUER
  value: {{ $auth.issuer | quote }}
- name: JWT_AUDIENCE
  value: {{ $auth.audience | quote }}
- name: JWT_ACCESS_TOKEN_EXPIRE_MINUTES
  value: {{ $auth.accessTokenMinutes | quote }}
{{- end }}

{{/* The pool of a service's connections to PostgreSQL; Jobs need few, and must not run again when it changes. (root) */}}
{{- define "smartcourse.env.pool" -}}
{{- with .Values.global.databases.postgres.pool -}}
- name: DATABASE_POOL_SIZE
  value: {{ .size | quote }}
- name: DATABASE_MAX_OVERFLOW
  value: {{ .overflow | quote }}
{{- end }}
{{- end }}

{{/* What every process of ours reads. (root, component, metrics port) */}}
{{- define "smartcourse.env.process" -}}
{{- $root := index . 0 -}}
- name: METRICS_PORT
  value: {{ index . 2 | quote }}
- name: LOG_LEVEL
  value: {{ $root.Values.global.telemetry.logLevel }}
- name: OTEL_SERVICE_NAME
  value: {{ include "smartcourse.name" . }}
{{- with $root.Values.global.telemetry.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Where people reach the platform: links in mails and on certificates begin with it. (root) */}}
{{- define "smartcourse.env.publicUrl" -}}
- name: PUBLIC_URL
  value: {{ .Values.global.publicUrl | quote }}
{{- end }}

{{/* The broker that events go through; what platforms that share a Kafka have there begins with their names. (root) */}}
{{- define "smartcourse.env.events" -}}
- name: EVENTS_BROKER
  value: {{ .Values.global.events.broker }}
{{- if eq .Values.global.events.broker "kafka" }}
{{ include "smartcourse.env.secret" (list . "KAFKA_BOOTSTRAP_SERVERS" "kafka" "bootstrap-servers") }}
{{ include "smartcourse.env.secret" (list . "KAFKA_USERNAME" "kafka" "username" "optional") }}
{{ include "smartcourse.env.secret" (list . "KAFKA_PASSWORD" "kafka" "password" "optional") }}
{{ include "smartcourse.env.secret" (list . "KAFKA_SECURITY" "kafka" "security" "optional") }}
{{ include "smartcourse.env.secret" (list . "KAFKA_SASL_MECHANISM" "kafka" "sasl-mechanism" "optional") }}
- name: KAFKA_PREFIX
  value: {{ printf "%s.%s." .Release.Namespace .Release.Name | trunc 100 }}
{{- if .Values.global.events.hasCa }}
- name: KAFKA_CA_FILE
  value: /etc/smartcourse/kafka/ca.crt
{{- end }}
{{- end }}
{{- end }}

{{/*
A container's whole `env`: the chart's own, in the order given, with a component's `env` values in place of those of
the same name. A name that came twice could not be applied by the server side. (chart's items as text, values' env)
*/}}
{{- define "smartcourse.env.merged" -}}
{{- $extra := index . 1 | default dict -}}
{{- $items := list -}}
{{- range fromYamlArray (index . 0) -}}
{{- if not (hasKey $extra .name) }}{{ $items = append $items . }}{{ end -}}
{{- end -}}
{{- range $name, $value := $extra -}}
{{- $items = append $items (dict "name" $name "value" (toString $value)) -}}
{{- end -}}
{{- toYaml $items }}
{{- end }}
