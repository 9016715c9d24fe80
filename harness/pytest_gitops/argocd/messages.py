"""The repo-server's gRPC messages: the fields that we send and read, as Argo CD 3.6 numbers them.

The numbers are those of `reposerver/repository/repository.proto` and
`pkg/apis/application/v1alpha1/generated.proto`; whatever is not listed here is not sent.
The only importer of protobuf.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

# name: type number; `*` after the type means repeated, `map` means map<string, TYPE>.
FIELDS: dict[str, str] = {
    "ManifestRequest": """
        repo:Repository 1; revision:string 2; noCache:bool 3; appLabelKey:string 4; appName:string 5;
        namespace:string 8; applicationSource:ApplicationSource 10; repos:Repository* 11;
        kubeVersion:string 14; apiVersions:string* 15; helmRepoCreds:RepoCreds* 17; noRevisionCache:bool 18;
        trackingMethod:string 19; enabledSourceTypes:map-bool 20; helmOptions:HelmOptions 21;
        hasMultipleSources:bool 22; refSources:map-RefTarget 23; projectSourceRepos:string* 24;
        projectName:string 25; kustomizeOptions:KustomizeOptions 13; installationID:string 27""",
    "ManifestResponse": """
        manifests:string* 1; namespace:string 2; server:string 3; revision:string 4; sourceType:string 6;
        commands:string* 8""",
    "Repository": """
        repo:string 1; sshPrivateKey:string 4; insecure:bool 7; type:string 11; name:string 12; enableOCI:bool 14""",
    "RepoCreds": "url:string 1; sshPrivateKey:string 4; type:string 12",
    "RefTarget": "repo:Repository 1; targetRevision:string 2; chart:string 3",
    "HelmOptions": "valuesFileSchemes:string* 1",
    "KustomizeOptions": "buildOptions:string 1",
    "ApplicationSource": """
        repoURL:string 1; path:string 2; targetRevision:string 4; helm:Helm 7; kustomize:Kustomize 8;
        directory:Directory 10; plugin:Plugin 11; chart:string 12; ref:string 13; name:string 14;
        tagPrefix:string 15""",
    "Helm": """
        valueFiles:string* 1; parameters:HelmParameter* 2; releaseName:string 3; values:string 4;
        fileParameters:HelmFileParameter* 5; version:string 6; passCredentials:bool 7;
        ignoreMissingValueFiles:bool 8; skipCrds:bool 9; valuesObject:RawExtension 10; namespace:string 11;
        kubeVersion:string 12; apiVersions:string* 13; skipTests:bool 14; skipSchemaValidation:bool 15""",
    "HelmParameter": "name:string 1; value:string 2; forceString:bool 3",
    "HelmFileParameter": "name:string 1; path:string 2",
    "RawExtension": "raw:bytes 1",
    "Kustomize": """
        namePrefix:string 1; nameSuffix:string 2; images:string* 3; commonLabels:map-string 4; version:string 5;
        commonAnnotations:map-string 6; forceCommonLabels:bool 7; forceCommonAnnotations:bool 8;
        namespace:string 9; commonAnnotationsEnvsubst:bool 10; replicas:KustomizeReplica* 11;
        patches:KustomizePatch* 12; components:string* 13; labelWithoutSelector:bool 14; kubeVersion:string 15;
        apiVersions:string* 16; ignoreMissingComponents:bool 17; labelIncludeTemplates:bool 18""",
    "KustomizeReplica": "name:string 1; count:IntOrString 2",
    "IntOrString": "type:int64 1; intVal:int32 2; strVal:string 3",
    "KustomizePatch": "path:string 1; patch:string 2; target:KustomizeSelector 3; options:map-bool 4",
    "KustomizeSelector": "resId:KustomizeResId 1; annotationSelector:string 2; labelSelector:string 3",
    "KustomizeResId": "gvk:KustomizeGvk 1; name:string 2; namespace:string 3",
    "KustomizeGvk": "group:string 1; version:string 2; kind:string 3",
    "Directory": """
        recurse:bool 1; jsonnet:Jsonnet 2; exclude:string 3; include:string 4; disableExtensionFilter:bool 5""",
    "Jsonnet": "extVars:JsonnetVar* 1; tlas:JsonnetVar* 2; libs:string* 3",
    "JsonnetVar": "name:string 1; value:string 2; code:bool 3",
    "Plugin": "name:string 1; env:EnvEntry* 2; parameters:PluginParameter* 3",
    "EnvEntry": "name:string 1; value:string 2",
    "PluginParameter": "name:string 1; map:OptionalMap 3; array:OptionalArray 4; string:string 5",
    "OptionalMap": "map:map-string 1",
    "OptionalArray": "array:string* 1",
}

PACKAGE = "repository"
_SCALARS = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
}


def _field(message: Any, name: str, type_: str, number: int) -> None:
    field = message.field.add(name=name, number=number, json_name=name)
    field.label = field.LABEL_OPTIONAL
    if type_.endswith("*"):
        field.label, type_ = field.LABEL_REPEATED, type_[:-1]
    if type_.startswith("map-"):
        entry = message.nested_type.add(name=name[0].upper() + name[1:] + "Entry")
        entry.options.map_entry = True
        _field(entry, "key", "string", 1)
        _field(entry, "value", type_.removeprefix("map-"), 2)
        field.label, field.type = field.LABEL_REPEATED, field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{message.name}.{entry.name}"
    elif type_ in _SCALARS:
        field.type = _SCALARS[type_]
    else:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{type_}"


def _build() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="pytest_gitops/repository.proto", package=PACKAGE, syntax="proto2"
    )
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for field in fields.split(";"):
            (label, number) = field.split()
            field_name, _, type_ = label.partition(":")
            _field(message, field_name, type_, int(number))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in FIELDS
    }


_CLASSES = _build()


def encode(name: str, value: dict[str, Any]) -> bytes:
    """The bytes of message `name` with the fields of `value`; fields that we do not know are left out."""
    message = json_format.ParseDict(value, _CLASSES[name](), ignore_unknown_fields=True)
    return bytes(message.SerializeToString())


def decode(name: str, data: bytes) -> dict[str, Any]:
    """The fields of a message of ours in `data`."""
    message = _CLASSES[name].FromString(data)
    decoded: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return decoded
