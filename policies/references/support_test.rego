package gitops.references_test

# One Application that renders `objects` in namespace grid.
world(objects) := worlds([objects])

# One Application for each list of objects, all in namespace grid.
worlds(lists) := {"all": {"projects": [], "secrets": [], "applications": [{
	"key": sprintf("argocd/a%d", [i]),
	"file": "apps.yaml",
	"line": 1,
	"manifest": {"metadata": {"name": sprintf("a%d", [i])}, "spec": {"destination": {"namespace": "grid"}}},
	"objects": objects,
} |
	some i, objects in lists
]}}

thing(api_version, kind, name, more) := object.union(
	{"apiVersion": api_version, "kind": kind, "metadata": {"name": name}},
	more,
)

web(spec) := web_of(1, spec)

web_of(replicas, spec) := thing("apps/v1", "Deployment", "web", {"spec": {
	"replicas": replicas,
	"template": {"metadata": {"labels": {"app": "web"}}, "spec": spec},
}})

plain := {"containers": [{"name": "a", "ports": [{"name": "http", "containerPort": 8080}]}]}

service(spec) := thing("v1", "Service", "web", {
	"metadata": {"labels": {"app": "web"}},
	"spec": object.union({"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}, spec),
})

# Somebody in the namespace may make what is not seen.
operator := thing("databases.example.com/v1", "Cluster", "c", {"spec": {}})

messages(hits) := {hit.msg | some hit in hits}
