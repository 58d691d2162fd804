# %% [markdown]
# # Slide 115: basic neural networks
#
# A neuron adds up its inputs, each times a weight, and bends the sum. Many of them side by side are a layer, layers
# one after the other a network. This lecture looks at one neuron and the derivatives of its error; at what a second
# layer can do that a single one cannot; and at a network that reads handwritten digits.

# %%
import numpy as np

import minidl as md
from minidl import data, nn, optim, plotting
from minidl.lectures import lecture
from minidl.lectures.pictures import basic_networks as pictures
from minidl.tuning import one_core

talk = lecture("basic-networks", data=["digits", "mnist", "fashion-mnist"])

# %% [markdown]
# ## One neuron
#
# Two inputs $x$, two weights $w$, a bias $b$: the neuron says $y = \sigma(w_1 x_1 + w_2 x_2 + b)$. It ought to say
# $t = 1$, and its error is $L = (y - t)^2$. We write it one operation a line; each line is a box of the picture.

# %%
x1, x2, t = md.Tensor(1.0, name="x1"), md.Tensor(2.0, name="x2"), md.Tensor(1.0, name="t")
w1 = md.Tensor(0.6, requires_grad=True, name="w1")
w2 = md.Tensor(-0.4, requires_grad=True, name="w2")
b = md.Tensor(0.3, requires_grad=True, name="b")

product1 = w1 * x1
product2 = w2 * x2
total = product1 + product2
z = total + b
y = md.sigmoid(z)
difference = y - t
L = md.square(difference)
z.name, y.name, L.name = "z", "y", "L"

# %% [markdown]
# ## Its derivatives
#
# How does $L$ change if a number in the middle changes a little? Begin at the right end, where the answer is 1, and
# walk to the left: each box multiplies what arrives by its own small derivative. A sum hands it on as it is, a product
# times its other factor, a square times $2(y - t)$, the sigmoid times $y(1 - y)$. That is backpropagation, all of it.

# %%
numbers = [w1, w2, b, product1, product2, total, z, y, difference, L]
gradients = md.grad(L, numbers, retain_graph=True)
for number, gradient in zip(numbers, gradients, strict=True):
    number.grad = gradient                                             # for the picture
talk.save(md.graph(L).draw(), "neuron")

# %% [markdown]
# By hand, by the chain rule: $\partial L/\partial z = 2(y - t)\,y(1 - y)$; for a weight, times its input.

# %%
dz = 2 * (y.item() - t.item()) * y.item() * (1 - y.item())
by_hand, by_minidl = [dz * x1.item(), dz * x2.item(), dz], [gradient.item() for gradient in gradients[:3]]
talk.table(["derivative by", "by hand", "by minidl"], list(zip(["w1", "w2", "b"], by_hand, by_minidl, strict=True)))
talk.metric("neuron_gradient_error", np.abs(np.subtract(by_hand, by_minidl)).max(), at_most=1e-6, always=True)

# %% [markdown]
# A derivative says which way is up; learning takes a step down.

# %%
before = L.item()
for weight, gradient in zip([w1, w2, b], gradients[:3], strict=True):
    weight.data -= 0.5 * gradient.data
after = md.square(md.sigmoid(w1 * x1 + w2 * x2 + b) - t).item()
print(f"error before the step {before:.3f}, after it {after:.3f}")
talk.metric("neuron_error_after_a_step", after, at_most=before, always=True)

# %% [markdown]
# ## Why a hidden layer?
#
# Two moons reach into each other. One neuron divides the plane by a straight line, and no straight line divides the
# moons. Sixteen neurons draw sixteen lines; one more neuron, behind them, puts a curve together from these.
#
# Training is the neuron's step many times over: the gradient of the loss over all points, and a small step down. Adam
# chooses the size of the step for each weight; the loss is the cross-entropy $-\log p$ of the right answer.

# %%
# The model gives the logit of moon 1, of which the sigmoid is the probability; the loss is the cross-entropy.
moon_loss = lambda model, points, moon: nn.binary_cross_entropy_with_logits(model(points), np.float32(moon[:, None]))


def train(model, points, moon, steps):
    """Steps down; yields how many have been made, before the first and after each."""
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    for step in range(steps):
        yield step
        optimizer.zero_grad()
        moon_loss(model, points, moon).backward()
        optimizer.step()
    yield steps


