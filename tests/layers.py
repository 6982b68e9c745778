"""Who may import whom: docs/architecture.md's rules 1 to 6, read from the source by `ast`.

Imports inside functions and under TYPE_CHECKING count, as do `import_module("…")` and `__import__("…")`
with a literal. `from a import b` counts as `a` and as `a.b`, for b may be a module. Each rule is also
shown to catch an offence (test_layers.py).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass

OURS = ("accounts", "campaigns", "config", "tests")
SANDBOX = "campaigns.sandbox"
# What a batch does first (`claim`) is no stage of its own: no row waits between claim and send (ADR 1).
STAGES = ("load", "plan", "send", "collect", "track", "probe", "report")


@dataclass(frozen=True)
class Layer:
    """`may`: packages of ours that it may import beside its own. `only`: the third-party roots that
    it may import (None: any). `never`: what it may not import, ours or not."""

    package: str
    may: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    never: tuple[str, ...] = ()
    pure: bool = False


HTTP = (
    "django.http",
    "django.forms",
    "django.views",
    "django.shortcuts",
    "django.urls",
    "requests",
)
MAIL_AND_SHEETS = (
    "smtplib",
    "poplib",
    "openpyxl",
    "python_calamine",
    "dkim",
    "aiosmtpd",
    "typst",
    "pikepdf",
)

# The first whose package a module lies in counts.
LAYERS = (
    # Rule 1. Third-party roots are the libraries of the field, listed one by one.
    Layer(
        "campaigns.mailer",
        only=(
            "chinese_calendar",
            "cryptography",
            "css_inline",
            "dkim",
            "dns",
            "idna",
            "inscriptis",
            "minijinja",
            "nh3",
        ),
        pure=True,
    ),
    Layer(
        "campaigns.workbooks",
        only=(
            "_quickjs",
            "defusedxml",
            "idna",
            "lxml",
            "msoffcrypto",
            "openpyxl",
            "python_calamine",
            "quickjs",
            "xlrd",
        ),
        pure=True,
    ),
    Layer(
        "campaigns.documents",
        only=("msoffcrypto", "openpyxl", "pikepdf", "pylopdf_fonts_zh_cn", "typst"),
        pure=True,
    ),
    # Rule 2. `accounts.secrets` holds the encrypted field that models are made of.
    Layer(
        "campaigns.models",
        may=("accounts.models", "accounts.secrets", "campaigns.mailer"),
        only=("django", "cryptography"),
        never=HTTP,
    ),
    # Rule 3. That stages leave each other alone is `stage_offences`.
    Layer(
        "campaigns.pipeline",
        may=(
            "accounts.models",
            "accounts.presets",
            "accounts.secrets",
            "campaigns.models",
            "campaigns.mailer",
            "campaigns.workbooks",
            "campaigns.documents",
            "campaigns.alert_texts",
            # HR's own workbook is written by a worker, in words.
            "campaigns.problem_texts",
            "campaigns.reasons",
        ),
        never=(*HTTP, "celery"),
    ),
    # Rule 4. Of the models, tasks may know the signal that nudges them, and nothing else; beat's entries
    # stand in the Celery application.
    Layer(
        "campaigns.tasks",
        may=("campaigns.pipeline", "campaigns.models.signals", "config.celery"),
        only=("celery", "django", "kombu"),
        never=HTTP,
    ),
    # Quickstart puts everything together in one process: web, worker, beat, sandbox and demo data.
    Layer("campaigns.management.commands.quickstart", may=OURS[:3]),
    Layer("campaigns.quickstart", may=OURS[:3]),
    *(
        Layer(
            f"campaigns.management.commands.{reading}",
            may=("campaigns.pipeline", "campaigns.mailer", "campaigns.workbooks"),
            never=(*HTTP, "celery"),
        )
        for reading in ("read_workbook", "read_bounce")
    ),
    Layer(
        "campaigns.management.commands.check_domain",
        may=("campaigns.pipeline", "campaigns.mailer", "campaigns.domain_texts"),
        never=(*HTTP, "celery"),
    ),
    # What a pre-flight found is said as on its page.
    Layer(
        "campaigns.management.commands.send_workbook",
        may=(
            "campaigns.pipeline",
            "campaigns.problem_texts",
            "campaigns.reasons",
            "campaigns.views.findings",
        ),
        never=(*HTTP, "celery"),
    ),
    Layer(
        "campaigns.management",
        may=("campaigns.pipeline", "campaigns.reasons"),
        never=(*HTTP, "celery"),
    ),
    # Sentences for the codes that are stored; everything that speaks to a person may import it.
    Layer("campaigns.reasons", only=("django",), never=HTTP),
    # The same for what a workbook's reader could not take.
    Layer("campaigns.problem_texts", may=("campaigns.workbooks",), only=("django",), never=HTTP),
    # And for what the DNS doctor found.
    Layer("campaigns.domain_texts", may=("campaigns.mailer",), only=("django",), never=HTTP),
    # And for what a reply rule says and does, and for alerts, whose texts a worker sends too.
    Layer(
        "campaigns.rule_texts",
        may=("campaigns.mailer", "campaigns.reasons"),
        only=("django",),
        never=HTTP,
    ),
    Layer(
        "campaigns.alert_texts",
        may=("accounts.models", "campaigns.models", "campaigns.reasons"),
        only=("django",),
        never=HTTP,
    ),
    # Rule 5.
    Layer(
        "campaigns.views",
        may=(
            "accounts",
            "campaigns.alert_texts",
            "campaigns.domain_texts",
            "campaigns.forms",
            "campaigns.models",
            "campaigns.pipeline",
            "campaigns.problem_texts",
            "campaigns.reasons",
            "campaigns.rule_texts",
            "campaigns.templatetags",
        ),
        never=(*MAIL_AND_SHEETS, "celery", "redis"),
    ),
    # Rule 6.
    Layer("accounts", never=("campaigns",)),
    Layer(SANDBOX, may=("campaigns.mailer",)),
    # What ties a Django application together; tasks stay behind the signal for it too.
    Layer("campaigns.migrations", may=("accounts", "campaigns")),
    Layer("campaigns.apps", may=("campaigns.tasks", "campaigns.models")),
    # What a form's field holds is judged by the pure package that will use it: addresses, keys.
    Layer(
        "campaigns.forms",
        may=("accounts", "campaigns.documents", "campaigns.mailer", "campaigns.models"),
        never=(*MAIL_AND_SHEETS, "celery"),
    ),
    *(
        Layer(
            f"campaigns.{name}",
            may=(
                "accounts",
                "campaigns.forms",
                "campaigns.models",
                "campaigns.reasons",
                "campaigns.views",
            ),
            never=(*MAIL_AND_SHEETS, "celery"),
        )
        for name in ("admin", "navigation", "urls", "templatetags")
    ),
    Layer("config", may=("accounts", "campaigns")),
)

# Rule 1: clock, randomness and sockets are arguments. Naming one as a default is fine, calling is not.
IMPURE_CALLS = (
    "time.time",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.date.today",
    "random.random",
    "random.choice",
    "random.randint",
    "random.randrange",
    "random.uniform",
    "secrets",
    "os.urandom",
    "os.environ",
    "os.getenv",
    "uuid.uuid1",
    "uuid.uuid4",
    "socket.socket",
    "socket.create_connection",
)

# What only serves as the default of such an argument, for the callers outside of the pure package.
DEFAULTS = ("campaigns.mailer.smtp_session.connect_tcp",)


def lies_in(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def imports(source: str, module: str, *, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that this module's source imports, however late."""
    parent = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, parent)
            yield node.lineno, origin
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _is_dynamic_import(node):
            yield from (
                (node.lineno, argument.value)
                for argument in node.args[:1]
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )


