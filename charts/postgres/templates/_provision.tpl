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
      {{- range $service := list "user" "course" "notification" }}
      {{- $login := index $.Values.global.databases.postgres.logins $service }}
      {{- $secret := printf "%s-db" $service }}
      {{- include "smartcourse.env.secret" (list $ (printf "%s_%s_PASSWORD" $service $login.role | upper) $secret "password") | nindent 6 }}
      {{- if $login.spare }}
      {{- include "smartcourse.env.secret" (list $ (printf "%s_%s_PASSWORD" $service (ternary "b" "a" (eq $login.role "a")) | upper) $secret "spare-password") | nindent 6 }}
      {{- end }}
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
