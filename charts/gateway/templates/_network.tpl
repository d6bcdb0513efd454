{{/* Who may call: the ingress controller, wherever it runs, or the peers that the values name. */}}
{{- define "gateway.ingress" -}}
- ports:
    - {protocol: TCP, port: 8000}
    {{- if .Values.tlsSecretName }}
    - {protocol: TCP, port: 8443}
    {{- end }}
  {{- with .Values.ingressFrom }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- if .Values.proxyProtocol }}
- ports:
    - {protocol: TCP, port: 8081}  # health alone: for the operator, wherever it runs
{{- end }}
{{- with .Values.global.forwardAuth }}
{{- if .enabled }}
- from:
    {{- toYaml .dataPlane | nindent 4 }}
  ports:
    - {protocol: TCP, port: 8010}
{{- end }}
{{- end }}
{{- end }}

{{- define "gateway.serviceEgress" -}}
{{- range $service, $port := dict "user" 8001 "course" 8002 "notification" 8005 }}
- to:
    {{- include "smartcourse.network.peers" (list $ $service) | nindent 4 }}
  ports:
    - {protocol: TCP, port: {{ $port }}}
{{- end }}
{{- end }}
