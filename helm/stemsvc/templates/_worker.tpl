{{/* The pods of a pool, in a Deployment or, with `jobs`, in the Jobs that KEDA starts. Callers give `root` and `pool`. */}}
{{- define "stemsvc.workerTemplate" -}}
{{- $root := .root -}}
{{- $pool := .pool -}}
{{- $component := printf "worker-%s" $pool.name -}}
{{- $labels := dict "root" $root "component" $component -}}
{{- $given := include "stemsvc.poolGiven" . | fromYaml -}}
{{- $with := dict "root" $root "given" $given -}}
{{- $weights := mergeOverwrite (deepCopy $root.Values.weights) (default dict $pool.weights) -}}
{{- $volume := include "stemsvc.weightsVolume" . -}}
{{- $grace := default 1800 $pool.grace -}}
{{- $image := include "stemsvc.image" (dict "root" $root "image" (ternary "workerCuda" "workerCpu" (hasPrefix "cuda" $pool.device))) -}}
metadata:
  labels:
    {{- include "stemsvc.labels" (dict "root" $root "component" $component "more" (merge (dict "stemsvc/figures" "true") $given.labels)) | nindent 4 }}
  # a worker must finish or give back its job before the node goes
  annotations:
    {{- include "stemsvc.annotations" (dict "root" $root "given" $given "more" (dict "cluster-autoscaler.kubernetes.io/safe-to-evict" "false")) | nindent 4 }}
spec:
  {{- if .jobs }}
  restartPolicy: Never
  {{- end }}
  {{- include "stemsvc.pod" (dict "root" $root "given" $given "labels" $labels) | nindent 2 }}
  # after SIGTERM a worker takes no more jobs, and has this long to finish those that it has
  terminationGracePeriodSeconds: {{ $grace }}
  {{- with $pool.runtimeClassName }}
  runtimeClassName: {{ toYaml . }}
  {{- end }}
  initContainers:
    {{- include "stemsvc.migrate" (dict "root" $root "given" $given "image" $image) | nindent 4 }}
    {{- if $weights.prepull }}
    - name: weights
      image: {{ quote $image }}
      imagePullPolicy: {{ $root.Values.images.pullPolicy }}
      args: [models, pull{{ if has "*" $pool.models }}, --all{{ else }}{{ range $pool.models }}, {{ quote . }}{{ end }}{{ end }}]
      envFrom:
        {{- include "stemsvc.envFrom" $with | nindent 8 }}
      env:
        - {name: STEMSVC_CACHE_DIR, value: /var/cache/stemsvc}
        - {name: STEMSVC_SECRETS_DIR, value: ""}
        {{- with include "stemsvc.moreEnv" $with }}
        {{- . | nindent 8 }}
        {{- end }}
      securityContext:
        {{- include "stemsvc.container" $given | nindent 8 }}
      resources:
        {{- toYaml $weights.resources | nindent 8 }}
      volumeMounts:
        {{- include "stemsvc.host.folders" $root | nindent 8 }}
        - {name: weights, mountPath: /var/cache/stemsvc}
        {{- with include "stemsvc.moreMounts" $with }}
        {{- . | nindent 8 }}
        {{- end }}
    {{- end }}
  containers:
    - name: worker
      image: {{ quote $image }}
      imagePullPolicy: {{ $root.Values.images.pullPolicy }}
      args: [worker, --pool, {{ quote $pool.name }}]
      envFrom:
        {{- include "stemsvc.envFrom" $with | nindent 8 }}
      env:
        {{- include "stemsvc.env" $root | trim | nindent 8 }}
        - {name: STEMSVC_CACHE_DIR, value: /var/cache/stemsvc}
        - {name: STEMSVC_SHUTDOWN_GRACE_SECONDS, value: {{ $grace | quote }}}
        {{- if .jobs }}
        # nobody takes a busy pod away: each ends by itself once it has nothing to do
        - {name: STEMSVC_IDLE_EXIT_SECONDS, value: {{ dig "keda" "idle" 60 $pool | quote }}}
        {{- end }}
        {{- with include "stemsvc.moreEnv" $with }}
        {{- . | nindent 8 }}
        {{- end }}
      ports:
        - {name: figures, containerPort: 9090}
      startupProbe:
        exec: {command: [test, -e, /var/lib/stemsvc/alive]}
        periodSeconds: 5
        failureThreshold: 60
      {{- include "stemsvc.liveness" $root | nindent 6 }}
      # ready: the worker takes jobs. A stopping worker is alive, but not ready.
      readinessProbe:
        exec: {command: [test, -e, /var/lib/stemsvc/ready]}
        periodSeconds: 10
      securityContext:
        {{- include "stemsvc.container" $given | nindent 8 }}
      resources:
        {{- toYaml $pool.resources | nindent 8 }}
      volumeMounts:
        {{- include "stemsvc.mounts" $with | nindent 8 }}
        - {name: weights, mountPath: /var/cache/stemsvc}
  volumes:
    {{- include "stemsvc.volumes" (dict "root" $root "given" $given "space" (default "20Gi" $pool.scratch)) | nindent 4 }}
    - name: weights
      {{- $volume | nindent 6 }}
{{- end }}

{{/* What KEDA counts for a pool. */}}
{{- define "stemsvc.trigger" -}}
triggers:
  - type: metrics-api
    metadata:
      url: http://{{ include "stemsvc.fullname" .root }}-api.{{ .root.Release.Namespace }}.svc/v1/pools/{{ .pool.name }}
      # jobs that wait or run, so that a busy pool does not look idle
      valueLocation: jobs
      targetValue: {{ default 2 .pool.concurrency | quote }}
      authMode: bearer
    authenticationRef:
      name: {{ include "stemsvc.fullname" .root }}-autoscaler
{{- end }}
