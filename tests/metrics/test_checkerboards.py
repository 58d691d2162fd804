"""Checkerboards: images whose energies and frequencies are known."""
import numpy as np
import pytest

from minidl.errors import InputError
from minidl.metrics.checkerboards import checkerboard, pixel_energies, power_spectrum, unevenness


def test_each_kind_of_pixel_has_its_own_energy_and_the_rim_does_not_count():
    kinds = np.array([[1.0, -2.0], [3.0, 4.0]])
    images = np.full((3, 16, 20, 1), 9.0)
    images[:, 4:-4, 4:-4, 0] = np.tile(kinds, (4, 6))
    np.testing.assert_array_equal(pixel_energies(images), kinds**2)


def test_the_energies_of_a_kernel_of_3_with_a_stride_of_2_are_uneven_by_048():
    assert unevenness(np.array([[1.0, 2.0], [2.0, 4.0]])) == pytest.approx(0.4843, abs=1e-4)
    assert unevenness(np.full((2, 2), 0.3)) == 0


@pytest.mark.parametrize("frequency", [2, 5, 16])
def test_the_power_of_a_wave_is_greatest_at_its_frequency(frequency):
    wave = np.cos(2 * np.pi * frequency / 32 * np.arange(32) + 0.3)
    power = power_spectrum(np.outer(wave, wave)[None, :, :, None])
    assert power.shape == (17,) and power.argmax() == frequency


def test_only_every_second_pixel_makes_a_checkerboard():
    slow = np.cumsum(np.random.default_rng(0).standard_normal((9, 32, 32, 1)), axis=1).cumsum(axis=2)
    every_second = slow + 2 * slow.std() * (-1.0)**np.add.outer(np.arange(32), np.arange(32))[None, :, :, None]
    assert checkerboard(slow) < 1 < 10 < checkerboard(every_second)


@pytest.mark.parametrize("measure, shape", [
    (pixel_energies, (2, 16, 16)), (pixel_energies, (2, 16, 17, 1)), (pixel_energies, (2, 8, 16, 1)),
    (power_spectrum, (2, 16, 18, 1)), (checkerboard, (2, 16, 16, 3))])
def test_other_shapes_get_a_sentence(measure, shape):
    with pytest.raises(InputError, match=r"images are \(N, H, ., 1\)"):
        measure(np.ones(shape))
