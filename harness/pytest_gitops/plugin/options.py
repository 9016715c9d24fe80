"""From pytest's options, the ini file and pytest-gitops.yaml to Settings."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.configuration.file import FILE_NAME, Configuration, load
from pytest_gitops.configuration.file import read as parse
from pytest_gitops.errors import ConfigError, EngineError
from pytest_gitops.model import Severity
from pytest_gitops.plugin import OPTIONS, ini_name
from pytest_gitops.repository.base import find_base, read_file
from pytest_gitops.repository.endings import NOT_SEARCHED
from pytest_gitops.repository.git import open_repository
from pytest_gitops.settings import credentials, shards
from pytest_gitops.settings import settings as place
from pytest_gitops.settings.registered import chosen as chosen_clusters
from pytest_gitops.settings.registered import standing
from pytest_gitops.settings.settings import (
    DEFAULT_CLUSTER_LIMIT,
    DEFAULT_KUBERNETES,
    DEFAULT_POLICY_TIMEOUT,
    DEFAULT_TIMEOUT,
    DEFAULT_TIMEOUT_LIMIT,
    SHARD_VARIABLE,
    Base,
    Kind,
    Provider,
    Settings,
)
from pytest_gitops.stages import chosen

OF_SHARDS = frozenset({"shard", "durations"})
"""Options that say which items are judged: one that is named is, whatever its shard."""

KIND_CONFIG = "kind-config.yaml"
"""Where kind's own configuration is looked for, beside pytest-gitops.yaml."""

NOT_AGAIN = frozenset({"stages", "report", "keep", "update", *OF_SHARDS})
"""Options that do not change what is found out about one item."""


def is_idle(config: pytest.Config) -> bool:
    """Whether pytest is asked for something about itself, which collects or runs no item of ours."""
    return any(config.getoption(n, None) for n in ("showfixtures", "show_fixtures_per_test", "cacheshow"))


def check_paths(config: pytest.Config) -> None:
    """Say before anything is started what pytest would say after it: that a path does not exist."""
    if config.option.pyargs:
        return
    for argument in config.args:
        path = config.invocation_params.dir / argument.split("::", 1)[0]
        if not os.path.lexists(path):
            raise pytest.UsageError(f"file or directory not found: {argument}")


def again(config: pytest.Config) -> str:
    """The command of this run without its paths and without what selects items, shows or stores them."""
    words = ["pytest", "--gitops"]
    for name, kind, _, _ in OPTIONS:
        value = config.getoption(ini_name(name))
        if name in NOT_AGAIN or value is None:
            continue
        option = f"--gitops-{name}"
        words += [option] if kind == "flag" else [f"{option}={v}" for v in _listed(value)]
    words += [w for o in _overrides(config) for w in ("-o", o)]
    if config.getini("gitops_shard") or place.environment().get(SHARD_VARIABLE):
        words.append("--gitops-shard=1/1")
    if config.option.inifilename:
        words += ["-c", str(config.option.inifilename)]
    if config.option.rootdir:
        words += ["--rootdir", str(config.option.rootdir)]
    return shlex.join(words)


def _overrides(config: pytest.Config) -> Iterator[str]:
    """What the command line says in an ini file's place, of ours."""
    for each in config.option.override_ini or ():
        name = each.partition("=")[0]
        if name.startswith("gitops_") and name.removeprefix("gitops_") not in OF_SHARDS:
            yield each


def _without_shard(words: Sequence[str]) -> list[str]:
    """A command line without what says which shard it is of: the same for all, and of use alone."""
    options = {f"--gitops-{name}" for name in OF_SHARDS}
    kept: list[str] = []
    skip = False
    for word in words:
        if skip or word in options:
            skip = not skip and word in options
        elif word.partition("=")[0] not in options:
            kept.append(word)
    return kept


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def find_root(config: pytest.Config) -> Path:
    """The directory under test: the nearest one upwards with a pytest-gitops.yaml or that is a clone's top.

    Upwards from the first path that pytest was given, else from where it was started.
    """
    start = config.invocation_params.dir
    for argument in config.args if config.args_source is config.ArgsSource.ARGS else ():
        path = (start / argument.split("::", 1)[0]).absolute()
        if path.exists():
            start = path if path.is_dir() else path.parent
            break
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder.resolve()
        if (folder / ".git").exists():
            return folder.resolve()
    return start.resolve()


def _value(config: pytest.Config, name: str) -> tuple[Any, str]:
    """What the command line, else the ini file, says of an option, and which of them."""
    given = config.getoption(ini_name(name))
    if given is not None:
        return given, f"--gitops-{name}"
    ini = config.getini(ini_name(name))
    return (ini, ini_name(name)) if ini not in (None, "", []) else (None, "")


