{{/* Mail servers on the ports that they take mail at, and push services, which are anywhere. */}}
{{- define "notification.egress" -}}
- ports:
    {{- range list 25 465 587 1025 2525 443 }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
