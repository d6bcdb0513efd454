{{- define "redis.container" -}}
# Passwords reach the server as digests in a file that only this container sees: never in its arguments.
command: [sh, -ec]
args:
  - |
    umask 077
    { cat /etc/redis-config/redis.conf; sh /etc/redis-config/users.sh print; } > /tmp/redis.conf
    unset REDISCLI_AUTH REDIS_URL REDIS_PASSWORD REDIS_SPARE_PASSWORD
    exec redis-server /tmp/redis.conf
env:
  {{- include "redis.env" . | nindent 2 }}
startupProbe:
  tcpSocket: {port: redis}
  periodSeconds: 1
  failureThreshold: 180
readinessProbe:  # a server that is still loading its file answers, but not with PONG; the services' users come and go
  exec:
    command: [sh, -c, 'redis-cli -h 127.0.0.1 --user admin ping | grep -q PONG']
  periodSeconds: 5
  timeoutSeconds: 5
livenessProbe:
  tcpSocket: {port: redis}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
volumeMounts:
  {{- include "smartcourse.mount.tmp" . | nindent 2 }}
  - name: data
    mountPath: /data
  - name: config
    mountPath: /etc/redis-config
    readOnly: true
{{- end }}

{{/* What users.sh reads. The names and keys never change: a rotation must not restart the server. (root) */}}
{{- define "redis.env" -}}
{{- include "smartcourse.env.secret" (list . "REDISCLI_AUTH" "redis-admin" "password") }}
{{ include "smartcourse.env.secret" (list . "REDIS_URL" "redis" "url") }}
{{ include "smartcourse.env.secret" (list . "REDIS_PASSWORD" "redis" "password") }}
{{ include "smartcourse.env.secret" (list . "REDIS_SPARE_PASSWORD" "redis" "spare-password" "optional") }}
{{- end }}

{{- define "redis.volumes" -}}
- name: config
  configMap:
    name: {{ include "smartcourse.name" (list . "redis") }}-config
{{- end }}
