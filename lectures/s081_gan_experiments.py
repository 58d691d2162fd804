# %% [markdown]
# # Slides 81-94: experiments, nearest neighbours and results
#
# A paper with many ideas owes its readers an answer: which of them helped? Karras et al. (2018) switch them on one
# after the other, train each time, and measure by two numbers that cannot be read off a picture: the sliced
# Wasserstein distance (SWD) to real images, and MS-SSIM, the likeness of pairs of generated ones. Low SWD: real. Low
# MS-SSIM: varied. This lecture does the same on a small scale.

# %%
from dataclasses import replace

import numpy as np

from minidl import metrics, plotting
from minidl.lectures import ablation, lecture
from minidl.lectures.pictures import gan_experiments as pictures

talk = lecture(81, data=["digits", "mnist", "fashion-mnist", "cifar10"])
images = talk.load(flat=False)
small = talk.data == "digits"
experiment = ablation.of_set(talk.data, images=talk.short(8000 if small else 40_000, 64), seed=talk.seed,
                             widths=(32, 32, 16) if small else (64, 64, 32, 16), device=talk.device.name)
if talk.fast:
    experiment = experiment._replace(real=experiment.real[:120], others=experiment.others[:120])
show = lambda x: (np.clip(talk.on_host(x), -1.0, 1.0) + 1.0) / 2.0
real, others = show(experiment.real[:ablation.JUDGED]), show(experiment.others[:ablation.JUDGED])


def watched(about):
    """Keywords for a growth that is shown, and goes on after a Ctrl-C."""
    return lambda gan: talk.shown(gan, about, name=about, look=lambda gan: {"samples": show(gan.sample(16, 0))})


# %% [markdown]
# ## One idea more in each row
#
# Row a is the paper before: WGAN-GP at full size, normalised by batch in the generator and by layer in the critic.
# Each row below adds one thing; minibatch discrimination (e\*) is there to be compared with the standard deviation (e),
# which takes its place. Row d has no such normalisation any more, and another momentum. Every row sees as many images.
# Those that grow see some of them small, which is why they take less time.
#
# `python -m minidl.lectures.ablation mnist` makes the same table at 32x32, over an evening, and can be stopped.

# %% name="ablation" slides=[81, 82, 83]
samples: dict[str, np.ndarray] = {}
found = ablation.run(experiment, each=lambda name, numbers, made: samples.update({name: made}),
                     shown=lambda name, gan: watched(f"row {name}")(gan))
talk.rows("samples", "One idea more in each row", {
    ablation.label(name): (show(made[:12]), f"SWD {found[name]['swd_mean']:.0f}") for name, made in samples.items()})
talk.save(pictures.steps(found), "steps")
talk.table(*ablation.cells(found))
floor, *_ = (row["swd_mean"] for row in found.values())
rows = {name: row["swd_mean"] for name, row in found.items() if name != "real"}
chain = [name for name in rows if name != "e*"]
falls = {after: rows[before] - rows[after] for before, after in zip(chain[:-1], chain[1:], strict=True)}
most, best = max(falls, key=falls.__getitem__), min(rows, key=rows.__getitem__)
talk.say(f"Two halves of the real images are {floor:.0f} apart: nobody can come below. The best row is {best}, with "
         f"{rows[best]:.0f}. The largest step down is row {most}, '{ablation.ROWS[most].adds}': by {falls[most]:.0f}. "
         f"{sum(fall < 0 for fall in falls.values())} of the {len(falls)} steps go up: this is one seed and a short "
         f"training, and the ideas are for large images and long ones.")

# %% [markdown]
# Read such a table with care. Rows differ by luck, too: another seed moves each of them. The paper's own table has
# steps that go up. And a row is only as good as its rate of learning, which nobody has tuned for it.
#
# ## The last row, for longer
#
# All of it together, four times as long (slides 86 to 94 show the paper's faces, bedrooms and objects).

# %% name="long" slides=[86, 87]
gan = ablation.played(ablation.ROWS["g"], experiment._replace(images=talk.short(4, 1) * experiment.images),
                      watched("the last row, for longer"))
made = show(gan.sample(len(others), talk.seed))
talk.save(plotting.image_grid(made[:96], columns=16, title="Not in the training set"), "results")

# %% [markdown]
# ## Judged
#
# The Inception score and the Fréchet distance take a classifier that has seen much. Ours has seen this data set alone;
# so its name, its accuracy and the checksum of its weights stand beside the numbers, which compare with nobody else's.
# Every measure has a floor: what real images get that were not trained on.

# %% name="judged" slides=[88, 89, 90] needs=["long"]
with talk.doing("training a judge"):
    judge = metrics.train_judge(replace(images, x_train=show(ablation.square(images.x_train)),
                                        x_test=show(ablation.square(images.x_test))),
                                epochs=talk.short(None, 1), rng=talk.seed, progress=False)
