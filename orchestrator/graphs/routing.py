"""Route lines between the boxes of a layout: at right angles, in lanes shared by lines with one target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.graphs.edges import Group, Pair

LABEL_CHARACTER = 6.8  # of a monospaced font of 11 px
_LANE = 14.0
_EDGE = 12.0  # between a box and a label, and between a lane and a tip
_ROUND = 7.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """Place of a node; ``below`` is the free height between it and the next row."""

    column: int
    row: int
    x: float
    y: float
    width: float
    height: float
    below: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width


@dataclass(frozen=True)
class Route:
    """A line as path data from target to source, the place of its label, and its rightmost point."""

    source: str
    target: str
    words: list[str]
    path: str
    label: tuple[float, float, str]
    right: float


def is_straight(one: int, other: int, row: int, below: int) -> bool:
    """Tell whether a line between these columns and rows goes straight down."""
    return one == other and below == row + 1


def measure_channels(groups: Sequence[Group], columns: Mapping[str, int], rows: Mapping[str, int]) -> dict[int, float]:
    """Measure the width that labels and lanes need right of each column."""
    widths = dict.fromkeys(columns.values(), 2 * _EDGE)
    for column in widths:
        leaving, lanes = {True: 0.0, False: 0.0}, set()
        for source, target, words in groups:
            one, other = columns[source], columns[target]
            if is_straight(one, other, rows[source], rows[target]):
                continue
            rightward = other >= one
            channel = one if rightward else _left_of(one, columns)
            if channel == column:
                leaving[rightward] = max(leaving[rightward], _measure(words) + _EDGE)
            if column in _channels(one, other, columns):
                lanes.add((target, rightward))
        widths[column] += leaving[True] + leaving[False] + len(lanes) * _LANE
    return widths


def draw_routes(groups: Sequence[Group], boxes: Mapping[str, Box]) -> list[Route]:
    """Route every line."""
    columns = {name: box.column for name, box in boxes.items()}
    lanes = _choose_lanes(groups, boxes, columns)
    ports = _choose_ports(groups, boxes)
    return [_draw(group, boxes, columns, lanes, ports) for group in groups]


def _channels(one: int, other: int, columns: Mapping[str, int]) -> list[int]:
    """Return the channels in which a line from one column to another has a lane, each by the column left of it."""
    used = sorted(set(columns.values()))
    if one == other:
        return [one]
    if other < one:
        return [_left_of(one, columns)]
    return [column for column in used if one <= column < other]


def _left_of(column: int, columns: Mapping[str, int]) -> int:
    return max((other for other in columns.values() if other < column), default=column)


def _choose_lanes(
    groups: Sequence[Group], boxes: Mapping[str, Box], columns: Mapping[str, int]
) -> dict[tuple[int, str, bool], float]:
    """Map (channel, target, rightward) to x. Lines from furthest above run nearest to their target column."""
    tops: dict[tuple[int, str, bool], int] = {}
    for source, target, _ in groups:
        one, other = boxes[source], boxes[target]
        if is_straight(one.column, other.column, one.row, other.row):
            continue
        rightward = other.column >= one.column
        for channel in _channels(one.column, other.column, columns):
            key = (channel, target, rightward)
            tops[key] = min(tops.get(key, one.row), one.row)
    found = {}
    for channel in {key[0] for key in tops}:
        right = max(box.right for box in boxes.values() if box.column == channel)
        after = [box.x for box in boxes.values() if box.column > channel]
        here = [key for key in tops if key[0] == channel]
        leftwards = sorted((key for key in here if not key[2]), key=lambda key: tops[key])
        rightwards = sorted((key for key in here if key[2]), key=lambda key: -tops[key])
        for number, key in enumerate(leftwards):
            found[key] = right + _EDGE + (number + 1) * _LANE
        longest = max((_measure(words) for source, _, words in groups if columns[source] == channel), default=0.0)
        end = min(after, default=right + longest + 3 * _EDGE + (len(rightwards) + 1) * _LANE)
        for number, key in enumerate(reversed(rightwards)):
            found[key] = end - _EDGE - (number + 1) * _LANE
    return found


def _choose_ports(groups: Sequence[Group], boxes: Mapping[str, Box]) -> dict[Pair, float]:
    """Choose where each line leaves its box, by its height; lines that go up leave above those that go down."""
    found: dict[Pair, float] = {}
    for name, box in boxes.items():
        for rightward in (True, False):
            leaving = [
                (source, target)
                for source, target, _ in groups
                if source == name
                and not is_straight(box.column, boxes[target].column, box.row, boxes[target].row)
                and (boxes[target].column >= box.column) is rightward
            ]
            leaving.sort(key=lambda pair: boxes[pair[1]].row)
            for number, pair in enumerate(leaving, 1):
                found[pair] = box.y + box.height * number / (len(leaving) + 1)
    return found


def _draw(
    group: Group,
    boxes: Mapping[str, Box],
    columns: Mapping[str, int],
    lanes: Mapping[tuple[int, str, bool], float],
    ports: Mapping[Pair, float],
) -> Route:
    source, target, words = group
    one, other = boxes[source], boxes[target]
    if is_straight(one.column, other.column, one.row, other.row):
        x = one.x + one.width / 2
        points = [(x, one.y + one.height), (x, other.y)]
        label = (x + 8, one.y + one.height + one.below / 2 + 2, "start")
        return Route(source, target, words, _to_path(points), label, x + 8 + _measure(words))
    rightward = other.column >= one.column
    y, middle = ports[source, target], other.y + other.height / 2
    points = [(one.right if rightward else one.x, y)]
    channels = _channels(one.column, other.column, columns)
    for channel, following in zip(channels, [*channels[1:], None], strict=True):
        x = lanes[channel, target, rightward]
        to = middle if following is None else _passage(following, one, other, boxes)
        points += [(x, points[-1][1]), (x, to)]
    points.append((other.x if other.column > one.column else other.right, middle))
    label = (one.right + 8, y - 4, "start") if rightward else (one.x - 8, y - 4, "end")
    right = max(*(x for x, _ in points), label[0] + _measure(words) if rightward else 0.0)
    return Route(source, target, words, _to_path(points), label, right)


def _measure(words: Sequence[str]) -> float:
    return len(", ".join(words)) * LABEL_CHARACTER


# At the height of the target where nothing else stands and leaves there, otherwise in the gap above that row.
def _passage(column: int, source: Box, target: Box, boxes: Mapping[str, Box]) -> float:
    there = [box for box in boxes.values() if box.row == target.row and box.column in (column, source.column)]
    taken = any(box is not source for box in there)
    return target.y - target.below / 2 if taken else target.y + target.height / 2


def _to_path(points: Sequence[Point]) -> str:
    """Write path data from the last point to the first, with rounded corners."""
    way = _simplify(points[::-1])
    text = f"M{_tell(way[0])}"
    for before, corner, after in zip(way, way[1:], way[2:], strict=False):
        text += f" L{_tell(_towards(corner, before))} Q{_tell(corner)} {_tell(_towards(corner, after))}"
    return f"{text} L{_tell(way[-1])}"


def _simplify(points: Sequence[Point]) -> list[Point]:
    found = [points[0]]
    for point in points[1:]:
        if point == found[-1]:
            continue
        if len(found) > 1 and any(found[-2][axis] == found[-1][axis] == point[axis] for axis in (0, 1)):
            found.pop()
        found.append(point)
    return found


def _towards(corner: Point, point: Point) -> Point:
    (x, y), (to_x, to_y) = corner, point
    length = abs(to_x - x) + abs(to_y - y)
    part = min(_ROUND, length / 2) / length
    return x + (to_x - x) * part, y + (to_y - y) * part


def _tell(point: Point) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"
