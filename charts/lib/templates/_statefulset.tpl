{{/* Datastores: one pod, one volume that outlives it. */}}

{{/*
dict: root, component, port, portName, user, group, graceSeconds, annotations (text), container (text: what the
component adds to its container), volumes (text); for one whose data can't be rebuilt: data (where in its volume `data` the
files are), mountPath (the volume's)
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
      {{- if .data }}
      initContainers:
        {{- include "smartcourse.container.refuseEmpty" . | nindent 8 }}
      {{- end }}
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
        {{- if .data }}
        - name: state
          configMap:
            name: {{ include "smartcourse.name" (list $root .component) }}-state
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

{{/*
What is known of a datastore's volume. It is in a ConfigMap that the pod reads as it starts, not in the pod's template: a
database must not be restarted when it becomes true. (root, component)
*/}}
{{- define "smartcourse.stateConfigMap" -}}
{{- $root := index . 0 -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "smartcourse.metadata" (list $root (index . 1) "datastores" "state") | nindent 2 }}
data:
  initialised: {{ (index $root.Values.global.databases (index . 1)).initialised | default false | quote }}
{{- end }}

{{/* Keep the server from beginning anew where its data should be. dict: as for smartcourse.statefulSet */}}
{{- define "smartcourse.container.refuseEmpty" -}}
- name: refuse-empty
  {{- include "smartcourse.container.base" (list .root .component) | nindent 2 }}
  command: [sh, -c]
  args:
    - |
      read -r initialised < /state/initialised || true
      [ "$initialised" = true ] || exit 0
      for file in "$DATA"/*; do
        [ ! -e "$file" ] || [ "${file##*/}" = lost+found ] || exit 0
      done
      echo "the volume held data and is empty: nothing is initialised again (DataMissing)" >&2
      exit 1
  env:
    - name: DATA
      value: {{ .data }}
  resources:
    {{- include "smartcourse.resources" (list .component .root.Values.resources) | nindent 4 }}
  volumeMounts:
    {{- include "smartcourse.mount.tmp" . | nindent 4 }}
    - name: data
      mountPath: {{ .mountPath }}
    - name: state
      mountPath: /state
      readOnly: true
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
