{{/*
Rules of network policies, each a list in YAML. A rule without peers is left out: to Kubernetes an empty `from` or `to`
is not nobody, but everybody.
*/}}

{{/* A selector of the pods of some of our components. */}}
{{- define "stemsvc.podsOf" -}}
matchLabels:
  {{- include "stemsvc.selector" (dict "root" .root) | nindent 2 }}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: In, values: {{ toJson .components }}}
{{- end }}

{{- define "stemsvc.namespaces" -}}
{{- $peers := list -}}
{{- range . }}{{ $peers = append $peers (dict "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" .))) }}{{ end -}}
{{- toYaml $peers -}}
{{- end }}

{{/* Who is in front of us: the ingress controller, by its namespace or its addresses. */}}
{{- define "stemsvc.outside" -}}
{{- $peers := include "stemsvc.namespaces" .Values.networkPolicy.ingressNamespaces | fromYamlArray -}}
{{- range .Values.networkPolicy.ingressRanges }}{{ $peers = append $peers (dict "ipBlock" (dict "cidr" .)) }}{{ end -}}
{{- toYaml $peers -}}
{{- end }}

{{- define "stemsvc.toApi" -}}
{{- $rules := include "stemsvc.toFigures" . | fromYamlArray -}}
{{- $callers := concat (include "stemsvc.outside" . | fromYamlArray) (include "stemsvc.namespaces" .Values.networkPolicy.monitoringNamespaces | fromYamlArray) | uniq -}}
{{- with $callers }}{{ $rules = append $rules (dict "from" . "ports" (list (dict "port" 8080))) }}{{ end -}}
{{- $rules = concat $rules (include "stemsvc.toOurs" (dict "root" . "components" (list "test") "port" 8080) | fromYamlArray) -}}
{{- toYaml $rules -}}
{{- end }}

{{- define "stemsvc.toFlower" -}}
{{- $rules := list -}}
{{- with include "stemsvc.outside" . | fromYamlArray }}{{ $rules = append $rules (dict "from" . "ports" (list (dict "port" 5555))) }}{{ end -}}
{{- toYaml $rules -}}
{{- end }}

{{- define "stemsvc.toFigures" -}}
{{- $rules := list -}}
{{- with include "stemsvc.namespaces" .Values.networkPolicy.monitoringNamespaces | fromYamlArray -}}
{{- $rules = append $rules (dict "from" . "ports" (list (dict "port" 9090))) -}}
{{- end -}}
{{- toYaml $rules -}}
{{- end }}

{{- define "stemsvc.toOurs" -}}
{{- $peer := dict "podSelector" (include "stemsvc.podsOf" . | fromYaml) -}}
{{- toYaml (list (dict "from" (list $peer) "ports" (list (dict "port" .port)))) -}}
{{- end }}

{{/* The peers of the public internet, without the cluster's own ranges. */}}
{{- define "stemsvc.internet" -}}
{{- $peers := list -}}
{{- range $peer := .Files.Get "files/public.yaml" | fromYamlArray -}}
{{- $cidr := $peer.ipBlock.cidr -}}
{{- $except := $peer.ipBlock.except -}}
{{- range $.Values.networkPolicy.egress.clusterRanges -}}
{{- $parts := splitList "/" . -}}
{{- if contains ":" . -}}
{{- if and (eq $cidr "2000::/3") (regexMatch "^[23][0-9a-fA-F]{3}:" .) }}{{ $except = append $except . }}{{ end -}}
{{- else if eq $cidr "0.0.0.0/0" -}}
{{- $except = append $except . -}}
{{- else if eq $cidr "64:ff9b::/96" -}}
{{- $except = append $except (printf "64:ff9b::%s/%d" (first $parts) (add 96 (last $parts | int))) -}}
{{- end -}}
{{- end -}}
{{- $peers = append $peers (dict "ipBlock" (dict "cidr" $cidr "except" (uniq $except))) -}}
{{- end -}}
{{- toYaml $peers -}}
{{- end }}

{{- define "stemsvc.ports" -}}
{{- $ports := list -}}
{{- range . }}{{ $ports = append $ports (dict "port" (int .)) }}{{ end -}}
{{- toYaml $ports -}}
{{- end }}

