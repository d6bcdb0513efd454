{{- define "postgres.provisionPod" -}}
{{- include "smartcourse.pod.base" (dict "root" . "component" "postgres" "user" 70 "group" 70) }}
restartPolicy: Never
containers:
  - name: provision
    {{- include "smartcourse.container.base" (list . "postgres") | nindent 4 }}
    command: [sh, /scripts/provision.sh, /scripts/init.sql]
    env:
      {{- include "smartcourse.env.secret" (list . "ADMIN_URL" "postgres" "admin-url") | nindent 6 }}
      - name: SMARTCOURSE_HOLDER
        value: {{ .Release.Namespace }}/{{ .Release.Name }}
      {{- range list "user" "course" "notification" }}
      {{- include "smartcourse.env.secret" (list $ (printf "%s_A_PASSWORD" (upper .)) (printf "%s-db" .) "password") | nindent 6 }}
      {{- end }}
    resources:
      {{- include "smartcourse.resources" (list "postgres" .Values.resources) | nindent 6 }}
    volumeMounts:
      {{- include "smartcourse.mount.tmp" . | nindent 6 }}
      - name: scripts
        mountPath: /scripts
        readOnly: true
volumes:
  {{- include "smartcourse.volume.tmp" . | nindent 2 }}
  - name: scripts
    configMap:
      name: {{ include "smartcourse.name" (list . "postgres") }}-provision
{{- end }}
