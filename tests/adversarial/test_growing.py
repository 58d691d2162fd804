"""Training that grows: what each stage sees, and runs that die in mid-growth and go on bit for bit."""
import numpy as np
import pytest

from minidl import InputError, training
from minidl.adversarial import FadeIn, ProgressiveGAN, Stage, grow, shrunk, stages

IMAGES = np.random.default_rng(0).uniform(-1, 1, (24, 16, 16, 1)).astype(np.float32)
SCHEDULE = [Stage(4, 48, batch_size=8), Stage(8, 48, fade=24, batch_size=6), Stage(16, 24, fade=8, batch_size=4)]


def run(path=None, schedule=SCHEDULE, **more):
    """A whole growth, and all that it leaves behind."""
    gan = ProgressiveGAN(latent=3, widths=(4, 3, 2), rng=0)
    seen = []
    found = grow(gan, IMAGES, schedule, every=24, rng=1, checkpoint=path, progress=False,
                 after_stage=lambda stage, history: seen.append((stage.size, gan.size, gan.alpha, gan.sample(2, 0))),
                 **more)
    return gan, found, seen


@pytest.fixture(scope="module")
def whole():
    return run()


def test_each_stage_sees_images_of_its_size_and_leaves_samples_of_it(whole):
    gan, found, seen = whole
    assert [(size, at, alpha, x.shape) for size, at, alpha, x in seen] == [
        (size, size, 1.0, (2, size, size, 1)) for size in (4, 8, 16)]
    assert list(found) == [4, 8, 16] and [len(h["discriminator"]) for h in found.values()] == [2, 2, 1]
    assert found[4]["optimizer_g.lr"] == [1e-3, 1e-3] and found[16]["optimizer_g.lr"] == [0.0]


@pytest.mark.parametrize("saves", [1, 3, 4, 5])
def test_a_growth_that_died_goes_on_bit_for_bit_from_whatever_size_and_alpha(saves, whole, tmp_path, killed_after):
    """Saved after each round: twice at 4x4, twice at 8x8 (with alpha 1 and before), once at 16x16."""
    with killed_after(saves) as died:
        run(tmp_path / "growth.npz")
    assert died
    gan, found, seen = run(tmp_path / "growth.npz")
    for name, array in whole[0].state_dict().items():
        np.testing.assert_array_equal(gan.state_dict()[name], array, err_msg=name)
    for old, new in zip(whole[2], seen, strict=True):
        np.testing.assert_array_equal(old[3], new[3])
    assert {size: history["fake"] for size, history in found.items()} == {
        size: history["fake"] for size, history in whole[1].items()}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["growth-16.npz", "growth-4.npz", "growth-8.npz"]


def test_a_checkpoint_within_a_fade_holds_the_alpha_that_a_fresh_model_takes_over(tmp_path, killed_after):
    schedule = [Stage(8, 48, fade=48, batch_size=6)]
    with killed_after(1) as died:
        run(tmp_path / "a.npz", schedule)
    fresh = ProgressiveGAN(latent=3, widths=(4, 3, 2), rng=9)
    training.load_model(tmp_path / "a-8.npz", fresh, "gan")
    assert died and (fresh.size, fresh.alpha) == (8, 0.5)
    unbroken, resumed = run(schedule=schedule)[0], run(tmp_path / "a.npz", schedule)[0]
    for name, array in unbroken.state_dict().items():
        np.testing.assert_array_equal(resumed.state_dict()[name], array, err_msg=name)


def test_a_first_stage_of_full_size_is_training_without_a_curriculum():
    gan, found, _ = run(schedule=[Stage(16, 8, batch_size=4)])
    assert gan.size == 16 and list(found) == [16]


def test_fading_in_takes_its_steps_and_stays_at_one():
    gan = ProgressiveGAN(latent=3, widths=(4, 3), rng=0)
    gan.grow()
    fade = FadeIn(gan, 4)
    alphas = []
    for _ in range(6):
        alphas.append(gan.alpha)
        fade.step()
    assert alphas == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    fade.load_state_dict({"t": 2})
    assert gan.alpha == 0.5
    FadeIn(gan, 0)
    assert gan.alpha == 1.0


def test_pixels_of_shrunk_images_are_means_of_those_they_cover():
    small = shrunk(IMAGES, 4)
    np.testing.assert_allclose(small, IMAGES.reshape(24, 4, 4, 4, 4, 1).mean((2, 4)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(shrunk(IMAGES, 16), IMAGES)


def test_the_papers_schedule_doubles_and_fades_half_of_the_time():
    assert stages(16, 600, batch_size=8) == [Stage(4, 600, 0, 8), Stage(8, 600, 300, 8), Stage(16, 600, 300, 8)]


@pytest.mark.parametrize(("schedule", "words"), [
    ([Stage(8, 8), Stage(4, 8)], r"at most the GAN's largest, 16; these are \[8, 4\]"),
    ([Stage(32, 8)], r"at most the GAN's largest, 16; these are \[32\]"),
    ([Stage(12, 8)], "never are 12x12; pad or enlarge them"),
    ([], r"a schedule is a list of stages, such as \[Stage\(4, 20_000\)"),
])
def test_stages_that_do_not_grow_get_a_sentence(schedule, words):
    with pytest.raises(InputError, match=words):
        run(schedule=schedule)
    with pytest.raises(InputError, match=r"S is a multiple of 16; these have shape \(1, 8, 8, 1\)"):
        grow(ProgressiveGAN(widths=(4, 3, 2), rng=0), IMAGES[:, :8, :8], SCHEDULE, rng=0)
