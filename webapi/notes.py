"""Render release notes as HTML. They come from outside: Markdown is read without raw HTML, and sanitized all the same.

`ALLOWED` lists what may be left; a link leads to https and nowhere else, and an image is replaced by its description.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

_TEXT = ("a", "blockquote", "br", "code", "em", "h3", "h4", "hr", "li", "ol", "p", "pre", "s", "strong", "ul")
_TABLES = ("table", "tbody", "td", "th", "thead", "tr")

#: Elements that may be shown; ``a`` alone has attributes.
ALLOWED = frozenset((*_TEXT, *_TABLES))
LINK_REL = "noopener noreferrer nofollow"
_NESTING_MAX = 20


def render_notes(markdown: str) -> str:
    """Render these notes as HTML, for a place under a heading of the second level."""
    tokens = _MARKDOWN.parse(markdown)
    _lower_headings(tokens)
    html: str = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return nh3.clean(
        html,
        tags=set(ALLOWED),
        clean_content_tags={"script", "style"},
        attributes={"a": {"href"}},
        attribute_filter=_keep_attribute,
        url_schemes={"https"},
        link_rel=LINK_REL,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        strip_comments=True,
    )


def _build_markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": _NESTING_MAX})
    markdown.enable(["table", "strikethrough"])
    markdown.add_render_rule("image", _render_image)
    return markdown


def _render_image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    return escapeHtml(renderer.renderInlineAsText(tokens[index].children or [], options, env))


# The page's own headings stand above: the notes' outermost become the third level, all others the fourth.
def _lower_headings(tokens: Sequence[Token]) -> None:
    headings = [token for token in tokens if token.type in ("heading_open", "heading_close")]
    outermost = min((token.tag for token in headings), default="h1")
    for token in headings:
        token.tag = "h3" if token.tag == outermost else "h4"


# An address without a scheme would lead into the app that shows the notes.
def _keep_attribute(_element: str, attribute: str, value: str) -> str | None:
    if attribute != "href":
        return value if attribute in ("rel", "target") else None  # ours; the source's were dropped before
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme == "https" and parts.hostname else None


_MARKDOWN = _build_markdown()
