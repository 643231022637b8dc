"""An image is found where it is written, and nothing but its text is changed."""

from pathlib import Path

import pytest

from orchestrator.core.errors import UsageError
from orchestrator.init.compose_text import find_extended, find_image, find_includes, replace_scalar

FILE = Path("/srv/compose.yaml")


def edit(text: str, service: str = "web") -> str:
    written = find_image({FILE: text}, service)
    assert written is not None
    return replace_scalar(text, written, "app:${APP_VERSION}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("image: app:1.2.3", "image: app:${APP_VERSION}"),
        ("image:   app:1.2.3   # why", "image:   app:${APP_VERSION}   # why"),
        ('image: "app:1.2.3"', 'image: "app:${APP_VERSION}"'),
        ("image: 'app:1.2.3'", "image: 'app:${APP_VERSION}'"),
        ("image: &app app:1.2.3", "image: &app app:${APP_VERSION}"),
        ("image: !!str app:1.2.3", "image: !!str app:${APP_VERSION}"),
        ("image:\n      app:1.2.3", "image:\n      app:${APP_VERSION}"),
    ],
)
def test_a_fixed_tag_becomes_a_variable_in_its_own_quotes(before: str, after: str) -> None:
    around = "# Ünïcode first, 文字\r\nservices:\n  web:\n    {}\n    ports: ['80:80']   # kept\n\n\n# the end"
    assert edit(around.format(before)) == around.format(after)


def test_inside_brackets_the_text_is_quoted_because_braces_mean_something_there() -> None:
    assert edit("services: {web: {image: app:1.2.3}}\n") == 'services: {web: {image: "app:${APP_VERSION}"}}\n'


def test_a_byte_order_mark_moves_no_edit() -> None:
    assert edit("\ufeffservices:\n  web:\n    image: app:1.2.3\n").endswith("image: app:${APP_VERSION}\n")


def test_an_image_that_comes_by_a_merge_key_is_edited_where_it_is_written() -> None:
    text = "x-app: &app\n  image: app:1.2.3  # here\nservices:\n  web:\n    <<: *app\n  job:\n    <<: [*app]\n"
    edited = edit(text)
    assert edited == text.replace("app:1.2.3", "app:${APP_VERSION}")
    assert find_image({FILE: text}, "web") == find_image({FILE: text}, "job")


def test_an_alias_is_followed_to_its_anchor() -> None:
    text = "x-image: &image app:1.2.3\nservices:\n  web:\n    image: *image\n"
    assert edit(text) == text.replace("app:1.2.3", "app:${APP_VERSION}")


def test_extended_service_is_found_in_the_other_file() -> None:
    base = FILE.with_name("base.yaml")
    files = {
        base: "services:\n  common:\n    image: app:1.2.3\n",
        FILE: "services:\n  web:\n    extends: {file: base.yaml, service: common}\n",
    }
    written = find_image(files, "web")
    assert written is not None
    assert written.path == base


def test_of_two_files_the_later_one_counts() -> None:
    override = FILE.with_name("override.yaml")
    written = find_image({FILE: "services: {web: {image: a}}", override: "services: {web: {image: b}}"}, "web")
    assert written is not None
    assert (written.path, written.value) == (override, "b")


def test_a_service_without_an_image_has_none() -> None:
    assert find_image({FILE: "services:\n  web:\n    build: .\n"}, "web") is None
    assert find_image({FILE: "services:\n  web:\n    build: .\n"}, "other") is None


def test_a_block_text_is_not_edited() -> None:
    with pytest.raises(UsageError, match="cannot be edited safely"):
        edit("services:\n  web:\n    image: >-\n      app:1.2.3\n")


@pytest.mark.parametrize("text", ["services: [", "a: b: c", "\tx: 1", "[" * 3000])
def test_a_file_that_is_no_yaml_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read as YAML"):
        find_image({FILE: text}, "web")


@pytest.mark.parametrize("text", ["", "null", "- a\n- b", "services:\n- web", "services: {web: text}", "? [a]\n: b"])
def test_a_file_of_another_shape_has_no_image(text: str) -> None:
    assert find_image({FILE: text}, "web") is None


def test_includes_and_what_is_extended_are_found_in_each_spelling() -> None:
    text = (
        "include:\n- a.yaml\n- {path: [b.yaml, c.yaml]}\n"
        "services:\n  web: {extends: {file: d.yaml, service: x}}\n  job: {extends: web}\n"
    )
    assert [path.name for path in find_includes(text, FILE)] == ["a.yaml", "b.yaml", "c.yaml"]
    assert [path.name for path in find_extended(text, FILE)] == ["d.yaml"]
