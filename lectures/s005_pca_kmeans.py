# %% [markdown]
# # Slides 5-7: PCA and k-means, one objective with two constraints
#
# Slide 5 has one objective for all of this lecture. Each row $x_n$ of the data $X$ is to be rebuilt from a code $z_n$
# by a matrix $V$ that all rows share:
#
# $$\min_{Z, V} \; \lVert X - Z V \rVert^2$$
#
# - **No constraint** on $z$: any $k$ real numbers. The rows of $V$ span a subspace. This is principal component
#   analysis (PCA), with the mean taken off before.
# - **A single 1** in each $z$, zeros elsewhere: the row of $V$ that it picks is the reconstruction. This is k-means,
#   and the rows of $V$ are cluster centres.
#
# Slide 7 also says what both of them are: autoencoders. They encode and decode, and whoever draws codes and decodes
# them has a generative model.

# %%
import numpy as np

from minidl import data, optim, plotting
from minidl.autoencoders import DeepAutoencoder
from minidl.lectures import lecture
from minidl.lectures.pictures import pca_kmeans as pictures
from minidl.linear import PCA, KMeans, MiniBatchKMeans, Whitening, principal_angles
from minidl.metrics import squared_error
from minidl.tuning import one_core

talk = lecture(7, data=["digits", "mnist", "fashion-mnist"])
images = talk.load()
x_train, x_test = talk.device.put(images.x_train), talk.device.put(images.x_test)
chosen = images.one_of_each().tolist()

# %% [markdown]
# ## Geometry (slide 6)
#
# Points in the plane, each tied to its reconstruction. PCA with one number drops them at right angles onto a line. It
# has a single direction, but every place along it. K-means with four centres moves each to the centre of its cell:
# only four places, but anywhere in the plane.

# %% name="geometry" slides=[6]
plane = np.random.default_rng(4)
where = np.array([[-4.0, -2.0], [-1.0, 1.5], [2.0, -0.5], [5.0, 2.5]])
points = (where[plane.integers(4, size=160)] + 0.75 * plane.standard_normal((160, 2))).astype(np.float32)
line, centres = PCA(1).fit(points), KMeans(4, n_init=5).fit(points)
talk.save(pictures.geometry({"PCA, k = 1: onto a line": line, "k-means, k = 4: to a centre": centres}, points,
                            title="Two ways to give up information"), "geometry")
line_error, centres_error = (squared_error(model.reconstruct(points), points) for model in (line, centres))
talk.say(f"PCA keeps one number of a point, its place on a line, and leaves a squared error of {line_error:.2f}. "
         f"K-means keeps which of four centres is nearest, and leaves {centres_error:.2f}.")

# %% [markdown]
# ## Lloyd's algorithm
#
# With the single 1 the objective has no formula for its solution. Lloyd's algorithm takes turns: with the centres
# held, each point goes to the nearest; with the points' clusters held, each centre goes to their mean. Neither step
# can make the error larger, and there are finitely many ways to divide the points, so it ends. But where? Here all
# four centres start in one corner on purpose, and end with more error than above: two of them share what one could do
# alone.

# %% name="lloyd" slides=[6] needs=["geometry"]
path = [points[np.argsort(points.sum(1))[[0, 2, 5, 9]]]]
errors = [float(((points[:, None] - path[0])**2).sum(2).min(1).mean())]
for _ in range(talk.short(12, 2)):
    moved = KMeans(4, init=path[-1], max_iter=1).fit(points)
    path.append(moved.cluster_centers_)
    errors.append(moved.inertia_ / len(points))
talk.save([pictures.cells(points, np.stack(path[:i + 1]), title=f"Round {i}: squared error {errors[i]:.2f}")
           for i in range(len(path))], "lloyd")
talk.metric("largest_rise_in_a_round", max(np.diff(errors)), at_most=1e-6, always=True)
talk.metric("corner_start_of_best", errors[-1] * len(points) / centres.inertia_, at_least=2, always=True)

# %% [markdown]
# ## PCA of images
#
# One fit gives all components, by falling variance: the first $k$ of them are the answer for every smaller $k$.

# %% name="pca" slides=[5]
numbers = [2, 5, 10, 20, 40] if talk.data == "digits" else [2, 6, 10, 20, 30, 64, 100]
with talk.doing("PCA"):
    pca = PCA(numbers[-1], rng=talk.seed).fit(x_train)
shares = talk.on_host(pca.explained_variance_ratio_)
talk.save(pictures.explained_variance(shares, marks=numbers[1:5], title="How much do k numbers explain?"),
          "explained-variance")

# %% [markdown]
# The first two coordinates of every test image: the plane on which the data's shadow is widest. No label was used to
# find it; the colours show how far it tells the classes apart all the same.

