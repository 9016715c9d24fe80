package gitops.references

import data.gitops.lib.cluster
import data.gitops.lib.grouping

# What a Pod takes from ConfigMaps and Secrets: {pod, type, name, key, pointer}; "" is every key. What is optional is not
# asked for, nor is what a hook uses, which may be there before anything else.
wanted := [want |
	some n, pod in cluster.pods
	not hooked(pod.entry.object)
	some taken in uses[n]
	want := object.union(taken, {"pod": pod, "number": n})
]

hooked(manifest) if manifest.metadata.annotations["helm.sh/hook"]

hooked(manifest) if manifest.metadata.annotations["argocd.argoproj.io/hook"]

uses := {n: taken |
	some n, pod in cluster.pods
	taken := array.concat(of_containers(pod), of_volumes(pod))
}

of_containers(pod) := [taken |
	some container in cluster.pod_containers(pod)
	some found in array.concat(of_env(container), of_env_from(container))
	not found.optional == true
	taken := found
]

of_env(container) := [taken |
	some i, variable in container.spec.env
	some field, type in {"configMapKeyRef": "/ConfigMap", "secretKeyRef": "/Secret"}
	reference := variable.valueFrom[field]
	taken := {
		"type": type,
		"name": reference.name,
		"keys": [reference.key],
		"optional": object.get(reference, "optional", false),
		"pointer": sprintf("%s/env/%d", [container.pointer, i]),
	}
]

of_env_from(container) := [taken |
	some i, source in container.spec.envFrom
	some field, type in {"configMapRef": "/ConfigMap", "secretRef": "/Secret"}
	reference := source[field]
	taken := {
		"type": type,
		"name": reference.name,
		"keys": [],
		"optional": object.get(reference, "optional", false),
		"pointer": sprintf("%s/envFrom/%d", [container.pointer, i]),
	}
]

of_volumes(pod) := [taken |
	some i, volume in pod.spec.volumes
	some found in of_volume(volume)
	not object.get(found.source, "optional", false) == true
	taken := {
		"type": found.type,
		"name": found.name,
		"keys": [item.key | some item in object.get(found.source, "items", [])],
		"optional": false,
		"pointer": sprintf("%s/volumes/%d", [pod.pointer, i]),
	}
]

of_volume(volume) := array.concat(
	[found |
		some source in array.concat([volume], object.get(volume, ["projected", "sources"], []))
		found := {"type": "/ConfigMap", "name": source.configMap.name, "source": source.configMap}
	],
	array.concat(
		[{"type": "/Secret", "name": volume.secret.secretName, "source": volume.secret} | volume.secret.secretName],
		[{"type": "/Secret", "name": source.secret.name, "source": source.secret} |
			some source in object.get(volume, ["projected", "sources"], [])
		],
	),
)

# METADATA
# title: ConfigMap that is not there
# description: |
#   A Pod takes a ConfigMap that no Application renders in its cluster and namespace: its containers do not start. It may
#   be made outside the repository, so this is a warning; the names that Kubernetes itself makes are left alone.
# scope: document
# custom:
#   rule: configmap-missing
#   subject: repository
#   severity: warning
#   help: Correct the name, add the ConfigMap, or mark the reference optional.
configmap_missing contains hit if {
	some id, pointers in absent
	[n, "/ConfigMap", name] = id
	not name in {"kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"}
	entry := cluster.pods[n].entry
	hit := cluster.hit(entry, min(object.keys(pointers)), sprintf(
		"expected ConfigMap %q in namespace %q, saw none",
		[name, entry.place[1]],
	))
}

# METADATA
# title: Secret that nothing here makes
# description: |
#   A Pod takes a Secret that no Application renders and that no SealedSecret, ExternalSecret, Certificate or other
#   custom object of its namespace names. Most Secrets are made by hand or by a vault, so this is told for completeness.
# scope: document
# custom:
#   rule: secret-missing
#   subject: repository
#   severity: info
#   help: Correct the name if it is a slip; otherwise say in the README who makes the Secret.
secret_missing contains hit if {
	some id, pointers in absent
	[n, "/Secret", name] = id
	entry := cluster.pods[n].entry
	not secret_makers[[entry.place, name]]
	hit := cluster.hit(entry, min(object.keys(pointers)), sprintf(
		"expected Secret %q in namespace %q or something that makes it, saw neither",
		[name, entry.place[1]],
	))
}

