"""make docs: write the pages that are made from the program."""

from tests.docs.pages import DOCS, PAGES

for name, render in PAGES.items():
    (DOCS / name).write_text(render(), encoding="utf-8")
