{{/* What all of a release's Ingresses begin with. */}}
{{- define "smartcourse.ingress.head" -}}
ingressClassName: {{ .Values.route.className }}
{{- with (.Values.route.tls | default dict).secretName }}
tls:
  - secretName: {{ . }}
    {{- with $.Values.route.host }}
    hosts: [{{ . | quote }}]
    {{- end }}
{{- end }}
{{- end }}
