"""Argo CD's own CRD schema as a judge of manifests: wrong types, missing and unknown fields. Imports jsonschema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema

Path = tuple[str | int, ...]


class CrdSchema:
    """The schema of one kind at one version of a CustomResourceDefinition.

    Raises LookupError if the definition has no such kind or version.
    """

    def __init__(
        self, definitions: Sequence[Mapping[str, Any]], kind: str, version: str = "v1alpha1"
    ) -> None:
        definition = next((d for d in definitions if d["spec"]["names"]["kind"] == kind), None)
        if definition is None:
            raise LookupError(f"no CustomResourceDefinition of {kind}")
        self._api_version = f"{definition['spec']['group']}/{version}"
        versions = {v["name"]: v for v in definition["spec"]["versions"]}
        if version not in versions:
            raise LookupError(f"no version {version} of {kind}")
        self._schema = versions[version]["schema"]["openAPIV3Schema"]
        self._validator = jsonschema.Draft202012Validator(_as_json_schema(self._schema))

    def problems(self, manifest: Mapping[str, Any]) -> tuple[tuple[Path, str], ...]:
        """(path, sentence) of everything that the API server would refuse or drop, in the order of the paths."""
        found = [(tuple(e.absolute_path), _sentence(e)) for e in self._validator.iter_errors(manifest)]
        found += [
            (path, f"{_dotted(path)}: unknown field; the API server would drop it without a word")
            for path in _unknown(self._schema, manifest, ())
        ]
        if manifest.get("apiVersion") != self._api_version:
            saw = _word(manifest.get("apiVersion"))
            found.append((("apiVersion",), f"apiVersion: expected {self._api_version}, saw {saw}"))
        return tuple(sorted(found, key=lambda f: ([str(p) for p in f[0]], f[1])))


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path)) or "the manifest"


def _sentence(error: Any) -> str:
    path = _dotted(tuple(error.absolute_path))
    if error.validator == "type":
        types = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        expected = " or ".join(t for t in types if t != "null")
        return f"{path}: expected {expected}, saw {_word(error.instance)}"
    if error.validator == "required":
        return f"{path}: {error.message}"
    return f"{path}: {error.message}"[:500]


def _word(value: Any) -> str:
    words = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return words.get(type(value)) or f"{type(value).__name__} {value!r}"[:80]


def _as_json_schema(schema: Any) -> Any:
    """A structural schema as JSON Schema: Kubernetes' int-or-string and nullable have words of their own."""
    if isinstance(schema, list):
        return [_as_json_schema(s) for s in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {
        k: ({n: _as_json_schema(s) for n, s in v.items()} if k == "properties" else _as_json_schema(v))
        for k, v in schema.items()
        if not k.startswith("x-kubernetes-") and k not in {"description", "format", "default", "nullable"}
    }
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("anyOf", None)
        made["type"] = ["integer", "string"]
    types = made.get("type")
    if types:
        # The API server drops a null where a value is optional.
        made["type"] = [*([types] if isinstance(types, str) else types), "null"]
    return made


def _unknown(schema: Mapping[str, Any], value: Any, path: Path) -> Iterator[Path]:
    if schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource"):
        return
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for index, item in enumerate(value):
            yield from _unknown(schema["items"], item, (*path, index))
    elif isinstance(value, Mapping):
        known, rest = schema.get("properties"), schema.get("additionalProperties")
        for key, inner in value.items():
            if isinstance(known, Mapping) and key in known:
                yield from _unknown(known[key], inner, (*path, key))
            elif isinstance(rest, Mapping):
                yield from _unknown(rest, inner, (*path, key))
            elif isinstance(known, Mapping) and rest is not True:
                yield (*path, key)
