"""DCGAN's networks, and its rules as checks."""
import numpy as np
import pytest

import minidl as md
from minidl import data, nn, optim
from minidl.adversarial import GAN, dcgan_discriminator, dcgan_generator, dcgan_rules, train
from tests.standin.device import install


def players(shape, **sizes):
    return dcgan_generator(shape, latent=5, rng=0, **sizes), dcgan_discriminator(shape, rng=0, **sizes)


@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 16, 3), (28, 28, 1), (32, 32, 3), (64, 64, 1), (16, 32, 1)], ids=str)
def test_images_of_every_size_are_made_and_judged_and_the_rules_kept(shape):
    G, D = players(shape, channels=2)
    images = G(np.random.default_rng(0).standard_normal((3, 5), dtype=np.float32))
    assert images.shape == (3, *shape) and abs(images.numpy()).max() <= 1
    assert D(images).shape == (3, 1)
    assert dcgan_rules(G, D) == []


def test_the_generator_has_the_papers_sizes():
    """Figure 1 of the paper: 100 numbers, 4x4x1024, 8x8x512, 16x16x256, 32x32x128, 64x64x3."""
    G = dcgan_generator((64, 64, 3), latent=100, channels=128, rng=0)
    weights = [p.shape for p in G.parameters() if p.ndim > 1]
    assert weights == [(100, 4 * 4 * 1024), (4, 4, 512, 1024), (4, 4, 256, 512), (4, 4, 128, 256), (4, 4, 3, 128)]
    drawn = G.parameters()[0].numpy()
    assert abs(drawn.std() - 0.02) < 1e-4                         # of 1.6 million numbers


conv = lambda c, d, **how: nn.Conv2d(c, d, 4, rng=0, **({"stride": 2, "padding": 1} | how))
double = lambda c, d: nn.ConvTranspose2d(c, d, 4, stride=2, padding=1, rng=0)
bn, relu, leaky, tanh = nn.BatchNorm, nn.ReLU(), nn.LeakyReLU(0.2), nn.Tanh()
dense = lambda a, b: nn.Linear(a, b, rng=0)
start = (dense(5, 128), nn.Unflatten((4, 4, 8)), bn(8), relu)
end = (nn.Flatten(), dense(128, 1))
BROKEN = {
    "pooling": ("D", [conv(1, 4, stride=1), leaky, nn.MaxPool2d(2), *end], ["MaxPool2d", "has no stride"]),
    "upsampling": ("G", [*start, nn.Upsample(2), nn.Conv2d(8, 1, 3, padding=1, rng=0), tanh],
                   ["Upsample", "has no stride"]),
    "no batch normalisation": ("D", [conv(1, 4), leaky, conv(4, 8), leaky, *end], ["not followed by batch norm"]),
    "normalised input": ("D", [conv(1, 4), bn(4), leaky, *end], ["first layer and has batch"]),
    "normalised output": ("G", [*start, double(8, 1), bn(1), tanh], ["last layer and has batch"]),
    "hidden dense layer": ("D", [conv(1, 4), leaky, nn.Flatten(), dense(64, 9), bn(9), leaky, dense(9, 1)],
                           ["dense layer beside the last"]),
    "another activation": ("G", [*start[:-1], nn.ELU(), double(8, 1), tanh], ["followed by ELU, not by ReLU"]),
    "no tanh": ("G", [*start, double(8, 1)], ["followed by no activation, not by Tanh"]),
    "ReLU in the discriminator": ("D", [conv(1, 4), relu, *end], ["followed by ReLU, not by LeakyReLU"]),
    "a sigmoid's score": ("D", [conv(1, 4), leaky, *end, nn.Sigmoid()], ["followed by Sigmoid, not by none"]),
}


@pytest.mark.parametrize("who, layers, said", BROKEN.values(), ids=BROKEN)
def test_each_broken_rule_is_said_in_a_sentence(who, layers, said):
    G, D = players((8, 8, 1))
    found = dcgan_rules(*((nn.Sequential(*layers), D) if who == "G" else (G, nn.Sequential(*layers))))
    assert len(found) == len(said)
    for sentence, words in zip(found, said, strict=True):
        assert words in sentence and sentence.startswith("generator" if who == "G" else "discriminator")


def test_one_more_dense_layer_is_the_only_difference_that_hidden_makes():
    found = dcgan_rules(*players((28, 28, 1), channels=2, hidden=6))
    assert len(found) == 2 and all("dense layer beside" in sentence for sentence in found)


def test_sizes_that_do_not_fit_are_refused_in_a_sentence():
    for shape in (7, 7, 1), (4, 4, 1), (8, 8), "8x8", (8, 8, 0):
        for make in (lambda: dcgan_generator(shape, latent=5, rng=0), lambda: dcgan_discriminator(shape, rng=0)):  # noqa: B023
            with pytest.raises(md.InputError, match=r"dcgan_\w+: "):
                make()
    for networks in (("G", players((8, 8, 1))[1]), (players((8, 8, 1))[0], nn.Sequential(nn.ReLU()))):
        with pytest.raises(md.InputError, match="dcgan_rules: "):
            dcgan_rules(*networks)


def test_they_train_on_the_strict_device():
    x, device = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 1)).astype(np.float32), install()
    G, D = players((8, 8, 1), channels=2, hidden=3)
    gan = GAN(G, D, latent=5, rng=0).to(device)
    before = gan.state_dict()
    train(gan, data.Loader(x, batch_size=4, rng=0, device=device), optim.Adam(G.parameters(), lr=1e-2),
          optim.Adam(D.parameters(), lr=1e-2), epochs=2, progress=False)
    after = gan.state_dict()
    assert all(np.isfinite(a).all() and not np.array_equal(a, before[name]) for name, a in after.items())
