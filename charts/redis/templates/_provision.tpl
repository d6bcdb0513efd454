{{- define "redis.provisionPod" -}}
{{- include "smartcourse.pod.base" (dict "root" . "component" "redis" "user" 999 "group" 1000) }}
restartPolicy: Never
containers:
  - name: provision
    {{- include "smartcourse.container.base" (list . "redis") | nindent 4 }}
    command: [sh, /etc/redis-config/users.sh, set]
    env:
      {{- include "redis.env" . | nindent 6 }}
    resources:
      {{- include "smartcourse.resources" (list "redis" .Values.resources) | nindent 6 }}
    volumeMounts:
      {{- include "smartcourse.mount.tmp" . | nindent 6 }}
      - name: config
        mountPath: /etc/redis-config
        readOnly: true
volumes:
  {{- include "smartcourse.volume.tmp" . | nindent 2 }}
  {{- include "redis.volumes" . | nindent 2 }}
{{- end }}
