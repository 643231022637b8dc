"""Route lines between the boxes of a layout: at right angles, in lanes shared by lines with one target."""

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
class Line:
    """A line for one or more outcomes of a state; ``right`` is its rightmost point.

    ``path`` is SVG path data from the target to the source, so that the dashes of lines that run together coincide.
    ``way``: forward, aside (to an end), back, cut (no transition of the plan). ``anchor`` as in `text-anchor`.
    """

    source: str
    target: str
    outcomes: str
    way: str
    path: str
    label_x: float
    label_y: float
    anchor: str
    right: float


@dataclass(frozen=True)
class Way:
    """The way of a line through the sheet. ``channels``: those in which it has a lane, each by the column left of it.

    A line without a channel goes straight down to the next row.
    """

    source: str
    target: str
    outcomes: str
    sort: str
    rightward: bool
    channels: tuple[int, ...]


def choose_ways(
    groups: Sequence[Group], columns: Mapping[str, int], rows: Mapping[str, int], sorts: Mapping[Pair, str]
) -> list[Way]:
    """Choose for each line the channels that it goes through; ``sorts`` as in `Line.way`."""
    used = sorted(set(columns.values()))
    found = []
    for source, target, words in groups:
        one, other = columns[source], columns[target]
        if one == other and rows[target] == rows[source] + 1:
            channels: tuple[int, ...] = ()
        elif other < one:
            channels = (max(column for column in used if column < one),)
        else:
            channels = tuple(column for column in used if one <= column < max(other, one + 1))
        found.append(Way(source, target, ", ".join(words), sorts[source, target], other >= one, channels))
    return found


def measure_channels(ways: Sequence[Way]) -> dict[int, float]:
    """Measure the width that labels and lanes need right of each column."""
    labels: dict[tuple[int, bool], float] = {}
    lanes: dict[int, set[tuple[str, bool]]] = {}
    for way in ways:
        for channel in way.channels:
            lanes.setdefault(channel, set()).add((way.target, way.rightward))
        for channel in way.channels[:1]:
            key = (channel, way.rightward)
            labels[key] = max(labels.get(key, 0.0), _measure(way.outcomes) + _EDGE)
    return {
        channel: 2 * _EDGE + labels.get((channel, True), 0.0) + labels.get((channel, False), 0.0) + len(found) * _LANE
        for channel, found in lanes.items()
    }


def draw_lines(ways: Sequence[Way], boxes: Mapping[str, Box]) -> list[Line]:
    """Draw every line."""
    lanes, ports = _choose_lanes(ways, boxes), _choose_ports(ways, boxes)
    return [_draw(way, boxes, lanes, ports) if way.channels else _draw_straight(way, boxes) for way in ways]


def _choose_lanes(ways: Sequence[Way], boxes: Mapping[str, Box]) -> dict[tuple[int, str, bool], float]:
    """Map (channel, target, rightward) to x. Lines from furthest above run nearest to their target column."""
    tops: dict[tuple[int, str, bool], int] = {}
    for way in ways:
        for channel in way.channels:
            key, row = (channel, way.target, way.rightward), boxes[way.source].row
            tops[key] = min(tops.get(key, row), row)
    found = {}
    for channel in {key[0] for key in tops}:
        right = max(box.right for box in boxes.values() if box.column == channel)
        here = sorted((key for key in tops if key[0] == channel), key=lambda key: tops[key])
        leftwards, rightwards = ([key for key in here if key[2] is rightward] for rightward in (False, True))
        longest = max((_measure(way.outcomes) for way in ways if boxes[way.source].column == channel), default=0.0)
        least = right + longest + 3 * _EDGE + (len(rightwards) + 1) * _LANE
        end = min((box.x for box in boxes.values() if box.column > channel), default=least)
        for number, key in enumerate(leftwards, 1):
            found[key] = right + _EDGE + number * _LANE
        for number, key in enumerate(rightwards, 1):
            found[key] = end - _EDGE - number * _LANE
    return found


def _choose_ports(ways: Sequence[Way], boxes: Mapping[str, Box]) -> dict[Pair, float]:
    """Choose where each line leaves its box, by its height; lines that go up leave above those that go down."""
    sides: dict[tuple[str, bool], list[str]] = {}
    for way in ways:
        if way.channels:
            sides.setdefault((way.source, way.rightward), []).append(way.target)
    found: dict[Pair, float] = {}
    for (source, _), targets in sides.items():
        box = boxes[source]
        for number, target in enumerate(sorted(targets, key=lambda name: boxes[name].row), 1):
            found[source, target] = box.y + box.height * number / (len(targets) + 1)
    return found


def _draw_straight(way: Way, boxes: Mapping[str, Box]) -> Line:
    one, other = boxes[way.source], boxes[way.target]
    x, bottom = one.x + one.width / 2, one.y + one.height
    return _build_line(way, [(x, bottom), (x, other.y)], (x + 8, bottom + one.below / 2 + 2), "start")


def _draw(
    way: Way, boxes: Mapping[str, Box], lanes: Mapping[tuple[int, str, bool], float], ports: Mapping[Pair, float]
) -> Line:
    one, other = boxes[way.source], boxes[way.target]
    y, middle = ports[way.source, way.target], other.y + other.height / 2
    points = [(one.right if way.rightward else one.x, y)]
    for channel, following in zip(way.channels, [*way.channels[1:], None], strict=True):
        x = lanes[channel, way.target, way.rightward]
        to = middle if following is None else _passage(following, one, other, boxes)
        points += [(x, points[-1][1]), (x, to)]
    points.append((other.x if other.column > one.column else other.right, middle))
    if way.rightward:
        return _build_line(way, points, (one.right + 8, y - 4), "start")
    return _build_line(way, points, (one.x - 8, y - 4), "end")


def _build_line(way: Way, points: Sequence[Point], label: Point, anchor: str) -> Line:
    right = max(*(x for x, _ in points), label[0] + _measure(way.outcomes) if anchor == "start" else 0.0)
    return Line(way.source, way.target, way.outcomes, way.sort, _to_path(points), *label, anchor, right)


def _measure(text: str) -> float:
    return len(text) * LABEL_CHARACTER


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
