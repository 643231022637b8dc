"""Release notes as HTML: what may stay, and that nothing else does."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.hostile_notes import HOSTILE_NOTES
from webapi.notes import ALLOWED, LINK_REL, render_notes


class Elements(HTMLParser):
    """All elements of a text with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", {}))

    def handle_decl(self, decl: str) -> None:
        self.found.append(("declaration", {}))


def assert_harmless(html: str) -> None:
    for tag, attributes in Elements(html).found:
        assert tag in ALLOWED
        if tag != "a":
            assert attributes == {}
            continue
        assert attributes.keys() <= {"href", "rel", "target"}
        assert (attributes["rel"], attributes["target"]) == (LINK_REL, "_blank")
        assert str(attributes.get("href", "https://")).startswith("https://")


def test_allowed_markup_of_notes_stays() -> None:
    html = render_notes(
        "### New\n- **fast** and `small`\n\n1. ~~slow~~\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> said\n\n---"
    )
    tags = {tag for tag, _ in Elements(html).found}
    assert tags >= {"h3", "ul", "li", "strong", "code", "ol", "s", "table", "th", "td", "blockquote", "hr"}


def test_headings_fit_below_the_page_s_own() -> None:
    assert render_notes("# A\n## B\n### C") == "<h3>A</h3>\n<h4>B</h4>\n<h4>C</h4>\n"
    assert render_notes("## B\n### C") == "<h3>B</h3>\n<h4>C</h4>\n"


def test_a_link_to_https_stays_and_says_where_it_comes_from() -> None:
    html = render_notes("[notes](https://example.org/a?b=1&c=2)")
    assert Elements(html).found[1] == (
        "a", {"href": "https://example.org/a?b=1&c=2", "rel": LINK_REL, "target": "_blank"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "address",
    ["http://example.org", "//example.org", "/admin/delete", "?x", "#x", "mailto:a@example.org", "ftp://example.org",
     "https:example", "HTTPS:/x", "javascript:alert(1)", "data:text/html,x", "\\\\example.org\\x", "https:///x"],
)  # fmt: skip
def test_a_link_to_anywhere_else_leads_nowhere(address: str) -> None:
    assert "href" not in render_notes(f"[x]({address})")


def test_an_image_is_told_by_its_description() -> None:
    assert render_notes("![a <b> chart](https://example.org/x.png)") == "<p>a &lt;b&gt; chart</p>\n"


@pytest.mark.parametrize("notes", HOSTILE_NOTES)
def test_hostile_notes_leave_nothing_that_is_not_allowed(notes: str) -> None:
    assert_harmless(render_notes(notes))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("<>()[]!#*_`~|-&;:/\\\"'= \n\tajsvhref0\x00\u202e")), max_size=200))
def test_no_text_leaves_anything_that_is_not_allowed(notes: str) -> None:
    assert_harmless(render_notes(notes))


@pytest.mark.parametrize("notes", ["[" * 9_000, "*" * 20_000, "> " * 5_000, "`" * 30_000, "<" * 30_000, "a|" * 9_000])
def test_notes_that_cost_a_parser_much_are_rendered_all_the_same(notes: str) -> None:
    assert_harmless(render_notes(notes))
