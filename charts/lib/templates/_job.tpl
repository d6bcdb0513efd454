{{/*
Jobs. A Job's pod template can't be changed, so its name ends in a hash of it: what would run otherwise is another Job,
and what would run the same is not run again.

smartcourse.job - dict: root, component, phase, task (provision, migrate, contract, seed), pod (text: the pod's spec),
annotations (dict: facts that the pod's spec doesn't show and that it must run again for)
*/}}
{{- define "smartcourse.job" -}}
{{- $root := .root -}}
{{- $labels := include "smartcourse.stableLabels" (list $root .component (printf "%s-%s" .component .task)) | fromYaml -}}
{{- $metadata := dict "labels" (set $labels "smartcourse.io/phase" .phase) -}}
{{- $annotations := .annotations | default dict -}}
{{- /* Restored data may be of an older schema: all but its seeds runs again. */}}
{{- if and $root.Values.global.restored (ne .phase "seed") -}}
{{- $annotations = set (deepCopy $annotations) "smartcourse.io/restored" $root.Values.global.restored -}}
{{- end -}}
{{- with $annotations }}{{ $_ := set $metadata "annotations" . }}{{ end -}}
{{- $template := dict "metadata" $metadata "spec" (fromYaml .pod) -}}
{{- $suffix := printf "-%s-%s-%s" .component .task (toYaml $template | sha256sum | trunc 8) -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $root.Release.Name | trunc (sub 63 (len $suffix) | int) | trimSuffix "-" }}{{ $suffix }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "smartcourse.labels" (list $root .component .phase) | nindent 4 }}
spec:
  backoffLimit: 6
  podFailurePolicy:
    rules:
      - action: Ignore  # a drained node or a preempted pod is no failure of the Job
        onPodConditions:
          - {type: DisruptionTarget, status: "True"}
  template:
    {{- toYaml $template | nindent 4 }}
{{- end }}

{{/*
The pod of a Job that runs a service's image once.
dict: root, component, values (the component's), command (list), env (text), wait (text: init containers)
*/}}
{{- define "smartcourse.job.pod" -}}
{{- $root := .root -}}
{{- include "smartcourse.pod.base" (dict "root" $root "component" .component) }}
restartPolicy: Never
{{- with .wait }}
initContainers:
  {{- . | nindent 2 }}
{{- end }}
containers:
  - name: {{ .task }}
    {{- include "smartcourse.container.base" (list $root .component) | nindent 4 }}
    command: {{ toJson .command }}
    env:
      {{- .env | nindent 6 }}
      {{- include "smartcourse.env.process" (list $root .component 0) | nindent 6 }}
    resources:
      {{- include "smartcourse.resources" (list .component .values.resources) | nindent 6 }}
    volumeMounts:
      {{- include "smartcourse.mount.tmp" . | nindent 6 }}
volumes:
  {{- include "smartcourse.volume.tmp" . | nindent 2 }}
{{- end }}

{{/* The Job that brings a service's tables to what its image's code needs. dict: root, component, package, query (what must be true first) */}}
{{- define "smartcourse.migrateJob" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $wait := include "smartcourse.container.waitForDatabase" (list $root .component .query $values) -}}
{{- $env := include "smartcourse.env.secret" (list $root "DATABASE_URL" (printf "%s-db" .component) "url") -}}
{{- $command := list "python" "-m" (printf "%s.migrations" .package) "upgrade" -}}
{{- $pod := include "smartcourse.job.pod" (dict "root" $root "component" .component "task" "migrate" "values" $values "command" $command "env" $env "wait" $wait) -}}
{{- include "smartcourse.job" (dict "root" $root "component" .component "phase" "migrations" "task" "migrate" "pod" $pod) }}
{{- end }}

{{/*
The Job that removes from a service's tables what only the release before needs, where `global.contract` names the service:
no pod of that release may be left. dict: root, component, package
*/}}
{{- define "smartcourse.contractJob" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- if has .component $values.global.contract -}}
{{- $wait := include "smartcourse.container.waitForSchema" (list $root .component .package $values) -}}
{{- $env := include "smartcourse.env.secret" (list $root "DATABASE_URL" (printf "%s-db" .component) "url") -}}
{{- $command := list "python" "-m" (printf "%s.migrations" .package) "contract" -}}
{{- $pod := include "smartcourse.job.pod" (dict "root" $root "component" .component "task" "contract" "values" $values "command" $command "env" $env "wait" $wait) -}}
{{- include "smartcourse.job" (dict "root" $root "component" .component "phase" "contract" "task" "contract" "pod" $pod) }}
{{- end }}
{{- end }}
