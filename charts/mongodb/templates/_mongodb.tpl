{{- define "mongodb.container" -}}
env:
  - name: MONGO_INITDB_ROOT_USERNAME
    value: root
  {{- include "smartcourse.env.secret" (list . "MONGO_INITDB_ROOT_PASSWORD" "mongodb" "root-password") | nindent 2 }}
# While the image makes its first user the server listens on the loopback address only: an open port means ready.
startupProbe:
  tcpSocket: {port: mongodb}
  periodSeconds: 1
  failureThreshold: 300
readinessProbe:
  tcpSocket: {port: mongodb}
  periodSeconds: 5
  timeoutSeconds: 5
livenessProbe:
  tcpSocket: {port: mongodb}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
volumeMounts:
  {{- include "smartcourse.mount.tmp" . | nindent 2 }}
  - name: data
    mountPath: /data/db
  - name: config
    mountPath: /data/configdb
{{- end }}

{{- define "mongodb.volumes" -}}
- name: config
  emptyDir:
    sizeLimit: 16Mi
{{- end }}
