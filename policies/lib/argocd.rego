# METADATA
# description: Argo CD's own objects, as files of the repository have them and as Applications render them.
package gitops.lib.argocd

import data.gitops.lib.cluster

# Each of them: {object, file, line, entry}; `entry` is null for one that only a file has. One that an Application
# renders from a file is taken once, from the file.
all_of_them := array.concat(array.concat(declared, rendered), known_projects)

declared := [found |
	some each in input.all.declared
	found := {"object": each.manifest, "file": each.file, "line": object.get(each, "line", 0), "entry": null}
]

rendered := [found |
	some entry in cluster.entries
	ours(entry.object)
	not identity(entry.object) in identities(declared)
	found := {"object": entry.object, "file": "", "line": 0, "entry": entry}
]

known_projects := [found |
	some project in input.all.projects
	not identity(project) in identities(array.concat(declared, rendered))
	found := {"object": project, "file": "", "line": 0, "entry": null}
]

identities(found) := {identity(each.object) | some each in found}

identity(manifest) := [manifest.kind, manifest.metadata.name]

ours(manifest) if {
	manifest.kind in {"AppProject", "ApplicationSet"}
	startswith(manifest.apiVersion, "argoproj.io/")
}

ours(manifest) if {
	manifest.kind == "ConfigMap"
	manifest.metadata.name in {"argocd-cm", "argocd-rbac-cm"}
}

of_kind(kind) := [each | some each in all_of_them; each.object.kind == kind]

config_maps(name) := [each | some each in of_kind("ConfigMap"); each.object.metadata.name == name]

title(each) := concat(" ", [each.object.kind, concat("/", [part |
	some part in [object.get(each.object.metadata, "namespace", ""), each.object.metadata.name]
	part != ""
])])

# A finding in one of them; `pointer` is one into the object.
hit(each, pointer, said) := cluster.hit(each.entry, pointer, said) if each.entry

hit(each, _, said) := {
	"msg": sprintf("%s: %s", [title(each), said]),
	"resource": title(each),
	"file": each.file,
	"line": each.line,
} if {
	each.entry == null
}
