{{- define "edge.fullname" -}}
{{- default .Release.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- define "edge.serviceAccount" -}}{{ include "edge.fullname" . }}-controller{{- end -}}
{{- define "edge.image" -}}
{{- $image := .Values.controller.image -}}
{{- $tag := $image.tag | default .Chart.AppVersion -}}
{{- printf "%s/%s:%s" .Values.global.imageRegistry $image.repository $tag -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}
{{- define "edge.hpaApi" -}}
{{- if .Capabilities.APIVersions.Has "autoscaling/v2/HorizontalPodAutoscaler" -}}autoscaling/v2
{{- else -}}autoscaling/v1{{- end -}}
{{- end -}}