def read(config: pytest.Config) -> Settings:
    """The settings of this run. Raises ConfigError."""
    root = find_root(config)
    everything = place.environment()
    known, environ = credentials.read(everything), credentials.without(everything)
    base = _base(config, root, environ)
    configuration = base.configuration if base else load(root / FILE_NAME)
    start = config.invocation_params.dir
    report = _value(config, "report")[0] or "gitops-report"
    provider = _one_of(config, "cluster", [p.value for p in Provider], Provider.EMBEDDED.value, Provider)
    kind = _kind(root, configuration, base, environ) if provider is Provider.KIND else Kind()
    return Settings(
        root=root,
        report=(start / report).absolute(),
        cache=place.default_cache(environ),
        environ=environ,
        stages=_stages(config, configuration, compares=base is not None),
        provider=provider,
        contexts=_contexts(config, configuration, provider) or ((kind.context,) if kind.name else ()),
        kind=kind,
        allow_shared=bool(_value(config, "allow-shared")[0]),
        network=_one_of(config, "network", ["deny", "allow"], "deny", str),
        # What the configuration names by URL, or the user has a password for, is meant to be reached.
        allowed_hosts=(
            *configuration.get("network", "allow", default=()),
            *(file.host for file in configuration.crd_urls),
            *(credential.host for credential in known),
        ),
        base=base.base if base else None,
        timeout=_timeout(config, configuration),
        timeouts=configuration.timeouts,
        timeout_limit=float(configuration.get("timeout-limit", default=DEFAULT_TIMEOUT_LIMIT)),
        strict=bool(_value(config, "strict")[0]),
        keep=bool(_value(config, "keep")[0]),
        update=bool(_value(config, "update")[0]),
        changed=_changed(config, has_base=base is not None),
        shard=_shard(config, environ),
        only_tests=_only_tests(config),
        durations=_durations(config),
        keep_renders=not _value(config, "fresh")[0],
        urls=tuple(configuration.get("repository", "urls", default=())),
        others=tuple(configuration.get("repository", "others", default=())),
        branches=tuple(configuration.get("branches", default=())),
        ignore=tuple(configuration.get("ignore", default=())),
        charts=configuration.charts,
        clusters=standing(kind.context, configuration.clusters),
        cluster_limit=configuration.get("cluster-limit", default=DEFAULT_CLUSTER_LIMIT),
        crds=configuration.crds,
        crd_urls=configuration.crd_urls,
        prerequisites=tuple(configuration.get("prerequisites", default=())),
        kubernetes=configuration.kubernetes or (DEFAULT_KUBERNETES,),
        argo_rollouts=configuration.argo_rollouts,
        unknown_kinds=configuration.get("unknown-kinds", default="error"),
        nodes=configuration.nodes,
        statuses=configuration.statuses,
        policy_folders=_folders(config, root, configuration, from_base=base is not None),
        policy_data=configuration.get("policy", "data", default={}),
        policy_data_files=_data_files(root, configuration, from_base=base is not None),
        policy_namespaces=tuple(configuration.get("policy", "namespaces", default=("*",))),
        policy_timeout=float(configuration.get("policy", "timeout", default=DEFAULT_POLICY_TIMEOUT)),
        fail_on=Severity(configuration.get("fail-on", default=Severity.ERROR.value)),
        waivers=configuration.waivers,
        rbac=configuration.rbac,
        tools=place.explicit_tools(environ),
        mirrors=place.tool_mirrors(environ),
        credentials=known,
        command=shlex.join(["pytest", *_without_shard([*map(str, config.invocation_params.args)])]),
    )


@dataclass(frozen=True, slots=True)
class _Base:
    base: Base
    configuration: Configuration


def _base(config: pytest.Config, root: Path, environ: Mapping[str, str]) -> _Base | None:
    """The base that is asked for, and the configuration in it: a pull request does not say how it is judged."""
    name, _ = _value(config, "base")
    if not name:
        return None
    repository = open_repository(root, environ=environ)
    base = find_base(repository, str(name), environ=environ)
    text = read_file(repository, base.commit, FILE_NAME, environ=environ)
    return _Base(base, parse(text, base=base.name) if text is not None else Configuration(values={}))


def _folders(
    config: pytest.Config, root: Path, configuration: Configuration, *, from_base: bool
) -> tuple[Path, ...]:
    """All folders with policies, each once, wherever they are named."""
    name, start = ini_name("policy"), config.invocation_params.dir
    found = [(start / folder, "--gitops-policy", folder) for folder in config.getoption(name) or ()]
    found += [(folder, name, folder) for folder in config.getini(name) or ()]
    found += [
        (root / folder, f"{FILE_NAME} policy.folders", folder)
        for folder in configuration.get("policy", "folders", default=())
    ]
    for path, where, folder in found:
        if not path.is_dir() and not (from_base and path.resolve().is_relative_to(root)):
            raise ConfigError(
                f"expected a folder with Rego files, saw no folder {str(folder)!r}", where=where
            )
    return tuple(dict.fromkeys(path.resolve() for path, _, _ in found))