# %% name="plane" slides=[6] needs=["pca"]
talk.save(pictures.codes(pca.encode(x_test[:3000])[:, :2], np.asarray(images.y_test)[:3000],
                         title="Test images in PCA's first two directions"), "subspace")

# %% [markdown]
# ## k-means of images
#
# Lloyd's algorithm ends in a place where no step helps, and that need not be the best one. Where it ends depends on
# the start. The start is drawn by *k-means++*: centre after centre from the images, those far from the centres so far
# more likely. Five such starts, each followed until no image changes its cluster:

# %% name="kmeans" slides=[5]
some = x_train[:talk.short(None, 10_000)]
with one_core():
    starts = [KMeans(10, max_iter=talk.short(300, 5), tol=0, rng=5 * talk.seed + i).fit(some)
              for i in talk.each(range(5), "k-means from five starts")]
inertias = [start.inertia_ for start in starts]
kmeans = starts[int(np.argmin(inertias))]
talk.table(["start", "rounds", "inertia after the start", "inertia at the end"],
           [[i + 1, s.n_iter_, s.inertia_history_[0], s.inertia_] for i, s in enumerate(starts)])
talk.save(plotting.curves({f"start {i + 1}": (np.arange(3, len(s.inertia_history_) + 1),
                                              100 * (np.array(s.inertia_history_)[2:] / min(inertias) - 1))
                           for i, s in enumerate(starts)}, x="round", y="inertia above the best, %",
                          title="Every round helps, and yet they end apart"), "starts")
assert all(max(np.diff(s.inertia_history_), default=0) <= 1e-6 * s.inertia_ for s in starts)
assert min(float(talk.on_host(start.shares_).min()) for start in starts) > 0          # no cluster is empty
talk.metric("inertia_best", min(inertias), at_most=2.3535e6 if talk.data == "mnist" else None)
talk.metric("inertia_median", np.median(inertias), at_most=2.360e6 if talk.data == "mnist" else None)
talk.metric("inertia_worst", max(inertias))

# %% [markdown]
# ## What V looks like: eigen-digits and centres
#
# PCA's rows of $V$ are images to add up: each is added (red) or taken away (blue) as its coordinate grows. The
# centres of k-means are images to choose from: each is the mean of its cluster, below it the share of images that it
# stands for.

# %% name="matrix" slides=[5] needs=["pca", "kmeans"]
talk.save(plotting.image_grid(talk.images(pca.components_[:10]), columns=5, symmetric=True,
                              captions=[f"{i + 1}: {share:.1%}" for i, share in enumerate(shares[:10])],
                              title="PCA: ten images to add up, and the variance each explains"), "components")
order = np.argsort(-talk.on_host(kmeans.shares_))
talk.save(plotting.image_grid(talk.images(kmeans.cluster_centers_)[order], columns=5,
                              captions=[f"{share:.1%}" for share in talk.on_host(kmeans.shares_)[order]],
                              title="k-means: ten images to choose from, and how often each is"), "centres")

# %% [markdown]
# ## Equal k: the constraint costs
#
# On the images that both were fitted to, PCA's minimum is never above that of k-means: $k$ centres and their mean lie
# in a subspace of $k - 1$ dimensions, and of all such subspaces PCA's leaves the least error. The errors in the last
# column are those of held-out images. With no numbers at all, every image is reconstructed as the mean image. On
# MNIST thirty numbers leave an error of 13.87, the figure that G. Hinton and R. Salakhutdinov give for PCA in their
# paper on slide 17's network; on Fashion-MNIST 12.24.

# %% name="equal-k" slides=[5] needs=["pca", "kmeans"]
cluster = KMeans if talk.data == "digits" else MiniBatchKMeans
code, code_train = pca.encode(x_test), pca.encode(x_train)


def by_pca(k):
    """The test images from the first k numbers of PCA's codes."""
    return pca.mean_ + code[:, :k] @ pca.components_[:k]


centred = float(((x_train - pca.mean_)**2).sum(1).mean())
left = [centred - float((code_train[:, :k]**2).sum(1).mean()) for k in range(numbers[-1] + 1)]      # by k numbers
table: list[list[str | float]] = [["mean image", 0, "-", centred, squared_error(by_pca(0), x_test)]]
known: dict = {"digits": {"explained_10": (0.73, 0.75)}, "mnist": {"error_30": (13.864, 13.868)},
               "fashion-mnist": {"error_30": (12.241, 12.245)}}[talk.data]
