{{/* What every pod and container has in common, whatever it runs. */}}

{{/* The head of a pod's spec. dict: root, component, user, group (numbers), graceSeconds */}}
{{- define "smartcourse.pod.base" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "smartcourse.name" (list $root .component) }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .graceSeconds | default 30 }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | default 10001 }}
  runAsGroup: {{ .group | default 10001 }}
  fsGroup: {{ .group | default 10001 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The head of a container. (root, component whose image it runs) */}}
{{- define "smartcourse.container.base" -}}
{{- $root := index . 0 -}}
image: {{ include "smartcourse.image" . | quote }}
imagePullPolicy: {{ $root.Values.global.imagePullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* What a container runs; with `global.reload`, anew after each edit of its code. (root, word, ...) */}}
{{- define "smartcourse.container.command" -}}
{{- $words := rest . -}}
{{- if (first .).Values.global.reload }}{{ $words = concat (list "python" "-m" "shared.reload") $words }}{{ end -}}
command: {{ toJson $words }}
{{- end }}

{{/* The volume for temporary files: the only place that a process can write to unless its chart gives it another. */}}
{{- define "smartcourse.volume.tmp" -}}
- name: tmp
  emptyDir:
    sizeLimit: 256Mi
{{- end }}

{{- define "smartcourse.mount.tmp" -}}
- name: tmp
  mountPath: /tmp
{{- end }}

{{/* The certificate by which Kafka's brokers are known, where its Secret brings one. (root) */}}
{{- define "smartcourse.volume.kafka" -}}
{{- if and (eq .Values.global.events.broker "kafka") .Values.global.events.hasCa -}}
- name: kafka
  secret:
    secretName: {{ include "smartcourse.secretName" (list . "kafka") }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- end }}

{{/* (root) */}}
{{- define "smartcourse.mount.kafka" -}}
{{- if include "smartcourse.volume.kafka" . -}}
- name: kafka
  mountPath: /etc/smartcourse/kafka
  readOnly: true
{{- end }}
{{- end }}

{{/*
(root, component, {topologyKey, whenUnsatisfiable}). Only pods of one rollout count: those of the rollout before, which
are about to end, would draw the new ones to where they are not, and so all to one node.
*/}}
{{- define "smartcourse.pod.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    {{- toYaml (index . 2) | nindent 4 }}
    labelSelector:
      matchLabels:
        {{- include "smartcourse.selectorLabels" . | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
{{- end }}

{{/*
Startup, readiness and liveness of an HTTP process. dict: port (name), startup, ready, live (paths).
Startup is asked every second, for a pod counts as started no sooner than it is asked.
*/}}
{{- define "smartcourse.probes.http" -}}
startupProbe:
  httpGet: {path: {{ .startup }}, port: {{ .port }}}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 180
readinessProbe:
  httpGet: {path: {{ .ready }}, port: {{ .port }}}
  periodSeconds: 3
  timeoutSeconds: 4
  failureThreshold: 3
livenessProbe:
  httpGet: {path: {{ .live }}, port: {{ .port }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}
