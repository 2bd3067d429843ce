"""On the site, links out of the documentation's folder become the names of the files they mean."""

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([^)#]*)[^)]*\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return a page whose links into the repository are file names."""
    return OUTSIDE.sub(lambda found: f"`{found[2]}`", markdown)
