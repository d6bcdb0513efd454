{{- define "postgres.container" -}}
args:
  - postgres
  {{- range $name, $value := .Values.global.databases.postgres.parameters }}
  - -c
  - {{ printf "%s=%s" $name $value | quote }}
  {{- end }}
  - -c
  - password_encryption=scram-sha-256
env:
  {{- include "smartcourse.env.secret" (list . "POSTGRES_PASSWORD" "postgres" "password") | nindent 2 }}
  - name: POSTGRES_INITDB_ARGS
    value: --data-checksums
  - name: PGDATA  # a directory inside the volume: the volume itself may hold a lost+found
    value: /var/lib/postgresql/data/pgdata
# While the image makes the first database the server listens on its socket only: asked by TCP, it is not ready yet.
startupProbe:
  exec:
    command: [pg_isready, -q, -h, 127.0.0.1, -U, postgres]
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 300
readinessProbe:
  exec:
    command: [pg_isready, -q, -h, 127.0.0.1, -U, postgres]
  periodSeconds: 5
  timeoutSeconds: 5
livenessProbe:  # a server that recovers after a crash takes connections only when it is done, and must be let
  tcpSocket: {port: postgres}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
lifecycle:
  preStop:  # SIGTERM waits until every client has gone; SIGINT ends their sessions, checkpoints and stops
    exec:
      command: [sh, -c, kill -INT 1]
volumeMounts:
  {{- include "smartcourse.mount.tmp" . | nindent 2 }}
  - name: data
    mountPath: /var/lib/postgresql/data
  - name: socket
    mountPath: /var/run/postgresql
{{- end }}

{{- define "postgres.volumes" -}}
- name: socket
  emptyDir:
    sizeLimit: 1Mi
{{- end }}