for k in talk.each(numbers, "k-means with equal k"):
    with one_core():
        fitted = kmeans if k == 10 else cluster(k, rng=talk.seed).fit(some)
    error, fitted_error, explained = squared_error(by_pca(k), x_test), fitted.inertia_ / len(some), shares[:k].sum()
    kmeans_error = squared_error(fitted.reconstruct(x_test), x_test)
    assert left[k - 1] <= fitted_error
    table += [[f"PCA-{k}", f"{k} numbers", f"{explained:.1%}", left[k], error],
              [f"k-means-{k}", f"one of {k}", f"{1 - fitted_error / centred:.1%}", fitted_error, kmeans_error]]
    for name, value in {"error": error, "explained": explained, "kmeans_error": kmeans_error}.items():
        low, high = known.get(f"{name}_{k}", (None, None))
        talk.metric(f"{name}_{k}", value, at_least=low, at_most=high, always=True)
talk.table(["model", "code", "explained", "error, fitted", "error, held out"], table)

# %% [markdown]
# ## Equal bits: the constraint pays
#
# A label is cheap and a number is not. One of 256 takes 8 bits; to send a number, it has to be rounded. Rounding well
# is k-means once more, in one dimension: that is what S. Lloyd made the algorithm for in 1957, to send voices over
# digital lines. So each coordinate of PCA gets a codebook of its own, and the bits are divided over as few or as many
# coordinates as is best. On equal bits k-means leaves less error.

# %% name="equal-bits" slides=[5] needs=["equal-k"]
def quantised(coordinates: int, bits: int) -> float:
    """Held-out error of PCA whose coordinates are sent with so many bits each."""
    books = [KMeans(2**bits, rng=talk.seed).fit(code_train[:5000, i:i + 1]) for i in range(coordinates)]
    sent = [book.reconstruct(code[:, i:i + 1]) @ pca.components_[i:i + 1] for i, book in enumerate(books)]
    return squared_error(pca.mean_ + sum(sent), x_test)