def _origin(node: ast.ImportFrom, parent: str) -> str:
    if not node.level:
        return node.module or ""
    names = parent.split(".")
    base = ".".join(names[: len(names) - node.level + 1])
    return f"{base}.{node.module}" if node.module else base


def _is_dynamic_import(node: ast.Call) -> bool:
    return ast.unparse(node.func) in {
        "__import__",
        "import_module",
        "importlib.import_module",
        "import_string",
    }


def layer_of(module: str) -> Layer | None:
    return next((layer for layer in LAYERS if lies_in(module, (layer.package,))), None)


def offences(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Every breach of the rules in a module's source, as sentences with their line."""
    found = [
        f"{module}:{line} imports {name}: {why}"
        for line, name in imports(source, module, is_package=is_package)
        if (why := _why_not(module, name))
    ]
    layer = layer_of(module)
    if layer is not None and layer.pure:
        found += [
            f"{module}:{line} calls {name}: an argument" for line, name in impure(source, module)
        ]
    return found


def _why_not(module: str, imported: str) -> str:
    layer = layer_of(module)
    root = imported.partition(".")[0]
    if root == "tests":
        return "the product never imports its tests"
    if lies_in(imported, (SANDBOX,)) and not _may_play(module):
        return "the sandbox is for quickstart and tests alone"
    if layer is None:
        return ""
    if lies_in(imported, layer.never):
        return f"never in {layer.package}"
    if lies_in(module, ("campaigns.pipeline",)) and (stage := _stage_of(imported)):
        return "" if stage == _stage_of(module) else "stages do not call each other"
    if root in OURS:
        return _why_not_ours(layer, imported)
    foreign = root not in sys.stdlib_module_names and layer.only is not None
    return f"not a library of {layer.package}" if foreign and root not in layer.only else ""


def _why_not_ours(layer: Layer, imported: str) -> str:
    allowed = (layer.package, *layer.may)
    # `from campaigns import models` is read as `campaigns` too, which is but a folder.
    is_folder = any(package.startswith(f"{imported}.") for package in allowed)
    return "" if is_folder or lies_in(imported, allowed) else f"not for {layer.package}"


def _may_play(module: str) -> bool:
    players = (SANDBOX, "campaigns.quickstart", "campaigns.management.commands.quickstart")
    return lies_in(module, players)


def _stage_of(module: str) -> str:
    names = module.split(".")
    is_stage = names[:2] == ["campaigns", "pipeline"] and len(names) > 2 and names[2] in STAGES
    return names[2] if is_stage else ""


def impure(source: str, module: str) -> Iterator[tuple[int, str]]:
    """Line and full name of every call in the source that asks the world instead of an argument."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not _is_default(node, module)]
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, dot, rest = ast.unparse(node.func).partition(".")
            called = f"{names.get(first, '')}{dot}{rest}"
            if lies_in(called, IMPURE_CALLS):
                yield node.lineno, called


def _is_default(node: ast.stmt, module: str) -> bool:
    return isinstance(node, ast.FunctionDef) and f"{module}.{node.name}" in DEFAULTS
