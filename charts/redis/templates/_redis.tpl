{{- define "redis.container" -}}
# The password reaches the server in a file that only this container sees: never in its arguments.
command: [sh, -ec]
args:
  - |
    umask 077
    escaped=$(printf '%s' "$REDIS_PASSWORD" | sed 's/[\\"]/\\&/g')
    { cat /etc/redis-config/redis.conf; printf 'requirepass "%s"\n' "$escaped"; } > /tmp/redis.conf
    unset REDIS_PASSWORD escaped
    exec redis-server /tmp/redis.conf
env:
  {{- include "smartcourse.env.secret" (list . "REDIS_PASSWORD" "redis" "password") | nindent 2 }}
  {{- include "smartcourse.env.secret" (list . "REDISCLI_AUTH" "redis" "password") | nindent 2 }}
startupProbe:
  tcpSocket: {port: redis}
  periodSeconds: 1
  failureThreshold: 180
readinessProbe:  # a server that is still loading its file answers, but not with PONG
  exec:
    command: [sh, -c, 'redis-cli -h 127.0.0.1 ping | grep -q PONG']
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

{{- define "redis.volumes" -}}
- name: config
  configMap:
    name: {{ include "smartcourse.name" (list . "redis") }}-config
{{- end }}
