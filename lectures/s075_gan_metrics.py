# %% [markdown]
# # Slides 75-80: how to measure a generator
#
# A generator has no test error. Its samples are looked at, or measured, and each measure sees one thing and is blind
# for another. To see which, this lecture measures generators whose faults are known, because they are made of real
# images: one is blurred, one has lost half of the digits, one has a single image of each digit, one has learned its
# images by heart. Beside every number stands its *floor*: what real images get that nobody has learned from. No
# generator can do better and mean it.

# %%
from dataclasses import replace

import numpy as np

import minidl as md
from minidl import metrics, plotting
from minidl.lectures import lecture
from minidl.lectures.pictures import gan_metrics as pictures

talk = lecture(75, data=["digits", "mnist"])
small = talk.data == "digits"
images = talk.load(flat=False, margin=0 if small else 2)                # 8 or 32 pixels, which can be halved
x, y = np.concatenate([images.x_train, images.x_test]), np.concatenate([images.y_train, images.y_test])
order = talk.rng.permutation(len(x))
learned, held_out, source = np.split(order, [717, 1257] if small else [66_000, 68_000])
few = source[y[source] < 5]                                             # half of the digits
n = talk.short(len(few), 100)                                           # of each kind of images that are compared
size, levels = (4, 2) if small else (7, 3)                              # of squares, and of pyramids


def blurred(x, strength):
    """Each pixel averaged with its neighbours, which have this weight, along both sides."""
    around = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    down = (around[:, 1:-1] + strength * (around[:, :-2] + around[:, 2:])) / (1 + 2 * strength)
    return (down[:, :, 1:-1] + strength * (down[:, :, :-2] + down[:, :, 2:])) / np.float32(1 + 2 * strength)


real, new = x[learned[:n]], x[held_out[:n]]

# %% [markdown]
# ## The judge, and what its score sees (slide 76)
#
# The Inception score of slide 46, $\exp \mathbb E_x\,\mathrm{KL}(p(y\,|\,x)\,\|\,p(y))$, with a judge of our own in
# place of Inception. `python -m minidl.metrics.judge mnist --out FILE` trains such a judge. Its name, its accuracy and
# the checksum of its weights belong beside the score: numbers of two judges cannot be compared.

# %% name="judge" slides=[76]
judge = metrics.train_judge(replace(images, x_train=x[learned], y_train=y[learned], x_test=x[held_out],
                                    y_test=y[held_out]),
                            epochs=talk.epochs(20 if small else 3, fast=4 if small else 1), rng=talk.seed,
                            device=talk.device)
