{{/*
NetworkPolicies. Each component's policy selects its pods for both directions, so that what no rule names is denied.
*/}}

{{/* Pods of this release that belong to components, their Jobs included. (root, component, ...) */}}
{{- define "smartcourse.network.peers" -}}
{{- $root := index . 0 -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/instance: {{ $root.Release.Name }}
    matchExpressions:
      - key: app.kubernetes.io/component
        operator: In
        values: {{ toJson (rest .) }}
{{- end }}

{{/*
Let a component's own port be reached by other components. dict: root, port, from (list of components), dataPlane
(optional: further peers)
*/}}
{{- define "smartcourse.network.ingress" -}}
- from:
    {{- include "smartcourse.network.peers" (prepend .from .root) | nindent 4 }}
    {{- with .dataPlane }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}

{{/* Metrics are read from inside the cluster, by whoever gathers them. */}}
{{- define "smartcourse.network.metricsIngress" -}}
- from:
    - namespaceSelector: {}
  ports:
    - {protocol: TCP, port: 9090}
{{- end }}

{{/* What every pod of ours may reach: names, and the telemetry collector if there is one. (root) */}}
{{- define "smartcourse.network.baseEgress" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- with .Values.global.telemetry.otlpEndpoint }}
{{- $port := regexFind "[0-9]+$" (urlParse .).host | default (ternary "443" "80" (hasPrefix "https:" .)) }}
- ports:
    - {protocol: TCP, port: {{ $port }}}
{{- end }}
{{- end }}

{{/*
Let a pod reach a datastore: its pods where it is embedded; wherever it may be, on any port, where it is external,
because the address is in a Secret. (root, datastore)
*/}}
{{- define "smartcourse.network.datastoreEgress" -}}
{{- $root := index . 0 -}}
{{- if include "smartcourse.isEmbedded" . -}}
- to:
    {{- include "smartcourse.network.peers" . | nindent 4 }}
  ports:
    - {protocol: TCP, port: {{ get (dict "postgres" 5432 "mongodb" 27017 "redis" 6379) (index . 1) }}}
{{- else -}}
- ports:
    - {protocol: TCP}
{{- end }}
{{- end }}

{{/* Let a service reach the broker outside that events go through: Kafka's usual ports, managed offers' included. (root) */}}
{{- define "smartcourse.network.eventsEgress" -}}
{{- if eq .Values.global.events.broker "kafka" -}}
- ports:
    - {protocol: TCP, port: 9092, endPort: 9098}
{{- end }}
{{- end }}

{{/* dict: root, component, phase, names (pods by app.kubernetes.io/name), suffix (optional), ingress, egress (text, may be empty) */}}
{{- define "smartcourse.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "smartcourse.metadata" (concat (list .root .component "datastores") (ternary (list .suffix) list (hasKey . "suffix"))) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/instance: {{ .root.Release.Name }}
    matchExpressions:
      - key: app.kubernetes.io/name
        operator: In
        values: {{ toJson .names }}
  policyTypes: [Ingress, Egress]
  {{- with .ingress }}
  ingress:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .egress }}
  egress:
    {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* (root, datastore, ...) */}}
{{- define "smartcourse.network.egress" -}}
{{- $root := index . 0 -}}
{{- include "smartcourse.network.baseEgress" $root }}
{{- range rest . }}
{{ include "smartcourse.network.datastoreEgress" (list $root .) }}
{{- end }}
{{- end }}

{{/*
A service's policies: for its pods, and for its Jobs, which nobody may reach and which have no business with Redis.
dict: root, component, port, datastores, egress (text, optional: what its pods alone may reach beside)
*/}}
{{- define "smartcourse.service.networkPolicies" -}}
{{- $root := .root -}}
{{- $egress := list (include "smartcourse.network.egress" (prepend .datastores $root)) (include "smartcourse.network.eventsEgress" $root) .egress | compact | join "\n" -}}
{{- $jobsEgress := include "smartcourse.network.egress" (prepend (without .datastores "redis") $root) -}}
{{- $dataPlane := ternary $root.Values.global.forwardAuth.dataPlane list $root.Values.global.forwardAuth.enabled -}}
{{- $ingress := list (include "smartcourse.network.ingress" (dict "root" $root "port" .port "from" (list "gateway") "dataPlane" $dataPlane)) (include "smartcourse.network.metricsIngress" .) | join "\n" -}}
{{- $jobs := list -}}
{{- $contract := ternary (list "contract") list (has .component $root.Values.global.contract) -}}
{{- range concat (list "provision" "migrate" "seed") $contract }}{{ $jobs = append $jobs (printf "%s-%s" $.component .) }}{{ end -}}
{{- include "smartcourse.networkPolicy" (dict "root" $root "component" .component "names" (list .component) "ingress" $ingress "egress" $egress) }}
---
{{ include "smartcourse.networkPolicy" (dict "root" $root "component" .component "suffix" "jobs" "names" $jobs "egress" $jobsEgress) }}
{{- end }}
