{{/* Datastores: one pod, one volume that outlives it. */}}

{{/*
dict: root, component, port, portName, user, group, graceSeconds, annotations (text), container (text: what the
component adds to its container), volumes (text)
*/}}
{{- define "smartcourse.statefulSet" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "smartcourse.metadata" (list $root .component "datastores") | nindent 2 }}
spec:
  replicas: 1
  podManagementPolicy: Parallel  # in order, a pod that never got ready would have to be deleted by hand
  serviceName: {{ include "smartcourse.name" (list $root .component) }}-headless
  revisionHistoryLimit: 3
  persistentVolumeClaimRetentionPolicy:
    whenDeleted: Retain
    whenScaled: Retain
  selector:
    matchLabels:
      {{- include "smartcourse.selectorLabels" (list $root .component) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "smartcourse.stableLabels" (list $root .component .component) | nindent 8 }}
      {{- with .annotations | trim }}
      annotations:
        {{- . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "smartcourse.pod.base" . | nindent 6 }}
      containers:
        - name: {{ .component }}
          {{- include "smartcourse.container.base" (list $root .component) | nindent 10 }}
          ports:
            - {name: {{ .portName }}, containerPort: {{ .port }}}
          resources:
            {{- include "smartcourse.resources" (list .component $root.Values.resources) | nindent 12 }}
          {{- .container | nindent 10 }}
      volumes:
        {{- include "smartcourse.volume.tmp" . | nindent 8 }}
        {{- with .volumes }}
        {{- . | nindent 8 }}
        {{- end }}
  volumeClaimTemplates:
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata:
        name: data
        labels:
          {{- include "smartcourse.stableLabels" (list $root .component .component) | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $root.Values.storageClassName }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ $root.Values.size }}
{{- end }}

{{/* The Service that gives a StatefulSet's pod its own name. dict: root, component, port, portName */}}
{{- define "smartcourse.headlessService" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "smartcourse.metadata" (list .root .component "datastores" "headless") | nindent 2 }}
spec:
  type: ClusterIP
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "smartcourse.selectorLabels" (list .root .component) | nindent 4 }}
  ports:
    - name: {{ .portName }}
      port: {{ .port }}
      targetPort: {{ .portName }}
      protocol: TCP
{{- end }}
