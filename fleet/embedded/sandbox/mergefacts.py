"""How values of the built-in types are merged, and what is owned as a whole."""

from __future__ import annotations

from fleet.embedded.sandbox.facts import by_model

# Lists that are merged item by item, and the fields that tell items apart. All other lists but
# SETS are replaced as a whole.
LIST_KEYS = by_model("""
V1APIServiceStatus conditions:type
V1AllocatedDeviceStatus conditions:type
V1CSINodeSpec drivers:name
V1CSINodeStatus storageHealth:name
V1CertificateSigningRequestStatus conditions:type
V1ComponentStatus conditions:type
V1Container env:name ports:containerPort,protocol volumeDevices:devicePath volumeMounts:mountPath
V1ContainerStatus allocatedResourcesStatus:name volumeMounts:mountPath
V1CustomResourceDefinitionStatus conditions:type
V1DaemonSetStatus conditions:type
V1DeploymentStatus conditions:type
V1DeviceTaintRuleStatus conditions:type
V1EphemeralContainer env:name ports:containerPort,protocol volumeDevices:devicePath
V1EphemeralContainer volumeMounts:mountPath
V1FlowSchemaStatus conditions:type
V1JSONSchemaProps x-kubernetes-validations:rule
V1JobSchedulingConfiguration resourceClaims:name
V1MutatingAdmissionPolicySpec matchConditions:name
V1MutatingWebhook matchConditions:name
V1MutatingWebhookConfiguration webhooks:name
V1NamespaceStatus conditions:type
V1NodeAllocatableResourceClaimStatus mapping:name overhead:name
V1NodeStatus addresses:type conditions:type
V1ObjectMeta ownerReferences:uid
V1PersistentVolumeClaimStatus conditions:type
V1PodCertificateRequestStatus conditions:type
V1PodDisruptionBudgetStatus conditions:type
V1PodSpec containers:name ephemeralContainers:name evictionResponders:name hostAliases:ip
V1PodSpec imagePullSecrets:name initContainers:name resourceClaims:name schedulingGates:name
V1PodSpec topologySpreadConstraints:topologyKey,whenUnsatisfiable volumes:name
V1PodStatus conditions:type nodeAllocatableResourceClaimStatuses:resourceClaimName podIPs:ip
V1PodStatus resourceClaimStatuses:name volumeHealth:name
V1PodVolumeHealth healthConditions:status,reason
V1PriorityLevelConfigurationStatus conditions:type
V1ReplicaSetStatus conditions:type
V1ReplicationControllerStatus conditions:type
V1ResourceClaimStatus devices:driver,device,pool,shareID reservedFor:uid
V1ResourceRequirements claims:name
V1ResourceStatus resources:resourceID
V1ServiceAccount secrets:name
V1ServiceCIDRStatus conditions:type
V1ServiceSpec ports:port,protocol
V1ServiceStatus conditions:type
V1StatefulSetStatus conditions:type
V1StorageVersionMigrationStatus conditions:type
V1ValidatingAdmissionPolicySpec matchConditions:name variables:name
V1ValidatingAdmissionPolicyStatus conditions:type
V1ValidatingWebhook matchConditions:name
V1ValidatingWebhookConfiguration webhooks:name
V1VolumeHealthStatus healthConditions:status,reason
V2HorizontalPodAutoscalerStatus conditions:type
""")

# Lists of scalars that are merged value by value.
SETS = by_model("""
V1CSIDriverSpec volumeLifecycleModes
V1ContainerRestartRuleOnExitCodes values
V1DeviceRequestAllocationResult skipNodeOperations
V1Endpoint addresses
V1NodeAllocatableResourceClaimStatus containers
V1NodePodPreemptionPolicy disableResizePreemption
V1NodeSpec podCIDRs
V1NonResourcePolicyRule nonResourceURLs verbs
V1ObjectMeta finalizers
V1PodFailurePolicyOnExitCodesRequirement values
V1ResourcePolicyRule apiGroups namespaces resources verbs
V1ResourceSliceSpec skipNodeOperations
V1UncountedTerminatedPods failed succeeded
V1ValidatingAdmissionPolicyBindingSpec validationActions
V1VolumeMount bindMountOptions
""")

# Objects that are owned and replaced as a whole, wherever they stand.
ATOMIC_MODELS = by_model("""
CoreV1EndpointPort
DiscoveryV1EndpointPort
RbacV1Subject
V1ConfigMapKeySelector
V1CrossVersionObjectReference
V1EndpointAddress
V1EvictionResponder
V1FileKeySelector
V1LabelSelector
V1LocalObjectReference
V1MatchResources
V1NamedRuleWithOperations
V1NodeSelector
V1NodeSelectorTerm
V1ObjectFieldSelector
V1ObjectReference
V1OwnerReference
V1ParamKind
V1ParamRef
V1ResourceFieldSelector
V1RoleRef
V1ScopeSelector
V1SecretKeySelector
V1SecretReference
V1ServiceBackendPort
V1TopologySelectorTerm
V1TypedLocalObjectReference
V1Variable
""")

# Maps that are owned and replaced as a whole.
ATOMIC_FIELDS = by_model("""
V1PodSpec nodeSelector
V1ReplicationControllerSpec selector
V1Scheduling nodeSelector
V1ServiceSpec selector
""")

# Fields of an atomic model that are owned field by field all the same.
GRANULAR_FIELDS = by_model("""
V1PersistentVolumeSpec claimRef
""")

# Fields that hold any object and are owned as a whole.
RAW = by_model("""
V1AllocatedDeviceStatus data
V1ControllerRevision data
V1OpaqueDeviceConfiguration parameters
V1WatchEvent object
""")

# Lists of LIST_KEYS and SETS, and objects, that a strategic merge patch replaces.
REPLACED_BY_PATCH = by_model("""
V1AllocatedDeviceStatus conditions
V1CSIDriverSpec volumeLifecycleModes
V1CertificateSigningRequestStatus conditions
V1ContainerRestartRuleOnExitCodes values
V1CustomResourceDefinitionStatus conditions
V1DeviceRequestAllocationResult skipNodeOperations
V1Endpoint addresses
V1NodeAllocatableResourceClaimStatus containers
V1NodePodPreemptionPolicy disableResizePreemption
V1NonResourcePolicyRule nonResourceURLs verbs
V1PodDisruptionBudgetSpec selector
V1PodFailurePolicyOnExitCodesRequirement values
V1PodStatus volumeHealth
V1ResourceClaimStatus devices
V1ResourcePolicyRule apiGroups namespaces resources verbs
V1ResourceRequirements claims
V1ResourceSliceSpec skipNodeOperations
V1ResourceStatus resources
V1UncountedTerminatedPods failed succeeded
V1ValidatingAdmissionPolicyBindingSpec validationActions
V1ValidatingAdmissionPolicyStatus conditions
V1VolumeMount bindMountOptions
""")

# Lists that a strategic merge patch merges by a key, though an apply replaces them.
MERGED_BY_PATCH = by_model("""
V1JobStatus conditions:type
V1PodStatus hostIPs:ip
""")