# The function from points to the probability of moon 1, and the share of points that are put on their own moon.
probability = lambda model: md.no_grad()(lambda points: md.sigmoid(model(points)).numpy()[:, 0])
right = lambda model, points, moon: float(((probability(model)(points) > 0.5) == moon).mean())
points, moon = data.two_moons(300, noise=0.15, rng=talk.rng)
new_points, new_moon = data.two_moons(2000, noise=0.15, rng=talk.rng)
neuron, network = (nn.mlp(sizes, activation=nn.Tanh, rng=talk.rng) for sizes in ([2, 1], [2, 16, 1]))
both = {"one neuron": neuron, "16 hidden neurons": network}

# %% [markdown]
# Both learn side by side. The points in the film are those that they are trained on; the accuracy is that on 2000
# others.

# %%
steps = 600
shown = talk.short({int(steps * (i / 24)**2) for i in range(25)}, {0, 40, 150, steps})
frames = []
with one_core():
    both_learn = zip(train(neuron, points, moon, steps), train(network, points, moon, steps), strict=True)
    for step, _ in talk.each(both_learn, "a neuron and a network, step"):
        if step in shown:
            panels = {f"{name}\n{right(model, new_points, new_moon):.0%} of new points right": probability(model)
                      for name, model in both.items()}
            frames.append(pictures.boundaries(panels, points, moon, title=f"after {step} steps"))
talk.save(frames, "two-moons")
by_line, by_curve = (100 * right(model, new_points, new_moon) for model in (neuron, network))
talk.say(f"One neuron draws a straight line, which puts {by_line:.1f} % of new points on their moon. Sixteen hidden "
         f"neurons draw a curve: {by_curve:.1f} %.")
talk.table(["classifier", "training points right", "new points right"], [
    [name, right(model, points, moon), right(model, new_points, new_moon)] for name, model in both.items()])
talk.metric("moons_neuron", right(neuron, new_points, new_moon), at_most=0.93, always=True)
talk.metric("moons_network", right(network, new_points, new_moon), at_least=0.96, always=True)

# %% [markdown]
# ## How wide?
#
# Fewer points and more noise, so that the moons overlap: nobody can tell all of them apart. Two hidden neurons are too
# few for the shape. Three hundred are so many that the network learns its points by heart: corners and islands
# made for single points, which say nothing about new ones. There it is wrong without a doubt, and the cross-entropy
# of new points shows it. That is overfitting; more data helps against it, and so do the tricks of this slide's last
# lecture.
#
# `talk.train` makes the same steps. If they take long enough, a window or a notebook shows the boundary on its way.

# %%
points, moon = data.two_moons(100, noise=0.3, rng=talk.rng)
new_points, new_moon = data.two_moons(2000, noise=0.3, rng=talk.rng)
panels, rows, new_losses = {}, [], []
for width in (2, 4, 300):
    network = nn.mlp([2, width, 1], activation=nn.Tanh, rng=talk.rng)
    talk.train(network, data.Loader(points, moon[:, None].astype("float32"), batch_size=len(points), shuffle=False),
               epochs=talk.short(1500, 100), optimizer=optim.Adam(network.parameters(), lr=0.02), schedule=None,
               loss=lambda model, x, y: nn.binary_cross_entropy_with_logits(model(x), y),
               about=f"a network of {width} hidden neurons",
               look=lambda model: pictures.boundaries({"": probability(model)}, points, moon))
    known, new = right(network, points, moon), right(network, new_points, new_moon)
    new_losses.append(moon_loss(network, new_points, new_moon).item())
    panels[f"{width} hidden neurons\ntraining {known:.0%}, new {new:.0%}"] = probability(network)
    rows.append([width, known, new, new_losses[-1]])
talk.save(pictures.boundaries(panels, points, moon, title="Share of points right"), "width")
talk.say(f"300 hidden neurons know {100 * known:.0f} % of the {len(points)} points that they were trained on, and "
         f"{100 * new:.0f} % of new ones. Of those, 4 neurons know {100 * rows[1][2]:.0f} %"
         + (", and are less sure where they are wrong." if new_losses[1] < new_losses[2] else "."))
talk.table(["hidden neurons", "training points right", "new points right", "cross-entropy"], rows)
if not talk.fast:
    talk.metric("wide_training_points", known, at_least=0.95)
    talk.metric("wide_overfits", new_losses[2] / new_losses[1], at_least=1.3)