looks = {name: np.asarray(judge.features(x)) for name, x in (("real", real), ("others", others), ("made", made))}
MEASURES = {
    "score": (lambda x, seen: metrics.classifier_score(judge.probabilities(x)).mean, "high"),
    "Fréchet distance": (lambda x, seen: metrics.frechet_distance(looks["real"], seen), "low"),
    "precision": (lambda x, seen: metrics.precision_recall(looks["real"], seen).precision, "high"),
    "recall": (lambda x, seen: metrics.precision_recall(looks["real"], seen).recall, "high"),
    "SWD": (lambda x, seen: metrics.swd(real, x, patches=ablation.PATCHES, rng=0).mean, "low")}
judged = {name: {who: metrics.resampled(measure, x, looks[who], repeats=talk.short(6, 2), rng=talk.seed)
                 for who, x in (("made", made), ("others", others))} for name, (measure, _) in MEASURES.items()}
talk.save(pictures.beside_real(judged), "judged")
talk.table(["measure", "good is", "generated", "real ones (the floor)"],
           [[name, MEASURES[name][1], str(row["made"]), str(row["others"])] for name, row in judged.items()])
talk.say(f"The judge is {judge}. Its score of generated images is {judged['score']['made']}, of real ones "
         f"{judged['score']['others']}. {100 * judged['precision']['made'].value:.0f} % of the generated images lie "
         f"among real ones, and {100 * judged['recall']['made'].value:.0f} % of the real ones among them.")

# %% [markdown]
# ## Has it learned, or learned by heart?
#
# Beside each generated image stands the nearest one of the training set: in pixels, and in what the judge sees. If they
# were the same, the generator would be a filing cabinet. That real images which nobody has trained on have near
# neighbours, too, is the measure: are the generated ones nearer than those?

# %% name="neighbours" slides=[84, 85] needs=["judged"]
flat = lambda x: x.reshape(len(x), -1)
learned = show(experiment.real)
spaces = {"pixels": (flat(learned), flat(others), flat(made)),
          "features": (np.asarray(judge.features(learned)), looks["others"], looks["made"])}
copies = {space: metrics.memorisation(*sets) for space, sets in spaces.items()}
cabinet = learned[:200] + np.random.default_rng(talk.seed).normal(0.0, 0.02, learned[:200].shape).astype(np.float32)
caught = metrics.memorisation(flat(learned), flat(others), flat(cabinet))
talk.rows("neighbours", "Generated, and the nearest that it was trained on", {
    "generated": made[:12], **{f"in {space}": learned[of.nearest[:12]] for space, of in copies.items()}})
talk.table(["nearer to learned images than", "99 % of new ones", "a new one", "median"],
           [[name, f"{100 * of.share:.1f} %", f"{100 * of.nearer:.0f} %", f"{of.ratio:.2f}"]
            for name, of in (*copies.items(), ("a cabinet, pixels", caught))])
talk.say(f"In pixels a generated image is nearer to the training set than a new real one in "
         f"{100 * copies['pixels'].nearer:.0f} % of all pairs, in features in {100 * copies['features'].nearer:.0f} %; "
         f"half would be no difference. A cabinet of training images with a little noise is caught: "
         f"{100 * caught.share:.0f} % of its drawers.")

# %% [markdown]
# ## Walks
#
# A last argument of the paper against the filing cabinet: walk from one code to the next, and every image on the way
# is a good one. The walk goes along the sphere on which the codes lie.

# %% name="walk" slides=[91, 92, 93, 94] needs=["long"]
stops = np.random.default_rng(talk.seed + 4).standard_normal((6, 12, gan.latent)).astype(np.float32)
codes = np.concatenate([pictures.along_the_sphere(a, b, talk.short(8, 2)) for a, b in zip(
    stops, np.roll(stops, -1, 0), strict=True)])
frames = [show(gan.decode(talk.device.put(z))) for z in codes]
talk.save([plotting.image_grid(frame, columns=6, title="A walk from code to code") for frame in frames], "walk")
jumps = np.array([np.abs(b - a).mean() for a, b in zip(frames, frames[1:], strict=False)])
apart = float(np.abs(made[:50] - made[50:100]).mean())
talk.say(f"From frame to frame a pixel moves by {jumps.mean():.3f}, at most {jumps.max():.3f}; between two images drawn"
         f" apart it is {apart:.3f}. There are no jumps, as there would be between drawers.")

# %% name="bounds" needs=["ablation", "judged", "neighbours", "walk"]
talk.metrics(floor=floor, **{f"swd_{name.replace('*', '_star')}": value for name, value in rows.items()})
talk.metric("swd", judged["SWD"]["made"].value, at_most=3.0 * floor)
talk.metric("recall", judged["recall"]["made"].value, at_least=0.5)
talk.metric("copies_in_pixels", copies["pixels"].share, at_most=0.05)
talk.metric("copies_caught", caught.share, at_least=0.95, always=True)
talk.metric("largest_jump", jumps.max() / apart, at_most=0.5)
talk.finish()
