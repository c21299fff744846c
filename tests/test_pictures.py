"""Sheets of pictures, and pictures lit by a response."""

import numpy as np
import pytest

from rewriting.core.contact_sheet import enlarged, lit, sheet, square_sheet


def plain(brightness, side=32):
    return np.full((side, side, 3), brightness, np.uint8)


def test_a_picture_is_bright_where_the_response_is_high():
    heat = np.zeros((4, 4), np.float32)
    heat[:, 2:] = 1
    drawn = lit(plain(200), heat, 0, 1)
    assert drawn[:, 26:].min() > 190 and drawn[:, :6].max() < 60


def test_a_response_that_is_the_same_everywhere_lights_nothing():
    assert lit(plain(200), np.ones((4, 4), np.float32), 1, 1).max() == 50


def test_a_picture_of_the_wanted_size_is_not_resampled():
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert enlarged(picture, 8) is picture
    assert enlarged(picture, 32).shape == (32, 32, 3) and enlarged(picture[..., 0], 16).shape == (16, 16)


def test_pictures_lie_in_their_rows_with_white_between():
    drawn = np.asarray(sheet([[plain(10, 8), plain(20, 8)], [plain(30, 8)]], gap=2))
    assert drawn.shape == (18, 18, 3)
    assert (drawn[:8, :8] == 10).all() and (drawn[:8, 10:] == 20).all() and (drawn[10:, :8] == 30).all()
    assert (drawn[8:10] == 255).all() and (drawn[:, 8:10] == 255).all() and (drawn[10:, 10:] == 255).all()


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (4, 2, 2), (5, 3, 2), (12, 4, 3)])
def test_a_square_sheet_is_as_high_as_it_is_wide_or_a_row_less(count, columns, rows):
    assert square_sheet([plain(0, 6)] * count).size == (10 * columns - 4, 10 * rows - 4)