# What is not there, once for each workload, with the places that ask for it.
absent := grouping.of([[[want.number, want.type, want.name], want.pointer] |
	some want in wanted
	want.pod.entry.place in cluster.seen
	want.name != ""
	not cluster.exists(want.type, want.pod.entry.place, want.name)
])

secret_makers := {[entry.place, name] |
	some entry in cluster.entries
	some name in secrets_of(entry)
}

default secrets_of(_) := set()

# Custom objects say in many fields which Secret they make; every text in their spec and their own name count.
secrets_of(entry) := {entry.name} | {text | walk(entry.object.spec, [_, text]); is_string(text)} if {
	not cluster.builtin(split(entry.type, "/")[0])
}

# cert-manager makes the Secrets that an annotated Ingress names.
secrets_of(entry) := {name | some tls in entry.object.spec.tls; name := tls.secretName} if {
	entry.type == "networking.k8s.io/Ingress"
}

# METADATA
# title: Key that its ConfigMap or Secret does not have
# description: |
#   A Pod asks for a key of a ConfigMap or Secret that is rendered without it: the container does not start
#   (CreateContainerConfigError), or the volume is not mounted. What is rendered without any key is filled by somebody
#   else and is left alone; the keys that OpenShift adds where it is asked to count too.
# scope: document
# custom:
#   rule: config-key-missing
#   subject: repository
#   severity: error
#   help: Correct the key, add it to the ConfigMap or Secret, or mark the reference optional.
config_key_missing contains hit if {
	some want in wanted
	count(want.keys) > 0
	found := cluster.named(want.type, want.pod.entry.place, want.name)
	every entry in found {
		not filled_elsewhere(entry.object)
	}
	having := {key | some entry in found; some key in (keys_of(entry.object) | injected(entry.object))}
	count(found) > 0
	some key in want.keys
	not key in having
	hit := cluster.hit(want.pod.entry, want.pointer, sprintf(
		"expected key %q in %s, saw %s",
		[key, cluster.title(found[0]), spoken(having)],
	))
}

keys_of(manifest) := {key | some field in ["data", "stringData", "binaryData"]; some key, _ in manifest[field]}

# What OpenShift's operators add (cluster-network-operator: TRUSTED_CA_BUNDLE_CONFIGMAP_LABEL; service-ca-operator:
# InjectCABundleAnnotationName).
injected(manifest) := {key |
	some [field, mark, key] in [
		["labels", "config.openshift.io/inject-trusted-cabundle", "ca-bundle.crt"],
		["annotations", "service.alpha.openshift.io/inject-cabundle", "service-ca.crt"],
		["annotations", "service.beta.openshift.io/inject-cabundle", "service-ca.crt"],
	]
	manifest.metadata[field][mark] == "true"
}

filled_elsewhere(manifest) if count(keys_of(manifest)) == 0

filled_elsewhere(manifest) if object.get(manifest, "type", "Opaque") in {"kubernetes.io/service-account-token"}

default spoken(_) := "none"

spoken(texts) := concat(", ", sort(texts)) if count(texts) > 0

# METADATA
# title: Claim that is not there
# description: |
#   A Pod mounts a PersistentVolumeClaim that no Application renders in its cluster and namespace, nor a StatefulSet
#   makes: the Pod stays Pending. The claim may be made outside the repository, so this is a warning.
# scope: document
# custom:
#   rule: claim-missing
#   subject: repository
#   severity: warning
#   help: Correct claimName, or add the PersistentVolumeClaim.
claim_missing contains hit if {
	some pod in cluster.pods
	some i, volume in pod.spec.volumes
	name := volume.persistentVolumeClaim.claimName
	pod.entry.place in cluster.seen
	not cluster.exists("/PersistentVolumeClaim", pod.entry.place, name)
	not of_stateful_set(pod.entry.place, name)
	hit := cluster.hit(pod.entry, sprintf("%s/volumes/%d", [pod.pointer, i]), sprintf(
		"expected PersistentVolumeClaim %q in namespace %q, saw none",
		[name, pod.entry.place[1]],
	))
}

# "data-web-0" is made by StatefulSet web with a claim template data.
of_stateful_set(place, name) if [place, regex.replace(name, `-[0-9]+$`, "")] in templated_claims

templated_claims := {[entry.place, sprintf("%s-%s", [template.metadata.name, entry.name])] |
	some entry in cluster.of_type("apps/StatefulSet")
	some template in entry.object.spec.volumeClaimTemplates
}
