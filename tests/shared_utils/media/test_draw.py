"""Drawing: where lines and texts are, that nothing is written elsewhere, and marks that cannot be drawn."""

from __future__ import annotations

import numpy as np
import pytest

from shared_utils.media.draw import BoxMark, ShapeMark, draw
from shared_utils.media.palette import BLACK, BLUE, GREY, RED, SERIES, WHITE, YELLOW, bgr, text_colour, track_colour
from shared_utils.media.picture import Picture, encode_jpeg, fitted_size

NAN, INF = float("nan"), float("inf")


def plain(shade: int = 128, size: tuple[int, int] = (640, 360)) -> Picture:
    return np.full((size[1], size[0], 3), shade, np.uint8)


def changed(drawn: Picture, picture: Picture) -> tuple[int, int, int, int]:
    """Return the corners, both included, of what differs."""
    rows, columns = np.nonzero((drawn != picture).any(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def test_a_box_is_drawn_on_its_edges_alone():
    picture = plain()
    drawn = draw(picture, [BoxMark((100, 100, 300, 250), colour=RED)])
    assert changed(drawn, picture) == (99, 99, 301, 251)  # with a rim of one pixel
    for row, column in ((175, 100), (175, 300), (100, 200), (250, 200)):
        assert tuple(drawn[row, column]) == bgr(RED)
    assert (drawn[110:240, 110:290] == 128).all()
    assert (picture == 128).all()


@pytest.mark.parametrize("shade", [0, 255])
@pytest.mark.parametrize("dashed", [False, True])
@pytest.mark.parametrize("colour", SERIES)
def test_boxes_stand_out_from_dark_and_light(colour, dashed, shade):
    drawn = draw(plain(shade), [BoxMark((100, 100, 300, 250), colour=colour, dashed=dashed)])
    assert np.abs(drawn[130:240, 96:106].astype(int) - shade).sum(axis=2).max() > 350


def test_a_dashed_box_is_its_colour_by_halves():
    drawn = draw(plain(), [BoxMark((100, 100, 300, 250), colour=BLUE, dashed=True)])
    edge = drawn[100, 100:300]
    share = (edge == bgr(BLUE)).all(axis=1).mean()
    assert 0.4 < share < 0.6
    assert ((edge == bgr(BLUE)) | (edge == bgr(WHITE))).all()


def test_the_picture_is_scaled_before_it_is_drawn_on():
    drawn = draw(plain(), [BoxMark((100, 100, 300, 250), colour=RED)], size=(320, 180))
    assert drawn.shape == (180, 320, 3)
    assert changed(drawn, plain(size=(320, 180))) == (49, 49, 151, 126)


def test_texts_are_on_their_box_in_readable_colours():
    for colour, text_is in ((BLUE, WHITE), (YELLOW, BLACK)):
        drawn = draw(plain(), [BoxMark((100, 100, 300, 250), "person #1 0.93", colour)])
        plate = drawn[82:99, 102:190]
        assert (plate == bgr(colour)).all(axis=2).mean() > 0.4
        assert (plate == bgr(text_is)).all(axis=2).sum() > 50
        assert text_colour(colour) == text_is


@pytest.mark.parametrize("corners", [(0, 0, 12, 16), (300, 2, 340, 150), (624, 0, 640, 20)])
def test_a_text_hides_nothing_of_a_box_at_the_upper_edge(corners):
    picture = plain()
    x1, y1, x2, y2 = corners
    without = draw(picture, [BoxMark(corners, "", BLUE)])
    drawn = draw(picture, [BoxMark(corners, "person 0.83", BLUE)])
    assert (drawn[y1:y2, x1:x2] == without[y1:y2, x1:x2]).all()
    assert (drawn[y2 + 1 :] != without[y2 + 1 :]).any()


@pytest.mark.parametrize("text", ["людина", "Łódź", "άνθρωπος", "人", "사람", "שלום"])
def test_letters_of_many_scripts_are_drawn_and_not_replaced(text):
    replaced = draw(plain(), [BoxMark((100, 100, 300, 250), "?" * len(text))])
    drawn = draw(plain(), [BoxMark((100, 100, 300, 250), text)])
    assert (drawn != replaced).any()
    each = {draw(plain(), [BoxMark((100, 100, 300, 250), letter)])[70:100].tobytes() for letter in set(text)}
    assert len(each) == len(set(text))


@pytest.mark.parametrize("text", ["a very long label " * 50, "two\nlines\tand\0more", "\ud800", " ", "%s {} \\"])
def test_strange_texts_do_no_harm(text):
    drawn = draw(plain(), [BoxMark((600, 300, 639, 359), text)], text)
    assert drawn.shape == (360, 640, 3)


def test_a_note_stands_in_the_lower_left_corner():
    left, top, right, bottom = changed(draw(plain(), [], "14:48:24"), plain())
    assert (left, bottom) == (0, 359)
    assert top > 330
    assert right < 120


BOXES = [
    (-20, -20, 30, 30),
    (600, 300, 2000, 2000),
    (0, 0, 640, 360),
    (0, 0, 639, 359),
    (5, 5, 5, 5),
    (300, 200, 100, 100),  # corners in the other order
    (-1e30, -1e30, 1e30, 1e30),
    (320, -1e12, 1e12, 180),
]


@pytest.mark.parametrize("corners", BOXES)
@pytest.mark.parametrize("dashed", [False, True])
def test_nothing_is_written_outside_the_picture(corners, dashed):
    # a picture within a larger buffer: whoever writes beyond its rows or columns writes into the frame around it
    buffer = plain(77, (740, 460))
    picture = buffer[50:410, 50:690]
    before = buffer.copy()
    marks: list[BoxMark | ShapeMark] = [
        BoxMark(corners, "label", dashed=dashed),
        ShapeMark([corners[:2], corners[2:], (0, 360)], "zone"),
    ]
    drawn = draw(picture, marks, "note")
    assert drawn.shape == picture.shape
    assert (buffer == before).all()


def test_edges_beyond_the_picture_are_not_drawn_on_its_rim():
    drawn = draw(plain(), [BoxMark((-100, -100, 740, 460)), BoxMark((-1e30, -1e30, 1e30, 1e30))])
    assert (drawn == 128).all()
    drawn = draw(plain(), [BoxMark((320, -1e12, 1e12, 180), colour=RED)])
    assert tuple(drawn[90, 320]) == tuple(drawn[180, 500]) == bgr(RED)
    assert (drawn[:170, 330:] == 128).all()


@pytest.mark.parametrize(
    "mark",
    [
        BoxMark((NAN, 0, 10, 10), "label"),
        BoxMark((0, 0, INF, 10), "label"),
        BoxMark((-50, 0, -10, 10), "label"),
        BoxMark((640, 0, 700, 10), "label"),
        ShapeMark([], "zone"),
        ShapeMark([(0, 0), (NAN, 5)], "zone"),
        ShapeMark([(700, 0), (800, 5)], "zone"),
    ],
)
def test_what_cannot_be_seen_is_left_out(mark):
    assert (draw(plain(), [mark]) == 128).all()


def test_a_polygon_passes_through_its_points_and_a_line_stays_open():
    corners = [(100.0, 100.0), (500.0, 120.0), (400.0, 300.0), (120.0, 280.0)]
    for closed in (True, False):
        drawn = draw(plain(), [ShapeMark(corners, colour=RED, closed=closed)])
        for x, y in corners:
            assert tuple(drawn[int(y), int(x)]) == bgr(RED)
        assert (tuple(drawn[190, 110]) == bgr(RED)) == closed  # half way from the last point to the first


def test_tracks_have_colours_of_their_own():
    assert len({track_colour(track) for track in range(1, 8)}) == 7
    assert track_colour(1) == track_colour(8)
    assert track_colour(None) == GREY


def test_sizes_are_even_and_keep_the_proportions():
    assert fitted_size(1920, 1080, 960) == (960, 540)
    assert fitted_size(1081, 1921, 960) == (540, 960)
    assert fitted_size(33, 17, 960) == (32, 16)
    assert fitted_size(4000, 2, 100) == (100, 2)


@pytest.mark.parametrize("shape", [(0, 0, 3), (1, 70_000, 3)])
def test_what_cannot_be_a_jpeg_is_refused(shape):
    with pytest.raises(ValueError, match="cannot be encoded"):
        encode_jpeg(np.zeros(shape, np.uint8), 80)
