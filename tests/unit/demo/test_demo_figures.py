"""The table of the images."""

from deploy.demo.figures import Figures, build_table


def test_the_table_has_a_line_for_each_image() -> None:
    figures = [
        Figures("app", 228_400_000, 36_700_000, 3, 1.234, "first healthy answer"),
        Figures("orchestrator", 341_000_000, 149_000_000, 4, 0.5, "end of --version"),
    ]
    assert build_table(figures).splitlines() == [
        "image              size   without the base  layers  cold start  until",
        "app              228 MB              37 MB       3      1.23 s  first healthy answer",
        "orchestrator     341 MB             149 MB       4      0.50 s  end of --version",
    ]