sizes = talk.short([2, 4, 6, 8], [2, 4])
found: dict[str, list[float]] = {"PCA, rounded": [], "k-means": []}
table = []
for bits in talk.each(sizes, "equal bits"):
    with one_core():
        split = {m: quantised(m, bits // m) for m in (1, 2, 3, 4, 6, 8) if bits % m == 0}
        codebook = cluster(2**bits, rng=talk.seed).fit(some)
    best = min(split, key=lambda m: split[m])
    found["PCA, rounded"].append(split[best])
    found["k-means"].append(squared_error(codebook.reconstruct(x_test), x_test))
    each = "1 bit" if bits == best else f"{bits // best} bits"
    table.append([f"{bits} bits", f"{best} numbers of {each}", split[best], f"one of {2**bits}", found["k-means"][-1]])
talk.table(["an image in", "PCA, rounded", "error", "k-means", "error "], table)
talk.save(plotting.curves({name: (sizes, values) for name, values in found.items()},
                          x="bits for each image", y="squared error per test image",
                          title="For the same bits, k-means leaves less error"), "bits")
by_kmeans, rounded = found["k-means"][-1], found["PCA, rounded"][-1]
talk.say(f"Of the images that both were fitted to, ten numbers of PCA leave a squared error of {left[10]:.2f}, one "
         f"of ten centres {kmeans.inertia_ / len(x_train):.2f}: the constraint costs. But a number has to be rounded "
         f"to be sent: in {sizes[-1]} bits an image, k-means leaves {by_kmeans:.2f} and PCA {rounded:.2f}"
         + (": the constraint pays." if by_kmeans < rounded else "."))
talk.metric("kmeans_of_pca_at_equal_bits", found["k-means"][-1] / found["PCA, rounded"][-1], at_most=0.75)

# %% [markdown]
# ## Reconstruction (slide 7)

# %% name="reconstruction" slides=[7] needs=["equal-bits"]
reconstructions = {f"{k}-D PCA": by_pca(k) for k in numbers[:3]} | {
    f"k-means,\none of {model.n_clusters}": model.reconstruct(x_test) for model in (kmeans, codebook)}
talk.rows("reconstructions", "Test images through both codes", {"real data": (x_test[chosen], "squared\nerror"), **{
    name: (y[chosen], f"{squared_error(y, x_test):.2f}") for name, y in reconstructions.items()}})

# %% [markdown]
# ## Sampling from the code space: a generative model!
#
# For PCA, codes from a Gaussian with the variances that it found: the samples have the strokes' texture, but few are
# digits, for the codes of real images do not fill a Gaussian. For k-means, a centre drawn by its share of the images:
# every sample is plausible, and there are no others. Between "never right" and "never new" is what the models of the
# later slides are about.

# %% name="samples" slides=[7] needs=["equal-bits"]
talk.rows("samples", "Sampling from the code space", {
    "real data": x_test[chosen], f"{numbers[-1]}-D PCA,\nsampled": pca.sample(10, talk.rng),
    **{f"k-means-{m.n_clusters},\nsampled": m.sample(10, talk.rng) for m in (kmeans, codebook)}})

# %% [markdown]
# ## Whitening, and ZCA
#
# PCA's coordinates are uncorrelated. Divided by their deviations they all have variance 1 as well: the data are
# *white*. White data stay white when they are turned, so there are many such codes. The one that stays nearest to the
# image itself is called ZCA. It is an image again, and a symmetric matrix makes it: $z = V^\top S^{-1} V (x - m)$.
#
# Here are patches of photographs. Neighbouring pixels are much alike; what ZCA leaves is what they do not share:
# edges.

# %% name="whitening" slides=[5]
patches = data.patches(4000, size=12, rng=np.random.default_rng(talk.seed), whiten=False).reshape(4000, -1)
patches = patches - patches.mean(1, keepdims=True)                     # brightness is not of interest
whitenings = {kind: Whitening(kind=kind, eps=1e-4).fit(patches) for kind in ("pca", "zca")}
striking = np.argsort(-patches.std(1))[:400:40]
shown = lambda rows: (0.5 + rows / (6 * rows.std())).reshape(-1, 12, 12)      # three deviations to black and white
talk.rows("whitening", "Both are white; only one is still an image", {
    "patches": shown(patches[striking]),
    **{f"whitened,\n{kind.upper()}": shown(white.encode(patches)[striking]) for kind, white in whitenings.items()},
    "ZCA,\nundone": shown(whitenings["zca"].reconstruct(patches[striking]))})
before, after = (np.corrcoef(rows[:, 65], rows[:, 66])[0, 1] for rows in (patches, whitenings["zca"].encode(patches)))
zca = whitenings["zca"].matrix_
talk.metric("neighbours_correlation_before", before, at_least=0.5, always=True)
talk.metric("neighbours_correlation_after", np.abs(after), at_most=0.1, always=True)
talk.metric("zca_asymmetry", np.abs(zca - zca.T).max(), at_most=1e-3, always=True)

# %% [markdown]
# Each column of the ZCA matrix is the filter that makes one pixel of the white image: the pixel itself, less what its
# neighbours already tell. The eye's ganglion cells see the world through such filters: bright centre, dark surround.

# %% name="whitening" slides=[5]
talk.save(plotting.image_grid(zca.T[[0, 18, 41, 66, 77]].reshape(-1, 12, 12), columns=5, symmetric=True,
                              title="ZCA's filters: a pixel, less what its neighbours tell"), "zca-filters")

# %% [markdown]
# ## "No constraint: PCA", by gradient descent
#
# A linear autoencoder has the same objective, but nobody tells it to be PCA: two matrices start at random, and
# gradient descent makes the error small. Its code may be any turned and stretched version of PCA's, but the images
# that it can decode, the space that the decoder's rows span, must end as PCA's subspace. The *principal angles*
# between two subspaces measure that: all are 0 if the two are the same. (The images are the embedded digits, whatever
# the lecture runs on.)
#
# With all images in each step and a learning rate that falls to zero, the largest of the ten angles falls below a
# tenth of a degree. With 100 images at a time the gradient is noisy, and the space keeps wandering a degree or so.

# %% name="descent" slides=[5]
steps = talk.short(6000, 100)
small = talk.device.put(data.load("digits").flat().x_train)
goal = PCA(10, svd_solver="svd").fit(small)
angles = {}
for name, batch in (("all images a step", len(small)), ("100 images a step", 100)):
    model = DeepAutoencoder([small.shape[1], 10], rng=talk.seed)
    model.to(talk.device)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=steps)
    decoder = model.decoder[0].weight                                  # (10, pixels)
    curve = angles[name] = [principal_angles(decoder, goal.components_)[0]]
    with one_core():
        for step in talk.each(range(1, steps + 1), f"gradient descent, {name}"):
            x = small if batch == len(small) else small[talk.device.put(talk.rng.permutation(len(small))[:batch])]
            optimizer.zero_grad()
            model.loss(x).backward()
            optimizer.step()
            schedule.step()
            if step % (steps // 100) == 0:
                curve.append(principal_angles(decoder, goal.components_)[0])
    print(f"{name}: largest angle {curve[0]:.1f} degrees at first, {curve[-1]:.4f} in the end")
talk.save(plotting.curves({name: (np.arange(101) * (steps // 100), np.maximum(curve, 1e-3))
                           for name, curve in angles.items()}, x="step", y="largest angle to PCA, degrees", log=True,
                          levels={"0.1 degree": 0.1},
                          title="A linear autoencoder finds PCA's subspace"), "linear-autoencoder")
talk.metric("angle", angles["all images a step"][-1], at_most=0.1)
talk.metric("angle_of_mini_batches", angles["100 images a step"][-1])
talk.metric("angle_at_first", angles["all images a step"][0], at_least=45, always=True)
talk.finish()
