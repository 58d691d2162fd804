"""The two sets that travel with minidl."""
import numpy as np
import pytest

import minidl.data as data
from minidl.data.embedded import FILES, _whitened, nature
from minidl.errors import InputError


def test_digits_are_all_there_and_divided_evenly():
    digits = data.load("digits")
    assert digits.x_train.shape == (1437, 8, 8, 1) and digits.x_test.shape == (360, 8, 8, 1)
    assert digits.x_train.dtype == np.float32 and digits.y_train.dtype == np.int64
    x = np.concatenate([digits.x_train, digits.x_test])
    assert x.min() == 0 and x.max() == 1
    train, test = np.bincount(digits.y_train), np.bincount(digits.y_test)
    assert (train + test).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert set(test) <= {34, 35, 36, 37}
    assert "Alpaydin" in digits.credit and "CC BY 4.0" in digits.credit


@pytest.mark.parity
def test_digits_are_those_of_scikit_learn():
    theirs = pytest.importorskip("sklearn.datasets").load_digits()
    digits = data.load("digits").flat()
    ours = np.column_stack([np.concatenate([digits.x_train, digits.x_test]) * 16,
                            np.concatenate([digits.y_train, digits.y_test])])
    expected = np.column_stack([theirs.data, theirs.target])
    np.testing.assert_array_equal(ours[np.lexsort(ours.T)], expected[np.lexsort(expected.T)])


def test_patches_are_normalised_as_in_the_sparse_autoencoder_exercise():
    patches = data.load("patches")
    assert patches.x_train.shape == (10_000, 8, 8, 1) and patches.x_test.shape == (1000, 8, 8, 1)
    assert patches.y_train is None and patches.x_train.dtype == np.float32
    x = np.concatenate([patches.x_train, patches.x_test])
    np.testing.assert_allclose([x.min(), x.max()], [0.1, 0.9], atol=1e-6)
    np.testing.assert_allclose(x.mean(), 0.5, atol=2e-3)
    np.testing.assert_allclose(x.std(), 0.4 / 3, rtol=0.05)        # 3 deviations are 0.4; a few values are cut
    inner = x[(x.min(axis=(1, 2, 3)) > 0.1001) & (x.max(axis=(1, 2, 3)) < 0.8999)]
    np.testing.assert_allclose(inner.mean(axis=(1, 2, 3)), 0.5, atol=1e-5)
    assert len(inner) > 5000
    np.testing.assert_array_equal(patches.x_train, data.load("patches").x_train)


def test_patches_come_from_an_explicit_generator_in_any_size():
    first, again, other = (data.patches(7, 12, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (7, 12, 12, 1)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert data.patches(3, whiten=False, rng=np.random.default_rng(0)).shape == (3, 8, 8, 1)
    with pytest.raises(InputError, match="size is between 2 and 150, not 151"):
        data.patches(3, 151, rng=np.random.default_rng(0))
    for n, size in ((0, 8), (1.5, 8), (3, 8.0), (3, 1)):
        with pytest.raises(InputError, match="patches: (n|size) is a whole number of at least"):
            data.patches(n, size, rng=np.random.default_rng(0))


def test_whitening_takes_away_most_of_the_correlation_of_near_pixels():
    def correlation(picture):
        return np.corrcoef(picture[:, :-2].ravel(), picture[:, 2:].ravel())[0, 1]
    for name, picture in nature().items():
        assert abs(correlation(_whitened(picture))) < correlation(picture) / 2, name


def test_embedded_files_are_small_and_described():
    assert sum(path.stat().st_size for path in FILES.iterdir()) < 300_000
    described = (FILES / "README.md").read_text()
    for path in FILES.iterdir():
        assert path.name == "README.md" or path.name in described
    assert all(name in described for name in nature())


def test_crops_are_pieces_of_the_pictures_as_they_are():
    raccoon = nature()["raccoon"] / np.float32(255)
    crops = data.crops(5, 32, rng=1, pictures=["raccoon"])
    assert crops.shape == (5, 32, 32, 1) and crops.dtype == np.float32
    windows = np.lib.stride_tricks.sliding_window_view(raccoon, (32, 32))
    places = [np.argwhere(windows[..., 0, 0] == crop[0, 0]) for crop in crops[..., 0]]
    assert all(any(np.array_equal(windows[i, j], crop) for i, j in at)
               for at, crop in zip(places, crops[..., 0], strict=True))
    np.testing.assert_array_equal(crops, data.crops(5, 32, rng=np.random.default_rng(1), pictures=["raccoon"]))
    assert len(np.unique(crops.reshape(5, -1), axis=0)) == 5
    with pytest.raises(InputError, match="crops: n is a whole number of at least 1, not 0"):
        data.crops(0, 32, rng=0)
    with pytest.raises(InputError, match="crops: squares of 1000 x 1000 must be smaller than the pictures"):
        data.crops(3, 1000, rng=0)
    with pytest.raises(InputError, match="crops: pictures are names among .*raccoon.*, not 'dog'"):
        data.crops(3, 32, rng=0, pictures="dog")
    np.testing.assert_array_equal(data.crops(3, 32, rng=1, pictures="raccoon"),
                                  data.crops(3, 32, rng=1, pictures=["raccoon"]))