score = lambda x: metrics.classifier_score(judge.probabilities(x)).mean
surest = x[learned[judge.log_probabilities(x[learned]).argmax(0)]]      # of each digit the image of which it is surest
ten_images, half = np.tile(surest, (n // 10, 1, 1, 1)), x[few[:n]]

# %% [markdown]
# The score is one number for two things: is each image like some digit, and are all digits there. So a blurred
# generator and one that has lost digits can have the same score. Which of them is better? The score cannot say. We look
# for the blur whose score is that of half of the digits.

# %% name="generators" slides=[76, 77] needs=["judge"]
low, high = 0.0, 2.0
for _ in range(12):                                                     # the score falls as the blur grows
    strength = (low + high) / 2
    low, high = (strength, high) if score(blurred(x[source[:n]], strength)) > score(half) else (low, strength)
generators = {"blurred": blurred(x[source[:n]], strength), "five digits": half, "ten images": ten_images,
              "by heart": real}
scores = {name: metrics.resampled(score, x, repeats=20, rng=talk.seed) for name, x in ({"real": new} | generators
                                                                                       ).items()}

# %% name="score" slides=[76] needs=["generators"]
mixed = np.random.default_rng(talk.seed).permutation(n)[:12]
talk.rows("score", f"The score of {n} images", {
    name: (x[mixed % len(x)], f"{scores[name].value:.2f}")
    for name, x in ({"real": new} | generators).items()})
talk.say(f"The judge is {judge}. Ten images, one of each digit, get {scores['ten images'].value:.2f} of 10, more "
         f"than real images, which get {scores['real'].value:.1f}. Blurred images and half of the digits get the same "
         f"{scores['blurred'].value:.1f}: one number for two different faults.")

# %% [markdown]
# Precision and recall ask the two questions one at a time, in the judge's features. Precision: which share of the
# samples lies among the real images, that is, as near to one of them as its third nearest neighbour? Recall: which
# share of the real images lies among the samples?

# %% name="precision" slides=[76] needs=["generators"]
of_real = judge.features(real)
shares = {name: metrics.precision_recall(of_real, judge.features(x)) for name, x in ({"real": new} | generators
                                                                                    ).items()}
talk.table(["generator", "score", "precision", "recall"],
           [[name, f"{scores[name].value:.2f} ± {scores[name].error:.2f}", *shares[name]] for name in shares])
talk.save(pictures.plane({name: (*pair, 0.0, 0.0) for name, pair in shares.items()}, x="precision", y="recall",
                         title="Two numbers for two faults", corner=(1.05, 1.05)), "precision-recall")
lost = shares["five digits"]
talk.say(f"At the same score, the blur has {shares['blurred'].precision:.2f} of precision, half of the digits "
         f"{lost.precision:.2f}, and a recall of {lost.recall:.2f}. The ten images reach "
         f"{shares['ten images'].recall:.3f} of the real ones. Real images among others have "
         f"{shares['real'].precision:.2f} and {shares['real'].recall:.2f}, which is the floor.")

# %% [markdown]
# ## Multiscale structural similarity (slide 78)
#
# How alike are two images? Structural similarity compares means, contrasts and patterns in windows of 11 pixels, and
# the multiscale one does so again on images that are halved. Equal images have 1. Of a generator it measures the
# *diversity*: the mean over pairs of its samples, and less is more varied. A digit differs from another digit anyway,
# so the pairs are of one digit each, as the judge calls it.

# %% name="similarity" slides=[78] needs=["judge", "generators"]
wide = lambda x: md.upsample(x, 2) if small else x                      # the window takes 11 pixels
scales = 1 if small else 2
alike = lambda a, b: float(metrics.ms_ssim(wide(a[None]), wide(b[None]), scales=scales)[0])
names = judge.log_probabilities(new).argmax(1)
first, second = new[names == 3][:2]
other = new[names == 8][0]
noisy = np.clip(first + 0.2 * np.random.default_rng(talk.seed).standard_normal(first.shape), 0, 1).astype(np.float32)
pairs = {"itself": first, "blurred": blurred(first[None], 0.3)[0], "noisy": noisy,
         "another one": second, "an 8": other, "its negative": 1 - first}
gap = np.ones((len(first), 1, 1), np.float32)
talk.save(plotting.image_grid([np.concatenate([first, gap, image], 1) for image in pairs.values()], columns=3,
                              captions=[f"{label}: {alike(first, image):.2f}" for label, image in pairs.items()],
                              title="How alike two images are"), "pairs")


def within(x):
    """The mean similarity of pairs of one digit: low if they vary."""
    names = judge.log_probabilities(x).argmax(1)
    kinds = [x[names == name] for name in range(10) if (names == name).sum() >= 3]
    return float(np.mean([metrics.ms_ssim_within(wide(kind), pairs=min(60, len(kind) * (len(kind) - 1) // 2),
                                                 scales=scales, rng=talk.seed).value for kind in kinds]))


diversity = {name: metrics.resampled(within, x, repeats=5, rng=talk.seed) for name, x in ({"real": new} | generators
                                                                                          ).items()}
talk.say(f"Pairs of one digit have a similarity of {diversity['real'].value:.2f} among real images, of "
         f"{diversity['blurred'].value:.2f} among blurred ones, and of {diversity['ten images'].value:.2f} where each "
         f"digit is one image: what the score took for perfect has no variety at all.")

# %% [markdown]
# ## A Laplacian pyramid (slide 79)
#
# An image is halved: blurred, and every second row and column kept. What the small image, enlarged again, lacks of the
# large one is the fine level. The small image is halved in turn, and the last one is the coarsest level. Nothing is
# lost: the levels add up to the image.

# %% name="pyramid" slides=[79]
shown = new[:10]
pyramid = metrics.laplacian_pyramid(shown, levels)
rebuilt = metrics.collapse_pyramid(pyramid)
pyramid_error = float(np.abs(rebuilt - shown).max())
enlarged = lambda level: level.repeat(len(shown[0]) // len(level[0]), 1).repeat(len(shown[0]) // len(level[0]), 2)
as_grey = lambda level: 0.5 + 0.5 * level / np.abs(level).max()         # details are positive and negative
talk.rows("pyramid", "A Laplacian pyramid", {
    "images": shown,
    **{f"{level.shape[1]}-pixel details": enlarged(as_grey(level)) for level in pyramid[:-1]},
    f"{pyramid[-1].shape[1]}-pixel rest": enlarged(np.clip(pyramid[-1], 0, 1)),
    "put together": np.clip(rebuilt, 0, 1)})
talk.say("Put together again, the levels are the images, " + (f"but for {pyramid_error:.0e}." if pyramid_error else
                                                             "to the last bit."))

# %% [markdown]
# ## The sliced Wasserstein distance (slide 80)
#
# From each level many small squares are taken, and brought to mean 0 and deviation 1. Then the squares of the real
# images and those of the samples are two clouds of points, and the distance says how far one has to be carried to
# become the other. In one dimension that needs a sort. So both clouds are projected on random directions, and the
# one-dimensional distances averaged. Each level has its own distance: the finest tells of texture, the coarsest of
# shapes.

# %% name="distance" slides=[80] needs=["generators"]
several = x[learned[:3 * n]]                                            # more of them: the floor is lower
distance = lambda x: list(metrics.swd(several, x, size=size, levels=levels, patches=32, directions=128,
                                      rng=talk.seed).scales.values())
sides = [level.shape[1] for level in metrics.laplacian_pyramid(new[:1], levels)]
judged = {"real": new} | {name: x for name, x in generators.items() if name != "by heart"}
distances = {name: metrics.resampled(distance, x, repeats=5, rng=talk.seed) for name, x in judged.items()}
talk.save(pictures.bars({f"{side} pixels": {name: (found.value[i], found.error[i]) for name, found in distances.items()}
                         for i, side in enumerate(sides)}, floor="real",
                        title="Sliced Wasserstein distance x 1000, scale by scale (dashed: real images)"), "scales")
excess = {name: found.value - distances["real"].value for name, found in distances.items()}
coarse = {name: float(excess[name][-1] / np.maximum(excess[name], 0).sum()) for name in excess if name != "real"}
talk.say(f"Blur shows in the finest level, where its distance is "
         f"{distances['blurred'].value[0] / distances['real'].value[0]:.1f} times that of real images, and in the "
         f"coarsest only {distances['blurred'].value[-1] / distances['real'].value[-1]:.1f} times. Lost digits show in "
         f"the coarsest, too: {100 * coarse['five digits']:.0f} % of what they have above the floor is there, "
         f"and {100 * coarse['blurred']:.0f} % of the blur's.")

# %% [markdown]
# ## Two measures in place of one (slide 77)
#
# So the slide's answer: the similarity within the samples for diversity, the sliced Wasserstein distance to the data
# for realism. Neither is perfect. What was learned by heart looks like the data to both.

# %% name="two" slides=[77] needs=["similarity", "distance"]
at = {name: (diversity[name].value, float(np.mean(distances[name].value)), diversity[name].error,
             float(np.mean(distances[name].error))) for name in distances}
talk.save(pictures.plane(at, x="MS-SSIM of pairs of one digit", y="SWD x 1000, mean of scales",
                         title="Diversity and realism apart (less is better)"), "two-measures")
talk.say(f"Real images stand at {at['real'][0]:.2f} and {at['real'][1]:.0f}. The ten images have a similarity of "
         f"{at['ten images'][0]:.2f}, no variety, and the blur a distance of {at['blurred'][1]:.0f}. Half of the "
         f"digits stand at {at['five digits'][0]:.2f} and {at['five digits'][1]:.0f}: nearly as varied "
         "digit by digit, and less like the data.")

# %% [markdown]
# ## All measures beside each other (slide 75)
#
# `metrics.generator_report` has them all in one table, each with an error bar from random halves of the images and
# with its floor. The distance to the nearest learned image is what finds copies: it is 0 where they were learned by
# heart, while all other measures are content.

# %% name="report" slides=[75] needs=["generators"]
reports = {name: metrics.generator_report(x[learned[:10_000]], new, generated, judge, repeats=talk.short(4, 2),
                                          rng=talk.seed)
           for name, generated in generators.items()}
lines = {name: {line.name: line for line in report.lines} for name, report in reports.items()}
first_report = next(iter(lines.values()))
for head, told in (("measure", lambda found: f"{found.value:.3g}"), ("its error", lambda found: f"{found.error:.1g}")):
    talk.table([head, "real", *generators],
               [[line.name, told(line.floor), *(told(lines[name][line.name].generated) for name in generators)]
                for line in first_report.values()])
verdicts = {name: [line.generated.value / line.floor.value for line in found.values()] for name, found in lines.items()}
talk.save(pictures.sheet(verdicts, [*first_report]), "report")
to_nearest = [name for name in first_report if name.startswith("nearest learned")]
copies = lines["by heart"][to_nearest[0]]
talk.say("In each row 1 is what real images get. What was learned by heart is near it in every row but the last two: "
         f"its distance to the nearest learned image is {copies.generated.value:.2f}, that of new real images "
         f"{copies.floor.value:.2f}.")

# %% [markdown]
# ## What must come out
#
# Ten images get 9.9 of 10, and recall and similarity expose them. Two faults with one score have different precision
# and recall. The pyramid loses nothing. Blur is found at the fine scale, lost digits at the coarse one.

# %% name="bounds" needs=["score", "precision", "similarity", "pyramid", "distance", "two", "report"]
talk.metric("judge_accuracy", judge.accuracy, at_least=0.93)
talk.metric("score_of_ten_images", scores["ten images"].value, at_least=9.9)
talk.metric("score_of_real_images", scores["real"].value)
talk.metric("recall_of_ten_images", shares["ten images"].recall, at_most=0.05)
talk.metric("similarity_of_ten_images", diversity["ten images"].value, at_least=0.99)
talk.metric("similarity_of_real_images", diversity["real"].value, at_most=0.8)
talk.metric("scores_differ", abs(scores["blurred"].value - scores["five digits"].value), at_most=0.05)
talk.metric("precision_of_half", lost.precision, at_least=0.8)
talk.metric("precision_of_blur", shares["blurred"].precision, at_most=0.7)
talk.metric("recall_of_half", lost.recall, at_most=0.75)
talk.metric("pyramid_error", pyramid_error, at_most=1e-5, always=True)
talk.metric("coarse_share_of_blur", coarse["blurred"], at_most=0.3)
talk.metric("coarse_share_of_lost_digits", coarse["five digits"], at_least=0.5)
talk.metric("nearest_by_heart", copies.generated.value, at_most=1e-6, always=True)
talk.finish()
