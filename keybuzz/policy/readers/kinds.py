"""Which reader a file is for, from its name and, where that leaves a doubt, from its text."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from keybuzz.policy.document import Kind
from keybuzz.policy.readers.lines.arrows import ARROW
from keybuzz.policy.readers.lines.haproxy import SECTIONS
from keybuzz.policy.readers.lines.ini import is_ansible
from keybuzz.policy.readers.lines.tagged import SECTION_END

SUFFIXES = {
    ".env": Kind.ENVIRONMENT,
    ".yaml": Kind.YAML,
    ".yml": Kind.YAML,
    ".json": Kind.JSON,
    ".jsonc": Kind.JSON,
    ".json5": Kind.JSON,
    ".webmanifest": Kind.JSON,
    ".toml": Kind.TOML,
    ".tf": Kind.HCL,
    ".tfvars": Kind.HCL,
    ".hcl": Kind.HCL,
    ".nomad": Kind.HCL,
    ".dockerfile": Kind.DOCKERFILE,
    ".md": Kind.MARKDOWN,
    ".markdown": Kind.MARKDOWN,
    ".mk": Kind.MAKEFILE,
    **dict.fromkeys((".sh", ".bash", ".zsh", ".ksh", ".envrc"), Kind.SHELL),
    **dict.fromkeys(
        (".ini", ".conf", ".cfg", ".cnf", ".properties", ".editorconfig"), Kind.SETTINGS
    ),
    **dict.fromkeys(
        (
            ".service",
            ".timer",
            ".socket",
            ".mount",
            ".target",
            ".path",
            ".slice",
            ".container",
            ".pod",
            ".kube",
            ".volume",
            ".network",
            ".build",
        ),
        Kind.UNIT,
    ),
    **dict.fromkeys((".cron", ".crontab"), Kind.CRONTAB),
    **dict.fromkeys((".groovy", ".gradle", ".jenkinsfile"), Kind.GROOVY),
    ".pp": Kind.ARROWS,
    **dict.fromkeys((".xml", ".config", ".csproj", ".props", ".plist"), Kind.XML),
    **dict.fromkeys((".nginx", ".vhost", ".caddy", ".caddyfile"), Kind.BLOCKS),
    **dict.fromkeys(
        (
            ".txt",
            ".rst",
            ".adoc",
            ".tsv",
            ".csv",
            ".log",
            ".html",
            ".htm",
            ".css",
            ".scss",
            ".svg",
            ".po",
        ),
        Kind.PROSE,
    ),
}
LANGUAGES = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".cjs": "javascript",
    ".mjs": "javascript",
    ".jsx": "javascript",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "tsx",
    ".php": "php",
    ".rb": "ruby",
    ".rake": "ruby",
    ".go": "go",
    ".java": "java",
}
"""Source code, to its grammar."""
OTHER_LANGUAGES = frozenset(
    {
        ".c",
        ".cc",
        ".clj",
        ".cpp",
        ".cs",
        ".cshtml",
        ".csx",
        ".dart",
        ".erl",
        ".ex",
        ".exs",
        ".fs",
        ".h",
        ".hpp",
    }
    | {
        ".jl",
        ".kt",
        ".kts",
        ".lua",
        ".m",
        ".pas",
        ".pl",
        ".pm",
        ".ps1",
        ".r",
        ".rs",
        ".scala",
        ".swift",
        ".vb",
    }
)
"""Source code without a grammar here: what is not quoted there is no literal."""
_DOCKERFILE = re.compile(r"(?:.*[._-])?(?:Dockerfile|Containerfile)(?:[._-].*)?")
_ENVIRONMENT = re.compile(
    r"\.env(?:[.-].*)?|.*\.env\.[\w.-]+|env\.(?:example|sample|template|dist)|\.flaskenv"
)
_PROSE = re.compile(
    r"(?:README|LICENSE|LICENCE|NOTICE|COPYING|CHANGELOG|AUTHORS|CODEOWNERS|CONTRIBUTING|SECURITY)(?:[.-].*)?"
    r"|\.(?:git|docker|helm|npm|prettier|eslint|stylelint)(?:ignore|attributes|modules|keep)|py\.typed"
    r"|requirements[\w.-]*\.txt|\.(?:python|node|ruby|nvm|tool)-?versions?|\.nvmrc|\.mailmap"
)
_NAMES = {
    "justfile": Kind.SHELL,
    "Justfile": Kind.SHELL,
    "Makefile": Kind.MAKEFILE,
    "makefile": Kind.MAKEFILE,
    "GNUmakefile": Kind.MAKEFILE,
    "Caddyfile": Kind.BLOCKS,
    "crontab": Kind.CRONTAB,
    "Procfile": Kind.SETTINGS,
    ".npmrc": Kind.SETTINGS,
    ".pypirc": Kind.SETTINGS,
    ".my.cnf": Kind.SETTINGS,
    ".s3cfg": Kind.SETTINGS,
    "Jenkinsfile": Kind.GROOVY,
    ".htaccess": Kind.TAGGED,
    "Vagrantfile": Kind.CODE,
}
_SHEBANG = re.compile(r"#!\s*\S*/(?:env\s+)?(?:-S\s+)?(?P<program>\w+)")
_PROGRAMS = {
    "python": "python",
    "python3": "python",
    "node": "javascript",
    "php": "php",
    "ruby": "ruby",
}
_SECTION = re.compile(rf"^(?:{'|'.join(SECTIONS)})\b.*\n[ \t]+\S", re.MULTILINE)
_GROUP = re.compile(r"\w+\s{0,4}=\s{0,4}[({]?")
_INLINE = re.compile(r"\{[^{}\n]{1,400};[^{}\n]{0,400}\}")


def kind_of(path: str, text: str) -> tuple[Kind, str]:
    """Return the kind of a file, and for source code its language."""
    name = PurePosixPath(path).name
    suffix = PurePosixPath(name).suffix.lower()
    if _DOCKERFILE.fullmatch(name):
        return Kind.DOCKERFILE, ""
    if _ENVIRONMENT.fullmatch(name):
        return Kind.ENVIRONMENT, ""
    if name in _NAMES:
        kind = _NAMES[name]
        return kind, "ruby" if kind is Kind.CODE else ""
    if _PROSE.fullmatch(name):
        return Kind.PROSE, ""
    if suffix in LANGUAGES:
        return Kind.CODE, LANGUAGES[suffix]
    if (
        "cron" in path.lower()
        and suffix in ("", ".txt")
        and re.search(r"^\S+(?:\s+\S+){4}\s", text, re.M)
    ):
        return Kind.CRONTAB, ""
    kind = SUFFIXES.get(suffix, Kind.UNKNOWN)
    if kind is Kind.SETTINGS:
        return _settings_kind(text), ""
    return (kind, "") if kind is not Kind.UNKNOWN else _by_text(path, text)


def _settings_kind(text: str) -> Kind:
    """`.conf`, `.cfg` and `.cnf` are the names of many forms."""
    if SECTION_END.search(text):
        return Kind.TAGGED
    if _SECTION.search(text) and re.search(r"(?m)^\s+(?:mode|bind|server)\s", text):
        return Kind.HAPROXY
    lines = [line.strip() for line in text.split("\n")]
    if any(_GROUP.fullmatch(line) for line in lines) and text.rstrip().endswith(
        (";", ",", ")", "}")
    ):
        return Kind.LIBCONFIG
    ends = {line[-1:] for line in lines if not line.startswith("#")}
    if "{" in ends and ";" not in ends and ARROW.search(text):
        return Kind.ARROWS
    if {"{", ";"} <= ends or _INLINE.search(text):
        return Kind.BLOCKS
    return Kind.SETTINGS


def _by_text(path: str, text: str) -> tuple[Kind, str]:
    shebang = _SHEBANG.match(text)
    if shebang is not None:
        language = _PROGRAMS.get(shebang["program"], "")
        return (Kind.CODE, language) if language else (Kind.SHELL, "")
    if text.startswith("#cloud-config"):
        return Kind.YAML, ""
    return (Kind.SETTINGS if is_ansible(path, text) else Kind.UNKNOWN), ""
