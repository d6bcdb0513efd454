{{/* Deployments, and what goes with one. */}}

{{/*
A Deployment that replaces its pods without a gap. dict: root, component, phase, values (the component's),
annotations (text), pod (text: the pod's spec)
*/}}
{{- define "smartcourse.deployment" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "smartcourse.metadata" (list $root .component .phase) | nindent 2 }}
spec:
  {{- if not .values.autoscaling }}
  replicas: {{ .values.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  progressDeadlineSeconds: 600
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      {{- include "smartcourse.selectorLabels" (list $root .component) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "smartcourse.stableLabels" (list $root .component .component) | nindent 8 }}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "9090"
        {{- with .annotations }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with .values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- .pod | nindent 6 }}
      {{- include "smartcourse.pod.spread" (list $root .component .values.spread) | nindent 6 }}
{{- end }}

{{/* Annotations that change when a Secret's content does, so that the pods that read it are replaced. (root, datastore, ...) */}}
{{- define "smartcourse.secretHashes" -}}
{{- $root := index . 0 -}}
{{ include "smartcourse.secretHash" (list $root "auth") }}
{{- range rest . }}
{{ include "smartcourse.databaseSecretHash" (list $root .) }}
{{- end }}
{{- end }}

{{/* (root, part of global: auth, email, push, events) */}}
{{- define "smartcourse.secretHash" -}}
{{- with (index (index . 0).Values.global (index . 1)).secretHash -}}
smartcourse.io/{{ index $ 1 }}-secret-hash: {{ . | quote }}
{{- end }}
{{- end }}

{{/* (root, datastore) */}}
{{- define "smartcourse.databaseSecretHash" -}}
{{- with (index (index . 0).Values.global.databases (index . 1)).secretHash -}}
smartcourse.io/{{ index $ 1 }}-secret-hash: {{ . | quote }}
{{- end }}
{{- end }}

{{/*
A service: one container that answers HTTP, started once the schema is at the revision that it needs.
dict: root, component, package, port, env (text), datastores (list), annotations (text, optional)
*/}}
{{- define "smartcourse.service.deployment" -}}
{{- $root := .root -}}
{{- $pod := include "smartcourse.service.pod" . -}}
{{- $annotations := list (include "smartcourse.secretHashes" (prepend .datastores $root)) (include "smartcourse.secretHash" (list $root "events")) .annotations | join "\n" | trim -}}
{{- include "smartcourse.deployment" (dict "root" $root "component" .component "phase" "services" "values" $root.Values "annotations" $annotations "pod" $pod) }}
{{- end }}

{{- define "smartcourse.service.pod" -}}
{{- $root := .root -}}
{{- include "smartcourse.pod.base" (dict "root" $root "component" .component "graceSeconds" 40) }}
initContainers:
  {{- include "smartcourse.container.waitForSchema" (list $root .component .package $root.Values) | nindent 2 }}
containers:
  - name: {{ .component }}
    {{- include "smartcourse.container.base" (list $root .component) | nindent 4 }}
    {{- if $root.Values.global.reload }}
    {{- include "smartcourse.container.command" (list $root "granian" "--interface" "asgi" "--host" "0.0.0.0" "--port" (toString .port) "--workers" "1" (printf "%s.main:app" .package)) | nindent 4 }}
    {{- end }}
    ports:
      - {name: http, containerPort: {{ .port }}}
      - {name: metrics, containerPort: 9090}
    env:
      {{- include "smartcourse.env.merged" (list .env $root.Values.env) | nindent 6 }}
    resources:
      {{- include "smartcourse.resources" (list .component $root.Values.resources) | nindent 6 }}
    {{- include "smartcourse.probes.http" (dict "port" "http" "startup" "/health/startup" "ready" "/health/ready" "live" "/health/live") | nindent 4 }}
    lifecycle:
      preStop:
        sleep: {seconds: 5}  # requests go on coming until every node has heard that this pod is leaving
    volumeMounts:
      {{- include "smartcourse.mount.tmp" . | nindent 6 }}
      {{- include "smartcourse.mount.kafka" $root | nindent 6 }}
volumes:
  {{- include "smartcourse.volume.tmp" . | nindent 2 }}
  {{- include "smartcourse.volume.kafka" $root | nindent 2 }}
{{- end }}

{{/*
A Service in front of a component's pods. dict: root, component, phase, port; optional: portName, hasMetrics, more (dict:
further ports by name)
*/}}
{{- define "smartcourse.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "smartcourse.metadata" (list .root .component .phase) | nindent 2 }}
spec:
  type: ClusterIP
  selector:
    {{- include "smartcourse.selectorLabels" (list .root .component) | nindent 4 }}
  ports:
    - name: {{ .portName | default "http" }}
      port: {{ .port }}
      targetPort: {{ .portName | default "http" }}
      protocol: TCP
    {{- range $name, $port := .more }}
    - name: {{ $name }}
      port: {{ $port }}
      targetPort: {{ $name }}
      protocol: TCP
    {{- end }}
    {{- if .hasMetrics }}
    - name: metrics
      port: 9090
      targetPort: metrics
      protocol: TCP
    {{- end }}
    {{- range $name, $port := .extraPorts }}
    - name: {{ $name }}
      port: {{ $port }}
      targetPort: {{ $name }}
      protocol: TCP
    {{- end }}
{{- end }}

{{/* How Prometheus finds the metrics of a component's pods, where the Prometheus Operator reads it. (root, component) */}}
{{- define "smartcourse.serviceMonitor" -}}
{{- $root := index . 0 -}}
{{- $telemetry := $root.Values.global.telemetry -}}
{{- if $telemetry.serviceMonitors -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "smartcourse.metadata" (list $root (index . 1) "monitoring") | nindent 2 }}
    {{- with $telemetry.serviceMonitorLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "smartcourse.selectorLabels" (list $root (index . 1)) | nindent 6 }}
  endpoints:
    - port: metrics
      honorLabels: true  # `service` and `namespace` are those that the process says
{{- end }}
{{- end }}

{{/* (root, component): made before any pod or Job that runs under it, hence the first phase. */}}
{{- define "smartcourse.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "smartcourse.metadata" (list (index . 0) (index . 1) "datastores") | nindent 2 }}
automountServiceAccountToken: false
{{- end }}

{{/* A drain takes so many pods at a time; a single pod may be taken, or no node could be drained. (root, component, phase, number) */}}
{{- define "smartcourse.podDisruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "smartcourse.metadata" (list (index . 0) (index . 1) (index . 2)) | nindent 2 }}
spec:
  maxUnavailable: {{ index . 3 }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "smartcourse.selectorLabels" . | nindent 6 }}
{{- end }}

{{/* (root, component, phase, values) */}}
{{- define "smartcourse.horizontalPodAutoscaler" -}}
{{- with (index . 3).autoscaling -}}
{{- if gt (.minReplicas | default 1 | int) (.maxReplicas | int) }}
{{- fail (printf "%s.autoscaling: minReplicas (%v) is greater than maxReplicas (%v)" (index $ 1) .minReplicas .maxReplicas) }}
{{- end -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "smartcourse.metadata" (list (index $ 0) (index $ 1) (index $ 2)) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "smartcourse.name" $ }}
  minReplicas: {{ .minReplicas | default 1 }}
  maxReplicas: {{ .maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .targetCPUUtilizationPercentage | default 80 }}
{{- end }}
{{- end }}
