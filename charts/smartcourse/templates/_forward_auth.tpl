{{/*
What Traefik does with a request before a service sees it, from files/traefik.json: the gateway's code says which
headers are set and removed, and the routes which service has which paths. Phase `forwardAuth`: all of it waits for a
gateway that answers there.
*/}}

{{- define "smartcourse.forwardAuth.document" -}}
{{- .Files.Get "files/traefik.json" }}
{{- end }}

{{/*
Of the route's annotations those for Traefik (a certificate is the other Ingress's to ask for); requests pass the
Middlewares, in their order, after those that the annotations name.
*/}}
{{- define "smartcourse.forwardAuth.annotations" -}}
{{- $key := "traefik.ingress.kubernetes.io/router.middlewares" -}}
{{- $annotations := dict -}}
{{- range $name, $value := .Values.route.annotations -}}
{{- if hasPrefix "traefik.ingress.kubernetes.io/" $name }}{{ $_ := set $annotations $name $value }}{{ end -}}
{{- end -}}
{{- $names := list (get $annotations $key) | compact -}}
{{- range (include "smartcourse.forwardAuth.document" . | fromJson).middlewares -}}
{{- $names = append $names (printf "%s-%s-%s@kubernetescrd" $.Release.Namespace (include "smartcourse.name" (list $ "gateway")) .name) -}}
{{- end -}}
{{- set $annotations $key (join "," $names) | toYaml }}
{{- end }}
