"""Features, motion and colours of frames against plain loops and independent formulas."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance

from versus.core.errors import DataError
from versus.experiments.dsn.data.animation.clips import clip
from versus.experiments.dsn.data.config import Features
from versus.experiments.dsn.data.features import classic, colours, motion
from versus.experiments.dsn.data.features.extractors import check_same, extractor, spec

FRAMES = clip(0, "train", 0, size=(96, 54)).frames[::9]


def test_classic_features_have_their_width_and_norm() -> None:
    features = classic.classic(FRAMES)
    assert features.shape == (len(FRAMES), classic.WIDTH) == (len(FRAMES), 611)
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)


def test_a_frame_has_the_same_features_in_any_batch() -> None:
    whole = classic.classic(FRAMES)
    for number in range(0, len(FRAMES), 3):
        np.testing.assert_allclose(
            whole[number], classic.classic(FRAMES[number : number + 1])[0], atol=1e-6
        )


def blocks(frame: np.ndarray) -> list[np.ndarray]:
    """The four blocks of a frame, written plainly."""
    height, width = frame.shape[:2]
    scale = min(1, 80 / max(height, width))
    small = cv2.resize(frame, (round(width * scale), round(height * scale)), interpolation=3)
    hues = np.zeros((12, 8))
    for pixel in cv2.cvtColor(small, cv2.COLOR_RGB2HSV).reshape(-1, 3):
        hues[int(pixel[0]) * 12 // 180, int(pixel[1]) * 8 // 256] += 1
    square = cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA)
    grey = square @ np.array([0.299, 0.587, 0.114]) / 255
    basis = dctn(grey, type=2)[:10, :10].ravel()[1:] / 4
    edges = np.zeros((4, 4, 8))
    rows, columns = np.gradient(grey)
    for y in range(32):
        for x in range(32):
            angle = np.arctan2(rows[y, x], columns[y, x]) / (2 * np.pi) % 1
            strength = np.hypot(rows[y, x], columns[y, x])
            edges[y // 8, x // 8, min(int(angle * 8), 7)] += strength
    layout = cv2.resize(frame, (12, 8), interpolation=cv2.INTER_AREA) / 255 - 0.5
    return [np.sqrt(hues.ravel()), basis, np.sqrt(edges.ravel()), layout.ravel()]


def test_classic_features_are_what_they_are_said_to_be() -> None:
    features = classic.classic(FRAMES)
    for frame, row in zip(FRAMES[:6], features, strict=False):
        parts = [block / np.linalg.norm(block) for block in blocks(frame)]
        expected = np.concatenate(parts) / 2
        assert row @ expected == pytest.approx(1, abs=1e-4)


def test_a_frame_of_one_colour_has_finite_features() -> None:
    flat = np.full((2, 54, 96, 3), 127, np.uint8)
    features = classic.classic(flat)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)


# --- motion ---------------------------------------------------------------------------------------


def textured(shift: int) -> np.ndarray:
    """A picture ``[54, 96, 3]`` of a fixed texture, ``shift`` pixels to the left."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (9, 40, 3)).astype(np.uint8)
    wide = cv2.resize(coarse, (400, 54), interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide[:, 100 + shift : 196 + shift])


def test_a_camera_pan_is_taken_out_and_measured() -> None:
    frames = np.stack([textured(3 * number) for number in range(8)])
    rows = motion.changes(motion.small_grey(frames), None)[1:]
    assert (rows[:, motion.STEADY] < 0.35 * rows[:, motion.PLAIN]).all()
    np.testing.assert_allclose(rows[:, motion.SHIFT], 3 / 96, atol=0.01)


def test_changes_do_not_depend_on_how_frames_are_cut_into_pieces() -> None:
    grey = motion.small_grey(FRAMES)
    kept = grey.copy()
    whole = motion.changes(grey, None)
    np.testing.assert_array_equal(grey, kept)
    halves = [motion.changes(grey[:7], None), motion.changes(grey[7:], grey[6])]
    np.testing.assert_array_equal(np.concatenate(halves), whole)
    plain = np.abs(np.diff(kept, axis=0)).mean((1, 2))
    np.testing.assert_allclose(whole[1:, motion.PLAIN], plain, atol=1e-6)


