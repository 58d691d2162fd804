"""The lecture on networks that grow from end to end: its files, and what holds however short the training."""
import numpy as np
import pytest

from minidl.adversarial import ProgressiveGAN, Tricks
from minidl.lectures.pictures import progressive_gan as pictures


def test_a_short_run_shows_every_slide_and_what_needs_no_training(run):
    record = run("progressive-gan", "--fast")
    assert record["figures"] == [
        "networks.png", "growth.gif", "stages.png", "fading.png", "schedule.png", "curriculum.png", "from-scratch.png",
        "batches.png", "five-steps.png", "groups.png", "diversity.png", "update-ratios.png", "features.png",
        "latent.png", "contributions.png"]
    assert {slide for shown in record["figure_slides"].values() for slide in shown} == set(range(64, 75))
    metrics = record["metrics"]
    assert metrics["five_steps_off"] <= 2e-4                 # the layer's small number below the root
    assert metrics["length_matters"] < 1e-3
    assert metrics["range_equalised"] < metrics["range_plain"]           # from the first step on
    assert metrics["swd_of_data_16"] < metrics["swd_of_data_4"]


@pytest.mark.parametrize("tricks", [Tricks(), Tricks(equalized=False, minibatch="discrimination"),
                                    Tricks(pixel_norm=False, batch_norm=True)])
def test_the_layers_of_slide_73_are_all_that_an_image_passes_through(tricks):
    """Each weight that a gradient reaches is named once, and no other is."""
    gan = ProgressiveGAN(latent=3, widths=(4, 3, 2), tricks=tricks, rng=0)
    gan.grow()
    gan.grow()
    gan.fade(1.0)
    z = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    gan.judge(gan.fake((), z))[0].sum().backward()
    reached = {id(p) for name, p in gan.named_parameters()
               if name.endswith("weight") and p.ndim > 1 and p.grad is not None}
    named = pictures.layers(gan)
    assert {id(p) for p in named.values()} == reached and len(named) == len(reached)
    assert list(named)[0] == "G dense" and list(named)[-1] == "D score"


@pytest.mark.slow
def test_the_distance_falls_at_each_stage_and_equalised_layers_learn_alike(run):
    metrics = run("progressive-gan", "--seed", "1")["metrics"]
    assert metrics["swd_4"] > metrics["swd_8"] > metrics["swd_16"]
    assert metrics["swd_16"] < 2.0 * metrics["swd_floor"]            # that of two halves of the data, with its own luck
    assert metrics["range_equalised"] < 2.5 < 5.0 < metrics["range_plain"]
    assert metrics["told_with_deviation"] < 0.3 < 0.6 < metrics["told_without"]
