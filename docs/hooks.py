"""A hook of mkdocs: each file of the repository that a page links to becomes a page of the site.

So a link such as `../deploy/README.md` works in the repository and on the site.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

OUT_OF_DOCS = re.compile(r"(?<=\]\()\.\./([^)#\s]+)")
FOLDER = "repository"  # of the site, for these files
LANGUAGES = {".py": "python", ".toml": "toml", ".yaml": "yaml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the linked files to the site."""
    root = Path(config.docs_dir).parent
    linked = {path for file in files.documentation_pages() for path in OUT_OF_DOCS.findall(file.content_string)}
    for path in sorted(linked):
        if (root / path).is_file():  # if not, the build reports the link
            content = _as_page(root / path, path)
            files.append(File.generated(config, _place(path), content=content, inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links at these pages; point the links of these pages back at the docs."""
    place = page.file.src_uri
    if place.startswith(f"{FOLDER}/"):
        return re.sub(r"(?<=\]\()(\.\./)+docs/", "../" * place.count("/"), markdown)
    return OUT_OF_DOCS.sub(lambda found: _place(found[1]), markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Put each page's Markdown beside it, and a list of them, `llms.txt`, for assistants that only read."""
    docs, site = Path(config.docs_dir), Path(config.site_dir)
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", "", "## Docs", ""]
    for path in sorted(docs.glob("*.md"), key=lambda path: (path.stem != "index", path.stem)):
        text = path.read_text(encoding="utf-8")
        (site / path.name).write_text(text, encoding="utf-8")
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        lines.append(f"- [{re.sub(r'[`*]', '', title[1]) if title else path.stem}]({path.name})")
    (site / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _place(path: str) -> str:
    return f"{FOLDER}/{path}" if path.endswith(".md") else f"{FOLDER}/{path}.md"


def _as_page(file: Path, path: str) -> str:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        return text
    return f"# {path}\n\n~~~~ {LANGUAGES.get(file.suffix, 'text')}\n{text}~~~~\n"
