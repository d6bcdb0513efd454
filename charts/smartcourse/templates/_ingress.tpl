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
(https://cert-manager.io/docs/usage/ingress/#supported-annotations). Beside the Ingress whose requests are retried it
comes last, for when Traefik does not find that one's Middleware.
*/}}
{{- define "smartcourse.ingress.annotations" -}}
{{- $annotations := deepCopy .Values.route.annotations -}}
{{- with (.Values.route.tls | default dict).issuer -}}
{{- $key := eq (.kind | default "Issuer") "ClusterIssuer" | ternary "cluster-issuer" "issuer" -}}
{{- $_ := set $annotations (printf "cert-manager.io/%s" $key) .name -}}
{{- end -}}
{{- if .Values.route.retries -}}
{{- $_ := set $annotations "traefik.ingress.kubernetes.io/router.priority" "1" -}}
{{- end -}}
{{- with $annotations }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/* Everything to the gateway. */}}
{{- define "smartcourse.ingress.rules" -}}
- http:
    paths:
      - path: /
        pathType: Prefix
        backend:
          service:
            name: {{ include "smartcourse.name" (list . "gateway") }}
            port:
              name: http
  {{- with .Values.route.host }}
  host: {{ . | quote }}
  {{- end }}
{{- end }}

{{/*
Of the route's annotations those for Traefik (a certificate is the plain Ingress's to ask for); requests pass the
Middlewares, in their order, after those that the annotations name. Call with (list root names), the names being without
the gateway's. The last is the one that retries, if any: what is repeated has been decided once.
*/}}
{{- define "smartcourse.ingress.middlewares" -}}
{{- $root := index . 0 -}}
{{- $key := "traefik.ingress.kubernetes.io/router.middlewares" -}}
{{- $annotations := dict -}}
{{- range $name, $value := $root.Values.route.annotations -}}
{{- if hasPrefix "traefik.ingress.kubernetes.io/" $name }}{{ $_ := set $annotations $name $value }}{{ end -}}
{{- end -}}
{{- $names := list (get $annotations $key) | compact -}}
{{- $own := index . 1 -}}
{{- if $root.Values.route.retries }}{{ $own = append $own "retry" }}{{ end -}}
{{- range $own -}}
{{- $names = append $names (printf "%s-%s-%s@kubernetescrd" $root.Release.Namespace (include "smartcourse.name" (list $root "gateway")) .) -}}
{{- end -}}
{{- set $annotations $key (join "," $names) | toYaml }}
{{- end }}
