"""Adversarial nets in the table of `test_odd_input`: for each public name, functions of one odd value."""

import numpy as np

from minidl import adversarial as adv
from minidl import data, nn, optim

ROWS = np.random.default_rng(0).uniform(-1, 1, (12, 3)).astype(np.float32)
LABELS = np.arange(12) % 2


def gan(**options):
    return adv.GAN(nn.Linear(2, 3, rng=0), nn.mlp([3, 4, 1], rng=0), **{"latent": 2, "rng": 0} | options)


def conditional(make=adv.ConditionalGAN):
    sees = 5 if make is adv.ConditionalGAN else 3
    return make(nn.Linear(4, 3, rng=0), nn.Linear(sees, 1, rng=0), latent=2, classes=2, rng=0)


def bigan():
    return adv.BiGAN(nn.Linear(2, 3, rng=0), nn.Linear(3, 2, rng=0), nn.Linear(5, 1, rng=0), latent=2, rng=0)


def infogan(**options):
    return adv.InfoGAN(nn.Linear(4, 3, rng=0), nn.Linear(3, 1, rng=0), **{
        "latent": 4, "classes": 2, "codes": 1, "rng": 0} | options)


def vaegan(**options):
    return adv.VAEGAN(nn.Linear(3, 4, rng=0), nn.Linear(2, 3, rng=0), nn.mlp([3, 2, 1], rng=0),
                      **{"latent": 2, "rng": 0} | options)


def cyclegan(odd=None, place=None):
    """Two translators and two judges, one of them odd."""
    networks = [nn.Linear(3, n, rng=0) for n in (3, 3, 1, 1)]
    return adv.CycleGAN(*(odd if i == place else network for i, network in enumerate(networks)))


def trained(**options):
    """A game of one step, with one odd thing in it."""
    made = gan()
    sgd = [optim.SGD(p) for p in (made.generator_parameters(), made.discriminator.parameters())]
    loader = options.pop("loader", None) or data.Loader(ROWS, batch_size=12, rng=0)
    return adv.train(made, loader, *(options.pop(name, o) for name, o in zip(
        ("optimizer_g", "optimizer_d"), sgd, strict=True)), **{"epochs": 1, "progress": False} | options)


def of_rows(a):
    """Odd rows to be learned from. That a loss was no longer finite is a run's own word for rows that are none."""
    try:
        return trained(loader=data.Loader(a, batch_size=2, rng=0))
    except FloatingPointError as error:
        assert "try a smaller rate" in str(error)


def progressive(**options):
    return adv.ProgressiveGAN(**{"latent": 2, "widths": (2, 2), "rng": 0} | options)


def growth(images=None, **options):
    """A growth of one step, with one odd thing in it."""
    stage = adv.Stage(**{"size": 4, "images": 2, "batch_size": 2} | options.pop("stage", {}))
    return adv.grow(progressive(), np.zeros((4, 4, 4, 1), np.float32) if images is None else images, options.pop(
        "schedule", [stage]), **{"rng": 0, "progress": False} | options)


def of_images(a):
    """Odd images to be learned from; see `of_rows`."""
    try:
        return growth(a)
    except FloatingPointError as error:
        assert "try a smaller rate" in str(error)


def critic_fitted(**odd):
    """A critic and two sets, with one odd thing among them."""
    linear = nn.Linear(3, 1, rng=0)
    given = {"critic": linear, "real": ROWS, "fake": ROWS, "optimizer": optim.SGD(linear.parameters()), "epochs": 1,
             "rng": 0, "progress": False} | odd
    try:
        return adv.fit_critic(**given)
    except FloatingPointError as error:                               # a run's own word for rows that are no numbers
        assert "try a smaller rate" in str(error)


def switched(make, *options):
    """An Extra made with one odd value, and played with."""
    return [lambda a, option=option: trained(extras=[make(**{option: a})]) for option in options]