{{/*
The rules for a URL of the values: its address, or the namespace that its name in the cluster has, or the internet. In a
namespace every port is open: a policy counts the port of a pod, which need not be that of its Service.
*/}}
{{- define "stemsvc.toUrl" -}}
{{- $url := urlParse .url -}}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary "80" "443" (eq $url.scheme "http")) -}}
{{- $ports := include "stemsvc.ports" (list $port) | fromYamlArray -}}
{{- $labels := splitList "." (trimSuffix "." $url.hostname) -}}
{{- $rules := list -}}
{{- if contains ":" $url.hostname -}}
{{- $rules = append $rules (dict "to" (list (dict "ipBlock" (dict "cidr" (printf "%s/128" $url.hostname)))) "ports" $ports) -}}
{{- else if regexMatch "^[0-9]+([.][0-9]+){3}$" $url.hostname -}}
{{- $rules = append $rules (dict "to" (list (dict "ipBlock" (dict "cidr" (printf "%s/32" $url.hostname)))) "ports" $ports) -}}
{{- else if eq (len $labels) 1 -}}
{{- $rules = append $rules (dict "to" (list (dict "podSelector" dict))) -}}
{{- else -}}
{{- $service := eq (index (append $labels "") 2) "svc" -}}
{{- if or $service (eq (len $labels) 2) -}}
{{- $rules = append $rules (dict "to" (include "stemsvc.namespaces" (list (index $labels 1)) | fromYamlArray)) -}}
{{- end -}}
{{- if not $service }}{{ $rules = append $rules (dict "to" (include "stemsvc.internet" .root | fromYamlArray) "ports" $ports) }}{{ end -}}
{{- end -}}
{{- toYaml $rules -}}
{{- end }}

{{/* A part of stemsvc that runs here, or the peers and ports at which it is outside. */}}
{{- define "stemsvc.toPart" -}}
{{- $to := concat .outside.to (include "stemsvc.internet" .root | fromYamlArray) -}}
{{- $ports := .outside.ports -}}
{{- if .internal -}}
{{- $to = list (dict "podSelector" (dict "matchLabels" (include "stemsvc.selector" (dict "root" .root "component" .component) | fromYaml))) -}}
{{- $ports = list .port -}}
{{- end -}}
{{- $rule := dict "to" $to -}}
{{- with include "stemsvc.ports" $ports | fromYamlArray }}{{ $_ := set $rule "ports" . }}{{ end -}}
{{- toYaml (list $rule) -}}
{{- end }}

{{/* What a component that has the `needs` may call. */}}
{{- define "stemsvc.egress" -}}
{{- $values := .root.Values -}}
{{- $egress := $values.networkPolicy.egress -}}
{{- $internet := include "stemsvc.internet" .root | fromYamlArray -}}
{{- $rules := list -}}
{{- if .needs -}}
{{- with $egress.dns -}}
{{- $rules = append $rules (dict "to" . "ports" (list (dict "port" 53 "protocol" "UDP") (dict "port" 53 "protocol" "TCP"))) -}}
{{- end -}}
{{- end -}}
{{- if has "store" .needs -}}
{{- $rules = concat $rules (include "stemsvc.toPart" (dict "root" .root "internal" $values.database.internal "component" "postgres" "port" 5432 "outside" $egress.database) | fromYamlArray) -}}
{{- end -}}
{{- if has "api" .needs -}}
{{- $rules = concat $rules (include "stemsvc.toPart" (dict "root" .root "internal" true "component" "api" "port" 8080 "outside" $egress.broker) | fromYamlArray) -}}
{{- end -}}
{{- if has "broker" .needs -}}
{{- $rules = concat $rules (include "stemsvc.toPart" (dict "root" .root "internal" $values.broker.internal "component" "redis" "port" 6379 "outside" $egress.broker) | fromYamlArray) -}}
{{- end -}}
{{- if has "storage" .needs -}}
{{- $rules = concat $rules (include "stemsvc.toUrl" (dict "root" .root "url" (default "https://s3.amazonaws.com" $values.storage.endpointUrl)) | fromYamlArray) $egress.more -}}
{{- with $values.proxy.url }}{{ $rules = concat $rules (include "stemsvc.toUrl" (dict "root" $.root "url" .) | fromYamlArray) }}{{ end -}}
{{- if not (or $values.secrets.s3Keys (has "internet" .needs)) -}}
{{- with $egress.identity }}{{ $rules = append $rules (dict "to" .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if and (has "traces" .needs) $values.tracing.endpoint -}}
{{- $rules = concat $rules (include "stemsvc.toUrl" (dict "root" .root "url" $values.tracing.endpoint) | fromYamlArray) -}}
{{- end -}}
{{- if and (has "weights" .needs) (ne (index $values.settings "STEMSVC_OFFLINE" | toString) "true") -}}
{{- $rules = append $rules (dict "to" $internet "ports" (include "stemsvc.ports" (list 443) | fromYamlArray)) -}}
{{- end -}}
{{- if has "internet" .needs -}}
{{- $rules = append $rules (dict "to" $internet) -}}
{{- range splitList "," (index $values.settings "STEMSVC_ALLOWED_NETWORKS" | default "" | toString) -}}
{{- with trim . -}}
{{- $cidr := contains "/" . | ternary . (printf "%s/%s" . (contains ":" . | ternary "128" "32")) -}}
{{- $rules = append $rules (dict "to" (list (dict "ipBlock" (dict "cidr" $cidr)))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml (uniq $rules) -}}
{{- end }}