def test_light_that_flickers_and_a_cameras_shift_change_the_picture_but_are_steady() -> None:
    picture = np.random.default_rng(0).random((36, 64)).astype(np.float32) * 0.5
    smooth = np.asarray(gaussian_filter(picture, 2.0), np.float32)
    gains = np.array([1.0, 0.7, 0.9, 0.6, 1.0], np.float32)
    flickering = motion.changes(gains[:, None, None] * smooth, None)[1:]
    assert flickering[:, motion.PLAIN].min() > 0.02
    assert flickering[:, motion.STEADY].max() < 1e-3
    panned = np.stack([np.roll(smooth, 2 * n, axis=1) for n in range(5)])
    shifted = motion.changes(panned, None)[1:]
    assert (shifted[:, motion.STEADY] < 0.3 * shifted[:, motion.PLAIN]).all()


def moved(steps: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Changes and features of something that goes these steps along a line."""
    rows = np.zeros((len(steps) + 1, motion.CHANGES), np.float32)
    rows[1:, motion.PLAIN] = rows[1:, motion.STEADY] = np.abs(steps)
    place = np.concatenate([[0], np.cumsum(steps)])
    features = np.stack([place, np.ones_like(place)], 1).astype(np.float32)
    return rows, features


def columns(steps: list[float]) -> dict[str, np.ndarray]:
    rows, features = moved(steps)
    found = motion.motion(rows, features, motion.scale(rows, features, [0]))
    return dict(zip(motion.COLUMNS, found.T, strict=True))


def test_a_hold_is_still_and_a_plateau_and_only_a_key_pose_turns() -> None:
    steps = [1.0] * 12 + [0.0] * 7 + [-1.0] * 12
    turned, passed = columns(steps), columns([abs(step) for step in steps])
    for found in (turned, passed):
        assert found["change"].argmin() in range(13, 19)
        assert found["steady_rank"][15] < 0.2
        assert found["plateau"].argmax() == 15
    assert turned["turn_far"][15] > 0.9
    assert passed["turn_far"][15] < 0.1


def test_change_is_in_units_of_the_videos_mean_without_its_cuts() -> None:
    rows, features = moved([1.0, 1.0, 50.0, 3.0, 3.0])
    mean = motion.scale(rows, features, [0, 3])
    np.testing.assert_allclose(mean, [2.0, 2.0, 2.0])
    second = motion.motion(rows[3:], features[3:], mean)
    np.testing.assert_allclose(second[:, 0], 1.5, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(0, 1000))
def test_motion_is_finite_and_bounded_for_any_length(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.random(count - 1) * rng.integers(0, 2, count - 1)
    rows, features = moved(steps.tolist())
    found = motion.motion(rows, features, motion.scale(rows, features, [0]))
    assert found.shape == (count, len(motion.COLUMNS))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    ranks = found[:, [1, 3, 5]]
    assert ranks.min() >= 0
    assert ranks.max() <= 1


# --- colours --------------------------------------------------------------------------------------


def test_the_distance_of_mean_distributions_is_wassersteins() -> None:
    along = colours.directions(8, 42)
    made = colours.distributions(FRAMES, along, levels=1, bins=256, longest=96)
    chosen = [1, 4]
    apart = colours.shares(made).mean(0) - colours.shares(made[chosen]).mean(0)
    ours = np.abs(apart).sum(-1)[0] * colours.width(256)
    pixels = FRAMES.reshape(len(FRAMES), -1, 3) / 255
    for number, direction in enumerate(along):
        both = [(part @ direction).ravel() for part in (pixels, pixels[chosen])]
        assert ours[number] == pytest.approx(wasserstein_distance(*both), abs=2e-4)


def test_distributions_rise_to_one_at_every_level() -> None:
    along = colours.directions(4, 0)
    made = colours.shares(colours.distributions(FRAMES[:2], along, levels=3, bins=32, longest=40))
    assert made.shape == (2, 3, 4, 32)
    assert (np.diff(made) >= 0).all()
    assert (made[..., -1] == 1).all()


def test_directions_are_fixed_by_their_seed() -> None:
    first, again, other = (colours.directions(5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1)


# --- extractors -----------------------------------------------------------------------------------


def test_the_extractor_is_known_by_name_and_version() -> None:
    config = Features()
    known = spec(config)
    assert extractor(config) is classic.classic
    assert (known["name"], known["version"]) == ("classic", classic.VERSION)
    check_same(known, {**known}, "here")
    with pytest.raises(DataError, match=r"here: .*version 1 instead of 2.*extract them again"):
        check_same(known, {**known, "version": 2}, "here")