# %% [markdown]
# ## Reading digits: the multilayer perceptron
#
# An image is a row of pixels, and there are ten answers: ten outputs, which softmax turns into probabilities. The loss
# is again the cross-entropy, $-\log$ of the probability that the network gives to the right answer; a guess among ten
# costs $\log 10 = 2.3$.

# %%
images, seen = talk.load(), slice(talk.short(None, 4000))
x_train, labels, truth = images.x_train[seen], np.asarray(images.y_train)[seen], np.asarray(images.y_test)
x_test, y_test = talk.device.put(images.x_test), talk.device.put(truth)
if talk.data == "digits":
    hidden, epochs, batch_size, lr = [128, 64], talk.epochs(40, fast=5), 64, 4e-3
else:
    hidden, epochs, batch_size, lr = [512, 256], talk.epochs(10), 128, 1e-3
model = nn.mlp([x_train.shape[1], *hidden, 10], activation=nn.ReLU, rng=talk.rng)
print(model)


def measured(model, x, labels):
    """The mean loss, and the probabilities of the classes (N, 10) on the host."""
    with md.no_grad():
        logits = model(x)
        return nn.cross_entropy(logits, labels).item(), talk.on_host(md.softmax(logits).data)


def first_layer(model):
    """The weights of the twenty neurons of the first layer that have the largest ones, as pictures."""
    weights = talk.on_host(model[0].weight.data).T                                     # (neurons, pixels)
    strongest = np.argsort(-(weights**2).sum(1))[:20]
    return plotting.image_grid(talk.images(weights[strongest]), columns=10, symmetric=True,
                               title="First-layer weights: red excites, blue inhibits")


history = talk.train(model, x_train, labels, epochs=epochs, batch_size=batch_size, lr=lr, weight_decay=0.5,
                     about="the perceptron", look=first_layer,
                     loss=lambda model, x, labels: nn.cross_entropy(model(x), labels),
                     validate=lambda model: measured(model, x_test, y_test)[0])

# %% [markdown]
# ## How training went
#
# The network goes on improving on the images that it is trained on, long after it has stopped doing so on the others.
# What counts is the held-out line.

# %%
talk.save(plotting.curves({"held-out": (np.arange(1, epochs + 1), history.validation),
                           "training": (np.arange(1, epochs + 1), history.loss)}, levels={"guessing": np.log(10)},
                          x="epoch", y="cross-entropy per image", log=True, title="The loss while training"),
          "training")
_, p_train = measured(model, talk.device.put(x_train), talk.device.put(labels))
_, p_test = measured(model, x_test, y_test)
said = p_test.argmax(1)
train_accuracy, test_accuracy = float((p_train.argmax(1) == labels).mean()), float((said == truth).mean())
talk.table(["images", "how many", "share right"], [["training", len(p_train), train_accuracy],
                                                   ["test", len(p_test), test_accuracy]])
talk.say(f"The network reads {100 * test_accuracy:.1f} % of the test images right, and {100 * train_accuracy:.1f} % "
         "of those that it was trained on.")

# %% [markdown]
# ## What it finds hard
#
# The ten test images to whose label it gives the least probability.

# %%
hardest = np.argsort(p_test[np.arange(len(truth)), truth])[:10]
captions = [f"{images.classes[truth[i]]}\n" + (f"read as {images.classes[said[i]]}" if said[i] != truth[i] else
                                               f"{p_test[i, truth[i]]:.0%} sure") for i in hardest]
talk.save(plotting.image_grid(talk.images(images.x_test[hardest]), columns=5, captions=captions,
                              title="The hardest test images"), "hardest")

# %% [markdown]
# ## What its first layer looks for
#
# The weights of one hidden neuron are as many as the pixels, so they are a picture: red where ink excites it, blue
# where ink holds it back. Weight decay has pulled all weights towards 0, so that what is left has earned its place.
# Small images leave little to see, a stroke with a gap beside it; MNIST's show more (`--data mnist`). These are the
# twenty neurons with the largest weights.

# %%
talk.save(first_layer(model), "weights")

# %% [markdown]
# ## What must come out
#
# On the small digits at least 96.5 % of the test images right, on MNIST 98 %.

# %%
at_least = talk.short({"digits": 0.965, "mnist": 0.98, "fashion-mnist": 0.88}[talk.data], 0.5)
talk.metric("test_accuracy", test_accuracy, at_least=at_least, always=True)
talk.metrics(train_accuracy=train_accuracy, held_out_loss=history.validation[-1])
talk.finish()
