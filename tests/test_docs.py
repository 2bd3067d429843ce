"""The documentation that follows from the code is in step with it, and its links lead somewhere."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def test_the_config_page_is_what_the_code_says() -> None:
    script = ROOT / "docs" / "write_config_page.py"
    spec = importlib.util.spec_from_file_location("write_config_page", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert written == module.page(), "run: python docs/write_config_page.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    broken = [one for one in targets if "://" not in one and not (page.parent / one).exists()]
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    absent = [page.name for page in ROOT.glob("docs/*.md") if f"({page.name})" not in index]
    assert absent in ([], ["README.md"])