ADVERSARIAL = {
    "GAN": [lambda a: adv.GAN(a, nn.Linear(3, 1, rng=0), latent=2, rng=0),
            lambda a: adv.GAN(nn.Linear(2, 3, rng=0), a, latent=2, rng=0), lambda a: gan(latent=a),
            lambda a: gan(pack=a), lambda a: gan(rng=a), lambda a: gan().decode(a), lambda a: gan().sample(a, 0),
            lambda a: gan().sample(2, a), lambda a: gan().judge((a,)), lambda a: gan(pack=2).judge((a,)),
            lambda a: gan().features((a,))],
    "ConditionalGAN": [
        *[lambda a, option=option: adv.ConditionalGAN(nn.Linear(4, 3, rng=0), nn.Linear(5, 1, rng=0), **{
            "latent": 2, "classes": 2, "rng": 0, option: a}) for option in ("latent", "classes", "pack", "rng")],
        lambda a: conditional().sample(a, 0), lambda a: conditional().sample(2, a),
        lambda a: conditional().sample(2, 0, label=a)],
    "AuxiliaryGAN": [lambda a: conditional(adv.AuxiliaryGAN).sample(2, 0, label=a)],
    "InfoGAN": [lambda a: infogan(classes=a), lambda a: infogan(codes=a), lambda a: infogan(latent=a),
                lambda a: infogan(rng=a), lambda a: infogan().sample(a, 0), lambda a: infogan().sample(2, a)],
    "BiGAN": [lambda a: bigan().encode(a), lambda a: bigan().decode(a), lambda a: bigan().reconstruct(a),
              lambda a: bigan().sample(a, 0), lambda a: bigan().sample(2, a)],
    "VAEGAN": [lambda a: adv.VAEGAN(a, nn.Linear(2, 3, rng=0), nn.Linear(3, 1, rng=0), latent=2, rng=0),
               lambda a: vaegan(latent=a), lambda a: vaegan(rng=a), lambda a: vaegan().posterior(a),
               lambda a: vaegan().encode(a), lambda a: vaegan().decode(a), lambda a: vaegan().reconstruct(a)],
    "Similarity": [adv.Similarity, lambda a: adv.Similarity(prior=a)],
    "CycleGAN": [*[lambda a, i=i: cyclegan(a, i) for i in range(4)], lambda a: cyclegan().translate(a, to="b"),
                 lambda a: cyclegan().translate(ROWS, to=a)],
    "Cycle": [adv.Cycle, lambda a: adv.Cycle(identity=a)],
    "dcgan_generator": [lambda a: adv.dcgan_generator(a, latent=2, rng=0),
                        *[lambda a, option=option: adv.dcgan_generator((8, 8, 1), **{
                            "latent": 2, "channels": 2, "rng": 0, option: a})
                          for option in ("latent", "channels", "hidden", "rng")]],
    "dcgan_discriminator": [lambda a: adv.dcgan_discriminator(a, rng=0),
                            *[lambda a, option=option: adv.dcgan_discriminator((8, 8, 1), **{
                                "channels": 2, "rng": 0, option: a})
                              for option in ("channels", "hidden", "outputs", "rng")]],
    "dcgan_rules": [lambda a: adv.dcgan_rules(a, nn.Linear(3, 1, rng=0)),
                    lambda a: adv.dcgan_rules(nn.Linear(3, 1, rng=0), a)],
    "Joined": [lambda a: adv.Joined(nn.Linear(3, 1, rng=0))(a), lambda a: adv.Joined(nn.Linear(5, 1, rng=0))(ROWS, a),
               lambda a: adv.Joined(nn.mlp([3, 2, 1], rng=0)).features(a)],
    "TwoHeads": [lambda a: adv.TwoHeads(nn.Linear(3, 2, rng=0), nn.Linear(2, 1, rng=0), nn.Linear(2, 2, rng=0))(a)],
    "Naming": switched(adv.Naming, "weight"),
    "Information": switched(adv.Information, "weight"),
    "FeatureMatching": switched(adv.FeatureMatching, "weight"),
    "HistoricalAveraging": switched(adv.HistoricalAveraging, "weight"),
    "Unrolled": switched(adv.Unrolled, "steps"),
    "GradientPenalty": switched(lambda **odd: adv.GradientPenalty(**{"rng": 0} | odd), "weight", "target", "at",
                                "one_sided", "rng"),
    "ProgressiveGAN": [
        *[lambda a, option=option: progressive(**{option: a}) for option in ("latent", "widths", "channels", "rng")],
        lambda a: progressive().fade(a), lambda a: progressive().sample(a, 0), lambda a: progressive().decode(a)],
    "Tricks": [lambda a: adv.Tricks(minibatch=a)],
    "FadeIn": [lambda a: adv.FadeIn(progressive(), a)],
    "grow": [of_images, lambda a: growth(schedule=a), lambda a: growth(schedule=[a]),
             *[lambda a, option=option: growth(**{option: a}) for option in (
                 "lr", "betas", "penalty", "drift", "average", "every", "rng")]],
    "Stage": [lambda a, option=option: growth(stage={option: a}) for option in adv.Stage._fields],
    "stages": [lambda a: adv.stages(a, 8), lambda a: adv.stages(8, a), lambda a: adv.stages(8, 8, batch_size=a)],
    "shrunk": [lambda a: adv.shrunk(a, 2), lambda a: adv.shrunk(np.zeros((1, 4, 4, 1), np.float32), a)],
    "Drift": switched(adv.Drift, "weight"),
    "WeightClipping": switched(adv.WeightClipping, "value"),
    "MinibatchDiscrimination": [
        lambda a: adv.MinibatchDiscrimination(3, 2, 2, rng=0)(a),
        *[lambda a, option=option: adv.MinibatchDiscrimination(**{"features": 3, "rng": 0, option: a})
          for option in ("features", "kernels", "dims", "rng")]],
    "MinibatchStd": [lambda a: adv.MinibatchStd()(a), adv.MinibatchStd],
    "VirtualBatchNorm": [adv.VirtualBatchNorm, lambda a: adv.VirtualBatchNorm(3, eps=a),
                         lambda a: adv.VirtualBatchNorm(3)(a)],
    "Virtual": [lambda a: adv.Virtual(adv.VirtualBatchNorm(3), a), lambda a: adv.Virtual(adv.VirtualBatchNorm(3), ROWS)(
        a), lambda a: adv.Virtual(a, ROWS), lambda a: adv.Virtual(adv.VirtualBatchNorm(3), a)(ROWS)],
    **{f.__name__: [f] for f in (adv.minimax, adv.non_saturating, adv.least_squares, adv.wasserstein, adv.hinge)},
    "fit_critic": [lambda a, option=option: critic_fitted(**{option: a}) for option in (
        "critic", "real", "fake", "optimizer", "epochs", "batch_size", "loss", "extras", "schedules", "rng")],
    "score_gap": [lambda a: adv.score_gap(a, ROWS, ROWS), lambda a: adv.score_gap(nn.Linear(3, 1, rng=0), a, ROWS),
                  lambda a: adv.score_gap(nn.Linear(3, 1, rng=0), ROWS, a)],
    "slopes": [lambda a: adv.slopes(a, ROWS), lambda a: adv.slopes(nn.Linear(3, 1, rng=0), a)],
    "train": [of_rows, lambda a: adv.train(a, *[None] * 3, epochs=1),
              *[lambda a, option=option: trained(**{option: a}) for option in (
                  "optimizer_g", "optimizer_d", "epochs", "loss", "d_steps", "extras", "schedules", "average")]],
}