def _data_files(root: Path, configuration: Configuration, *, from_base: bool) -> tuple[Path, ...]:
    found = [(root / path, path) for path in configuration.get("policy", "data-files", default=())]
    for path, given in found:
        if not path.exists() and not (from_base and path.resolve().is_relative_to(root)):
            raise ConfigError(
                f"expected a file or folder with data, saw no {given!r}",
                where=f"{FILE_NAME} policy.data-files",
            )
    return tuple(path.resolve() for path, _ in found)


def _stages(config: pytest.Config, configuration: Configuration, *, compares: bool) -> tuple[str, ...]:
    given, where = _value(config, "stages")
    words = configuration.get("stages", default=["all"])
    if given is not None:
        words = [w for w in str(given).replace(",", " ").split() if w]
    else:
        where = f"{FILE_NAME} stages"
    return chosen(words, where=where, compares=compares, keeps=bool(_value(config, "keep")[0]))


def _contexts(config: pytest.Config, configuration: Configuration, provider: Provider) -> tuple[str, ...]:
    given, where = _value(config, "context")
    names = tuple(name for name in str(given or "").replace(",", " ").split() if name)
    if provider is Provider.KUBECONFIG:
        clusters = chosen_clusters(
            names, configuration.clusters, where=where or "--gitops-cluster kubeconfig"
        )
        return tuple(c.context for c in clusters)
    if names:
        raise ConfigError(
            f"expected it beside --gitops-cluster kubeconfig, saw {provider.value}", where=where
        )
    return ()


def _kind(root: Path, configuration: Configuration, base: _Base | None, environ: Mapping[str, str]) -> Kind:
    """What the cluster of kind is made of. With a base its file is the base's: nodes are privileged containers, and
    may mount what the machine has."""
    named = configuration.get("kind", "config", default="")
    name = named or KIND_CONFIG
    if base is not None:
        repository = open_repository(root, environ=environ)
        text = read_file(repository, base.base.commit, name, environ=environ)
    else:
        file = root / name
        inside = file.resolve().is_relative_to(root)
        text = file.read_bytes() if inside and file.is_file() else None
    if text is None and named:
        side = f" in {base.base.name}" if base else ""
        raise ConfigError(
            f"expected a configuration of kind{side}, saw no file {named!r} in the repository",
            where=f"{FILE_NAME} kind.config",
        )
    return Kind(
        name=configuration.get("kind", "name", default=""),
        config=(text or b"").decode(errors="replace"),
        node_image=configuration.get("kind", "node-image", default=""),
        images=tuple(configuration.get("kind", "images", default=())),
    )


def _changed(config: pytest.Config, *, has_base: bool) -> bool:
    given, where = _value(config, "changed")
    if given and not has_base:
        raise ConfigError(
            "expected a base to tell what differs from it, saw none. Name the branch that the change will be merged "
            "into: --gitops-base origin/main",
            where=where,
        )
    return bool(given)


def _shard(config: pytest.Config, environ: Mapping[str, str]) -> shards.Shard | None:
    """Which part of the run this is, if it is said: nothing that CI sets by itself makes a run a part."""
    given, where = _value(config, "shard")
    if given is None:
        given, where = environ.get(SHARD_VARIABLE) or None, SHARD_VARIABLE
    return shards.parse(str(given), environ=environ, where=where) if given is not None else None


def _durations(config: pytest.Config) -> dict[str, float]:
    """The seconds of a run before, nothing where there is no such file: the first run of all has none."""
    given, where = _value(config, "durations")
    if given is None:
        return {}
    path = config.invocation_params.dir / given
    if not path.exists():
        return {}
    from pytest_gitops.report.load import durations

    try:
        return durations(path)
    except EngineError as error:
        raise ConfigError(str(error), where=where) from error


def _only_tests(config: pytest.Config) -> bool:
    """Whether pytest is given nothing but files in which no Application is looked for: scenarios, tests in Python."""
    if config.args_source is not config.ArgsSource.ARGS or config.option.pyargs:
        return False
    paths = [config.invocation_params.dir / argument.split("::", 1)[0] for argument in config.args]
    return all(path.name.endswith((*NOT_SEARCHED, ".py")) and path.is_file() for path in paths)


def _timeout(config: pytest.Config, configuration: Configuration) -> float:
    given, where = _value(config, "timeout")
    if given is None:
        return float(configuration.get("timeout", default=DEFAULT_TIMEOUT))
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"expected a number of seconds above 0, saw {given!r}", where=where)
    return seconds


def _one_of(config: pytest.Config, name: str, known: list[str], default: str, kind: Any) -> Any:
    given, where = _value(config, name)
    if given is None:
        return kind(default)
    if given not in known:
        raise ConfigError(f"expected one of {', '.join(known)}; saw {given!r}", where=where)
    return kind(given)
