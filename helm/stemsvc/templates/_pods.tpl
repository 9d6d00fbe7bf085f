{{/*
What the values say of pods beside the chart's own, in one place for every component: `pod` of the values is for all of
them, `pod` of a component lies over it. Maps are merged and lists are joined; an affinity, a spread over nodes or a class
of priority of the component takes the place of that of all. Callers give `root` and `own`, and parse the YAML.
*/}}
{{- define "stemsvc.given" -}}
{{- $all := .root.Values.pod -}}
{{- $own := default dict .own -}}
{{- $made := dict -}}
{{- range $name := list "labels" "annotations" "nodeSelector" "securityContext" "containerSecurityContext" -}}
{{- $_ := set $made $name (mergeOverwrite (deepCopy (default dict (get $all $name))) (deepCopy (default dict (get $own $name)))) -}}
{{- end -}}
{{- range $name := list "tolerations" "hostAliases" "extraEnv" "extraEnvFrom" "extraVolumes" "extraVolumeMounts" "extraInitContainers" -}}
{{- $_ := set $made $name (concat (default list (get $all $name)) (default list (get $own $name))) -}}
{{- end -}}
{{- range $name := list "affinity" "topologySpreadConstraints" "priorityClassName" "schedulerName" "dnsPolicy" "dnsConfig" -}}
{{- $_ := set $made $name (default (get $all $name) (get $own $name)) -}}
{{- end -}}
{{- toYaml $made -}}
{{- end }}

{{/* What a pool says of its pods: its field `pod`, and the same fields beside it, which came first. */}}
{{- define "stemsvc.poolGiven" -}}
{{- $pool := .pool -}}
{{- $own := deepCopy (default dict $pool.pod) -}}
{{- range $name := list "nodeSelector" "affinity" -}}
{{- with get $pool $name }}{{ $_ := set $own $name (mergeOverwrite (deepCopy (default dict (get $own $name))) .) }}{{ end -}}
{{- end -}}
{{- range $name := list "tolerations" "extraEnv" "extraVolumes" "extraVolumeMounts" -}}
{{- $_ := set $own $name (concat (default list (get $own $name)) (default list (get $pool $name))) -}}
{{- end -}}
{{- include "stemsvc.given" (dict "root" .root "own" $own) -}}
{{- end }}

