{{/*
What Traefik does with a request before a service sees it, from files/traefik.json: the gateway's code says which
headers are set and removed, and the routes which service has which paths. Phase `forwardAuth`: all of it waits for a
gateway that answers there.
*/}}

{{- define "smartcourse.forwardAuth.document" -}}
{{- .Files.Get "files/traefik.json" }}
{{- end }}

{{- define "smartcourse.forwardAuth.names" -}}
{{- $names := list -}}
{{- range (include "smartcourse.forwardAuth.document" . | fromJson).middlewares }}{{ $names = append $names .name }}{{ end -}}
{{- $names | toJson }}
{{- end }}
