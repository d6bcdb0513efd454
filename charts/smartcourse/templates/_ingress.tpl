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

{{/*
The route's annotations, and the one by which cert-manager is asked for the certificate
(https://cert-manager.io/docs/usage/ingress/#supported-annotations).
*/}}
{{- define "smartcourse.ingress.annotations" -}}
{{- $annotations := deepCopy .Values.route.annotations -}}
{{- with (.Values.route.tls | default dict).issuer -}}
{{- $key := eq (.kind | default "Issuer") "ClusterIssuer" | ternary "cluster-issuer" "issuer" -}}
{{- $_ := set $annotations (printf "cert-manager.io/%s" $key) .name -}}
{{- end -}}
{{- with $annotations }}{{ toYaml . }}{{ end -}}
{{- end }}