{{/* Where a pod may run, and what it knows of names. A constraint of the spread without a selector counts the pods of the component (`labels`). */}}
{{- define "stemsvc.placement" -}}
{{- $placed := dict -}}
{{- range $name := list "nodeSelector" "tolerations" "affinity" "priorityClassName" "schedulerName" "hostAliases" "dnsPolicy" "dnsConfig" -}}
{{- with get $.given $name }}{{ $_ := set $placed $name . }}{{ end -}}
{{- end -}}
{{- $spread := list -}}
{{- range $each := default (default list .spread) .given.topologySpreadConstraints -}}
{{- if not (hasKey $each "labelSelector") -}}
{{- $each = merge (dict "labelSelector" (dict "matchLabels" (include "stemsvc.selector" $.labels | fromYaml))) $each -}}
{{- end -}}
{{- $spread = append $spread $each -}}
{{- end -}}
{{- with $spread }}{{ $_ := set $placed "topologySpreadConstraints" . }}{{ end -}}
{{- with $placed }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/* What a pod may not do: `user` and `group` are those of its image. */}}
{{- define "stemsvc.podSecurity" -}}
{{- $own := dict "runAsNonRoot" true "runAsUser" (int .user) "runAsGroup" (int .group) "fsGroup" (int .group) "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (mergeOverwrite $own .given.securityContext) -}}
{{- end }}

{{- define "stemsvc.container" -}}
{{- $own := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- toYaml (mergeOverwrite $own .containerSecurityContext) -}}
{{- end }}

{{/* What all our pods have: the user that they run as, what they may not do, and where they may run. */}}
{{- define "stemsvc.pod" -}}
serviceAccountName: {{ include "stemsvc.serviceAccount" .root | toYaml }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ toYaml . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "stemsvc.podSecurity" (dict "user" 10001 "group" 10001 "given" .given) | nindent 2 }}
{{- with include "stemsvc.placement" . }}
{{ . }}
{{- end }}
{{- end }}

{{/* Variables of our containers that the values add: roots of certificates, proxies, and any other. */}}
{{- define "stemsvc.moreEnv" -}}
{{- $made := list -}}
{{- if .root.Values.certificates.configMap -}}
{{- range $name := list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" "AWS_CA_BUNDLE" "PGSSLROOTCERT" -}}
{{- $made = append $made (dict "name" $name "value" "/etc/stemsvc-certificates/roots.pem") -}}
{{- end -}}
{{- end -}}
{{- with .root.Values.proxy.url -}}
{{- $inside := list "localhost" "127.0.0.1" ".svc" ".cluster.local" (printf "%s-api" (include "stemsvc.fullname" $.root)) -}}
{{- $without := concat $inside $.root.Values.proxy.without | join "," -}}
{{- range $name := list "HTTP_PROXY" "HTTPS_PROXY" "http_proxy" "https_proxy" }}{{ $made = append $made (dict "name" $name "value" $.root.Values.proxy.url) }}{{ end -}}
{{- range $name := list "NO_PROXY" "no_proxy" }}{{ $made = append $made (dict "name" $name "value" $without) }}{{ end -}}
{{- end -}}
{{- with concat $made (default list .given.extraEnv) }}{{ toYaml . }}{{ end -}}
{{- end }}

{{- define "stemsvc.moreMounts" -}}
{{- $made := list -}}
{{- if .root.Values.certificates.configMap -}}
{{- $made = append $made (dict "name" "certificates" "mountPath" "/etc/stemsvc-certificates" "readOnly" true) -}}
{{- end -}}
{{- with concat $made (default list .given.extraVolumeMounts) }}{{ toYaml . }}{{ end -}}
{{- end }}

{{- define "stemsvc.moreVolumes" -}}
{{- $made := list -}}
{{- with .root.Values.certificates -}}
{{- if .configMap -}}
{{- $item := dict "key" .key "path" "roots.pem" -}}
{{- $made = append $made (dict "name" "certificates" "configMap" (dict "name" .configMap "items" (list $item))) -}}
{{- end -}}
{{- end -}}
{{- with concat $made (default list .given.extraVolumes) }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/* Fail where the values give a variable, a volume or a path that the pod has already, or a mount without its volume. */}}
{{- define "stemsvc.checkGiven" -}}
{{- $env := .env -}}
{{- range concat (include "stemsvc.moreEnv" (dict "root" .root "given" (dict "extraEnv" list)) | fromYamlArray) (default list .given.extraEnv) }}{{ $env = append $env .name }}{{ end -}}
{{- include "stemsvc.once" (dict "list" $env "what" (printf "%s: extraEnv" .where)) -}}
{{- $volumes := concat (list "data" "tmp" "config" "secrets" "certificates") .volumes -}}
{{- range .given.extraVolumes }}{{ $volumes = append $volumes .name }}{{ end -}}
{{- include "stemsvc.once" (dict "list" $volumes "what" (printf "%s: extraVolumes" .where)) -}}
{{- $paths := concat (list "/var/lib/stemsvc" "/tmp" "/etc/stemsvc" "/etc/stemsvc-certificates" (include "stemsvc.secretsDir" .root)) .paths -}}
{{- range .given.extraVolumeMounts -}}
{{- if not (has .name $volumes) }}{{ fail (printf "%s: extraVolumeMounts: no volume is called %s" $.where .name) }}{{ end -}}
{{- $paths = append $paths .mountPath -}}
{{- end -}}
{{- include "stemsvc.once" (dict "list" $paths "what" (printf "%s: extraVolumeMounts" .where)) -}}
{{- end }}
